/* Bad input to every public function: null, sizes that overflow, deadlines that are none, pools that take nothing more
 * (structs of other releases are tried by abi/sized.c). A call that is refused must have started nothing. */

#include "harness/harness.h"

#include <parexec.h>

#include "harness/items.h"
#include "harness/pool.h"

/* ---- bad input ---- */

static void on_done(pe_job *job, void *context)
{
    (void)job, (void)context;
}

static int source_of_nothing(void *item, void *context)
{
    (void)item, (void)context;
    return 0;
}

PE_TEST(null_pool_is_refused_everywhere)
{
    uint64_t memory[2];
    void *block = memory;
    pe_job *job = (pe_job *)(void *)memory;
    pe_stream *stream;
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_new(NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(NULL, job_echo, NULL, 0, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(NULL, job_echo, NULL, 0, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(NULL, item_nothing, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(NULL, item_nothing, memory, 8, memory, 8, 2, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(NULL, range_nothing, combine_nothing, 0, 1, memory, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_stream(NULL, item_nothing, source_of_nothing, NULL, 8, 8, NULL, &stream), PE_EINVAL);
    ck_assert_int_eq(pe_pool_resize(NULL, 1, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_broadcast(NULL, job_echo, NULL, 0, NULL, 0, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(NULL, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_close(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_join(NULL, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_cancel_queued(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_kill(NULL, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_alloc(NULL, 8, &block), PE_EINVAL);
    ck_assert_int_eq(pe_pool_fd(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_poll(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_stats(NULL, &stats), PE_EINVAL);
    pe_pool_free(NULL);
    pe_pool_dealloc(NULL, memory);
    pe_pool_dealloc(NULL, NULL);
    pe_pool_interrupt(NULL);
    ck_assert_ptr_eq(job, (pe_job *)(void *)memory);
    ck_assert_ptr_eq(block, memory);
}

PE_TEST(null_job_is_refused_everywhere)
{
    pe_status status;
    const void *data;
    const char *text;
    size_t bytes;

    ck_assert_int_eq(pe_job_wait(NULL, 0), PE_EINVAL);
    ck_assert_int_eq(pe_job_status(NULL, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(NULL, 0, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(NULL, 0, PE_TEXT_MESSAGE, &text, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_job_result(NULL, &data, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_job_cancel(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_on_done(NULL, on_done, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(NULL, 1, 0, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_reply_write(NULL, "x", 1), PE_EINVAL);
    ck_assert_ptr_null(pe_reply_reserve(NULL, 1));
    pe_job_free(NULL);
}

PE_TEST(outside_a_worker)
{
    ck_assert_int_eq(pe_worker_index(), PE_EPERM);
    ck_assert_int_eq(pe_worker_cancelled(), 0);
    ck_assert_uint_eq(pe_worker_item(), UINT64_MAX);
    ck_assert_int_eq(pe_worker_fail(9, "to %s", "nobody"), 9);
    ck_assert_int_eq(pe_worker_fail(-3, NULL), -3);
}

PE_TEST(bad_arguments_of_job_calls)
{
    pe_pool *pool = pool_of(1), *other = pool_of(1);
    pe_job *job = pool_submit(pool, job_echo, "x", 1), *foreign = pool_submit(other, job_echo, "x", 1);
    pe_job *pair[2] = { job, NULL };
    pe_status status;
    const char *text = NULL;
    size_t index = 99;

    job_ended(job);
    job_ended(foreign);
    ck_assert_int_eq(pe_job_status(job, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, 0, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, UINT64_MAX, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, NULL, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, 0, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE + 1, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, UINT32_MAX, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_MESSAGE, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_OUTPUT, &text, &index), PE_ENODATA);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_on_done(job, NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(pair, 2, 0, &index), PE_EINVAL);
    pair[1] = foreign;
    ck_assert_int_eq(pe_job_wait_any(pair, 2, 0, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(pair, 0, 0, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(NULL, 0, 0, &index), PE_EINVAL);
    ck_assert_uint_eq(index, 99);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), 0);
    pe_job_free(job);
    pe_job_free(foreign);
    pool_end(pool);
    pool_end(other);
}

PE_TEST_LOOP(bad_deadlines, 0, 4)
{
    static const int64_t bad[] = { -1, INT64_MIN, 1, PE_MS(100) }; /* the last two: durations by mistake */
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, job_echo, "x", 1);
    pe_job_options job_options = PE_JOB_OPTIONS_INIT;
    pe_map_options map_options = PE_MAP_OPTIONS_INIT;
    uint64_t acc = 0;

    job_ended(job);
    job_options.submit_deadline_ns = bad[_i];
    map_options.deadline_ns = bad[_i];
    ck_assert_int_eq(pe_job_wait(job, bad[_i]), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(&job, 1, bad[_i], NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(pool, bad[_i]), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, NULL, 0, &job_options, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map_options), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map_options, NULL),
                     PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, 8, &map_options),
                     PE_EINVAL);
    ck_assert_int_eq(pe_pool_join(pool, bad[_i]), PE_EINVAL);
    ck_assert_uint_eq(pool_stats(pool).submitted, 1);
    ck_assert_int_eq(pe_pool_kill(pool, INT64_MIN), PE_EINVAL);
    ck_assert_int_eq(pe_pool_kill(pool, -2), PE_EINVAL);
    pe_job_free(job);
    job = pool_submit(pool, job_echo, "open", 5); /* neither joined nor killed */
    ck_assert_uint_eq(job_ended(job).kind, PE_RETURNED);
    pe_job_free(job);
    pool_end(pool);
}

PE_TEST(bad_arguments_of_submit)
{
    pe_pool *pool = pool_of(1);
    char byte = 'x';
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, NULL, &byte, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, NULL, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, NULL, SIZE_MAX, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(pool, NULL, &byte, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, NULL, 1, NULL, &job), PE_EINVAL);
    /* Too large for the shared memory, refused before a byte is read. */
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, &byte, SIZE_MAX, NULL, &job), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, &byte, SIZE_MAX - 65535, NULL, &job), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, &byte, HARNESS_HUGE(62), NULL, &job), PE_ENOMEM);
    ck_assert_ptr_null(job);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    job = pool_submit(pool, job_echo, &byte, 1);
    ck_assert_uint_eq(job_ended(job).kind, PE_RETURNED);
    pe_job_free(job);
    pool_end(pool);
}

static int reply_in_spite(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    static const size_t sizes[] = { 1, 5, 4096, HARNESS_HUGE(62), SIZE_MAX };

    (void)arg, (void)arg_bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (pe_reply_write(reply, NULL, sizes[i]) != PE_EINVAL || pe_reply_write(NULL, "x", sizes[i]) != PE_EINVAL
            || pe_reply_reserve(NULL, sizes[i]) != NULL)
            return 1;
    return pe_reply_write(reply, "all", 4);
}

PE_TEST(bad_arguments_of_replies)
{
    pe_pool *pool = pool_of(1);

    job_assert_reply(pool_submit(pool, reply_in_spite, NULL, 0), "all", 4);
    pool_end(pool);
}

PE_TEST(bad_arguments_of_map)
{
    pe_pool *pool = pool_of(1);
    uint64_t memory[2] = { 0, 0 };
    pe_job *job = NULL;
    static const size_t huge[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 8 + 1 };

    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, huge[i], memory, 8, 9, NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, 8, memory, huge[i], 9, NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, 8, memory, 8, huge[i], NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, huge[i], NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, memory, huge[i], memory, 8, 9, NULL, &job),
                         PE_EINVAL);
        ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, memory, 8, memory, 8, huge[i], NULL, &job),
                         PE_EINVAL);
    }
    /* Either fits by itself, but not both. */
    ck_assert_int_lt(pe_pool_map(pool, item_nothing, memory, SIZE_MAX / 2, memory, SIZE_MAX / 2, 1, NULL), 0);
    ck_assert_int_lt(pe_pool_map(pool, item_nothing, memory, SIZE_MAX / 8, memory, SIZE_MAX / 8, 1, NULL), 0);
    ck_assert_int_lt(pe_pool_map(pool, item_nothing, memory, SIZE_MAX / 16, memory, SIZE_MAX / 16, 1, NULL),
                     0);
    ck_assert_int_eq(pe_pool_map(pool, NULL, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, 8, NULL, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, NULL, memory, 8, memory, 8, 2, NULL, &job), PE_EINVAL);
    /* No overflow, but more than there can be. */
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, HARNESS_LARGE(48), NULL),
                     sizeof(size_t) > 4 ? PE_ENOMEM : PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, HARNESS_LARGE(50) / 2, memory, 8, 2, NULL), PE_ENOMEM);
    ck_assert_ptr_null(job);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, 8, memory, 8, 2, NULL), 0);
    pool_end(pool);
}

PE_TEST(bad_arguments_of_reduce)
{
    pe_pool *pool = pool_of(1);
    uint64_t acc = 5;
    pe_status statuses[1];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_pool_reduce(pool, NULL, combine_nothing, 0, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, NULL, 0, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, NULL, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, 0, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, SIZE_MAX, NULL),
                     PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, SIZE_MAX / 1024, NULL),
                     PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 2, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, UINT64_MAX, 0, &acc, 8, NULL),
                     PE_EINVAL);
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, 8, &options),
                     PE_EINVAL);
    options.statuses = NULL;
    options.flags = PE_MAP_ORDERED;
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, 8, &options),
                     PE_EINVAL);
    ck_assert_uint_eq(acc, 5);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pool_end(pool);
}

