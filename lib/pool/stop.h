/*
 * stop.h - the end of a pool, and of single records before their time.
 *
 * Everything is called, and returns, with the mutex held.
 */
#ifndef PE__POOL_STOP_H
#define PE__POOL_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/pool.h>

void pe__pool_break(pe_pool *pool);
bool pe__pool_has_processes(const pe_pool *pool);
int pe__pool_kill(pe_pool *pool, int64_t grace_ns);
bool pe__pool_cancel_if_queued(pe_pool *pool, uint32_t record);
void pe__pool_stop_record(pe_pool *pool, uint32_t index, int64_t grace_ns);

#endif
