/*
 * The heap over the shared mapping: placement, zeroing, reuse, refusals, pages given back, and a long random
 * run against a shadow model. Its sources are included, so that the tree of extents can be checked from inside
 * and its calls for private memory can fail on demand without touching anybody else's.
 */
#include <sys/mman.h>
#include <stdlib.h>

static long fail_after = -1; /* private allocations that still succeed; -1: all */
static int fail_once;        /* only the next one fails after that, not all */

static int fails_now(void)
{
    if (fail_after > 0)
        fail_after--;
    else if (fail_after == 0) {
        fail_after = fail_once ? -1 : 0;
        return 1;
    }
    return 0;
}

static void *test_malloc(size_t bytes)
{
    return fails_now() ? NULL : malloc(bytes);
}

static void *test_realloc(void *memory, size_t bytes)
{
    return fails_now() ? NULL : realloc(memory, bytes);
}

static void *test_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return fails_now() ? MAP_FAILED : mmap(at, bytes, protection, flags, fd, offset);
}

#define mmap test_mmap
#define malloc test_malloc
#define realloc test_realloc
#include "base/pages.c"
#include "shared/heap_extents.c"
#include "shared/heap_units.c"
#include "shared/heap_spans.c"
#include "shared/heap.c"
#undef mmap
#undef malloc
#undef realloc

#include <check.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1048576)
#define UNIT (64 * KIB)

static struct pe__shared_heap heap;
static char *range;
static size_t range_bytes;

static void set_up(size_t bytes, size_t warm_limit)
{
    size_t mapped = bytes + UNIT;
    char *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    char *start = (char *)(((uintptr_t)map + UNIT - 1) & ~(uintptr_t)(UNIT - 1));
    if (start > map)
        munmap(map, (size_t)(start - map));
    if (map + mapped > start + bytes)
        munmap(start + bytes, (size_t)(map + mapped - (start + bytes)));
    range = start;
    range_bytes = bytes;
    ck_assert_int_eq(pe__shared_heap_init(&heap, range, bytes, warm_limit), 0);
}

/* ---- the heap from inside ---- */

static uint32_t check_subtree(uint32_t index, uint32_t *ret_warm_max)
{
    const struct pe__heap_extent *e = &heap.units.extents.all[index];
    uint32_t left_warm = 0, right_warm = 0, max, own = e->free ? e->units : 0;

    *ret_warm_max = 0;
    if (!index)
        return 0;
    if (e->left) {
        ck_assert_uint_eq(heap.units.extents.all[e->left].parent, index);
        ck_assert_uint_ge(e->priority, heap.units.extents.all[e->left].priority);
        ck_assert_uint_lt(heap.units.extents.all[e->left].first, e->first);
    }
    if (e->right) {
        ck_assert_uint_eq(heap.units.extents.all[e->right].parent, index);
        ck_assert_uint_ge(e->priority, heap.units.extents.all[e->right].priority);
        ck_assert_uint_gt(heap.units.extents.all[e->right].first, e->first);
    }
    max = max_u32(own, max_u32(check_subtree(e->left, &left_warm), check_subtree(e->right, &right_warm)));
    *ret_warm_max = max_u32(e->dirty ? own : 0, max_u32(left_warm, right_warm));
    ck_assert_uint_eq(max, e->free_max);
    ck_assert_uint_eq(*ret_warm_max, e->warm_max);
    return max;
}

static void check_class(const struct pe__heap_class *class)
{
    const struct pe__heap_span *prev = NULL;

    for (const struct pe__heap_span *span = class->first; span; prev = span, span = span->next) {
        ck_assert_ptr_eq(span->prev, prev);
        ck_assert_ptr_eq(&heap.spans.classes[span->class_index], class);
        ck_assert(span->stack_count || span->carved_count < span->block_count);
        ck_assert((span->stack_count == span->carved_count) == (span == class->empty));
    }
    ck_assert_ptr_eq(class->last, prev);
    ck_assert(!class->empty || class->empty == prev);
}