static int try_stream(pe_pool *pool, size_t in_bytes, size_t out_bytes, pe_map_options options)
{
    pe_stream *stream = NULL;

    options.size = sizeof options;
    int result = pe_pool_stream(pool, item_nothing, source_of_nothing, NULL, in_bytes, out_bytes, &options, &stream);
    ck_assert((result == 0) == (stream != NULL));
    pe_stream_free(stream);
    return result;
}

PE_TEST(a03_bad_arguments_of_streams)
{
    pe_pool *pool = pool_of(1);
    pe_status statuses[1];
    pe_stream *stream = NULL;

    ck_assert_int_eq(pe_pool_stream(pool, NULL, source_of_nothing, NULL, 8, 8, NULL, &stream), PE_EINVAL);
    ck_assert_int_eq(pe_pool_stream(pool, item_nothing, NULL, NULL, 8, 8, NULL, &stream), PE_EINVAL);
    ck_assert_int_eq(pe_pool_stream(pool, item_nothing, source_of_nothing, NULL, 8, 8, NULL, NULL), PE_EINVAL);
    ck_assert_ptr_null(stream);
    ck_assert_int_eq(try_stream(pool, SIZE_MAX, 8, (pe_map_options){ 0 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, SIZE_MAX, (pe_map_options){ 0 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, SIZE_MAX / 2, SIZE_MAX / 2, (pe_map_options){ 0 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, SIZE_MAX / 16, SIZE_MAX / 16, (pe_map_options){ 0 }), PE_ENOMEM);
    ck_assert_int_eq(try_stream(pool, HARNESS_LARGE(48), 8, (pe_map_options){ 0 }), PE_ENOMEM);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .statuses = statuses }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .flags = UINT32_C(1) << 31 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .context_bytes = 1 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .deadline_ns = 1 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .timeout_ns = -1 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .priority = 3 }), PE_EINVAL);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .max_inflight = 1, .inflight_bytes = UINT64_MAX }), 0);
    ck_assert_int_eq(try_stream(pool, 8, 8, (pe_map_options){ .max_inflight = UINT64_MAX, .inflight_bytes = 4096 }), 0);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    pool_end(pool);
}

