/* PE_POOL_INLINE: every call does in the caller's own thread and process what it does with workers. */

#include "harness/harness.h"

#include <parexec.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/pool.h"

static pe_pool *inline_pool(void)
{
    return pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
}

static int calls;
static pthread_t caller;

static int look_around(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    calls++;
    ck_assert(pthread_equal(pthread_self(), caller));
    ck_assert_int_eq(pe_worker_index(), 0);
    ck_assert_int_eq(pe_worker_cancelled(), 0);
    ck_assert_uint_eq(pe_worker_item(), UINT64_MAX);
    return pe_worker_fail(3, "seen %s", "it");
}

PE_TEST(job_runs_in_the_call_that_submits_it)
{
    pe_pool *pool = inline_pool();
    pe_status status;
    const char *text = NULL;
    size_t bytes = 0;
    pe_job *job;

    caller = pthread_self();
    job = pool_submit(pool, look_around, NULL, 0);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(pe_worker_index(), PE_EPERM);
    status = job_status(job);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 3);
    ck_assert_int_eq(status.pid, (int)getpid());
    ck_assert_int_eq(status.worker, 0);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_ge(status.run_ns, 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, &bytes), 0);
    ck_assert_str_eq(text, "seen it");
    ck_assert_uint_eq(bytes, 7);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_try_submit(pool, look_around, NULL, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_pool_submit(pool, look_around, NULL, 0, NULL, NULL), 0);
    ck_assert_int_eq(calls, 3);
    pe_job_free(job);
    pe_pool_free(pool);
}

PE_TEST(replies_of_all_sizes)
{
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 4096, 65537, 5000000 };
    pe_pool *pool = inline_pool();
    unsigned char *bytes = malloc(5000000);

    for (size_t i = 0; i < 5000000; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 255);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pe_job *job = pool_submit(pool, job_echo, bytes, sizes[i]);
        const void *data = NULL;
        size_t got = 1;

        ck_assert_int_eq(pe_job_result(job, &data, &got), 0);
        ck_assert_uint_eq(got, sizes[i]);
        ck_assert(memcmp(data, bytes, got) == 0);
        pe_job_free(job);
    }
    free(bytes);
    pe_pool_free(pool);
}

static int grow(const void *arg, size_t bytes, pe_reply *reply)
{
    for (size_t i = 0; i < 10000; i++) {
        unsigned char *place = pe_reply_reserve(reply, 3);

        (void)arg, (void)bytes;
        if (place == NULL)
            return 1;
        memset(place, (int)(i % 251), 3);
    }
    return 0;
}

PE_TEST(reply_grows_and_outlives_the_pool)
{
    pe_pool *pool = inline_pool();
    pe_job *job = pool_submit(pool, grow, NULL, 0);
    const void *data;
    size_t bytes;

    pe_pool_free(pool);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 30000);
    for (size_t i = 0; i < bytes; i++)
        ck_assert_uint_eq(((const unsigned char *)data)[i], i / 3 % 251);
    pe_job_free(job);
}

PE_TEST(reply_above_the_limit)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE, .max_reply_bytes = 100 });
    char bytes[101] = { 0 };
    pe_job *job = pool_submit(pool, job_echo, bytes, 101);

    ck_assert_uint_eq(job_status(job).kind, PE_RETURNED);
    ck_assert_int_eq(job_status(job).code, PE_ETOOBIG);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    pe_job_free(job);
    job = pool_submit(pool, job_echo, bytes, 100);
    ck_assert_int_eq(job_status(job).code, 0);
    pe_job_free(job);
    pe_pool_free(pool);
}

/* ---- maps and reductions ---- */

static int square_or_fail(const void *in, void *out, const void *context)
{
    uint64_t number, bad;

    memcpy(&number, in, sizeof number);
    memcpy(&bad, context, sizeof bad);
    ck_assert_uint_eq(pe_worker_item(), number);
    ck_assert_int_eq(pe_worker_index(), 0);
    number *= number;
    memcpy(out, &number, sizeof number);
    return pe_worker_item() == bad ? pe_worker_fail(7, "item %d", (int)bad) : 0;
}

struct told {
    uint64_t calls, done, failed, total;
};

static void tell(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    struct told *told = context;

    *told = (struct told){ told->calls + 1, done, failed, total };
}

