/*
 * A program that was built for a release: it is compiled with the headers of then (see meson.build) and uses what they
 * declare, macros too. Options mean what they meant, results lie where they lay, and what is compiled into programs
 * works with today's library. The harness is compiled with the headers of today, so it hands no struct over here.
 */
#include "harness/harness.h"

#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 40

static pe_pool *new_pool(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 2;
    options.max_reply_bytes = 64;
    options.idle_ns = PE_SECONDS(60);
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

static void free_pool(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}

/* ---- maps ---- */

static int multiply(const void *in, void *out, const void *context)
{
    const uint64_t *number = in, *factor = context;

    if (*number == 7)
        return 77;
    *(uint64_t *)out = *number * *factor;
    return 0;
}

static void follow(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    uint64_t *seen = context;

    seen[0] = done;
    seen[1] = failed;
    seen[2] = total;
}

static uint64_t factor = 3;
static uint64_t in[COUNT], out[COUNT], progress[3];
static pe_status statuses[COUNT];
static pe_map_summary summary = PE_MAP_SUMMARY_INIT;

static pe_map_options map_options(void)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    for (uint64_t i = 0; i < COUNT; i++)
        in[i] = i;
    options.chunk = 4;
    options.context = &factor;
    options.context_bytes = sizeof factor;
    options.statuses = statuses;
    options.summary = &summary;
    options.retries = 1;
    options.on_error = PE_ON_ERROR_CONTINUE;
    options.timeout_ns = PE_SECONDS(60);
    options.progress = follow;
    options.progress_context = progress;
    options.priority = PE_PRIORITY_HIGH;
    return options;
}

/* One item of the forty has failed, all others have their product. */
static void assert_mapped(void)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(out[i], i == 7 ? 0 : 3 * i);
        ck_assert_uint_eq(statuses[i].kind, PE_RETURNED);
        ck_assert_int_eq(statuses[i].code, i == 7 ? 77 : 0);
        ck_assert_uint_eq(statuses[i].item, i);
        ck_assert_uint_eq(statuses[i].attempts, 1);
    }
    ck_assert_uint_eq(summary.returned, COUNT - 1);
    ck_assert_uint_eq(summary.failed, 1);
    ck_assert_uint_eq(summary.first_failed, 7);
    ck_assert_int_eq(summary.first.code, 77);
    ck_assert_int_gt(summary.wall_ns, 0);
}

PE_TEST(map_with_options_and_results)
{
    pe_pool *pool = new_pool();
    pe_map_options options = map_options();

    int result = pe_pool_map(pool, multiply, in, sizeof *in, out, sizeof *out, COUNT, &options);
    ck_assert_msg(result == PE_EITEMS, "%s", pe_err_name(result));
    assert_mapped();
    ck_assert_uint_eq(progress[0], COUNT);
    ck_assert_uint_eq(progress[1], 1);
    ck_assert_uint_eq(progress[2], COUNT);
    free_pool(pool);
}

static int add_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    for (uint64_t i = first; i < last; i++)
        *(uint64_t *)acc += i;
    return 0;
}

static int add(void *acc, const void *part, const void *context)
{
    (void)context;
    *(uint64_t *)acc += *(const uint64_t *)part;
    return 0;
}

PE_TEST(reduce)
{
    pe_pool *pool = new_pool();
    uint64_t sum = 0;

    ck_assert_int_eq(pe_pool_reduce(pool, add_range, add, 0, 1000, &sum, sizeof sum, NULL), 0);
    ck_assert_uint_eq(sum, 499500);
    free_pool(pool);
}

/* ---- jobs ---- */

static int reply_with_double(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int number;

    memcpy(&number, arg, arg_bytes);
    number *= 2;
    return pe_reply_write(reply, &number, sizeof number);
}

static int leave(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    _exit(9);
}

static int hang(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    while (pause() < 0)
        ;
    return 0;
}