PE_TEST(bad_arguments_of_memory_and_stats)
{
    pe_pool *pool = pool_of(1);
    char own[64];
    void *memory = own, *good = NULL;
    pe_worker_stats worker = PE_WORKER_STATS_INIT;

    ck_assert_int_eq(pe_pool_alloc(pool, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_alloc(pool, SIZE_MAX, &memory), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_alloc(pool, SIZE_MAX - 65535, &memory), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_alloc(pool, HARNESS_HUGE(60), &memory), PE_ENOMEM);
    ck_assert_ptr_eq(memory, own);
    ck_assert_int_eq(pe_pool_alloc(pool, 0, &good), 0);
    ck_assert_uint_eq((uintptr_t)good % 64, 0);
    pe_pool_dealloc(pool, NULL);
    pe_pool_dealloc(pool, own);
    pe_pool_dealloc(pool, good);
    pe_pool_dealloc(pool, good);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    ck_assert_int_eq(pe_pool_stats(pool, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_worker_stats(pool, 0, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_worker_stats(pool, 1, &worker), PE_EINVAL);
    ck_assert_int_eq(pe_pool_worker_stats(pool, UINT32_MAX, &worker), PE_EINVAL);
    pool_end(pool);
}

/* ---- option structs ---- */

PE_TEST(pe_init_with_bad_options)
{
    pe_init_options options = PE_INIT_OPTIONS_INIT;

    options.flags = 1;
    ck_assert_int_eq(pe_init(&options), PE_EINVAL);
    options.flags = 0;
    options.reserved = 1;
    ck_assert_int_eq(pe_init(&options), PE_EINVAL);
}

static int try_pool(pe_pool_options options)
{
    pe_pool *pool = NULL;
    int result;

    options.size = sizeof options;
    if (options.workers == 0)
        options.workers = 1;
    result = pe_pool_new(&options, &pool);
    ck_assert(result == 0 ? pool != NULL : pool == NULL);
    pe_pool_free(pool);
    return result;
}

PE_TEST(bad_pool_options)
{
    static const int32_t negative[] = { 0, -1 };

    for (uint32_t bit = 6; bit < 32; bit++)
        ck_assert_int_eq(try_pool((pe_pool_options){ .flags = UINT32_C(1) << bit }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = UINT32_MAX }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = PE_POOL_FROM_SEED }), PE_EINVAL); /* no pe_init */
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = PE_POOL_FROM_SEED | PE_POOL_KEEP_FDS }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .queue_jobs = (UINT64_C(1) << 20) + 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .queue_jobs = UINT64_MAX }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .grace_ns = -2 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .grace_ns = INT64_MIN }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .idle_ns = -1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .affinity = PE_PIN_COMPACT + 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .affinity = UINT32_MAX }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .inner_threads = 65537 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .inner_threads = UINT32_MAX - 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fd_count = 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = 2 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = SIZE_MAX }),
                     PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = 65537 }), PE_EINVAL);
}