PE_TEST(map_with_all_its_options)
{
    enum { COUNT = 20 };
    pe_pool *pool = inline_pool();
    uint64_t in[COUNT], out[COUNT], bad = 13;
    pe_status statuses[COUNT];
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct told told = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    for (uint64_t i = 0; i < COUNT; i++)
        in[i] = i;
    options.context = &bad;
    options.context_bytes = sizeof bad;
    options.statuses = statuses;
    options.summary = &summary;
    options.progress = tell;
    options.progress_context = &told;
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, in, 8, out, 8, COUNT, &options), PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(statuses[i].kind, PE_RETURNED);
        ck_assert_int_eq(statuses[i].code, i == bad ? 7 : 0);
        ck_assert_uint_eq(statuses[i].item, i);
        ck_assert_int_eq(statuses[i].pid, (int)getpid());
        ck_assert_int_eq(statuses[i].worker, 0);
        ck_assert_uint_eq(statuses[i].attempts, 1);
        if (i != bad)
            ck_assert_uint_eq(out[i], i * i);
    }
    ck_assert_uint_eq(summary.returned, COUNT - 1);
    ck_assert_uint_eq(summary.failed, 1);
    ck_assert_uint_eq(summary.first_failed, bad);
    ck_assert_int_eq(summary.first.code, 7);
    ck_assert_uint_ge(told.calls, 1);
    ck_assert_uint_eq(told.done, COUNT);
    ck_assert_uint_eq(told.failed, 1);
    ck_assert_uint_eq(told.total, COUNT);
    bad = UINT64_MAX;
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, in, 8, out, 8, COUNT, &options), 0);
    ck_assert_uint_eq(out[13], 169);
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, NULL, 8, NULL, 8, 0, &options), 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    pe_pool_free(pool);
}

/* As with workers: what failed leaves the caller's element as it was. */
PE_TEST(map_leaves_the_output_of_failed_items)
{
    pe_pool *pool = inline_pool();
    uint64_t in[3] = { 0, 1, 2 }, out[3] = { 77, 77, 77 }, bad = 1;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = &bad;
    options.context_bytes = sizeof bad;
    ck_assert_int_eq(pe_pool_map(pool, square_or_fail, in, 8, out, 8, 3, &options), PE_EITEMS);
    ck_assert_uint_eq(out[0], 0);
    ck_assert_uint_eq(out[1], 77);
    ck_assert_uint_eq(out[2], 4);
    pe_pool_free(pool);
}

static int tell_alignment(const void *in, void *out, const void *context)
{
    (void)in, (void)context;
    return (int)((uintptr_t)out % 64);
}

/* Whatever it is that the caller has. */
PE_TEST(map_copies_are_aligned)
{
    pe_pool *pool = inline_pool();
    char out[5 * 200];

    for (size_t bytes = 1; bytes <= 200; bytes++)
        ck_assert_int_eq(pe_pool_map(pool, tell_alignment, NULL, 0, out, bytes, 5, NULL), 0);
    pe_pool_free(pool);
}

static int fail_always(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    calls++;
    return 1;
}

PE_TEST_LOOP(map_stops_after_k_failures, 1, 4)
{
    pe_pool *pool = inline_pool();
    pe_status statuses[10];
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    calls = 0;
    options.on_error = (uint32_t)_i;
    options.statuses = statuses;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, fail_always, NULL, 0, NULL, 0, 10, &options), PE_EITEMS);
    ck_assert_int_eq(calls, _i);
    ck_assert_uint_eq(summary.failed, (uint64_t)_i);
    ck_assert_uint_eq(summary.cancelled, 10 - (uint64_t)_i);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(statuses[i].kind, i < _i ? PE_RETURNED : PE_CANCELLED);
        ck_assert_int_eq(statuses[i].worker, i < _i ? 0 : -1);
    }
    pe_pool_free(pool);
}

static void count_call(pe_job *job, void *context)
{
    (void)job;
    ++*(int *)context;
}

PE_TEST(start_map_has_ended_when_it_returns)
{
    pe_pool *pool = inline_pool();
    uint64_t in[5] = { 0, 1, 2, 3, 4 }, out[5], bad = 2;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status status;
    const char *text = NULL;
    int done = 0;
    pe_job *job;

    options.context = &bad;
    options.context_bytes = sizeof bad;
    ck_assert_int_eq(pe_pool_start_map(pool, square_or_fail, in, 8, out, 8, 5, &options, &job), 0);
    ck_assert_uint_eq(out[4], 16);
    status = job_status(job);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, PE_EITEMS);
    ck_assert_int_eq(pe_job_item_status(job, 2, &status), 0);
    ck_assert_int_eq(status.code, 7);
    ck_assert_int_eq(pe_job_item_status(job, 3, &status), 0);
    ck_assert_int_eq(status.code, 0);
    ck_assert_int_eq(pe_job_item_status(job, 5, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 2, PE_TEXT_MESSAGE, &text, NULL), 0);
    ck_assert_str_eq(text, "item 2");
    ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_on_done(job, count_call, &done), 0);
    ck_assert_int_eq(done, 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_int_eq(done, 1);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_start_map(pool, square_or_fail, in, 8, out, 8, 5, &options, NULL), 0);
    pe_pool_free(pool);
}

