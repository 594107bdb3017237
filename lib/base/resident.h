/* resident.h - how much memory a process has for itself. */
#ifndef PE__BASE_RESIDENT_H
#define PE__BASE_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Resident memory that is not shared by mapping or file; pages of a forked child count, also while they are still its
 * parent's. pid 0: this process. False: it cannot be told. Async-signal-safe; opens, reads and closes a file of /proc,
 * which takes about 5 us.
 */
bool pe__base_resident(pid_t pid, uint64_t *ret_bytes);

/*
 * This process's private memory that can be written to, touched or not: what RLIMIT_DATA limits, and the first thread's
 * stack. False: it cannot be told. Async-signal-safe.
 */
bool pe__base_data(uint64_t *ret_bytes);

#endif
