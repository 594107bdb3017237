#!/usr/bin/env python3
"""test-abi-changes.py: the checks of the ABI see what would break a program, and let pass what would not. Each case
changes a copy of a frozen release and compares it with the release; then test/abi/freeze is tried on a copy of what it
reads. TAP. CC says by which compiler."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'abi'))
import baseline

# The changes are told by texts, so the release is the first one, which stays as it is; and the one that comes next.
RELEASE = baseline.releases()[0]
NUMBER = RELEASE.name
NEXT = f'{NUMBER.split(".")[0]}.{int(NUMBER.split(".")[1]) + 1}'
NEW_NODE = f'PAREXEC_{NEXT} {{\nglobal:\n    pe_later;\n}} PAREXEC_{NUMBER};\n'

# What changes: (file below parexec/ or parexec.map, text, text in its place)...
HARMLESS = {
    'a member is appended to options': [
        ('map.h', '    uint32_t priority;\n', '    uint32_t priority;\n    uint64_t more;\n'),
    ],
    'a member is appended to a result': [('pool.h', 'resident_bytes;\n', 'resident_bytes;\n    uint64_t more;\n')],
    'a function is added, in a node of its own': [
        ('pool.h', 'PE_EXPORT int pe_pool_close', 'PE_EXPORT int pe_later(void);\nPE_EXPORT int pe_pool_close'),
        ('parexec.map', None, NEW_NODE),
    ],
    'a constant is added': [('map.h', '#define PE_CHUNK_AUTO 0', '#define PE_CHUNK_AUTO 0\n#define PE_CHUNK_ALL 1')],
    'a parameter has another name': [('pool.h', 'pe_pool_close(pe_pool *pool)', 'pe_pool_close(pe_pool *it)')],
}
BREAKING = {
    'a function is gone': [
        ('pool.h', 'PE_EXPORT int pe_pool_close(pe_pool *pool);\n', ''),
        ('parexec.map', '    pe_pool_close;\n', ''),
    ],
    'a function is no longer exported': [('parexec.map', '    pe_pool_close;\n', '')],
    'a parameter has another width': [
        ('pool.h', 'pe_pool_join(pe_pool *pool, int64_t', 'pe_pool_join(pe_pool *pool, int32_t'),
    ],
    'a parameter is added': [('pool.h', 'pe_pool_close(pe_pool *pool)', 'pe_pool_close(pe_pool *pool, int how)')],
    'a result has another type': [('socket.h', 'int64_t pe_socket_sent', 'int pe_socket_sent')],
    'a parameter points to something else': [
        ('rng.h', 'pe_rng_fill_doubles(pe_rng *rng, double *', 'pe_rng_fill_doubles(pe_rng *rng, float *'),
    ],
    'a parameter loses its const': [
        ('job.h', 'pe_job *const *jobs, size_t count, int64_t', 'pe_job **jobs, size_t count, int64_t'),
    ],
    'a callback gets a parameter more': [('map.h', 'typedef int pe_map_fn(', 'typedef int pe_map_fn(size_t bytes, ')],
    'members change places': [
        ('pool.h', '    uint64_t lives;\n    uint64_t ended;\n', '    uint64_t ended;\n    uint64_t lives;\n'),
    ],
    'a member of a sized struct shrinks': [('pool.h', 'uint64_t resident_bytes;', 'uint32_t resident_bytes;')],
    'a member of a sized struct changes its sign': [
        ('pool.h', 'uint64_t resident_bytes;', 'int64_t resident_bytes;'),
    ],
    'a member is inserted': [('job.h', '    uint32_t retries;\n', '    uint32_t more[2];\n    uint32_t retries;\n')],
    'a member is gone': [('map.h', '    uint64_t lost;\n', '')],
    'a member is appended and another one changes': [
        ('pool.h', 'uint64_t resident_bytes;', 'int64_t resident_bytes;\n    uint64_t more;'),
    ],
    'a struct of which programs have arrays grows': [('job.h', 'uint64_t reserved[2];', 'uint64_t reserved[3];')],
    'a struct that macros compile in changes': [
        ('region.h', '    uint32_t line;\n    uint32_t kind;\n', '    uint32_t kind;\n    uint32_t line;\n'),
    ],
    'the visible head of a task grows': [
        ('task.h', '    int32_t result;\n', '    int32_t result;\n    uint64_t more;\n'),
    ],
    'memory of a caller is asked for more of': [('limit.h', 'opaque[12]', 'opaque[13]')],
    'a variable has another width': [
        ('region.h', 'const volatile uint32_t pe_region_on', 'const volatile uint64_t pe_region_on'),
    ],
    'a constant has another value': [('job.h', '#define PE_TIMED_OUT 4', '#define PE_TIMED_OUT 9')],
    'a flag has another bit': [('pool.h', 'PE_POOL_GROUPS (UINT32_C(1) << 4)', 'PE_POOL_GROUPS (UINT32_C(1) << 6)')],
    'an error has another number': [('error.h', 'X(PE_EITEMS, -5005,', 'X(PE_EITEMS, -5105,')],
    'a constant is gone': [('log.h', '#define PE_LOG_INFO 3\n', '')],
    'a unit has another value': [('options.h', 'INT64_C(1000000))\n', 'INT64_C(1000001))\n')],
    'a function is added to a node that is out': [
        ('pool.h', 'PE_EXPORT int pe_pool_close', 'PE_EXPORT int pe_later(void);\nPE_EXPORT int pe_pool_close'),
        ('parexec.map', '    pe_pool_close;\n', '    pe_later;\n    pe_pool_close;\n'),
    ],
    'a function moves to another node': [
        ('parexec.map', '    pe_pool_close;\n', ''),
        ('parexec.map', None, NEW_NODE.replace('pe_later', 'pe_pool_close')),
    ],
}


def edit(tree, edits):
    for name, old, new in edits:
        path = tree / name if name == 'parexec.map' else tree / 'include' / 'parexec' / name
        text = path.read_text()
        if old is not None and text.count(old) != 1:
            raise ValueError(f'{name} has {text.count(old)} times {old!r}')
        path.write_text(text + new if old is None else text.replace(old, new))


def found(work, library, edits):
    """What the checks say to a change of the release, whose skeleton is `library`."""
    tree = work / 'tree'
    shutil.copytree(RELEASE, tree)
    edit(tree, edits)
    texts = [*baseline.broken_sources(RELEASE, tree / 'include')]
    texts += baseline.changed_nodes(RELEASE / 'parexec.map', tree / 'parexec.map', None)
    changed = baseline.skeleton(tree / 'include', tree / 'parexec.map', work / 'changed.so')
    texts.append(baseline.difference(library, changed, work))
    return '\n'.join(text for text in texts if text)


def change_case(library, name, edits, wanted):
    with tempfile.TemporaryDirectory() as work:
        try:
            text = found(pathlib.Path(work), library, edits)
        except (ValueError, subprocess.CalledProcessError) as error:
            return name, f'cannot be tried: {error}'
    return name, '' if bool(text) == wanted else text or 'nothing was said'


def freeze_in(root, version, *arguments):
    build = root / 'meson.build'
    build.write_text(f"project('parexec', 'c',\n  version: '{version}',\n")
    return subprocess.run([root / 'test/abi/freeze', *arguments], capture_output=True, text=True)


def copied_tree(root):
    shutil.copytree(baseline.HERE, root / 'test/abi', ignore=shutil.ignore_patterns('__pycache__'))
    for release in baseline.releases()[1:]:
        shutil.rmtree(root / 'test/abi' / release.name)
    for name in ('lib', 'doc/changes'):
        (root / name).mkdir(parents=True)
    shutil.copyfile(RELEASE / 'parexec.map', root / 'lib/parexec.map')
    shutil.copytree(RELEASE / 'include', root / 'include')


def freeze_cases():
    """(name, what is wrong or '')"""
    with tempfile.TemporaryDirectory() as work:
        root = pathlib.Path(work)
        copied_tree(root)
        fragment = root / 'doc/changes/change-abi.md'
        constant = root / 'test/abi' / NUMBER / 'include/parexec/job.h'
        before = constant.read_text()
        edit(root, BREAKING['a constant has another value'])
        run = freeze_in(root, f'{NUMBER}.0-rc1')
        yield 'freeze refuses what breaks programs', \
            '' if run.returncode == 1 and 'PE_TIMED_OUT was 4' in run.stdout and constant.read_text() == before \
            else run.stdout + run.stderr
        run = freeze_in(root, f'{NUMBER}.0', '--incompatible', 'Why not.')
        yield 'freeze refuses a release that is out, whatever the reason', \
            '' if run.returncode == 1 and constant.read_text() == before else run.stdout + run.stderr
        run = freeze_in(root, f'{NEXT}.0-rc1', '--incompatible', 'Why not.')
        yield 'freeze refuses a later release that breaks an earlier one', \
            '' if run.returncode == 1 and not (root / 'test/abi' / NEXT).exists() else run.stdout + run.stderr
        run = freeze_in(root, f'{NUMBER}.0-rc1', '--incompatible', 'Time runs out differently.')
        yield 'freeze takes a reason for a candidate, and writes it down', \
            '' if run.returncode == 0 and 'PE_TIMED_OUT 9' in constant.read_text() and \
            fragment.read_text().startswith('Changed: Time runs out differently.') else run.stdout + run.stderr
        run = freeze_in(root, f'{NEXT}.0-rc1')
        yield 'freeze makes a directory for a new release', \
            '' if run.returncode == 0 and (root / 'test/abi' / NEXT / 'parexec.map').exists() \
            else run.stdout + run.stderr


def main():
    if not shutil.which('abidiff') or not shutil.which('abidw'):
        print('1..0 # SKIP no abidiff here')
        return 0
    tried = [*((name, edits, False) for name, edits in HARMLESS.items()),
             *((name, edits, True) for name, edits in BREAKING.items())]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        library = baseline.skeleton(RELEASE / 'include', RELEASE / 'parexec.map', pathlib.Path(work, 'release.so'))
        results = list(threads.map(lambda case: change_case(library, *case), tried))
    results += freeze_cases()
    failed = 0
    for number, (name, wrong) in enumerate(results, 1):
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}')
        for line in wrong.splitlines():
            print(f'#   {line}')
    print(f'1..{len(results)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
