#!/usr/bin/env python3
"""test-formats.py PROGRAM: JSON and CSV as readers of others read them. The program writes the same profile in each format,
and plainly; the numbers must be the same. TAP."""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ODD_NAME = 'odd: "quotes", commas;\nlines and grüß, bytes �\x01'
NUMBERS = ['calls', 'timed', 'unfinished', 'total_ns', 'own_ns', 'least_ns', 'most_ns']


def written(program, form):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([program, form], check=True, capture_output=True, env={**os.environ, 'REPORT_FILE': file.name})
        return pathlib.Path(file.name).read_bytes()


def plain_rows(program):
    """Pool, thread, name, recursive, the NUMBERS, open_ns, sum. The odd name has line ends, so fields are counted."""
    fields = written(program, 'plain').decode(errors='replace').replace(ODD_NAME, 'ODD').split('\n')
    return [line.split('\t') for line in fields if line]


def rows_of_json(report):
    rows = []
    for node in report['nodes']:
        thread = report['threads'][node['thread']]
        label = report['labels'][node['label']]
        name = 'ODD' if label['name'] == ODD_NAME else label['name']
        rows.append([str(value) for value in
                     [report['processes'][thread['process']]['pool'], thread['name'], name, int(node['recursive'])] +
                     [node[number] for number in NUMBERS] + [node['open_ns'], node['sum']]])
    return rows


def check_json(program):
    report = json.loads(written(program, 'json').decode('utf-8'))
    assert report['parexec_report'] == 1
    assert rows_of_json(report) == plain_rows(program), 'other numbers'
    for number, node in enumerate(report['nodes']):
        assert node['parent'] is None or node['parent'] < number, 'a parent is behind its child'
        assert sum(count for _, count in node.get('buckets', [])) == node['timed'], 'buckets do not add up'
    assert {label['kind'] for label in report['labels']} >= {'region', 'line', 'counter', 'mark', 'root'}


def check_csv(program):
    text = written(program, 'csv').decode('utf-8')
    assert text.count('\r\n') == len(plain_rows(program)) - plain_roots(program) + 1, 'rows do not end as RFC 4180 has it'
    rows = list(csv.DictReader(io.StringIO(text, newline=''), strict=True))
    wanted = [row for row in plain_rows(program) if not is_root(row)]
    found = [['ODD' if row['name'] == ODD_NAME else row['name'], row['thread_name'], row['recursive']] +
             [row[number] for number in NUMBERS] + [row['sum']] for row in rows]
    assert found == [[row[2], row[1], row[3]] + row[4:11] + [row[12]] for row in wanted], 'other numbers'
    assert all(row['path'].split(';')[-1] == row['name'] for row in rows
               if row['kind'] != 'line' and row['name'] != ODD_NAME)
    assert [row['path'] for row in rows if row['name'] == 'relax'] == ['solve;relax']
    assert {row['process'] for row in rows} == {'host', 'pool 1 worker 0', 'pool 1 worker 1'}


def is_root(row):
    return row[2] == '' and row[4] == '0'


def plain_roots(program):
    return sum(is_root(row) for row in plain_rows(program))


def main():
    cases = [('JSON holds the numbers of the profile', check_json), ('CSV holds the numbers of the profile', check_csv)]
    failed = 0
    for number, (name, check) in enumerate(cases, 1):
        try:
            check(sys.argv[1])
            print(f'ok {number} - {name}')
        except (AssertionError, ValueError, csv.Error, subprocess.CalledProcessError) as error:
            failed += 1
            print(f'not ok {number} - {name}\n#   {error!r}')
    print(f'1..{len(cases)}')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
