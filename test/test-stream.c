/* Streams: order, ends of every kind, bounds of what is in flight, and a pool that is as good as new afterwards.
 * Where the order of events matters, items wait at gates in shared memory that the test opens. */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define GUARD_NS PE_SECONDS(20)

/* ---- a source of numbers, and what comes out ---- */

struct numbers_source {
    uint64_t made, end;   /* UINT64_MAX: endless */
    int ends_with;        /* 0, or an error */
    uint64_t pause_at;    /* has nothing for one call before this item, once; 0: never */
};

static int next_number(void *item, void *context)
{
    struct numbers_source *numbers = context;

    if (numbers->made == numbers->end)
        return numbers->ends_with;
    if (numbers->pause_at != 0 && numbers->made == numbers->pause_at) {
        numbers->pause_at = 0;
        return PE_EAGAIN;
    }
    if (item != NULL)
        memcpy(item, &numbers->made, sizeof numbers->made);
    numbers->made++;
    return 1;
}

static pe_stream *stream_of(pe_pool *pool, pe_map_fn *fn, struct numbers_source *source, pe_map_options options)
{
    pe_stream *stream = NULL;

    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_stream(pool, fn, next_number, source, 8, 8, &options, &stream), 0);
    return stream;
}

struct outcome {
    uint64_t count, failed, sum, last_index;
    int in_order, result;
    unsigned char seen[4096];
};

/* Takes up to `most` squares. */
static struct outcome take(pe_stream *stream, uint64_t most)
{
    struct outcome outcome = { .in_order = 1 };
    uint64_t index;
    pe_status status;
    const void *data;
    size_t bytes;

    while (outcome.count + outcome.failed < most &&
           (outcome.result = pe_stream_next(stream, pe_after(GUARD_NS), &index, &status, &data, &bytes)) == 1) {
        int good = status.kind == PE_RETURNED && status.code == 0;

        ck_assert_uint_eq(status.item, index);
        ck_assert((data != NULL) == good);
        ck_assert_uint_eq(bytes, good ? 8 : 0);
        if (index < sizeof outcome.seen)
            ck_assert_uint_eq(outcome.seen[index]++, 0);
        if (good) {
            ck_assert_uint_eq(*(const uint64_t *)data, index * index);
            ck_assert_uint_eq(status.attempts, 1);
            ck_assert_int_ge(status.worker, 0);
        }
        outcome.in_order = outcome.in_order && (outcome.last_index <= index);
        outcome.last_index = index;
        *(good ? &outcome.count : &outcome.failed) += 1;
    }
    return outcome;
}

