#!/usr/bin/env python3
"""test-model.py [--table]: the page of the models, test/model/README.md, tells of the code as it is. Each row of its
tables names a part of a model, the function that it stands for, and what that function does that others see, in
order; a function that does something else now is a reason to look at the model again. --table prints the rows as
they should be. TAP."""

import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'test' / 'model' / 'README.md'
STEPS = ROOT / 'lib' / 'base' / 'step.h'

# | `part` | `function` in lib/room/file.c | operations |
ROW = re.compile(r'^\| `(\w+)` \| `(\w+)` in (\S+) \| (.*?) \|$')
LEFT_OUT = re.compile(r'^\| ((?:`[A-Z_]+`(?:, )?)+) \| (\S.*?) \|$')
HEADING = re.compile(r'^### (\w+\.pml)$')
ATOMIC = {'load': 'load', 'store': 'store', 'exchange': 'exchange', 'compare': 'swap', 'fetch': 'change'}

EVENTS = {'call_item', 'fn', 'fork', 'pause', 'due_of', 'pe__limit_ask', 'pe__bell_ring_worker', 'pe__bell_ring_host',
          'pe__bell_ring_keeper', 'pe__bell_sleep', 'signal_worker', 'sleep_on_descriptors', 'wake_in_group'}


def without_comments(text):
    return re.sub(r'/\*.*?\*/', lambda match: '\n' * match.group(0).count('\n'), text, flags=re.DOTALL)


