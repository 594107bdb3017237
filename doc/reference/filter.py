#!/usr/bin/env python3
"""filter.py FILE: what Doxygen reads in place of FILE. filter.py --chapters: the files in Markdown that it is to read.

Of a header: names of the library in comments become links, and the list of error codes an enumeration with their
texts. Of a chapter in Markdown: headings get the anchors that GitHub gives them, each with the name of its file in
front, and links to other files lead to their pages."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = ROOT / 'include'
# After these words of a comment stands a name that is declared, not linked.
DECLARING = re.compile(r'(@name .*|@(?:param|file|def)\b *[\w.]*(?:, [\w.]+)*|`[^`]*`)')


def public_names():
    """Functions, callbacks and macros of all headers."""
    names = set()
    for header in sorted(INCLUDE.rglob('*.h')):
        text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.DOTALL)
        names.update(re.findall(r'\b(pe_(?!_)\w+)\s*\([^()]*(?:\([^()]*\)[^()]*)*\)[^()\n]*;', text))
        names.update(name for name in re.findall(r'^#define (PE_(?!_)\w+)', text, re.MULTILINE) if name[-1] != '_')
        names.update(re.findall(r'\bX\((PE_\w+),', text))
    return names


def link_line(line, names):
    if re.match(r'^ \*     ', line):
        return line
    parts = DECLARING.split(line)
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r'(?<![\w#"])(?:pe|PE)_\w+\b(?!\()',
                           lambda match: '#' + match[0] if match[0] in names else match[0], parts[at])
    return ''.join(parts)


def link_comments(text, names):
    def comment(match):
        return '\n'.join(link_line(line, names) for line in match[0].split('\n'))
    return re.sub(r'/\*\*.*?\*/', comment, text, flags=re.DOTALL)


def list_errors(text):
    """The enumeration that PE_ERROR_LIST makes, written out."""
    rows = re.findall(r'X\((PE_\w+), ([^,]*), "([^"]*)"\)', text)
    values = '\n'.join(f'    {name} = {value}, /**< {said} */' for name, value, said in rows)
    return re.sub(r'^enum \{.*?^\};', lambda _: f'/** The codes. */\nenum {{\n{values}\n}};', text,
                  flags=re.DOTALL | re.MULTILINE)


# ---- Markdown ----

def page_name(path):
    """A name for the page of a file, which no other file has."""
    name = str(path.resolve().relative_to(ROOT).with_suffix('')).replace('/', '-').lower()
    return 'index' if name == 'readme' else name


def slug(heading):
    """GitHub's name of a heading."""
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading)
    return re.sub(r'[^\w\- ]', '', text.lower()).strip().replace(' ', '-')


def target_of(path, link, pages):
    """Where a link of the file at `path` leads in the HTML."""
    place, _, anchor = link.partition('#')
    target = (path.parent / place).resolve() if place else path.resolve()
    if target in pages:
        return '@ref ' + page_name(target) + ('-' + anchor if anchor else '')
    if target.suffix == '.h' and INCLUDE in target.parents:
        return f'@ref {target.name}'
    return None


def link_page(path, line, pages):
    def link(match):
        words, address = match[1], match[2]
        if re.match(r'[a-z]+:', address):
            return match[0]
        target = target_of(path, address, pages)
        return f'[{words}]({target})' if target else words
    return re.sub(r'(?<!!)\[([^\]]*)\]\(([^)\s]+)\)', link, line)


def convert_page(path, pages):
    lines, in_code, titled = [], False, False
    # Doxygen takes no heading behind a list with a link that is broken over two lines.
    text = re.sub(r'\[([^\]\n]*)\n *([^\]\n]*)\](?=\([^)\s]+\))', r'[\1 \2]', path.read_text())
    for line in text.split('\n'):
        heading = re.match(r'^(#+) (.*?)\s*$', line)
        if line.lstrip().startswith('```'):
            in_code = not in_code
        elif heading and not in_code:
            name = page_name(path) + ('-' + slug(heading[2]) if titled else '')
            label = '' if name == 'index' else f' {{#{name}}}'
            line, titled = f'{heading[1]} {link_page(path, heading[2], pages)}{label}', True
        elif not in_code:
            line = link_page(path, line, pages)
        lines.append(line)
    return '\n'.join(lines)


def chapters():
    """What the HTML holds besides the headers."""
    rooms = ['guide', 'design', 'proof', 'reports']
    return [ROOT / 'README.md'] + sorted(path for room in rooms for path in (ROOT / 'doc' / room).glob('*.md'))


def main(name):
    if name == '--chapters':
        print('\n'.join(map(str, chapters())))
        return
    path = pathlib.Path(name).resolve()
    if path.suffix == '.md':
        text = convert_page(path, set(chapters()))
    else:
        text = link_comments(list_errors(path.read_text()) if path.name == 'error.h' else path.read_text(),
                             public_names())
    sys.stdout.write(text)


if __name__ == '__main__':
    main(sys.argv[1])
