#!/usr/bin/env python3
"""test-compress.py PROGRAM: what doc/examples/compress.c makes of files is read by gunzip, byte for byte, also while its
workers are killed. TAP."""

import gzip
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'harness'))
from tap import GUARD, differences, run

ROOT = pathlib.Path(__file__).parent.parent
PIECE = 128 << 10
SOURCES = b''.join(path.read_bytes() for path in sorted(ROOT.glob('lib/**/*.[ch]')))


def compress(program, data, *options):
    done = subprocess.run([program, *options], input=data, capture_output=True, timeout=GUARD, check=False)
    if done.returncode != 0 or (done.stderr and '-v' not in options):
        raise AssertionError(f'ended with {done.returncode}: {done.stderr}')
    return done.stdout


def returns(program, data, *options):
    """What is wrong when gunzip has read it."""
    packed = compress(program, data, *options)
    done = subprocess.run(['gunzip', '-c'], input=packed, capture_output=True, timeout=GUARD, check=False)
    wrong = [] if done.returncode == 0 and not done.stderr else [done.stderr]
    return wrong + ([] if done.stdout == data else [f'{len(data)} bytes came back as {len(done.stdout)} others'])


def sources_of_this_library(program):
    return returns(program, SOURCES) + returns(program, SOURCES, '-1', '-w', '5') + returns(program, SOURCES, '-9')


def sizes_around_those_of_pieces(program):
    sizes = [0, 1, 2, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]
    return [problem for size in sizes for problem in returns(program, SOURCES[:size])]


def what_cannot_be_compressed(program):
    return returns(program, os.urandom(5 * PIECE + 77), '-9') + returns(program, bytes(3 * PIECE))


def pieces_know_what_was_before_them(program):
    """As small as gzip makes it, but for the ends of pieces."""
    bytes_here, bytes_there = len(compress(program, SOURCES)), len(gzip.compress(SOURCES, 6))
    pieces = len(SOURCES) // PIECE + 1
    return [] if bytes_here < bytes_there * 1.01 + 64 * pieces else [f'{bytes_here} bytes, gzip {bytes_there}']


def workers(host):
    """The pool's processes have its program; those whose parent has it too, but is not the host, are workers."""
    parents = {}
    for entry in pathlib.Path('/proc').iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / 'exe') == os.readlink(f'/proc/{host}/exe'):
                parents[int(entry.name)] = int((entry / 'stat').read_text().rpartition(')')[2].split()[1])
        except OSError:
            continue
    return [pid for pid, parent in parents.items() if parent in parents and parent != host]


def workers_that_are_killed_cost_nothing(program):
    data = SOURCES * 4
    killed = []
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with subprocess.Popen([program, '-9', '-w', '2', '-v'], stdin=file, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            packed = b''
            for part in iter(lambda: process.stdout.read(20000), b''):
                packed += part
                for pid in [pid for pid in workers(process.pid) if pid not in killed][:len(killed) < 5]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            errors = process.stderr.read().decode()
    wrong = differences(re.findall(r'workers replaced: (\d+)', errors), ['5'])
    return wrong + ([] if gzip.decompress(packed) == data else ['other bytes came back'])


def a_full_disk_is_told(program):
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([program], input=SOURCES, stdout=full, stderr=subprocess.PIPE, timeout=GUARD, check=False)
    return differences((done.returncode, done.stderr), (1, b'compress: No space left on device\n'))


run([sources_of_this_library, sizes_around_those_of_pieces, what_cannot_be_compressed,
     pieces_know_what_was_before_them, workers_that_are_killed_cost_nothing, a_full_disk_is_told], *sys.argv[1:])
