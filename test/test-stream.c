/* Streams: order, ends and deaths, and a pool that is as good as new afterwards.
 * Where the order of events matters, items wait at gates in shared memory that the test opens. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/stream.h"

#define GUARD_NS PE_SECONDS(20)

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
    stream_assert_ends_with(stream, 0);
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
    struct stream_outcome outcome = stream_take(stream, UINT64_MAX);

    ck_assert_uint_eq(outcome.count, 4096);
    ck_assert_int_eq(outcome.result, 0);
    ck_assert(outcome.in_order || _i % 2 == 0);
    stream_assert_ends_with(stream, 0);
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

PE_TEST(a08_completion_order_then_the_end_marker_again_and_again)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = pool_shared(pool, 3 * sizeof *gates);
    struct numbers_source source = { .end = 3 };
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, stream_at_gates(&gates));
    uint64_t index;

    ck_assert_int_eq(pe_stream_next(stream, 0, &index, NULL, NULL, NULL), PE_ETIMEDOUT);
    stream_pull_until(stream, &source, 3);
    for (uint64_t left = 3; left > 0; left--) { /* the last one made ends first */
        word_set(&gates[left - 1].open, 1);
        struct stream_outcome outcome = stream_take(stream, 1);
        ck_assert_uint_eq(outcome.count, 1);
        ck_assert_uint_eq(outcome.last_index, left - 1);
    }
    stream_assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pe_pool_dealloc(pool, gates);
    pool_end(pool);
}

PE_TEST(ordered_holds_back_what_came_too_early)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = pool_shared(pool, 3 * sizeof *gates);
    struct numbers_source source = { .end = 3 };
    pe_map_options options = stream_at_gates(&gates);

    options.flags = PE_MAP_ORDERED;
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, options);
    word_set(&gates[1].open, 1);
    word_set(&gates[2].open, 1);
    ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(20)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    word_set(&gates[0].open, 1);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_uint_eq(stream_take(stream, 1).last_index, i);
    stream_assert_ends_with(stream, 0);
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
    struct stream_outcome outcome = stream_take(stream, UINT64_MAX);

    ck_assert_int_eq(outcome.result, PE_EITEMS);
    ck_assert_uint_ge(outcome.failed, (uint64_t)_i);
    ck_assert_uint_le(outcome.failed, (uint64_t)_i + 4);
    ck_assert_uint_eq(source.made, outcome.failed);
    stream_assert_ends_with(stream, PE_EITEMS);
    pe_stream_free(stream);
    pool_assert_usable(pool);
    pool_end(pool);
}

PE_TEST(p13_on_error_is_told_also_when_the_input_ended_before)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = 2 };
    pe_stream *stream = stream_of(pool, always_fails, &source, (pe_map_options){ .on_error = 2 });

    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).failed, 2);
    stream_assert_ends_with(stream, PE_EITEMS);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(error_of_the_source_comes_after_everything_in_flight)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 50, .ends_with = -5 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ 0 });

    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 50);
    stream_assert_ends_with(stream, -5);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(source_with_nothing_now_is_asked_again)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = 20, .pause_at = 10 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .max_inflight = 1 });

    ck_assert_uint_eq(stream_take(stream, 10).count, 10);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_EAGAIN);
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 10);
    stream_assert_ends_with(stream, 0);
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

/* ---- inline, nothing in, nothing out, no memory ---- */

PE_TEST_LOOP(p72_inline_pool, 0, 2)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    struct numbers_source source = { .end = 100 };
    pe_stream *stream = stream_of(pool, fail_at_2_and_5, &source,
                                  (pe_map_options){ .flags = _i ? PE_MAP_ORDERED : 0 });
    struct stream_outcome outcome = stream_take(stream, UINT64_MAX);

    ck_assert_uint_eq(outcome.count, 98);
    ck_assert_uint_eq(outcome.failed, 2);
    ck_assert_int_eq(outcome.in_order, 1);
    stream_assert_ends_with(stream, 0);
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

    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 4);
    ck_assert_uint_ge(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 6);
    ck_assert_uint_eq(progress.failed, 2);
    ck_assert_uint_eq(progress.total, 0);
    pe_stream_free(stream);
    /* While a thread waits it is told, too. */
    struct gate *gates = pool_shared(pool, sizeof *gates);
    source = (struct numbers_source){ .end = 1 };
    quiet = stream_at_gates(&gates);
    quiet.progress = progress_follow;
    quiet.progress_context = &progress;
    progress = (struct progress){ 0 };
    stream = stream_of(pool, item_square_at_gate, &source, quiet);
    while (progress.calls < 2)
        ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(250)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    word_set(&gates->open, 1);
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 1);
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
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 3);
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
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 10u - (result == 1));
    pe_stream_free(stream);
    options.max_inflight = UINT64_MAX;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_number, &source, 8, 8, &options, &stream), PE_ENOMEM);
    options.max_inflight = UINT64_C(1) << 58;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_number, &source, 8, 8, &options, &stream), PE_ENOMEM);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pool_end(pool);
}

HARNESS_MAIN("stream")
