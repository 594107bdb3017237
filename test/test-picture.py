#!/usr/bin/env python3
"""test-picture.py PAGES: the page that PE_REPORT_HTML writes, in a browser. TAP.

PAGES writes pages of profiles made by hand (pages.c). Each is opened in headless Chromium at several widths; picture.js
runs the checks inside it and leaves what it found in place of the page. Without a browser only the text of the pages is
looked at, and the rest is skipped."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
FLAGS = ['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars',
         '--enable-logging=stderr']
MOST_BYTES = 5_000_000
MOST_SECONDS = 120

HARMFUL = [
    "</script><script>document.title='taken'</script>", '<img src=x onerror="document.title=\'taken\'">',
    '"\' onclick=\'x\'', 'a\ufffd\ufffd\ufffd bell\ufffd', '\ufffd\ufffd\ufffd\ufffd not UTF-8', '${name} `x` \\u003c',
    ']]> --> <!--', '&lt;b&gt; &amp;',
    '(no name)', 'caf\u00e9 \u20ac \U0001f600', 'two\nlines\tand a tab',
    'long_' * 24 + 'name_12',
]
FEW = ['item', 'pe.run', 'pe.submit', 'relax', 'solve', 'write']
ALWAYS = ['no_errors', 'no_requests', 'title', 'nothing_sticks_out', 'no_text_upon_another', 'names']
TIMELINE = ['a_lane_for_each_worker', 'worker_rows', 'ends_are_marked', 'cut_calls_are_marked', 'charts']
HANDS = ['click_zooms_the_graph', 'keys_walk_the_graph', 'search_tells_the_share', 'tip_of_the_graph', 'headings_sort',
         'buttons_zoom_the_timeline', 'dragging_zooms_the_timeline', 'keys_move_the_timeline',
         'tip_tells_the_wait_in_the_queue', 'arrows']
MANY_NAMES = ['assemble matrix', 'collect', 'factorise', 'pe.queue', 'pe.run', 'simulate', 'solve triangular',
              'time step', 'write result']

# Page, width, checks, and what they want.
LOOKS = [
    ('few', 1280, ALWAYS + TIMELINE + HANDS,
     {'title': 'example - profile', 'workers': 2, 'ends': 1, 'charts': 1, 'names': FEW, 'flows': 3}),
    ('few', 700, ALWAYS + TIMELINE + HANDS,
     {'title': 'example - profile', 'workers': 2, 'ends': 1, 'charts': 1, 'names': FEW, 'flows': 3}),
    ('many', 1280, ALWAYS + TIMELINE + ['too_many_arrows', 'names_unfold_lanes', 'zooming_is_quick'],
     {'title': 'example - profile', 'workers': 64, 'ends': 28, 'charts': 1, 'names': MANY_NAMES}),
    ('many', 700, ALWAYS + TIMELINE,
     {'title': 'example - profile', 'workers': 64, 'ends': 28, 'charts': 1, 'names': MANY_NAMES}),
    ('names', 700, ALWAYS, {'title': HARMFUL[0] + ' - profile', 'names': HARMFUL}),
    ('bare', 1280, ALWAYS + ['worker_rows', 'absence'],
     {'title': 'example - profile', 'workers': 2, 'names': FEW, 'absence': 'the sums of 3 runs'}),
    ('nothing', 1280, ALWAYS + ['absence'],
     {'title': 'example - profile', 'names': [], 'absence': 'PAREXEC_PROFILE=html:'}),
]

# Added to a page, and what has to notice it.
SPOILT = [
    ('<script>nothing.at.all()</script>', 'no_errors'),
    ('<img src="http://localhost:9/x.png">', 'no_errors'),
    ('<div style="width:3000px">wide</div>', 'nothing_sticks_out'),
]

RECORDER = '''<script>const troubles = [];
addEventListener('error', event => troubles.push(event.message || 'failed to load'), true);
addEventListener('unhandledrejection', event => troubles.push(String(event.reason)));
addEventListener('securitypolicyviolation', event => troubles.push('wants ' + event.blockedURI));
console.error = console.warn = (...words) => troubles.push(words.join(' '));</script>
'''
LOOK = '''<script>%s
addEventListener('load', () => setTimeout(() => {
  const wanted = %s, found = {};
  window.wanted = wanted;
  for (const name of %s)
    try { found[name] = checks[name](); } catch (error) { found[name] = String(error.stack); }
  const out = document.createElement('pre');
  out.textContent = 'FOUND' + encodeURIComponent(JSON.stringify(found)) + 'END';
  document.documentElement.replaceChildren(out);
}, 50));</script>
</body>'''


def write_page(program, name):
    return subprocess.run([program, name], check=True, capture_output=True, timeout=MOST_SECONDS).stdout.decode('utf-8')


def look(browser, page, width, checks, wanted):
    """What each check found, by its name."""
    script = (HERE / 'picture.js').read_text()
    end = LOOK % (script, json.dumps(wanted).replace('<', '\\u003c'), json.dumps(checks))
    page = page.replace('<meta charset=utf-8>\n', '<meta charset=utf-8>\n' + RECORDER, 1).replace('</body>', '', 1)
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / 'page.html'
        path.write_text(page + end, encoding='utf-8')
        flags = FLAGS + (['--no-sandbox'] if os.geteuid() == 0 else [])
        done = subprocess.run([browser, *flags, f'--user-data-dir={directory}/profile', f'--window-size={width},900',
                               '--virtual-time-budget=20000', '--dump-dom', path.as_uri()],
                              capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    found = re.search(r'FOUND(.*)END', done.stdout)
    if not found:
        return {name: 'the browser gave no answer: ' + done.stderr[-300:] for name in checks}
    return json.loads(urllib.parse.unquote(found[1]))


def outside(page):
    """Whatever the page could load from elsewhere."""
    style = page[page.index('<style>'):page.index('</style>')]
    script = page[page.rindex('<script>'):]
    markup = re.sub(r'(?s)<script.*?</script>|<style>.*?</style>|(?<=title=)"[^"]*"', '', page)
    return (re.findall(r'<[^>]*\s(?:src|srcset|action|data)=[^>]*>', markup) +
            [link for link in re.findall(r'href=[^\s>]*', markup) if link != 'href="data:,"'] +
            re.findall(r'@import|url\((?!#)[^)]*\)', style) + re.findall(r'\bfetch\(|XMLHttpRequest|import\(', script))


def still(page):
    """The page without its script: strips, boxes and rows are there."""
    wrong = []
    if not re.search(r'class=strip d="M', page):
        wrong.append('no strip')
    if not re.search(r'<div class="box c\d', page):
        wrong.append('no box')
    if '<td class=n' not in page:
        wrong.append('no row')
    return wrong


def results(program, browser):
    pages = {name: write_page(program, name) for name in dict.fromkeys(name for name, *_ in LOOKS)}
    for name, page in pages.items():
        yield f'{name}: of bounded size', [] if len(page) < MOST_BYTES else [str(len(page))]
        yield f'{name}: whole in one file', outside(page)
        yield f'{name}: sound characters only', re.findall(r'[\x00-\x08\x0b-\x1f\x7f]', page)
    yield 'few: a picture without scripts', still(pages['few'])
    yield 'many: a picture without scripts', still(pages['many'])
    for name, width, checks, wanted in LOOKS:
        found = look(browser, pages[name], width, checks, wanted) if browser else None
        for check in checks:
            yield (f'{name} at {width}: {check}', [found[check]] if found and found[check] else [], not found)
    for addition, check in SPOILT:
        found = browser and look(browser, pages['few'].replace('<main>', '<main>' + addition), 1280, [check],
                                 {'title': '', 'names': []})
        yield f'noticed by {check}: {addition}', [] if not found or found[check] else ['not noticed'], not found


def main(program):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    failed = number = 0
    for number, (name, wrong, *skipped) in enumerate(results(program, browser), 1):
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}' + (' # SKIP no chromium' if any(skipped) else ''))
        for line in wrong:
            print('# ' + str(line).replace('\n', '\n# '))
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
