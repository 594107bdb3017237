#ifndef PE__TEST_BOOKS_H
#define PE__TEST_BOOKS_H

/*
 * A pool's private books, for tests that link the library's inside. In the header, since the layout of shared
 * memory depends on the library that a test links.
 */

#include <sched.h>

#include "harness/harness.h"
#include "pool/pool.h"

/* With no job in the pool, records, blocks and memory are free again. A dead worker's block is given back when
 * it is reaped. */
static inline void books_assert_nothing_left(const pe_pool *pool)
{
    const struct pe__shared *in = &pool->shared;
    int64_t guard = pe_after(PE_SECONDS(20));

    ck_assert_uint_eq(pool->in_flight, 0);
    ck_assert_uint_eq(pool->live_count, 0);
    ck_assert_uint_eq(pool->map_busy, 0);
    ck_assert_uint_eq(pe__shared_heap_used(&pool->heap), 0);
    for (uint32_t i = 0; i < pe__mapping_records(in); i++) {
        uint64_t word = atomic_load(&in->records[i].word);
        if (pool->state == PE__POOL_OPEN)
            ck_assert(word == 0 || pe__record_is_final(word));
        ck_assert_ptr_null(pool->entries[i].job);
    }
    for (uint32_t i = 0; i < in->blocks.block_count; i++) {
        /* Once the pool has broken nobody gives anything back, and nobody takes. */
        while (pool->state == PE__POOL_OPEN && atomic_load(&in->block_words[i]) != 0 && pe_now() < guard)
            sched_yield();
        if (pool->state == PE__POOL_OPEN)
            ck_assert_uint_eq(atomic_load(&in->block_words[i]), 0);
        ck_assert(!pool->block_held[i]);
    }
}

#endif
