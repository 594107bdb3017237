/*
 * heap_spans.h - the heap's small blocks: spans of units, each cut into blocks of one size.
 *
 * Threads: as heap.h. Child: never.
 */
#ifndef PE__SHARED_HEAP_SPANS_H
#define PE__SHARED_HEAP_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/heap_units.h"

#define PE__HEAP_SPAN_BYTES ((size_t)1048576)
#define PE__HEAP_SMALL_BYTES_MAX PE__HEAP_UNIT_BYTES
#define PE__HEAP_CLASS_COUNT 36

struct pe__heap_span {
    struct pe__heap_span *prev, *next; /* in its class, while it has a free block */
    uint64_t *live;                    /* bit per block */
    uint16_t *stack;                   /* blocks that came back, the latest on top */
    uint32_t first;                    /* unit */
    uint32_t extent;
    uint32_t block_bytes;
    uint32_t reciprocal;               /* 2^32 / (block_bytes / 64), rounded up */
    uint32_t block_count;
    uint32_t carved_count;             /* blocks that were ever handed out: those with the lowest numbers */
    uint32_t stack_count;
    uint32_t class_index;
    uint32_t born_dirty;               /* bit per unit: was dirty when the span was made */
};

/*
 * The spans of one small block size that have a free block: those in use first, then at most one empty one.
 */
struct pe__heap_class {
    struct pe__heap_span *first;
    struct pe__heap_span *last;
    struct pe__heap_span *empty; /* also in the list, or NULL */
};

struct pe__heap_spans {
    struct pe__heap_units *units;
    size_t used_bytes; /* in live blocks, as rounded up */
    struct pe__heap_class classes[PE__HEAP_CLASS_COUNT];
};

/* Units come from `units`, in whose table of owners a span stands by its address, which is even. */
void pe__heap_spans_init(struct pe__heap_spans *spans, struct pe__heap_units *units);

/* The bookkeeping of one span, when the whole heap ends. */
void pe__heap_spans_drop(struct pe__heap_span *span);

/* A block of 1 to PE__HEAP_SMALL_BYTES_MAX bytes; NULL: no room for a span, or no memory. */
void *pe__heap_spans_take(struct pe__heap_spans *spans, size_t bytes, bool zeroed);

/* PE_EINVAL: no live block starts at `offset` from the start of the range. Needs no memory. */
int pe__heap_spans_give(struct pe__heap_spans *spans, struct pe__heap_span *span, size_t offset);

/* Where the live block ends that `offset`, which lies in the span, falls into; 0: none is live there. */
size_t pe__heap_spans_block_end(const struct pe__heap_span *span, size_t offset);

/* Ends the spans that are only kept ready. True when there was one. */
bool pe__heap_spans_end_empty(struct pe__heap_spans *spans);

#endif
