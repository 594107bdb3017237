/* arena.c - blocks in a chain, each filled from its front. */
#include "report/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct block {
    struct block *older;
    size_t used, bytes;
    alignas(max_align_t) unsigned char room[];
};

struct pe__profile_arena {
    struct block *newest; /* NULL: none yet */
};

struct pe__profile_arena *pe__arena_new(void)
{
    return calloc(1, sizeof(struct pe__profile_arena));
}

void pe__arena_free(struct pe__profile_arena *arena)
{
    if (!arena)
        return;
    for (struct block *block = arena->newest, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    free(arena);
}

static struct block *add_block(struct pe__profile_arena *arena, size_t bytes)
{
    struct block *block;

    if (bytes < BLOCK_BYTES)
        bytes = BLOCK_BYTES;
    block = calloc(1, sizeof *block + bytes);
    if (!block)
        return NULL;
    block->older = arena->newest;
    block->bytes = bytes;
    arena->newest = block;
    return block;
}

void *pe__arena_alloc(struct pe__profile_arena *arena, size_t bytes)
{
    struct block *block = arena->newest;
    void *memory;

    bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!block || bytes > block->bytes - block->used)
        block = add_block(arena, bytes);
    if (!block)
        return NULL;
    memory = block->room + block->used;
    block->used += bytes;
    return memory;
}

const char *pe__arena_text(struct pe__profile_arena *arena, const char *text)
{
    size_t bytes = text ? strlen(text) : 0;
    char *copy;

    if (bytes == 0)
        return "";
    copy = pe__arena_alloc(arena, bytes + 1);
    if (copy)
        memcpy(copy, text, bytes + 1);
    return copy;
}
