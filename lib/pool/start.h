/* start.h - the start of a pool: the keeper, its descriptors, and the wait for the first worker. */
#ifndef PE__POOL_START_H
#define PE__POOL_START_H

#include <parexec/pool.h>

int pe__pool_start_processes(pe_pool *pool);
int pe__pool_open_descriptors(pe_pool *pool);
void pe__pool_close_descriptors(pe_pool *pool);
void pe__pool_unwatch_keeper(pe_pool *pool);

#endif
