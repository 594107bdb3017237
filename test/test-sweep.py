#!/usr/bin/env python3
"""test-sweep.py PROGRAM: what doc/examples/sweep.c finds for the influenza of 1978, beside the same estimate made here
on a grid of parameters. TAP."""

import math
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'harness'))
from tap import GUARD, differences, run

FILE = pathlib.Path(__file__).parent.parent / 'doc' / 'examples' / 'influenza.txt'
GRID = 40


def sweep(program, *options):
    done = subprocess.run([program, *options, str(FILE)], capture_output=True, text=True, timeout=GUARD, check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f'ended with {done.returncode}: {done.stderr}')
    return done.stdout


def likelihood(people, observed, infects, days_ill):
    ill, healthy, total = observed[0], people - observed[0], 0
    for count in observed[1:]:
        for _ in range(20):  # Euler's method with the middle of each step
            slopes = 0, 0
            for half in (0, 0.5):
                h, i = healthy + half * slopes[0] / 20, ill + half * slopes[1] / 20
                new = infects / days_ill * h * i / people
                slopes = -new, new - i / days_ill
            healthy, ill = healthy + slopes[0] / 20, ill + slopes[1] / 20
        total += count * math.log(ill) - ill
    return total


def estimate():
    """Mean and standard deviation of both parameters."""
    people, *observed = [float(line) for line in FILE.read_text().splitlines() if not line.startswith('#')]
    points = [(3.2 + 0.8 * i / GRID, 1.9 + 0.5 * k / GRID) for i in range(GRID) for k in range(GRID)]
    logs = [likelihood(people, observed, *point) for point in points]
    weights = [math.exp(log - max(logs)) for log in logs]
    found = []
    for values in zip(*points):
        mean = sum(w * value for w, value in zip(weights, values)) / sum(weights)
        variance = sum(w * (value - mean) ** 2 for w, value in zip(weights, values)) / sum(weights)
        found.append((mean, math.sqrt(variance)))
    return found


def the_estimate_is_right(program):
    text = sweep(program, '-n', '400000')
    lines = re.findall(r': best (\S+), mean (\S+) \+- (\S+), sum 0x', text)
    wrong = []
    for line, (mean, deviation) in zip(lines, estimate(), strict=True):
        found = [float(number) for number in line]
        if abs(found[0] - mean) > 2 * deviation or abs(found[1] - mean) > deviation / 2 or not (
                0.7 < found[2] / deviation < 1.4):
            wrong.append(f'{found}, on the grid {mean} +- {deviation}')
    return wrong


def any_number_of_workers_gives_the_same_digits(program):
    one, *others = [sweep(program, '-n', '30001', '-w', workers) for workers in ('1', '2', '5')]
    return differences(others, [one, one])


def another_seed_gives_others(program):
    found = {sweep(program, '-n', '3000', '-s', seed) for seed in ('1', '2', '3')}
    return differences(len(found), 3)


def bad_files_are_refused(program):
    wrong = []
    with tempfile.NamedTemporaryFile('w') as file:
        file.write('763\n0\n3\n')
        file.flush()
        for path, text in ((file.name, 'there is none'), ('/nowhere', 'no such file, directory or name'),
                           ('/', 'there is none')):
            done = subprocess.run([program, path], capture_output=True, text=True, timeout=GUARD, check=False)
            wrong += differences((done.returncode, done.stdout, done.stderr), (1, '', f'sweep: {text}\n'))
    return wrong


run([the_estimate_is_right, any_number_of_workers_gives_the_same_digits, another_seed_gives_others,
     bad_files_are_refused], *sys.argv[1:])
