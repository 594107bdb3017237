/* outcome.h - how the items of a map ended: read from shared memory, kept, told. */
#ifndef PE__POOL_OUTCOME_H
#define PE__POOL_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

struct pe__map_job;
struct pe__texts;

/* Takes one item's outcome into the books; for maps that ran inline. */
void pe__map_count_item(struct pe__map_job *map, const pe_status *status, const char *text, size_t text_bytes);

/* Copies results, fills statuses, summary and failures. `rest`: the kind of items still open. */
void pe__map_read_outcome(const pe_pool *pool, struct pe__map_job *map, uint32_t rest);

int pe__map_item_status(const pe_job *job, uint64_t item, pe_status *ret_status);

/* Of a map that has ended, and an item that it has: what it left, or NULL. PE_ENOMEM: that is not known. */
int pe__map_item_texts(const pe_job *job, uint64_t item, struct pe__texts **ret_texts);

#endif