/* As much of it is taken as can be had. */
PE_TEST(more_shared_memory_than_there_are_addresses)
{
    for (int power = 40; power < 64; power++)
        ck_assert_int_eq(try_pool((pe_pool_options){ .workers = 1, .shared_bytes = UINT64_C(1) << power }), 0);
    ck_assert_int_eq(try_pool((pe_pool_options){ .workers = 1, .shared_bytes = (UINT64_C(70) << 40) + 1 }), 0);
    ck_assert_int_eq(try_pool((pe_pool_options){ .workers = 1, .shared_bytes = UINT64_MAX }), 0);
}

PE_TEST(options_of_later_releases)
{
    pe_pool *pool = pool_of(1);
    pe_job_options job = PE_JOB_OPTIONS_INIT;
    pe_map_options map = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(try_pool((pe_pool_options){ .output_bytes = PE_OUTPUT_BYTES_MAX + 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .reserved = 1 }), PE_EINVAL);
    job.timeout_ns = -1;
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, &job, NULL), PE_EINVAL);
    job.timeout_ns = 0;
    job.deadline_ns = PE_MS(1);
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, &job, NULL), PE_EINVAL);
    job.deadline_ns = -1;
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, &job, NULL), PE_EINVAL);
    job.deadline_ns = 0;
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, &job, NULL), 0);
    map.timeout_ns = -1;
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map), PE_EINVAL);
    map.timeout_ns = 0;
    map.max_inflight = 1; /* for streams only, as the next two */
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map), PE_EINVAL);
    map.max_inflight = 0;
    map.inflight_bytes = 1;
    ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map, NULL), PE_EINVAL);
    map.inflight_bytes = 0;
    map.flags = PE_MAP_ORDERED;
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map), PE_EINVAL);
    map.flags = UINT32_C(1) << 31;
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &map), PE_EINVAL);
    pool_end(pool);
}

