/**
 * @file cpu.h
 * How many CPUs the program may use.
 *
 * A machine's number of CPUs says little in a container or under taskset: a pool with 64 workers on a
 * quota of 2 CPUs is throttled most of the time. What counts is the CPU affinity of the calling thread
 * and the CPU quota of the control groups (cgroup v1 and v2) that the process is in, at every level. A
 * pool that is asked for 0 workers makes this many, PE_WORKERS_MAX (pool.h) at most.
 *
 *     printf("%d workers by default\n", pe_cpu_count());
 *
 * Threads, forks, signals: any thread and any process may ask; each call looks anew, opens and closes a
 * few files below /proc and /sys and allocates memory, so not in a signal handler, nor in a forked child
 * of a program with threads.
 */
#ifndef PAREXEC_CPU_H
#define PAREXEC_CPU_H

#include <parexec/export.h>

PE_BEGIN_DECLS

/**
 * The CPUs that the calling thread may use: those of its affinity mask, or the smallest CPU quota on the
 * way from the process's control group up to the root if that is less. A quota of 1.5 CPUs counts as 2.
 *
 * @return the count, at least 1.
 * @errors none; what cannot be read limits nothing, and when even the mask cannot be had the answer is 1.
 * @threads any; the answer is about the calling one. @child yes. @since 1.0
 */
PE_EXPORT int pe_cpu_count(void);

PE_END_DECLS

#endif