static void assert_ends_with(pe_stream *stream, int result)
{
    uint64_t index = 77;
    pe_status status = { .kind = 99 };
    const void *data = &status;
    size_t bytes = 77;
    const char *text;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pe_stream_next(stream, i == 0 ? PE_FOREVER : 0, &index, &status, &data, &bytes), result);
    ck_assert(index == 77 && status.kind == 99 && data == &status && bytes == 77);
    ck_assert_int_eq(pe_stream_text(stream, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
}

/* So many are made, and none of them ends meanwhile. */
static void pull_until(pe_stream *stream, const struct numbers_source *source, uint64_t made)
{
    while (source->made < made)
        ck_assert_int_eq(pe_stream_next(stream, 0, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_uint_eq(source->made, made);
}

/* ---- order and ends ---- */

PE_TEST(a02_stream_of_nothing)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source none = { 0 };
    struct progress progress = { 0 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(
        pool, item_square, &none,
        (pe_map_options){ .progress = progress_follow, .progress_context = &progress, .summary = &summary });

    summary.returned = 99;
    assert_ends_with(stream, 0);
    ck_assert_uint_eq(progress.calls, 1);
    ck_assert_uint_eq(summary.returned, 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    pe_stream_free(stream);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST_LOOP(every_item_comes_once, 0, 12)
{
    static const uint64_t windows[] = { 0, 1, 2, 3, 100, 5000 };
    pe_pool *pool = pool_of(3);
    struct numbers_source source = { .end = 4096 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, item_square, &source,
                                  (pe_map_options){ .max_inflight = windows[_i / 2],
                                                    .flags = _i % 2 ? PE_MAP_ORDERED : 0,
                                                    .summary = &summary });
    struct outcome outcome = take(stream, UINT64_MAX);

    ck_assert_uint_eq(outcome.count, 4096);
    ck_assert_int_eq(outcome.result, 0);
    ck_assert(outcome.in_order || _i % 2 == 0);
    assert_ends_with(stream, 0);
    ck_assert_uint_eq(summary.returned, 4096);
    ck_assert_int_gt(summary.wall_ns, 0);
    pe_stream_free(stream);
    pe_stats stats = pool_stats(pool);
    ck_assert_uint_eq(stats.submitted, 4096);
    ck_assert_uint_eq(stats.bytes_in, 8 * 4096);
    ck_assert_uint_eq(stats.bytes_out, 8 * 4096);
    ck_assert_uint_eq(stats.shared_bytes_used, 0);
    pool_end(pool);
}

/* The context: the address of as many gates as there are items. */
static int square_at_gate(const void *in, void *out, const void *context)
{
    uint64_t number = *(const uint64_t *)in;
    struct gate *gate = *(struct gate *const *)context + number;

    word_add(&gate->arrived);
    word_await(&gate->open, 1);
    ck_assert_uint_eq(pe_worker_item(), number);
    return item_square(in, out, NULL);
}

static pe_map_options at_gates(struct gate *const *gates)
{
    return (pe_map_options){ .context = gates, .context_bytes = sizeof *gates };
}

PE_TEST(a08_completion_order_then_the_end_marker_again_and_again)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = pool_shared(pool, 3 * sizeof *gates);
    struct numbers_source source = { .end = 3 };
    pe_stream *stream = stream_of(pool, square_at_gate, &source, at_gates(&gates));
    uint64_t index;

    ck_assert_int_eq(pe_stream_next(stream, 0, &index, NULL, NULL, NULL), PE_ETIMEDOUT);
    pull_until(stream, &source, 3);
    for (uint64_t left = 3; left > 0; left--) { /* the last one made ends first */
        word_set(&gates[left - 1].open, 1);
        struct outcome outcome = take(stream, 1);
        ck_assert_uint_eq(outcome.count, 1);
        ck_assert_uint_eq(outcome.last_index, left - 1);
    }
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pe_pool_dealloc(pool, gates);
    pool_end(pool);
}

PE_TEST(ordered_holds_back_what_came_too_early)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = pool_shared(pool, 3 * sizeof *gates);
    struct numbers_source source = { .end = 3 };
    pe_map_options options = at_gates(&gates);

    options.flags = PE_MAP_ORDERED;
    pe_stream *stream = stream_of(pool, square_at_gate, &source, options);
    word_set(&gates[1].open, 1);
    word_set(&gates[2].open, 1);
    ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(20)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    word_set(&gates[0].open, 1);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_uint_eq(take(stream, 1).last_index, i);
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

static int fail_at_2_and_5(const void *in, void *out, const void *context)
{
    uint64_t number = *(const uint64_t *)in;

    if (number == 2 || number == 5)
        return pe_worker_fail(7, "number %d", (int)number);
    return item_square(in, out, context);
}

PE_TEST(a09_failures_come_with_their_messages)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 10 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, fail_at_2_and_5, &source, (pe_map_options){ .summary = &summary });
    uint64_t index;
    pe_status status;
    const char *text;
    size_t bytes, values = 0;
    int result;

    ck_assert_int_eq(pe_stream_text(stream, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    while ((result = pe_stream_next(stream, PE_FOREVER, &index, &status, NULL, NULL)) == 1) {
        char wanted[20];
        int fails = index == 2 || index == 5;

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, fails ? 7 : 0);
        ck_assert_int_eq(pe_stream_text(stream, PE_TEXT_MESSAGE, &text, &bytes), fails ? 0 : PE_ENODATA);
        snprintf(wanted, sizeof wanted, "number %d", (int)index);
        if (fails)
            ck_assert(strcmp(text, wanted) == 0 && bytes == strlen(wanted));
        values += !fails;
    }
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(values, 8);
    ck_assert_uint_eq(summary.failed, 2);
    ck_assert_uint_eq(summary.first_failed, 2);
    ck_assert_int_eq(summary.first.code, 7);
    ck_assert_int_eq(pe_stream_text(stream, 0, &text, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_stream_text(stream, PE_TEXT_MESSAGE, NULL, &bytes), PE_EINVAL);
    pe_stream_free(stream);
    pool_end(pool);
}

static int always_fails(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    return 3;
}

PE_TEST_LOOP(p13_on_error_ends_the_input, 1, 4)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_stream *stream = stream_of(pool, always_fails, &source,
                                  (pe_map_options){ .max_inflight = 4, .on_error = (uint32_t)_i });
    struct outcome outcome = take(stream, UINT64_MAX);

    ck_assert_int_eq(outcome.result, PE_EITEMS);
    ck_assert_uint_ge(outcome.failed, (uint64_t)_i);
    ck_assert_uint_le(outcome.failed, (uint64_t)_i + 4);
    ck_assert_uint_eq(source.made, outcome.failed);
    assert_ends_with(stream, PE_EITEMS);
    pe_stream_free(stream);
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST(p13_on_error_is_told_also_when_the_input_ended_before)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = 2 };
    pe_stream *stream = stream_of(pool, always_fails, &source, (pe_map_options){ .on_error = 2 });

    ck_assert_uint_eq(take(stream, UINT64_MAX).failed, 2);
    assert_ends_with(stream, PE_EITEMS);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(error_of_the_source_comes_after_everything_in_flight)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 50, .ends_with = -5 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ 0 });

    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 50);
    assert_ends_with(stream, -5);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(source_with_nothing_now_is_asked_again)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 20, .pause_at = 10 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .max_inflight = 1 });

    ck_assert_uint_eq(take(stream, 10).count, 10);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_EAGAIN);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 10);
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

