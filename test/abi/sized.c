/*
 * Every call that takes a sized struct, with structs that are shorter and longer than the library's: compiled with the
 * headers of a release (see meson.build), so "as long as it was then" is what sizeof says here. Options of a later
 * program, which are longer, are taken as long as what the library cannot know is zero; results are written up to the
 * caller's size and no further. test-abi.py sees to it that no call is missing.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/items.h"
#include "harness/pool.h"

#define MOST 4096 /* bytes of a sized struct */

/* A struct of any type with its size and room behind; which is used is the call's matter. */
union sized {
    size_t size;
    unsigned char bytes[2 * MOST];
    pe_file_info file_info;
    pe_init_options init;
    pe_job_options job;
    pe_loop_figures figures;
    pe_map_options map;
    pe_map_summary summary;
    pe_offload_options offload;
    pe_pool_options pool;
    pe_process_options process;
    pe_region_options region;
    pe_report_options report;
    pe_stats stats;
    pe_worker_stats worker;
};

/* A call with a struct; what it gets from tasks comes out of it too. */
typedef int call_fn(pe_pool *pool, union sized *given);

static int source_of_nothing(void *item, void *context)
{
    (void)item, (void)context;
    return 0;
}

/* ---- pools ---- */

static int call_init(pe_pool *pool, union sized *given)
{
    int result = pe_init(&given->init);

    (void)pool;
    return result == PE_EALREADY ? 0 : result;
}

static int call_pool_new(pe_pool *pool, union sized *given)
{
    pe_pool *made = NULL;
    int result = pe_pool_new(&given->pool, &made);

    (void)pool;
    ck_assert(result == 0 ? made != NULL : made == NULL);
    pe_pool_free(made);
    return result;
}

static int call_map_once(pe_pool *pool, union sized *given)
{
    (void)pool;
    return pe_map_once(&given->pool, item_nothing, NULL, 0, NULL, 0, 1, NULL);
}

static int call_map_once_options(pe_pool *pool, union sized *given)
{
    (void)pool;
    return pe_map_once(NULL, item_nothing, NULL, 0, NULL, 0, 1, &given->map);
}

static int call_submit(pe_pool *pool, union sized *given)
{
    return pe_pool_submit(pool, job_nothing, NULL, 0, &given->job, NULL);
}

static int call_try_submit(pe_pool *pool, union sized *given)
{
    int result;

    while ((result = pe_pool_try_submit(pool, job_nothing, NULL, 0, &given->job, NULL)) == PE_EAGAIN)
        pe_pool_wait(pool, PE_FOREVER);
    return result;
}

static int map(pe_pool *pool, const pe_map_options *options)
{
    return pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 3, options);
}

static int start_map(pe_pool *pool, const pe_map_options *options)
{
    pe_job *job = NULL;
    int result = pe_pool_start_map(pool, item_nothing, NULL, 0, NULL, 0, 3, options, &job);

    if (result == 0)
        result = pe_job_wait(job, PE_FOREVER);
    pe_job_free(job);
    return result;
}

static int reduce(pe_pool *pool, const pe_map_options *options)
{
    uint64_t acc = 0;

    return pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 3, &acc, sizeof acc, options);
}

static int stream(pe_pool *pool, const pe_map_options *options)
{
    pe_stream *made = NULL;
    int result = pe_pool_stream(pool, item_nothing, source_of_nothing, NULL, 8, 8, options, &made);

    pe_stream_free(made);
    return result;
}

static int map_once(pe_pool *pool, const pe_map_options *options)
{
    (void)pool;
    return pe_map_once(NULL, item_nothing, NULL, 0, NULL, 0, 1, options);
}

static int call_map(pe_pool *pool, union sized *given) { return map(pool, &given->map); }
static int call_start_map(pe_pool *pool, union sized *given) { return start_map(pool, &given->map); }
static int call_reduce(pe_pool *pool, union sized *given) { return reduce(pool, &given->map); }
static int call_stream(pe_pool *pool, union sized *given) { return stream(pool, &given->map); }

/* The same calls with a summary that is to be filled in. */
#define WITH_SUMMARY(call) \
    static int call##_summary(pe_pool *pool, union sized *given) \
    { \
        pe_map_options options = PE_MAP_OPTIONS_INIT; \
        options.summary = &given->summary; \
        return call(pool, &options); \
    }
WITH_SUMMARY(map)
WITH_SUMMARY(start_map)
WITH_SUMMARY(reduce)
WITH_SUMMARY(stream)
WITH_SUMMARY(map_once)

static int call_stats(pe_pool *pool, union sized *given) { return pe_pool_stats(pool, &given->stats); }
static int call_worker_stats(pe_pool *pool, union sized *given)
{
    return pe_pool_worker_stats(pool, 0, &given->worker);
}

/* ---- regions and reports ---- */

static int call_region_setup(pe_pool *pool, union sized *given)
{
    int result = pe_region_setup(&given->region);

    (void)pool;
    return result == PE_EALREADY ? 0 : result;
}

