/*
 * Blocks out of one large shared mapping; see heap.h for the contract.
 *
 * The range is cut into units of 64 KiB. Extents, each a run of units that is live or free, cover it without
 * gaps: they stand in a treap ordered by address and in a list of the same order. Two free extents never
 * touch. Every node of the treap knows the longest free extent below it, so the lowest hole that fits is
 * found on one way down. Low addresses first, because pages that were touched once are dear: the first touch
 * of a shared page costs more than clearing it does later.
 *
 * Blocks of up to 64 KiB come from spans: live extents of 1 MiB cut into blocks of one size, four sizes a
 * doubling. A span hands out the block that came back last, whose lines are the likeliest to be in a cache,
 * then blocks that were never used, from its start. Where no span fits any more, a small block is a large
 * one of one unit.
 *
 * One dirty bit per unit says that its pages may differ from zero. It is set when a large block is handed
 * out, and for a span when that ends, up to the last block that it carved; it is cleared when the system
 * took the pages back. A free extent with dirty units is warm. Over the limit, pages are given back from the
 * highest addresses downwards, as those are the last to be used again.
 *
 * Who owns what: the heap owns the arrays and the spans, a span its stack and its bits (one piece of
 * memory). Extents name each other by index, since their array moves when it grows; index 0 is nobody.
 * Taking back never needs memory: it turns a live extent into a free one and merges it with its neighbours.
 */
#include "shared/heap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <parexec/error.h>

#include "shared/fence.h"

#define UNIT_SHIFT 16
#define UNITS_MAX ((size_t)1 << 30)
#define SPAN_UNITS ((uint32_t)(PE__SHARED_HEAP_SPAN_BYTES >> UNIT_SHIFT))
#define SMALL_BYTES_MAX PE__SHARED_HEAP_UNIT_BYTES
#define LARGE_TAG ((uintptr_t)1) /* in owners: an extent's index shifted left, not a span's (even) address */

struct pe__shared_extent {
    uint32_t left, right, parent; /* treap */
    uint32_t prev, next;          /* by address; `next` alone links the unused ones */
    uint32_t first, units;
    uint32_t dirty;               /* dirty units, counted only while it is free */
    uint32_t free_max, warm_max;  /* longest free and longest warm extent from here down */
    uint32_t priority;            /* no smaller than the children's */
    bool free;
};

struct pe__shared_span {
    struct pe__shared_span *prev, *next; /* in its class, while it has a free block */
    uint64_t *live;                      /* bit per block */
    uint16_t *stack;                     /* blocks that came back, the latest on top */
    uint32_t first;                      /* unit */
    uint32_t extent;
    uint32_t block_bytes;
    uint32_t reciprocal;                 /* 2^32 / (block_bytes / 64), rounded up */
    uint32_t block_count;
    uint32_t carved_count;               /* blocks that were ever handed out: those with the lowest numbers */
    uint32_t stack_count;
    uint32_t class_index;
    uint32_t born_dirty;                 /* bit per unit: was dirty when the span was made */
};

/* ---- dirty bits ---- */

static uint64_t mask_of(size_t from, size_t count)
{
    return (count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1) << from;
}

/*
 * The part of [unit, end) in the word of `unit`, as a mask; moves `unit` to the next word or the
 * end.
 */
static uint64_t next_mask(size_t *unit, size_t end)
{
    size_t from = *unit % 64;
    size_t count = 64 - from < end - *unit ? 64 - from : end - *unit;
    *unit += count;
    return mask_of(from, count);
}

static uint32_t dirty_count(const struct pe__shared_heap *heap, size_t first, size_t count)
{
    uint32_t sum = 0;
    for (size_t unit = first, end = first + count; unit < end;) {
        uint64_t word = heap->dirty_bits[unit / 64];
        sum += (uint32_t)__builtin_popcountll(word & next_mask(&unit, end));
    }
    return sum;
}

static void set_dirty(struct pe__shared_heap *heap, size_t first, size_t count, bool dirty)
{
    for (size_t unit = first, end = first + count; unit < end;) {
        uint64_t *word = &heap->dirty_bits[unit / 64];
        uint64_t mask = next_mask(&unit, end);
        *word = dirty ? *word | mask : *word & ~mask;
    }
}

