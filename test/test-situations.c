/*
 * Every exported function in every situation in which a call can be out of place: no handle, a pool that is
 * closed, joined, killed or broken, a handle in a forked child or in a worker, a call in a callback. Each gives
 * what its header says, and one that is refused changes nothing. What is exported and has no row here fails;
 * wrong values of arguments are test-arguments.c's.
 */
#include "harness/harness.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(20)

enum situation { NO_HANDLE, CLOSED, JOINED, KILLED, BROKEN, CHILD, WORKER, CALLBACK, SITUATIONS };

static const char *const situation_names[SITUATIONS] = { "no handle", "closed", "joined", "killed",
                                                         "broken",    "child",  "worker", "callback" };

/* What calls are made with. */
struct scene {
    enum situation situation;
    pe_pool *pool;
    pe_job *live;  /* ends when told to; has ended where the pool has */
    pe_job *ended; /* with a reply of eight bytes */
    pe_stream *stream; /* of nothing */
    void *memory;
    _Atomic int *flag;
    pid_t keeper; /* of a pool that is to break */
};

/* Returns what the function returned, 0 where that is above; what it gives back otherwise is looked at. */
typedef int call_fn(const struct scene *scene);

static void ignore_end(pe_job *job, void *context)
{
    (void)job, (void)context;
}

/* ---- one call of each function ---- */

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

static int call_submit(const struct scene *scene)
{
    return submit(scene, pe_pool_submit);
}

static int call_try_submit(const struct scene *scene)
{
    return submit(scene, pe_pool_try_submit);
}