static pe_status ended(pe_pool *pool, pe_job_fn *fn, const pe_job_options *options)
{
    pe_job *job = NULL;
    pe_status status;

    ck_assert_int_eq(pe_pool_submit(pool, fn, NULL, 0, options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    pe_job_free(job);
    return status;
}

PE_TEST(jobs_with_options_and_results)
{
    pe_pool *pool = new_pool();
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;
    pe_worker_stats worker = PE_WORKER_STATS_INIT;
    pe_job *job = NULL;
    const void *data;
    size_t bytes;
    int number = 21;

    ck_assert_int_eq(pe_pool_submit(pool, reply_with_double, &number, sizeof number, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof number);
    ck_assert_int_eq(*(const int *)data, 42);
    pe_job_free(job);

    options.retries = 1;
    pe_status status = ended(pool, leave, &options);
    ck_assert_uint_eq(status.kind, PE_EXITED);
    ck_assert_int_eq(status.code, 9);
    ck_assert_uint_eq(status.attempts, 2);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.last_death.kind, PE_EXITED);
    ck_assert_int_eq(stats.last_death.code, 9);
    options = (pe_job_options)PE_JOB_OPTIONS_INIT;
    options.timeout_ns = PE_MS(20);
    status = ended(pool, hang, &options);
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    ck_assert_int_ge(status.run_ns, PE_MS(20));

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.workers, 2);
    ck_assert_uint_eq(stats.submitted, 3);
    ck_assert_uint_eq(stats.returned, 1);
    ck_assert_uint_eq(stats.timed_out, 1);
    ck_assert_int_eq(pe_pool_worker_stats(pool, 0, &worker), 0);
    ck_assert_uint_ge(worker.lives, 1);
    free_pool(pool);
}

/* ---- regions ---- */

static __attribute__((noinline)) void measured(int n)
{
    PE_REGION_SCOPE("scope");
    for (int i = 0; i < n; i++)
        PE_REGION("inside")
            PE_COUNT("things", 5);
}

/* A report of what was measured, as CSV, to be freed. */
static char *report_of(const char *match)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);

    options.format = PE_REPORT_CSV;
    options.match = match;
    ck_assert_int_eq(pe_report(file, &options), 0);
    fclose(file);
    return text;
}

PE_TEST(regions_are_in_the_report)
{
    ck_assert_uint_eq(pe_region_on, 0);
    measured(1);
    ck_assert_int_eq(pe_region_enable(1), 0);
    ck_assert_uint_ne(pe_region_on, 0);
    measured(3);
    ck_assert_int_eq(pe_region_enable(0), 0);
    ck_assert_uint_eq(pe_region_on, 0);
    char *text = report_of(NULL);
    ck_assert_msg(strstr(text, "\"scope;inside\",region") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "\"things\",counter") != NULL, "%s", text);
    free(text);
}

/* ---- tasks ---- */

struct frame {
    pe_pool *pool;
    pe_limit limits[2];
    pe_call_link link;
    pe_task_region region;
    pe_loop_figures figures;
    pe_file_info info;
    pe_file_entry *entries;
    int entry_count;
    pe_task *child;
    int inner, wanted;
};

static int wait_and_return(pe_task *t, void *frame)
{
    int *value = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, PE_MS(1)));
    PE_YIELD(t);
    PE_RETURN(t, *value);
    PE_END(t);
}

/* Waits that end by themselves, by limits, and in a called function. */
static int use_waits(pe_task *t, void *frame)
{
    struct frame *f = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &f->limits[0], pe_after(PE_MS(2)), pe_sleep(t, PE_SECONDS(1000)));
    ck_assert_int_eq(t->result, PE_ETIMEDOUT);
    ck_assert_int_eq(pe_limit_is_to_blame(t, &f->limits[0]), 1);
    ck_assert_int_eq(pe_limit_enter(t, &f->limits[0], pe_after(PE_SECONDS(1000))), 0);
    ck_assert_int_eq(pe_limit_enter(t, &f->limits[1], pe_after(PE_MS(2))), 0);
    PE_AWAIT(t, pe_sleep(t, PE_SECONDS(1000)));
    ck_assert_int_eq(t->result, PE_ETIMEDOUT);
    ck_assert_int_eq(pe_limit_leave(t, &f->limits[1]), 1);
    ck_assert_int_eq(pe_limit_leave(t, &f->limits[0]), 0);
    f->inner = 31;
    PE_AWAIT(t, pe_call(t, &f->link, wait_and_return, &f->inner));
    ck_assert_int_eq(t->result, 31);
    f->wanted = 32;
    ck_assert_int_eq(pe_spawn(pe_task_loop(t), wait_and_return, &f->wanted, sizeof f->wanted, &f->child), 0);
    PE_AWAIT(t, pe_await(t, f->child));
    ck_assert_int_eq(t->result, 32);
    pe_task_free(f->child);
    PE_RETURN(t, 5);
    PE_END(t);
}

