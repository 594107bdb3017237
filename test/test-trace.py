#!/usr/bin/env python3
"""test-trace.py WRITE_REPORT: made-up profiles as Chrome traces and folded stacks, read as their viewers read them."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'harness'))
import trace_rules  # noqa: E402

WRITE_REPORT = sys.argv[1]
LONG = 'PAREXEC_TEST_LONG' in os.environ
# A hang guard: a hundred times what it takes here.
LIMIT_SECONDS = 120 * float(os.environ.get('CK_TIMEOUT_MULTIPLIER', '1'))


def written(format, name):
    done = subprocess.run([WRITE_REPORT, format, name], check=True, capture_output=True, timeout=LIMIT_SECONDS)
    return done.stdout.decode('utf-8')


def trace(name):
    return trace_rules.load(written('trace', name))


def events(trace, phase, name=None):
    return [event for event in trace['traceEvents'] if event['ph'] == phase and name in (None, event['name'])]


def stacks(name):
    """What flamegraph.pl takes a line for: all up to the last space is the stack."""
    sums = {}
    for line in written('folded', name).split('\n')[:-1]:
        stack, value = re.fullmatch(r'(.*)\s+?(\d+(?:\.\d*)?)', line).groups()
        sums[stack] = sums.get(stack, 0) + int(value)
    return sums


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f'found  {found}\nwanted {wanted}')


# ---- traces ----

def test_rules_hold_in_every_case():
    for name in ('example', 'nothing', 'names', 'jitter', 'numbers', 'flows', 'spans', 'waits', 'counters'):
        same((name, trace_rules.broken(trace(name))), (name, []))


def test_rules_find_what_is_wrong():
    text = written('trace', 'example')
    for broken, by in (
            (text.replace('"dur":200.000', '"dur":900.000', 1), 'sticks out'),
            (text.replace('"ph":"s"', '"ph":"t"', 1), 'a kind that is known'),
            (re.sub(r'\{"ph":"s".*\n', '', text, count=1), 'no start of its own'),
            (text.replace('"bp":"e"', '"bp":"x"', 1), 'binds to the next'),
            (re.sub(r'\{"ph":"M".*"thread_name".*\n', '', text, count=1), 'no thread_name'),
            (text.replace('"ph":"s","pid":100,"tid":100,"ts":10.000', '"ph":"s","pid":100,"tid":100,"ts":1010.000'),
             'no slice around'),
            (text.replace('"ts":450.000', '"ts":950.000', 1), 'back in time'),
            (text.replace('"name":"pool 1 worker 0"', '"name":"host: example"', 1), 'one name')):
        same([by, any(by in complaint for complaint in trace_rules.broken(trace_rules.load(broken)))], [by, True])


def test_calls_keep_their_times_and_places():
    example = trace('example')
    same([(e['pid'], e['tid'], e['ts'], e['dur'], e['cat']) for e in events(example, 'X', 'relax')],
         [(100, 100, 100000, 300000, 'region,grid.c:40'), (100, 100, 500000, 300000, 'region,grid.c:40')])
    same([e['ts'] for e in events(example, 'X', 'grid.c:42')], [300001, 700001])
    same(len(events(example, 'X', 'item')), 6)
    same({e['args']['name'] for e in events(example, 'M', 'process_name')},
         {'host: example', 'pool 1 worker 0', 'pool 1 worker 1, 2 processes'})
    same([e['args']['name'] for e in events(example, 'M', 'thread_name')], ['main', 'io', 'worker 0', 'worker 1'])


def test_what_was_cut_short_and_what_is_open_is_shown():
    example = trace('example')
    unfinished = [e for e in events(example, 'X') if 'args' in e]
    same([(e['name'], e['ts'], e['dur'], e['args']) for e in unfinished],
         [('write', 980000, 20000, {'unfinished': True}), ('pe.run', 500000, 100000, {'unfinished': True}),
          ('item', 520000, 79999, {'unfinished': True})])
    same([(e['pid'], e['ts'], e['s']) for e in events(example, 'i', 'pe.crash')], [(201, 600000, 'p')])
    same(example['otherData']['unfinished'], 2)


def test_slices_have_no_arguments_else():
    """speedscope makes them a part of the name."""
    same([e for e in events(trace('jitter'), 'X') if 'args' in e], [])


def test_names_of_any_bytes_come_out_as_sound_text():
    names = [e['name'] for e in events(trace('names'), 'X')]
    same(names, ['(unnamed)', ' ', 'a;b', 'two\nlines', 'tab\there', 'quote"d', 'back\\slash', '<b>&amp;', 'ends in 12',
                 '\x01\x02\x7f', 'caf\u00e9', '\ufffd\ufffd', '\ufffd', '\ufffd\ufffd\ufffd',
                 'std::map<int, long>::find', '\U0001f384', '\u2028', '{"a":1}', '</script>', '%s%n'])


def test_jitter_moves_slices_by_no_more_than_itself():
    given = {'a': (1000, 2000), 'b': (1000, 2003), 'c': (1500, 2004), 'd': (1998, 3000), 'e': (1999, 2500),
             'f': (2500, 2500), 'g': (2999, 4000), 'h': (2999, 2999), 'i': (3500, 9000), 'j': (3999, 4001),
             'k': (9000, 9000), 'l': (10000, 20000), 'm': (19999, 20001)}
    slices = events(trace('jitter'), 'X')
    same(sorted(e['name'] for e in slices), sorted([*given, 'l']))
    for slice in slices:
        start, end = given[slice['name']]
        moved = max(abs(slice['ts'] - start), abs(slice['ts'] + slice['dur'] - end))
        # i and g overlap by 500 ns, which no nesting can show
        same([slice['name'], moved <= (501 if slice['name'] == 'i' else 8)], [slice['name'], True])


def test_no_slice_ends_where_it_begins():
    """speedscope loses those, and what is around them."""
    same([e for e in events(trace('jitter'), 'X') if e['dur'] < 1], [])


def test_numbers_that_occur_twice_are_told_apart():
    threads = events(trace('numbers'), 'M', 'thread_name')
    same(len({trace_rules.place(e) for e in threads}), 12)
    same(len({e['pid'] for e in threads}), 4)
    same([e['args']['name'] for e in threads[:3]], ['twin', 'twin', 'thread 101'])
    same(threads[0]['pid'], 100)


def test_arrows_lead_from_handing_over_to_each_run():
    example, made = trace('example'), trace('flows')
    same([(e['ph'], e['pid'], e['ts']) for e in example['traceEvents'] if e['ph'] in 'sf'],
         [('s', 100, 10000), ('f', 200, 20000), ('s', 100, 30000), ('f', 200, 270000), ('s', 100, 50000),
          ('f', 201, 70000)])
    same([(e['ph'], e['ts']) for e in made['traceEvents'] if e['ph'] in 'sf'],
         [('s', 1000), ('f', 5000), ('s', 1000), ('f', 6000), ('s', 3000), ('f', 7000)])
    for event in events(made, 'f'):
        slices = trace_rules.by_place(made, 'X')[trace_rules.place(event)]
        same(trace_rules.innermost(slices, event['ts'])['name'], 'pe.run')


def test_spans_may_overlap():
    made = trace('spans')
    same([(e['ts'], e['id']) for e in events(made, 'b')], [(0, '0x1'), (1000, '0x2'), (2000, '0x3')])
    same([(e['ts'], e['id']) for e in events(made, 'e')], [(3000, '0x1'), (4000, '0x2'), (5000, '0x3')])
    same(events(made, 'X'), [])


def test_waits_lie_beside_the_runs():
    """What a job waits in the queue overlaps what its worker runs meanwhile."""
    made = trace('waits')
    same([(e['ts'], e['dur']) for e in events(made, 'X', 'pe.run')], [(20000, 30000), (60000, 30000)])
    same(len(events(made, 'X')), 2)
    same([(e['name'], e['ph'], e['ts']) for e in made['traceEvents'] if e['ph'] in 'be'],
         [('pe.queue', 'b', 10000), ('pe.queue', 'e', 20000), ('pe.queue', 'b', 11000), ('pe.queue', 'e', 60000),
          ('pe.idle', 'b', 50000), ('pe.idle', 'e', 60000)])
    same(stacks('waits'), {'host;pe.run': 60000})


def test_counters_are_sums_of_a_process():
    made = trace('counters')
    same([e['args']['value'] for e in events(made, 'C') if e['pid'] == 100], list(range(1, 21)))
    same([e['args']['value'] for e in events(made, 'C') if e['pid'] == 200], [100 * i for i in range(1, 11)])
    same({e['cat'] for e in events(made, 'C')}, {'counter'})
    same([e['args'] for e in events(made, 'i', 'dropped')], [{'events': 7}])
    same(made['otherData']['dropped_events'], 7)


def test_a_large_timeline_is_written_in_seconds():
    name, workers, each = ('largest', 64, 65536) if LONG else ('large', 64, 16384)
    begin, slices, flows, last = time.monotonic(), 0, 0, b''
    with subprocess.Popen([WRITE_REPORT, 'trace', name], stdout=subprocess.PIPE) as process:
        for last in process.stdout:
            slices += last.startswith(b'{"ph":"X"')
            flows += last.startswith(b'{"ph":"f"')
            if time.monotonic() - begin > LIMIT_SECONDS:
                process.kill()
                raise AssertionError(f'not written in {LIMIT_SECONDS} s')
    same(process.returncode, 0)
    same(last, b']}\n')
    # each worker has a run, its arrow and 14 items in each 16 events; the host a slice for what it handed over at once
    jobs = workers * each // 16
    same((slices, flows), (jobs * 15 + each // 16, jobs))


# ---- folded stacks ----

def test_folded_stacks_are_own_times_by_path():
    same(stacks('example'),
         {'host;main;solve': 370000, 'host;main;solve;relax;grid.c:41': 400000,
          'host;main;solve;relax;grid.c:42': 200000, 'host;main;solve;pe.submit': 30000, 'host;io;write': 200000,
          'pool 1 worker 0;pe.run': 100000, 'pool 1 worker 0;pe.run;item': 200000,
          'pool 1 worker 0;pe.run;item;item': 100000, 'pool 1 worker 1;pe.run': 50000,
          'pool 1 worker 1;pe.run;item': 150000})


def test_folded_names_break_no_line_and_no_frame():
    found = stacks('names')
    same(len(found), 20)
    same({stack.count(';') for stack in found}, {1})
    for name in ('a:b', 'two lines', 'tab here', 'ends in 12', '(unnamed)', 'std::map<int, long>::find', '\u2028'):
        same([name, found.get('host;' + name)], [name, 1000])


def test_folded_threads_of_one_name_add_up():
    same(stacks('numbers')['host;twin;work'], 2000)
    same(stacks('numbers')['host;thread 101;work'], 1000)


def test_folded_leaves_out_what_has_no_place_on_a_stack():
    same((stacks('spans'), stacks('counters')), ({}, {}))


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith('test_')]
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            verdict, text = 'ok', ''
        except Exception as error:  # whatever it is, the others are run
            verdict, text = 'not ok', f'{type(error).__name__}: {error}'
            failed += 1
        print(f'{verdict} {number} - {name[len("test_"):]}')
        for line in text.splitlines():
            print('# ' + line)
    print(f'1..{len(tests)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
