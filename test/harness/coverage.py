"""coverage.py SUMMARY.json: what gcovr counted, room by room."""

import json
import sys


def share(covered, total):
    return f'{100 * covered / total:.1f} %' if total else '-'


def main(path):
    with open(path, encoding='utf-8') as summary:
        files = json.load(summary)['files']
    rooms = {}
    for file in files:
        parts = file['filename'].split('/')
        for room in (parts[1] if len(parts) > 2 else 'lib', 'all'):
            sums = rooms.setdefault(room, [0] * 4)
            for i, name in enumerate(('line_covered', 'line_total', 'branch_covered', 'branch_total')):
                sums[i] += file[name]
    whole = rooms.pop('all')
    print('| room | lines | run | branches | taken |\n|---|---|---|---|---|')
    for room, sums in sorted(rooms.items()) + [('all', whole)]:
        print(f'| {room} | {sums[1]} | {share(*sums[:2])} | {sums[3]} | {share(*sums[2:])} |')


if __name__ == '__main__':
    main(sys.argv[1])