static bool unit_is_dirty(const struct pe__shared_heap *heap, size_t unit)
{
    return heap->dirty_bits[unit / 64] >> (unit % 64) & 1;
}

static void *unit_address(const struct pe__shared_heap *heap, size_t unit)
{
    return (void *)(heap->base + (unit << UNIT_SHIFT));
}

/* ---- the treap of extents ---- */

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void sum_up(struct pe__shared_extent *all, uint32_t index)
{
    struct pe__shared_extent *e = &all[index];
    const struct pe__shared_extent *left = &all[e->left], *right = &all[e->right];
    uint32_t own = e->free ? e->units : 0;

    e->free_max = max_u32(own, max_u32(left->free_max, right->free_max));
    e->warm_max = max_u32(e->dirty ? own : 0, max_u32(left->warm_max, right->warm_max));
}

static void sum_up_to_root(struct pe__shared_extent *all, uint32_t index)
{
    for (; index; index = all[index].parent)
        sum_up(all, index);
}

static void put_in_place_of(struct pe__shared_heap *heap, uint32_t old, uint32_t new)
{
    struct pe__shared_extent *all = heap->extents;
    uint32_t parent = all[old].parent;

    if (!parent)
        heap->root = new;
    else if (all[parent].left == old)
        all[parent].left = new;
    else
        all[parent].right = new;
    if (new)
        all[new].parent = parent;
}

/* The child goes up, its parent down. Sums both up, not what is above. */
static void rotate_up(struct pe__shared_heap *heap, uint32_t child)
{
    struct pe__shared_extent *all = heap->extents;
    uint32_t parent = all[child].parent, moved;

    put_in_place_of(heap, parent, child);
    if (all[parent].left == child) {
        moved = all[parent].left = all[child].right;
        all[child].right = parent;
    } else {
        moved = all[parent].right = all[child].left;
        all[child].left = parent;
    }
    if (moved)
        all[moved].parent = parent;
    all[parent].parent = child;
    sum_up(all, parent);
    sum_up(all, child);
}

static uint32_t next_priority(struct pe__shared_heap *heap)
{
    heap->seed ^= heap->seed << 13;
    heap->seed ^= heap->seed >> 17;
    heap->seed ^= heap->seed << 5;
    return heap->seed;
}

/* `index` follows `before` in the order of addresses. */
static void insert_after(struct pe__shared_heap *heap, uint32_t before, uint32_t index)
{
    struct pe__shared_extent *all = heap->extents, *e = &all[index];
    uint32_t parent = all[before].right;

    if (!parent) {
        parent = before;
        all[before].right = index;
    } else {
        while (all[parent].left)
            parent = all[parent].left;
        all[parent].left = index;
    }
    e->parent = parent;
    e->left = e->right = 0;
    e->priority = next_priority(heap);
    e->prev = before;
    e->next = all[before].next;
    if (e->next)
        all[e->next].prev = index;
    all[before].next = index;
    sum_up(all, index);
    while (e->parent && all[e->parent].priority < e->priority)
        rotate_up(heap, index);
    sum_up_to_root(all, e->parent);
}

static void remove_extent(struct pe__shared_heap *heap, uint32_t index)
{
    struct pe__shared_extent *all = heap->extents, *e = &all[index];

    while (e->left && e->right)
        rotate_up(heap, all[e->left].priority > all[e->right].priority ? e->left : e->right);
    put_in_place_of(heap, index, e->left ? e->left : e->right);
    sum_up_to_root(all, e->parent);
    if (e->prev)
        all[e->prev].next = e->next;
    if (e->next)
        all[e->next].prev = e->prev;
    e->next = heap->spare;
    heap->spare = index;
}

/* Sees to it that one extent can be had without fail. */
static int have_spare(struct pe__shared_heap *heap)
{
    if (heap->spare || heap->extent_count < heap->extent_capacity)
        return 0;
    size_t capacity = heap->extent_capacity ? (size_t)heap->extent_capacity * 2 : 64;
    struct pe__shared_extent *extents = realloc(heap->extents, capacity * sizeof *extents);
    if (!extents)
        return PE_ENOMEM;
    heap->extents = extents;
    heap->extent_capacity = (uint32_t)capacity;
    return 0;
}

