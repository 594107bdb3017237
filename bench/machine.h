#ifndef PE__BENCH_MACHINE_H
#define PE__BENCH_MACHINE_H

/* What the benchmark asks of the machine and of other processes: CPUs, CPU time, context switches, memory. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MACHINE_CPUS_MAX 1024

/* CPUs that this process may use, lowest first. Returns how many were written. */
int machine_cpus(int *ret_cpus, int max);

/* Keeps this thread on one CPU; machine_unpin gives back what it had before the last pin. */
int machine_pin(int cpu);
void machine_unpin(void);

/* The CPU's name from /proc/cpuinfo, "unknown" when it does not say; and the running kernel. */
const char *machine_cpu_name(void);
const char *machine_kernel(void);
uint64_t machine_memory_bytes(void); /* available now */

/* Of another process, by its id; -1 when it is gone or does not let itself be looked at. */
int64_t machine_cpu_ns(pid_t pid);
int64_t machine_switches(pid_t pid); /* voluntary and involuntary, main thread */
int64_t machine_private_kib(pid_t pid);
int64_t machine_peak_kib(pid_t pid); /* the most that was ever resident */

/* Memory that forked children share; zeroed. Ends the program when there is none. */
void *machine_shared(size_t bytes);
void machine_unshare(void *memory, size_t bytes);

/* A child that dies with its parent. As fork. */
pid_t machine_fork(void);
void machine_sleep_ns(int64_t ns);

#endif
