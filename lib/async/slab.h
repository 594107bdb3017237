/*
 * slab.h - memory of a loop: blocks for tasks and for what waits need, recycled by size.
 *
 * Blocks are aligned for any type. A block that is given back is the next of its size to be handed out; the memory goes
 * back to the system with the slab. Large blocks are malloc's, and under the address sanitizer all are, so that it sees
 * uses after the end.
 */
#ifndef PE__ASYNC_SLAB_H
#define PE__ASYNC_SLAB_H

#include <stddef.h>

#include "base/sanitizer.h"

#define PE__SLAB_STEP ((size_t)16)
#define PE__SLAB_SIZES 96 /* up to 1536 bytes, more than any request of libuv; above it, malloc */

struct pe__slab_free {
    struct pe__slab_free *next;
};

struct pe__slab_chunk;

struct pe__slab {
    struct pe__slab_free *free[PE__SLAB_SIZES];
    char *next; /* of the newest chunk, what has never been handed out */
    char *end;
    struct pe__slab_chunk *chunks;
    size_t chunk_bytes; /* of the next one */
};

void pe__slab_init(struct pe__slab *slab);
void pe__slab_fini(struct pe__slab *slab); /* no block is in use */

/* For pe__slab_new: a block where no free one is at hand. NULL: no memory. */
void *pe__slab_fresh(struct pe__slab *slab, size_t bytes);
void pe__slab_free_large(void *block);

#define PE__SLAB_IS_LARGE(bytes) (PE__BASE_ASAN || (bytes) > PE__SLAB_STEP * PE__SLAB_SIZES)

/* Arbitrary contents; NULL: no memory. `bytes` above 0. */
static inline void *pe__slab_new(struct pe__slab *slab, size_t bytes)
{
    size_t size = (bytes - 1) / PE__SLAB_STEP;

    if (PE__SLAB_IS_LARGE(bytes) || slab->free[size] == NULL)
        return pe__slab_fresh(slab, bytes);
    struct pe__slab_free *block = slab->free[size];
    slab->free[size] = block->next;
    return block;
}

/* `bytes` as they were asked for. */
static inline void pe__slab_free(struct pe__slab *slab, void *block, size_t bytes)
{
    struct pe__slab_free *free_block = block;
    size_t size = (bytes - 1) / PE__SLAB_STEP;

    if (PE__SLAB_IS_LARGE(bytes)) {
        pe__slab_free_large(block);
        return;
    }
    free_block->next = slab->free[size];
    slab->free[size] = free_block;
}

#endif