static void check_heap(void)
{
    uint32_t index = heap.units.extents.root, unit = 0, warm = 0, count = 0;
    bool last_free = false;

    for (size_t i = 0; i < PE__HEAP_CLASS_COUNT; i++)
        check_class(&heap.spans.classes[i]);
    check_subtree(heap.units.extents.root, &warm);
    warm = 0;
    while (heap.units.extents.all[index].left)
        index = heap.units.extents.all[index].left;
    ck_assert_uint_eq(heap.units.extents.all[index].prev, 0);
    for (; index; index = heap.units.extents.all[index].next) {
        const struct pe__heap_extent *e = &heap.units.extents.all[index];
        ck_assert_uint_eq(e->first, unit);
        ck_assert_uint_gt(e->units, 0);
        ck_assert(!(e->free && last_free));
        ck_assert_uint_eq(e->dirty, e->free ? dirty_count(&heap.units, e->first, e->units) : 0);
        ck_assert(e->free == !heap.units.owners[e->first]);
        ck_assert_ptr_eq(pe__heap_extents_at(&heap.units.extents, unit + e->units - 1), e);
        if (e->next)
            ck_assert_uint_eq(heap.units.extents.all[e->next].prev, index);
        last_free = e->free;
        unit += e->units;
        warm += e->dirty;
        count++;
    }
    ck_assert_uint_eq(unit, heap.units.count);
    ck_assert_uint_eq(warm, heap.units.warm);
    ck_assert(heap.units.warm <= heap.units.warm_limit || heap.units.keeps_pages);
    for (index = heap.units.extents.spare; index; index = heap.units.extents.all[index].next)
        count++;
    ck_assert_uint_eq(count + 1, heap.units.extents.count); /* none lost; one is nobody */
}

static void tear_down(void)
{
    check_heap();
    pe__shared_heap_fini(&heap);
    munmap(range, range_bytes);
}

static char *take(size_t bytes, bool zeroed)
{
    void *memory = NULL;
    ck_assert_int_eq(pe__shared_heap_alloc(&heap, bytes, zeroed, &memory), 0);
    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    ck_assert(pe__shared_heap_owns(&heap, memory, bytes));
    ck_assert((char *)memory >= range && (char *)memory + bytes <= range + range_bytes);
    return memory;
}

static void give(void *memory)
{
    ck_assert_int_eq(pe__shared_heap_free(&heap, memory), 0);
}

static bool all_equal(const char *memory, int byte, size_t bytes)
{
    return !bytes || (memory[0] == (char)byte && !memcmp(memory, memory + 1, bytes - 1));
}

static size_t resident(const char *memory, size_t bytes)
{
    size_t pages = bytes / 4096, sum = 0;
    unsigned char *map = malloc(pages);
    ck_assert_int_eq(mincore((void *)memory, bytes, map), 0);
    for (size_t i = 0; i < pages; i++)
        sum += map[i] & 1;
    free(map);
    return sum * 4096;
}

/* ---- sizes ---- */

START_TEST(classes_cover_all_small_sizes)
{
    for (size_t bytes = 1; bytes <= PE__HEAP_SMALL_BYTES_MAX; bytes++) {
        uint32_t c = class_of(bytes);
        ck_assert_uint_lt(c, PE__HEAP_CLASS_COUNT);
        ck_assert_uint_ge(class_bytes(c), bytes);
        ck_assert_uint_eq(class_bytes(c) % 64, 0);
        if (c)
            ck_assert_uint_lt(class_bytes(c - 1), bytes);
    }
    ck_assert_uint_eq(class_bytes(PE__HEAP_CLASS_COUNT - 1), 64 * KIB);
}
END_TEST