PE_TEST(bad_map_options)
{
    pe_pool *pool = pool_of(1);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT, before;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    char context = 'x';

    options.context_bytes = 1;
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &options), PE_EINVAL);
    options.context = &context;
    options.context_bytes = HARNESS_LARGE(59);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &options), PE_ENOMEM);
    options.context_bytes = SIZE_MAX;
    ck_assert_int_lt(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &options), 0);
    options.context_bytes = SIZE_MAX - 64;
    ck_assert_int_lt(pe_pool_start_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &options, NULL), 0);
    options.context_bytes = 0;
    summary.size = sizeof summary - 1;
    before = summary;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, &options), PE_EINVAL);
    ck_assert(memcmp(&before, &summary, sizeof summary) == 0);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pool_end(pool);
}

PE_TEST(reduce_with_a_huge_context)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 64, HARNESS_HUGE(62) };
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t acc[2] = { 5, 6 };

    options.context = acc;
    for (int i = 0; i < 5; i++) {
        options.context_bytes = sizes[i];
        ck_assert_int_lt(
            pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, acc, sizeof acc, &options), 0);
    }
    ck_assert(acc[0] == 5 && acc[1] == 6);
    pool_end(pool);
}

/* ---- pools that take nothing more ---- */

static void assert_takes_nothing(pe_pool *pool, int error)
{
    uint64_t memory[2] = { 0, 0 };
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "x", 1, NULL, &job), error);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, "x", 1, NULL, &job), error);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, memory, 8, memory, 8, 2, NULL), error);
    ck_assert_int_eq(pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 0, NULL), error);
    ck_assert_int_eq(pe_pool_start_map(pool, item_nothing, memory, 8, memory, 8, 2, NULL, &job), error);
    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, memory, 8, NULL), error);
    ck_assert_ptr_null(job);
}

PE_TEST_LOOP(closed_joined_and_killed_pools, 0, 3)
{
    pe_pool *pool = pool_of(2);
    pe_job *job = pool_submit(pool, job_echo, "x", 1);
    void *memory = NULL;

    job_ended(job);
    ck_assert_int_eq(_i == 0   ? pe_pool_close(pool)
                     : _i == 1 ? pe_pool_join(pool, PE_FOREVER)
                               : pe_pool_kill(pool, 0),
                     0);
    assert_takes_nothing(pool, PE_ECLOSED);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    ck_assert_int_ge(pe_pool_poll(pool), 0);
    ck_assert_int_ge(pe_pool_fd(pool), 3);
    ck_assert_int_eq(pe_pool_alloc(pool, 100, &memory), 0);
    memset(memory, 1, 100);
    pe_pool_dealloc(pool, memory);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_join(pool, 0), 0);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
    assert_takes_nothing(pool, PE_ECLOSED);
    ck_assert_uint_eq(pool_stats(pool).submitted, 1);
    pe_job_free(job);
    pe_pool_free(pool);
}

HARNESS_MAIN("arguments")
