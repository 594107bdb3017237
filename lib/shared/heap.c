/*
 * Blocks out of one large shared mapping; see heap.h for the contract.
 *
 * The range is cut into units of 64 KiB, which are live or free in extents (heap_units.c, and the tree of all extents
 * in heap_extents.c). Blocks of up to 64 KiB come from spans of units, each cut into blocks of one size
 * (heap_spans.c). A larger block is an extent of its own, and so is a small one where no span fits any more.
 *
 * The table of owners tells at each unit whose block an address may belong to: that of a span stands at all its
 * units, the index of a large block's extent at its first. A large block's units are dirty from when it is handed
 * out.
 *
 * Who owns what: the heap owns units and spans, the units own extents, bits and the table, a span its own piece of
 * memory. Taking back never needs memory.
 */
#include "shared/heap.h"

#include <string.h>

#include <parexec/error.h>

#include "shared/fence.h"

#define LARGE_TAG ((uintptr_t)1) /* in owners: an extent's index shifted left, not a span's (even) address */

int pe__shared_heap_init(struct pe__shared_heap *heap, void *base, size_t bytes, size_t warm_limit_bytes)
{
    size_t units = bytes >> PE__HEAP_UNIT_SHIFT;

    memset(heap, 0, sizeof *heap);
    if (!base || (uintptr_t)base % PE__HEAP_UNIT_BYTES || !units || units > PE__HEAP_UNITS_MAX)
        return PE_EINVAL;
    pe__heap_spans_init(&heap->spans, &heap->units);
    if (pe__heap_units_init(&heap->units, base, bytes, warm_limit_bytes) < 0) {
        pe__shared_heap_fini(heap);
        return PE_ENOMEM;
    }
    return 0;
}

void pe__shared_heap_fini(struct pe__shared_heap *heap)
{
    const struct pe__heap_extents *extents = &heap->units.extents;

    for (uint32_t i = pe__heap_extents_lowest(extents); i; i = extents->all[i].next) {
        uintptr_t owner = heap->units.owners[extents->all[i].first];
        if (!(owner & LARGE_TAG))
            pe__heap_spans_drop((struct pe__heap_span *)owner);
    }
    pe__heap_units_fini(&heap->units);
    memset(heap, 0, sizeof *heap);
}

static void *alloc_large(struct pe__shared_heap *heap, size_t bytes, bool zeroed)
{
    struct pe__heap_units *units = &heap->units;
    size_t count = pe__heap_units_for(bytes);

    if (count > units->count)
        return NULL;
    uint32_t index = pe__heap_units_take(units, (uint32_t)count, zeroed);
    if (!index)
        return NULL;

    size_t first = units->extents.all[index].first;
    PE__FENCE_UNPOISON(pe__heap_units_address(units, first), count << PE__HEAP_UNIT_SHIFT);
    if (zeroed)
        pe__heap_units_zero(units, first, bytes);
    pe__heap_units_mark_dirty(units, first, count);
    units->owners[first] = (uintptr_t)index << 1 | LARGE_TAG;
    heap->large_bytes += count << PE__HEAP_UNIT_SHIFT;
    return pe__heap_units_address(units, first);
}

static int free_large(struct pe__shared_heap *heap, uint32_t index, size_t offset)
{
    struct pe__heap_units *units = &heap->units;
    const struct pe__heap_extent *e = &units->extents.all[index];
    size_t bytes = (size_t)e->units << PE__HEAP_UNIT_SHIFT;

    if (offset != (size_t)e->first << PE__HEAP_UNIT_SHIFT)
        return PE_EINVAL;
    units->owners[e->first] = 0;
    heap->large_bytes -= bytes;
    PE__FENCE_POISON(pe__heap_units_address(units, e->first), bytes);
    pe__heap_units_give(units, index);
    return 0;
}

static void *alloc_any(struct pe__shared_heap *heap, size_t bytes, bool zeroed)
{
    void *memory = NULL;

    if (bytes <= PE__HEAP_SMALL_BYTES_MAX)
        memory = pe__heap_spans_take(&heap->spans, bytes, zeroed);
    return memory ? memory : alloc_large(heap, bytes, zeroed);
}

int pe__shared_heap_alloc(struct pe__shared_heap *heap, size_t bytes, bool zeroed, void **ret_memory)
{
    if (!bytes)
        bytes = 1;
    void *memory = alloc_any(heap, bytes, zeroed);
    if (!memory && bytes >> PE__HEAP_UNIT_SHIFT <= heap->units.count && pe__heap_spans_end_empty(&heap->spans))
        memory = alloc_any(heap, bytes, zeroed);
    if (!memory)
        return PE_ENOMEM;
    *ret_memory = memory;
    return 0;
}

int pe__shared_heap_free(struct pe__shared_heap *heap, void *memory)
{
    size_t offset = (uintptr_t)memory - heap->units.base; /* wraps for what lies below, and is then too large */
    size_t unit = offset >> PE__HEAP_UNIT_SHIFT;

    if (unit >= heap->units.count)
        return PE_EINVAL;
    uintptr_t owner = heap->units.owners[unit];
    if (!owner)
        return PE_EINVAL;
    if (owner & LARGE_TAG)
        return free_large(heap, (uint32_t)(owner >> 1), offset);
    return pe__heap_spans_give(&heap->spans, (struct pe__heap_span *)owner, offset);
}

bool pe__shared_heap_owns(const struct pe__shared_heap *heap, const void *memory, size_t bytes)
{
    size_t offset = (uintptr_t)memory - heap->units.base;
    size_t unit = offset >> PE__HEAP_UNIT_SHIFT, end;

    if (unit >= heap->units.count)
        return false;
    uintptr_t owner = heap->units.owners[unit];
    if (owner && !(owner & LARGE_TAG)) {
        end = pe__heap_spans_block_end((const struct pe__heap_span *)owner, offset);
        if (!end)
            return false;
    } else {
        const struct pe__heap_extent *e = pe__heap_extents_at(&heap->units.extents, unit);
        if (e->free)
            return false;
        end = ((size_t)e->first + e->units) << PE__HEAP_UNIT_SHIFT;
    }
    return bytes <= end - offset;
}

size_t pe__shared_heap_used(const struct pe__shared_heap *heap)
{
    return heap->spans.used_bytes + heap->large_bytes;
}

size_t pe__shared_heap_warm(const struct pe__shared_heap *heap)
{
    return heap->units.warm << PE__HEAP_UNIT_SHIFT;
}
