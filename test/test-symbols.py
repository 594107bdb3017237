#!/usr/bin/env python3
"""test-symbols.py INCLUDE_DIR MAP LIBRARY.so LIBRARY.a: what the headers declare, what the map lists and what
the library exports are the same names; the static library defines no name outside pe_."""

import pathlib
import re
import subprocess
import sys


def declared(directory):
    """Names behind PE_EXPORT in the public headers, with comments and macros taken away."""
    names = set()
    for header in sorted(pathlib.Path(directory).rglob('*.h')):
        text = re.sub(r'/\*.*?\*/', ' ', header.read_text(), flags=re.DOTALL)
        text = re.sub(r'^[ \t]*#(?:.*\\\n)*.*$', ' ', text, flags=re.MULTILINE)
        for declaration in re.findall(r'\bPE_EXPORT\b([^;]*);', text):
            names.add(re.search(r'\b(pe_\w+)\s*(?:\(|\[|$)', declaration.strip()).group(1))
    return names


def undeclared(directory):
    """Functions in the public headers that lack PE_EXPORT, by the look of a line."""
    declaration = re.compile(r'^(?!typedef|PE_EXPORT|#)[a-z][\w *]*\b(pe_\w+)\s*\(', re.MULTILINE)
    names = set()
    for header in sorted(pathlib.Path(directory).rglob('*.h')):
        text = re.sub(r'/\*.*?\*/', ' ', header.read_text(), flags=re.DOTALL)
        names.update(declaration.findall(text))
    return names


def listed(path):
    text = re.sub(r'/\*.*?\*/', ' ', pathlib.Path(path).read_text(), flags=re.DOTALL)
    names = set()
    for node in re.findall(r'\{(.*?)\}', text, flags=re.DOTALL):
        public = node.split('local:')[0].replace('global:', ' ')
        names.update(name.strip() for name in public.split(';') if name.strip())
    return names


def defined(path, *options):
    command = ['nm', '--defined-only', *options, path]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = set()
    for line in output.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] not in 'Aa' and parts[1].isupper():
            names.add(parts[2].split('@')[0])
    return names


def main(include, map_path, shared, static):
    in_headers, in_map, in_shared = declared(include), listed(map_path), defined(shared, '-D')
    foreign = {name for name in defined(static, '-g') if not name.startswith('pe_')}
    # what sanitizers and profilers add
    foreign = {name for name in foreign if not name.startswith(('__asan', '__odr_asan', '__ubsan', '__gcov'))}
    soname = subprocess.run(['readelf', '-d', shared], check=True, capture_output=True, text=True).stdout
    cases = [
        ('headers declare something', set() if in_headers else {'nothing'}),
        ('declared and not in the map', in_headers - in_map),
        ('in the map and not declared', in_map - in_headers),
        ('declared and not exported', in_headers - in_shared),
        ('exported and not declared', in_shared - in_headers),
        ('public functions without PE_EXPORT', undeclared(include)),
        ('wildcards in the map', {name for name in in_map if '*' in name}),
        ('names outside pe_ in the static library', foreign),
        ('soname other than libparexec.so.1', set() if '[libparexec.so.1]' in soname else {'SONAME'}),
    ]
    failed = 0
    for number, (name, wrong) in enumerate(cases, 1):
        verdict = 'not ok' if wrong else 'ok'
        failed += bool(wrong)
        print(f'{verdict} {number} - none: {name}')
        for item in sorted(wrong):
            print(f'#   {item}')
    print(f'1..{len(cases)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:5]))
