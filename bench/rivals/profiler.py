"""What cProfile adds to a call of a Python function.

Answers lines of "WHAT N BYTES NS", as rival.py does, with nanoseconds a call.
"""

import cProfile
import sys
import time


def small_function():
    pass


def call_ns(n):
    start = time.perf_counter_ns()
    for _ in range(n):
        small_function()
    return (time.perf_counter_ns() - start) / n


print("ready", flush=True)
for line in sys.stdin:
    count = int(line.split()[1])
    plain = call_ns(count)
    profile = cProfile.Profile()
    profile.enable()
    profiled = call_ns(count)
    profile.disable()
    print(profiled - plain, flush=True)
