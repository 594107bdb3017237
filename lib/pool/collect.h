/*
 * collect.h - looks at busy records and takes over what has ended.
 *
 * Everything is called, and returns, with the mutex held.
 */
#ifndef PE__POOL_COLLECT_H
#define PE__POOL_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/pool.h>

struct pe__level;

void pe__pool_collect_record(pe_pool *pool, uint32_t record);
uint32_t pe__pool_collect_front(pe_pool *pool, uint32_t most);
uint32_t pe__pool_collect_all(pe_pool *pool, uint32_t most);
void pe__pool_discount(pe_pool *pool, struct pe__level *level, uint32_t record); /* it waits no longer */
bool pe__pool_is_waiting_at(const pe_pool *pool, const struct pe__level *level, uint64_t position);
void pe__pool_look_at_claims(pe_pool *pool, struct pe__level *level);
void pe__pool_end_unclaimed(pe_pool *pool, uint32_t record, uint32_t kind); /* no worker has it or will have it */
void pe__pool_settle_rest(pe_pool *pool, uint32_t kind); /* no process is left: what has not ended ends as `kind` */

/*
 * Gives back what a result that was taken over lies in. In a forked child, without the mutex: private memory
 * alone.
 */
void pe__job_release_result(pe_pool *pool, pe_job *job);

#endif
