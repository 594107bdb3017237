#!/usr/bin/env python3
"""pool.py KERNELS.SO: libparexec from Python, by ctypes alone.

Functions of a shared object (kernels.c) run over arrays in worker processes, a crash costs its item, and the stopwatch
tells where the time went. Functions in Python do so too: a callback of ctypes is a C function, and workers are forked
from this process, interpreter and all. They are to be defined, and what they need imported, before the pool is made. An
exception cannot leave a callback, so it returns a code instead."""

import ctypes
import json
import os
import sys
import tempfile
from ctypes import c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

RETURNED, CRASHED = 1, 2  # PE_RETURNED and PE_CRASHED of job.h
EITEMS = -5005  # PE_EITEMS of error.h
REPORT_JSON = 2
MAP_FN = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)


class Status(ctypes.Structure):
    """pe_status of job.h, which never grows."""
    _fields_ = [('kind', c_uint32), ('code', c_int32), ('pid', c_int32), ('worker', c_int32), ('attempts', c_uint32),
                ('stop_signal', c_int32), ('item', c_uint64), ('queued_ns', c_int64), ('run_ns', c_int64),
                ('reserved', c_uint64 * 2)]


class MapOptions(ctypes.Structure):
    """pe_map_options of map.h as of version 1.0. Newer libraries take it, for it says how long it is."""
    _fields_ = [('size', c_size_t), ('chunk', c_uint64), ('context', c_void_p), ('context_bytes', c_size_t),
                ('statuses', ctypes.POINTER(Status)), ('summary', c_void_p), ('on_error', c_uint32),
                ('retries', c_uint32), ('timeout_ns', c_int64), ('deadline_ns', c_int64), ('max_inflight', c_uint64),
                ('inflight_bytes', c_uint64), ('progress', c_void_p), ('progress_context', c_void_p),
                ('flags', c_uint32), ('priority', c_uint32)]


def load():
    """The library, with the types of what is called here."""
    library = ctypes.CDLL('libparexec.so.1')
    # With the interpreter's lock held, so that the workers have it too and never wait for a thread that they do not have.
    library.pe_pool_new = ctypes.PyDLL('libparexec.so.1').pe_pool_new
    library.pe_pool_new.argtypes = [c_void_p, ctypes.POINTER(c_void_p)]
    library.pe_strerror.restype = c_char_p
    library.pe_pool_free.argtypes, library.pe_pool_free.restype = [c_void_p], None
    library.pe_pool_map.argtypes = [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_size_t,
                                    ctypes.POINTER(MapOptions)]
    library.pe_region_enter.argtypes = library.pe_region_leave.argtypes = [c_char_p]
    library.pe_report_write.argtypes = [c_char_p, c_uint32]
    return library


class Pool:
    """with Pool(library) as pool: pool.map(...)"""

    def __init__(self, library):
        self.library, self.pool = library, c_void_p()
        self.check(library.pe_pool_new(None, ctypes.byref(self.pool)))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.library.pe_pool_free(self.pool)

    def check(self, error):
        if error < 0:
            raise RuntimeError(self.library.pe_strerror(error).decode())

    def map(self, function, items, in_type, out_type):
        """For each item what the function made of it, or a text that says how it ended."""
        count = len(items)
        given, made, statuses = (in_type * count)(*items), (out_type * count)(), (Status * count)()
        options = MapOptions(size=ctypes.sizeof(MapOptions), statuses=statuses)
        error = self.library.pe_pool_map(self.pool, ctypes.cast(function, c_void_p), given, ctypes.sizeof(in_type),
                                         made, ctypes.sizeof(out_type), count, ctypes.byref(options))
        self.check(0 if error == EITEMS else error)
        return [value if (status.kind, status.code) == (RETURNED, 0) else ending(status)
                for value, status in zip(made, statuses)]


def ending(status):
    if status.kind == RETURNED:
        return f'failed with {status.code}'
    return f'killed by signal {status.code}' if status.kind == CRASHED else f'ended with kind {status.kind}'


@MAP_FN
def roman(given, made, _context):
    """Runs in a worker."""
    try:
        number, text = c_int.from_address(given).value, b''
        if not 0 < number < 4000:
            return 1
        for value, letters in zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
                                  b'M CM D CD C XC L XL X IX V IV I'.split()):
            text += letters * (number // value)
            number %= value
        ctypes.memmove(made, text + b'\0', len(text) + 1)
        return 0
    except Exception:
        return 2


def measured(library):
    """Of each region how often it was called and for how many nanoseconds, in all processes together."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'report.json')
        if library.pe_report_write(path.encode(), REPORT_JSON) < 0:
            raise RuntimeError('no report')
        with open(path, encoding='utf-8') as file:
            report = json.load(file)
    sums = {}
    for node in report['nodes']:
        name = report['labels'][node['label']]['name']
        calls, total_ns = sums.get(name, (0, 0))
        sums[name] = calls + node['calls'], total_ns + node['total_ns']
    return sums


def main(kernels):
    if ctypes.sizeof(c_void_p) == 8:
        assert (ctypes.sizeof(Status), ctypes.sizeof(MapOptions)) == (64, 112), 'not the structs of the headers'
    library, functions = load(), ctypes.CDLL(kernels)
    number = c_int(42)  # workers have what is there before the pool
    library.pe_region_enable(1)
    with Pool(library) as pool:
        library.pe_region_enter(b'areas')
        sides = [(3, 4, 5), (5, 5, 8), (1, 1, 3)]
        print(pool.map(functions.area, [(c_double * 3)(*each) for each in sides], c_double * 3, c_double))
        library.pe_region_leave(b'areas')
        print(pool.map(functions.peek, [ctypes.addressof(number), 16], c_void_p, c_int))
        texts = pool.map(roman, [1978, 2024, 0], c_int, ctypes.c_char * 16)
        print([text if isinstance(text, str) else text.value.decode() for text in texts])
    sums = measured(library)
    print(f'areas: {sums["areas"][0]} call, {sums["areas"][1]} ns; in workers: {sums["pe.run"][1]} ns')


if __name__ == '__main__':
    main(*sys.argv[1:])
