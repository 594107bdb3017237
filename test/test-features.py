#!/usr/bin/env python3
"""test-features.py: the page of features, doc/features/README.md, names every row once, and what it names exists: tests,
functions, constants and members of structs. TAP."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'doc' / 'features' / 'README.md'

ROWS = [f'P{number}' for number in range(1, 74)]
ROWS += [f'A{number}' for number in range(1, 37)]
ROWS += [f'I{number}' for number in range(1, 29)]
SCENARIOS = ('A01 A02 A03 A05 A06 A08 A09 A11 B01 B02 B05 B07 B09 B11 B12 C01 C02 C03 C05 C06 C08 D01 D02 D04 D05 D07 '
             'D09 E01 E02 E03 E04 E06 E08 E10 F01 F02 F04 F05 F07 F09 F10 F12 G01 G03 G04 G06 H01 H03 H04 H06 H07 I01 '
             'I02 I04 I05 I07 I09 I10 I12 I13 I15 I16 I18 J01 J02 J04 J06').split()

ROW = re.compile(r'^\| ([A-Z][0-9]+) \|(.*)\|$', re.MULTILINE)
TEST = re.compile(r'`(test-[a-z-]+): (\w+)`')


def wrong_part(part, wanted):
    found = [name for name, _ in ROW.findall(part)]
    wrong = [f'no row {name}' for name in wanted if name not in found]
    wrong += [f'{name} is not a row' for name in found if name not in wanted]
    wrong += [f'{name} is there twice' for name in sorted(set(found)) if found.count(name) > 1]
    return wrong + ([] if found == [name for name in wanted if name in found] else ['the rows are in no order'])


def wrong_rows(page):
    """Some rows are called as scenarios are: each part has names of its own."""
    rows, _, scenarios = page.partition('\n## Scenarios\n')
    return wrong_part(rows, ROWS) + wrong_part(scenarios, SCENARIOS)


def untested_rows(page):
    lines = [line for line in page.splitlines() if re.match(r'^\| (?!-|row|scenario|host)', line)]
    return [line for line in lines if not TEST.search(line.rpartition(' | ')[2])]


def cases_of(program):
    source, script, shell = (ROOT / 'test' / f'{program}.{suffix}' for suffix in ('c', 'py', 'sh'))
    if source.exists():
        return set(re.findall(r'^PE_TEST\w*\((\w+)', source.read_text(), re.MULTILINE))
    if shell.exists():
        return set(re.findall(r'^(\w+)\(\)', shell.read_text(), re.MULTILINE))
    found = re.findall(r"^def (\w+)|'(\w+)'", script.read_text(), re.MULTILINE) if script.exists() else []
    return {function or text for function, text in found}


def unknown_tests(page):
    registered = (ROOT / 'test' / 'meson.build').read_text()
    wrong = []
    for program, case in sorted(set(TEST.findall(page))):
        if case not in cases_of(program):
            wrong.append(f'test/{program} has no {case}')
        if f"'{program.removeprefix('test-')}': " not in registered and not any(
                f"'{program}.{suffix}'" in registered for suffix in ('py', 'sh')):
            wrong.append(f'{program} is not run')
    return wrong


def unknown_functions(page):
    exported = set(re.findall(r'^    (\w+);', (ROOT / 'lib' / 'parexec.map').read_text(), re.MULTILINE))
    return [f'no function {name}' for name in sorted(set(re.findall(r'`(\w+)\(\)`', page)) - exported)]


def unknown_names(page):
    headers = '\n'.join(path.read_text() for path in (ROOT / 'include').rglob('*.h'))
    wrong = [f'no {name}' for name in sorted(set(re.findall(r'\bPE_[A-Z_]+', page)))
             if not re.search(rf'\b{name}\b', headers)]
    for struct, member in sorted(set(re.findall(r'`(pe_\w+)\.(\w+)`', page))):
        body = re.search(rf'typedef struct {struct} \{{(.*?)\n\}} {struct};', headers, re.DOTALL)
        if not body or not re.search(rf'\b{member}\b[^;]*;', re.sub(r'/\*.*?\*/', '', body.group(1), flags=re.DOTALL)):
            wrong.append(f'{struct} has no {member}')
    return wrong


CHECKS = [
    ('every row and every scenario is there once, in order', wrong_rows),
    ('every row names a test', untested_rows),
    ('every test that is named exists', unknown_tests),
    ('every function that is named is exported', unknown_functions),
    ('every constant and member that is named is in a header', unknown_names),
]

# What each check has to notice: what is replaced in the page, by what.
SPOILT = [
    ('| P2 | ', '| P1 | '),
    ('`test-map: a11_worker_indices_are_reused` |', '- |'),
    ('`test-map: a11_worker_indices_are_reused`', '`test-map: a11_worker_indices_are_used`'),
    ('`pe_pool_fd()`', '`pe_pool_descriptor()`'),
    ('`pe_map_options.retries`', '`pe_map_options.attempts`'),
]


def notices(check, page, old, new):
    assert old in page, f'the page has no {old}'
    return [] if check(page.replace(old, new, 1)) else [f'{old} -> {new}']


def main():
    page = PAGE.read_text()
    results = [(name, check(page)) for name, check in CHECKS]
    results += [(f'noticed: not {name}', notices(check, page, *spoilt))
                for (name, check), spoilt in zip(CHECKS, SPOILT)]
    for number, (name, wrong) in enumerate(results, 1):
        print(f'{"ok" if not wrong else "not ok"} {number} - {name}')
        for line in wrong:
            print(f'#   {line}')
    print(f'1..{len(results)}')
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == '__main__':
    sys.exit(main())
