/*
 * The heap's small blocks; see heap_spans.h for the contract.
 *
 * A span is a live extent of 1 MiB cut into blocks of one size, four sizes a doubling. It hands out the block that
 * came back last, whose lines are the likeliest to be in a cache, then blocks that were never used, from its start.
 * Its stack and its bits lie behind it in one piece of memory. It is in the list of its class exactly while it has a
 * free block.
 *
 * Its units are marked as dirty when it ends, up to the last block that it carved. What it must clear meanwhile it
 * knows by itself: a block that came back is dirty, one that was never used exactly where the span was born dirty.
 */
#include "shared/heap_spans.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "shared/fence.h"

#define SPAN_UNITS ((uint32_t)(PE__HEAP_SPAN_BYTES >> PE__HEAP_UNIT_SHIFT))

_Static_assert(SPAN_UNITS <= 32, "one bit for each in born_dirty");

/* ---- classes ---- */

static uint32_t class_of(size_t bytes)
{
    if (bytes <= 256)
        return (uint32_t)((bytes - 1) >> 6);
    size_t last = bytes - 1;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(last);
    return 4 + (log - 8) * 4 + (uint32_t)(last >> (log - 2) & 3);
}

static uint32_t class_bytes(uint32_t class_index)
{
    if (class_index < 4)
        return (class_index + 1) * 64;
    uint32_t doubling = (class_index - 4) / 4, step = (class_index - 4) % 4;
    return (256u << doubling) + ((step + 1) << (6 + doubling));
}

static void class_remove(struct pe__heap_class *class, struct pe__heap_span *span)
{
    *(span->prev ? &span->prev->next : &class->first) = span->next;
    *(span->next ? &span->next->prev : &class->last) = span->prev;
}

static void class_push_first(struct pe__heap_class *class, struct pe__heap_span *span)
{
    span->prev = NULL;
    span->next = class->first;
    *(span->next ? &span->next->prev : &class->last) = span;
    class->first = span;
}

static void class_push_last(struct pe__heap_class *class, struct pe__heap_span *span)
{
    span->next = NULL;
    span->prev = class->last;
    *(span->prev ? &span->prev->next : &class->first) = span;
    class->last = span;
}

/* ---- spans ---- */

static struct pe__heap_span *span_new(struct pe__heap_spans *spans, uint32_t class_index)
{
    struct pe__heap_units *units = spans->units;
    uint32_t block_bytes = class_bytes(class_index);
    uint32_t count = (uint32_t)(PE__HEAP_SPAN_BYTES / block_bytes);
    size_t live_bytes = (count + 63) / 64 * sizeof(uint64_t);
    struct pe__heap_span *span = malloc(sizeof *span + live_bytes + count * sizeof(uint16_t));
    if (!span)
        return NULL;

    memset(span, 0, sizeof *span);
    span->extent = pe__heap_units_take(units, SPAN_UNITS, false);
    if (!span->extent) {
        free(span);
        return NULL;
    }
    span->first = units->extents.all[span->extent].first;
    span->live = (uint64_t *)(span + 1);
    memset(span->live, 0, live_bytes);
    span->stack = (uint16_t *)((char *)span->live + live_bytes);
    span->block_bytes = block_bytes;
    span->reciprocal = (uint32_t)(((uint64_t)1 << 32) / (block_bytes / 64)) + (block_bytes > 64);
    span->block_count = count;
    span->class_index = class_index;
    for (uint32_t i = 0; i < SPAN_UNITS; i++) {
        units->owners[span->first + i] = (uintptr_t)span;
        span->born_dirty |= (uint32_t)pe__heap_units_is_dirty(units, span->first + i) << i;
    }
    return span;
}

static void span_free(struct pe__heap_spans *spans, struct pe__heap_span *span)
{
    struct pe__heap_units *units = spans->units;
    size_t carved_bytes = (size_t)span->carved_count * span->block_bytes;

    memset(&units->owners[span->first], 0, SPAN_UNITS * sizeof units->owners[0]);
    pe__heap_units_mark_dirty(units, span->first, pe__heap_units_for(carved_bytes));
    pe__heap_units_give(units, span->extent);
    free(span);
}

void pe__heap_spans_drop(struct pe__heap_span *span)
{
    free(span);
}

static size_t span_start(const struct pe__heap_span *span)
{
    return (size_t)span->first << PE__HEAP_UNIT_SHIFT;
}

/* The number of the block that `offset` (from the start of the span) falls into. */
static uint32_t span_block_at(const struct pe__heap_span *span, uint32_t offset)
{
    uint32_t lines = offset / 64;
    return span->block_bytes == 64 ? lines : (uint32_t)((uint64_t)lines * span->reciprocal >> 32);
}