static int mix_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    uint64_t *sum = acc;

    *sum = *sum * 31 + first * 7 + last;
    return context != NULL && first == *(const uint64_t *)context ? 6 : 0;
}

static int mix_parts(void *acc, const void *part, const void *context)
{
    uint64_t add;

    (void)context;
    memcpy(&add, part, sizeof add);
    *(uint64_t *)acc = *(uint64_t *)acc * 1000003 + add;
    return 0;
}

PE_TEST_LOOP(reduce_has_the_bits_of_workers, 0, 4)
{
    static const uint64_t lasts[] = { 1, 1000, 1025, 1000003 };
    pe_pool *pool = inline_pool(), *with_workers = NULL;
    uint64_t acc[2] = { 0, 0 }, bad = 0;
    pe_pool_options two = PE_POOL_OPTIONS_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    two.workers = 2;
    ck_assert_int_eq(pe_pool_new(&two, &with_workers), 0);
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, lasts[_i], &acc[0], 8, NULL), 0);
    ck_assert_int_eq(pe_pool_reduce(with_workers, mix_range, mix_parts, 0, lasts[_i], &acc[1], 8, NULL), 0);
    ck_assert_uint_eq(acc[0], acc[1]);
    options.context = &bad;
    options.context_bytes = sizeof bad;
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, lasts[_i], &acc[0], 8, &options),
                     PE_EITEMS);
    ck_assert_uint_eq(acc[0], acc[1]);
    pe_pool_free(with_workers);
    pe_pool_free(pool);
}

/* ---- the pool's own calls ---- */

PE_TEST(callbacks_poll_and_descriptor)
{
    pe_pool *pool = inline_pool();
    pe_job *job = pool_submit(pool, job_echo, "x", 1);
    struct pollfd watched = { .fd = pe_pool_fd(pool), .events = POLLIN };
    int done = 0;

    while (pe_pool_poll(pool) > 0)
        ;
    ck_assert_int_eq(poll(&watched, 1, 0), 0);
    ck_assert_int_eq(pe_job_on_done(job, count_call, &done), 0);
    ck_assert_int_eq(poll(&watched, 1, -1), 1);
    while (pe_pool_poll(pool) > 0)
        ;
    ck_assert_int_eq(done, 1);
    pe_job_free(job);
    /* A job that ends while the descriptor is armed makes it readable. */
    ck_assert_int_eq(pe_pool_poll(pool), 0);
    ck_assert_int_eq(poll(&watched, 1, 0), 0);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, NULL), 0);
    ck_assert_int_gt(pe_pool_poll(pool), 0);
    pe_pool_free(pool);
}

PE_TEST(waits_and_interrupt)
{
    pe_pool *pool = inline_pool();
    pe_job *jobs[2] = { pool_submit(pool, job_echo, "x", 1), pool_submit(pool, job_echo, "y", 1) };
    size_t index = 9;

    ck_assert_int_eq(pe_job_wait_any(jobs, 2, PE_FOREVER, &index), 0);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER),
                     0); /* its end has come: the interrupt stays for the next */
    ck_assert_int_eq(pe_pool_poll(pool), PE_EINTR);
    ck_assert_int_ge(pe_pool_poll(pool), 0);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    pe_job_free(jobs[0]);
    pe_job_free(jobs[1]);
    pe_pool_free(pool);
}

static int interrupt_at_third(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    if (pe_worker_item() == 2)
        pe_pool_interrupt(*(pe_pool *const *)context);
    return 0;
}

PE_TEST(map_is_interrupted_between_items)
{
    pe_pool *pool = inline_pool();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_job *job = NULL;

    options.context = &pool;
    options.context_bytes = sizeof pool;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, interrupt_at_third, NULL, 0, NULL, 0, 10, &options), PE_EINTR);
    ck_assert_uint_eq(summary.returned, 3);
    ck_assert_uint_eq(summary.cancelled, 7);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(pe_pool_map(pool, interrupt_at_third, NULL, 0, NULL, 0, 10, &options), PE_EINTR);
    ck_assert_uint_eq(summary.cancelled, 10);
    /* What is handed over is no wait: the interrupt is for the next. */
    ck_assert_int_eq(pe_pool_start_map(pool, interrupt_at_third, NULL, 0, NULL, 0, 10, &options, &job), 0);
    ck_assert_uint_eq(summary.returned, 10);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_poll(pool), PE_EINTR);
    pe_pool_free(pool);
}

