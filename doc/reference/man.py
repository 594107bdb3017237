#!/usr/bin/env python3
"""man.py XML VERSION DIRECTORY...: manual pages from Doxygen's XML of the public headers.

Each DIRECTORY is named man3 or man7 and is made anew: a page for every function, callback, macro with parameters and
struct, one for each header, and parexec(7). The date on them is that of SOURCE_DATE_EPOCH, else today's."""

import datetime
import os
import pathlib
import re
import shutil
import sys
import textwrap

sys.dont_write_bytecode = True
import model

WIDTH = 78
CODE = r'(?:PE_E[A-Z]+|-E[A-Z]+)'
CODES = rf'{CODE}(?:(?:, | and ){CODE})*'
# A sentence of @errors that speaks of all of them.
ABOUT_ALL = re.compile(r'(After|Those|The others|Others|Nothing|They|All|On return|As|One that)\b')


# ---- roff ----

def escape(text):
    text = text.replace('\\', '\\e').replace('^', '\\(ha').replace('~', '\\(ti').replace('`', '\\(ga')
    return re.sub(r'(?<![\w)])-(?=[\w-])', r'\\-', text)


def guard(line):
    return '\\&' + line if line.startswith(('.', "'")) else line


class Page:
    def __init__(self, name, section, release, known):
        self.name, self.section, self.known = name, section, known
        date = datetime.datetime.fromtimestamp(int(os.environ.get('SOURCE_DATE_EPOCH', release['now'])),
                                               datetime.timezone.utc)
        self.lines = ['.\\" Made from the headers of libparexec by man.py.',
                      f'.TH {name} {section} {date:%Y-%m-%d} "libparexec {release["version"]}" "libparexec"']
        self.mentioned = []

    def raw(self, *lines):
        self.lines += lines

    def heading(self, title):
        self.title = title
        self.lines.append(f'.SH {title}')
        self.fresh = True

    def words(self, text):
        """Running text: names of other pages are bold."""
        def mark(match):
            name = match[0]
            if name in self.known and name != self.name and name not in self.mentioned:
                self.mentioned.append(name)
            return f'\\fB{name}\\fP' if name in self.known or name.startswith(('pe_', 'PE_')) else name
        text = re.sub(r'\b(?:pe|PE)_\w+', mark, escape(text))
        self.lines += [guard(line) for line in
                       textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]

    def paragraph(self, text):
        if not self.fresh:
            self.lines.append('.PP')
        self.fresh = False
        self.words(text)

    def code(self, lines):
        self.lines += ['.PP'] if not self.fresh else []
        self.fresh = False
        self.lines += ['.in +4n', '.nf'] + [guard(escape_code(line)) for line in lines] + ['.fi', '.in']

    def tagged(self, tag, text, width=None):
        self.lines += [f'.TP {width}n' if width else '.TP', tag]
        self.fresh = False
        self.words(text)

    def blocks(self, blocks):
        for kind, content in blocks:
            if kind == 'code':
                self.code(content)
            elif kind == 'item':
                self.tagged('\\(bu', content)
            else:
                self.paragraph(content)

    def see_also(self, names):
        self.heading('SEE ALSO')
        known = sorted({name for name in names if name in self.known and name != self.name})
        for at, name in enumerate(known):
            self.lines.append(f'.BR {name} ({self.known[name]})' + (',' if at < len(known) - 1 else ''))

    def write(self, directory):
        path = pathlib.Path(directory) / f'{self.name}.{self.section}'
        path.write_text('\n'.join(self.lines) + '\n')


