/* stream.h - a map over input that comes bit by bit, and the host's private book on it. See stream.c. */
#ifndef PE__POOL_STREAM_H
#define PE__POOL_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/stream.h>

#include "base/list.h"

#define PE__STREAM_PROGRESS_NS PE_MS(100)

/* What workers know of the whole stream; in shared memory, as places are. */
struct pe__stream_recipe {
    pe_map_fn *fn;
    const void *context;
    size_t in_at, out_at; /* in a place; 0: there is none */
};

/* The start of an item's place. */
struct pe__stream_place {
    const struct pe__stream_recipe *recipe;
    uint64_t index;
};

/* The host's book on a place. */
struct pe__stream_item {
    struct pe__base_list link; /* of the free ones or of those in flight; in none while in the caller's hands */
    pe_job *job;               /* NULL: none yet */
    uint64_t index;
};

struct pe_stream {
    pe_pool *pool;
    pe_source_fn *source;
    void *source_context;
    size_t out_bytes, in_bytes;
    pe_map_options options;
    _Atomic bool busy; /* a call is going on */

    struct pe__stream_recipe *block;
    size_t places_at, stride, in_at, out_at;
    struct pe__stream_item *items;         /* as many as places */
    uint64_t fresh;             /* items from this number on were never used */
    struct pe__base_list free;  /* the others that are not in use, last used first */
    struct pe__base_list flight; /* in the order of the input */
    uint64_t in_flight, window; /* length of `flight`, and the most */
    struct pe__stream_item *unsent;        /* the last one in flight, while the queue has no room for it */
    struct pe__stream_item *handed;        /* in the caller's hands; NULL: none */
    void *copy;                 /* of its result, where that is small */

    uint64_t pulled;            /* items that the source has made */
    bool stopped;               /* it is not asked any more */
    bool told;                  /* the end */
    int result;                 /* what is told at the end */
    int64_t run_ns;             /* of the last item, as a guess at the next ones */
    pe_map_summary summary;
    int64_t start_ns, progress_due_ns;
};

#endif