static int call_report(pe_pool *pool, union sized *given)
{
    FILE *file = fopen("/dev/null", "we");
    int result = pe_report(file, &given->report);

    (void)pool;
    fclose(file);
    return result;
}

static int call_report_merge(pe_pool *pool, union sized *given)
{
    static const char *const path = "/nowhere/profile";
    FILE *file = fopen("/dev/null", "we");
    int result = pe_report_merge(&path, 1, file, &given->report);

    (void)pool;
    fclose(file);
    return result == PE_ENOENT ? 0 : result; /* it went as far as to look for the file */
}

/* ---- tasks ---- */

struct asked {
    pe_pool *pool;
    union sized *given;
    pe_job *job;
    pe_process *process;
    int result;
};

/* A task that makes one call and keeps what its wait gave. */
#define TASK(name, call) \
    static int task_##name(pe_task *t, void *frame) \
    { \
        struct asked *f = frame; \
        PE_BEGIN(t); \
        PE_AWAIT(t, call); \
        f->result = t->result; \
        PE_END(t); \
    } \
    static int call_##name(pe_pool *pool, union sized *given) { return in_task(task_##name, pool, given); }

static int in_task(pe_task_fn *fn, pe_pool *pool, union sized *given)
{
    struct asked asked = { .pool = pool, .given = given };
    int result = pe_run(fn, &asked, NULL);

    pe_job_free(asked.job);
    return result < 0 ? result : asked.result;
}

static int return_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int map_of_summary(pe_task *t, pe_pool *pool, pe_map_summary *summary)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = summary;
    return pe_await_map(t, pool, item_nothing, NULL, 0, NULL, 0, 3, &options);
}

TASK(offload, pe_offload(t, return_nothing, NULL, &f->given->offload))
TASK(await_submit, pe_await_submit(t, f->pool, job_nothing, NULL, 0, &f->given->job, &f->job))
TASK(await_map, pe_await_map(t, f->pool, item_nothing, NULL, 0, NULL, 0, 3, &f->given->map))
TASK(await_map_summary, map_of_summary(t, f->pool, &f->given->summary))
TASK(file_stat, pe_file_stat(t, "/", 0, &f->given->file_info))
TASK(file_stat_fd, pe_file_stat_fd(t, 0, &f->given->file_info))

static int task_spawn(pe_task *t, void *frame)
{
    static char *true_argv[] = { "true", NULL };
    struct asked *f = frame;
    PE_BEGIN(t);
    f->given->process.argv = true_argv;
    f->result = pe_process_spawn(pe_task_loop(t), &f->given->process, &f->process);
    if (f->result == 0)
        PE_AWAIT(t, pe_process_wait(t, f->process, NULL, NULL));
    pe_process_free(f->process);
    PE_END(t);
}

static int call_process_spawn(pe_pool *pool, union sized *given) { return in_task(task_spawn, pool, given); }

static int call_loop_stats(pe_pool *pool, union sized *given)
{
    pe_loop *loop;
    int result = pe_loop_new(NULL, &loop);

    (void)pool;
    if (result < 0)
        return result;
    result = pe_loop_stats(loop, &given->figures);
    pe_loop_free(loop);
    return result;
}

/* ---- the tests ---- */

static const struct row {
    const char *name;
    size_t bytes;
    call_fn *call;
} options_rows[] = {
    { "pe_init", sizeof(pe_init_options), call_init },
    { "pe_pool_new", sizeof(pe_pool_options), call_pool_new },
    { "pe_map_once", sizeof(pe_pool_options), call_map_once },
    { "pe_map_once, of the map", sizeof(pe_map_options), call_map_once_options },
    { "pe_pool_submit", sizeof(pe_job_options), call_submit },
    { "pe_pool_try_submit", sizeof(pe_job_options), call_try_submit },
    { "pe_pool_map", sizeof(pe_map_options), call_map },
    { "pe_pool_start_map", sizeof(pe_map_options), call_start_map },
    { "pe_pool_reduce", sizeof(pe_map_options), call_reduce },
    { "pe_pool_stream", sizeof(pe_map_options), call_stream },
    { "pe_region_setup", sizeof(pe_region_options), call_region_setup },
    { "pe_report", sizeof(pe_report_options), call_report },
    { "pe_report_merge", sizeof(pe_report_options), call_report_merge },
    { "pe_offload", sizeof(pe_offload_options), call_offload },
    { "pe_await_submit", sizeof(pe_job_options), call_await_submit },
    { "pe_await_map", sizeof(pe_map_options), call_await_map },
    { "pe_process_spawn", sizeof(pe_process_options), call_process_spawn },
}, result_rows[] = {
    { "pe_pool_map, its pe_map_summary", sizeof(pe_map_summary), map_summary },
    { "pe_pool_start_map, its pe_map_summary", sizeof(pe_map_summary), start_map_summary },
    { "pe_pool_reduce, its pe_map_summary", sizeof(pe_map_summary), reduce_summary },
    { "pe_pool_stream, its pe_map_summary", sizeof(pe_map_summary), stream_summary },
    { "pe_map_once, its pe_map_summary", sizeof(pe_map_summary), map_once_summary },
    { "pe_await_map, its pe_map_summary", sizeof(pe_map_summary), call_await_map_summary },
    { "pe_pool_stats", sizeof(pe_stats), call_stats },
    { "pe_pool_worker_stats", sizeof(pe_worker_stats), call_worker_stats },
    { "pe_file_stat", sizeof(pe_file_info), call_file_stat },
    { "pe_file_stat_fd", sizeof(pe_file_info), call_file_stat_fd },
    { "pe_loop_stats", sizeof(pe_loop_figures), call_loop_stats },
};