static int call_map(const struct scene *scene)
{
    uint64_t in = 3, out = UNTOUCHED;
    int result = pe_pool_map(scene->pool, item_square, &in, 8, &out, 8, 1, NULL);

    ck_assert_uint_eq(out, result == 0 ? 9 : UNTOUCHED);
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

static int source_of_nothing(void *item, void *context)
{
    (void)item, (void)context;
    return 0;
}

static int call_stream(const struct scene *scene)
{
    pe_stream *stream = NULL;
    int result = pe_pool_stream(scene->pool, item_nothing, source_of_nothing, NULL, 8, 8, NULL, &stream);

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

    return pe_pool_broadcast(scene->pool, job_nothing, NULL, 0, NULL, 0, deadline_ns);
}

static int call_resize(const struct scene *scene)
{
    uint32_t workers = 0;
    pe_stats stats = PE_STATS_INIT;

    if (scene->pool != NULL && pe_pool_stats(scene->pool, &stats) == 0)
        workers = stats.workers;
    return pe_pool_resize(scene->pool, workers, pe_after(GUARD_NS));
}

static int call_wait(const struct scene *scene)
{
    return pe_pool_wait(scene->pool, 0);
}

static int call_close(const struct scene *scene)
{
    return pe_pool_close(scene->pool);
}

static int call_join(const struct scene *scene)
{
    return pe_pool_join(scene->pool, 0);
}

static int call_cancel_queued(const struct scene *scene)
{
    return pe_pool_cancel_queued(scene->pool);
}

static int call_kill(const struct scene *scene)
{
    return pe_pool_kill(scene->pool, PE_NOW);
}

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

static int call_job_wait(const struct scene *scene)
{
    return pe_job_wait(scene->live, 0);
}

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

static int call_job_cancel(const struct scene *scene)
{
    return pe_job_cancel(scene->live);
}

static int call_job_on_done(const struct scene *scene)
{
    return pe_job_on_done(scene->live, ignore_end, NULL);
}

static int call_job_free(const struct scene *scene)
{
    if (scene->situation == NO_HANDLE || scene->situation == CHILD || scene->situation == WORKER)
        pe_job_free(scene->ended);
    return 0;
}

static int call_reply_write(const struct scene *scene)
{
    (void)scene;
    return pe_reply_write(NULL, "x", 1);
}

static int call_reply_reserve(const struct scene *scene)
{
    (void)scene;
    return pe_reply_reserve(NULL, 1) == NULL ? 0 : 1;
}

static int call_worker_index(const struct scene *scene)
{
    (void)scene;
    return pe_worker_index();
}

static int call_worker_cancelled(const struct scene *scene)
{
    (void)scene;
    return pe_worker_cancelled();
}

static int call_worker_item(const struct scene *scene)
{
    (void)scene;
    return pe_worker_item() == UINT64_MAX ? 0 : 1;
}

static int call_worker_fail(const struct scene *scene)
{
    (void)scene;
    return pe_worker_fail(-9, NULL);
}

static int call_init(const struct scene *scene)
{
    pe_init_options options = PE_INIT_OPTIONS_INIT;

    (void)scene;
    options.flags = 1;
    return pe_init(&options);
}

static int call_set_log(const struct scene *scene)
{
    (void)scene;
    return pe_set_log(NULL, NULL);
}

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

static int call_after(const struct scene *scene)
{
    (void)scene;
    return pe_after(INT64_MAX) == PE_FOREVER && pe_after(-1) <= pe_now() ? 0 : 1;
}

static int call_now(const struct scene *scene)
{
    int64_t now = pe_now();

    (void)scene;
    return now > 0 && pe_now() >= now ? 0 : 1;
}

static int call_cpu_count(const struct scene *scene)
{
    (void)scene;
    return pe_cpu_count() >= 1 ? 0 : 1;
}

static int call_err_name(const struct scene *scene)
{
    (void)scene;
    return pe_err_name(INT32_MIN) != NULL && pe_err_name(INT32_MAX) != NULL ? 0 : 1;
}

static int call_strerror(const struct scene *scene)
{
    (void)scene;
    return pe_strerror(INT32_MIN) != NULL && pe_strerror(INT32_MAX) != NULL ? 0 : 1;
}

static int call_version(const struct scene *scene)
{
    (void)scene;
    return pe_version() > 0 ? 0 : 1;
}

static int call_version_string(const struct scene *scene)
{
    (void)scene;
    return pe_version_string() != NULL ? 0 : 1;
}

static pe_region_site region_site = PE_REGION_SITE("situations");

static int call_region_enable(const struct scene *scene)
{
    (void)scene;
    return pe_region_enable(0);
}

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

static int call_region_setup(const struct scene *scene)
{
    (void)scene;
    return pe_region_setup(NULL);
}

static int call_report(const struct scene *scene)
{
    (void)scene;
    return pe_report(NULL, NULL);
}

static int call_report_merge(const struct scene *scene)
{
    (void)scene;
    return pe_report_merge(NULL, 0, NULL, NULL);
}

static int call_report_write(const struct scene *scene)
{
    (void)scene;
    return pe_report_write(NULL, PE_REPORT_TEXT);
}

static int call_region_on(const struct scene *scene)
{
    (void)scene;
    return (int)pe_region_on;
}

/* ---- what each gives ---- */

struct row {
    const char *name;
    call_fn *call;
    int wanted[SITUATIONS]; /* no handle, closed, joined, killed, broken, child, worker, callback */
};

#define ALWAYS(result) { result, result, result, result, result, result, result, result }
#define TAKES_JOBS(in_callback) \
    { PE_EINVAL, PE_ECLOSED, PE_ECLOSED, PE_ECLOSED, PE_EBROKEN, PE_EFORKED, PE_EFORKED, in_callback }
#define ASKS(result) { PE_EINVAL, result, result, result, result, PE_EFORKED, PE_EFORKED, result }
#define HAS_ENDED(result) \
    { PE_EINVAL, 0, result, result, result, PE_EFORKED, PE_EFORKED, 0 }
#define WAITS(broken) { PE_EINVAL, PE_ETIMEDOUT, 0, 0, broken, PE_EFORKED, PE_EFORKED, PE_EDEADLK }

static const struct row rows[] = {
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
    { "pe_region_setup", call_region_setup, ALWAYS(0) },
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

#define ROWS (sizeof rows / sizeof *rows)

/* ---- the situations ---- */

/* What a call made elsewhere returned. */
struct answer {
    _Atomic int result;
};

static struct scene scene; /* a worker of a pool that is made later sees it */

static void begin_scene(enum situation situation)
{
    scene.situation = situation;
    scene.pool = pool_of(1);
    scene.flag = pool_shared(scene.pool, sizeof *scene.flag);
    scene.memory = pool_shared(scene.pool, 100);
    memset(scene.memory, 'm', 100);
    struct process_worker worker = { .keeper = 0 };
    if (situation == BROKEN)
        process_workers(scene.pool, 1, &worker);
    scene.keeper = worker.keeper;
    ck_assert_int_eq(pe_pool_stream(scene.pool, item_nothing, source_of_nothing, NULL, 8, 8, NULL, &scene.stream), 0);
    uint64_t number = 4;
    scene.ended = pool_submit(scene.pool, job_double, &number, sizeof number);
    job_ended(scene.ended);
    scene.live = pool_submit(scene.pool, job_until_set, &scene.flag, sizeof scene.flag);
}

static void break_pool(void)
{
    int64_t guard = pe_after(GUARD_NS);
    int result;

    ck_assert_int_eq(kill(scene.keeper, SIGKILL), 0);
    while ((result = pe_pool_poll(scene.pool)) >= 0 && pe_now() < guard)
        ;
    ck_assert_int_eq(result, PE_EBROKEN);
}

static int call_in_child(const struct row *row)
{
    struct answer *answer = process_shared(sizeof *answer);
    pid_t child = fork();
    int ended;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        atomic_store(&answer->result, row->call(&scene));
        raise(SIGKILL); /* at an exit valgrind would search, and so touch, all of the shared memory */
    }
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    int result = atomic_load(&answer->result);
    munmap(answer, sizeof *answer);
    return result;
}

struct request {
    const struct row *row;
    pe_pool *own;
};

static int job_calls(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct request request;
    struct scene of_worker = scene;

    (void)arg_bytes;
    memcpy(&request, arg, sizeof request);
    if (request.own != NULL)
        of_worker.pool = request.own;
    int64_t result = request.row->call(&of_worker);
    return pe_reply_write(reply, &result, sizeof result);
}

/* With the handles of an older pool, and with that of the worker's own. */
static int call_in_worker(const struct row *row)
{
    pe_pool *pool = pool_of(1);
    int result = 0;

    for (int own = 0; own < 2; own++) {
        struct request request = { row, own ? pool : NULL };
        pe_job *job = pool_submit(pool, job_calls, &request, sizeof request);
        job_assert_ended(job, PE_RETURNED, 0);
        int answer = (int)(int64_t)job_number(job);
        ck_assert(own == 0 || answer == result);
        result = answer;
        pe_job_free(job);
    }
    pool_assert_usable(pool);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
    return result;
}

struct call {
    const struct row *row;
    int result, made;
};

static void call_in_callback(pe_job *job, void *context)
{
    struct call *call = context;

    (void)job;
    call->result = call->row->call(&scene);
    call->made++;
}

static int call_within_callback(const struct row *row)
{
    struct call call = { .row = row };

    ck_assert_int_eq(pe_job_on_done(scene.ended, call_in_callback, &call), 0);
    while (call.made == 0)
        pe_pool_poll(scene.pool);
    ck_assert_int_eq(call.made, 1);
    return call.result;
}

static int call_in_situation(const struct row *row)
{
    struct scene none = { .situation = NO_HANDLE };

    switch (scene.situation) {
    case NO_HANDLE: return row->call(&none);
    case CLOSED: ck_assert_int_eq(pe_pool_close(scene.pool), 0); break;
    case JOINED:
        atomic_store(scene.flag, 1);
        ck_assert_int_eq(pe_pool_join(scene.pool, pe_after(GUARD_NS)), 0);
        break;
    case KILLED: ck_assert_int_eq(pe_pool_kill(scene.pool, PE_NOW), 0); break;
    case BROKEN: break_pool(); break;
    case CHILD: return call_in_child(row);
    case WORKER: return call_in_worker(row);
    default: return call_within_callback(row);
    }
    return row->call(&scene);
}

/* A call that is refused, or that is made where the pool is not, leaves everything as it was. */
static void assert_unchanged(const struct row *row, const pe_stats *before)
{
    pe_stats now = pool_stats(scene.pool);
    uint64_t number = job_number(scene.ended);

    ck_assert_msg(now.submitted == before->submitted && now.shared_bytes_used == before->shared_bytes_used,
                  "%s", row->name);
    ck_assert_uint_eq(number, 8);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(((char *)scene.memory)[i], 'm');
    if (scene.situation == NO_HANDLE || scene.situation == CHILD || scene.situation == WORKER) {
        ck_assert_uint_eq(job_status(scene.live).kind, PE_PENDING);
        atomic_store(scene.flag, 1);
        job_assert_ended(scene.live, PE_RETURNED, 7);
        pool_assert_usable(scene.pool);
    }
}

static void end_scene(void)
{
    pe_pool_kill(scene.pool, PE_NOW);
    pe_job_free(scene.live);
    pe_job_free(scene.ended);
    pe_stream_free(scene.stream);
    pe_pool_free(scene.pool);
}

PE_TEST_FULL(each_function_in_each_situation, 60, 0, SITUATIONS)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        begin_scene((enum situation)_i);
        pe_stats before = pool_stats(scene.pool);
        int result = call_in_situation(row);
        ck_assert_msg(result == row->wanted[_i], "%s, %s: %d (%s)", row->name, situation_names[_i], result,
                      pe_err_name(result));
        if (result < 0 || _i == CHILD || _i == WORKER)
            assert_unchanged(row, &before);
        end_scene();
    }
}

/* ---- nothing is left out ---- */

static int has_row(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return 1;
    return 0;
}

PE_TEST(each_exported_function_has_a_row)
{
    FILE *map = fopen(EXPORT_MAP, "r");
    char line[200], name[200];
    size_t found = 0;

    ck_assert_ptr_nonnull(map);
    while (fgets(line, sizeof line, map) != NULL && strstr(line, "async.h") == NULL) {
        if (sscanf(line, " %199[a-z0-9_];", name) != 1 || strncmp(name, "pe_", 3) != 0)
            continue;
        ck_assert_msg(has_row(name), "%s is exported and has no row", name);
        found++;
    }
    fclose(map);
    ck_assert_uint_eq(found, ROWS);
}

HARNESS_MAIN("situations")