START_TEST(any_address_in_a_span_finds_its_block)
{
    set_up(16 * MIB, MIB);
    for (uint32_t c = 0; c < PE__HEAP_CLASS_COUNT; c++) {
        struct pe__heap_span *span = span_new(&heap.spans, c);
        for (uint32_t offset = 0; offset < PE__HEAP_SPAN_BYTES; offset += 32)
            ck_assert_uint_eq(span_block_at(span, offset), offset / class_bytes(c));
        span_free(&heap.spans, span);
    }
    tear_down();
}
END_TEST

START_TEST(blocks_are_aligned_and_counted)
{
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 4096, 5000, 65535, 65536, 65537, 1000000, 3 * 1048576 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    char *blocks[COUNT];
    size_t sum = 0;

    set_up(64 * MIB, MIB);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = take(sizes[i], false);
        memset(blocks[i], (int)i + 1, sizes[i]);
        sum += sizes[i];
        ck_assert_uint_ge(pe__shared_heap_used(&heap), sum);
        if (sizes[i] > 65536)
            ck_assert_uint_eq((uintptr_t)blocks[i] % UNIT, 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert(all_equal(blocks[i], (int)i + 1, sizes[i]));
        give(blocks[i]);
    }
    ck_assert_uint_eq(pe__shared_heap_used(&heap), 0);
    tear_down();
}
END_TEST

/* ---- zeroing ---- */

START_TEST(zeroed_after_dirtying)
{
    static const size_t sizes[] = { 1, 100, 5000, 65536, 65537, 2000000 };
    set_up(64 * MIB, 64 * MIB);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *a = take(sizes[i], false);
        memset(a, 0x5a, sizes[i]);
        give(a);
        char *b = take(sizes[i], true);
        ck_assert_ptr_eq(a, b);
        ck_assert(all_equal(b, 0, sizes[i]));
        give(b);
    }
    tear_down();
}
END_TEST

START_TEST(zeroed_small_blocks_on_pages_that_were_a_large_block)
{
    set_up(4 * MIB, 4 * MIB);
    char *large = take(MIB / 2, false);
    memset(large, 0x5a, MIB / 2);
    give(large);
    for (size_t i = 0; i < MIB / 5120; i++)
        ck_assert(all_equal(take(5000, true), 0, 5000));
    tear_down();
}
END_TEST

START_TEST(zeroed_large_block_on_pages_that_were_a_span)
{
    set_up(4 * MIB, 4 * MIB);
    char *small[40];
    for (size_t i = 0; i < 40; i++)
        memset(small[i] = take(5000, false), 0x5a, 5000);
    for (size_t i = 0; i < 40; i++)
        give(small[i]);
    ck_assert(pe__heap_spans_end_empty(&heap.spans));
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 4 * UNIT); /* 40 * 5120 bytes, not the whole span */
    ck_assert(all_equal(take(2 * MIB, true), 0, 2 * MIB));
    tear_down();
}
END_TEST

START_TEST(fresh_zeroed_block_is_not_touched)
{
    set_up(64 * MIB, 64 * MIB);
    char *block = take(32 * MIB, true);
    ck_assert_uint_eq(resident(block, 32 * MIB), 0);
    tear_down();
}
END_TEST

START_TEST(bookkeeping_is_out_of_reach)
{
    set_up(16 * MIB, 16 * MIB);
    char *small = take(100, false), *large = take(200 * KIB, false), *other = take(100, false);
    give(other);
    memset(range, 0xff, range_bytes);
    check_heap();
    ck_assert_ptr_eq(take(100, false), other);
    give(small);
    give(large);
    give(other);
    ck_assert_uint_eq(pe__shared_heap_used(&heap), 0);
    tear_down();
}
END_TEST

/* ---- placement ---- */

START_TEST(last_one_back_is_first_one_out)
{
    set_up(16 * MIB, MIB);
    char *a = take(100, false), *b = take(100, false), *c = take(100, false);
    give(a);
    give(c);
    give(b);
    ck_assert_ptr_eq(take(100, false), b);
    ck_assert_ptr_eq(take(100, false), c);
    ck_assert_ptr_eq(take(100, false), a);
    tear_down();
}
END_TEST

