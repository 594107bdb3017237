#!/usr/bin/env python3
"""test-linux.py: what Linux has beyond POSIX is used in the files alone that a table of doc/design/README.md
names. TAP."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'harness'))
import tap

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'doc' / 'design' / 'README.md'
HEADING = '\n## Linux beyond POSIX\n'

# Calls and flags that have a row in the table wherever the library uses them.
NAMES = '''accept4 clone clone3 close_range copy_file_range dl_iterate_phdr dup3 epoll_create1 epoll_ctl
epoll_wait eventfd execveat fanotify_init getdents64 getrandom gettid inotify_init inotify_init1 ioprio_set kcmp mbind
memfd_create mremap mseal madvise perf_event_open personality pidfd_getfd pidfd_open pidfd_send_signal pipe2 ppoll prctl
prlimit process_madvise process_vm_readv process_vm_writev ptrace sched_getaffinity sched_getcpu sched_setaffinity
sendfile setns signalfd splice statx tee tgkill timerfd_create unshare userfaultfd vmsplice
CLONE_PIDFD MAP_FIXED_NOREPLACE MAP_NORESERVE MFD_CLOEXEC SO_PEERCRED
SYS_close_range SYS_futex SYS_getdents64 SYS_gettid SYS_pidfd_open SYS_pidfd_send_signal SYS_rseq SYS_rt_tgsigqueueinfo
SYS_tgkill SYS_timer_create SYS_timer_delete SYS_timer_settime'''.split()

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.DOTALL)


def code(path):
    return COMMENT.sub(' ', path.read_text(encoding='utf-8'))


def sources():
    return sorted(path for suffix in ('c', 'h') for path in (ROOT / 'lib').rglob(f'*.{suffix}'))


def table():
    """The names of each row, and its files."""
    _, found, rest = PAGE.read_text(encoding='utf-8').partition(HEADING)
    assert found, f'{PAGE.name} has no section of that name'
    rows = []
    for line in rest.partition('\n## ')[0].splitlines():
        if line.startswith('| `'):
            names, files, plain = (cell.strip() for cell in line.strip('|').split(' | '))
            rows.append((re.findall(r'`(\w+)`', names), re.findall(r'`([\w/.]+)`', files), plain))
    return rows


def users():
    """Of each name of the list, and of each system call by its number, the files that have it outside of comments."""
    found = {}
    for path in sources():
        for name in set(re.findall(r'\b[A-Za-z_]\w*', code(path))):
            if name in NAMES or re.fullmatch(r'SYS_[a-z]\w*', name):
                found.setdefault(name, set()).add(str(path.relative_to(ROOT / 'lib')))
    return found


def names_are_used_in_their_files():
    allowed = {}
    for names, files, _ in table():
        for name in names:
            allowed.setdefault(name, set()).update(files)
    return [f'{name} in lib/{file}, which its row does not name' if name in allowed else f'{name} in lib/{file}: no row'
            for name, files in sorted(users().items()) for file in sorted(files - allowed.get(name, set()))]


def rows_name_files_that_use_it():
    wrong = []
    found = users()
    for names, files, plain in table():
        wrong += [f'{name} is not looked for' for name in names if name not in NAMES]
        for file in files:
            if not any(file in found.get(name, ()) for name in names):
                wrong.append(f'lib/{file} uses none of {" ".join(names)}')
        wrong += [] if plain else [f'{names[0]}: nothing is said of the plain way']
    return wrong if found else ['no file uses any']


tap.run([names_are_used_in_their_files, rows_name_files_that_use_it])
