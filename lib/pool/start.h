/* start.h - the start of a pool: its keeper, and the wait for the first worker. */
#ifndef PE__POOL_START_H
#define PE__POOL_START_H

#include <parexec/pool.h>

int pe__pool_start_processes(pe_pool *pool);

#endif
