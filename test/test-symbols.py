#!/usr/bin/env python3
"""test-symbols.py INCLUDE_DIR MAP LIBRARY.so LIBRARY.a: what the headers declare, what the map lists and what
the library exports are the same names; the static library defines no name outside pe_. Then what distributors look
at: what the shared library needs, how it is linked, its variables and its memory of threads (doc/abi/README.md)."""

import pathlib
import re
import shutil
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


# Exported variables, and their bytes.
VARIABLES = {'pe_region_on': 4}

# What may be there or not: OpenMP's, which inner threads are set by, and what the compiler's start files name.
WEAK = {'omp_set_num_threads', '__gmon_start__', '_ITM_deregisterTMCloneTable', '_ITM_registerTMCloneTable',
        '__cxa_finalize'}

# libuv if tasks are built in, and the C library in all its parts; the loader, which is one of them, has many names.
NEEDED = re.compile(r'libuv\.so\.1|lib(c|m|pthread|dl|rt)\.so\.\d+|libc\.so|libc\.musl-\w+\.so\.1|ld-linux[\w.-]*|'
                    r'ld64[\w.]*')

# glibc has 512 bytes for the threads' memory, of the kind that is found by one addition, of all libraries that are
# loaded by dlopen. Ours is a guest there.
TLS_BYTES_MAX = 128


def read(*arguments):
    return subprocess.run(['readelf', '-W', *arguments], check=True, capture_output=True, text=True).stdout


def nodes(path):
    """symbol: the node of the map that has it."""
    text = re.sub(r'/\*.*?\*/', ' ', pathlib.Path(path).read_text(), flags=re.DOTALL)
    return {symbol: node for node, symbols in re.findall(r'(\w+\.[\d.]+)\s*\{(.*?)\}', text, flags=re.DOTALL)
            for symbol in re.findall(r'\b(pe_\w+);', symbols)}


def dynamic_symbols(library):
    """(name, version or '', type, binding, bytes, whether it is defined)"""
    row = re.compile(r'^ *\d+: [0-9a-f]+ +(\w+) (\w+) +(\w+) +\w+ +(\w+) (\S+)', re.MULTILINE)
    for size, kind, binding, section, name in row.findall(read('--dyn-syms', library)):
        symbol, _, version = name.partition('@')
        yield symbol, version.lstrip('@'), kind, binding, int(size, 0), section != 'UND'


def in_other_nodes(library, map_path):
    wanted = nodes(map_path)
    return {f'{name}@{version}' for name, version, kind, _, _, is_defined in dynamic_symbols(library)
            if is_defined and name in wanted and version != wanted[name]}


def wrong_variables(library):
    found = {name: size for name, _, kind, _, size, is_defined in dynamic_symbols(library)
             if is_defined and kind in ('OBJECT', 'TLS') and name.startswith('pe_')}
    return {f'{name}: {size} bytes' for name, size in found.items() ^ VARIABLES.items()}


def wrong_weak(library):
    found = {name for name, _, _, binding, _, is_defined in dynamic_symbols(library)
             if not is_defined and binding == 'WEAK'}
    return (found - WEAK) | ({'omp_set_num_threads'} - found)


def wrong_needs(dynamic, library):
    needed = set(re.findall(r'\(NEEDED\).*\[(.*)\]', dynamic))
    calls_libuv = any(name.startswith('uv_') for name, *_ in dynamic_symbols(library))
    wrong = {name for name in needed if not NEEDED.fullmatch(name)}
    return wrong | ({'libuv.so.1'} if calls_libuv != ('libuv.so.1' in needed) else set())


def wrong_segments(library):
    """A stack that runs code, memory both written and run, no RELRO."""
    rows = re.findall(r'^  (\w+) +(?:0x[0-9a-f]+ ){5}([R ][W ][E ]) ', read('-l', library), flags=re.MULTILINE)
    wrong = {f'{kind} {flags}' for kind, flags in rows if 'W' in flags and 'E' in flags}
    return wrong | ({'GNU_STACK', 'GNU_RELRO'} - {kind for kind, _ in rows})