static uint32_t take_spare(struct pe__shared_heap *heap)
{
    uint32_t index = heap->spare;
    if (index)
        heap->spare = heap->extents[index].next;
    else
        index = heap->extent_count++;
    memset(&heap->extents[index], 0, sizeof heap->extents[index]);
    return index;
}

/* ---- finding holes ---- */

static uint32_t first_fit(const struct pe__shared_heap *heap, uint32_t units)
{
    const struct pe__shared_extent *all = heap->extents;
    uint32_t index = heap->root;

    while (index && all[index].free_max >= units) {
        if (all[all[index].left].free_max >= units)
            index = all[index].left;
        else if (all[index].free && all[index].units >= units)
            return index;
        else
            index = all[index].right;
    }
    return 0;
}

static bool is_warm(const struct pe__shared_extent *e)
{
    return e->free && e->dirty;
}

static uint32_t first_warm_fit(const struct pe__shared_heap *heap, uint32_t units)
{
    const struct pe__shared_extent *all = heap->extents;
    uint32_t index = heap->root;

    while (index && all[index].warm_max >= units) {
        if (all[all[index].left].warm_max >= units)
            index = all[index].left;
        else if (is_warm(&all[index]) && all[index].units >= units)
            return index;
        else
            index = all[index].right;
    }
    return 0;
}

/* How many of the first units of a hole are dirty; most holes are wholly so, or not at all. */
static uint32_t dirty_in_hole(const struct pe__shared_heap *heap, const struct pe__shared_extent *hole,
                              uint32_t units)
{
    if (!hole->dirty)
        return 0;
    return hole->dirty == hole->units ? units : dirty_count(heap, hole->first, units);
}

static uint32_t highest_warm(const struct pe__shared_heap *heap)
{
    const struct pe__shared_extent *all = heap->extents;
    uint32_t index = heap->root;

    while (index && all[index].warm_max) {
        if (all[all[index].right].warm_max)
            index = all[index].right;
        else if (is_warm(&all[index]))
            return index;
        else
            index = all[index].left;
    }
    return 0;
}

/*
 * The lowest hole, or the lowest warm one where more pages are there already. Not for zeroed memory: it
 * would have to be cleared, and of a large zeroed block often only a part is ever touched.
 */
static uint32_t find_hole(const struct pe__shared_heap *heap, uint32_t units, bool zeroed)
{
    const struct pe__shared_extent *all = heap->extents;
    uint32_t lowest = first_fit(heap, units);

    if (!lowest || zeroed || all[lowest].dirty == all[lowest].units)
        return lowest;
    uint32_t warm = first_warm_fit(heap, units);
    if (!warm || warm == lowest)
        return lowest;
    uint32_t in_lowest = dirty_in_hole(heap, &all[lowest], units);
    return dirty_in_hole(heap, &all[warm], units) > in_lowest ? warm : lowest;
}

/* ---- taking and giving back extents ---- */

/*
 * Makes a live extent of the first units of a hole. 0: no memory, or no hole. The dirty bits stay as they
 * are.
 */
static uint32_t take_extent(struct pe__shared_heap *heap, uint32_t units, bool zeroed)
{
    uint32_t hole = find_hole(heap, units, zeroed);
    if (!hole || have_spare(heap) < 0)
        return 0;

    struct pe__shared_extent *e = &heap->extents[hole];
    uint32_t rest_units = e->units - units;
    uint32_t taken_dirty = dirty_in_hole(heap, e, units);
    uint32_t rest_dirty = e->dirty - taken_dirty;

    heap->warm_units -= taken_dirty;
    e->free = false;
    e->units = units;
    e->dirty = 0;
    sum_up_to_root(heap->extents, hole);
    if (rest_units) {
        uint32_t rest = take_spare(heap);
        heap->extents[rest].first = e->first + units;
        heap->extents[rest].units = rest_units;
        heap->extents[rest].dirty = rest_dirty;
        heap->extents[rest].free = true;
        insert_after(heap, hole, rest);
    }
    return hole;
}

