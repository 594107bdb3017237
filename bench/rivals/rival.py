"""What the Python rivals share: the work, and the conversation with the benchmark.

The benchmark writes one line per measurement, "WHAT N BYTES", and gets back one line of figures:
nanoseconds of the whole, and where it makes sense a second figure (median trip, or CPU nanoseconds of
all processes). A rival class has open(workers), one(x), many(values), map(fn, values), pids() and
close(); what it cannot do stays out.
"""

import os
import signal
import sys
import time
import zlib

now = time.perf_counter_ns


def job(arg):
    return (arg >> 32) + 1


def noop(item):
    return None


def checksum(data):
    """A pass over all bytes at C speed; numpy's sum where there is numpy."""
    if numpy is not None:
        return int(numpy.frombuffer(data, dtype=numpy.uint64).sum())
    return zlib.adler32(data)


def produce(bytes_count):
    return bytes(bytes_count)


def busy(path):
    """Reports its process id and computes until it is killed."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        pass


try:
    import numpy
except ImportError:
    numpy = None


def cpu_ns(pids):
    """CPU time of this process and of others, through their kernel clocks."""
    return time.process_time_ns() + sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def round_trip(rival, n, _bytes):
    times = []
    start = now()
    for i in range(n):
        before = now()
        if rival.one(i << 32) != i + 1:
            raise RuntimeError("wrong result")
        times.append(now() - before)
    return now() - start, sorted(times)[n // 2]


def paused(rival, n, _bytes):
    times = []
    for i in range(n):
        time.sleep(0.001)
        before = now()
        rival.one(i << 32)
        times.append(now() - before)
    return sum(times), sorted(times)[n // 2]


def many(rival, n, _bytes):
    args = [i << 32 for i in range(n)]
    cpu, start = cpu_ns(rival.pids()), now()
    results = rival.many(args)
    wall = now() - start
    if results != list(range(1, n + 1)):
        raise RuntimeError("wrong results")
    return wall, cpu_ns(rival.pids()) - cpu


def noop_map(rival, n, _bytes):
    items = [float(i) for i in range(n)]
    start = now()
    rival.map(noop, items)
    return (now() - start,)


def inputs(rival, n, size):
    blocks = [bytes([i % 256]) * size for i in range(n)]
    start = now()
    rival.map(checksum, blocks)
    return (now() - start,)


def results(rival, n, size):
    start = now()
    if sum(len(block) for block in rival.map(produce, [size] * n)) != n * size:
        raise RuntimeError("wrong results")
    return (now() - start,)


def start(rival, n, _bytes):
    """Until each worker has answered: n trivial jobs are handed out at once."""
    before = now()
    other = type(rival)()
    other.open(n)
    other.many([0] * n)
    took = now() - before
    other.close()
    return (took,)


def kill(rival, _n, _bytes):
    return rival.kill()


def wait_for_pid(path):
    while True:
        try:
            with open(path) as file:
                text = file.read()
            if text:
                return int(text)
        except FileNotFoundError:
            pass
        time.sleep(0.001)


def stop(pid):
    os.kill(pid, signal.SIGKILL)


ACTIVITIES = {
    "round-trip": round_trip,
    "paused": paused,
    "many": many,
    "noop-map": noop_map,
    "inputs": inputs,
    "results": results,
    "start": start,
    "kill": kill,
}


def serve(rival_class):
    rival = rival_class()
    if sys.argv[2] != "start" and sys.argv[2] != "kill":
        rival.open(int(sys.argv[1]))
        rival.one(0)
    print("ready", flush=True)
    for line in sys.stdin:
        what, n, size = line.split()
        figures = ACTIVITIES[what](rival, int(n), int(size))
        print(*figures, flush=True)
    rival.close()
