#!/usr/bin/env python3
"""test-mandelbrot.py PROGRAM: pictures of doc/examples/mandelbrot.c, unpacked and compared with what is computed
here. TAP."""

import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'harness'))
from tap import GUARD, Skip, differences, run

STOPS = [(0, 7, 100), (32, 107, 203), (237, 255, 255), (255, 170, 0), (0, 2, 0)]
OFF = 0.002  # share of pixels that may differ, where processors round otherwise


def picture(program, *options):
    done = subprocess.run([program, *options], capture_output=True, timeout=GUARD, check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f'ended with {done.returncode}: {done.stderr}')
    return done.stdout


def unfiltered(kind, line, above):
    """A line of a PNG, whose bytes are differences from what is left and above (PNG specification, 9.2)."""
    for i, byte in enumerate(line):
        a, b, c = (line[i - 3], above[i], above[i - 3]) if i >= 3 else (0, above[i], 0)
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        line[i] = (byte + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
    return line


def pixels(data):
    """Width, height and rows of an RGB picture."""
    if data[:8] != b'\x89PNG\r\n\x1a\n':
        raise AssertionError('no PNG')
    at, packed = 8, b''
    while at < len(data):
        size, name = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0] != zlib.crc32(name + body):
            raise AssertionError(f'checksum of {name}')
        width, height, *form = struct.unpack('>IIBBBBB', body) if name == b'IHDR' else (width, height, *form)
        packed += body if name == b'IDAT' else b''
        at += 12 + size
    lines, rows = zlib.decompress(packed), [bytearray(3 * width)]
    for row in range(height):
        line = lines[row * (3 * width + 1):(row + 1) * (3 * width + 1)]
        rows.append(unfiltered(line[0], bytearray(line[1:]), rows[-1]))
    return width, height, form, [[tuple(row[3 * i:3 * i + 3]) for i in range(width)] for row in rows[1:]]


def colour(point, iterations):
    z = 0
    for step in range(iterations):
        z = complex(z.real * z.real - z.imag * z.imag + point.real, 2 * z.real * z.imag + point.imag) if step else point
        if z.real * z.real + z.imag * z.imag > 4:
            start, part = divmod(step % 80, 16)
            return tuple((a * (16 - part) + b * part) // 16 for a, b in zip(STOPS[start], STOPS[(start + 1) % 5]))
    return 0, 0, 0


def compared(data, width, height, iterations, middle=-0.7 + 0j, zoom=1):
    """What differs from the picture as it is computed here."""
    found = pixels(data)
    step = 2.5 / zoom / height
    wanted = [[colour(complex(middle.real + (column - (width - 1) / 2) * step,
                              middle.imag - (row - (height - 1) / 2) * step), iterations) for column in range(width)]
              for row in range(height)]
    off = sum(a != b for one, other in zip(found[3], wanted) for a, b in zip(one, other))
    return differences(found[:3], (width, height, [8, 2, 0, 0, 0])) + (
        [] if off <= OFF * width * height else [f'{off} pixels differ'])


def the_whole_set(program):
    data = picture(program, '-s', '150x100', '-i', '100')
    rows = pixels(data)[3]
    return compared(data, 150, 100, 100) + differences([rows[50][75], rows[0][0]], [(0, 0, 0), STOPS[0]])


def a_part_of_it(program):
    return compared(picture(program, '-s', '61x40', '-c', '-0.7436,0.1318', '-z', '300', '-i', '300'), 61, 40, 300,
                    -0.7436 + 0.1318j, 300)


def one_pixel_and_thin_ones(program):
    return [problem for width, height in ((1, 1), (1, 50), (50, 1)) for problem in
            compared(picture(program, '-s', f'{width}x{height}', '-i', '60'), width, height, 60)]


def any_number_of_workers(program):
    one, *others = [picture(program, '-s', '300x200', '-w', workers) for workers in ('1', '2', '5')]
    return [] if others == [one, one] else ['the pictures differ']


def pngcheck(program):
    if not shutil.which('pngcheck'):
        raise Skip('no pngcheck here')
    with tempfile.NamedTemporaryFile(suffix='.png') as file:
        file.write(picture(program))
        file.flush()
        done = subprocess.run(['pngcheck', '-q', file.name], capture_output=True, text=True, timeout=GUARD, check=False)
    return differences((done.returncode, done.stdout), (0, ''))


def bad_arguments(program):
    wrong = []
    for options in (['-s', '0x5'], ['-s', '5'], ['-z', '0'], ['-s', '5x99999999'], ['-q'], ['more']):
        done = subprocess.run([program, *options], capture_output=True, timeout=GUARD, check=False)
        wrong += differences((options, done.returncode, len(done.stdout)), (options, 2, 0))
    return wrong


run([the_whole_set, a_part_of_it, one_pixel_and_thin_ones, any_number_of_workers, pngcheck, bad_arguments],
    *sys.argv[1:])
