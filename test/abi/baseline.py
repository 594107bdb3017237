"""What the tests of the ABI and test/abi/freeze share: does a library still keep what a release has promised?

The baseline of a release X.Y is the directory test/abi/X.Y: its headers, without their comments, and its export map.
What abidiff compares with today's library is made from them on the spot, a library that declares everything and does
nothing, so the baseline is good for every compiler and machine."""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
from xml.etree import ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Constants that are to change with every release.
CHANGING = {'PE_VERSION_MAJOR', 'PE_VERSION_MINOR', 'PE_VERSION_PATCH', 'PE_VERSION_NUMBER'}

# Units that are macros with a parameter.
UNITS = ('PE_US(1)', 'PE_MS(1)', 'PE_SECONDS(1)')


def releases():
    """Directories of the releases that are served, oldest first."""
    found = [path for path in HERE.iterdir() if re.fullmatch(r'\d+\.\d+', path.name)]
    return sorted(found, key=lambda path: [int(number) for number in path.name.split('.')])


def project_version():
    """('1.0', whether it is still a candidate of that release)"""
    version = re.search(r"^  version: '([^']*)'", (ROOT / 'meson.build').read_text(), flags=re.MULTILINE).group(1)
    return '.'.join(version.split('-')[0].split('.')[:2]), '-' in version


def frozen(include):
    """name: text, of the headers as they are frozen."""
    return {str(header.relative_to(include)): without_comments(header.read_text()) for header in headers(include)}


def compiler():
    return shlex.split(os.environ.get('CC', 'cc')) + ['-D_GNU_SOURCE']


def without_comments(text):
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.DOTALL)
    lines = [line.rstrip() for line in text.splitlines()]
    return '\n'.join(line for line in lines if line) + '\n'


def headers(include):
    return sorted(pathlib.Path(include).rglob('*.h'))


def includes(include):
    return [f'#include <{header.relative_to(include)}>' for header in headers(include)]


def declarations(include):
    """Declarations behind PE_EXPORT, of functions without a body, each in one line."""
    for header in headers(include):
        text = re.sub(r'^[ \t]*#(?:.*\\\n)*.*$', ' ', without_comments(header.read_text()), flags=re.MULTILINE)
        for declaration in re.findall(r'\bPE_EXPORT\b([^;{]*);', text):
            yield re.sub(r' PE_FORMAT\(.*\)$', '', ' '.join(declaration.split()))


def skeleton(include, export_map, library, soname='libparexec.so.1'):
    """Makes a library with all that the headers declare, which does nothing."""
    lines = ['#define PE__REGION_SCOPE_END_IS_DEFINED_HERE', '#include <netdb.h>', *includes(include)]
    for declaration in declarations(include):
        body = ' { __builtin_trap(); }' if declaration.endswith(')') else ';'
        lines.append('PE_EXPORT ' + declaration.removeprefix('extern ') + body)
    source = pathlib.Path(library).with_suffix('.c')
    source.write_text('\n'.join(dict.fromkeys(lines)) + '\n')
    command = compiler() + ['-g', '-w', '-fPIC', '-shared', f'-I{include}', str(source), '-o', str(library),
                            f'-Wl,--version-script={export_map}', f'-Wl,-soname,{soname}']
    subprocess.run(command, check=True)
    return library


def constant_names(include):
    """Names of macros without parameters whose text is an expression."""
    source = '\n'.join(includes(include)) + '\n'
    command = compiler() + [f'-I{include}', '-E', '-dM', '-']
    macros = subprocess.run(command, input=source, check=True, capture_output=True, text=True).stdout
    for name, text in re.findall(r'^#define (PE_[A-Z]\w*) (\S.*)$', macros, flags=re.MULTILINE):
        if not name.endswith('_') and not re.match(r'[{"]|extern|__attribute__', text):
            yield name


@functools.lru_cache(maxsize=None)
def constants(include):
    """name: value, of the constants in the headers, errors among them."""
    lines = [*includes(include), '#include <stdio.h>', 'int main(void) {',
             '#define ROW(name, value, text) printf("%s %lld\\n", #name, (long long)(name));', 'PE_ERROR_LIST(ROW)']
    lines += [f'ROW({name}, , )' for name in [*sorted(constant_names(include)), *UNITS]]
    lines += ['return 0; }']
    with tempfile.TemporaryDirectory() as work:
        program = f'{work}/constants'
        subprocess.run(compiler() + [f'-I{include}', '-x', 'c', '-', '-o', program],
                       input='\n'.join(lines) + '\n', text=True, check=True)
        printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return dict(line.split() for line in printed.splitlines())


