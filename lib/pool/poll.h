/* poll.h - the steps of a loop outside that drives the pool. With the mutex held, which callbacks release meanwhile. */
#ifndef PE__POOL_POLL_H
#define PE__POOL_POLL_H

#include <parexec/pool.h>

/* The most that one step takes over. */
#define PE__POLL_MOST 256

/* Takes over what has ended, at most that much, and calls callbacks. How many records it was. */
uint32_t pe__pool_collect_some(pe_pool *pool);

/* Before a sleep on the pool's descriptor: empties it and announces the sleep. Look again afterwards: whatever ends
 * from then on makes it readable. */
void pe__pool_arm(pe_pool *pool);

#endif
