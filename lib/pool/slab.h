/*
 * slab.h - memory for job handles: cache lines side by side, so that a million of them held in turn are read as
 * one stream.
 *
 * Handles of one slab lie in one aligned range; the slab's own line comes first in it and is found by the address.
 * Slabs with a free handle are in a list; those in which none is used are given back but for a few.
 *
 * Threads: none of its own; the pool's mutex guards it. Child: its copy takes handles back, and gives
 * none out.
 */
#ifndef PE__POOL_SLAB_H
#define PE__POOL_SLAB_H

#include <stdint.h>

#include <parexec/pool.h>

#include "base/list.h"

struct pe__slabs {
    struct pe__base_list with_room;
    uint32_t unused_count; /* slabs in which no handle is used */
};

void pe__slabs_init(struct pe__slabs *slabs);

/* Gives the unused slabs back. All handles have come back. */
void pe__slabs_fini(struct pe__slabs *slabs);

/* NULL: no memory. */
pe_job *pe__slabs_take(struct pe__slabs *slabs);

void pe__slabs_give(struct pe__slabs *slabs, pe_job *job);

#endif