/* ---- deaths ---- */

/* Of every ten numbers one is killed, one exits, one fails. */
static int mixed_ends(const void *in, void *out, const void *context)
{
    uint64_t number = *(const uint64_t *)in;

    if (number % 10 == 3)
        raise(SIGKILL);
    if (number % 10 == 5)
        _exit(4);
    if (number % 10 == 7)
        return 9;
    return item_square(in, out, context);
}

PE_TEST_LOOP(p22_a_crash_costs_its_item, 0, 2)
{
    pe_pool *pool = pool_of(3);
    struct numbers_source source = { .end = 60 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, mixed_ends, &source,
                                  (pe_map_options){ .retries = (uint32_t)_i, .summary = &summary });
    uint64_t index, seen = 0;
    pe_status status;

    while (pe_stream_next(stream, PE_FOREVER, &index, &status, NULL, NULL) == 1) {
        uint32_t kind = index % 10 == 3 ? PE_CRASHED : index % 10 == 5 ? PE_EXITED : PE_RETURNED;
        int code = index % 10 == 3 ? SIGKILL : index % 10 == 5 ? 4 : index % 10 == 7 ? 9 : 0;

        ck_assert_uint_eq(status.kind, kind);
        ck_assert_int_eq(status.code, code);
        ck_assert_uint_eq(status.attempts, kind == PE_RETURNED ? 1 : 1 + (uint32_t)_i);
        seen++;
    }
    ck_assert_uint_eq(seen, 60);
    ck_assert_uint_eq(summary.failed, 18);
    ck_assert_uint_eq(summary.first_failed, 3);
    ck_assert_uint_eq(summary.returned, 42);
    pe_stream_free(stream);
    pool_end(pool);
}

