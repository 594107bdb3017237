/* size.h - how many workers a pool has at a time. Everything is called, and returns, with the mutex held. */
#ifndef PE__POOL_SIZE_H
#define PE__POOL_SIZE_H

#include <stdbool.h>

#include <parexec/pool.h>

/* Asks the keeper for a process in place of one worker that has left for want of work. False: none has. Never waits. */
bool pe__pool_start_one(pe_pool *pool);

/* Asks for all of them, whatever shared memory says. */
void pe__pool_start_all(pe_pool *pool);

#endif
