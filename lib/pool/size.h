/* size.h - how many workers a pool has at a time. Everything is called, and returns, with the mutex held. */
#ifndef PE__POOL_SIZE_H
#define PE__POOL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/pool.h>

#include "pool/pool.h"

/* Bits of those who are wanted in the group whose first worker this is. */
static inline uint64_t pe__pool_wanted_in(const pe_pool *pool, uint32_t first)
{
    uint32_t members = pool->workers > first ? pool->workers - first : 0;
    return members < PE__BELL_GROUP_WORKERS ? pe__bell_bit(members) - 1 : UINT64_MAX;
}

/* Asks the keeper for a process in place of one worker that has left for want of work. False: none has. Never waits. */
bool pe__pool_start_one(pe_pool *pool);

/* Asks for all of them, whatever shared memory says. */
void pe__pool_start_all(pe_pool *pool);

#endif