/* Of every ten numbers one never ends. */
static int square_or_stay(const void *in, void *out, const void *context)
{
    while (*(const uint64_t *)in % 10 == 4)
        pause();
    return item_square(in, out, context);
}

PE_TEST(p39_a_time_limit_is_for_each_item)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .grace_ns = PE_NOW });
    struct numbers_source source = { .end = 30 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, square_or_stay, &source,
                                  (pe_map_options){ .timeout_ns = PE_MS(50), .summary = &summary });
    uint64_t index;
    pe_status status;

    while (pe_stream_next(stream, pe_after(GUARD_NS), &index, &status, NULL, NULL) == 1)
        ck_assert(index % 10 == 4 ? status.kind == PE_TIMED_OUT && status.run_ns >= PE_MS(50)
                                  : status.kind == PE_RETURNED && status.code == 0);
    ck_assert_uint_eq(summary.failed, 3);
    ck_assert_uint_eq(summary.first.kind, PE_TIMED_OUT);
    ck_assert_uint_eq(summary.returned, 27);
    pe_stream_free(stream);
    pool_assert_usable(pool);
    pool_end(pool);
}

/* ---- bounds ---- */

PE_TEST_LOOP(h03_endless_input_is_pulled_no_further_than_the_bound, 0, 2)
{
    pe_pool *pool = pool_of(3);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_stream *stream = stream_of(pool, item_square, &source,
                                  (pe_map_options){ .max_inflight = 8,
                                                    .flags = _i ? PE_MAP_ORDERED : 0,
                                                    .summary = &summary });
    struct outcome outcome = { 0 };

    for (uint64_t i = 0; i < 1000; i++) {
        outcome = take(stream, 1);
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
        ck_assert_uint_eq(take(stream, 1).last_index, i);
        ck_assert_uint_eq(source.made, i + 1);
    }
    assert_ends_with(stream, 0);
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

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
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
    uint64_t shared = pool_stats(pool).shared_bytes_used, resident = resident_bytes();
    uint64_t mallocs = harness_fail_count(HARNESS_MALLOC);
    ck_assert_uint_eq(count_wrong(stream, count), 0);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, shared);
    ck_assert_uint_eq(harness_fail_count(HARNESS_MALLOC), mallocs); /* nothing is allocated for an item */
    if (!SANITIZED && harness_slowness() <= 1)
        ck_assert_uint_lt(resident_bytes(), resident + (1 << 20));
    pe_stream_free(stream);
    pool_end(pool);
}

/* ---- waits ---- */

PE_TEST(deadline_and_interrupt_leave_the_stream_as_it_is)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 2 * sizeof *gates);
    struct numbers_source source = { .end = 2 };
    pe_stream *stream = stream_of(pool, square_at_gate, &source, at_gates(&gates));
    int64_t until = pe_after(PE_MS(30));

    ck_assert_int_eq(pe_stream_next(stream, until, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), until);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_EINTR);
    ck_assert_int_eq(pe_stream_next(stream, -1, NULL, NULL, NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_stream_next(stream, 1, NULL, NULL, NULL, NULL), PE_EINVAL);
    word_set(&gates[0].open, 1);
    word_set(&gates[1].open, 1);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 2);
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(deadline_of_the_options_bounds_every_wait)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, sizeof *gates);
    struct numbers_source source = { .end = 1 };
    pe_map_options options = at_gates(&gates);

    options.deadline_ns = pe_after(PE_MS(20));
    pe_stream *stream = stream_of(pool, square_at_gate, &source, options);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), options.deadline_ns);
    word_set(&gates[0].open, 1);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), 1);
    pe_stream_free(stream);
    pool_end(pool);
}

