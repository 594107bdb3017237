"""count.py TESTLOG.json: counts the test cases of a run of meson test, names those that failed or were
skipped, and closes with one line. Exit status 1 when one failed or none ran."""

import json
import re
import sys

CASE = re.compile(r'^(ok|not ok)\b[ ]*\d*[ ]*-?[ ]*(.*?)(?:\s+#\s*SKIP\b[: ]*(.*))?$', re.IGNORECASE)
SKIP_NOTE = re.compile(r'^# SKIP (\w+): (.*)$')


def count_tap(output):
    """(passed names, failed names, skipped (name, reason)) of one program's output."""
    lines = output.splitlines()
    notes = {}
    for line in lines:
        note = SKIP_NOTE.match(line)
        if note:
            notes[note.group(1)] = note.group(2)
    passed, failed, skipped = [], [], []
    for line in lines:
        case = CASE.match(line)
        if not case:
            continue
        verdict, name, reason = case.groups()
        # Check writes FILE:CASE:TEST: MESSAGE; scripts write a plain name.
        parts = name.split(':')
        test = parts[2] if len(parts) > 3 else name
        if verdict == 'not ok':
            failed.append(name)
        elif reason is not None:
            skipped.append((name, reason))
        elif test in notes:
            skipped.append((test, notes[test]))
        else:
            passed.append(name)
    return passed, failed, skipped


def main(path):
    passed = 0
    failed, skipped = [], []
    try:
        with open(path, encoding='utf-8') as log:
            runs = [json.loads(line) for line in log]
    except FileNotFoundError:
        runs = []
        failed.append('meson test wrote no log')
    for run in runs:
        output = run.get('stdout') or ''
        here_passed, here_failed, here_skipped = count_tap(output)
        program = run['name']
        result = run['result']
        passed += len(here_passed)
        failed += [f'{program}: {name}' for name in here_failed]
        skipped += [(f'{program}: {name}', reason) for name, reason in here_skipped]
        if result in ('FAIL', 'ERROR', 'TIMEOUT', 'INTERRUPT', 'UNEXPECTEDPASS') and not here_failed:
            failed.append(f'{program}: the program itself ({result})')
        elif not (here_passed or here_failed or here_skipped):
            if result == 'SKIP':
                last = [line for line in output.splitlines() if line.strip()][-1:]
                skipped.append((program, last[0] if last else 'no reason given'))
            else:
                passed += 1
    for name, reason in skipped:
        print(f'skipped: {name}: {reason}')
    for name in failed:
        print(f'failed: {name}')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    return 1 if failed or passed + len(skipped) == 0 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