PE_TEST(memory_and_stats)
{
    pe_pool *pool = inline_pool();
    unsigned char *memory = NULL;
    pe_stats stats;

    ck_assert_int_eq(pe_pool_alloc(pool, 100000, (void **)&memory), 0);
    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 100000; i++)
        ck_assert_uint_eq(memory[i], 0);
    pe_job_free(pool_submit(pool, job_echo, "12345", 5));
    stats = pool_stats(pool);
    ck_assert_uint_eq(stats.submitted, 1);
    ck_assert_uint_eq(stats.returned, 1);
    ck_assert_uint_eq(stats.queued + stats.running, 0);
    ck_assert_uint_eq(stats.bytes_in, 5);
    ck_assert_uint_eq(stats.bytes_out, 5);
    ck_assert_uint_eq(stats.workers_alive, 0);
    ck_assert_uint_ge(stats.shared_bytes_used, 100000);
    pe_pool_dealloc(pool, memory);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pe_pool_free(pool);
}

static int item(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    return 0;
}

PE_TEST_LOOP(close_join_and_kill, 0, 3)
{
    pe_pool *pool = inline_pool();
    pe_job *job = pool_submit(pool, job_echo, "x", 1), *none = NULL;
    uint64_t acc = 0;

    ck_assert_int_eq(_i == 0   ? pe_pool_close(pool)
                     : _i == 1 ? pe_pool_join(pool, 0)
                               : pe_pool_kill(pool, 0),
                     0);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, &none), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, "x", 1, NULL, &none), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, NULL), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_start_map(pool, item, NULL, 0, NULL, 0, 1, NULL, &none), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, 1, &acc, 8, NULL), PE_ECLOSED);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    pe_pool_free(pool);
    ck_assert_uint_eq(job_status(job).kind, PE_RETURNED);
    pe_job_free(job);
}

PE_TEST(bad_input)
{
    pe_pool *pool = inline_pool();
    pe_job *job = NULL;
    uint64_t memory[2] = { 0, 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_pool_submit(pool, NULL, NULL, 0, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, NULL, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, NULL, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item, memory, SIZE_MAX, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 8, memory, 8, 2, NULL), PE_EINVAL);
    options.size = 8;
    ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, memory, 8, 2, &options), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 2, 1, memory, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(pool, -1), PE_EINVAL);
    ck_assert_ptr_null(job);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pe_pool_free(pool);
}

/* ---- one within another, and several threads ---- */

static int submit_more(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool *pool;
    const void *data;
    pe_job *job;

    (void)bytes;
    memcpy(&pool, arg, sizeof pool);
    job = pool_submit(pool, job_echo, "inner", 6);
    ck_assert_int_eq(pe_worker_index(), 0);
    ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
    pe_reply_write(reply, data, 6);
    pe_job_free(job);
    return pe_worker_fail(1, "outer");
}

PE_TEST(job_may_submit_to_its_own_pool)
{
    pe_pool *pool = inline_pool();
    pe_job *job = pool_submit(pool, submit_more, &pool, sizeof pool);
    const void *data;
    const char *text;

    ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
    ck_assert_str_eq(data, "inner");
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), 0);
    ck_assert_str_eq(text, "outer");
    pe_job_free(job);
    pe_pool_free(pool);
}

static int inline_in_worker(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool *pool = inline_pool();
    pe_job *job = pool_submit(pool, job_echo, arg, bytes);
    const void *data;
    size_t got;

    if (pe_job_result(job, &data, &got) == 0)
        pe_reply_write(reply, data, got);
    pe_job_free(job);
    pe_pool_free(pool);
    return pe_worker_index();
}

PE_TEST(p61_inline_pool_within_a_worker)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;
    const void *data;
    pe_job *job;

    options.workers = 1;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    job = pool_submit(pool, inline_in_worker, "deep", 5);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_uint_eq(job_status(job).kind, PE_RETURNED);
    ck_assert_int_eq(job_status(job).code, 0);
    ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
    ck_assert_str_eq(data, "deep");
    pe_job_free(job);
    pe_pool_free(pool);
}

static void *submit_hundreds(void *context)
{
    pe_pool *pool = context;
    uintptr_t wrong = 0;

    for (uint64_t i = 0; i < 500; i++) {
        uint64_t number = (uint64_t)pthread_self() ^ i, got = 0;
        pe_job *job;
        const void *data;

        if (pe_pool_submit(pool, job_echo, &number, sizeof number, NULL, &job) != 0)
            return context;
        if (pe_job_result(job, &data, NULL) == 0)
            memcpy(&got, data, sizeof got);
        wrong += got != number;
        pe_job_free(job);
    }
    return wrong != 0 ? context : NULL;
}

PE_TEST(threads_share_an_inline_pool)
{
    pe_pool *pool = inline_pool();
    pthread_t threads[8];
    void *wrong;

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_hundreds, pool), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    ck_assert_uint_eq(pool_stats(pool).returned, 4000);
    pe_pool_free(pool);
}

HARNESS_MAIN("inline")