/* A source that takes its time is not asked for all that could be in flight before the first result comes out. */
static int next_slowly(void *item, void *context)
{
    struct numbers_source *numbers = context;
    int64_t until = pe_after(PE_MS(2));

    while (pe_now() < until)
        ;
    return next_number(item, numbers);
}

PE_TEST(slow_source_does_not_hold_back_results)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;

    options.max_inflight = 100000;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_slowly, &source, 8, 8, &options, &stream), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(take(stream, 1).count, 1);
    ck_assert_uint_lt(source.made, 5000);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(queue_full_of_other_jobs_is_waited_for)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 2 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    struct numbers_source source = { .end = 100 };
    pe_job *jobs[3];

    jobs[0] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 1);
    jobs[1] = gate_submit(pool, gate_pass, gate);
    jobs[2] = gate_submit(pool, gate_pass, gate);
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ 0 });
    ck_assert_int_eq(pe_stream_next(stream, 0, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(20)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_uint_eq(source.made, 1);
    word_set(&gate->open, UINT32_MAX);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 100);
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    for (int i = 0; i < 3; i++)
        job_finish(jobs[i]);
    pool_end(pool);
}

/* ---- the pool ends first ---- */

PE_TEST(closed_pool_hands_out_what_was_begun)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .max_inflight = 16 });

    ck_assert_uint_eq(take(stream, 5).count, 5);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    uint64_t made = source.made;
    struct outcome rest = take(stream, UINT64_MAX);
    ck_assert_uint_eq(5 + rest.count + rest.failed, source.made);
    ck_assert_uint_le(rest.failed, 1); /* one that was made and found the pool closed */
    ck_assert_uint_le(source.made, made + 1);
    assert_ends_with(stream, PE_ECLOSED);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    assert_ends_with(stream, PE_ECLOSED);
    pe_stream_free(stream);
    pe_pool_free(pool);
}

/* Items at gates that stay shut, and how they end. */
static void end_with_items_inside(pe_pool *pool, struct gate *gates, void (*end)(pe_pool *), uint32_t kind, int result)
{
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_options options = at_gates(&gates);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_status status;
    uint64_t count = 0;
    int last;

    options.max_inflight = 6;
    options.summary = &summary;
    pe_stream *stream = stream_of(pool, square_at_gate, &source, options);
    pull_until(stream, &source, 6);
    word_await(&gates[0].arrived, 1);
    end(pool);
    for (; (last = pe_stream_next(stream, PE_FOREVER, NULL, &status, NULL, NULL)) == 1; count++)
        ck_assert_uint_eq(status.kind, kind);
    ck_assert_uint_eq(count, source.made);
    ck_assert_int_eq(last, result);
    assert_ends_with(stream, result);
    ck_assert_uint_eq(kind == PE_LOST ? summary.lost : summary.cancelled, count);
    pe_stream_free(stream);
}

static void kill_now(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
}

PE_TEST(killed_pool_cancels_what_is_in_flight)
{
    pe_pool *pool = pool_of(2);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);

    end_with_items_inside(pool, gates, kill_now, PE_CANCELLED, PE_ECLOSED);
    pe_pool_free(pool);
}

PE_TEST(stream_outlives_its_pool)
{
    pe_pool *pool = pool_of(2);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);

    end_with_items_inside(pool, gates, pe_pool_free, PE_CANCELLED, PE_ECLOSED);
}

static pid_t keeper;

static void kill_keeper(pe_pool *pool)
{
    (void)pool;
    kill(keeper, SIGKILL);
}

PE_TEST(broken_pool_loses_what_is_in_flight)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);
    struct process_worker worker;

    process_workers(pool, 1, &worker);
    keeper = worker.keeper;
    end_with_items_inside(pool, gates, kill_keeper, PE_LOST, PE_EBROKEN);
    pe_pool_free(pool);
}

/* ---- beside others ---- */

