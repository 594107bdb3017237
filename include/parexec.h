/**
 * @file parexec.h
 * All of libparexec.
 *
 * libparexec runs functions of a C program in worker processes, on every core, much as OpenMP or a thread
 * pool would run them in threads. What differs: a call that segfaults, exits, or is killed costs that call
 * and nothing else, and the program is told which one it was and how it ended. Arguments and results travel
 * as bytes through memory that program and workers share, so a call costs about what it costs in a thread
 * pool.
 *
 * A whole program:
 *
 *     #include <parexec.h>
 *     #include <stdio.h>
 *
 *     static int divide(const void *in, void *out, const void *context)
 *     {
 *         (void)context;
 *         *(int *)out = 100 / *(const int *)in;
 *         return 0;
 *     }
 *
 *     int main(void)
 *     {
 *         int in[4] = { 1, 0, 3, 4 }, out[4] = { 0, 0, 0, 0 };
 *         pe_status statuses[4];
 *         pe_map_options options = PE_MAP_OPTIONS_INIT;
 *         pe_pool *pool;
 *         int error = pe_pool_new(NULL, &pool);
 *
 *         if (error < 0) {
 *             fprintf(stderr, "no pool: %s\n", pe_strerror(error));
 *             return 1;
 *         }
 *         options.statuses = statuses;
 *         error = pe_pool_map(pool, divide, in, sizeof in[0], out, sizeof out[0], 4, &options);
 *         for (int i = 0; i < 4; i++) {
 *             if (statuses[i].kind == PE_CRASHED)
 *                 printf("%d: killed by signal %d\n", i, (int)statuses[i].code);
 *             else
 *                 printf("%d: %d\n", i, out[i]);
 *         }
 *         pe_pool_free(pool);
 *         return error == PE_EITEMS ? 0 : 1;
 *     }
 *
 * It is built with `cc program.c $(pkg-config --cflags --libs parexec)` and prints that item 1 was killed by
 * signal 8 (SIGFPE), and 100, 33 and 25 for the others.
 *
 * Words, used in all headers with these meanings:
 *
 *     host     the program that uses the library
 *     pool     workers and the queue before them
 *     worker   a process that runs jobs
 *     keeper   a process, one for each pool, which forks, watches and replaces its workers
 *     job      one unit of a pool's work; a map is one job
 *     map      a function run over the elements of an array
 *     item     one element of a map
 *     region   a named, timed stretch of code
 *     chunk    items that a worker takes at once
 *     task     a function that can wait, on a loop
 *
 * Where to look:
 *
 *     pool.h      pools: make, submit, map, reduce, wait, end; what workers see of the program
 *     job.h       what was handed over, how it ended, what it gave back
 *     map.h       functions and options of maps and reduces
 *     stream.h    maps over input that comes bit by bit
 *     worker.h    what a function may ask while it runs in a worker
 *     rng.h       random numbers that do not depend on which worker draws them
 *     region.h    a stopwatch for stretches of code, which also sees inside the workers
 *     report.h    what it has measured
 *     async.h     tasks that wait for timers, sockets, files, processes and jobs, on libuv
 *     init.h      for programs with threads
 *     error.h     what calls return
 *     options.h   sized structs, durations, deadlines
 *     log.h, cpu.h, version.h, export.h
 *
 * Calls return int: 0 or above when they worked, below 0 an error (error.h). Outputs are the last parameters,
 * are named ret_ and stay untouched when the call fails. Time is int64_t nanoseconds on the monotonic clock:
 * a parameter named deadline_ns is a point in time, anything else named _ns a duration. Sizes are in bytes
 * and named so.
 *
 * Threads: every call may be made from any thread, unless its comment says otherwise; a thread that waits
 * holds no lock. The library makes no threads, but for what tasks wait for: functions that block (offload.h), and
 * libuv's threads, which read files and look up names. A program that has threads before it makes a pool should read
 * init.h: a fork copies locks which other threads hold.
 *
 * Forks: pools and jobs belong to the process that made them. In a child of it, and so in a worker, calls on
 * them return PE_EFORKED, and the free functions give back the child's copy only. "Child" in the comments
 * says whether a worker, or another child, may make a call. Pools add no child to the program's: wait and SIGCHLD
 * belong to the program alone. What pe_process_spawn starts is a child as any other (process.h).
 *
 * Signals: the library installs no handlers in the program, but while a task waits for a signal (signal.h), and
 * signals do not end its waits. pe_pool_interrupt does, and may be called in a handler.
 *
 * The library prints nothing and never ends the program.
 */
#ifndef PAREXEC_H
#define PAREXEC_H

#include <parexec/async.h>
#include <parexec/cpu.h>
#include <parexec/error.h>
#include <parexec/export.h>
#include <parexec/init.h>
#include <parexec/job.h>
#include <parexec/log.h>
#include <parexec/map.h>
#include <parexec/options.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>
#include <parexec/rng.h>
#include <parexec/stream.h>
#include <parexec/version.h>
#include <parexec/worker.h>

#endif
