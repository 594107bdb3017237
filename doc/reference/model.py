"""model.py: what the public headers say, read from Doxygen's XML. Read by man.py and test-reference.py.

A description is a list of blocks: ('text', words), ('code', lines) and ('item', words), in their order."""

import pathlib
import re
import xml.etree.ElementTree as ElementTree


class Words:
    """One documented thing: its first sentence, its description, and the paragraphs of the house."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.brief, self.blocks, self.parameters, self.sections = '', [], [], {}
        self.type, self.arguments, self.value, self.members = '', [], '', []


class Header:
    def __init__(self, name):
        self.name, self.words, self.includes = name, None, []
        self.groups = []  # (title, blocks, constants)
        self.codes = []  # (name, text) of the values of enumerations
        self.functions, self.types, self.structs, self.macros, self.constants = [], [], [], [], []


def squeeze(text):
    return re.sub(r'\s+', ' ', text).strip()


def inline(element):
    """The words of an element, without those of blocks in it."""
    return squeeze(''.join(element.itertext()))


def read_blocks(element, words):
    """Adds what stands in a description to `words`, one block after the other."""
    text = []

    def flush():
        if squeeze(''.join(text)):
            words.blocks.append(('text', squeeze(''.join(text))))
        text.clear()

    def walk(node):
        text.append(node.text or '')
        for child in node:
            if child.tag in ('verbatim', 'preformatted'):
                flush()
                words.blocks.append(('code', (child.text or '').strip('\n').split('\n')))
            elif child.tag == 'parameterlist':
                flush()
                read_parameters(child, words)
            elif child.tag == 'simplesect':
                flush()
                read_section(child, words)
            elif child.tag in ('itemizedlist', 'orderedlist'):
                flush()
                words.blocks += [('item', inline(item)) for item in child]
            elif child.tag == 'para':
                flush()
                walk(child)
                flush()
            elif child.tag == 'ndash':
                text.append('--')
            else:
                walk(child)
            text.append(child.tail or '')

    walk(element)
    flush()


def read_parameters(element, words):
    for item in element.iter('parameteritem'):
        names = [inline(name) for name in item.iter('parametername')]
        words.parameters.append((names, inline(item.find('parameterdescription'))))


def read_section(element, words):
    title = element.find('title')
    kind = inline(title).lower() if title is not None else element.get('kind')
    words.sections[kind] = ' '.join(inline(part) for part in element.findall('para'))


def read_words(element, name, kind):
    words = Words(name, kind)
    brief = element.find('briefdescription')
    words.brief = inline(brief) if brief is not None else ''
    read_blocks(element.find('detaileddescription'), words)
    return words


def read_member(element):
    words = read_words(element, element.findtext('name'), element.get('kind'))
    words.type = inline(element.find('type')) if element.find('type') is not None else ''
    words.value = element.findtext('initializer') or ''
    arguments = element.findtext('argsstring') or ''
    if words.kind == 'typedef' and arguments.startswith('('):
        words.kind = 'callback'
    if words.kind in ('function', 'callback'):
        words.arguments = [squeeze(one) for one in arguments[1:arguments.rindex(')')].split(',')]
    elif words.kind == 'define':
        words.arguments = [param.findtext('defname') for param in element.findall('param')]
        words.has_parentheses = element.find('param') is not None
    else:
        words.arguments = arguments
    return words


def read_struct(path):
    compound = ElementTree.parse(path).getroot().find('compounddef')
    struct = read_words(compound, compound.findtext('compoundname'), 'struct')
    struct.members = [read_member(member) for member in compound.iter('memberdef')]
    return struct


def place(header, member):
    rooms = {'function': header.functions, 'callback': header.types, 'typedef': header.types,
             'define': header.macros if getattr(member, 'has_parentheses', False) else header.constants}
    rooms.get(member.kind, header.constants).append(member)


def read_header(path):
    compound = ElementTree.parse(path).getroot().find('compounddef')
    header = Header(compound.find('location').get('file'))
    header.words = read_words(compound, header.name, 'file')
    header.structs = [read_struct(path.parent / (inner.get('refid') + '.xml')) for inner in
                      compound.findall('innerclass')]
    header.codes = [(value.findtext('name'), inline(value.find('briefdescription')).rstrip('.'))
                    for value in compound.iter('enumvalue')]
    for section in compound.findall('sectiondef'):
        members = [read_member(member) for member in section.findall('memberdef') if member.get('kind') != 'enum']
        for member in members:
            place(header, member)
        if section.get('kind') == 'user-defined':
            about = Words('', 'group')
            if section.find('description') is not None:
                read_blocks(section.find('description'), about)
            constants = [member for member in members if member in header.constants]
            header.groups.append((section.findtext('header'), about.blocks, constants))
    return header


def read_headers(directory):
    """All headers of Doxygen's XML in a directory, by name, parexec.h first."""
    paths = sorted(pathlib.Path(directory).glob('*_8h.xml'))
    headers = [read_header(path) for path in paths]
    return sorted(headers, key=lambda header: (header.name != 'parexec.h', header.name))


def error_texts(headers):
    """The texts of the error codes, as filter.py has written them behind the codes."""
    return {code: text for header in headers for code, text in header.codes}