def function_body(text, name):
    """From its name to the brace in the first column; '': it is not defined here."""
    found = re.search(rf'^\w[^;{{}}#=]*\b{name}\([^;{{}}]*\)\s*\n\{{\n(.*?)^\}}', without_comments(text),
                      re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ''


def part_body(text, name):
    """Of an inline or a proctype of a model."""
    found = re.search(rf'^(?:inline|active.* proctype) {name}\([^)]*\)\n\{{\n(.*?)^\}}', without_comments(text),
                      re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ''


def target_of(expression):
    """The name of the word that is touched: the last one that is not an index."""
    names = re.findall(r'\w+', re.sub(r'\[[^\]]*(\]|$)', '', expression))
    return names[-1] if names else '?'


def operations(body, functions):
    """What a function does that others see, in order: its steps, atomic operations, plain writes to a record or a
    detail, calls of the job's function, of functions that ring, sleep or signal, and of those in the tables."""
    pattern = re.compile(r'PE__STEP\((?P<step>\w+)\)'
                         r'|\batomic_(?P<kind>load|store|exchange|compare|fetch)\w*\((?P<word>(?:[^,()]|\([^()]*\))+)'
                         r'|\b(?P<record>pe__record_)?swap\((?P<swapped>[^,]+)'
                         r'|\b(?:record|detail)->(?P<field>\w+) = '
                         r'|\b(?P<call>' + '|'.join(sorted(functions | EVENTS)) + r')\(')
    found = []
    for match in pattern.finditer(body):
        if match['step']:
            found.append(f'`{match["step"]}`')
        elif match['kind']:
            found.append(f'{ATOMIC[match["kind"]]} {target_of(match["word"])}')
        elif match['swapped']:
            found.append(f'swap {"word" if match["record"] else target_of(match["swapped"])}')
        elif match['field']:
            found.append(f'write {match["field"]}')
        else:
            found.append(f'{match["call"]}()')
    return found


class Page:
    """The tables of the page."""

    def __init__(self, text):
        self.rows = []  # (model, part, function, file, operations)
        self.left_out = {}
        model = None
        for line in text.splitlines():
            heading, row, left_out = HEADING.match(line), ROW.match(line), LEFT_OUT.match(line)
            if heading:
                model = heading.group(1)
            elif row:
                self.rows.append((model, *row.groups()))
            elif left_out:
                for step in re.findall(r'[A-Z_]+', left_out.group(1)):
                    self.left_out[step] = left_out.group(2)
        self.functions = {row[2] for row in self.rows}


def read(root, path):
    file = root / path
    return file.read_text() if file.is_file() else ''


def told(root, page, row):
    _, _, function, path, _ = row
    return ', '.join(operations(function_body(read(root, path), function), page.functions)) or 'nothing'


def lost_functions(root, page):
    return [f'{path} defines no {function}()' for _, _, function, path, _ in page.rows
            if not function_body(read(root, path), function)]


def lost_parts(root, page):
    return [f'{model} has no {part}' for model, part, *_ in page.rows
            if not part_body(read(root, f'test/model/{model}'), part)]


def changed_functions(root, page):
    return [f'{row[2]}() in {row[3]}:\n  the page: {row[4]}\n  the code: {told(root, page, row)}' for row in page.rows
            if row[4] != told(root, page, row)]


def steps_in(text):
    return re.findall(r'\bSTEP\((\w+)\)', text)


def models(root):
    return {path.name: without_comments(path.read_text()) for path in sorted((root / 'test' / 'model').glob('*.pml'))
            if path.name != 'step.pml'}


def is_in_order(part, whole):
    rest = iter(whole)
    return all(step in rest for step in part)


def disordered_parts(root, page):
    """A part passes the steps that it has in the order in which the functions do that it stands for."""
    wrong = []
    for model, part in sorted({row[:2] for row in page.rows}):
        code = []
        for row in page.rows:
            if row[:2] == (model, part):
                code += re.findall(r'PE__STEP\((\w+)\)', function_body(read(root, row[3]), row[2]))
        own = steps_in(part_body(read(root, f'test/model/{model}'), part))
        if not is_in_order(own, code):
            wrong.append(f'{model}: {part} passes {own}, the code {code}')
    return wrong


def forgotten_steps(root, page):
    listed = re.search(r'#define PE__STEP_LIST\(X\)(.*?)[^\\]\n', read(root, 'lib/base/step.h'), re.DOTALL)
    code = set(re.findall(r'X\((\w+)\)', listed.group(0))) - {'X'} if listed else set()
    modelled = {step for text in models(root).values() for step in steps_in(text)} - {'name'}
    known = modelled | set(page.left_out)
    wrong = [f'{step} is in no model and not left out with a reason' for step in sorted(code - known)]
    wrong += [f'{step} is not a step of the code' for step in sorted(known - code)]
    wrong += [f'{step} is said to be left out, but is in a model' for step in sorted(modelled & set(page.left_out))]
    return wrong if code else ['step.h lists no steps']


def unmapped_parts(root, page):
    """Parts with a place to die at stand for something."""
    wrong = []
    for model, text in models(root).items():
        mapped = {row[1] for row in page.rows if row[0] == model}
        for part in re.findall(r'^inline (\w+)\(', text, re.MULTILINE):
            if steps_in(part_body(text, part)) and part not in mapped:
                wrong.append(f'{model}: {part} stands for no function')
    return wrong


CHECKS = [
    ('every function of the tables is in its file', lost_functions),
    ('every part of the tables is in its model', lost_parts),
    ('every part that passes steps stands for a function', unmapped_parts),
    ('every function does what the page says', changed_functions),
    ('every part passes its steps in the order of the code', disordered_parts),
    ('every step is in a model, or left out with a reason', forgotten_steps),
]

# What each check has to notice: a file, what is replaced in it, by what.
SPOILT = [
    ('lib/worker/serve.c', 'void complete(', 'void finish('),
    ('test/model/jobs.pml', 'inline complete(', 'inline finish('),
    ('test/model/README.md', '| `complete` | `complete` in lib/worker/serve.c |', '| a | b |'),
    ('lib/worker/idle.c', 'PE__STEP(BELL_SEEN);', ''),
    ('test/model/lanes.pml', 'STEP(UNNAMED)', 'STEP(PUBLISHED)'),
    ('lib/base/step.h', 'X(LEFT)', 'X(LEFT) X(GONE)'),
]


def copy_spoilt(target, path, old, new):
    """Of all that is looked at, with one change."""
    for source in [*(ROOT / 'lib').rglob('*.[ch]'), *(ROOT / 'test' / 'model').glob('*.*')]:
        name = source.relative_to(ROOT)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(source.read_text())
    text = (target / path).read_text()
    assert old in text, f'{path} has no {old}'
    (target / path).write_text(text.replace(old, new))


def notices(check, spoilt):
    with tempfile.TemporaryDirectory(prefix='parexec-model-') as directory:
        copy_spoilt(pathlib.Path(directory), *spoilt)
        page = Page(read(pathlib.Path(directory), 'test/model/README.md'))
        return [] if check(pathlib.Path(directory), page) else [f'{spoilt[1]} -> {spoilt[2]} in {spoilt[0]}']


def print_table(page):
    model = None
    for row in page.rows:
        if row[0] != model:
            model = row[0]
            print(f'\n### {model}')
        print(f'| `{row[1]}` | `{row[2]}` in {row[3]} | {told(ROOT, page, row)} |')


def main(arguments):
    page = Page(PAGE.read_text())
    if arguments == ['--table']:
        print_table(page)
        return 0
    results = [(name, check(ROOT, page)) for name, check in CHECKS]
    results += [(f'noticed: not {name}', notices(check, spoilt)) for (name, check), spoilt in zip(CHECKS, SPOILT)]
    for number, (name, wrong) in enumerate(results, 1):
        print(f'{"ok" if not wrong else "not ok"} {number} - {name}')
        for line in '\n'.join(wrong).splitlines():
            print(f'#   {line}')
    print(f'1..{len(results)}')
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