static bool span_is_live(const struct pe__heap_span *span, uint32_t block)
{
    return block < span->block_count && (span->live[block / 64] >> (block % 64) & 1);
}

static bool span_is_full(const struct pe__heap_span *span)
{
    return !span->stack_count && span->carved_count == span->block_count;
}

/* Whether a block that was never handed out may lie on pages that somebody wrote to before the span was made. */
static bool span_was_dirty(const struct pe__heap_span *span, uint32_t block)
{
    uint32_t offset = block * span->block_bytes;
    uint32_t first = offset >> PE__HEAP_UNIT_SHIFT, last = (offset + span->block_bytes - 1) >> PE__HEAP_UNIT_SHIFT;
    return span->born_dirty & ((((uint64_t)1 << (last - first + 1)) - 1) << first);
}

static void *span_address(const struct pe__heap_spans *spans, const struct pe__heap_span *span, uint32_t block)
{
    return (char *)pe__heap_units_address(spans->units, span->first) + (size_t)block * span->block_bytes;
}

static void *span_take(struct pe__heap_spans *spans, struct pe__heap_span *span, size_t bytes, bool zeroed)
{
    struct pe__heap_class *class = &spans->classes[span->class_index];
    bool dirty = true;
    uint32_t block;

    if (span->stack_count) {
        block = span->stack[--span->stack_count];
    } else {
        block = span->carved_count++;
        dirty = span->born_dirty && span_was_dirty(span, block);
    }
    span->live[block / 64] |= (uint64_t)1 << (block % 64);
    if (class->empty == span)
        class->empty = NULL;
    if (span_is_full(span))
        class_remove(class, span);
    spans->used_bytes += span->block_bytes;

    void *memory = span_address(spans, span, block);
    PE__FENCE_UNPOISON(memory, span->block_bytes);
    if (zeroed && dirty)
        memset(memory, 0, bytes);
    return memory;
}

/* ---- all of them ---- */

void pe__heap_spans_init(struct pe__heap_spans *spans, struct pe__heap_units *units)
{
    memset(spans, 0, sizeof *spans);
    spans->units = units;
}

void *pe__heap_spans_take(struct pe__heap_spans *spans, size_t bytes, bool zeroed)
{
    uint32_t class_index = class_of(bytes);
    struct pe__heap_class *class = &spans->classes[class_index];
    struct pe__heap_span *span = class->first;

    if (!span) {
        span = span_new(spans, class_index);
        if (!span)
            return NULL;
        class_push_first(class, span);
    }
    return span_take(spans, span, bytes, zeroed);
}

/* One empty span a size stays, or a program at the edge of a span would make and end one with every block. */
static void keep_or_end(struct pe__heap_spans *spans, struct pe__heap_class *class, struct pe__heap_span *span)
{
    class_remove(class, span);
    if (class->empty) {
        span_free(spans, span);
    } else {
        class->empty = span;
        class_push_last(class, span);
    }
}

int pe__heap_spans_give(struct pe__heap_spans *spans, struct pe__heap_span *span, size_t offset)
{
    struct pe__heap_class *class = &spans->classes[span->class_index];
    uint32_t in_span = (uint32_t)(offset - span_start(span));
    uint32_t block = span_block_at(span, in_span);
    bool was_full = span_is_full(span);

    if (block * span->block_bytes != in_span || !span_is_live(span, block))
        return PE_EINVAL;
    span->live[block / 64] &= ~((uint64_t)1 << (block % 64));
    span->stack[span->stack_count++] = (uint16_t)block;
    spans->used_bytes -= span->block_bytes;
    PE__FENCE_POISON(span_address(spans, span, block), span->block_bytes);
    if (was_full)
        class_push_first(class, span);
    if (span->stack_count == span->carved_count)
        keep_or_end(spans, class, span);
    return 0;
}

size_t pe__heap_spans_block_end(const struct pe__heap_span *span, size_t offset)
{
    uint32_t block = span_block_at(span, (uint32_t)(offset - span_start(span)));
    return span_is_live(span, block) ? span_start(span) + (size_t)(block + 1) * span->block_bytes : 0;
}

bool pe__heap_spans_end_empty(struct pe__heap_spans *spans)
{
    bool ended = false;

    for (uint32_t i = 0; i < PE__HEAP_CLASS_COUNT; i++) {
        struct pe__heap_class *class = &spans->classes[i];
        struct pe__heap_span *span = class->empty;
        if (!span)
            continue;
        class_remove(class, span);
        class->empty = NULL;
        span_free(spans, span);
        ended = true;
    }
    return ended;
}
