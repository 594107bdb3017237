#!/usr/bin/env python3
"""test-server.py SERVER CLIENT [at-once]: a server of doc/examples/server, under load by its own client and by socat,
with requests that crash and that hang, with peers that behave badly, and stopped in the middle of its work; one that
drops this work at its end is `at-once`. TAP."""

import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'harness'))
from tap import GUARD, Skip, differences, run

LIMIT_MS = 100
MOST_BYTES = 64 << 20  # more than the system keeps for a connection


class Server:
    """A server that runs; `figures` once it has been stopped."""

    running = []

    def __init__(self, program, workers=2):
        self.process = subprocess.Popen([program, '-w', str(workers), '-t', str(LIMIT_MS)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.running.append(self.process)
        line = self.process.stdout.readline()
        match = re.fullmatch(r'listening at 127\.0\.0\.1:(\d+)\n', line)
        if not match:
            raise AssertionError(f'the server says: {line}{self.process.stderr.read()}')
        self.port = int(match.group(1))

    def connect(self):
        peer = socket.create_connection(('127.0.0.1', self.port), timeout=GUARD)
        return peer, peer.makefile('r', newline='\n')

    def ask(self, lines):
        """Sends all of them and reads till the end: the answers, sorted."""
        peer, answers = self.connect()
        with peer, answers:
            peer.sendall(''.join(line + '\n' for line in lines).encode())
            peer.shutdown(socket.SHUT_WR)
            return sorted(answers.read().splitlines())

    def stop(self, how=signal.SIGTERM):
        """What was wrong with its end."""
        children = descendants(self.process.pid)
        self.process.send_signal(how)
        output, errors = self.process.communicate(timeout=GUARD)
        self.figures = {name: int(number) for name, number in re.findall(r'([a-z][a-z ]*) (\d+)', output)}
        wrong = [f'it printed {errors}'] if errors else []
        wrong += [f'it ended with {self.process.returncode}'] if self.process.returncode else []
        ends = ('values', 'errors', 'crashes', 'exits', 'too late', 'lost')
        if self.figures.get('requests') != sum(self.figures.get(end, 0) for end in ends):
            wrong.append(f'the figures do not add up: {output}')
        return wrong + [f'process {pid} is left' for pid in children if not gone(pid)]


def descendants(pid):
    """Processes that share its lifelines: the pool's are nobody's children here, but have its program."""
    program = os.readlink(f'/proc/{pid}/exe')
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / 'exe') == program:
                found.append(int(entry.name))
        except OSError:
            continue
    return [other for other in found if other != pid]


def gone(pid, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'Z':
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def stopped(server, wrong, how=signal.SIGTERM):
    return wrong + server.stop(how)


def each_request_has_its_answer(program, _client):
    server = Server(program)
    wanted = {'1+2*3': ' = 7', '(1+2)*3 - -4': ' = 13', '7/0': ': division by zero', '2*': ': not a number',
              'crash': ': killed by signal 11', '5+crash': ': killed by signal 11',
              'exit': ': ended with exit status 3',
              'hang': ': took too long', '9223372036854775807+1': ': too large'}
    wrong = differences(server.ask(wanted), sorted(text + end for text, end in wanted.items()))
    wrong = stopped(server, wrong)
    counts = {name: server.figures[name] for name in ('values', 'errors', 'crashes', 'exits', 'too late', 'lost')}
    return wrong + differences(counts, {'values': 2, 'errors': 3, 'crashes': 2, 'exits': 1, 'too late': 1, 'lost': 0})


def load(program, client, *options):
    server = Server(program)
    done = subprocess.run([client, *options, str(server.port)], capture_output=True, text=True, timeout=GUARD,
                          check=False)
    wrong = [] if done.returncode == 0 else [done.stdout, done.stderr]
    print('# ' + done.stdout.strip().replace('\n', '\n# '))
    return stopped(server, wrong)


def many_connections(program, client):
    return load(program, client, '-c', '200', '-n', '100', '-x', '5', '-e', '5', '-h', '1')


def harm_is_most_of_the_load(program, client):
    return load(program, client, '-c', '20', '-n', '20', '-x', '300', '-e', '200', '-h', '50')


def one_at_a_time(program, client):
    return load(program, client, '-c', '1', '-n', '500', '-f', '1', '-x', '20', '-e', '0', '-h', '0')


def values_come_while_others_hang(program, _client):
    server = Server(program)
    peer, answers = server.connect()
    with peer, answers:
        peer.sendall(b'hang\n' * 16)
        wrong = differences(server.ask(['1+1', '2+2']), ['1+1 = 2', '2+2 = 4'])
        peer.shutdown(socket.SHUT_WR)
        wrong += differences(answers.read().splitlines(), ['hang: took too long'] * 16)
    return stopped(server, wrong)


def peers_that_behave_badly(program, _client):
    server = Server(program)
    wrong = []
    for sent in (b'', b'\n\r\n\0\n', b'\xff\xfe(\n' * 3, b'1+1', b'7' * 5000, b'hang\n' * 100, b'1+1\n' * 5000):
        peer, answers = server.connect()
        answers.close()
        peer.sendall(sent)
        peer.close()  # without a look at the answers
    wrong += differences(server.ask(['8' * 300]), ['line too long'])
    wrong += differences(server.ask(['1+1\r', '', '2+2']), ['1+1 = 2', '2+2 = 4'])
    return stopped(server, wrong)


def what_was_read_is_answered_at_the_end(program, _client, how=signal.SIGTERM):
    server = Server(program)
    idle, idle_answers = server.connect()
    busy, busy_answers = server.connect()
    silent, silent_answers = server.connect()
    with idle, idle_answers, busy, busy_answers, silent, silent_answers:
        idle.sendall(b'40+2\n')
        wrong = differences(idle_answers.readline(), '40+2 = 42\n')
        busy.sendall(b'1+1\nhang\n')
        silent.sendall(b'2+2\n1+hang\n')
        silent.shutdown(socket.SHUT_WR)
        wrong += differences([busy_answers.readline(), silent_answers.readline()], ['1+1 = 2\n', '2+2 = 4\n'])
        server.process.send_signal(how)
        wrong += differences([busy_answers.read(), silent_answers.read(), idle_answers.read()],
                             ['hang: took too long\n', '1+hang: took too long\n', ''])
    return wrong + server.stop(signal.SIGCONT)  # it has the signal already


def control_c_ends_it_likewise(program, client):
    return what_was_read_is_answered_at_the_end(program, client, signal.SIGINT)


LONG_LINE = b'1' + b'+1' * 90 + b'\n'


def send_until_nothing_is_taken(peer):
    """Long lines, until the server does not read on, since nobody takes its answers: how many bytes."""
    peer.settimeout(0.5)
    sent = 0
    try:
        while sent < MOST_BYTES:
            sent += peer.send((LONG_LINE * 10)[sent % len(LONG_LINE):])
    except TimeoutError:
        return sent
    raise AssertionError('the server reads without end')


def a_peer_that_takes_no_answers_does_not_hold_the_end(program, _client):
    server = Server(program)
    peer, answers = server.connect()
    with peer, answers:
        send_until_nothing_is_taken(peer)
        return stopped(server, [])


def a_peer_that_reads_late_gets_all(program, _client):
    server = Server(program)
    peer, answers = server.connect()
    with peer, answers:
        sent = send_until_nothing_is_taken(peer)
        peer.settimeout(GUARD)
        rest = threading.Thread(target=peer.sendall, args=(LONG_LINE[sent % len(LONG_LINE):],))
        rest.start()
        wrong = []
        for _ in range(sent // len(LONG_LINE) + 1):
            answer = answers.readline()
            if answer != LONG_LINE.decode().rstrip() + ' = 91\n':
                wrong.append(f'an answer is {answer}')
                break
        rest.join()
    return stopped(server, wrong)


def socats(program, _client):
    """Many of them at once, each with lines of its own."""
    if not shutil.which('socat'):
        raise Skip('no socat here')
    server = Server(program)
    lines = {number: [f'{number}+{step}' for step in range(20)] + [f'{number}+crash', f'{number}/0', f'{number}+hang'][
        :1 + number % 3] for number in range(1, 31)}
    ends = {'crash': ': killed by signal 11', 'hang': ': took too long'}
    processes = {}
    for number, sent in lines.items():
        process = subprocess.Popen(['socat', '-t', str(GUARD), '-', f'TCP:127.0.0.1:{server.port}'],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(''.join(line + '\n' for line in sent))
        process.stdin.close()
        processes[number] = process
    wrong = []
    for number, process in processes.items():
        found = sorted(process.stdout.read().splitlines())
        process.stdout.close()
        if process.wait(timeout=GUARD):
            wrong.append(f'socat ended with {process.returncode}')
        wanted = [f'{number}+{step} = {number + step}' for step in range(20)]
        for line in lines[number][20:]:
            wanted.append(line + (': division by zero' if line.endswith('/0') else ends[line.partition('+')[2]]))
        wrong += differences(found, sorted(wanted))
    return stopped(server, wrong)


CASES = [each_request_has_its_answer, many_connections, harm_is_most_of_the_load, one_at_a_time,
         values_come_while_others_hang, peers_that_behave_badly, a_peer_that_reads_late_gets_all,
         a_peer_that_takes_no_answers_does_not_hold_the_end, socats]
IN_ORDER = [what_was_read_is_answered_at_the_end, control_c_ends_it_likewise]


def leaving_nothing(case):
    """The case, after which no server runs, whatever became of it."""
    @functools.wraps(case)
    def called(*args):
        try:
            return case(*args)
        finally:
            for process in Server.running:
                process.kill()
                process.wait()
            Server.running.clear()
    return called


run([leaving_nothing(case) for case in CASES + ([] if 'at-once' in sys.argv[3:] else IN_ORDER)], *sys.argv[1:3])
