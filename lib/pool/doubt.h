/* doubt.h - breaks a pool when its workers and records are in a state that cannot be. */
#ifndef PE__POOL_DOUBT_H
#define PE__POOL_DOUBT_H

#include <stdint.h>

#include <parexec/pool.h>

#include "shared/bell.h"

/* What the last look saw. */
struct pe__doubt {
    int64_t due_ns;
    uint32_t record; /* the oldest that waited */
    uint64_t sequence;
    uint64_t asleep[PE_WORKERS_MAX / PE__BELL_GROUP_WORKERS];
};

/* Both with the mutex held. */
void pe__pool_doubt(pe_pool *pool); /* does something once a second at most */
void pe__pool_check_order(pe_pool *pool); /* breaks a pool whose queue a scribbler has spoilt */

#endif
