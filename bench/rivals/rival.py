"""What the Python rivals share: the work, and the conversation with the benchmark.

The benchmark writes one line per measurement, "WHAT N BYTES NS", and gets back one line of figures:
nanoseconds of the whole, and where it makes sense a second figure (median trip, or CPU nanoseconds of
all processes). Of jobs that last NS it is the efficiency and millions a second, of maps with such items the
speed-up and the plain loop's nanoseconds an item. A rival class has open(workers), one(fn, x),
many(fn, values), map(fn, values), pids() and close(); what it cannot do stays out.
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


def scan(block):
    """A pass over all bytes, none of which is 0, by the C library's vectors."""
    return block.find(0)


def spin(size):
    """Work at C speed, in proportion to size."""
    return zlib.adler32(BODY[:size])


def spin_size(ns):
    """The size with which spin takes so long."""
    best = min(serial_ns(spin, [len(BODY)]) for _ in range(5))
    return max(1, int(len(BODY) * ns / best))


def serial_ns(fn, items):
    """Nanoseconds an item in a plain loop."""
    start = now()
    for _ in map(fn, items):
        pass
    return (now() - start) / len(items)


def produce(bytes_count):
    return bytes(bytes_count)


def busy(path):
    """Reports its process id and computes until it is killed."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        pass


BODY = memoryview(bytes(1 << 20))

try:
    import numpy
except ImportError:
    numpy = None


def cpu_ns(pids):
    """CPU time of this process and of others, through their kernel clocks."""
    return time.process_time_ns() + sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids)


def jobs_of(n, size):
    """Function, arguments and results: of job, or with a size of blocks of so many bytes, a few again and again."""
    if size == 0:
        return job, [i << 32 for i in range(n)], list(range(1, n + 1))
    blocks = [bytes([1 + i % 255]) * size for i in range(16)]
    return scan, [blocks[i % 16] for i in range(n)], [-1] * n


def round_trip(rival, n, size, _ns):
    fn, args, results = jobs_of(n, size)
    times = []
    start = now()
    for arg, result in zip(args, results):
        before = now()
        if rival.one(fn, arg) != result:
            raise RuntimeError("wrong result")
        times.append(now() - before)
    return now() - start, sorted(times)[n // 2]


def paused(rival, n, _bytes, _ns):
    times = []
    for i in range(n):
        time.sleep(0.001)
        before = now()
        rival.one(job, i << 32)
        times.append(now() - before)
    return sum(times), sorted(times)[n // 2]


def many(rival, n, size, _ns):
    fn, args, expected = jobs_of(n, size)
    cpu, start = cpu_ns(rival.pids()), now()
    results = rival.many(fn, args)
    wall = now() - start
    if results != expected:
        raise RuntimeError("wrong results")
    return wall, cpu_ns(rival.pids()) - cpu


def grain(rival, n, _bytes, ns):
    sizes = [spin_size(ns)] * n
    rival.many(spin, sizes[: n // 10 + 1])
    before = serial_ns(spin, sizes[:1000])
    start = now()
    rival.many(spin, sizes)
    wall = now() - start
    after = serial_ns(spin, sizes[:1000])
    return n * (before + after) / 2 / (wall * int(sys.argv[1])), n * 1e3 / wall


def speed_up(rival, n, _bytes, ns):
    sizes = [spin_size(ns)] * n
    rival.map(spin, sizes)
    before = serial_ns(spin, sizes)
    start = now()
    rival.map(spin, sizes)
    wall = now() - start
    serial = (before + serial_ns(spin, sizes)) / 2
    return serial * n / wall, serial


def noop_map(rival, n, _bytes, _ns):
    items = [float(i) for i in range(n)]
    start = now()
    rival.map(noop, items)
    return (now() - start,)


def inputs(rival, n, size, _ns):
    blocks = [bytes([i % 256]) * size for i in range(n)]
    start = now()
    rival.map(checksum, blocks)
    return (now() - start,)


def results(rival, n, size, _ns):
    start = now()
    if sum(len(block) for block in rival.map(produce, [size] * n)) != n * size:
        raise RuntimeError("wrong results")
    return (now() - start,)


def start(rival, n, _bytes, _ns):
    """Until each worker has answered: n trivial jobs are handed out at once."""
    before = now()
    other = type(rival)()
    other.open(n)
    other.many(job, [0] * n)
    took = now() - before
    other.close()
    return (took,)


def kill(rival, _n, _bytes, _ns):
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
    "grain": grain,
    "speed-up": speed_up,
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
        rival.one(job, 0)
    print("ready", flush=True)
    for line in sys.stdin:
        what, n, size, ns = line.split()
        figures = ACTIVITIES[what](rival, int(n), int(size), int(ns))
        print(*figures, flush=True)
    rival.close()
