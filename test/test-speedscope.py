#!/usr/bin/env python3
"""test-speedscope.py WRITE_REPORT: speedscope itself reads made-up profiles, in headless Chromium. TAP.

In the long mode only, for it takes speedscope's release from the npm registry, unless SPEEDSCOPE names a directory
with one (its index.html). What speedscope complains of while it reads, how many threads it finds, and what it takes for
total and own time of each name in the first of them are compared with what was written."""

import base64
import html
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PACKAGE = 'speedscope@1.25.0'
SECONDS = 120
FLAGS = ['--headless', '--no-first-run', '--disable-background-networking', '--disable-component-update',
         '--disable-sync', '--disable-quic', '--enable-unsafe-swiftshader', '--allow-file-access-from-files',
         '--enable-logging=stderr', '--virtual-time-budget=20000', '--dump-dom']

# Case, format, what the title says, and {name: (total, own)}; times as speedscope writes them.
READ = [
    ('example', 'trace', 'host: example (pid 100), main (tid 100) (1/4)',
     {'solve': ('1.00ms', '370.00µs'), 'relax': ('600.00µs', '0.00ns'), 'grid.c:41': ('400.00µs', '400.00µs'),
      'grid.c:42': ('200.00µs', '200.00µs'), 'pe.submit': ('30.00µs', '30.00µs')}),
    ('example', 'folded', '',
     {'host': ('1,200,000', '0'), 'main': ('1,000,000', '0'), 'io': ('200,000', '0'), 'solve': ('1,000,000', '370,000'),
      'write': ('200,000', '200,000'), 'relax': ('600,000', '0'), 'grid.c:41': ('400,000', '400,000'),
      'grid.c:42': ('200,000', '200,000'), 'pe.submit': ('30,000', '30,000'), 'pool 1 worker 0': ('400,000', '0'),
      'pool 1 worker 1': ('200,000', '0'), 'pe.run': ('600,000', '150,000'), 'item': ('450,000', '450,000')}),
    ('numbers', 'trace', 'host: example (pid 100), twin (tid 100) (1/12)', {'work': ('1.00µs', '1.00µs')}),
    ('waits', 'trace', 'host: example (pid 100), main (tid 100)', {'pe.run': ('60.00µs', '60.00µs')}),
    ('jitter', 'trace', 'host: example (pid 100), main (tid 100)',
     {'i': ('5.00µs', '5.00µs'), 'f': ('1.00ns', '1.00ns')}),
    ('names', 'trace', '(pid 100), main (tid 100)',
     {name: ('1.00µs', '1.00µs') for name in ('a;b', 'quote"d', '<b>&amp;', '\U0001f384', '%s%n', '</script>')}),
    ('names', 'folded', '', {name: ('1,000', '1,000') for name in ('a:b', 'two lines', 'ends in 12', '{"a":1}')}),
]


def find_release(directory):
    """A directory with index.html, or why there is none."""
    if 'SPEEDSCOPE' in os.environ:
        return pathlib.Path(os.environ['SPEEDSCOPE']), None
    if 'PAREXEC_TEST_LONG' not in os.environ:
        return None, 'in the long mode only'
    if not shutil.which('npm'):
        return None, 'no npm'
    done = subprocess.run(['npm', 'pack', PACKAGE], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, f'npm has no {PACKAGE}'
    archive = done.stdout.strip().splitlines()[-1]
    subprocess.run(['tar', 'xzf', archive], cwd=directory, check=True)
    return pathlib.Path(directory) / 'package' / 'dist' / 'release', None


def show(browser, release, directory, report):
    """What the page says, as text, and what was logged meanwhile."""
    load = pathlib.Path(directory) / 'load.js'
    load.write_text(f'speedscope.loadFileFromBase64("report", "{base64.b64encode(report).decode()}")')
    page = (release / 'index.html').as_uri() + f'#view=sandwich&localProfilePath={load}'
    root = ['--no-sandbox'] if os.geteuid() == 0 else []
    done = subprocess.run([browser, *FLAGS, *root, f'--user-data-dir={directory}/profile', page], capture_output=True,
                          timeout=SECONDS, check=False)
    text = done.stdout.decode('utf-8', 'replace')
    return text, re.findall(r'CONSOLE[^"]*"(.*)", source', done.stderr.decode('utf-8', 'replace'))


def table(text):
    rows = {}
    for row in re.findall(r'<tr.*?</tr>', text, flags=re.DOTALL):
        cells = [html.unescape(re.sub(r'<[^>]*>', '', cell)).strip()
                 for cell in re.findall(r'<td.*?</td>', row, flags=re.DOTALL)]
        if len(cells) == 3:
            rows[cells[2]] = tuple(cell.split(' ')[0] for cell in cells[:2])
    return rows


def wrong(text, log, title, wanted):
    if not any('Importing as' in line for line in log):
        yield f'not imported: {log}'
    for line in log:
        if re.search('Tried to|still open|[Ee]rror', line):
            yield line
    if title not in html.unescape(re.sub(r'<[^>]*>', '', text)):
        yield f'{title} is not in the title'
    found = table(text)
    for name, times in wanted.items():
        if found.get(name) != times:
            yield f'{name}: {found.get(name)}, not {times}'


def main(write_report):
    browser = next(filter(None, map(shutil.which, ['chromium', 'chromium-browser', 'google-chrome'])), None)
    with tempfile.TemporaryDirectory() as directory:
        release, absence = find_release(directory)
        if absence or not browser:
            print(f'1..0 # SKIP {absence or "no chromium"}')
            return 0
        failed = 0
        for number, (case, format, title, wanted) in enumerate(READ, 1):
            report = subprocess.run([write_report, format, case], check=True, capture_output=True).stdout
            complaints = list(wrong(*show(browser, release, directory, report), title, wanted))
            failed += bool(complaints)
            print(f'{"not ok" if complaints else "ok"} {number} - {format} of {case}')
            for complaint in complaints:
                print(f'# {complaint}')
        print(f'1..{len(READ)}')
        return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