/* Gives back the highest dirty run of a free extent, at most `most` units of it. 0: the system refused. */
static uint32_t punch_run(struct pe__shared_heap *heap, uint32_t index, size_t most)
{
    struct pe__shared_extent *e = &heap->extents[index];
    size_t end = (size_t)e->first + e->units, first;

    while (!unit_is_dirty(heap, end - 1)) {
        size_t in_word = (end - 1) % 64 + 1;
        uint64_t word = heap->dirty_bits[(end - 1) / 64] & mask_of(0, in_word);
        /* What is dirty below the extent does not matter: by its count it holds a dirty unit further up. */
        end -= word ? in_word - (64 - (size_t)__builtin_clzll(word)) : in_word;
    }
    for (first = end; first > e->first && end - first < most && unit_is_dirty(heap, first - 1);)
        first--;
    if (madvise(unit_address(heap, first), (end - first) << UNIT_SHIFT, MADV_REMOVE) < 0)
        return 0;
    set_dirty(heap, first, end - first, false);
    return (uint32_t)(end - first);
}

static void cool_down(struct pe__shared_heap *heap)
{
    while (heap->warm_units > heap->warm_limit_units && !heap->keeps_pages) {
        uint32_t index = highest_warm(heap);
        uint32_t units = punch_run(heap, index, heap->warm_units - heap->warm_limit_units);
        if (!units)
            heap->keeps_pages = true;
        heap->extents[index].dirty -= units;
        heap->warm_units -= units;
        sum_up_to_root(heap->extents, index);
    }
}

/* `right` is the neighbour of `left`, both are free. */
static void merge(struct pe__shared_heap *heap, uint32_t left, uint32_t right)
{
    heap->extents[left].units += heap->extents[right].units;
    heap->extents[left].dirty += heap->extents[right].dirty;
    remove_extent(heap, right);
}

static void give_extent(struct pe__shared_heap *heap, uint32_t index, uint32_t dirty)
{
    struct pe__shared_extent *all = heap->extents, *e = &all[index];

    e->free = true;
    e->dirty = dirty;
    heap->warm_units += e->dirty;
    if (e->next && all[e->next].free)
        merge(heap, index, e->next);
    if (e->prev && all[e->prev].free) {
        uint32_t prev = e->prev;
        merge(heap, prev, index);
        index = prev;
    }
    sum_up_to_root(all, index);
    cool_down(heap);
}

/* ---- small blocks ---- */

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

static void class_remove(struct pe__shared_class *class, struct pe__shared_span *span)
{
    *(span->prev ? &span->prev->next : &class->first) = span->next;
    *(span->next ? &span->next->prev : &class->last) = span->prev;
}

static void class_push_first(struct pe__shared_class *class, struct pe__shared_span *span)
{
    span->prev = NULL;
    span->next = class->first;
    *(span->next ? &span->next->prev : &class->last) = span;
    class->first = span;
}

static void class_push_last(struct pe__shared_class *class, struct pe__shared_span *span)
{
    span->next = NULL;
    span->prev = class->last;
    *(span->prev ? &span->prev->next : &class->first) = span;
    class->last = span;
}

static struct pe__shared_span *span_new(struct pe__shared_heap *heap, uint32_t class_index)
{
    uint32_t block_bytes = class_bytes(class_index);
    uint32_t count = (uint32_t)(PE__SHARED_HEAP_SPAN_BYTES / block_bytes);
    size_t live_bytes = (count + 63) / 64 * sizeof(uint64_t);
    struct pe__shared_span *span = malloc(sizeof *span + live_bytes + count * sizeof(uint16_t));
    if (!span)
        return NULL;

