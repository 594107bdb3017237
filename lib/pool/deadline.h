/* deadline.h - the host's part of the deadlines of what waits in the queue. With the mutex held. */
#ifndef PE__POOL_DEADLINE_H
#define PE__POOL_DEADLINE_H

#include "pool/pool.h"

/* For a record that has a deadline: it was pushed; it has ended. */
void pe__pool_mind_deadline(pe_pool *pool, uint32_t record);
void pe__pool_forget_deadline(pe_pool *pool);
void pe__pool_repeat_deadlines(pe_pool *pool); /* the keeper looks, whatever was overwritten */

static inline bool pe__pool_has_deadline(const pe_pool *pool, uint32_t record)
{
    return (pool->entries[record].limits & PE__LIMIT_DEADLINE) != 0;
}

#endif