START_TEST(a_full_span_is_used_again)
{
    char *blocks[40];
    set_up(16 * MIB, MIB);
    for (size_t i = 0; i < 40; i++) /* 16 in a span */
        blocks[i] = take(UNIT, false);
    give(blocks[3]);
    give(blocks[20]);
    check_heap();
    ck_assert_ptr_eq(take(UNIT, false), blocks[20]);
    ck_assert_ptr_eq(take(UNIT, false), blocks[3]);
    tear_down();
}
END_TEST

START_TEST(neighbours_grow_together)
{
    static const int orders[6][3] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
    };
    set_up(3 * MIB, 3 * MIB);
    for (size_t i = 0; i < 6; i++) {
        char *blocks[3];
        for (size_t k = 0; k < 3; k++)
            blocks[k] = take(MIB, false);
        for (size_t k = 0; k < 3; k++) {
            give(blocks[orders[i][k]]);
            check_heap();
        }
        char *whole = take(3 * MIB, false);
        ck_assert_ptr_eq(whole, range);
        give(whole);
    }
    tear_down();
}
END_TEST

START_TEST(lowest_hole_that_fits)
{
    char *blocks[8];
    set_up(64 * MIB, 64 * MIB);
    for (size_t i = 0; i < 8; i++)
        blocks[i] = take((i % 2 ? 1 : i + 1) * 2 * UNIT, false);
    give(blocks[4]);
    give(blocks[2]);
    give(blocks[6]);
    ck_assert_ptr_eq(take(6 * UNIT, false), blocks[2]);
    ck_assert_ptr_eq(take(11 * UNIT, false), blocks[6]);
    ck_assert_ptr_eq(take(2 * UNIT, false), blocks[4]);
    tear_down();
}
END_TEST

START_TEST(warm_hole_before_a_lower_cold_one)
{
    set_up(64 * MIB, 0);
    char *cold = take(2 * MIB, false), *wall = take(UNIT, false);
    char *warm = take(2 * MIB, false), *end = take(UNIT, false);
    give(cold); /* and its pages */
    heap.units.warm_limit = heap.units.count;
    give(warm);
    ck_assert_ptr_eq(take(2 * MIB, true), cold);
    give(cold);
    ck_assert_ptr_eq(take(2 * MIB, false), cold); /* as warm as the other, and lower */
    heap.units.warm_limit = 0;
    give(cold);
    check_heap();
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 0);
    heap.units.warm_limit = heap.units.count;
    ck_assert_ptr_eq(take(2 * MIB, false), cold);
    ck_assert_ptr_eq(take(2 * MIB, false), warm);
    heap.units.warm_limit = 0;
    give(cold);
    heap.units.warm_limit = heap.units.count;
    give(warm);
    ck_assert_ptr_eq(take(MIB, false), warm);
    ck_assert_ptr_eq(take(MIB, true), cold);
    give(wall);
    give(end);
    tear_down();
}
END_TEST

START_TEST(an_emptied_span_goes_back)
{
    enum { COUNT = 64 }; /* four spans of 64 KiB blocks */
    char *blocks[COUNT];
    set_up(8 * MIB, 8 * MIB);
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = take(UNIT, false);
    for (size_t i = 0; i < COUNT; i++)
        give(blocks[i]);
    check_heap();
    ck_assert_uint_ge(pe__shared_heap_warm(&heap), 3 * MIB);
    char *whole = take(8 * MIB, false); /* the one that stayed must not be in the way */
    ck_assert_ptr_eq(whole, range);
    tear_down();
}
END_TEST

/* ---- refusals ---- */

