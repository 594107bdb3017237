#!/usr/bin/env python3
"""check.py [--long] [WORD...]: has spin look at every reachable state of the models. TAP, one case for each check, of
those whose names contain one of the words, if there are any. README.md tells what is checked and what is not."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MB = 1900
DEPTH_MOST = 20000  # far more than the longest run of any model: a check that gets there fails
HASH_BITS = 24

# Every assertion holds, and no process stops where it may not: name, model, its bounds.
SAFE = [
    ('jobs: a death, records used again', 'jobs', 'JOBS=3 DEATHS=1 STOPS=0 FORK_FAILURES=0'),
    ('jobs: a death, a cancel', 'jobs', 'JOBS=2 DEATHS=1 STOPS=1 FORK_FAILURES=0'),
    ('jobs: a death, no process to be had', 'jobs', 'JOBS=2 DEATHS=1 STOPS=0 FORK_FAILURES=1'),
    ('jobs: a death, a deadline', 'jobs', 'JOBS=2 DEATHS=1 STOPS=0 FORK_FAILURES=0 EXPIRES=1'),
    ('jobs: a death, one for a single worker', 'jobs', 'JOBS=2 DEATHS=1 STOPS=0 FORK_FAILURES=0 ADDRESSED=1'),
    ('jobs: a cancel, one for each single worker', 'jobs', 'JOBS=2 DEATHS=0 STOPS=1 FORK_FAILURES=0 ADDRESSED=2'),
    ('bells: two jobs', 'bells', 'JOBS=2 DEATHS=0'),
    ('bells: two jobs at once, a death', 'bells', 'JOBS=2 DEATHS=1 WAITS=0'),
    ('bells: two jobs at once, a worker leaves', 'bells', 'JOBS=2 DEATHS=0 IDLES=1 WAITS=0'),
    ('lanes: two, a death, a leave, an orphan', 'lanes', 'LANES=2 ITEMS=5 DEATHS=1 LEAVES=1 ORPHANS=1'),
    ('lanes: two, a death, cancelled', 'lanes', 'LANES=2 ITEMS=4 DEATHS=1 LEAVES=0 ORPHANS=0 CANCELS=1'),
    ('lanes: three, a death', 'lanes', 'LANES=3 ITEMS=5 DEATHS=1 LEAVES=0 ORPHANS=0'),
    ('lanes: two, a time-out', 'lanes', 'LANES=2 ITEMS=4 DEATHS=0 LEAVES=0 ORPHANS=0 TIMEOUTS=1'),
    ('lanes: two, a death, a time-out', 'lanes', 'LANES=2 ITEMS=3 DEATHS=1 LEAVES=0 ORPHANS=0 TIMEOUTS=1'),
    ('lanes: three, items that wait for each other', 'lanes',
     'LANES=3 WORKERS=3 ITEMS=3 CHUNK=1 DEATHS=0 LEAVES=0 ORPHANS=0 MEETS=1'),
    ('watch: two workers', 'watch', 'JOBS=2'),
]
SAFE_LONG = [
    ('jobs: a death, a cancel, no process to be had', 'jobs', 'JOBS=2 DEATHS=1 STOPS=1 FORK_FAILURES=1'),
    ('jobs: two deaths, no process to be had', 'jobs', 'JOBS=2 DEATHS=2 STOPS=0 FORK_FAILURES=1'),
    ('jobs: a death, a cancel, one for each single worker', 'jobs',
     'JOBS=2 DEATHS=1 STOPS=1 FORK_FAILURES=0 ADDRESSED=2'),
    ('bells: two jobs, a death', 'bells', 'JOBS=2 DEATHS=1'),
    ('bells: three jobs at once', 'bells', 'JOBS=3 DEATHS=0 WAITS=0'),
    ('bells: one job, two deaths', 'bells', 'JOBS=1 DEATHS=2'),
    ('bells: one job, a death, a worker leaves', 'bells', 'JOBS=1 DEATHS=1 IDLES=1 WAITS=0'),
    ('bells: one job, both workers leave', 'bells', 'JOBS=1 DEATHS=0 IDLES=2 WAITS=0'),
    ('lanes: two, two deaths, a leave, an orphan', 'lanes', 'LANES=2 ITEMS=4 DEATHS=2 LEAVES=1 ORPHANS=1'),
    ('lanes: two, a death, an orphan, cancelled', 'lanes', 'LANES=2 ITEMS=4 DEATHS=1 LEAVES=0 ORPHANS=1 CANCELS=1'),
    ('lanes: three, a death, an orphan', 'lanes', 'LANES=3 ITEMS=5 DEATHS=1 LEAVES=0 ORPHANS=1'),
]
# No run goes round in a circle, so each comes to its end.
ENDING = [
    ('jobs: every run ends', 'jobs', 'JOBS=1 DEATHS=1 STOPS=1 FORK_FAILURES=1'),
    ('jobs: every run ends, one for a single worker', 'jobs',
     'JOBS=1 DEATHS=1 STOPS=1 FORK_FAILURES=1 ADDRESSED=1'),
    ('bells: every run ends', 'bells', 'JOBS=2 DEATHS=0 WAITS=0'),
    ('lanes: every run ends', 'lanes', 'LANES=2 ITEMS=4 DEATHS=1 LEAVES=0 ORPHANS=1'),
]
ENDING_LONG = [
    ('jobs: every run ends, two jobs', 'jobs', 'JOBS=2 DEATHS=1 STOPS=0 FORK_FAILURES=0'),
    ('bells: every run ends, with a death', 'bells', 'JOBS=1 DEATHS=1'),
    ('lanes: every run ends, cancelled', 'lanes', 'LANES=2 ITEMS=4 DEATHS=1 LEAVES=0 ORPHANS=0 CANCELS=1'),
    ('lanes: every run ends, with three lanes', 'lanes', 'LANES=3 ITEMS=5 DEATHS=1 LEAVES=0 ORPHANS=0'),
]
# A planted defect has to be found, and by the right error: its name, model, bounds, what pan says.
DEADLOCK = r'invalid end state'
DEFECTS = [
    ('NO_SECOND_LOOK', 'bells', 'JOBS=2 DEATHS=0', DEADLOCK),
    ('STALE_ANNOUNCEMENT', 'bells', 'JOBS=2 DEATHS=0', DEADLOCK),
    ('KEEPER_RINGS_NOBODY', 'bells', 'JOBS=2 DEATHS=1', DEADLOCK),
    ('LEAVES_WITHOUT_LOOKING', 'bells', 'JOBS=2 DEATHS=0 IDLES=2 WAITS=0', DEADLOCK),
    ('CALLED_TOO_EARLY', 'bells', 'JOBS=2 DEATHS=0 IDLES=2 WAITS=0', DEADLOCK),
    ('STEAL_WITHOUT_COMPARE', 'lanes', 'LANES=2 ITEMS=4 DEATHS=0', r'assertion violated.*states\[first\]'),
    ('NAME_DROPPED', 'lanes', 'LANES=3 ITEMS=5 DEATHS=1 LEAVES=0 ORPHANS=0', r'assertion violated.*states\[item\]'),
    ('LEFT_TO_ITS_OWNER', 'lanes', 'LANES=3 WORKERS=3 ITEMS=3 CHUNK=1 DEATHS=0 LEAVES=0 ORPHANS=0 MEETS=1', DEADLOCK),
    ('COMPLETE_BEFORE_RESULT', 'jobs', 'JOBS=2 DEATHS=0 STOPS=0 FORK_FAILURES=0', r'assertion violated.*endings'),
    ('PASSED_BY_OLD_WORD', 'jobs', 'JOBS=2 DEATHS=0 STOPS=0 FORK_FAILURES=0', DEADLOCK),
    ('CLEARED_TOO_EARLY', 'jobs', 'JOBS=2 DEATHS=1 STOPS=0 FORK_FAILURES=0 ADDRESSED=1', DEADLOCK),
    ('NO_STOPPING', 'jobs', 'JOBS=2 DEATHS=0 STOPS=1 FORK_FAILURES=0', r'assertion violated.*killed'),
    ('NOT_CONDEMNED', 'lanes', 'LANES=2 ITEMS=3 DEATHS=0 LEAVES=0 ORPHANS=0 TIMEOUTS=1',
     r'assertion violated.*killed'),
    ('LOOKED_TOO_EARLY', 'watch', 'JOBS=2', DEADLOCK),
    ('KEEPER_LOOKS_ONCE', 'watch', 'JOBS=2', DEADLOCK),
]


def run(command, directory):
    return subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def build(model, defines, kind, optimised, directory):
    """The program that looks at all states; '' or what went wrong."""
    generated = run(['spin', '-a', *defines, str(HERE / f'{model}.pml')], directory)
    if generated.returncode != 0:
        return generated.stdout
    compiler = os.environ.get('CC', 'cc').split()
    compiled = run([*compiler, '-O1' if optimised else '-O0', '-w', '-DCOLLAPSE', f'-DMEMLIM={MEMORY_MB}', f'-D{kind}',
                    '-o', 'pan', 'pan.c'], directory)
    return compiled.stdout if compiled.returncode != 0 else ''


def explain(model, defines, directory):
    """The last steps of the run that went wrong."""
    trail = run(['spin', '-t', '-p', '-g', *defines, '-k', f'{model}.pml.trail', str(HERE / f'{model}.pml')], directory)
    return '\n'.join(line.replace(f'{HERE}/', '') for line in trail.stdout.splitlines()[-150:])


def look(model, bounds, kind, defect=None):
    """(what pan found wrong or '', one line of figures, the trail)."""
    defines = [f'-D{bound}' for bound in bounds.split()] + ([f'-DDEFECT_{defect}'] if defect else [])
    with tempfile.TemporaryDirectory(prefix='parexec-model-') as directory:
        problem = build(model, defines, kind, defect is None, directory)
        if problem:
            return 'does not compile', '', problem
        begin = time.monotonic()
        result = run(['./pan', f'-m{DEPTH_MOST}', f'-w{HASH_BITS}', '-n', *(['-l'] if kind == 'NP' else [])], directory)
        seconds = time.monotonic() - begin
        output = result.stdout
        error = re.search(r'^pan:1: (.*)$', output, re.MULTILINE)
        states = re.search(r'(\d+) states, stored', output)
        depth = re.search(r'depth reached (\d+), errors: (\d+)', output)
        figures = f'{states.group(1)} states, depth {depth.group(1)}, {seconds:.1f} s' if states and depth else ''
        if error:
            return error.group(1), figures, explain(model, defines, directory)
        complete = figures and depth.group(2) == '0' and 'not completed' not in output and 'too small' not in output
        return '' if complete and result.returncode == 0 else 'the search was not completed', figures, output


def check_holds(model, bounds, kind):
    wrong, figures, text = look(model, bounds, kind)
    return not wrong, figures, f'{wrong}\n{text}'


def check_found(defect, model, bounds, wanted):
    wrong, figures, text = look(model, bounds, 'SAFETY', defect)
    return re.search(wanted, wrong) is not None, figures, f'found instead: {wrong or "nothing"}\n{text}'


def cases(long):
    for name, model, bounds in SAFE + (SAFE_LONG if long else []):
        yield name, lambda model=model, bounds=bounds: check_holds(model, bounds, 'SAFETY')
    for name, model, bounds in ENDING + (ENDING_LONG if long else []):
        yield name, lambda model=model, bounds=bounds: check_holds(model, bounds, 'NP')
    for defect, model, bounds, wanted in DEFECTS:
        planted = (defect, model, bounds, wanted)
        yield f'{model}: planted {defect} is found', lambda planted=planted: check_found(*planted)


def main(arguments):
    long = '--long' in arguments or os.environ.get('PAREXEC_TEST_LONG') == '1'
    words = [argument for argument in arguments if argument != '--long']
    if shutil.which('spin') is None:
        print("1..0 # SKIP spin is not installed (Debian's package spin)")
        return 0  # how TAP says what exit status 77 says elsewhere
    count = failed = 0
    for name, check in cases(long):
        if words and not any(word in name for word in words):
            continue
        count += 1
        ok, figures, text = check()
        print(f'{"ok" if ok else "not ok"} {count} - {name} ({figures})', flush=True)
        if not ok:
            failed += 1
            print('\n'.join(f'#   {line}' for line in text.splitlines()), flush=True)
    print(f'1..{count}')
    return 1 if failed or count == 0 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