def escape_code(line):
    line = line.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq').replace('`', '\\(ga')
    return line.replace('^', '\\(ha').replace('~', '\\(ti')


def capital(text, names=()):
    """Sections of a page begin with a capital, but for names of the program's or the library's."""
    first = re.match(r'[\w.]*\w(?!\w)(\(?)', text)
    if first and (first[1] or '_' in first[0] or '.' in first[0] or first[0] in names):
        return text
    return text[:1].upper() + text[1:]


# ---- parts of pages ----

def wrapped_arguments(head, arguments, end):
    """The lines of a prototype, broken behind its commas to fit on a terminal."""
    column = len(head)
    if any(column + len(one) + 1 > WIDTH - 7 for one in arguments):
        column = 8
    lines, line = [], head
    for at, one in enumerate(arguments):
        one += end if at == len(arguments) - 1 else ','
        if line != head and len(line) + 1 + len(one) > WIDTH - 7 or line == head and len(head + one) > WIDTH - 7:
            lines.append(line)
            line = ' ' * column + one
        else:
            line += one if line == head else ' ' + one
    return lines + [line]


def prototype_lines(thing):
    type_name = thing.type if thing.type.endswith('*') else thing.type + ' '
    head = ('typedef ' if thing.kind == 'callback' else '') + type_name + thing.name + '('
    return wrapped_arguments(head, thing.arguments, ');')


def synopsis(page, lines, names=()):
    """Code in bold, names of parameters in italics."""
    page.heading('SYNOPSIS')
    page.raw('.nf', '.B #include <parexec.h>', '.PP')
    for line in lines:
        text = escape_code(line)
        for name in names:
            text = re.sub(rf'(?<=[ *(]){re.escape(name)}(?=[,)\[])', f'\\\\fI{name}\\\\fB', text)
        page.raw(guard(f'\\fB{text}\\fP'))
    page.raw('.fi')


def sentences(text):
    return re.split(r'(?<=[.;]) (?=%s(?:[:.,; ]|$))|(?<=\.) (?=[A-Z])' % CODE, text)


def with_codes(sentence):
    """(codes, words) of a sentence that begins with codes, else None."""
    match = re.match(rf'({CODES})((?: and others[^:.]*)?)(: | (?!and)|[.;]?$)(.*)', sentence)
    if not match:
        return None
    said = match[4].rstrip(';').strip()
    also = match[2].strip()
    return re.findall(CODE, match[1]), f'{also}: {said}' if also and said else also + said


def split_errors(text):
    """A list of (codes, words), the codes empty where the words are a paragraph by themselves."""
    parts = []
    for sentence in sentences(text):
        lead = re.match(rf'([A-Z][^.:;]{{3,60}}?:?) ({CODES}(?:: .*|\.)$)', sentence)
        if with_codes(sentence):
            parts.append(with_codes(sentence))
        elif lead and not re.search(CODE, lead[1]):
            parts += [([], lead[1].rstrip(':') + ':'), with_codes(lead[2])]
        elif not parts or not parts[-1][0] or ABOUT_ALL.match(sentence) or re.search(CODE, sentence):
            parts.append(([], sentence))
        else:
            parts[-1] = (parts[-1][0], parts[-1][1] + ' ' + sentence)
    return parts


def errors(page, text, texts, names):
    page.heading('ERRORS')
    for codes, said in split_errors(text):
        if codes:
            said = said or '; '.join(texts[code] for code in codes if code in texts) or "the system's"
            page.tagged(', '.join(f'\\fB{escape(code)}\\fP' for code in codes), capital(said.rstrip('.,') + '.', names))
        else:
            page.paragraph(capital(re.sub(';$', '.', said), names))


def examples_of(name, things):
    """The first piece of code in the words of another thing that calls the function: (where from, lines)."""
    for where, thing in things:
        for kind, content in thing.blocks:
            if thing.name != name and kind == 'code' and any(re.search(rf'\b{name}\(', line) for line in content):
                return where, content
    return None


def attributes(page, thing):
    sections = thing.sections
    if 'ownership' in sections:
        page.heading('OWNERSHIP')
        page.paragraph(capital(sections['ownership']))
    if 'threads' in sections:
        page.heading('ATTRIBUTES')
        page.raw('.PD 0')
        page.tagged('Threads', capital(sections['threads']), 18)
        page.tagged('Child processes', capital(sections['child']), 18)
        page.raw('.PD')
    if 'since' in sections:
        page.heading('HISTORY')
        page.paragraph('Since libparexec ' + sections['since'].rstrip('.') + '.')


def in_short(brief):
    """What fits behind a name on one line: the first sentence, or the first part of it."""
    parts = [brief.rstrip('.')] + [re.split(mark, brief)[0].rstrip('.') for mark in (r'[:;] ', r'[:;,] ')]
    short = next((part for part in parts if len(part) <= 60), parts[-1])
    short = textwrap.shorten(short, 72, placeholder=' ...')
    return short if re.match(r'[A-Z][A-Z]', short) else short[:1].lower() + short[1:]


def name_line(page, thing):
    page.heading('NAME')
    page.raw(*textwrap.wrap(f'{page.name} \\- {escape(in_short(thing.brief))}', WIDTH))


def description(page, thing):
    page.heading('DESCRIPTION')
    page.paragraph(thing.brief)
    page.blocks(thing.blocks)


def parameters(page, thing):
    if thing.parameters:
        page.heading('PARAMETERS')
    own = [name for names, _ in thing.parameters for name in names]
    for names, said in thing.parameters:
        page.tagged(', '.join(f'\\fI{name}\\fP' for name in names), capital(said, own))


def all_words(thing):
    """What is said of a member or a constant, as sentences."""
    said = ' '.join([thing.brief] + [text for kind, text in thing.blocks if kind == 'text'])
    return capital(said.rstrip('.') + '.')


def header_page(header):
    return 'parexec' if header.name == 'parexec.h' else 'parexec_' + pathlib.Path(header.name).stem


# ---- pages ----

class Manual:
    def __init__(self, headers, version, now):
        self.headers = headers
        self.release = {'version': version, 'now': now}
        self.texts = model.error_texts(headers)
        self.known = {header_page(header): 3 for header in headers}
        self.known['parexec'] = 7
        for header in headers:
            for thing in self.things(header):
                self.known[thing.name] = 3
        self.known['parexec-top'] = 1

    @staticmethod
    def things(header):
        callbacks = [one for one in header.types if one.kind == 'callback']
        return header.functions + callbacks + header.macros + header.structs

    def page(self, name, section=3):
        return Page(name, section, self.release, self.known)

    def example(self, page, header, thing):
        narratives = sorted(self.headers, key=lambda one: (one is not header, one.name))
        places = [(header_page(one), one.words) for one in narratives]
        places += [(other.name, other) for one in narratives for other in one.functions]
        found = examples_of(thing.name, places)
        if found and not any(kind == 'code' for kind, _ in thing.blocks):
            page.heading('EXAMPLES')
            page.paragraph(f'From {found[0]}({self.known[found[0]]}):')
            page.code(found[1])
            return [found[0]]
        return []

    def callable(self, header, thing):
        """A page for a function, a callback or a macro."""
        page = self.page(thing.name)
        name_line(page, thing)
        if thing.kind == 'define':
            lines = [thing.name + '(' + ', '.join(one for one in thing.arguments if one) + ')']
            names = thing.arguments
        else:
            lines = prototype_lines(thing)
            names = [match[1] for match in (re.search(r'(\w+)(?:\[\])?$', one) for one in thing.arguments) if match]
        synopsis(page, lines, [name for name in names if name and name != 'void'])
        description(page, thing)
        parameters(page, thing)
        if 'return' in thing.sections:
            page.heading('RETURN VALUE')
            page.paragraph(capital(thing.sections['return']))
        if 'errors' in thing.sections:
            errors(page, thing.sections['errors'], self.texts, names)
        attributes(page, thing)
        more = self.example(page, header, thing)
        used = [name for one in thing.arguments for name in re.findall(r'\bpe_\w+', one or '')]
        page.see_also(page.mentioned + more + used + [header_page(header), 'parexec'])
        return page

    def struct(self, header, struct):
        page = self.page(struct.name)
        name_line(page, struct)
        lines = [f'typedef struct {struct.name} {{']
        for one in struct.members:
            declared = one.type + ('' if one.type.endswith('*') else ' ') + one.name + one.arguments + ';'
            if '(*' in one.type:
                declared = one.type + one.name + one.arguments + ';'
            lines.append('    ' + declared)
        synopsis(page, lines + [f'}} {struct.name};'])
        description(page, struct)
        page.heading('MEMBERS')
        for one in struct.members:
            page.tagged(f'\\fI{one.name}\\fP', all_words(one))
        self.constants(page, [group for group in header.groups if struct.name in group[0]])
        initialiser = [one.name for one in header.constants if one.name == struct.name.upper() + '_INIT']
        if initialiser:
            page.heading('INITIALISER')
            page.paragraph(f'{struct.name} it = {initialiser[0]};')
        users = [one.name for other in self.headers for one in other.functions + other.structs
                 if re.search(rf'\b{struct.name}\b', ' '.join(self.types_of(one)))]
        page.see_also(page.mentioned + users + [header_page(header), 'parexec'])
        return page

    @staticmethod
    def types_of(thing):
        return [member.type for member in thing.members] if thing.kind == 'struct' else thing.arguments

    @staticmethod
    def constants(page, groups):
        groups = [group for group in groups if group[2]]
        if groups:
            page.heading('CONSTANTS')
        for title, blocks, constants in groups:
            page.raw(f'.SS {escape(title)}')
            page.fresh = True
            page.blocks(blocks)
            for one in constants:
                page.tagged(f'\\fB{one.name}\\fP', all_words(one))

    def header(self, header):
        page = self.page(header_page(header), self.known[header_page(header)])
        name_line(page, header.words)
        page.heading('SYNOPSIS')
        page.raw('.nf', f'.B #include <{header.name}>', '.fi')
        page.raw('.PP', '.nf', '\\fBcc\\fP \\fIprogram.c\\fP '
                 '\\fB$(pkg\\-config \\-\\-cflags \\-\\-libs parexec)\\fP', '.fi')
        description(page, header.words)
        if header.name == 'parexec.h':
            self.overview(page)
        self.contents(page, header)
        grouped = [one for _, _, constants in header.groups for one in constants]
        alone = [one for one in header.constants if one not in grouped and not one.name.endswith('_INIT')]
        self.constants(page, header.groups + [('Others', [], alone)])
        if header.name == 'parexec/error.h':
            self.error_list(page)
        own = [thing.name for thing in self.things(header)]
        elsewhere = [name for name in page.mentioned if name not in own]
        page.see_also(elsewhere + ['parexec'] + (['parexec-top'] if header.name == 'parexec.h' else []))
        return page

    def contents(self, page, header):
        opaque = [one for one in header.types if one.kind == 'typedef']
        for title, things in (('TYPES', opaque + [one for one in header.types if one.kind == 'callback'] +
                               header.structs), ('MACROS', header.macros), ('FUNCTIONS', header.functions)):
            if things:
                page.heading(title)
            for one in things:
                number = f'({self.known[one.name]})' if one.name in self.known else ''
                if number and one.name not in page.mentioned:
                    page.mentioned.append(one.name)
                page.tagged(f'.BR {one.name} {number}'.rstrip(), one.brief)

    def error_list(self, page):
        page.heading('ERROR CODES')
        for code, text in self.texts.items():
            page.tagged(f'\\fB{code}\\fP', capital(text) + '.')

    def overview(self, page):
        page.heading('PAGES')
        for header in self.headers[1:]:
            name = header_page(header)
            page.mentioned.append(name)
            page.tagged(f'.BR {name} ({self.known[name]})', header.words.brief)

    def pages(self):
        for header in self.headers:
            yield self.header(header)
            for thing in header.functions + header.macros + [one for one in header.types if one.kind == 'callback']:
                yield self.callable(header, thing)
            for struct in header.structs:
                yield self.struct(header, struct)


def main(xml, version, *directories):
    rooms = {}
    for directory in map(pathlib.Path, directories):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        rooms[int(directory.name[-1])] = directory
    now = datetime.datetime.now().timestamp()
    for page in Manual(model.read_headers(xml), version, now).pages():
        page.write(rooms[page.section])


if __name__ == '__main__':
    main(*sys.argv[1:])