    memset(span, 0, sizeof *span);
    span->extent = take_extent(heap, SPAN_UNITS, false);
    if (!span->extent) {
        free(span);
        return NULL;
    }
    span->first = heap->extents[span->extent].first;
    span->live = (uint64_t *)(span + 1);
    memset(span->live, 0, live_bytes);
    span->stack = (uint16_t *)((char *)span->live + live_bytes);
    span->block_bytes = block_bytes;
    span->reciprocal = (uint32_t)(((uint64_t)1 << 32) / (block_bytes / 64)) + (block_bytes > 64);
    span->block_count = count;
    span->class_index = class_index;
    for (uint32_t i = 0; i < SPAN_UNITS; i++) {
        heap->owners[span->first + i] = (uintptr_t)span;
        span->born_dirty |= (uint32_t)unit_is_dirty(heap, span->first + i) << i;
    }
    return span;
}

static void span_free(struct pe__shared_heap *heap, struct pe__shared_span *span)
{
    size_t carved_bytes = (size_t)span->carved_count * span->block_bytes;

    memset(&heap->owners[span->first], 0, SPAN_UNITS * sizeof heap->owners[0]);
    set_dirty(heap, span->first, (carved_bytes + PE__SHARED_HEAP_UNIT_BYTES - 1) >> UNIT_SHIFT, true);
    give_extent(heap, span->extent, dirty_count(heap, span->first, SPAN_UNITS));
    free(span);
}

/* The number of the block that `offset` (from the start of the span) falls into. */
static uint32_t span_block_at(const struct pe__shared_span *span, uint32_t offset)
{
    uint32_t lines = offset / 64;
    return span->block_bytes == 64 ? lines : (uint32_t)((uint64_t)lines * span->reciprocal >> 32);
}

static bool span_is_live(const struct pe__shared_span *span, uint32_t block)
{
    return block < span->block_count && (span->live[block / 64] >> (block % 64) & 1);
}

/*
 * Whether a block that was never handed out may lie on pages that somebody wrote to before the span was
 * made.
 */
static bool span_was_dirty(const struct pe__shared_span *span, uint32_t block)
{
    uint32_t offset = block * span->block_bytes;
    uint32_t first = offset >> UNIT_SHIFT, last = (offset + span->block_bytes - 1) >> UNIT_SHIFT;
    return span->born_dirty & mask_of(first, last - first + 1);
}

static void *span_take(struct pe__shared_heap *heap, struct pe__shared_span *span, size_t bytes, bool zeroed)
{
    struct pe__shared_class *class = &heap->classes[span->class_index];
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
    if (!span->stack_count && span->carved_count == span->block_count)
        class_remove(class, span);
    heap->used_bytes += span->block_bytes;

    char *memory = (char *)unit_address(heap, span->first) + (size_t)block * span->block_bytes;
    PE__FENCE_UNPOISON(memory, span->block_bytes);
    if (zeroed && dirty)
        memset(memory, 0, bytes);
    return memory;
}

static int span_give(struct pe__shared_heap *heap, struct pe__shared_span *span, uint32_t offset)
{
    struct pe__shared_class *class = &heap->classes[span->class_index];
    uint32_t block = span_block_at(span, offset);
    bool was_full = !span->stack_count && span->carved_count == span->block_count;

    if (block * span->block_bytes != offset || !span_is_live(span, block))
        return PE_EINVAL;
    span->live[block / 64] &= ~((uint64_t)1 << (block % 64));
    span->stack[span->stack_count++] = (uint16_t)block;
    heap->used_bytes -= span->block_bytes;
    PE__FENCE_POISON((char *)unit_address(heap, span->first) + offset, span->block_bytes);
    if (was_full)
        class_push_first(class, span);
    if (span->stack_count < span->carved_count)
        return 0;
    /*
     * Empty. One such span a size stays, or a program at the edge of a span would make and end one with
     * every block.
     */
    class_remove(class, span);
    if (class->empty) {
        span_free(heap, span);
    } else {
        class->empty = span;
        class_push_last(class, span);
    }
    return 0;
}

/* The range is full: the spans that were only kept ready go first. True when there was one. */
static bool end_empty_spans(struct pe__shared_heap *heap)
{
    bool ended = false;

    for (uint32_t i = 0; i < PE__SHARED_HEAP_CLASS_COUNT; i++) {
        struct pe__shared_class *class = &heap->classes[i];
        struct pe__shared_span *span = class->empty;
        if (!span)
            continue;
        class_remove(class, span);
        class->empty = NULL;
        span_free(heap, span);
        ended = true;
    }
    return ended;
}

