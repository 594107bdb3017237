#!/usr/bin/env python3
"""test-abi-tomorrow.py BUILD_ROOT LIBRARY.so PROGRAM...: a library in which every sized struct has got a member more
serves programs that were built for a release. It is compiled from copies of the headers, as the build does it but
without optimisation; the programs are those of abi/, compiled with the headers of the release. TAP."""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'abi'))
import baseline

LEAST = 'PE__BASE_UP_TO(pe_job_options, submit_deadline_ns)'


def grow(include):
    """Appends a member to each sized struct; their names."""
    grown = set()

    def appended(found):
        grown.add(found.group(2))
        return f'{found.group(1)}    uint64_t of_tomorrow;\n}} {found.group(2)};'

    for header in baseline.headers(include):
        text = header.read_text()
        header.write_text(re.sub(r'(^typedef struct pe_\w+ \{\n    size_t size;[^}]*)\} (pe_\w+);', appended, text,
                                 flags=re.MULTILINE))
    return grown


def compile_commands(build, include):
    """(source, command without its output), of the library's sources, with the headers below `include`."""
    for entry in json.loads((build / 'compile_commands.json').read_text()):
        if not entry['output'].startswith(('lib/libparexec_internal.a.p/', 'lib/libparexec_async.a.p/')):
            continue
        words = shlex.split(entry['command'])
        command = []
        while words:
            word = words.pop(0)
            if word in ('-MF', '-MQ', '-o'):
                words.pop(0)
            elif word.startswith('-I') and (build / word[2:]).resolve() == baseline.ROOT / 'include':
                command.append(f'-I{include}')
            elif not re.match(r'-(MD$|g|O|flto)', word):
                command.append(word)
        yield build / entry['file'], [*command, '-w', '-O0']


def looking_first(directory, command):
    at = next(place for place, word in enumerate(command) if word.startswith('-I'))
    return [*command[:at], f'-I{directory}', *command[at:]]


def compile_all(build, jobs):
    def compile_one(job):
        run = subprocess.run([*job[0], '-o', job[1]], cwd=build, capture_output=True, text=True)
        return run.stderr if run.returncode != 0 else ''

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        wrong = [text for text in threads.map(compile_one, jobs) if text]
    if wrong:
        raise RuntimeError(wrong[0])


def link(work, objects, library, name):
    """With the libraries that the library of today needs."""
    loaded = subprocess.run(['ldd', library], check=True, capture_output=True, text=True).stdout
    needed = re.findall(r'=> (/\S+)', loaded)
    command = baseline.compiler() + ['-shared', '-o', str(work / name), *map(str, objects), *needed,
                                     f'-Wl,--version-script={baseline.ROOT}/lib/parexec.map',
                                     '-Wl,-soname,libparexec.so.1']
    subprocess.run(command, check=True)
    return work / name


def libraries(work, build, today):
    """The library of tomorrow; and one that takes only as long a struct as it has itself, of one type."""
    objects, mistaken, jobs = [], [], []
    for number, (source, command) in enumerate(compile_commands(build, work / 'include')):
        objects.append(work / f'{number}.o')
        mistaken.append(objects[-1])
        jobs.append((command, objects[-1]))
        if '"base/sized.h"' in source.read_text():
            mistaken[-1] = work / f'{number}-mistaken.o'
            jobs.append((looking_first(work / 'mistaken', command), mistaken[-1]))
    compile_all(build, jobs)
    return link(work, objects, today, 'tomorrow.so'), link(work, mistaken, today, 'mistaken.so')


def prepared(work):
    """Makes the headers of tomorrow, and the mistake; which sized structs have not grown."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(baseline.ROOT / 'include', work / 'include')
    (work / 'mistaken/base').mkdir(parents=True)
    sizes = (baseline.ROOT / 'lib/base/sized.h').read_text()
    if LEAST not in sizes:
        raise RuntimeError(f'lib/base/sized.h lacks {LEAST}')
    (work / 'mistaken/base/sized.h').write_text(sizes.replace(LEAST, 'sizeof(pe_job_options)'))
    return set(re.findall(r'PE__BASE_FIRST_(pe_\w+) =', sizes)) ^ grow(work / 'include')


def refused(program, library):
    """What a program has to say against a library; '' for nothing."""
    run = subprocess.run([program], env=dict(os.environ, LD_PRELOAD=str(library)), capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.startswith('not ok')]
    return '' if run.returncode == 0 and 'ok 1' in run.stdout else '\n'.join(lines) or run.stdout + run.stderr


def cases(build, today, programs):
    """(name, what is wrong or '')"""
    work = build / 'test' / 'abi-tomorrow'
    yield 'every sized struct grows', '\n'.join(sorted(prepared(work)))
    tomorrow, mistaken = libraries(work, build, today)
    for program in programs:
        yield f'{pathlib.Path(program).name} with the library of tomorrow', refused(program, tomorrow)
    said = refused(next(program for program in programs if '-sized-' in program), mistaken)
    yield 'a library that refuses a shorter struct is found', '' if 'pe_pool_submit' in said else said or 'nothing said'


def main(build, today, *programs):
    failed = number = 0
    for number, (name, wrong) in enumerate(cases(pathlib.Path(build), today, programs), 1):
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}', flush=True)
        for line in wrong.splitlines():
            print(f'#   {line}')
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