#define OPTIONS_ROWS (sizeof options_rows / sizeof *options_rows)
#define RESULT_ROWS (sizeof result_rows / sizeof *result_rows)

static union sized given;

static void set(size_t size, int behind)
{
    memset(&given, 0, sizeof given);
    given.size = size;
    if (size < sizeof given)
        memset(given.bytes + size, behind, sizeof given - size);
}

#define MUST_BE(wanted) \
    do { \
        int result_ = row->call(pool, &given); \
        ck_assert_msg(result_ == (wanted), "%s, %zu bytes: %s", row->name, given.size, pe_err_name(result_)); \
    } while (0)

/* A pool for a call. NULL: the call is not there, in a build without libuv. What stays of a first call, a seed or
 * descriptors of libuv, is there before the test. */
static pe_pool *pool_for(const struct row *row)
{
    pe_pool *pool = pool_of(1);

    set(row->bytes, 0);
    int result = row->call(pool, &given);
    pool_end(pool);
    harness_leaks_mark();
    return result == PE_ENOSYS ? NULL : pool_of(1);
}

/* A few sizes below that of the release, the last one less by one: the nth, counted from 0; SIZE_MAX behind them. */
static size_t too_short(const struct row *row, int n)
{
    const size_t sizes[] = { 0, 1, sizeof(size_t) - 1, sizeof(size_t), row->bytes / 2, row->bytes - 1, SIZE_MAX };

    return sizes[n];
}

PE_TEST_LOOP(options_shorter_and_longer, 0, (int)OPTIONS_ROWS)
{
    static const size_t huge[] = { MOST + 1, 2 * MOST, SIZE_MAX / 2, SIZE_MAX };
    const struct row *row = &options_rows[_i];
    pe_pool *pool = pool_for(row);

    if (pool == NULL)
        HARNESS_SKIP("%s is not in this build", row->name);
    for (size_t size, n = 0; (size = too_short(row, (int)n)) != SIZE_MAX; n++) {
        set(size, 0);
        MUST_BE(PE_EINVAL);
    }
    for (int i = 0; i < 4; i++) {
        set(huge[i], 0);
        MUST_BE(PE_EINVAL);
    }
    set(row->bytes, 0xee); /* what is behind is not the library's to read */
    MUST_BE(0);
    set(MOST, 0xee);
    MUST_BE(0);
    given.bytes[MOST - 1] = 1;
    MUST_BE(PE_EINVAL);
    set(MOST, 0xee);
    MUST_BE(0);
    pool_end(pool);
}

static void assert_all(size_t from, size_t to, int value, const struct row *row)
{
    for (size_t i = from; i < to; i++)
        ck_assert_msg(given.bytes[i] == value, "%s, %zu bytes: byte %zu", row->name, given.size, i);
}

PE_TEST_LOOP(results_shorter_and_longer, 0, (int)RESULT_ROWS)
{
    const struct row *row = &result_rows[_i];
    pe_pool *pool = pool_for(row);

    if (pool == NULL)
        HARNESS_SKIP("%s is not in this build", row->name);
    for (size_t size, n = 0; (size = too_short(row, (int)n)) != SIZE_MAX; n++) {
        set(sizeof size, 0xee);
        given.size = size;
        MUST_BE(PE_EINVAL);
        assert_all(sizeof size, sizeof given, 0xee, row);
    }
    set(sizeof given.size, 0xee);
    given.size = MOST + 1;
    MUST_BE(PE_EINVAL);
    assert_all(sizeof given.size, sizeof given, 0xee, row);
    given.size = row->bytes;
    MUST_BE(0);
    ck_assert_uint_eq(given.size, row->bytes);
    assert_all(row->bytes, sizeof given, 0xee, row);
    set(sizeof given.size, 0xee);
    given.size = MOST;
    MUST_BE(0);
    ck_assert_uint_eq(given.size, MOST);
    assert_all(MOST - 8, MOST, 0, row);
    assert_all(MOST, sizeof given, 0xee, row);
    pool_end(pool);
}

HARNESS_MAIN("sized")