START_TEST(exhaustion_changes_nothing)
{
    void *untouched = &heap;
    set_up(4 * MIB, 4 * MIB);
    static const size_t sizes[] = {
        4 * MIB + 1, SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2, ((size_t)1 << (sizeof(size_t) > 4 ? 48 : 30)) + UNIT,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ck_assert_int_eq(pe__shared_heap_alloc(&heap, sizes[i], true, &untouched), PE_ENOMEM);
    char *all = take(4 * MIB, false);
    ck_assert_int_eq(pe__shared_heap_alloc(&heap, 1, false, &untouched), PE_ENOMEM);
    ck_assert_int_eq(pe__shared_heap_alloc(&heap, MIB, false, &untouched), PE_ENOMEM);
    ck_assert_ptr_eq(untouched, &heap);
    ck_assert_uint_eq(pe__shared_heap_used(&heap), 4 * MIB);
    check_heap();
    give(all);
    take(1, false);
    tear_down();
}
END_TEST

START_TEST(small_blocks_fill_what_no_span_fits)
{
    set_up(MIB + 3 * UNIT, MIB);
    size_t count = 0;
    for (void *memory; pe__shared_heap_alloc(&heap, 4096, true, &memory) == 0; count++)
        memset(memory, 1, 4096);
    ck_assert_uint_eq(count, 256 + 3);
    tear_down();
}
END_TEST

START_TEST(bad_ranges)
{
    static char memory[256 * 1024];
    char *aligned = (char *)(((uintptr_t)memory + UNIT - 1) & ~(uintptr_t)(UNIT - 1));
    ck_assert_int_eq(pe__shared_heap_init(&heap, NULL, MIB, 0), PE_EINVAL);
    ck_assert_int_eq(pe__shared_heap_init(&heap, aligned + 4096, UNIT, 0), PE_EINVAL);
    ck_assert_int_eq(pe__shared_heap_init(&heap, aligned, UNIT - 1, 0), PE_EINVAL);
    if (sizeof(size_t) > 4)
        ck_assert_int_eq(pe__shared_heap_init(&heap, aligned, SIZE_MAX, 0), PE_EINVAL);
    pe__shared_heap_fini(&heap);
    ck_assert_int_eq(pe__shared_heap_init(&heap, aligned, UNIT + 1, 0), 0);
    range = aligned;
    range_bytes = UNIT + 1;
    ck_assert_ptr_eq(take(1, true), aligned);
    pe__shared_heap_fini(&heap);
    pe__shared_heap_fini(&heap);
}
END_TEST

START_TEST(only_the_start_of_a_live_block_is_taken_back)
{
    char local;
    set_up(16 * MIB, 16 * MIB);
    char *small = take(700, false), *large = take(3 * UNIT, false), *edge = take(40 * KIB, false);
    char *bad[] = { NULL, &local, range - 1, range - 64, range + range_bytes, range + range_bytes - UNIT,
                    small + 1, small + 64, small + 768, large + 1, large + 64, large + UNIT,
                    large + 3 * UNIT - 64, edge + 25 * 40 * KIB, edge + 40 * KIB,
                    (char *)UINTPTR_MAX, (char *)1 };
    size_t used = pe__shared_heap_used(&heap);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(pe__shared_heap_free(&heap, bad[i]), PE_EINVAL);
    ck_assert_uint_eq(pe__shared_heap_used(&heap), used);
    char *blocks[] = { small, large, edge };
    for (size_t i = 0; i < 3; i++) {
        give(blocks[i]);
        ck_assert_int_eq(pe__shared_heap_free(&heap, blocks[i]), PE_EINVAL);
        ck_assert(!pe__shared_heap_owns(&heap, blocks[i], 1));
    }
    ck_assert_uint_eq(pe__shared_heap_used(&heap), 0);
    tear_down();
}
END_TEST

/* ---- owns ---- */

static void check_edges(const char *block, size_t size)
{
    ck_assert(pe__shared_heap_owns(&heap, block, 0));
    ck_assert(pe__shared_heap_owns(&heap, block, size));
    ck_assert(pe__shared_heap_owns(&heap, block + size - 1, 1));
    ck_assert(pe__shared_heap_owns(&heap, block + 1, size - 1));
    ck_assert(!pe__shared_heap_owns(&heap, block, size + 1));
    ck_assert(!pe__shared_heap_owns(&heap, block + 1, size));
    ck_assert(!pe__shared_heap_owns(&heap, block + size - 1, 2));
    ck_assert(!pe__shared_heap_owns(&heap, block, SIZE_MAX));
    ck_assert(!pe__shared_heap_owns(&heap, block + 1, SIZE_MAX));
    ck_assert(!pe__shared_heap_owns(&heap, block, SIZE_MAX - (uintptr_t)block + 1)); /* wraps to 0 */
    if (block > range) /* wraps to the start of the range */
        ck_assert(!pe__shared_heap_owns(&heap, block, SIZE_MAX - (size_t)(block - range) + 1));
}

START_TEST(owns_exactly_one_live_block)
{
    set_up(16 * MIB, MIB);
    char *a = take(320, false), *b = take(320, false), *c = take(3 * UNIT, false), *d = take(2 * UNIT, false);
    char *slack = take(40 * KIB, false);

    ck_assert_ptr_eq(a + 320, b);
    ck_assert_ptr_eq(c + 3 * UNIT, d);
    check_edges(a, 320);
    check_edges(b, 320);
    check_edges(c, 3 * UNIT);
    check_edges(d, 2 * UNIT);
    ck_assert(!pe__shared_heap_owns(&heap, a, 640));
    ck_assert(!pe__shared_heap_owns(&heap, c, 5 * UNIT));
    ck_assert(pe__shared_heap_owns(&heap, c + UNIT + 5, UNIT));
    ck_assert(!pe__shared_heap_owns(&heap, b + 320, 0));
    ck_assert(!pe__shared_heap_owns(&heap, slack + 25 * 40 * KIB, 1)); /* behind the last block of the span */
    ck_assert(!pe__shared_heap_owns(&heap, range - 1, 1));
    ck_assert(!pe__shared_heap_owns(&heap, range - 1, 2));
    ck_assert(!pe__shared_heap_owns(&heap, range + range_bytes, 0));
    ck_assert(!pe__shared_heap_owns(&heap, range + range_bytes - 1, 1));
    ck_assert(!pe__shared_heap_owns(&heap, NULL, 0));
    ck_assert(!pe__shared_heap_owns(&heap, (void *)UINTPTR_MAX, SIZE_MAX));
    tear_down();
}
END_TEST

/* ---- pages ---- */

START_TEST(pages_over_the_limit_go_back)
{
    char *blocks[4];
    set_up(64 * MIB, 5 * MIB);
    for (size_t i = 0; i < 4; i++)
        memset(blocks[i] = take(4 * MIB, false), 0x5a, 4 * MIB);
    ck_assert_uint_eq(resident(range, range_bytes), 16 * MIB);
    give(blocks[0]);
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 4 * MIB);
    ck_assert_uint_eq(resident(range, range_bytes), 16 * MIB);
    give(blocks[2]);
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 5 * MIB);
    ck_assert_uint_eq(resident(range, range_bytes), 13 * MIB);
    ck_assert_uint_eq(resident(blocks[2], MIB), MIB); /* from the top downwards */
    ck_assert(all_equal(blocks[1], 0x5a, 4 * MIB));
    ck_assert(all_equal(blocks[3], 0x5a, 4 * MIB));
    give(blocks[3]);
    give(blocks[1]);
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 5 * MIB);
    ck_assert_uint_eq(resident(range, range_bytes), 5 * MIB);
    ck_assert_uint_eq(resident(range, 5 * MIB), 5 * MIB);
    check_heap();
    ck_assert(all_equal(take(16 * MIB, true), 0, 16 * MIB));
    tear_down();
}
END_TEST

