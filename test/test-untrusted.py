#!/usr/bin/env python3
"""test-untrusted.py PROGRAM: the table that doc/examples/untrusted makes of good and of hostile sound files, which are
made here byte by byte. TAP."""

import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import wave

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'harness'))
from tap import GUARD, differences, run

RATE = 8000


def chunk(name, body, size=None):
    return name + struct.pack('<I', len(body) if size is None else size) + body + b'\0' * (len(body) % 2)


def form(channels=1, frame=2, bits=16):
    return chunk(b'fmt ', struct.pack('<HHIIHH', 1, channels, RATE, RATE * frame, frame, bits))


def riff(*chunks):
    body = b''.join(chunks)
    return b'RIFF' + struct.pack('<I', 4 + len(body)) + b'WAVE' + body


def tone(path, seconds, level):
    """Written by Python's own module."""
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for frame in range(int(RATE * seconds)):
            sample = int(level * 32767 * math.sin(math.pi / 2 * frame))
            file.writeframesraw(struct.pack('<hh', sample, sample // 2))


SAMPLES = chunk(b'data', struct.pack('<4h', 0, 16384, -32768, 7))
DEEP = b''.join(b'LIST' + struct.pack('<I', 0xfffffff0) + b'INFO' for _ in range(400000))
# Name, bytes, and the line of the table as an extended regular expression.
FILES = [
    ('plain', riff(form(), SAMPLES), r'8000 Hz, channels: 1, 0\.00 s, peak 1\.000'),
    ('titled', riff(chunk(b'LIST', b'INFO' + chunk(b'INAM', b'Bourr\xc3\xa9e\0')), form(), SAMPLES),
     r'8000 Hz, channels: 1, 0\.00 s, peak 1\.000, "Bourrée"'),
    ('escapes', riff(chunk(b'INAM', b'\x1b]0;mine\x07\0'), form(), SAMPLES),
     r'8000 Hz, channels: 1, 0\.00 s, peak 1\.000, "\?]0;mine\?"'),
    ('empty', b'', r'refused: too short'),
    ('noise', bytes(range(256)), r'refused: not a WAV file'),
    ('bits', riff(form(bits=24), SAMPLES), r'refused: not 16 bits a sample'),
    ('silent', riff(form()), r'refused: no samples'),
    ('divides-by-zero', riff(form(frame=0), SAMPLES),
     r'killed by signal 8 \(.+\)\n    #0 .*(measure|wav_read)\+0x[0-9a-f]+ .*'),
    ('recurses', riff(form(), DEEP), r'killed by signal 11 \(.+\)\n    #0 .*read_chunks\+0x[0-9a-f]+ .*'),
    ('overruns', riff(chunk(b'INAM', b'x' * (1 << 20) + b'\0'), form(), SAMPLES),
     r'killed by signal (6|11) \(.+\)\n    #0 .*'),
    ('hangs', riff(form(), chunk(b'junk', b'', 0xfffffff8)), r'took too long'),
    ('swallows', riff(form(), chunk(b'data', b'', 0xffffffff)), r'took too much memory'),
    ('unfinished', riff(form(), SAMPLES)[:-3], r'8000 Hz, .*'),
]
MANY = 40


def table(program, files, *options):
    """Exit status and text for these files, in a directory of their own."""
    with tempfile.TemporaryDirectory() as directory:
        for name, data in files:
            (pathlib.Path(directory) / name).write_bytes(data)
        tone(pathlib.Path(directory) / 'tone', 0.5, 0.25)
        names = [name for name, _ in files] + ['tone']
        done = subprocess.run([pathlib.Path(program).resolve(), '-t', '300', *options, *names], cwd=directory,
                              capture_output=True, text=True, timeout=GUARD, check=False)
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode, done.stdout


def each_file_has_its_line(program, *options):
    status, text = table(program, [(name, data) for name, data, _ in FILES], *options)
    wanted = ''.join(f'{name}: {line}\n' for name, _, line in FILES)
    wanted += r'tone: 8000 Hz, channels: 2, 0\.50 s, peak 0\.250' + '\n'
    return differences(status, 1) + ([] if re.fullmatch(wanted, text) else [text])


def one_worker_after_all_of_them(program):
    return each_file_has_its_line(program, '-w', '1')


def nothing_but_crashes(program):
    bad = [(f'bad{i}', riff(form(frame=0), SAMPLES)) for i in range(MANY)]
    status, text = table(program, bad, '-w', '2')
    found = [len(re.findall(line, text, re.M)) for line in (r'^bad\d+: killed by signal 8 ', r'^tone: 8000 Hz')]
    return differences([status, *found], [1, MANY, 1])


def good_files_are_success(program):
    status, text = table(program, [(name, data) for name, data, _ in FILES[:7]])
    return differences([status, text.count('\n')], [0, 8])


run([each_file_has_its_line, one_worker_after_all_of_them, nothing_but_crashes, good_files_are_success], *sys.argv[1:])