struct reentry {
    pe_pool *pool;
    pe_stream *stream;
    uint64_t made;
    int next, submit, map;
};

static int source_that_calls(void *item, void *context)
{
    struct reentry *reentry = context;
    uint64_t in = 3, out = 0;

    memcpy(item, &reentry->made, sizeof reentry->made);
    reentry->next = pe_stream_next(reentry->stream, 0, NULL, NULL, NULL, NULL);
    reentry->submit = pe_pool_submit(reentry->pool, job_nothing, NULL, 0, NULL, NULL);
    reentry->map = pe_pool_map(reentry->pool, item_square, &in, 8, &out, 8, 1, NULL);
    return reentry->made++ < 10;
}

PE_TEST(source_may_use_the_pool_but_not_its_stream)
{
    struct reentry reentry = { .pool = pool_of(2), .next = 99, .submit = 99, .map = 99 };

    ck_assert_int_eq(
        pe_pool_stream(reentry.pool, item_square, source_that_calls, &reentry, 8, 8, NULL, &reentry.stream), 0);
    ck_assert_uint_eq(take(reentry.stream, UINT64_MAX).count, 10);
    ck_assert_int_eq(reentry.next, PE_EDEADLK);
    ck_assert_int_eq(reentry.submit, 0);
    ck_assert_int_eq(reentry.map, 0);
    pe_stream_free(reentry.stream);
    pool_end(reentry.pool);
}

static void next_and_free(pe_job *job, void *context)
{
    struct reentry *reentry = context;
    pe_stream *other;

    (void)job;
    reentry->next = pe_stream_next(reentry->stream, PE_FOREVER, NULL, NULL, NULL, NULL);
    reentry->submit = pe_pool_stream(reentry->pool, item_square, source_that_calls, reentry, 8, 8, NULL, &other);
    pe_stream_free(reentry->stream);
}

PE_TEST(in_a_callback_a_stream_is_not_asked_but_can_be_freed)
{
    struct reentry reentry = { .pool = pool_of(1) };
    struct numbers_source source = { .end = UINT64_MAX };
    pe_job *job = pool_submit(reentry.pool, job_nothing, NULL, 0);

    reentry.stream = stream_of(reentry.pool, item_square, &source, (pe_map_options){ 0 });
    ck_assert_uint_eq(take(reentry.stream, 3).count, 3);
    ck_assert_int_eq(pe_job_on_done(job, next_and_free, &reentry), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(reentry.next, PE_EDEADLK);
    ck_assert_int_eq(reentry.submit, PE_EDEADLK);
    pe_job_free(job);
    pool_end(reentry.pool);
}

#define EACH 3000

struct user {
    pthread_t thread;
    pe_pool *pool;
    uint32_t flags;
    uint64_t squares, jobs, maps;
};

/* Two streams, and between their results jobs and maps. */
static void *use_streams(void *context)
{
    struct user *user = context;
    struct numbers_source sources[2] = { { .end = EACH }, { .end = EACH } };
    pe_stream *streams[2];

    for (int i = 0; i < 2; i++)
        streams[i] = stream_of(user->pool, item_square, &sources[i],
                               (pe_map_options){ .flags = user->flags, .max_inflight = 20 });
    for (int i = 0; i < EACH; i++) {
        uint64_t in[3] = { 1, 2, 3 }, out[3];

        user->squares += take(streams[0], 1).count + take(streams[1], 1).count;
        if (i % 10 == 0)
            user->jobs += pe_pool_submit(user->pool, job_nothing, NULL, 0, NULL, NULL) == 0;
        if (i % 100 == 0)
            user->maps += pe_pool_map(user->pool, item_square, in, 8, out, 8, 3, NULL) == 0 && out[2] == 9;
    }
    for (int i = 0; i < 2; i++) {
        assert_ends_with(streams[i], 0);
        pe_stream_free(streams[i]);
    }
    return NULL;
}

PE_TEST(streams_jobs_and_maps_from_two_threads_at_once)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 32 });
    struct user users[2] = { { .pool = pool }, { .pool = pool, .flags = PE_MAP_ORDERED } };

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&users[i].thread, NULL, use_streams, &users[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(users[i].thread, NULL);
        ck_assert_uint_eq(users[i].squares, 2 * EACH);
        ck_assert_uint_eq(users[i].jobs, EACH / 10);
        ck_assert_uint_eq(users[i].maps, EACH / 100);
    }
    pool_end(pool);
}