START_TEST(without_a_limit_all_pages_go_back)
{
    set_up(16 * MIB, 0);
    char *block = take(4 * MIB, false);
    memset(block, 0x5a, 4 * MIB);
    give(block);
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 0);
    ck_assert_uint_eq(resident(range, range_bytes), 0);
    tear_down();
}
END_TEST

START_TEST(refusal_to_take_pages_back_is_harmless)
{
    set_up(16 * MIB, 0);
    char *block = take(4 * MIB, false);
    memset(block, 0x5a, 4 * MIB);
    /* Private memory has no backing file to punch. */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    ck_assert_ptr_eq(mmap(block, 4 * MIB, PROT_READ | PROT_WRITE, flags, -1, 0), block);
    memset(block, 0x5a, 4 * MIB);
    give(block);
    ck_assert_uint_eq(pe__shared_heap_warm(&heap), 4 * MIB);
    check_heap();
    ck_assert(all_equal(take(4 * MIB, true), 0, 4 * MIB));
    tear_down();
}
END_TEST

/* ---- private memory runs out ---- */

START_TEST(init_without_memory)
{
    set_up(16 * MIB, 0);
    pe__shared_heap_fini(&heap);
    fail_once = 1;
    for (long nth = 0; nth < 3; nth++) {
        fail_after = nth;
        ck_assert_int_eq(pe__shared_heap_init(&heap, range, range_bytes, 0), PE_ENOMEM);
        ck_assert_int_eq(fail_after, -1);
        pe__shared_heap_fini(&heap);
    }
    fail_once = 0;
    ck_assert_int_eq(pe__shared_heap_init(&heap, range, range_bytes, 0), 0);
    tear_down();
}
END_TEST

