#!/usr/bin/env python3
"""test-reference.py BUILT INCLUDE MAP: the manual pages and the HTML that were made of the headers. TAP.

BUILT holds man3, man7, man1 by parexec-top.1, and html. Each exported function has a page, whose prototype is the
header's; pages that are pointed to exist; mandoc and man have nothing to say against them. In the HTML each link leads
to a page and a place in it, and at the width of a desktop and of a phone nothing sticks out."""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
FLAGS = ['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars',
         '--allow-file-access-from-files']
WIDTHS = [1280, 390]
LOOK_SECONDS = 120


def squeeze(text):
    return re.sub(r'\s+', ' ', text).replace('( ', '(').strip()


def exported(path):
    text = re.sub(r'/\*.*?\*/', ' ', pathlib.Path(path).read_text(), flags=re.DOTALL)
    return sorted(set(re.findall(r'\b(pe_\w+);', text)) - {'pe_region_on'})


def prototypes(include):
    """The declaration of each function in the headers, as one line."""
    found = {}
    for header in sorted(pathlib.Path(include).rglob('*.h')):
        text = re.sub(r'/\*.*?\*/', ' ', header.read_text(), flags=re.DOTALL)
        for declaration in re.findall(r'\bPE_EXPORT\s+([^;{]*?\))\s*(?:PE_FORMAT\([^)]*\))?;', text):
            found[re.search(r'\b(pe_\w+)\(', declaration)[1]] = squeeze(declaration) + ';'
    return found


# ---- manual pages ----

def plain(path):
    """A page's source without its macros and escapes."""
    text = re.sub(r'\\f.', '', path.read_text())
    return text.replace('\\-', '-').replace('\\(aq', "'").replace('\\e', '\\').replace('\\&', '')


def shown_prototype(path):
    synopsis = re.search(r'^\.SH SYNOPSIS$(.*?)^\.SH', plain(path), re.DOTALL | re.MULTILINE)[1]
    return squeeze('\n'.join(line for line in synopsis.split('\n') if not line.startswith('.')))


def without_page(manual, names):
    return [name for name in names if not (manual / 'man3' / f'{name}.3').exists()]


def other_prototype(manual, declared):
    wrong = []
    for name, prototype in sorted(declared.items()):
        path = manual / 'man3' / f'{name}.3'
        if path.exists() and shown_prototype(path) != prototype:
            wrong.append(f'{name}: {shown_prototype(path)}')
    return wrong


def all_pages(manual):
    return sorted(manual.glob('man[37]/*.[37]')) + [manual / 'parexec-top.1']


def pages_pointed_to(manual):
    """References to pages that there are not."""
    there = {path.name for path in all_pages(manual)}
    return sorted({f'{path.name}: {name}({number})' for path in all_pages(manual)
                   for name, number in re.findall(r'^\.BR ([\w-]+|parexec\\-top) \((\d)\)', plain(path), re.MULTILINE)
                   if f'{name}.{number}' not in there})


def sections_missing(manual, names):
    wrong = []
    for name in names:
        text = plain(manual / 'man3' / f'{name}.3')
        wrong += [f'{name}: {title}' for title in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'ATTRIBUTES', 'HISTORY',
                                                   'SEE ALSO') if f'.SH {title}\n' not in text]
    return wrong


def said_by(command, paths):
    process = subprocess.run(command + [str(path) for path in paths], capture_output=True, text=True,
                             stdin=subprocess.DEVNULL, check=False)
    return (process.stdout + process.stderr).splitlines()[:20]


def said_by_man(paths):
    environment = dict(os.environ, MANROFFSEQ='', MANWIDTH='80', LC_ALL='C.UTF-8', PAGER='cat')
    wrong = []
    for path in paths:
        process = subprocess.run(['man', '--warnings', '-l', str(path)], capture_output=True, text=True, check=False,
                                 env=environment)
        wrong += process.stderr.splitlines()
    return wrong


# ---- HTML ----

class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.anchors, self.links = set(), []

    def handle_starttag(self, tag, attributes):
        for key, value in attributes:
            if key in ('id', 'name') and value:
                self.anchors.add(value)
            if key in ('href', 'src') and value:
                self.links.append(value)


def read_pages(directory):
    pages = {}
    for path in sorted(directory.glob('*.html')):
        links = Links()
        links.feed(path.read_text())
        pages[path.name] = links
    return pages


def dead_links(directory):
    pages = read_pages(directory)
    dead = set()
    for name, page in pages.items():
        for link in page.links:
            if re.match(r'[a-z]+:', link):
                continue
            place, _, anchor = urllib.parse.unquote(link).partition('#')
            target = pages.get(place or name)
            if place and not (directory / place).exists():
                dead.add(f'{name}: {link}')
            elif anchor and target and anchor not in target.anchors:
                dead.add(f'{name}: {link}')
    return sorted(dead)