def wrong_tags(dynamic):
    """Relocations in code, paths of the build, and symbols that are looked for later. Meson takes away the path to a
    libuv that was built beside the library when it installs."""
    wrong = {'TEXTREL'} if 'TEXTREL' in dynamic else set()
    paths = re.findall(r'\((?:RPATH|RUNPATH)\).*\[(.*)\]', dynamic)
    wrong |= {path for path in paths if not path.startswith('$ORIGIN/../subprojects/')}
    return wrong | (set() if 'BIND_NOW' in dynamic or re.search(r'Flags:.*\bNOW\b', dynamic) else {'not NOW'})


def wrong_tls(dynamic, library):
    """The memory of threads: small enough for dlopen, as long as it is static."""
    sizes = re.findall(r'^  TLS +0x\w+ 0x\w+ 0x\w+ 0x\w+ (0x\w+)', read('-l', library), flags=re.MULTILINE)
    is_static = 'STATIC_TLS' in dynamic
    return {f'{int(size, 0)} bytes of static TLS' for size in sizes if is_static and int(size, 0) > TLS_BYTES_MAX}


def is_instrumented(library):
    symbols = subprocess.run(['nm', library], check=True, capture_output=True, text=True).stdout
    return re.search(r' __(asan|ubsan|tsan|gcov|llvm_prof)', symbols) is not None


def distributors_cases(shared, map_path):
    """(name, what is wrong) of a library as it is shipped."""
    dynamic = read('-d', shared)
    return [
        ('soname other than libparexec.so.1', set() if '[libparexec.so.1]' in dynamic else {'SONAME'}),
        ('exported in another node than the map says', in_other_nodes(shared, map_path)),
        ('exported variables that are not documented, or of another size', wrong_variables(shared)),
        ('needed libraries that are not expected', wrong_needs(dynamic, shared)),
        ('weak symbols that are not expected', wrong_weak(shared)),
        ('segments that run and are written, no RELRO', wrong_segments(shared)),
        ('relocations in code, paths, late binding', wrong_tags(dynamic)),
        ('more static memory of threads than dlopen has room for', wrong_tls(dynamic, shared)),
    ]


def main(include, map_path, shared, static):
    in_headers, in_map, in_shared = declared(include), listed(map_path), defined(shared, '-D')
    foreign = {name for name in defined(static, '-g') if not name.startswith('pe_')}
    # what sanitizers and profilers add
    foreign = {name for name in foreign if not name.startswith(('__asan', '__odr_asan', '__ubsan', '__gcov'))}
    unable = 'no readelf here' if not shutil.which('readelf') else \
        'a sanitizer or coverage adds to the library' if is_instrumented(shared) else ''
    cases = [
        ('headers declare something', set() if in_headers else {'nothing'}),
        ('declared and not in the map', in_headers - in_map),
        ('in the map and not declared', in_map - in_headers),
        ('declared and not exported', in_headers - in_shared),
        ('exported and not declared', in_shared - in_headers),
        ('public functions without PE_EXPORT', undeclared(include)),
        ('wildcards in the map', {name for name in in_map if '*' in name}),
        ('names outside pe_ in the static library', foreign),
    ]
    cases += [('what distributors look at', set())] if unable else distributors_cases(shared, map_path)
    failed = 0
    for number, (name, wrong) in enumerate(cases, 1):
        verdict = 'not ok' if wrong else 'ok'
        failed += bool(wrong)
        skipped = f' # SKIP {unable}' if unable and number == len(cases) else ''
        print(f'{verdict} {number} - none: {name}{skipped}')
        for item in sorted(wrong):
            print(f'#   {item}')
    print(f'1..{len(cases)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:5]))
