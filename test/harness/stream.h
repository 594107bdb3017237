#ifndef PE__TEST_STREAM_H
#define PE__TEST_STREAM_H

/* Streams of the squares of numbers: where the numbers come from, and what comes out. */

#include <stdint.h>

#include <parexec/stream.h>

#include "harness/gate.h"

struct numbers_source {
    uint64_t made, end;   /* UINT64_MAX: endless */
    int ends_with;        /* 0, or an error */
    uint64_t pause_at;    /* has nothing for one call before this item, once; 0: never */
};

/* A pe_source_fn; the context is a struct numbers_source. */
int next_number(void *item, void *context);
/* The size member of the options is filled in. */
pe_stream *stream_of(pe_pool *pool, pe_map_fn *fn, struct numbers_source *source, pe_map_options options);
/* Each item counts itself in at a gate of its own, and waits until that is open. */
int item_square_at_gate(const void *in, void *out, const void *context);
/* Options whose context is the address of as many gates as there are items. */
pe_map_options stream_at_gates(struct gate *const *gates);

struct stream_outcome {
    uint64_t count, failed, last_index;
    int in_order, result;
    unsigned char seen[4096];
};

/* Takes up to `most` squares, and looks at each. */
struct stream_outcome stream_take(pe_stream *stream, uint64_t most);
void stream_assert_ends_with(pe_stream *stream, int result);
/* So many are made, and none of them ends meanwhile. */
void stream_pull_until(pe_stream *stream, const struct numbers_source *source, uint64_t made);

#endif