def unresolved(directory):
    """Marks of the filter, and commands, that Doxygen has left in the text."""
    wrong = []
    for path in sorted(directory.glob('*.html')):
        text = re.sub(r'<pre.*?</pre>|<code>.*?</code>|<div class="fragment">.*?</div><!--', ' ', path.read_text(),
                      flags=re.DOTALL)
        words = re.sub(r'<[^>]*>', ' ', text)
        marks = re.findall(r'#(?:pe|PE)_\w+(?=[^"\w])|@(?:ref|param)\b[^<]{0,30}', words)
        wrong += [f'{path.name}: {found}' for found in marks]
    return wrong


LOOKER = '''<!DOCTYPE html><html><body style="margin:0"><script>
const pages = %s, wide = [];
async function look() {
  const frame = document.createElement('iframe');
  frame.style.cssText = 'border:0;width:%dpx;height:900px';
  document.body.append(frame);
  for (const page of pages) {
    await new Promise(done => { frame.onload = done; frame.src = page; });
    const root = frame.contentDocument.documentElement;
    if (root.scrollWidth > root.clientWidth || frame.contentDocument.body.getClientRects().length === 0)
      wide.push(page + ': ' + root.scrollWidth);
  }
  document.documentElement.replaceChildren('FOUND' + encodeURIComponent(JSON.stringify(wide)) + 'END');
}
look();
</script></body></html>'''


def sticks_out(browser, directory, width, names):
    """Pages that are wider than the window."""
    with tempfile.TemporaryDirectory() as work:
        looker = directory / f'look-{os.getpid()}.html'
        looker.write_text(LOOKER % (json.dumps(names), width))
        try:
            command = [browser, *FLAGS, '--no-sandbox', f'--user-data-dir={work}', f'--window-size={width},900',
                       '--virtual-time-budget=60000', '--dump-dom', looker.resolve().as_uri()]
            output = subprocess.run(command, capture_output=True, text=True, timeout=LOOK_SECONDS, check=False).stdout
        finally:
            looker.unlink()
    found = re.search('FOUND(.*?)END', output)
    return json.loads(urllib.parse.unquote(found[1])) if found else [f'the browser said nothing: {output[:300]}']


# ---- report ----

class Report:
    def __init__(self):
        self.number, self.failed = 0, 0

    def case(self, name, wrong):
        self.number += 1
        self.failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {self.number} - {name}')
        for line in list(wrong)[:20]:
            print(f'#   {line}')

    def skip(self, name, reason):
        self.number += 1
        print(f'ok {self.number} - {name} # SKIP {reason}')


def look_at_manual(report, built, include, map_path):
    names, declared = exported(map_path), prototypes(include)
    missing = without_page(built, names)
    report.case('each exported function has a page', missing or ([] if names else ['the map lists nothing']))
    report.case('a missing page is seen', [] if without_page(built, names + ['pe_no_such']) else ['it is not'])
    report.case('the prototypes are those of the headers', other_prototype(built, declared))
    report.case('another prototype is seen',
                [] if other_prototype(built, {'pe_pool_new': 'int pe_pool_new(void);'}) else ['it is not'])
    report.case('pages have their sections', sections_missing(built, [name for name in names if name not in missing]))
    report.case('pages that are pointed to exist', pages_pointed_to(built))
    pages = all_pages(built)
    if shutil.which('mandoc'):
        report.case('mandoc has no warning', said_by(['mandoc', '-T', 'lint', '-W', 'warning'], pages))
    else:
        report.skip('mandoc has no warning', 'no mandoc here')
    if shutil.which('man') and shutil.which('groff'):
        few = [path for path in pages if path.stem in ('parexec', 'parexec_pool', 'pe_pool_options', 'pe_pool_map',
                                                       'pe_await', 'PE_AWAIT', 'parexec-top')]
        report.case('man has no warning', said_by_man(few))
    else:
        report.skip('man has no warning', 'no man and groff here')


def look_at_html(report, directory):
    report.case('links lead to pages and places', dead_links(directory))
    report.case('no mark is left in the text', unresolved(directory))
    browser = next((name for name in BROWSERS if shutil.which(name)), None)
    names = sorted(path.name for path in directory.glob('*.html'))
    for width in WIDTHS:
        if browser:
            report.case(f'nothing sticks out at {width} pixels', sticks_out(browser, directory, width, names))
        else:
            report.skip(f'nothing sticks out at {width} pixels', 'no browser here')


def main(built, include, map_path):
    report = Report()
    look_at_manual(report, pathlib.Path(built), include, map_path)
    look_at_html(report, pathlib.Path(built) / 'html')
    print(f'1..{report.number}')
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:4]))
