/*
 * submit.h - the way of a job, or of a map's ticket, into the queue.
 *
 * All but pe__pool_submit are called, and return, with the mutex held.
 */
#ifndef PE__POOL_SUBMIT_H
#define PE__POOL_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

struct pe__level;
struct pe__request;

/* A checked request becomes a job, or an error and nothing. */
int pe__pool_accept(pe_pool *pool, const struct pe__request *request, pe_job **ret_job);

bool pe__pool_has_positions(pe_pool *pool, struct pe__level *level, uint32_t count); /* busy records included */
bool pe__pool_find_place(pe_pool *pool, struct pe__level *level); /* collects, so not for the middle of a collection */
uint32_t pe__pool_take_record(pe_pool *pool, struct pe__level *level, pe_job *job); /* there is a free one */
void pe__pool_push(pe_pool *pool, struct pe__level *level, uint32_t record, bool may_ring);
bool pe__pool_ring_if_needed(pe_pool *pool);
int pe__pool_check_open(const pe_pool *pool);
bool pe__pool_has_loaded(pe_pool *pool, uintptr_t fn); /* when the workers were forked */
int pe__pool_submit_to_processes(pe_pool *pool, pe_job *job, const struct pe__request *request);
int pe__pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, const pe_job_options *options,
                    bool may_wait, pe_job **ret_job);

#endif
