/*
 * slab.c - memory of a loop. Chunks grow, so that few tasks take little memory and many take few calls.
 */
#include "async/slab.h"

#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CHUNK_BYTES_FIRST 16384
#define CHUNK_BYTES_MOST (1 << 18)

struct pe__slab_chunk {
    alignas(max_align_t) struct pe__slab_chunk *next;
    size_t bytes;
};

_Static_assert(sizeof(struct pe__slab_chunk) % PE__SLAB_STEP == 0, "blocks after it are aligned");

void pe__slab_init(struct pe__slab *slab)
{
    *slab = (struct pe__slab){ .chunk_bytes = CHUNK_BYTES_FIRST };
}

/* One of the largest will be used up before long: its pages all at once cost less than one by one. */
static struct pe__slab_chunk *new_chunk(size_t bytes)
{
    struct pe__slab_chunk *chunk;

    if (bytes < CHUNK_BYTES_MOST)
        return malloc(bytes);
    chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return chunk == MAP_FAILED ? NULL : chunk;
}

static void free_chunk(struct pe__slab_chunk *chunk)
{
    if (chunk->bytes < CHUNK_BYTES_MOST)
        free(chunk);
    else
        munmap(chunk, chunk->bytes);
}

void pe__slab_fini(struct pe__slab *slab)
{
    for (struct pe__slab_chunk *chunk = slab->chunks, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free_chunk(chunk);
    }
}

static int add_chunk(struct pe__slab *slab)
{
    struct pe__slab_chunk *chunk = new_chunk(slab->chunk_bytes);

    if (chunk == NULL)
        return -1;
    *chunk = (struct pe__slab_chunk){ .next = slab->chunks, .bytes = slab->chunk_bytes };
    slab->chunks = chunk;
    slab->next = (char *)(chunk + 1);
    slab->end = (char *)chunk + slab->chunk_bytes;
    if (slab->chunk_bytes < CHUNK_BYTES_MOST)
        slab->chunk_bytes *= 2;
    return 0;
}

void *pe__slab_fresh(struct pe__slab *slab, size_t bytes)
{
    size_t rounded = (bytes + PE__SLAB_STEP - 1) / PE__SLAB_STEP * PE__SLAB_STEP;

    if (PE__SLAB_IS_LARGE(bytes))
        return malloc(rounded);
    if ((size_t)(slab->end - slab->next) < rounded && add_chunk(slab) < 0)
        return NULL;
    char *block = slab->next;
    slab->next += rounded;
    return block;
}

void pe__slab_free_large(void *block)
{
    free(block);
}