static void *alloc_small(struct pe__shared_heap *heap, size_t bytes, bool zeroed)
{
    struct pe__shared_class *class = &heap->classes[class_of(bytes)];
    struct pe__shared_span *span = class->first;

    if (!span) {
        span = span_new(heap, class_of(bytes));
        if (!span)
            return NULL;
        class_push_first(class, span);
    }
    return span_take(heap, span, bytes, zeroed);
}

/* ---- large blocks ---- */

/* Clears [first, first + bytes) of the units where it is needed. */
static void clear_dirty(struct pe__shared_heap *heap, size_t first, size_t bytes)
{
    size_t end = first + ((bytes + PE__SHARED_HEAP_UNIT_BYTES - 1) >> UNIT_SHIFT);

    for (size_t unit = first; unit < end;) {
        size_t from = unit;
        while (unit < end && unit_is_dirty(heap, unit))
            unit++;
        if (unit > from) {
            size_t left = bytes - ((from - first) << UNIT_SHIFT), run = (unit - from) << UNIT_SHIFT;
            memset(unit_address(heap, from), 0, run < left ? run : left);
        }
        while (unit < end && !unit_is_dirty(heap, unit))
            unit++;
    }
}

static void *alloc_large(struct pe__shared_heap *heap, size_t bytes, bool zeroed)
{
    size_t units = (bytes >> UNIT_SHIFT) + (bytes % PE__SHARED_HEAP_UNIT_BYTES != 0);
    if (units > heap->unit_count)
        return NULL;
    uint32_t index = take_extent(heap, (uint32_t)units, zeroed);
    if (!index)
        return NULL;

    size_t first = heap->extents[index].first;
    PE__FENCE_UNPOISON(unit_address(heap, first), units << UNIT_SHIFT);
    if (zeroed)
        clear_dirty(heap, first, bytes);
    set_dirty(heap, first, units, true);
    heap->owners[first] = (uintptr_t)index << 1 | LARGE_TAG;
    heap->used_bytes += units << UNIT_SHIFT;
    return unit_address(heap, first);
}

static int free_large(struct pe__shared_heap *heap, uint32_t index, size_t offset)
{
    const struct pe__shared_extent *e = &heap->extents[index];

    if (offset != (size_t)e->first << UNIT_SHIFT)
        return PE_EINVAL;
    heap->owners[e->first] = 0;
    heap->used_bytes -= (size_t)e->units << UNIT_SHIFT;
    PE__FENCE_POISON(unit_address(heap, e->first), (size_t)e->units << UNIT_SHIFT);
    give_extent(heap, index, e->units); /* all of them: marked when it was handed out */
    return 0;
}

/* The extent that holds a unit; extents cover the range, so there is one. */
static const struct pe__shared_extent *extent_at(const struct pe__shared_heap *heap, size_t unit)
{
    const struct pe__shared_extent *all = heap->extents, *e = &all[heap->root];

    while (unit < e->first || unit >= (size_t)e->first + e->units)
        e = &all[unit < e->first ? e->left : e->right];
    return e;
}

/* ---- the interface ---- */

/* Large and mostly untouched for ever. Straight from the system, because calloc would clear memory that it
 * recycles. */
static void *new_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages != MAP_FAILED ? pages : NULL;
}

static void free_pages(void *pages, size_t bytes)
{
    if (pages)
        munmap(pages, bytes);
}

static size_t dirty_bytes(size_t units)
{
    return (units + 63) / 64 * sizeof(uint64_t);
}