PE_TEST(queue_cancelled_by_another_gives_cancelled_items)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);
    struct numbers_source source = { .end = 5 };
    pe_stream *stream = stream_of(pool, square_at_gate, &source, at_gates(&gates));

    pull_until(stream, &source, 5);
    word_await(&gates[0].arrived, 1);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    word_set(&gates[0].open, 1);
    struct outcome outcome = take(stream, UINT64_MAX);
    ck_assert_uint_eq(outcome.count, 1);
    ck_assert_uint_eq(outcome.failed, 4);
    ck_assert_int_eq(outcome.result, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

/* The context: a word that is 0 as long as no other job has run. */
static int square_if_first(const void *in, void *out, const void *context)
{
    return atomic_load(*(_Atomic uint32_t *const *)context) == 0 ? item_square(in, out, NULL) : 1;
}

PE_TEST(p15_items_of_high_priority_overtake_what_waits)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 2 * sizeof *gates);
    _Atomic uint32_t *others = &gates[1].arrived;
    struct numbers_source source = { .end = 20 };
    pe_job *busy = gate_submit(pool, gate_pass, &gates[0]), *waiting;

    word_await(&gates[0].arrived, 1);
    waiting = gate_submit(pool, gate_count, &gates[1]);
    pe_stream *stream = stream_of(pool, square_if_first, &source,
                                  (pe_map_options){ .priority = PE_PRIORITY_HIGH,
                                                    .context = &others,
                                                    .context_bytes = sizeof others });
    pull_until(stream, &source, 20);
    word_set(&gates[0].open, 1);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 20);
    job_assert_ended(waiting, PE_RETURNED, 0);
    pe_stream_free(stream);
    pe_job_free(busy);
    pe_job_free(waiting);
    pool_end(pool);
}

PE_TEST_LOOP(p66_pool_of_another_size_under_a_stream, 0, 2)
{
    static const uint32_t sizes[] = { 6, 1, 3, 2, 5 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .idle_ns = PE_MS(1) });
    struct numbers_source source = { .end = 4000 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .flags = _i ? PE_MAP_ORDERED : 0 });
    unsigned char seen[4000] = { 0 };

    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t index;

        if (i % 200 == 0) {
            int64_t deadline_ns = i % 400 == 0 ? 0 : PE_FOREVER;
            int result = pe_pool_resize(pool, sizes[i / 200 % 5], deadline_ns);
            ck_assert(result == 0 || (result == PE_ETIMEDOUT && deadline_ns == 0));
        }
        ck_assert_int_eq(pe_stream_next(stream, pe_after(GUARD_NS), &index, NULL, NULL, NULL), 1);
        ck_assert_uint_eq(seen[index]++, 0);
    }
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

/* ---- inline, nothing in, nothing out, no memory ---- */

PE_TEST_LOOP(p72_inline_pool, 0, 2)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    struct numbers_source source = { .end = 100 };
    pe_stream *stream = stream_of(pool, fail_at_2_and_5, &source,
                                  (pe_map_options){ .flags = _i ? PE_MAP_ORDERED : 0 });
    struct outcome outcome = take(stream, UINT64_MAX);

    ck_assert_uint_eq(outcome.count, 98);
    ck_assert_uint_eq(outcome.failed, 2);
    ck_assert_int_eq(outcome.in_order, 1);
    assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

