#ifndef PE__BENCH_POOL_JOBS_H
#define PE__BENCH_POOL_JOBS_H

/* The driver of contenders that run jobs: ROUND_TRIP, PAUSED, MANY and GRAIN out of two operations. A job is
 * work_chosen: 8 bytes in, 8 bytes out, and every result must reach the host. With plan->bytes the 8 bytes in are the
 * address of a block of so many, and the job is its sum. */

#include "table/row.h"

struct job_ops {
    const char *absent; /* why it is not in this build, or NULL */
    int (*open)(const struct plan *plan, void **ret_state);
    int (*one)(void *state, uint64_t arg, uint64_t *ret_result); /* there and back; NULL: only many */
    int (*many)(void *state, const uint64_t *args, uint64_t *results, size_t n); /* submitted one by one */
    int64_t (*cpu_ns)(void *state); /* NULL: all of it is in this process */
    void (*close)(void *state);
    void *(*alloc)(void *state, size_t bytes); /* the memory of blocks, given back by close; NULL: malloc */
};

extern const struct driver jobs_driver;

#endif