START_TEST(alloc_without_memory)
{
    enum { COUNT = 1000 };
    static char *blocks[COUNT];
    size_t count = 0;
    void *untouched = &heap;

    set_up(256 * MIB, 256 * MIB);
    fail_after = 0;
    while (count < COUNT && pe__shared_heap_alloc(&heap, UNIT + 1, true, (void **)&blocks[count]) == 0)
        count++;
    ck_assert_uint_lt(count, COUNT);
    size_t used = pe__shared_heap_used(&heap);
    ck_assert_int_eq(pe__shared_heap_alloc(&heap, UNIT + 1, true, &untouched), PE_ENOMEM);
    ck_assert_int_eq(pe__shared_heap_alloc(&heap, 1, true, &untouched), PE_ENOMEM);
    ck_assert_ptr_eq(untouched, &heap);
    ck_assert_uint_eq(pe__shared_heap_used(&heap), used);
    check_heap();
    fail_after = -1;
    take(1, true);
    fail_after = 0;
    for (size_t i = 0; i < count; i += 2) /* taking back in any order needs none */
        give(blocks[i]);
    for (size_t i = 1; i < count; i += 2)
        give(blocks[i]);
    fail_after = -1;
    tear_down();
}
END_TEST

/* ---- a long random run ---- */

#define SHADOW_MAX 1500

struct shadow {
    unsigned char *memory;
    size_t bytes;
    unsigned char byte;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % limit);
}

/* All of a small block; of a large one both ends and a byte a page. */
static bool shadow_holds(const struct shadow *s, unsigned char byte)
{
    if (s->bytes <= 4096)
        return all_equal((char *)s->memory, byte, s->bytes);
    for (size_t i = 0; i < s->bytes; i += 1021)
        if (s->memory[i] != byte)
            return false;
    return s->memory[s->bytes - 1] == byte && all_equal((char *)s->memory, byte, 256);
}

static size_t random_size(void)
{
    switch (random_below(8)) {
    case 0: return random_below(4 * 1048576);
    case 1: case 2: return random_below(300000);
    case 3: return (size_t)1 << random_below(21);
    default: return random_below(1u << (1 + random_below(16)));
    }
}

static void shadow_alloc(struct shadow *s)
{
    bool zeroed = random_below(2);
    void *memory;

    s->bytes = random_size();
    if (pe__shared_heap_alloc(&heap, s->bytes, zeroed, &memory) < 0)
        return;
    s->memory = memory;
    s->byte = (unsigned char)(1 + random_below(255));
    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    ck_assert(pe__shared_heap_owns(&heap, memory, s->bytes));
    ck_assert((char *)memory >= range && (char *)memory + s->bytes <= range + range_bytes);
    if (zeroed && s->bytes)
        ck_assert(all_equal((char *)memory, 0, s->bytes));
    if (s->bytes)
        memset(memory, s->byte, s->bytes);
}

