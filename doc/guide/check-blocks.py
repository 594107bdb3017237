#!/usr/bin/env python3
"""check-blocks.py [--cc COMMAND] BUILD_DIRECTORY CHAPTER.md...: compiles and runs what the guide shows.

The library is taken from a copy that is installed for this, by what pkg-config says of it, as a reader would take it. A
fenced block is one of these, and anything else that looks like code is an error, so that nothing is shown untried:

    c        with a main: a program. Else a part of one, see below
    python   a program
    text     what the programs and commands print that stand between it and the last such block
    sh       commands, given to sh -e where the chapter's programs lie
    console  the same, each behind "$ ", with what it prints behind it

A program whose first line names it, /* NAME.c */ or # NAME.py, is that file of doc/examples if there is one. It is run for
the text behind it, unless commands between them name it. A part of a program begins with /* of NAME.c */, which has its lines
in that order, or a comment of HTML in front of it says where it would be. Such comments are, for the block behind them:

    <!-- inside DECLARATION -->   a part: it is the body of this function
    <!-- outside functions -->    a part: as it is
    <!-- needs WHAT -->           a flag of the compiler, a module of pkg-config, or a module of Python; else it is skipped
    <!-- measured -->             numbers with a point or a unit, addresses, pids and (/paths) are others each time; rows may come in
                                  another order, and rows and columns be left out
    <!-- run by FILE: WORDS -->   commands that a test of the tree runs: they are in it

and <!-- given ... --> has declarations for all parts of the chapter that follow."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / 'doc' / 'examples'
HEADERS = ''.join(f'#include <{name}.h>\n' for name in (
    'errno', 'inttypes', 'parexec', 'poll', 'signal', 'stdio', 'stdlib', 'string', 'unistd'))
WARNINGS = ['-O1', '-Wall', '-Wextra', '-Werror']


class Wrong(Exception):
    """What a block shows is not so."""


class Missing(Exception):
    """A tool that a block needs."""


class Block:
    def __init__(self, chapter, line, kind, text, remarks):
        self.chapter, self.line, self.kind, self.text, self.remarks = chapter, line, kind, text, remarks
        first = text.split('\n', 1)[0]
        name = re.fullmatch(r'/\* (of )?([\w-]+\.c) \*/|# ([\w-]+\.py)', first)
        self.part_of = name and name[1] and name[2]
        self.name = name and not name[1] and (name[2] or name[3])
        self.body = text.split('\n', 1)[1] if name else text
        self.is_program = kind == 'python' or (kind == 'c' and re.search(r'^int main\(', text, re.MULTILINE) is not None)
        self.file = self.name or f'line-{line}.{"py" if kind == "python" else "c"}'

    def remark(self, word):
        return next((remark[len(word):].strip() for remark in self.remarks if remark.startswith(word)), None)

    def __str__(self):
        return f'{self.chapter}:{self.line} {self.name or self.kind}'


def blocks_of(path):
    """The blocks of a page; a line that looks like code and is in none of them is an error."""
    found, remarks, lines, at = [], [], path.read_text().split('\n'), 0
    while at < len(lines):
        line, begin = lines[at], at
        at += 1
        if line.startswith('<!--'):
            while '-->' not in lines[at - 1]:
                at += 1
            remarks.append('\n'.join(lines[begin:at])[4:].split('-->')[0].strip())
        elif line.startswith('```'):
            while lines[at] != '```':
                at += 1
            found.append(Block(path.name, begin + 1, line[3:], '\n'.join(lines[begin + 1:at]) + '\n', remarks))
            remarks, at = [], at + 1
        elif re.match(r'\s+```|\s*~~~|    |\t', line):
            raise Wrong(f'{path.name}:{at}: code that is in no block: {line}')
        elif line and remarks:
            raise Wrong(f'{path.name}:{at}: a comment that no block follows')
    return found


# ---- what is printed ----

def words_of(line):
    """Numbers that are measured are all alike."""
    line = re.sub(r'\b(pid) \d+|\(/[^\s)]*\)', r'\1 #', line)
    line = re.sub(r'\b\d[\d,]*(\.\d+)?(?= ?(ns|us|ms|s|x|%|KiB|MiB|GiB)\b)|\b\d+\.\d+|\b0x[0-9a-f]+', '#', line)
    return re.sub(r'#(ns|us|ms|s)\b', '#', line).split()


def is_part(wanted, words):
    rest = iter(words)
    return all(word in rest for word in wanted)


def compare(shown, printed, is_measured):
    if not is_measured:
        if shown != printed:
            raise Wrong(f'shown:\n{shown}printed:\n{printed}')
        return
    left = [words_of(line) for line in printed.split('\n')]
    for line in shown.split('\n'):
        wanted = words_of(line)
        match = next((words for words in left if is_part(wanted, words)), None)
        if wanted and match is None:
            raise Wrong(f'no such line: {line}\nprinted:\n{printed}')
        if match is not None:
            left.remove(match)


# ---- a chapter ----

class Chapter:
    def __init__(self, path, work, compiler, environment):
        self.blocks = blocks_of(path)
        self.work, self.compiler, self.environment = work, compiler, environment
        self.given = ''
        self.printed = []   # (by what, text) since the last text block
        self.programs = []  # not run yet
        self.was_skipped = False
        work.mkdir()
        for example in EXAMPLES.glob('course*.[cp]*'):
            (work / example.name).write_bytes(example.read_bytes())
        for block in self.blocks:
            if block.is_program:
                (work / block.file).write_text(block.body)

    def command(self, *words, text=None):
        try:
            done = subprocess.run(words, input=text, cwd=self.work, env=self.environment, capture_output=True, text=True,
                                  timeout=120, stdin=None if text is not None else subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise Wrong(f'{words[0]} does not end') from None
        if done.returncode != 0:
            raise Wrong(f'{" ".join(words)}: exit status {done.returncode}\n{done.stdout}{done.stderr}')
        return done.stdout

    def flags(self, block):
        needed = block.remark('needs')
        modules = ['parexec']
        flags = []
        for need in (needed or '').split():
            if need.startswith('-'):
                flags.append(need)
                probe = [*self.compiler, need, '-x', 'c', '-', '-o', os.devnull]
                if subprocess.run(probe, input='int main(void) { return 0; }', text=True, capture_output=True).returncode:
                    raise Missing(f'no {need} here')
            elif need.startswith('python3-'):
                if subprocess.run(['python3', '-c', f'import {need[8:]}'], capture_output=True).returncode:
                    raise Missing(f'Python has no {need[8:]} here')
            elif subprocess.run(['pkg-config', '--exists', need]).returncode:
                raise Missing(f'no {need} here')
            else:
                modules.append(need)
        found = self.command('pkg-config', '--cflags', '--libs', *modules)
        return flags + shlex.split(found)

    def compile(self, block):
        self.command(*self.compiler, *WARNINGS, block.file, '-o', block.file + '.run', *self.flags(block), '-lm')

    def run_programs(self):
        for block in self.programs:
            runner = ['python3', block.file] if block.kind == 'python' else [f'./{block.file}.run']
            self.printed.append((str(block), self.command(*runner)))
        self.programs = []

    def look_at(self, block):
        """One block. Its place among the others matters: text belongs to what stands before it."""
        given = block.remark('given')
        if given is not None:
            self.given += given + '\n'
        if block.kind not in ('c', 'python', 'text', 'sh', 'console'):
            raise Wrong(f'no such kind of block: "{block.kind}"')
        {'text': self.text, 'sh': self.sh, 'console': self.console}.get(block.kind, self.code)(block)

    def code(self, block):
        if not block.is_program:
            self.part(block)
            return
        if block.name and (EXAMPLES / block.name).exists() and (EXAMPLES / block.name).read_text() != block.body:
            raise Wrong(f'doc/examples/{block.name} is another program')
        try:
            if block.kind == 'c':
                self.compile(block)
            else:
                self.flags(block)
        except Missing:
            self.was_skipped = True
            raise
        self.programs.append(block)

    def part(self, block):
        if block.part_of:
            whole = next((other.body for other in self.blocks if other.name == block.part_of), None)
            rest = iter((whole or (EXAMPLES / block.part_of).read_text()).split('\n'))
            for line in block.body.split('\n'):
                if line and line not in rest:
                    raise Wrong(f'{block.part_of} has no such line there: {line}')
            return
        inside = block.remark('inside')
        if inside is None and block.remark('outside functions') is None:
            raise Wrong('neither a program nor said where it would be')
        body = block.body if inside is None else f'{inside}\n{{\n{block.body}}}\n'
        text = f'{HEADERS}{self.given}{"" if inside is None else inside + ";" + chr(10)}{body}'
        self.command(*self.compiler, *WARNINGS, '-Wno-unused', '-x', 'c', '-c', '-', '-o', os.devnull, *self.flags(block),
                     text=text)

    def text(self, block):
        self.run_programs()
        if not self.printed and not self.was_skipped:
            raise Wrong('what prints this?')
        outputs, self.printed, self.was_skipped = self.printed, [], False
        for by, printed in outputs:
            try:
                compare(block.text, printed, block.remark('measured') is not None)
            except Wrong as wrong:
                raise Wrong(f'{by}\n{wrong}') from None

    def not_run_by_itself(self, commands):
        self.programs = [block for block in self.programs if block.name is None or block.name not in commands]

    def sh(self, block):
        elsewhere = block.remark('run by')
        if elsewhere is not None:
            file, words = elsewhere.split(': ')
            for phrase in words.split(', '):
                if phrase not in (ROOT / file).read_text() or phrase not in block.text:
                    raise Wrong(f'{file}, or the block, has no {phrase}')
            return
        self.flags(block)
        self.not_run_by_itself(block.text)
        printed = self.command('sh', '-e', '-c', block.text)
        if printed:
            self.printed.append((str(block), printed))

    def console(self, block):
        self.flags(block)
        self.not_run_by_itself(block.text)
        for part in ('\n' + block.text).split('\n$ ')[1:]:
            command, _, shown = part.partition('\n')
            command = re.sub(r'\s{2,}\(.*\)$', '', command)
            printed = self.command('sh', '-e', '-c', f'exec 2>&1\n{command}')
            if shown or printed:
                compare(shown, printed, block.remark('measured') is not None)

    def cases(self):
        """(what, None or why it is wrong, None or why it was skipped) of each block."""
        for block in self.blocks:
            try:
                self.look_at(block)
                yield block, None, None
            except Missing as missing:
                yield block, None, missing
            except Wrong as wrong:
                yield block, wrong, None
        for block in self.programs:
            yield block, Wrong('what it prints is not shown'), None


def install(build, work):
    """Installs a copy, tells pkg-config where it is, and gives the environment to work in."""
    subprocess.run(['meson', 'install', '-C', build, '--no-rebuild', '--destdir', work, '--tags', 'devel,runtime'],
                   check=True, stdout=subprocess.DEVNULL)
    configs = sorted(work.rglob('parexec*.pc'))
    for config in configs:
        prefix = re.search(r'^prefix=(.*)', config.read_text(), re.MULTILINE)[1]
        config.write_text(config.read_text().replace(f'prefix={prefix}', f'prefix={work}{prefix}', 1))
    environment = dict(os.environ, PKG_CONFIG_PATH=str(configs[0].parent), LD_LIBRARY_PATH=str(configs[0].parents[1]),
                       PATH=f'{work}{prefix}/bin:{work}/bin:{os.environ["PATH"]}')
    for name in ('PAREXEC_PROFILE', 'MALLOC_PERTURB_', 'CFLAGS', 'LDFLAGS'):
        environment.pop(name, None)
    return environment


def wrap_compiler(work, compiler):
    """So that `cc` in a command is the compiler that the library was built with."""
    (work / 'bin').mkdir()
    path = work / 'bin' / 'cc'
    path.write_text(f'#!/bin/sh\nexec {shlex.join(compiler)} "$@"\n')
    path.chmod(0o755)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cc', default='cc')
    parser.add_argument('build')
    parser.add_argument('chapters', nargs='+', type=pathlib.Path)
    arguments = parser.parse_args()
    failed = count = 0
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        environment = install(arguments.build, work)
        # By their paths: what is only named would be the wrapper.
        compiler = [shutil.which(word) or word for word in shlex.split(arguments.cc)]
        wrap_compiler(work, compiler)

        def cases_of(path):
            return list(Chapter(path, work / path.stem, compiler, environment).cases())

        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            for cases in threads.map(cases_of, arguments.chapters):
                for block, wrong, missing in cases:
                    count += 1
                    failed += wrong is not None
                    print('not ok' if wrong else 'ok', count, '-', block, f'# SKIP {missing}' if missing else '')
                    if wrong:
                        print(re.sub('^', '#   ', str(wrong), flags=re.MULTILINE))
    print(f'1..{count}')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