def changed_constants(before, after):
    """What a program that was compiled with the values `before` would get wrong."""
    return [f'{name} was {value} and is {after.get(name, "gone")}' for name, value in sorted(before.items())
            if name not in CHANGING and after.get(name) != value]


def described(library, xml):
    """What abidw tells of a library, as a tree."""
    options = ['--no-comp-dir-path', '--no-corpus-path', '--no-show-locs', '--exported-interfaces-only']
    subprocess.run(['abidw', *options, '--out-file', str(xml), str(library)], check=True)
    return ElementTree.parse(xml)


def sized(tree):
    """name: bits, of structs whose first member is their size."""
    found = {}
    for struct in tree.iter('class-decl'):
        first = struct.find('data-member/var-decl')
        if first is not None and first.get('name') == 'size' and struct.get('name').startswith('pe_'):
            found[struct.get('name')] = int(struct.get('size-in-bits'))
    return found


def cut(tree, bits):
    """Takes away what has been appended to sized structs: the one change of a type that no program notices, since it
    passes the size that it was compiled with (sized.c tries that for each of them)."""
    for struct in tree.iter('class-decl'):
        most = bits.get(struct.get('name'))
        if most is None or int(struct.get('size-in-bits', 0)) <= most:
            continue
        struct.set('size-in-bits', str(most))
        for member in struct.findall('data-member'):
            if int(member.get('layout-offset-in-bits')) >= most:
                struct.remove(member)


def difference(before, after, work):
    """What abidiff finds that breaks a program built for the library `before`; '' for nothing."""
    old, new = pathlib.Path(work, 'before.xml'), pathlib.Path(work, 'after.xml')
    today = described(after, new)
    cut(today, sized(described(before, old)))
    today.write(new)
    run = subprocess.run(['abidiff', '--no-added-syms', str(old), str(new)], capture_output=True, text=True)
    return run.stdout + run.stderr if run.returncode != 0 else ''


def conflicts(before, after):
    """What the compiler says to the declarations of `before` behind the headers `after`; '' for nothing. It also sees
    what changes no bit, such as a const."""
    text = [without_comments(header.read_text()) for header in headers(before)]
    callbacks = [line for part in text for line in re.findall(r'^typedef [^{;]*\([^;]*;', part, flags=re.MULTILINE)]
    lines = [*includes(after), *callbacks, *(f'{declaration};' for declaration in declarations(before))]
    run = subprocess.run(compiler() + [f'-I{after}', '-std=gnu11', '-fsyntax-only', '-x', 'c', '-'],
                         input='\n'.join(lines) + '\n', capture_output=True, text=True)
    return run.stderr if run.returncode != 0 else ''


def nodes(export_map):
    """name: the symbols, of the nodes of an export map."""
    found = re.findall(r'^(\w+\.[\d.]+) *\{([^}]*)\}', without_comments(pathlib.Path(export_map).read_text()),
                       flags=re.MULTILINE)
    return {name: set(re.findall(r'\b(pe_\w+);', symbols)) for name, symbols in found}


def changed_nodes(before, after, may_grow):
    """What an export map has done to the nodes of an earlier one; only the node of a release to come may grow."""
    today = nodes(after)
    for name, symbols in nodes(before).items():
        if name not in today:
            yield f'{name} is gone'
            continue
        yield from (f'{symbol} has left {name}' for symbol in sorted(symbols - today[name]))
        if name != may_grow:
            yield from (f'{symbol} was added to {name}' for symbol in sorted(today[name] - symbols))


def broken_sources(release, include):
    """What stands against a program that was written for a release: two texts, '' where all is well."""
    values = changed_constants(constants(release / 'include'), constants(include))
    return conflicts(release / 'include', include), '\n'.join(values)


def node_to_come():
    release, is_candidate = project_version()
    return f'PAREXEC_{release}' if is_candidate else None
