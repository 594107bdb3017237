/* Timelines of real runs: what a worker was in when it crashed, jobs and their arrows, threads. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <parexec/error.h>
#include <parexec/job.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/harness.h"

static pe_pool *pool;

static void begin(void)
{
    pe_region_options measure = PE_REGION_OPTIONS_INIT;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    measure.flags = PE_REGION_TIMELINE;
    ck_assert_int_eq(pe_region_setup(&measure), 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
    options.workers = 1;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
}

/* The trace as text; to be freed. */
static char *trace_text(void)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    size_t bytes;
    char *text = NULL;
    FILE *file = open_memstream(&text, &bytes);

    ck_assert_ptr_nonnull(file);
    options.format = PE_REPORT_TRACE;
    ck_assert_int_eq(pe_report(file, &options), 0);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

/* Lines that have both. */
static int count_lines(const char *text, const char *one, const char *other)
{
    char *copy = strdup(text), *rest = copy, *line;
    int count = 0;

    ck_assert_ptr_nonnull(copy);
    while ((line = strsep(&rest, "\n")))
        count += strstr(line, one) && strstr(line, other);
    free(copy);
    return count;
}

static int work(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    PE_REGION("work")
        PE_MARK("here");
    return 0;
}

/* More than a segment has room for, and no more than a worker's ring, which is small where addresses have 32 bits. */
enum { MARKS = 700, LIVES = sizeof(void *) > 4 ? 5 : 2 };

static int mark_often(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    for (int i = 0; i < MARKS; i++)
        PE_MARK("often");
    return 0;
}

static int crash(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    PE_REGION("doomed")
        raise(SIGKILL);
    return 0;
}

static void run(pe_job_fn *fn)
{
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(pool, fn, NULL, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    pe_job_free(job);
}

PE_TEST(timeline_shows_what_a_worker_was_in_when_it_died)
{
    char *text;

    begin();
    run(crash);
    run(work);
    text = trace_text();
    ck_assert_int_eq(count_lines(text, "\"name\":\"doomed\"", "\"unfinished\":true"), 1);
    ck_assert_int_eq(count_lines(text, "\"name\":\"pe.run\"", "\"unfinished\":true"), 1);
    ck_assert_int_eq(count_lines(text, "\"name\":\"pe.crash: crashed\"", "\"s\":\"p\""), 1);
    ck_assert_int_eq(count_lines(text, "\"name\":\"work\"", "\"ph\":\"X\""), 1);
    ck_assert_int_eq(count_lines(text, "process_name", "pool 1 worker 0, 2 processes"), 1);
    ck_assert_int_eq(count_lines(text, "\"ph\":\"f\"", "\"bp\":\"e\""), 2);
    free(text);
    pe_pool_free(pool);
}

PE_TEST(timeline_of_a_worker_goes_on_behind_each_crash)
{
    char *text;

    begin();
    for (int i = 0; i < LIVES; i++) {
        run(mark_often);
        run(crash);
    }
    run(work);
    text = trace_text();
    ck_assert_int_eq(count_lines(text, "\"name\":\"often\"", "\"ph\":\"i\""), MARKS * LIVES);
    ck_assert_int_eq(count_lines(text, "\"name\":\"doomed\"", "\"unfinished\":true"), LIVES);
    ck_assert_int_eq(count_lines(text, "\"name\":\"work\"", "\"ph\":\"X\""), 1);
    free(text);
    pe_pool_free(pool);
}

static _Atomic int *is_inside;

static int stay(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    PE_REGION("stays")
        for (;;)
            atomic_store(is_inside, 1);
    return 0;
}

/* Nobody comes after the worker to close what it had open. */
PE_TEST(timeline_shows_what_a_worker_was_in_when_its_pool_was_killed)
{
    char *text;

    is_inside = mmap(NULL, sizeof *is_inside, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(is_inside, MAP_FAILED);
    begin();
    ck_assert_int_eq(pe_pool_submit(pool, stay, NULL, 0, NULL, NULL), 0);
    while (!atomic_load(is_inside))
        sched_yield();
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    pe_pool_free(pool);
    text = trace_text();
    ck_assert_int_eq(count_lines(text, "\"name\":\"stays\"", "\"unfinished\":true"), 1);
    ck_assert_int_eq(count_lines(text, "\"name\":\"pe.run\"", "\"unfinished\":true"), 1);
    free(text);
    munmap(is_inside, sizeof *is_inside);
}

static void *submit(void *unused)
{
    (void)unused;
    for (int i = 0; i < 50; i++)
        run(work);
    return NULL;
}

PE_TEST(timeline_has_an_arrow_for_each_job_of_each_thread)
{
    pthread_t threads[2];
    char *text;

    begin();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit, NULL), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    text = trace_text();
    ck_assert_int_eq(count_lines(text, "\"ph\":\"s\"", "\"name\":\"job\""), 100);
    ck_assert_int_eq(count_lines(text, "\"ph\":\"f\"", "\"name\":\"job\""), 100);
    ck_assert_int_eq(count_lines(text, "\"ph\":\"X\"", "\"name\":\"work\""), 100);
    ck_assert_int_eq(count_lines(text, "\"ph\":\"i\"", "\"name\":\"here\""), 100);
    free(text);
    pe_pool_free(pool);
}

HARNESS_MAIN("timeline")
