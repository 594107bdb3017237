/* deadline.h - the host's part of the deadlines of what waits in the queue. With the mutex held. */
#ifndef PE__POOL_DEADLINE_H
#define PE__POOL_DEADLINE_H

#include <stdint.h>

#include <parexec/pool.h>

void pe__pool_mind_deadline(pe_pool *pool, uint32_t record);   /* one that has a deadline was pushed */
void pe__pool_forget_deadline(pe_pool *pool, uint32_t record); /* it has ended */

#endif