static void shadow_free(struct shadow *s)
{
    if (s->bytes)
        ck_assert(shadow_holds(s, s->byte));
    if (random_below(16) == 0)
        ck_assert_int_eq(pe__shared_heap_free(&heap, s->memory + 1 + random_below(63)), PE_EINVAL);
    give(s->memory);
    ck_assert_int_eq(pe__shared_heap_free(&heap, s->memory), PE_EINVAL);
    s->memory = NULL;
}

START_TEST(random_run_against_a_shadow)
{
    static const size_t limits[] = { 0, 8 * MIB, 1024 * MIB };
    static struct shadow shadows[SHADOW_MAX];
    int steps = getenv("PE_TEST_HEAP_STEPS") ? atoi(getenv("PE_TEST_HEAP_STEPS")) : 3000;

    set_up(96 * MIB, limits[_i]);
    random_state = (uint64_t)_i + 1;
    memset(shadows, 0, sizeof shadows);
    for (int step = 0; step < steps; step++) {
        struct shadow *s = &shadows[random_below(random_below(8) ? 200 : SHADOW_MAX)];
        fail_after = random_below(10) ? -1 : 0;
        if (s->memory)
            shadow_free(s);
        else
            shadow_alloc(s);
        if (step % 64 == 0)
            check_heap();
    }
    fail_after = 0; /* for all the rest: taking back needs no memory */
    for (size_t i = 0; i < SHADOW_MAX; i++)
        if (shadows[i].memory)
            shadow_free(&shadows[i]);
    fail_after = -1;
    ck_assert_uint_eq(pe__shared_heap_used(&heap), 0);
    pe__heap_spans_end_empty(&heap.spans);
    ck_assert_uint_eq(heap.units.extents.all[heap.units.extents.root].units, heap.units.count);
    tear_down();
}
END_TEST

static TCase *add(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = add(suite, "sizes", classes_cover_all_small_sizes);
    tcase_add_test(tcase, any_address_in_a_span_finds_its_block);
    tcase_add_test(tcase, blocks_are_aligned_and_counted);
    tcase = add(suite, "zeroed", zeroed_after_dirtying);
    tcase_add_test(tcase, zeroed_small_blocks_on_pages_that_were_a_large_block);
    tcase_add_test(tcase, zeroed_large_block_on_pages_that_were_a_span);
    tcase_add_test(tcase, fresh_zeroed_block_is_not_touched);
    add(suite, "scribbled range", bookkeeping_is_out_of_reach);
    tcase = add(suite, "reuse", last_one_back_is_first_one_out);
    tcase_add_test(tcase, a_full_span_is_used_again);
    tcase = add(suite, "coalescing", neighbours_grow_together);
    tcase_add_test(tcase, an_emptied_span_goes_back);
    tcase = add(suite, "placement", lowest_hole_that_fits);
    tcase_add_test(tcase, warm_hole_before_a_lower_cold_one);
    tcase = add(suite, "exhaustion", exhaustion_changes_nothing);
    tcase_add_test(tcase, small_blocks_fill_what_no_span_fits);
    add(suite, "bad ranges", bad_ranges);
    add(suite, "bad pointers", only_the_start_of_a_live_block_is_taken_back);
    add(suite, "owns", owns_exactly_one_live_block);
    tcase = add(suite, "warm limit", pages_over_the_limit_go_back);
    tcase_add_test(tcase, without_a_limit_all_pages_go_back);
    tcase_add_test(tcase, refusal_to_take_pages_back_is_harmless);
    tcase = add(suite, "private memory", init_without_memory);
    tcase_add_test(tcase, alloc_without_memory);
    tcase = tcase_create("random run");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, random_run_against_a_shadow, 0, 3);
    suite_add_tcase(suite, tcase);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
