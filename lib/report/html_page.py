"""html_page.py CSS JS C_FILE: style and script of the page as strings of C, for html.h."""

import pathlib
import sys


def literal(line):
    return '    "' + line.replace('\\', '\\\\').replace('"', '\\"').replace('?', '\\?') + '\\n"\n'


def definition(name, path):
    lines = pathlib.Path(path).read_text(encoding='ascii').splitlines()
    return f'const char {name}[] =\n' + ''.join(literal(line) for line in lines) + '    "";\n\n'


css, js, out = sys.argv[1:]
pathlib.Path(out).write_text('extern const char pe__html_css[], pe__html_js[];\n\n' +
                             definition('pe__html_css', css) + definition('pe__html_js', js))
