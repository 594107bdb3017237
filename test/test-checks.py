#!/usr/bin/env python3
"""test-checks.py BUILD_DIRECTORY [--table] [WORD...]: each check that the host makes of what it reads from shared memory is needed.

The table lists every such check: taken out of the source by one replacement, it must make the test that aims
at its field fail. By default only the table is looked at: each replacement fits exactly one place, each test
exists. With PAREXEC_TEST_LONG=1 the changed file is compiled and linked into the test's program in front of the
library, and the test is run: it must fail, as it must pass with the file unchanged. `--table` prints the
outcome as a table. With words, only rows whose field or check has one of them in it."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ['test-scribble', 'test-scribble-hints', 'test-scribble-items']
LIBRARY = 'test/libparexec_hooked.a'
MOST_SECONDS = 120

END = 'a_forged_end_is_found_out'
NOTES = 'forged_notes_of_a_crash_are_numbers'
BROADCAST = 'a_broadcast_by_another_worker_is_found_out'
VACANT = 'leavers_that_are_forgotten_are_started'
DEADLINE = 'a_deadline_in_the_queue_is_not_forgotten'
DEATH = 'a_forged_death_is_none'
IN_HAND = 'a_forged_item_in_hand_is_none'
TIMES = 'forged_times_are_possible'
ITEM = 'a_forged_item_is_lost'
SIGNPOST = 'a_false_signpost_stops_nobody'
NOBODY = 'workers_that_there_are_not_are_not_counted_on'
OWNER = 'an_owner_that_there_is_not_is_not_believed'
OVERTOOK = 'a_record_that_others_overtook_breaks_the_pool'
REDUCE = 'forged_parts_of_a_reduce_are_found_out'
FIGURES = 'forged_figures_are_possible'

# Field, what is checked of it, file, the check, what stands there without it, the test that fails then.
CHECKS = [
    ('record: phase', 'an end is one of the known ends', 'lib/pool/collect.c',
     'return pe__record_phase(word) <= PE__RECORD_OUT_OF_MEMORY && ', 'return ', END),
    ('record: phase', 'a life is not FREE', 'lib/pool/collect.c',
     'return phase >= PE__RECORD_QUEUED && phase <= PE__RECORD_STOPPING &&',
     'return phase <= PE__RECORD_STOPPING &&', END),
    ('record: phase', 'STOPPING only where the host has asked', 'lib/pool/collect.c',
     '(phase != PE__RECORD_STOPPING || entry->stop_asked || may_time_out(entry)) &&', 'true &&', END),
    ('record: phase', 'overrun only where there is a limit', 'lib/pool/collect.c',
     'return may_time_out(entry) && is_possible_owner', 'return is_possible_owner', END),
    ('record: phase', 'late in the queue only where there is a deadline', 'lib/pool/collect.c',
     'return (entry->limits & PE__LIMIT_DEADLINE) != 0;', 'return true;', END),
    ('record: sequence', 'an end is that of this use', 'lib/pool/collect.c',
     '(!pe__record_is_final(word) || pe__record_sequence(word) != entry->sequence)',
     '(!pe__record_is_final(word))', END),
    ('record: sequence', 'a life is that of this use', 'lib/pool/collect.c',
     'may_time_out(entry)) &&\n           pe__record_sequence(word) == entry->sequence',
     'may_time_out(entry)) &&\n           true', END),
    ('record: owner', 'an end is by a worker that there is', 'lib/pool/collect.c',
     '<= PE__RECORD_OUT_OF_MEMORY && is_possible_owner(pool, entry, word);', '<= PE__RECORD_OUT_OF_MEMORY;', END),
    ('record: owner', 'what has overrun was run by a worker that there is', 'lib/pool/collect.c',
     'return may_time_out(entry) && is_possible_owner(pool, entry, word);', 'return may_time_out(entry);', END),
    ('record: owner', 'a life is by a worker that there is', 'lib/pool/collect.c',
     'may_time_out(entry)) &&\n           pe__record_sequence(word) == entry->sequence && '
     'is_possible_owner(pool, entry, word);',
     'may_time_out(entry)) &&\n           pe__record_sequence(word) == entry->sequence;', END),
    ('record: owner', 'what waits does so for whom it was pushed', 'lib/pool/collect.c',
     'return owner == entry->addressee;', 'return owner < pool->numbers;', END),
    ('record: owner', 'what one worker is to run was run by that one', 'lib/pool/collect.c',
     'return owner < pool->numbers && (entry->addressee == 0 || owner + 1 == entry->addressee);',
     'return owner < pool->numbers;', BROADCAST),
    ('record: word', 'one that waits is as it was pushed', 'lib/pool/collect.c',
     'return entry->addressee == 0 && word == pe__pool_queued_word(entry);',
     'return entry->addressee == 0 && pe__record_phase(word) == PE__RECORD_QUEUED;', END),
    ('record: word', 'checked again when the pool has broken', 'lib/pool/collect.c',
     '} else if (is_possible_end(pool, entry, word)) {', '} else if (pe__record_is_final(word)) {', END),
    ('record: word', 'none waits behind which others were claimed', 'lib/pool/wait.c',
     '        pe__pool_check_order(pool);\n', '        ;\n', OVERTOOK),
    ('record: reply_short', 'no more than the record holds', 'lib/pool/collect.c',
     'if (bytes > PE__RECORD_INLINE_BYTES)', 'if (false)', END),
    ('record: reply_short', 'no more than max_reply_bytes', 'lib/pool/collect.c',
     '    if (limit != 0 && bytes > limit)', '    if (false && limit)', END),
    ('record: reply_short', 'what a reduce gets is as long as its parts', 'lib/pool/reduce.c',
     'if (bytes != stride * blocks)', 'if (false)', REDUCE),
    ('record: reply_block', 'there is such a block', 'lib/pool/collect.c',
     'if (block_class == NULL || bytes', 'if (bytes', END),
    ('record: reply_block', 'no other result lies in it', 'lib/pool/collect.c',
     ' || pool->block_held[block] ||', ' ||', END),
    ('record: reply_bytes', 'no more than the block holds', 'lib/pool/collect.c',
     ' || bytes > block_class->bytes', '', END),
    ('record: reply_bytes', 'no more than max_reply_bytes', 'lib/pool/collect.c',
     ' || (limit != 0 && bytes > limit))', ')', END),
    ('record: text_bytes', 'less than a message has room', 'lib/pool/collect.c',
     'if (bytes >= PE_TEXT_BYTES_MAX)', 'if (false)', END),
    ('output: bytes', 'some, where there is said to be some', 'lib/pool/collect.c',
     'if (bytes == 0 || bytes > geometry->output_bytes)', 'if (bytes > geometry->output_bytes)', END),
    ('output: bytes', 'no more than is kept', 'lib/pool/collect.c',
     'if (bytes == 0 || bytes > geometry->output_bytes)', 'if (bytes == 0)', END),
    ('record: text_bytes', 'notes of a crash name a frame at least', 'lib/pool/backtrace.c',
     'if (notes_bytes < offsetof(struct pe__crash, frames) + sizeof *crash->frames)', 'if (false)', NOTES),
    ('record: text_bytes', 'no more frames than notes of a crash have room for', 'lib/pool/backtrace.c',
     'return frames < PE__CRASH_FRAMES_MAX ? (uint32_t)frames : PE__CRASH_FRAMES_MAX;', 'return (uint32_t)frames;', NOTES),
    ('record: start_ticks', 'not before the submission', 'lib/pool/collect.c',
     'if (start < submitted)', 'if (false)', TIMES),
    ('record: word, in doubt', 'the owner is a worker that there is', 'lib/pool/doubt.c',
     'if (!pe__record_is_held(word) || owner >= pool->numbers)',
     'if (!pe__record_is_held(word))', OWNER),
    ('record: word, in doubt', 'no worker holds two', 'lib/pool/doubt.c',
     'return (twice || asleep) &&', 'return (asleep) && (twice || true) &&', END),
    ('slot: hint', 'there is such a record', 'lib/pool/account.c',
     'if (hint >= pe__mapping_records(&pool->shared))', 'if (false)', FIGURES),
    ('slot: born, past', 'lives are not longer than the pool is old', 'lib/shared/account.c',
     'least(since(born, now), age - past)', 'since(born, now)', FIGURES),
    ('slot: run', 'no more than there was of lives', 'lib/shared/account.c',
     'least(atomic_load_explicit(&slot->run, memory_order_relaxed), past + life)',
     'atomic_load_explicit(&slot->run, memory_order_relaxed)', FIGURES),
    ('slot: pid', 'not negative', 'lib/pool/account.c',
     'pid > 0 ? pid : 0', 'true ? pid : 0', FIGURES),
    ('record: start_ticks', 'no wait is longer than the pool is old', 'lib/pool/account.c',
     'return fits && most < pool->queue_ticks ?', 'return fits && false ?', FIGURES),
    ('bell: sleepers, in doubt', 'none sleeps who holds a record', 'lib/pool/doubt.c',
     'return (twice || asleep) &&', 'return (twice) && (asleep || true) &&', END),
    ('bell: sleepers, in doubt', 'none sleeps again over a record that waits', 'lib/pool/doubt.c',
     'if (again && word_of', 'if (false && again && word_of', END),
    ('bell: present', 'only workers that are wanted are counted on', 'lib/pool/submit.c',
     'present & ~asleep & pe__pool_wanted_in(pool, first)', 'present & ~asleep', NOBODY),
    ('bell: sleepers', 'who is rung is a worker that there is', 'lib/shared/bell.c',
     'if (lowest >= workers)', 'if (false && workers)', SIGNPOST),
    ('bell: present', 'no more in the statistics than there are', 'lib/pool/stats.c',
     'return alive < pool->numbers ? alive : pool->numbers;', 'return alive;', SIGNPOST),
    ('host_waits', 'the host looks without being rung', 'lib/pool/wait.c',
     'until = earliest(until, pe_after(wait->for_claim ? ROOM_NS : SAFETY_NS));',
     'until = earliest(until, wait->for_claim ? pe_after(ROOM_NS) : PE_FOREVER);', SIGNPOST),
    ('item: state', 'one of the known states', 'lib/pool/outcome.c',
     'if (state != PE__ITEM_DETAILED || kind', 'if (kind', ITEM),
    ('item: state', 'a message is of an item with details', 'lib/pool/outcome.c',
     'if (atomic_load_explicit(&map->state[status->item], memory_order_relaxed) != PE__ITEM_DETAILED || bytes == 0 ||',
     'if (bytes == 0 ||', ITEM),
    ('item: kind', 'at least PE_RETURNED', 'lib/pool/outcome.c', 'kind < PE_RETURNED || ', '', ITEM),
    ('item: kind', 'at most PE_OUT_OF_MEMORY', 'lib/pool/outcome.c', ' || kind > PE_OUT_OF_MEMORY', '', ITEM),
    ('item: text_bytes', 'less than a message has room', 'lib/pool/outcome.c',
     'bytes >= PE_TEXT_BYTES_MAX || ', '', ITEM),
    ('item: text_bytes', 'ends before the texts end', 'lib/pool/outcome.c',
     ' || bytes > map->text_bytes - at)', ')', ITEM),
    ('item: text_at', 'begins before the texts end', 'lib/pool/outcome.c',
     'at > map->text_bytes || ', '', ITEM),
    ('item: state', 'output is of an item with details', 'lib/pool/outcome.c',
     'if (map->outputs_bytes == 0 ||\n        atomic_load_explicit(&map->state[item], memory_order_relaxed) != '
     'PE__ITEM_DETAILED)', 'if (map->outputs_bytes == 0)', ITEM),
    ('item: output_bytes', 'ends before the outputs end', 'lib/pool/outcome.c',
     ' || bytes > map->outputs_bytes - at ||', ' ||', ITEM),
    ('item: output_at', 'begins before the outputs end', 'lib/pool/outcome.c',
     'if (at > map->outputs_bytes || bytes', 'if (bytes', ITEM),
    ('item: worker', 'one that there is', 'lib/pool/outcome.c', ' || worker >= pool->numbers)', ')', ITEM),
    ('item: run_ns', 'not negative', 'lib/pool/outcome.c', 'run_ns > 0 ? run_ns : 0', 'run_ns', ITEM),
    ('item: output_bytes', 'no more than is kept of one', 'lib/pool/outcome.c',
     ' || bytes > pool->shared.geometry.output_bytes)', ')', ITEM),
    ('lane: running', 'there is such an item', 'lib/pool/account.c',
     'running > 0 && running <= map->count ?', 'running > 0 ?', IN_HAND),
    ('death: kind', 'one of the known kinds', 'lib/pool/death.c', ' || kind > PE_OUT_OF_MEMORY', '', DEATH),
    ('death: worker', 'not negative, nor beyond those that there are', 'lib/pool/death.c',
     ' || worker < 0 || (uint32_t)worker >= pool->numbers)', ')', DEATH),
    ('bell: vacant', 'who has left is started though nobody says so', 'lib/pool/doubt.c',
     '    pe__pool_start_all(pool);\n', '    ;\n', VACANT),
    ('watch: wakes_ns', 'the keeper is told again of deadlines', 'lib/pool/doubt.c',
     '    pe__pool_repeat_deadlines(pool);\n', '    ;\n', DEADLINE),
    ('lane: done', 'no more than there are items', 'lib/pool/progress.c',
     '*ret_done = done < map->count ? done : map->count;', '*ret_done = done;', ITEM),
    ('map: failed', 'no more than are done', 'lib/pool/progress.c',
     '*ret_failed = failed < *ret_done ? failed : *ret_done;', '*ret_failed = failed;', ITEM),
]


def program_of(test):
    """The program that has this test; None if none has."""
    for program in PROGRAMS:
        if re.search(rf'PE_TEST\w*\({test}\b', (ROOT / 'test' / f'{program}.c').read_text()):
            return program
    return None


def fit(check):
    """What does not fit of an entry; '' when all does."""
    _, _, file, old, new, test = check
    found = (ROOT / file).read_text().count(old)
    if found != 1:
        return f'{file}: {found} places for {old!r}'
    if old == new:
        return 'changes nothing'
    return '' if program_of(test) else f'no test {test}'


class Builder:
    """Compiles one changed file as the library of the tests is compiled, and links a test's program with it."""

    def __init__(self, build, scratch):
        self.build, self.scratch = pathlib.Path(build), pathlib.Path(scratch)
        commands = subprocess.run(['ninja', '-C', build, '-t', 'commands', *(f'test/{name}' for name in PROGRAMS)],
                                  check=True, capture_output=True, text=True).stdout.splitlines()
        self.link = {name: next(c for c in commands if f' -o test/{name} ' in c) for name in PROGRAMS}
        self.compile = {}
        for entry in json.loads((self.build / 'compile_commands.json').read_text()):
            if f'{LIBRARY}.p/' in entry['output']:
                source = (self.build / entry['file']).resolve()
                self.compile[source.relative_to(ROOT).as_posix()] = (entry['command'], entry['file'], entry['output'])

    def run(self, command):
        subprocess.run(shlex.split(command), cwd=self.build, check=True, capture_output=True, text=True)

    def program(self, name, file, text):
        """The changed object stands in front of the archive, whose own is not looked for any more."""
        source, object_file = self.scratch / pathlib.Path(file).name, self.scratch / 'changed.o'
        program = self.scratch / name
        source.write_text(text)
        command, old_source, old_object = self.compile[file]
        self.run(command.replace(old_object, str(object_file))
                        .replace(f'-c {old_source}', f'-iquote {(ROOT / file).parent} -w -c {source}'))
        self.run(self.link[name].replace(f' -o test/{name} ', f' -o {program} {object_file} '))
        return program


