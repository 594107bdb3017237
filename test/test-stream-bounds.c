/* Bounds of streams: how many items are in flight, how many bytes, how long results stay, and flat memory. */

#include "harness/harness.h"

#include <parexec.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "harness/stream.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

PE_TEST_LOOP(h03_endless_input_is_pulled_no_further_than_the_bound, 0, 2)
{
    pe_pool *pool = pool_of(3);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, item_square, &source,
                                  (pe_map_options){ .max_inflight = 8,
                                                    .flags = _i ? PE_MAP_ORDERED : 0,
                                                    .summary = &summary });
    struct stream_outcome outcome = { 0 };

    for (uint64_t i = 0; i < 1000; i++) {
        outcome = stream_take(stream, 1);
        ck_assert_uint_eq(outcome.count, 1);
        ck_assert_uint_le(source.made, i + 8); /* what is handed out is not in flight */
    }
    ck_assert_uint_le(source.made, 1008);
    pe_stream_free(stream);
    ck_assert_uint_eq(summary.returned + summary.cancelled, source.made);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pool_assert_usable(pool);
    pool_end(pool);
}

static int stays(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    word_add(*(_Atomic uint32_t *const *)context);
    while (pause() < 0)
        ;
    return 0;
}

PE_TEST(free_ends_items_that_never_would)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_MS(20) });
    _Atomic uint32_t *begun = pool_shared(pool, sizeof *begun);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = { .context = &begun, .context_bytes = sizeof begun, .summary = &summary };
    pe_stream *stream = stream_of(pool, stays, &source, options);

    ck_assert_int_eq(pe_stream_next(stream, 0, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    while (pe_stream_next(stream, pe_after(PE_MS(1)), NULL, NULL, NULL, NULL) == PE_ETIMEDOUT &&
           atomic_load(begun) < 2)
        ;
    pe_stream_free(stream);
    ck_assert_uint_eq(summary.cancelled, source.made);
    ck_assert_uint_eq(pool_stats(pool).running, 0);
    ck_assert_uint_eq(pool_stats(pool).queued, 0);
    pool_assert_usable(pool);
    pool_end(pool);
}

struct large {
    uint64_t number;
    unsigned char fill[100 * 1024 - 8];
};

static int next_large(void *item, void *context)
{
    struct numbers_source *numbers = context;
    struct large *large = item;

    if (numbers->made == numbers->end)
        return 0;
    ck_assert_uint_eq((uintptr_t)item % 64, 0);
    large->number = numbers->made++;
    memset(large->fill, (int)large->number, sizeof large->fill);
    return 1;
}

static int echo_large(const void *in, void *out, const void *context)
{
    (void)context;
    if ((uintptr_t)in % 64 != 0 || (uintptr_t)out % 64 != 0)
        return 1;
    memcpy(out, in, sizeof(struct large));
    return 0;
}

static void assert_large(const void *data, uint64_t index)
{
    const struct large *large = data;

    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq((uintptr_t)data % 16, 0);
    ck_assert_uint_eq(large->number, index);
    for (size_t i = 0; i < sizeof large->fill; i += 501)
        ck_assert_uint_eq(large->fill[i], (unsigned char)index);
}

/* The consumer is slower than the workers: it takes a result only when everything that may be in flight is over. */
PE_TEST(h07_slow_consumer_stays_within_the_byte_budget)
{
    const uint64_t budget = 3 << 20, most = budget / (2 * sizeof(struct large)) - 1;
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 200 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;
    uint64_t index;
    const void *data;
    size_t bytes;
    int result;

    options.inflight_bytes = budget;
    options.max_inflight = 1000;
    ck_assert_int_eq(pe_pool_stream(pool, echo_large, next_large, &source, sizeof(struct large), sizeof(struct large),
                                    &options, &stream), 0);
    for (uint64_t taken = 0; (result = pe_stream_next(stream, PE_FOREVER, &index, NULL, &data, &bytes)) == 1; taken++) {
        ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
        ck_assert_uint_le(source.made, taken + most);
        ck_assert_uint_le(pool_stats(pool).shared_bytes_used, budget + 65536);
        ck_assert_uint_eq(bytes, sizeof(struct large));
        assert_large(data, index);
    }
    ck_assert_int_eq(result, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(a_budget_below_one_item_takes_them_singly)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 20 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .inflight_bytes = 1 });

    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(stream_take(stream, 1).last_index, i);
        ck_assert_uint_eq(source.made, i + 1);
    }
    stream_assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

#define HUGE_BYTES ((size_t)600 * 1024)

static int next_huge(void *item, void *context)
{
    struct numbers_source *numbers = context;
    unsigned char *bytes = pattern(HUGE_BYTES, numbers->made);

    if (numbers->made < numbers->end)
        memcpy(item, bytes, HUGE_BYTES);
    free(bytes);
    return numbers->made++ < numbers->end;
}

static int echo_huge(const void *in, void *out, const void *context)
{
    (void)context;
    memcpy(out, in, HUGE_BYTES);
    return 0;
}

/* Results that are not copied: one is in the caller's hands, the place of no other item. */
PE_TEST_LOOP(large_results_stay_until_the_next_call, 1, 5)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 20 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;
    uint64_t index;
    const void *data;
    size_t bytes;

    options.max_inflight = (uint64_t)_i;
    ck_assert_int_eq(
        pe_pool_stream(pool, echo_huge, next_huge, &source, HUGE_BYTES, HUGE_BYTES, &options, &stream), 0);
    while (pe_stream_next(stream, PE_FOREVER, &index, NULL, &data, &bytes) == 1) {
        unsigned char *wanted = pattern(HUGE_BYTES, index);

        ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
        ck_assert_uint_eq(bytes, HUGE_BYTES);
        ck_assert(memcmp(data, wanted, HUGE_BYTES) == 0);
        free(wanted);
    }
    ck_assert_uint_eq(source.made, 21);
    pe_stream_free(stream);
    pool_end(pool);
}

/* How many of so many results are not the squares of their numbers. */
static uint64_t count_wrong(pe_stream *stream, uint64_t count)
{
    uint64_t wrong = 0, index;
    const void *data;

    while (count-- > 0)
        wrong += pe_stream_next(stream, PE_FOREVER, &index, NULL, &data, NULL) != 1 || data == NULL ||
                 *(const uint64_t *)data != index * index;
    return wrong;
}

PE_TEST_SLOW(p21_memory_is_flat_over_a_million_items, 120)
{
    uint64_t count = SANITIZED || harness_slowness() > 1 ? 100000 : 1000000;
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ 0 });

    ck_assert_uint_eq(count_wrong(stream, 10000), 0);
    uint64_t shared = pool_stats(pool).shared_bytes_used;
    int64_t resident = process_resident_bytes();
    uint64_t mallocs = harness_fail_count(HARNESS_MALLOC);
    ck_assert_uint_eq(count_wrong(stream, count), 0);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, shared);
    ck_assert_uint_eq(harness_fail_count(HARNESS_MALLOC), mallocs); /* nothing is allocated for an item */
    if (!SANITIZED && harness_slowness() <= 1)
        ck_assert_int_lt(process_resident_bytes(), resident + (1 << 20));
    pe_stream_free(stream);
    pool_end(pool);
}

HARNESS_MAIN("stream-bounds")
