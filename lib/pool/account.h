/* account.h - what the slots say of the workers' time and doing, made possible. With the mutex held. */
#ifndef PE__POOL_ACCOUNT_H
#define PE__POOL_ACCOUNT_H

#include <stdint.h>

#include <parexec/pool.h>

/* All but what is to be asked of the system (resident_bytes). */
void pe__pool_account(pe_pool *pool, uint32_t worker, pe_worker_stats *ret);

/* The times of *stats: of all jobs, of all worker numbers. */
void pe__pool_account_times(pe_pool *pool, pe_stats *stats);

#endif
