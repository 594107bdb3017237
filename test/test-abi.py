#!/usr/bin/env python3
"""test-abi.py LIBRARY.so: programs that were built for a release, each of those below test/abi, work with today's
headers and library. doc/abi/README.md tells what that means. TAP. CC says by which compiler."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'abi'))
import baseline

INCLUDE = baseline.ROOT / 'include'
MAP = baseline.ROOT / 'lib' / 'parexec.map'


def why_not_compared(library):
    """Why abidiff cannot look at the library; '' when it can."""
    if not shutil.which('abidiff') or not shutil.which('abidw'):
        return 'no abidiff here'
    sections = subprocess.run(['readelf', '-SW', library], check=True, capture_output=True, text=True).stdout
    return '' if '.debug_info' in sections else 'the library is built without debug information'


def functions(release, library, work):
    before = baseline.skeleton(release / 'include', release / 'parexec.map', work / 'before.so')
    return baseline.difference(before, library, work)


def untried():
    """Public functions with a sized struct that abi/sized.c does not call, and sized structs that it has not."""
    text = '\n'.join(baseline.frozen(INCLUDE).values())
    sized = re.findall(r'^typedef struct (pe_\w+) \{\n    size_t size;', text, flags=re.MULTILINE)
    takes_one = re.compile(r'\b(' + '|'.join(sized) + r') \*')
    called = (baseline.HERE / 'sized.c').read_text()
    names = sized + [re.search(r'\b(pe_\w+)\(', declaration).group(1)
                     for declaration in baseline.declarations(INCLUDE) if takes_one.search(declaration)]
    return '\n'.join(name for name in names if not re.search(rf'\b{name}\b', called))


def as_frozen():
    """How today's headers and map differ from what was frozen for their release; its number apart."""
    release = baseline.HERE / baseline.project_version()[0]

    def without_version(texts):
        return {name: [line for line in text.splitlines() if not line.startswith('#define PE_VERSION_')]
                for name, text in texts.items()}

    if not release.exists():
        return 'it is not frozen: run test/abi/freeze'
    before, after = (without_version(baseline.frozen(include)) for include in (release / 'include', INCLUDE))
    wrong = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    if (release / 'parexec.map').read_text() != MAP.read_text():
        wrong.append('parexec.map')
    return '\n'.join(wrong)


def cases(library, work):
    """(name, what is wrong or '', why it is skipped or '')"""
    unable = why_not_compared(library)
    for release in baseline.releases():
        name = release.name
        yield f'{name}: functions and types', '' if unable else functions(release, library, work), unable
        declared, values = baseline.broken_sources(release, INCLUDE)
        yield f'{name}: declarations', declared, ''
        yield f'{name}: values of constants', values, ''
        changed = baseline.changed_nodes(release / 'parexec.map', MAP, baseline.node_to_come())
        yield f'{name}: nodes of the export map', '\n'.join(changed), ''
    yield 'sized structs and calls with them that abi/sized.c does not try', untried(), ''
    release, is_candidate = baseline.project_version()
    yield f'{release} is as it was frozen', '' if is_candidate else as_frozen(), \
        f'{release} is still a candidate' if is_candidate else ''


def main(library):
    failed = number = 0
    with tempfile.TemporaryDirectory() as work:
        for number, (name, wrong, skipped) in enumerate(cases(library, pathlib.Path(work)), 1):
            failed += bool(wrong)
            print(f'{"not ok" if wrong else "ok"} {number} - {name}' + (f' # SKIP {skipped}' if skipped else ''))
            for line in wrong.splitlines():
                print(f'#   {line}')
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
