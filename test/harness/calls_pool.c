#include "harness/calls_pool.h"

#include "harness/harness.h"
#include "harness/items.h"
#include "harness/pool.h"

#define GUARD_NS PE_SECONDS(20)

static void ignore_end(pe_job *job, void *context)
{
    (void)job, (void)context;
}

/* ---- one call of each function ---- */

#define CALL(name, result) \
    static int call_##name(const struct scene *scene) \
    { \
        (void)scene; \
        return (result); \
    }

static int call_pool_new(const struct scene *scene)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 1;
    int result = pe_pool_new(&options, scene->situation == NO_HANDLE ? NULL : &pool);
    ck_assert((result == 0) == (pool != NULL));
    pe_pool_free(pool);
    return result;
}

static int submit(const struct scene *scene, int (*submit_fn)(pe_pool *, pe_job_fn *, const void *, size_t,
                                                              const pe_job_options *, pe_job **))
{
    pe_job *job = NULL;
    int result = submit_fn(scene->pool, job_nothing, "x", 1, NULL, &job);

    ck_assert((result == 0) == (job != NULL));
    pe_job_free(job);
    return result;
}

CALL(submit, submit(scene, pe_pool_submit))
CALL(try_submit, submit(scene, pe_pool_try_submit))

static int call_map(const struct scene *scene)
{
    uint64_t in = 3, out = UNTOUCHED;
    pe_status ending = { .kind = 99 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    options.statuses = &ending;
    int result = pe_pool_map(scene->pool, item_square, &in, 8, &out, 8, 1, &options);

    ck_assert_uint_eq(out, result == 0 ? 9 : UNTOUCHED);
    ck_assert_uint_eq(ending.kind, result == 0 ? PE_RETURNED : result == PE_EBROKEN ? PE_LOST : 99);
    return result;
}

static int call_map_once(const struct scene *scene)
{
    uint64_t in = 3, out = UNTOUCHED;
    pe_map_fn *fn = scene->situation == NO_HANDLE ? NULL : item_square;
    int result = pe_map_once(NULL, fn, &in, 8, &out, 8, 1, NULL);

    ck_assert_uint_eq(out, result == 0 ? 9 : UNTOUCHED);
    return result;
}

static int call_start_map(const struct scene *scene)
{
    pe_job *job = NULL;
    int result = pe_pool_start_map(scene->pool, item_nothing, NULL, 0, NULL, 0, 1, NULL, &job);

    ck_assert((result == 0) == (job != NULL));
    pe_job_free(job);
    return result;
}

static int call_reduce(const struct scene *scene)
{
    uint64_t acc = 5;
    int result = pe_pool_reduce(scene->pool, range_nothing, combine_nothing, 0, 3, &acc, sizeof acc, NULL);

    ck_assert_uint_eq(acc, 5);
    return result;
}

int calls_source_of_nothing(void *item, void *context)
{
    (void)item, (void)context;
    return 0;
}

static int call_stream(const struct scene *scene)
{
    pe_stream *stream = NULL;
    int result = pe_pool_stream(scene->pool, item_nothing, calls_source_of_nothing, NULL, 8, 8, NULL, &stream);

    ck_assert((result == 0) == (stream != NULL));
    pe_stream_free(stream);
    return result;
}

static int call_stream_next(const struct scene *scene)
{
    uint64_t index = 99;
    int result = pe_stream_next(scene->stream, PE_FOREVER, &index, NULL, NULL, NULL);

    ck_assert_uint_eq(index, 99);
    return result;
}

static int call_stream_text(const struct scene *scene)
{
    const char *text = NULL;
    int result = pe_stream_text(scene->stream, PE_TEXT_MESSAGE, &text, NULL);

    ck_assert_ptr_null(text);
    return result;
}

/* Only where the test's own handle stays good; of a worker's copy once. */
static int call_stream_free(const struct scene *scene)
{
    static int calls;

    if (scene->situation == NO_HANDLE || scene->situation == CHILD || (scene->situation == WORKER && calls++ == 0))
        pe_stream_free(scene->stream);
    return 0;
}

static int call_broadcast(const struct scene *scene)
{
    int64_t deadline_ns = scene->situation == CALLBACK ? 0 : pe_after(GUARD_NS);

    pe_status ending = { .kind = 99 };
    int result = pe_pool_broadcast(scene->pool, job_nothing, NULL, 0, &ending, 1, deadline_ns);

    ck_assert_uint_eq(ending.kind, result == 0 ? PE_RETURNED : result == PE_EBROKEN ? PE_LOST : 99);
    return result;
}

static int call_resize(const struct scene *scene)
{
    uint32_t workers = 0;
    pe_stats stats = PE_STATS_INIT;

    if (scene->pool != NULL && pe_pool_stats(scene->pool, &stats) == 0)
        workers = stats.workers;
    return pe_pool_resize(scene->pool, workers, pe_after(GUARD_NS));
}

CALL(wait, pe_pool_wait(scene->pool, 0))
CALL(close, pe_pool_close(scene->pool))
CALL(join, pe_pool_join(scene->pool, 0))
CALL(cancel_queued, pe_pool_cancel_queued(scene->pool))
CALL(kill, pe_pool_kill(scene->pool, PE_NOW))

static int call_pool_free(const struct scene *scene)
{
    /* Elsewhere it would end the scene, as it should; also in a worker the copy is not the pool. */
    if (scene->situation == NO_HANDLE || scene->situation == CHILD || scene->situation == WORKER)
        pe_pool_free(scene->pool);
    return 0;
}

static int call_alloc(const struct scene *scene)
{
    void *memory = NULL;
    int result = pe_pool_alloc(scene->pool, 100, &memory);

    ck_assert((result == 0) == (memory != NULL));
    pe_pool_dealloc(scene->pool, memory);
    return result;
}

static int call_dealloc(const struct scene *scene)
{
    if (scene->situation == NO_HANDLE || scene->situation == CHILD || scene->situation == WORKER)
        pe_pool_dealloc(scene->pool, scene->memory); /* looked at afterwards: it is still there */
    pe_pool_dealloc(scene->pool, NULL);
    return 0;
}

static int call_fd(const struct scene *scene)
{
    int fd = pe_pool_fd(scene->pool);

    return fd >= 3 ? 0 : fd;
}

static int call_poll(const struct scene *scene)
{
    int result;

    while ((result = pe_pool_poll(scene->pool)) > 0)
        ;
    return result;
}

static int call_interrupt(const struct scene *scene)
{
    pe_pool_interrupt(scene->pool);
    return 0;
}

static int call_stats(const struct scene *scene)
{
    pe_stats stats = PE_STATS_INIT;
    int result = pe_pool_stats(scene->pool, &stats);

    ck_assert_uint_eq(stats.workers, result == 0 ? 1 : 0);
    return result;
}

static int call_worker_stats(const struct scene *scene)
{
    pe_worker_stats stats = PE_WORKER_STATS_INIT;
    int result = pe_pool_worker_stats(scene->pool, 0, &stats);

    ck_assert_uint_eq(stats.item, result == 0 ? UINT64_MAX : 0);
    return result;
}

CALL(job_wait, pe_job_wait(scene->live, 0))

static int call_job_wait_any(const struct scene *scene)
{
    size_t index = 99;
    int result = pe_job_wait_any(&scene->live, 1, 0, &index);

    ck_assert_uint_eq(index, result == 0 ? 0 : 99);
    return result;
}

static int status(const struct scene *scene, int result, const pe_status *found)
{
    int is_live = scene->situation == CLOSED || scene->situation == CALLBACK;

    if (result == 0)
        ck_assert((found->kind == PE_PENDING) == is_live);
    else
        ck_assert_uint_eq(found->kind, 99);
    return result;
}

static int call_job_status(const struct scene *scene)
{
    pe_status found = { .kind = 99 };

    return status(scene, pe_job_status(scene->live, &found), &found);
}

static int call_job_item_status(const struct scene *scene)
{
    pe_status found = { .kind = 99 };

    return status(scene, pe_job_item_status(scene->live, 0, &found), &found);
}

static int call_job_result(const struct scene *scene)
{
    const void *data = NULL;
    size_t bytes = 99;
    int result = pe_job_result(scene->ended, &data, &bytes);

    ck_assert_uint_eq(bytes, result == 0 ? 8 : 99);
    ck_assert((result == 0) == (data != NULL));
    return result;
}

static int call_job_item_text(const struct scene *scene)
{
    const char *text = NULL;
    size_t bytes = 99;
    int result = pe_job_item_text(scene->ended, 0, PE_TEXT_MESSAGE, &text, &bytes);

    ck_assert_ptr_null(text);
    ck_assert_uint_eq(bytes, 99);
    return result;
}

CALL(job_cancel, pe_job_cancel(scene->live))
CALL(job_on_done, pe_job_on_done(scene->live, ignore_end, NULL))

static int call_job_free(const struct scene *scene)
{
    if (scene->situation == NO_HANDLE || scene->situation == CHILD || scene->situation == WORKER)
        pe_job_free(scene->ended);
    return 0;
}

CALL(reply_write, pe_reply_write(NULL, "x", 1))
CALL(reply_reserve, pe_reply_reserve(NULL, 1) == NULL ? 0 : 1)
CALL(worker_index, pe_worker_index())
CALL(worker_cancelled, pe_worker_cancelled())
CALL(worker_item, pe_worker_item() == UINT64_MAX ? 0 : 1)
CALL(worker_fail, pe_worker_fail(-9, NULL))

static int call_init(const struct scene *scene)
{
    pe_init_options options = PE_INIT_OPTIONS_INIT;

    (void)scene;
    options.flags = 1;
    return pe_init(&options);
}

CALL(set_log, pe_set_log(NULL, NULL))

/* A pe_rng belongs to nobody: with none nothing happens, with one everything works everywhere. */
static pe_rng *rng_of(const struct scene *scene)
{
    static pe_rng rng;

    pe_rng_init(&rng, 1, 2);
    return scene->situation == NO_HANDLE ? NULL : &rng;
}

static int call_rng_init(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    pe_rng_init(rng, 0, 0);
    return rng == NULL || pe_rng_next(rng) == UINT64_C(0x16554d9eca36314c) ? 0 : 1;
}

static int call_rng_next(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    return (pe_rng_next(rng) != 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_double(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    return (pe_rng_double(rng) > 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_normal(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    return (pe_rng_normal(rng) != 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_below(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    return (pe_rng_below(rng, UINT64_MAX) != 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_fill(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);
    uint64_t word = 0;

    pe_rng_fill(rng, NULL, 0);
    pe_rng_fill(rng, &word, sizeof word);
    return (word != 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_fill_doubles(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);
    double number = 0;

    pe_rng_fill_doubles(rng, NULL, 0);
    pe_rng_fill_doubles(rng, &number, 1);
    return (number > 0) == (rng != NULL) ? 0 : 1;
}

static int call_rng_skip(const struct scene *scene)
{
    pe_rng *rng = rng_of(scene);

    pe_rng_skip(rng, 5);
    return rng == NULL || rng->position == 5 ? 0 : 1;
}

CALL(after, pe_after(INT64_MAX) == PE_FOREVER && pe_after(-1) <= pe_now() ? 0 : 1)

static int call_now(const struct scene *scene)
{
    int64_t now = pe_now();

    (void)scene;
    return now > 0 && pe_now() >= now ? 0 : 1;
}

CALL(cpu_count, pe_cpu_count() >= 1 ? 0 : 1)
CALL(err_name, pe_err_name(INT32_MIN) != NULL && pe_err_name(INT32_MAX) != NULL ? 0 : 1)
CALL(strerror, pe_strerror(INT32_MIN) != NULL && pe_strerror(INT32_MAX) != NULL ? 0 : 1)
CALL(version, pe_version() > 0 ? 0 : 1)
CALL(version_string, pe_version_string() != NULL ? 0 : 1)

static pe_region_site region_site = PE_REGION_SITE("situations");

CALL(region_enable, pe_region_enable(0))

/* A pair, in whatever state measuring is. */
static int call_region_enter_site(const struct scene *scene)
{
    (void)scene;
    pe_region_enter_site(&region_site);
    pe_region_leave_site(&region_site);
    return 0;
}

static int call_region_enter(const struct scene *scene)
{
    (void)scene;
    pe_region_enter("situations");
    pe_region_leave("situations");
    return 0;
}

static int call_region_enter_function(const struct scene *scene)
{
    (void)scene;
    pe_region_enter_function((const void *)(uintptr_t)call_region_enter, NULL, NULL, NULL);
    return pe_region_leave_function((const void *)(uintptr_t)call_region_enter);
}

static int call_region_scope_end(const struct scene *scene)
{
    pe_region_site *scope = NULL;
    (void)scene;
    pe_region_scope_end(&scope);
    PE_REGION("scope")
    {
        ;
    }
    return 0;
}

static int call_region_line(const struct scene *scene)
{
    static pe_region_site site = { 0, NULL, __FILE__, __LINE__, PE_SITE_LINE, { 0, 0 } };
    (void)scene;
    pe_region_line(&site);
    return 0;
}

static int call_region_count(const struct scene *scene)
{
    static pe_region_site site = { 0, "count", __FILE__, __LINE__, PE_SITE_COUNTER, { 0, 0 } };
    (void)scene;
    pe_region_count(&site, 1);
    return 0;
}

static int call_region_mark(const struct scene *scene)
{
    static pe_region_site site = { 0, "mark", __FILE__, __LINE__, PE_SITE_MARK, { 0, 0 } };
    (void)scene;
    pe_region_mark(&site);
    return 0;
}

static int call_region_span(const struct scene *scene)
{
    pe_region_span span;
    (void)scene;
    pe_region_span_begin(&span, &region_site);
    pe_region_span_wait(&span);
    pe_region_span_resume(&span);
    pe_region_span_end(&span);
    return 0;
}

CALL(region_setup, pe_region_setup(NULL))
CALL(report, pe_report(NULL, NULL))
CALL(report_merge, pe_report_merge(NULL, 0, NULL, NULL))
CALL(report_write, pe_report_write(NULL, PE_REPORT_TEXT))
CALL(region_on, (int)pe_region_on)

/* ---- what each gives ---- */

#define ALWAYS(result) { result, result, result, result, result, result, result, result }
#define TAKES_JOBS(in_callback) \
    { PE_EINVAL, PE_ECLOSED, PE_ECLOSED, PE_ECLOSED, PE_EBROKEN, PE_EFORKED, PE_EFORKED, in_callback }
#define ASKS(result) { PE_EINVAL, result, result, result, result, PE_EFORKED, PE_EFORKED, result }
#define HAS_ENDED(result) \
    { PE_EINVAL, 0, result, result, result, PE_EFORKED, PE_EFORKED, 0 }
#define WAITS(broken) { PE_EINVAL, PE_ETIMEDOUT, 0, 0, broken, PE_EFORKED, PE_EFORKED, PE_EDEADLK }

const struct call_row call_rows[] = {
    { "pe_after", call_after, ALWAYS(0) },
    { "pe_cpu_count", call_cpu_count, ALWAYS(0) },
    { "pe_err_name", call_err_name, ALWAYS(0) },
    { "pe_init", call_init, ALWAYS(PE_EINVAL) },
    { "pe_job_cancel", call_job_cancel, HAS_ENDED(PE_EALREADY) },
    { "pe_job_free", call_job_free, ALWAYS(0) },
    { "pe_job_item_status", call_job_item_status, ASKS(0) },
    { "pe_job_item_text", call_job_item_text, ASKS(PE_ENODATA) },
    { "pe_job_on_done", call_job_on_done, ASKS(0) },
    { "pe_job_result", call_job_result, ASKS(0) },
    { "pe_job_status", call_job_status, ASKS(0) },
    { "pe_job_wait", call_job_wait, WAITS(0) },
    { "pe_job_wait_any", call_job_wait_any, WAITS(0) },
    { "pe_map_once", call_map_once, { PE_EINVAL, 0, 0, 0, 0, 0, 0, 0 } },
    { "pe_now", call_now, ALWAYS(0) },
    { "pe_pool_alloc", call_alloc, { PE_EINVAL, 0, 0, 0, PE_EBROKEN, PE_EFORKED, PE_EFORKED, 0 } },
    { "pe_pool_broadcast", call_broadcast, TAKES_JOBS(PE_EDEADLK) },
    { "pe_pool_cancel_queued", call_cancel_queued, ASKS(0) },
    { "pe_pool_close", call_close, ASKS(0) },
    { "pe_pool_dealloc", call_dealloc, ALWAYS(0) },
    { "pe_pool_fd", call_fd, ASKS(0) },
    { "pe_pool_free", call_pool_free, ALWAYS(0) },
    { "pe_pool_interrupt", call_interrupt, ALWAYS(0) },
    { "pe_pool_join", call_join, WAITS(PE_EBROKEN) },
    { "pe_pool_kill", call_kill, { PE_EINVAL, 0, 0, 0, 0, PE_EFORKED, PE_EFORKED, PE_EDEADLK } },
    { "pe_pool_map", call_map, TAKES_JOBS(PE_EDEADLK) },
    { "pe_pool_new", call_pool_new, { PE_EINVAL, 0, 0, 0, 0, 0, 0, 0 } },
    { "pe_pool_poll", call_poll, { PE_EINVAL, 0, 0, 0, PE_EBROKEN, PE_EFORKED, PE_EFORKED, PE_EDEADLK } },
    { "pe_pool_reduce", call_reduce, TAKES_JOBS(PE_EDEADLK) },
    { "pe_pool_resize", call_resize, TAKES_JOBS(PE_EDEADLK) },
    { "pe_pool_start_map", call_start_map, TAKES_JOBS(0) },
    { "pe_pool_stats", call_stats, ASKS(0) },
    { "pe_pool_stream", call_stream, TAKES_JOBS(PE_EDEADLK) },
    { "pe_pool_submit", call_submit, TAKES_JOBS(0) },
    { "pe_pool_try_submit", call_try_submit, TAKES_JOBS(0) },
    { "pe_pool_wait", call_wait, WAITS(0) },
    { "pe_pool_worker_stats", call_worker_stats, ASKS(0) },
    { "pe_region_count", call_region_count, ALWAYS(0) },
    { "pe_region_enable", call_region_enable, ALWAYS(0) },
    { "pe_region_enter", call_region_enter, ALWAYS(0) },
    { "pe_region_enter_function", call_region_enter_function, ALWAYS(0) },
    { "pe_region_enter_site", call_region_enter_site, ALWAYS(0) },
    { "pe_region_leave", call_region_enter, ALWAYS(0) },
    { "pe_region_leave_function", call_region_enter_function, ALWAYS(0) },
    { "pe_region_leave_site", call_region_enter_site, ALWAYS(0) },
    { "pe_region_line", call_region_line, ALWAYS(0) },
    { "pe_region_mark", call_region_mark, ALWAYS(0) },
    { "pe_region_on", call_region_on, ALWAYS(0) },
    { "pe_region_scope_end", call_region_scope_end, ALWAYS(0) },
    { "pe_region_setup", call_region_setup, { 0, 0, 0, 0, 0, 0, PE_EALREADY, 0 } },
    { "pe_region_span_begin", call_region_span, ALWAYS(0) },
    { "pe_region_span_end", call_region_span, ALWAYS(0) },
    { "pe_region_span_resume", call_region_span, ALWAYS(0) },
    { "pe_region_span_wait", call_region_span, ALWAYS(0) },
    { "pe_reply_reserve", call_reply_reserve, ALWAYS(0) },
    { "pe_reply_write", call_reply_write, ALWAYS(PE_EINVAL) },
    { "pe_report", call_report, ALWAYS(PE_EINVAL) },
    { "pe_report_merge", call_report_merge, ALWAYS(PE_EINVAL) },
    { "pe_report_write", call_report_write, ALWAYS(PE_EINVAL) },
    { "pe_rng_below", call_rng_below, ALWAYS(0) },
    { "pe_rng_double", call_rng_double, ALWAYS(0) },
    { "pe_rng_fill", call_rng_fill, ALWAYS(0) },
    { "pe_rng_fill_doubles", call_rng_fill_doubles, ALWAYS(0) },
    { "pe_rng_init", call_rng_init, ALWAYS(0) },
    { "pe_rng_next", call_rng_next, ALWAYS(0) },
    { "pe_rng_normal", call_rng_normal, ALWAYS(0) },
    { "pe_rng_skip", call_rng_skip, ALWAYS(0) },
    { "pe_set_log", call_set_log, ALWAYS(0) },
    { "pe_stream_free", call_stream_free, ALWAYS(0) },
    { "pe_stream_next", call_stream_next, { PE_EINVAL, 0, 0, 0, 0, PE_EFORKED, PE_EFORKED, PE_EDEADLK } },
    { "pe_stream_text", call_stream_text, ASKS(PE_ENODATA) },
    { "pe_strerror", call_strerror, ALWAYS(0) },
    { "pe_version", call_version, ALWAYS(0) },
    { "pe_version_string", call_version_string, ALWAYS(0) },
    { "pe_worker_cancelled", call_worker_cancelled, ALWAYS(0) },
    { "pe_worker_fail", call_worker_fail, ALWAYS(-9) },
    { "pe_worker_index", call_worker_index,
      { PE_EPERM, PE_EPERM, PE_EPERM, PE_EPERM, PE_EPERM, PE_EPERM, 0, PE_EPERM } },
    { "pe_worker_item", call_worker_item, ALWAYS(0) },
};

const size_t call_row_count = sizeof call_rows / sizeof *call_rows;
