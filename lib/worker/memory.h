/* memory.h - how much memory a worker takes for itself, and what its options say of it. */
#ifndef PE__WORKER_MEMORY_H
#define PE__WORKER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Of one life of a worker; private. */
struct pe__worker_memory {
    uint64_t resident_most; /* private bytes in memory that it may have between two jobs, 0: no limit */
    uint64_t looked;        /* ticks of the last look */
    bool overgrown;         /* it has more: it leaves as soon as it may */
    bool capped;            /* allocations beyond a limit fail */
};

/* Before the initialiser runs: from now on the worker's data may grow by `memory_limit_bytes`. */
void pe__worker_memory_cap(struct pe__worker_memory *memory, uint64_t memory_limit_bytes);

/*
 * Whether that limit may well be what this process is dying of: `error`, its errno, says that memory could not be had,
 * or the limit is nearly used up. False without a limit. Async-signal-safe.
 */
bool pe__worker_memory_is_used_up(int error);

/* Once the initialiser has run: from now on the worker may grow by `rss_limit_bytes`, 0: as it likes. */
void pe__worker_memory_begin(struct pe__worker_memory *memory, uint64_t rss_limit_bytes);

/* For memory with a limit, between two jobs or items: looks, if the last look was long enough ago, whether it has
 * overgrown. */
void pe__worker_memory_look(struct pe__worker_memory *memory, uint64_t now_ticks);

#endif