int pe__shared_heap_init(struct pe__shared_heap *heap, void *base, size_t bytes, size_t warm_limit_bytes)
{
    size_t units = bytes >> UNIT_SHIFT;

    memset(heap, 0, sizeof *heap);
    if (!base || (uintptr_t)base % PE__SHARED_HEAP_UNIT_BYTES || !units || units > UNITS_MAX)
        return PE_EINVAL;
    heap->base = (uintptr_t)base;
    heap->unit_count = units;
    heap->warm_limit_units = warm_limit_bytes >> UNIT_SHIFT;
    heap->seed = 2463534242u;
    heap->owners = new_pages(units * sizeof heap->owners[0]);
    heap->dirty_bits = new_pages(dirty_bytes(units));
    if (!heap->owners || !heap->dirty_bits || have_spare(heap) < 0) {
        pe__shared_heap_fini(heap);
        return PE_ENOMEM;
    }
    take_spare(heap); /* index 0: nobody, all zero for ever */
    heap->root = take_spare(heap);
    struct pe__shared_extent *e = &heap->extents[heap->root];
    e->units = (uint32_t)units;
    e->free = true;
    e->priority = next_priority(heap);
    sum_up(heap->extents, heap->root);
    return 0;
}

void pe__shared_heap_fini(struct pe__shared_heap *heap)
{
    uint32_t index = heap->root;

    /* In a treap any node leads to the first by address through the list. */
    while (index && heap->extents[index].prev)
        index = heap->extents[index].prev;
    for (; index; index = heap->extents[index].next) {
        uintptr_t owner = heap->owners[heap->extents[index].first];
        if (!(owner & LARGE_TAG))
            free((void *)owner);
    }
    free(heap->extents);
    free_pages(heap->dirty_bits, dirty_bytes(heap->unit_count));
    free_pages(heap->owners, heap->unit_count * sizeof heap->owners[0]);
    memset(heap, 0, sizeof *heap);
}

static void *alloc_any(struct pe__shared_heap *heap, size_t bytes, bool zeroed)
{
    void *memory = bytes <= SMALL_BYTES_MAX ? alloc_small(heap, bytes, zeroed) : NULL;
    return memory ? memory : alloc_large(heap, bytes, zeroed);
}

int pe__shared_heap_alloc(struct pe__shared_heap *heap, size_t bytes, bool zeroed, void **ret_memory)
{
    if (!bytes)
        bytes = 1;
    void *memory = alloc_any(heap, bytes, zeroed);
    if (!memory && bytes >> UNIT_SHIFT <= heap->unit_count && end_empty_spans(heap))
        memory = alloc_any(heap, bytes, zeroed);
    if (!memory)
        return PE_ENOMEM;
    *ret_memory = memory;
    return 0;
}

int pe__shared_heap_free(struct pe__shared_heap *heap, void *memory)
{
    size_t offset = (uintptr_t)memory - heap->base; /* wraps for what lies below, and is then too large */
    size_t unit = offset >> UNIT_SHIFT;

    if (unit >= heap->unit_count)
        return PE_EINVAL;
    uintptr_t owner = heap->owners[unit];
    if (!owner)
        return PE_EINVAL;
    if (owner & LARGE_TAG)
        return free_large(heap, (uint32_t)(owner >> 1), offset);
    struct pe__shared_span *span = (struct pe__shared_span *)owner;
    return span_give(heap, span, (uint32_t)(offset - ((size_t)span->first << UNIT_SHIFT)));
}

bool pe__shared_heap_owns(const struct pe__shared_heap *heap, const void *memory, size_t bytes)
{
    size_t offset = (uintptr_t)memory - heap->base;
    size_t unit = offset >> UNIT_SHIFT, end;

    if (unit >= heap->unit_count)
        return false;
    uintptr_t owner = heap->owners[unit];
    if (owner && !(owner & LARGE_TAG)) {
        const struct pe__shared_span *span = (const struct pe__shared_span *)owner;
        size_t start = (size_t)span->first << UNIT_SHIFT;
        uint32_t block = span_block_at(span, (uint32_t)(offset - start));
        if (!span_is_live(span, block))
            return false;
        end = start + (size_t)(block + 1) * span->block_bytes;
    } else {
        const struct pe__shared_extent *e = extent_at(heap, unit);
        if (e->free)
            return false;
        end = ((size_t)e->first + e->units) << UNIT_SHIFT;
    }
    return bytes <= end - offset;
}

size_t pe__shared_heap_used(const struct pe__shared_heap *heap)
{
    return heap->used_bytes;
}

size_t pe__shared_heap_warm(const struct pe__shared_heap *heap)
{
    return heap->warm_units << UNIT_SHIFT;
}