def run_test(program, test):
    """(passed, seconds)."""
    begin = time.monotonic()
    child = subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True, env={**os.environ, 'CK_RUN_CASE': test})
    try:
        passed = child.wait(MOST_SECONDS) == 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        passed = False
    return passed, time.monotonic() - begin


def outcome(builder, check, sound):
    """(what is wrong or '', seconds until the test failed). `sound`: (file, test) that pass as they are."""
    _, _, file, old, new, test = check
    name, text = program_of(test), (ROOT / file).read_text()
    if (file, test) not in sound and not run_test(builder.program(name, file, text), test)[0]:
        return f'{test} fails with the check', 0
    sound.add((file, test))
    passed, seconds = run_test(builder.program(name, file, text.replace(old, new)), test)
    return (f'{test} passes without the check' if passed else ''), seconds


def main(build, *arguments):
    as_table, words = '--table' in arguments, [word for word in arguments if word != '--table']
    checks = [check for check in CHECKS if not words or any(word in f'{check[0]}: {check[1]}' for word in words)]
    long_mode = as_table or os.environ.get('PAREXEC_TEST_LONG') == '1'
    failed, sound = 0, set()
    with tempfile.TemporaryDirectory() as scratch:
        builder = Builder(build, scratch) if long_mode else None
        if as_table:
            print('| field | check | in | without it fails |\n|---|---|---|---|')
        for number, check in enumerate(checks, 1):
            field, what, file, _, _, test = check
            wrong, seconds = fit(check), 0
            if not wrong and long_mode:
                wrong, seconds = outcome(builder, check, sound)
            failed += bool(wrong)
            if as_table:
                print(f'| {field} | {what} | `{file}` | {wrong or f"`{test}`, {seconds:.1f} s"} |', flush=True)
            else:
                print(f'{"not ok" if wrong else "ok"} {number} - none: {field}: {what}')
                if wrong:
                    print(f'#   {wrong}', flush=True)
    if not as_table:
        print(f'1..{len(checks)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