/* The context: a counter. Succeeds if it gets nothing but its index. */
static int count_item(const void *in, void *out, const void *context)
{
    if (in != NULL || out != NULL)
        return 1;
    atomic_fetch_add(*(_Atomic uint64_t *const *)context, pe_worker_item());
    return 0;
}

PE_TEST(nothing_in_and_nothing_out)
{
    pe_pool *pool = pool_of(2);
    _Atomic uint64_t *sum = pool_shared(pool, sizeof *sum);
    struct numbers_source source = { .end = 100 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;
    const void *data = &options;
    size_t bytes = 99, count = 0;

    options.context = &sum;
    options.context_bytes = sizeof sum;
    ck_assert_int_eq(pe_pool_stream(pool, count_item, next_number, &source, 0, 0, &options, &stream), 0);
    for (pe_status status; pe_stream_next(stream, PE_FOREVER, NULL, &status, &data, &bytes) == 1; count++)
        ck_assert(status.kind == PE_RETURNED && status.code == 0 && data == NULL && bytes == 0);
    ck_assert_uint_eq(count, 100);
    ck_assert_uint_eq(atomic_load(sum), 99 * 100 / 2);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(p12_progress_has_no_total)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = 6 };
    struct progress progress = { 0 };
    pe_map_options options = { .progress = progress_follow, .progress_context = &progress, .max_inflight = 2 };
    pe_map_options quiet = { 0 };
    pe_stream *stream = stream_of(pool, fail_at_2_and_5, &source, options);

    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 4);
    ck_assert_uint_ge(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 6);
    ck_assert_uint_eq(progress.failed, 2);
    ck_assert_uint_eq(progress.total, 0);
    pe_stream_free(stream);
    /* While a thread waits it is told, too. */
    struct gate *gates = pool_shared(pool, sizeof *gates);
    source = (struct numbers_source){ .end = 1 };
    quiet = at_gates(&gates);
    quiet.progress = progress_follow;
    quiet.progress_context = &progress;
    progress = (struct progress){ 0 };
    stream = stream_of(pool, square_at_gate, &source, quiet);
    while (progress.calls < 2)
        ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(250)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    word_set(&gates->open, 1);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 1);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(inherited_context_is_read_in_place)
{
    static uint64_t factor = 1;
    pe_map_options options = { .context = &factor, .context_bytes = 1, .flags = PE_MAP_INHERITED | PE_MAP_ORDERED };
    void *young = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* unreadable at the fork */
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = 3 };

    pe_stream *stream = stream_of(pool, item_square, &source, options);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 3);
    pe_stream_free(stream);
    options.size = sizeof options;
    options.context = young;
    ck_assert_int_eq(mprotect(young, 4096, PROT_READ), 0);
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_number, &source, 8, 8, &options, &stream), PE_EFAULT);
    pool_end(pool);
    munmap(young, 4096);
}

PE_TEST(no_memory_is_an_error_and_leaves_nothing)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = 10 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream = NULL;
    int result;

    for (uint64_t n = 1; n < 100; n++) {
        harness_fail_nth_here(HARNESS_MALLOC, n, ENOMEM);
        result = pe_pool_stream(pool, item_square, next_number, &source, 8, 8, NULL, &stream);
        if (result == 0)
            break;
        ck_assert_int_eq(result, PE_ENOMEM);
        ck_assert_ptr_null(stream);
    }
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    result = pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL);
    harness_fail_reset();
    ck_assert(result == 1 || result == PE_ENOMEM);
    ck_assert_uint_eq(take(stream, UINT64_MAX).count, 10u - (result == 1));
    pe_stream_free(stream);
    options.max_inflight = UINT64_MAX;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_number, &source, 8, 8, &options, &stream), PE_ENOMEM);
    options.max_inflight = UINT64_C(1) << 58;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_number, &source, 8, 8, &options, &stream), PE_ENOMEM);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pool_end(pool);
}

HARNESS_MAIN("stream")
