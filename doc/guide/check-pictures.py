#!/usr/bin/env python3
"""check-pictures.py [--draw]: the guide's pictures are those of their sources, and what they say of states is true.

NAME.svg is made of NAME.dot by graphviz and by the style below, which suits light and dark pages. The drawing itself is not
compared, for each version of graphviz has other curves, but all words and arrows are. States and who moves a record from one
to the next are those of lib/shared/record.h. --draw makes the pictures."""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE.parents[1] / 'lib' / 'shared' / 'record.h'
NAMES = ('processes', 'states')
STYLE = """<style>
svg { --paper: #fff; --ink: #1f2328; --box: #eef2f7; --end: #e3f0e3; --host: #0550ae; --worker: #116329; --keeper: #a3410a; }
@media (prefers-color-scheme: dark) {
svg { --paper: #0d1117; --ink: #e6edf3; --box: #1c2430; --end: #17301d; --host: #79b8ff; --worker: #6fdd8b; --keeper: #ffa657; }
}
.graph > polygon { fill: var(--paper); }
text { fill: var(--ink); font-family: sans-serif; }
.node path { fill: var(--box); stroke: var(--ink); }
.node.final path { fill: var(--end); }
.edge path { stroke: var(--ink); }
.edge polygon { stroke: var(--ink); fill: var(--ink); }
.edge.host path, .edge.data path { stroke: var(--host); }
.edge.host polygon, .edge.data polygon { stroke: var(--host); fill: var(--host); }
.edge.worker path, .edge.socket path { stroke: var(--worker); }
.edge.worker polygon, .edge.socket polygon { stroke: var(--worker); fill: var(--worker); }
.edge.keeper path, .edge.fork path { stroke: var(--keeper); stroke-dasharray: 5 3; }
.edge.keeper polygon, .edge.fork polygon { stroke: var(--keeper); fill: var(--keeper); }
.node.host text, .node.data text { fill: var(--host); }
.node.worker text, .node.socket text { fill: var(--worker); }
.node.keeper text, .node.fork text { fill: var(--keeper); }
</style>
"""


def draw(name):
    svg = subprocess.run(['neato', '-n', '-Tsvg', HERE / f'{name}.dot'], check=True, capture_output=True, text=True).stdout
    svg = re.sub(r'<!--.*?-->\n|<\?xml.*?\?>\n|<!DOCTYPE.*?>\n', '', svg, flags=re.DOTALL)
    svg = re.sub(r' (fill|stroke)="(white|black|transparent|none)"',
                 lambda found: found[0] if found[2] == 'none' else '', svg)
    svg = svg.replace('<g id="graph0"', STYLE + '<g id="graph0"', 1)
    (HERE / f'{name}.svg').write_text(svg)


def arrows_of(dot):
    return re.findall(r'^ *(\w+) -> (\w+) \[.*?class=(\w+)', dot, re.MULTILINE)


def words_of(dot):
    """What a picture shows: labels, and names of nodes without one."""
    words = set()
    for name, attributes in re.findall(r'^ {4}(\w+) \[(.*?)\]$', dot, re.MULTILINE | re.DOTALL):
        if name in ('graph', 'node', 'edge'):
            continue
        label = re.search(r'label="(.*?)"', attributes)
        words |= set(filter(None, re.split(r'\\[nl]', label[1] if label else name)))
    return words


def words_drawn(svg):
    return {re.sub('&#45;', '-', text).replace('&gt;', '>').replace('&#39;', "'")
            for text in re.findall(r'<text[^>]*>(.*?)</text>', svg)} - {'\u00a0', ' '}


def differences(name):
    dot, svg = (HERE / f'{name}.dot').read_text(), (HERE / f'{name}.svg').read_text()
    yield from (f'{name}.svg and {name}.dot differ in "{word}"' for word in words_of(dot) ^ words_drawn(svg))
    drawn = [title.replace('&#45;', '-').replace('&gt;', '>') for title in re.findall(r'<title>(.*?)</title>', svg)]
    wanted = {f'{one}->{other}' for one, other, _ in arrows_of(dot)}
    yield from (f'{name}.svg and {name}.dot differ in {arrow}' for arrow in wanted ^ {t for t in drawn if '->' in t})
    if STYLE not in svg:
        yield f'{name}.svg has another style'


def untrue_states():
    header = RECORD.read_text()
    states = set(re.findall(r'^    PE__RECORD_(\w+) = \d+,$', header, re.MULTILINE))
    moves = set()
    for one, others, who in re.findall(r'^ \*     ([A-Z_]+)(?:\(\w+\))? -> (.*?) {2,}(\w+)', header, re.MULTILINE):
        moves |= {(one, re.sub(r'\(.*\)', '', other.strip()), who) for other in others.split('|')}
    dot = (HERE / 'states.dot').read_text()
    shown = set(arrows_of(dot))
    yield from (f'record.h and states.dot differ in {move}' for move in moves ^ shown)
    in_picture = {state for move in shown for state in move[:2]}
    yield from (f'record.h and states.dot differ in {state}' for state in states ^ in_picture)
    if ('any final phase -> QUEUED' in header) != ('any final state -> QUEUED' in dot):
        yield 'record.h and states.dot differ in what follows a final state'


def main():
    if sys.argv[1:] == ['--draw']:
        for name in NAMES:
            draw(name)
    cases = [(f'{name}.svg is drawn from {name}.dot', list(differences(name))) for name in NAMES]
    cases.append(('states and moves are those of record.h', list(untrue_states())))
    for number, (what, wrong) in enumerate(cases, 1):
        print('not ok' if wrong else 'ok', number, '-', what)
        print(''.join(f'#   {line}\n' for line in wrong), end='')
    print(f'1..{len(cases)}')
    return any(wrong for _, wrong in cases)


if __name__ == '__main__':
    sys.exit(main())
