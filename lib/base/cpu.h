/*
 * How many CPUs this process may use: the affinity mask, and the CPU quota of its control groups.
 *
 * `root` stands before /proc and before the mount points named there: "" is the real system, tests give a
 * directory with a made-up tree.
 */
#ifndef PE__BASE_CPU_H
#define PE__BASE_CPU_H

#include <stddef.h>
#include <stdint.h>

/* CPUs in the calling thread's affinity mask, at least 1; any number of CPUs in the machine. */
int pe__base_cpu_affinity(void);

/* Those CPUs in ascending order, to be freed, and how many; 0 and nothing when they cannot be had. */
size_t pe__base_cpu_list(int32_t **ret_cpus);

/* The smallest quota, cgroup v1 or v2, on the way from the process's own group up to the mount, in whole CPUs
 * rounded up, at least 1. 0: none; what cannot be read or understood counts as none. */
int pe__base_cpu_quota(const char *root);

/* The smaller of both, at least 1. */
int pe__base_cpu_count(const char *root);

#endif
