"""Read by tests that are scripts: cases are functions that return what was wrong, each a line of TAP."""

import sys

GUARD = 120  # seconds after which something hangs
SHOWN = 4000  # characters of what was wrong


def differences(found, wanted):
    return [] if found == wanted else [f'found {found}', f'wanted {wanted}']


class Skip(Exception):
    """Raised by a case that cannot be tried here, with the reason."""


def run(cases, *args):
    """Calls each with the arguments, and ends the program. The arguments --skip REASON: all of them are left out."""
    if args[:1] == ('--skip',):
        print(f'1..0 # SKIP {args[1]}')
        sys.exit(0)
    failed = 0
    for number, case in enumerate(cases, 1):
        reason = ''
        try:
            wrong = case(*args)
        except Skip as skip:
            wrong, reason = [], f' # SKIP {skip}'
        except Exception as error:  # the next cases still run
            wrong = [repr(error)]
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {case.__name__}{reason}', flush=True)
        for line in wrong:
            print('# ' + str(line)[:SHOWN].replace('\n', '\n# '))
    print(f'1..{len(cases)}')
    sys.exit(1 if failed else 0)
