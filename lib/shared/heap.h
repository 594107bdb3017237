/*
 * Blocks of any size out of one large shared mapping, handed out and taken back by the host.
 *
 * Everything the heap knows lies in private memory of the host. The range itself is never read, and written
 * only to zero a block on request: a worker that scribbles over all of it cannot mislead the heap.
 *
 * Threads: none of its own; the caller holds one lock around every call. Child: never. A call never blocks,
 * but giving pages back to the system takes about as long as touching them did.
 */
#ifndef PE__SHARED_HEAP_H
#define PE__SHARED_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/heap_spans.h"
#include "shared/heap_units.h"

/* All fields are private to heap.c; not to be moved once it is initialised, for the spans know the units. */
struct pe__shared_heap {
    struct pe__heap_units units;
    struct pe__heap_spans spans;
    size_t large_bytes; /* in live large blocks, as rounded up */
};

/*
 * Takes over [base, base + bytes), of which whole units are used. The pages must read as zero now. Freed
 * blocks keep their pages up to warm_limit_bytes in sum (spans that are kept ready, one a size, are not
 * counted). PE_EINVAL: base not 64 KiB aligned, less than one unit, more than 2^30 units. PE_ENOMEM.
 */
int pe__shared_heap_init(struct pe__shared_heap *heap, void *base, size_t bytes, size_t warm_limit_bytes);

/*
 * Frees the bookkeeping, not the range. Harmless on a heap of zeros, after a failed init and when repeated.
 */
void pe__shared_heap_fini(struct pe__shared_heap *heap);

/*
 * A block of at least `bytes` (0 counts as 1), 64-byte aligned. With `zeroed` the first `bytes` of it read
 * as zero, provided that nobody writes to memory that is not his. PE_ENOMEM: no such hole in the range, or
 * no private memory for the bookkeeping; nothing has changed then.
 */
int pe__shared_heap_alloc(struct pe__shared_heap *heap, size_t bytes, bool zeroed, void **ret_memory);

/*
 * PE_EINVAL when `memory` is not the start of a live block (NULL, freed before, inside a block, foreign).
 * Needs no memory.
 */
int pe__shared_heap_free(struct pe__shared_heap *heap, void *memory);

/*
 * Whether the whole of [memory, memory + bytes) lies inside one live block; for 0 bytes, whether `memory`
 * does. A block is as large as it was rounded up to. Any values are fine: they may come from a worker.
 */
bool pe__shared_heap_owns(const struct pe__shared_heap *heap, const void *memory, size_t bytes);

size_t pe__shared_heap_used(const struct pe__shared_heap *heap); /* bytes in live blocks, as rounded up */
size_t pe__shared_heap_warm(const struct pe__shared_heap *heap); /* bytes in free extents with pages */

#endif
