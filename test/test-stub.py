#!/usr/bin/env python3
"""test-stub.py INCLUDE_DIR MAP STUB.c: a library that is built without libuv has the same functions, and each says that
it is not there: PE_ENOSYS, NULL, "", but for what a worker may ask. Whatever the library here is built with, the stub
is compiled by itself. CC says by which compiler."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


OTHERS = {'pe_offload_cancelled': '7'}  # what pe_worker_cancelled gives here


def listed(path):
    """Names of the map behind its line on async.h."""
    return set(re.findall(r'\b(pe_\w+);', pathlib.Path(path).read_text().split('of async.h', 1)[1]))


def declarations(directory):
    """name: (what it returns, number of parameters), of all functions in the public headers."""
    found = {}
    for header in pathlib.Path(directory).rglob('*.h'):
        text = re.sub(r'/\*.*?\*/', ' ', header.read_text(), flags=re.DOTALL)
        for returns, name, parameters in re.findall(r'\bPE_EXPORT\b([^;()]*?)\b(pe_\w+)\(([^;]*)\);', text):
            parameters = re.sub(r'\([^()]*\)', '', re.sub(r'\([^()]*\)\s*\(', '(', parameters))
            count = 0 if parameters.strip() == 'void' else parameters.count(',') + 1
            found[name] = (' '.join(returns.split()), count)
    return found


def checks(names, declared):
    """C statements that call each function with zeros and compare what it gives."""
    lines = []
    for name in sorted(names & declared.keys()):
        returns, count = declared[name]
        call = f'{name}({", ".join("0" * count)})'
        if returns == 'void':
            lines.append(f'{call};')
        elif returns == 'const char *':
            lines.append(f'if (strcmp({call}, "") != 0) puts("{name}");')
        else:
            wanted = 'NULL' if returns.endswith('*') else OTHERS.get(name, 'PE_ENOSYS')
            lines.append(f'if ({call} != {wanted}) puts("{name}");')
    return lines


def built(work, include, stub, names, declared):
    """Names that the stub defines, and those that answer something else."""
    cc = shlex.split(os.environ.get('CC', 'cc')) + ['-D_GNU_SOURCE', '-I', include]
    program = pathlib.Path(work, 'program.c')
    program.write_text('#include <stdio.h>\n#include <string.h>\n#include <parexec.h>\n'
                       'int pe_worker_cancelled(void) { return 7; }\n'
                       'int main(void)\n{\n' + '\n'.join(checks(names, declared)) + '\nreturn 0;\n}\n')
    subprocess.run(cc + ['-c', stub, '-o', f'{work}/stub.o'], check=True)
    nm = subprocess.run(['nm', '--defined-only', f'{work}/stub.o'], check=True, capture_output=True, text=True).stdout
    defined = set(re.findall(r' [A-Z] (\w+)', nm))
    if names - defined:
        return defined, {'not all could be called'}
    subprocess.run(cc + [str(program), f'{work}/stub.o', '-o', f'{work}/program'], check=True)
    run = subprocess.run([f'{work}/program'], capture_output=True, text=True)
    return defined, set(run.stdout.split()) | ({f'it ended with {run.returncode}'} if run.returncode else set())


def main(include, map_path, stub):
    names, declared = listed(map_path), declarations(include)
    with tempfile.TemporaryDirectory() as work:
        defined, wrong = built(work, include, stub, names, declared)
    cases = [
        ('the map lists functions of async.h', set() if names else {'nothing'}),
        ('each of them is declared', names - declared.keys()),
        ('each has a stub', names - defined),
        ('nothing else has one', defined - names),
        ('each says that it is not there', wrong),
    ]
    failed = 0
    for number, (name, found) in enumerate(cases, 1):
        failed += bool(found)
        print(f'{"not ok" if found else "ok"} {number} - {name}')
        for item in sorted(found):
            print(f'#   {item}')
    print(f'1..{len(cases)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:4]))