/* Results that tasks get: of files, of the loop, of a pool. */
static int use_results(pe_task *t, void *frame)
{
    struct frame *f = frame;
    pe_map_options options;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_file_list(t, "/", &f->entries));
    f->entry_count = t->result;
    ck_assert_int_gt(f->entry_count, 1);
    for (int i = 0; i < f->entry_count; i++) {
        ck_assert_str_ne(f->entries[i].name, "");
        ck_assert_uint_le(f->entries[i].kind, PE_FILE_KIND_BLOCK);
    }
    pe_file_list_free(f->entries);
    f->info = (pe_file_info)PE_FILE_INFO_INIT;
    PE_AWAIT(t, pe_file_stat(t, "/", 0, &f->info));
    ck_assert_int_eq(t->result, 0);
    ck_assert_uint_eq(f->info.mode & 0170000, 0040000);
    PE_TASK_REGION(t, &f->region, "waiting")
        PE_AWAIT(t, pe_sleep(t, PE_MS(1)));
    options = map_options();
    PE_AWAIT(t, pe_await_map(t, f->pool, multiply, in, sizeof *in, out, sizeof *out, COUNT, &options));
    ck_assert_int_eq(t->result, PE_EITEMS);
    f->figures = (pe_loop_figures)PE_LOOP_FIGURES_INIT;
    ck_assert_int_eq(pe_loop_stats(pe_task_loop(t), &f->figures), 0);
    ck_assert_uint_eq(f->figures.live, 1);
    ck_assert_uint_ge(f->figures.turns, 3);
    PE_END(t);
}

static int do_nothing(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    return 0;
}

/* 0 in a build without tasks. The descriptors that libuv keeps are there before the test. */
static int has_tasks(void)
{
    int result = pe_run(do_nothing, NULL, NULL);

    harness_leaks_mark();
    return result != PE_ENOSYS;
}

PE_TEST(tasks_and_their_limits)
{
    static struct frame frame;
    int value = 0;

    if (!has_tasks())
        HARNESS_SKIP("built without libuv");
    ck_assert_int_eq(pe_run(use_waits, &frame, &value), 0);
    ck_assert_int_eq(value, 5);
}

PE_TEST(tasks_and_their_results)
{
    static struct frame frame;

    if (!has_tasks())
        HARNESS_SKIP("built without libuv");
    frame.pool = new_pool();
    ck_assert_int_eq(pe_region_enable(1), 0);
    ck_assert_int_eq(pe_run(use_results, &frame, NULL), 0);
    assert_mapped();
    char *text = report_of("*waiting*");
    ck_assert_msg(strstr(text, "waiting") != NULL, "%s", text);
    free(text);
    free_pool(frame.pool);
}

/* ---- numbers ---- */

PE_TEST(numbers_in_memory_of_the_program)
{
    pe_rng rng[2], again;

    memset(rng, 0xee, sizeof rng);
    pe_rng_init(&rng[0], 1, 2);
    uint64_t first = pe_rng_next(&rng[0]);
    pe_rng_init(&again, 1, 2);
    ck_assert_uint_eq(pe_rng_next(&again), first);
    ck_assert_uint_eq(rng[0].seed, 1);
    ck_assert_uint_eq(rng[0].stream, 2);
    for (size_t i = 0; i < sizeof rng[1]; i++)
        ck_assert_uint_eq(((unsigned char *)&rng[1])[i], 0xee);
}

HARNESS_MAIN("program")
