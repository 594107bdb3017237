"""asyncio as a rival of tasks, on its own loop or on uvloop's.

Answers the questions of bench/async/rivals.h: "WHAT N WORKERS NS" a line, the figures of the row a line.
"""

import asyncio
import concurrent.futures
import sys
import time

now = time.perf_counter_ns

BATCH = 1000
FLIGHTS = 1000


def job(arg):
    return (arg >> 32) + 1


def check(got, wanted):
    if got != wanted:
        raise RuntimeError("wrong result")


def kib(file, key):
    with open("/proc/self/" + file) as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1])


def resident():
    return (kib("smaps_rollup", "Private_Dirty") + kib("smaps_rollup", "Private_Clean")) * 1024


class Counter:
    value = 0


async def count(counter):
    counter.value += 1


async def spawn(n, _workers):
    """A turn of the loop runs all tasks of a batch."""
    counter = Counter()
    start = now()
    for done in range(0, n, BATCH):
        tasks = [asyncio.create_task(count(counter)) for _ in range(min(BATCH, n - done))]
        await asyncio.sleep(0)
        del tasks
    took = (now() - start) / n
    check(counter.value, n)
    return (took,)


async def give(value):
    return value + 1


async def await_each(n, _workers):
    total = 0
    start = now()
    for i in range(n):
        total += await asyncio.create_task(give(i))
    took = (now() - start) / n
    check(total, n * (n + 1) // 2)
    return (took,)


async def walk(steps):
    for _ in range(steps):
        await asyncio.sleep(0)


async def yield_each(n, workers):
    start = now()
    await asyncio.gather(*[walk(n // workers) for _ in range(workers)])
    return ((now() - start) / (n // workers * workers),)


async def wait_for(event):
    await event.wait()


async def live(n, _workers):
    event = asyncio.Event()
    before = resident()
    tasks = [asyncio.create_task(wait_for(event)) for _ in range(n)]
    await asyncio.sleep(0)
    figure = round((resident() - before) / n)
    event.set()
    await asyncio.wait(tasks)
    return (figure,)


async def doze(seconds):
    await asyncio.sleep(seconds)


async def asleep(n, sleep_ns):
    start = now()
    tasks = [asyncio.create_task(doze(sleep_ns / 1e9)) for _ in range(n)]
    for task in tasks:
        await task
    return ((now() - start - sleep_ns) / 1e6, kib("status", "VmHWM") / 1024)


class Echo(asyncio.Protocol):
    transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def talk(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Rival:
    """One loop for all questions; a server and an executor stay."""

    def __init__(self, loop, protocol, processes):
        self.loop = loop
        self.protocol = protocol
        self.processes = processes
        self.executor = None

    def workers(self, count):
        if self.executor is None:
            kind = concurrent.futures.ProcessPoolExecutor if self.processes else concurrent.futures.ThreadPoolExecutor
            self.executor = kind(count)
        return self.executor

    async def trips(self, n, workers):
        executor, total, times = self.workers(workers), 0, []
        await self.loop.run_in_executor(executor, job, 0)
        start = now()
        for i in range(n):
            before = now()
            total += await self.loop.run_in_executor(executor, job, i << 32)
            times.append(now() - before)
        took = (now() - start) / n
        check(total, n * (n + 1) // 2)
        return took / 1e3, sorted(times)[n // 2] / 1e3

    async def flights(self, n, workers):
        """Tasks that share the numbers below n, each with one job under way."""
        executor, numbers, total = self.workers(workers), iter(range(n)), Counter()

        async def fly():
            for i in numbers:
                result = await self.loop.run_in_executor(executor, job, i << 32)
                total.value += result

        await self.loop.run_in_executor(executor, job, 0)
        start = now()
        await asyncio.gather(*[fly() for _ in range(FLIGHTS)])
        rate = n * 1e3 / (now() - start)
        check(total.value, n * (n + 1) // 2)
        return (rate,)

    async def echo(self, _n, _workers):
        if self.protocol:
            server = await self.loop.create_server(Echo, "127.0.0.1", 0)
        else:
            server = await asyncio.start_server(talk, "127.0.0.1", 0)
        return (server.sockets[0].getsockname()[1],)


def new_loop(kind):
    if "uvloop" not in kind:
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        print("no uvloop", flush=True)
        sys.exit(0)
    return uvloop.new_event_loop()


def answer(rival, line):
    what, n, workers, sleep_ns = line.split()
    activities = {
        "spawn": spawn,
        "await": await_each,
        "yield": yield_each,
        "live": live,
        "asleep": lambda n, _workers: asleep(n, int(sleep_ns)),
        "trips": rival.trips,
        "flights": rival.flights,
        "echo": rival.echo,
    }
    print(*rival.loop.run_until_complete(activities[what](int(n), int(workers))), flush=True)


def main():
    """The argument names any of uvloop, protocol (instead of streams) and processes (instead of threads)."""
    kind = sys.argv[1].split()
    loop = new_loop(kind)
    asyncio.set_event_loop(loop)
    rival = Rival(loop, "protocol" in kind, "processes" in kind)
    print("ready", flush=True)
    for line in sys.stdin:
        answer(rival, line)
        if line.startswith("echo"):
            loop.add_reader(sys.stdin, loop.stop)
            loop.run_forever()
    if rival.executor is not None:
        rival.executor.shutdown()


if __name__ == "__main__":
    main()
