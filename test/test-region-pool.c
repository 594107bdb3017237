/*
 * Regions in workers: what jobs and items measure is in the host's report, for each worker and in all, and stays there
 * when workers crash, when they are replaced, and when their pool is freed.
 */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/death.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"
#include "report/profile.h"

#define GUARD_NS PE_SECONDS(20)
#define ANY      -2
#define HOST     -1
#define ITEMS    100000

/* ---- what a report would show ---- */

struct seen {
    uint64_t calls, unfinished;
    int64_t total_ns, sum;
    uint32_t nodes;
};

/* Wrong use that the workers of a pool are said to have made. */
static uint64_t wrong_uses(uint32_t pool)
{
    struct pe__profile profile;
    uint64_t sum = 0;

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    for (uint32_t i = 0; i < profile.track_count; i++)
        if (profile.processes[profile.tracks[i].process].pool == pool)
            sum += profile.tracks[i].unmatched + profile.tracks[i].crossed + profile.tracks[i].unfinished;
    pe__profile_free(&profile);
    return sum;
}

/* Of all nodes of that name (a counter, a mark, a region), in one worker of a pool or in any. */
static struct seen seen_in(const struct pe__profile *profile, const char *name, uint32_t pool, int32_t worker)
{
    struct seen seen = { 0 };

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];
        const struct pe__profile_process *process = &profile->processes[profile->tracks[node->track].process];

        if (strcmp(profile->labels[node->label].name, name) != 0 || process->pool != pool ||
            (worker != ANY && process->worker != worker))
            continue;
        seen.calls += node->calls;
        seen.unfinished += node->unfinished;
        seen.total_ns += node->total_ns;
        seen.sum += node->sum;
        seen.nodes++;
    }
    return seen;
}

static struct seen seen(const char *name, uint32_t pool, int32_t worker)
{
    struct pe__profile profile;

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    struct seen found = seen_in(&profile, name, pool, worker);
    pe__profile_free(&profile);
    return found;
}

/* The name of the parent of the first node of that name in a pool's workers; "" for a root's child. */
static void assert_parent(const char *name, uint32_t pool, const char *parent)
{
    struct pe__profile profile;
    uint32_t found = 0;

    ck_assert_int_eq(pe__profile_take(&profile), 0);
    for (uint32_t i = 0; i < profile.node_count; i++) {
        const struct pe__profile_node *node = &profile.nodes[i];

        if (strcmp(profile.labels[node->label].name, name) != 0 ||
            profile.processes[profile.tracks[node->track].process].pool != pool)
            continue;
        ck_assert_uint_ne(node->parent, PE__REGION_NOTHING);
        ck_assert_str_eq(profile.labels[profile.nodes[node->parent].label].name, parent);
        found++;
    }
    ck_assert_uint_ge(found, 1);
    pe__profile_free(&profile);
}

static uint32_t number_of(const pe_pool *pool)
{
    return pool->regions.pool;
}

/* ---- what runs in workers ---- */

static int item_measured(const void *in, void *out, const void *context)
{
    (void)out;
    (void)context;
    PE_REGION("item")
        PE_COUNT("value", *(const uint32_t *)in);
    return 0;
}

static int job_measured(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    PE_REGION("outer job")
        PE_REGION("inner job")
            pe_reply_write(reply, arg, arg_bytes);
    return 0;
}

static int job_in_region(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    PE_REGION_SCOPE("before death");
    return job_dies(arg, arg_bytes, reply);
}

static int job_takes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t ns, until;

    (void)arg_bytes, (void)reply;
    memcpy(&ns, arg, sizeof ns);
    for (until = pe_after(ns); pe_now() < until;)
        ;
    return 0;
}

static void run_map(pe_pool *pool, uint32_t count, pe_map_options *options)
{
    uint32_t *in = malloc(count * sizeof *in);

    for (uint32_t i = 0; i < count; i++)
        in[i] = i;
    ck_assert_int_eq(pe_pool_map(pool, item_measured, in, sizeof *in, NULL, 0, count, options), 0);
    free(in);
}

static void run_jobs(pe_pool *pool, int count)
{
    for (int i = 0; i < count; i++)
        ck_assert_uint_eq(pool_run(pool, job_measured, "12345678", 8).kind, PE_RETURNED);
}

/* ---- counts ---- */

static const uint32_t sizes[] = { 1, 2, 7 };

PE_TEST_LOOP(items_are_counted_in_the_hosts_report, 0, 3)
{
    uint32_t workers = sizes[_i], pages = 0;
    uint64_t calls = 0;
    int64_t sum = 0;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(workers);
    run_map(pool, ITEMS, NULL);
    for (uint32_t i = 0; i < workers; i++) {
        struct seen items = seen("item", number_of(pool), (int32_t)i);

        calls += items.calls;
        sum += seen("value", number_of(pool), (int32_t)i).sum;
        pages += seen("pe.run", number_of(pool), (int32_t)i).calls > 0;
        ck_assert_uint_eq(seen("value", number_of(pool), (int32_t)i).calls, items.calls);
        ck_assert_uint_eq(items.unfinished, 0);
    }
    ck_assert_uint_eq(calls, ITEMS);
    ck_assert_int_eq(sum, (int64_t)ITEMS * (ITEMS - 1) / 2);
    ck_assert_uint_ge(pages, 1);
    ck_assert_uint_eq(seen("item", number_of(pool), ANY).calls, ITEMS);
    ck_assert_uint_eq(seen("item", 0, HOST).calls, 0);
    ck_assert_int_eq(seen("pe.bytes in", number_of(pool), ANY).sum, ITEMS * 4);
    assert_parent("item", number_of(pool), "pe.run");
    pool_end(pool);
}

PE_TEST(jobs_are_counted_with_the_pools_own_regions)
{
    enum { JOBS = 50 };
    uint64_t submits = 0, waits = 0;

    ck_assert_int_eq(pe_region_enable(1), 0);
    submits = seen("pe.submit", 0, HOST).calls;
    waits = seen("pe.wait", 0, HOST).calls;
    pe_pool *pool = pool_of(2);
    run_jobs(pool, JOBS);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, JOBS);
    ck_assert_uint_eq(seen("inner job", number_of(pool), ANY).calls, JOBS);
    ck_assert_uint_eq(seen("pe.run", number_of(pool), ANY).calls, JOBS);
    ck_assert_uint_eq(seen("pe.queue", number_of(pool), ANY).calls, JOBS);
    ck_assert_uint_eq(seen("pe.bytes in", number_of(pool), ANY).calls, JOBS);
    ck_assert_int_eq(seen("pe.bytes in", number_of(pool), ANY).sum, JOBS * 8);
    ck_assert_int_eq(seen("pe.bytes out", number_of(pool), ANY).sum, JOBS * 8);
    ck_assert_uint_eq(seen("pe.submit", 0, HOST).calls - submits, JOBS);
    ck_assert_uint_ge(seen("pe.wait", 0, HOST).calls, waits + JOBS);
    assert_parent("inner job", number_of(pool), "outer job");
    assert_parent("outer job", number_of(pool), "pe.run");
    pool_end(pool);
}

static uint64_t copies(void)
{
    return seen("pe.copy", 0, HOST).calls;
}

/* An argument and a reply too large for the job's record; a map's input and outcome, the input unless it is shared. */
PE_TEST(copying_is_measured_where_it_is_done)
{
    static const char arg[1000];
    uint64_t before;
    void *shared;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    ck_assert_int_eq(pe_pool_alloc(pool, ITEMS * sizeof(uint32_t), &shared), 0);
    memset(shared, 0, ITEMS * sizeof(uint32_t));
    before = copies();
    run_jobs(pool, 1);
    ck_assert_uint_eq(copies() - before, 0);
    ck_assert_uint_eq(pool_run(pool, job_measured, arg, sizeof arg).kind, PE_RETURNED);
    ck_assert_uint_eq(copies() - before, 2);
    run_map(pool, ITEMS, NULL);
    ck_assert_uint_eq(copies() - before, 4);
    ck_assert_int_eq(pe_pool_map(pool, item_measured, shared, sizeof(uint32_t), NULL, 0, ITEMS, NULL), 0);
    ck_assert_uint_eq(copies() - before, 5);
    pool_end(pool);
}

/* Of one worker, which has three jobs waiting, and then none for a while. */
PE_TEST(queue_run_and_idle_times_are_where_they_were_spent)
{
    int64_t each = PE_MS(5), pause = PE_MS(20), queued = 0;
    pe_job *jobs[3];

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    int64_t begin = pe_now();
    run_jobs(pool, 1);
    struct timespec asleep = { 0, (long)pause };
    nanosleep(&asleep, NULL);
    for (int i = 0; i < 3; i++)
        jobs[i] = pool_submit(pool, job_takes, &each, sizeof each);
    for (int i = 0; i < 3; i++)
        queued += job_finish(jobs[i]).queued_ns;
    int64_t wall = pe_now() - begin;
    struct seen run = seen("pe.run", number_of(pool), 0), queue = seen("pe.queue", number_of(pool), 0);
    struct seen idle = seen("pe.idle", number_of(pool), 0);

    ck_assert_int_ge(run.total_ns, 3 * each);
    ck_assert_int_le(run.total_ns, wall);
    ck_assert_int_ge(queue.total_ns, queued / 100 * 99); /* which is 15 ms, unless they were submitted late */
    ck_assert_int_ge(idle.total_ns, pause / 2);
    ck_assert_int_le(run.total_ns + idle.total_ns, wall + PE_MS(1000));
    pool_end(pool);
}

static int good_init(void *context)
{
    (void)context;
    PE_REGION("of the initialiser")
        ;
    return 0;
}

PE_TEST(an_initialiser_is_a_region)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .worker_init = good_init });
    run_jobs(pool, 1);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(seen("pe.init", number_of(pool), ANY).calls, 2);
    assert_parent("of the initialiser", number_of(pool), "pe.init");
    pe_pool_free(pool);
}

/* ---- on and off ---- */

PE_TEST(measuring_is_switched_while_a_pool_runs)
{
    pe_pool *pool = pool_of(2);

    run_jobs(pool, 20);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, 0);
    for (int round = 1; round <= 3; round++) {
        ck_assert_int_eq(pe_region_enable(1), 0);
        run_jobs(pool, 10);
        run_map(pool, 100, NULL);
        ck_assert_int_eq(pe_region_enable(0), 0);
        run_jobs(pool, 10);
        run_map(pool, 100, NULL);
        ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, (uint64_t)round * 10);
        ck_assert_uint_eq(seen("item", number_of(pool), ANY).calls, (uint64_t)round * 100);
    }
    pool_end(pool);
}

/* Pages of the tables that anybody has touched. */
static size_t touched(const pe_pool *pool)
{
    size_t bytes = pool->shared.geometry.workers_most * pool->shared.geometry.region_bytes, count = 0;
    unsigned char *pages = malloc(bytes / 4096);

    ck_assert_int_eq(mincore(pool->shared.regions, bytes, pages), 0);
    for (size_t i = 0; i < bytes / 4096; i++)
        count += pages[i] & 1;
    free(pages);
    return count;
}

PE_TEST(tables_cost_nothing_while_measuring_is_off)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .max_deaths = UINT32_MAX });

    ck_assert_uint_gt(pool->shared.geometry.region_bytes, 0);
    run_jobs(pool, 20);
    run_map(pool, 1000, NULL);
    pool_run(pool, job_segv, NULL, 0);
    run_jobs(pool, 20);
    ck_assert_uint_eq(touched(pool), 0);
    pool_end(pool);
}

/* ---- pools ---- */

PE_TEST(what_freed_pools_measured_stays)
{
    uint32_t numbers[2];

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *one = pool_of(1), *two = pool_of(2);
    numbers[0] = number_of(one);
    numbers[1] = number_of(two);
    ck_assert_uint_ne(numbers[0], numbers[1]);
    run_jobs(one, 10);
    run_jobs(two, 20);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(seen("outer job", numbers[0], ANY).calls, 10);
        ck_assert_uint_eq(seen("outer job", numbers[1], ANY).calls, 20);
        if (i == 0)
            pool_end(one);
        if (i == 1)
            pe_pool_free(two); /* killed */
    }
}

PE_TEST(pools_of_all_ways_of_running_are_in_the_report)
{
    uint64_t before, after;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    before = seen("pe.run", 0, HOST).calls;
    run_jobs(pool, 5);
    run_map(pool, 100, NULL);
    after = seen("pe.run", 0, HOST).calls;
    ck_assert_uint_eq(after - before, 6);
    ck_assert_uint_eq(seen("item", 0, HOST).calls, 100);
    pe_pool_free(pool);

    pool = pool_of(2);
    ck_assert_int_eq(pe_pool_broadcast(pool, job_measured, NULL, 0, NULL, 0, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).calls, 1);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 1).calls, 1);
    ck_assert_int_eq(pe_pool_resize(pool, 5, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_pool_broadcast(pool, job_measured, NULL, 0, NULL, 0, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 4).calls, 1);
    ck_assert_int_eq(pe_pool_resize(pool, 1, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 4).calls, 1);
    pool_end(pool);
}

PE_TEST(a_map_without_a_pool_is_in_the_report)
{
    uint32_t in[100] = { 0 };
    struct pe__profile profile;
    uint64_t calls = 0;

    ck_assert_int_eq(pe_region_enable(1), 0);
    ck_assert_int_eq(pe_map_once(NULL, item_measured, in, sizeof *in, NULL, 0, 100, NULL), 0);
    ck_assert_int_eq(pe__profile_take(&profile), 0);
    for (uint32_t i = 0; i < profile.process_count; i++)
        if (profile.processes[i].pool != 0)
            calls += seen_in(&profile, "item", profile.processes[i].pool, profile.processes[i].worker).calls;
    pe__profile_free(&profile);
    ck_assert_uint_eq(calls, 100);
}

static int job_two_threads(const void *arg, size_t arg_bytes, pe_reply *reply);

static void *thread_measures(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        PE_REGION("in a thread")
            ;
    return NULL;
}

static int job_two_threads(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    pthread_t threads[2];

    (void)arg, (void)arg_bytes, (void)reply;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, thread_measures, NULL) != 0)
            return 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

PE_TEST(threads_of_jobs_measure_for_their_worker)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    ck_assert_int_eq(pool_run(pool, job_two_threads, NULL, 0).code, 0);
    ck_assert_uint_eq(seen("in a thread", number_of(pool), 0).calls, 2000);
    pool_end(pool);
}

/* ---- forks ---- */

PE_TEST(workers_begin_outside_of_the_hosts_regions)
{
    pe_pool *pool;

    ck_assert_int_eq(pe_region_enable(1), 0);
    PE_REGION("open in the host") {
        pool = pool_of(2);
        run_jobs(pool, 10);
        ck_assert_uint_eq(seen("open in the host", number_of(pool), ANY).nodes, 0);
        assert_parent("outer job", number_of(pool), "pe.run");
    }
    ck_assert_uint_ge(seen("open in the host", 0, HOST).calls, 1);
    ck_assert_uint_eq(seen("outer job", 0, HOST).nodes, 0);
    pool_end(pool);
}

PE_TEST(a_child_of_the_host_has_a_report_of_its_own)
{
    int status;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    run_jobs(pool, 10);
    pid_t child = fork();
    if (child == 0) {
        int good = seen("outer job", number_of(pool), ANY).nodes == 0;

        pe_pool_free(pool);
        PE_REGION("in the child")
            ;
        _exit(good && seen("in the child", 0, HOST).calls == 1 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    run_jobs(pool, 10);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, 20);
    ck_assert_uint_eq(seen("in the child", 0, HOST).nodes, 0);
    pool_end(pool);
}

/* In the report of the worker that made it, and not in the host's. */
static int job_with_pool(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint32_t in[100] = { 0 };
    pe_pool *inner;

    (void)arg, (void)arg_bytes;
    options.workers = 2;
    int result = pe_pool_new(&options, &inner);
    if (result < 0)
        return result;
    result = pe_pool_map(inner, item_measured, in, sizeof *in, NULL, 0, 100, NULL);
    uint64_t calls = seen("item", number_of(inner), ANY).calls;
    pe_pool_free(inner);
    return result < 0 ? result : pe_reply_write(reply, &calls, sizeof calls);
}

PE_TEST(a_pool_of_a_worker_is_in_that_workers_report)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(2);
    pe_job *job = pool_submit(pool, job_with_pool, NULL, 0);
    job_assert_ended(job, PE_RETURNED, 0);
    ck_assert_uint_eq(job_number(job), 100);
    pe_job_free(job);
    ck_assert_uint_eq(seen("item", number_of(pool), ANY).calls, 0);
    ck_assert_uint_ge(seen("pe.map", number_of(pool), ANY).calls, 1);
    pool_end(pool);
}

PE_TEST(workers_of_the_seed_follow_the_host)
{
    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .flags = PE_POOL_FROM_SEED });
    run_jobs(pool, 10);
    ck_assert_int_eq(pe_region_enable(1), 0);
    run_jobs(pool, 10);
    run_map(pool, 1000, NULL);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, 10);
    ck_assert_uint_eq(seen("item", number_of(pool), ANY).calls, 1000);
    ck_assert_int_eq(pe_region_enable(0), 0);
    run_jobs(pool, 10);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, 10);
    pe_pool_free(pool);
}

/* ---- crashes ---- */

static const struct {
    enum death_way way;
    const char *mark;
} deaths[] = {
    { WAY_KILL, "pe.crash: crashed" },
    { WAY_ABORT, "pe.crash: crashed" },
    { WAY_EXIT_3, "pe.crash: exited" },
    { WAY_EXIT, "pe.crash: exited" },
};

PE_TEST_LOOP(what_a_worker_had_counted_when_it_crashed_stays, 0, 4)
{
    enum death_way way = deaths[_i].way;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    run_jobs(pool, 10);
    ck_assert_uint_ne(pool_run(pool, job_in_region, &way, sizeof way).kind, PE_RETURNED);
    run_jobs(pool, 10);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).calls, 20);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).nodes, 1);
    ck_assert_uint_eq(seen("before death", number_of(pool), 0).unfinished, 1);
    ck_assert_uint_eq(seen("pe.run", number_of(pool), 0).unfinished, 1);
    ck_assert_uint_eq(wrong_uses(number_of(pool)), 0);
    ck_assert_uint_eq(seen(deaths[_i].mark, number_of(pool), 0).calls, 1);
    pool_end(pool);
}

static int item_stays(const void *in, void *out, const void *context)
{
    (void)out, (void)context;
    PE_REGION_SCOPE("stays");
    while (*(const uint32_t *)in != 0)
        sched_yield();
    return 0;
}

PE_TEST(an_item_that_is_stopped_is_unfinished)
{
    uint32_t in[4] = { 0, 1, 0, 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_of(1);
    options.timeout_ns = PE_MS(5);
    ck_assert_int_eq(pe_pool_map(pool, item_stays, in, sizeof *in, NULL, 0, 4, &options), PE_EITEMS);
    ck_assert_uint_eq(seen("stays", number_of(pool), 0).unfinished, 1);
    ck_assert_uint_eq(seen("stays", number_of(pool), 0).calls, 3);
    ck_assert_uint_eq(seen("pe.crash: timed out", number_of(pool), 0).calls, 1);
    pool_end(pool);
}

PE_TEST_SLOW(a_thousand_lives_share_one_table, 60)
{
    enum { LIVES = 1000, EACH = 2 };
    enum death_way way = WAY_KILL;
    size_t before = 0;
    pe_pool *pool;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pool = pool_with((pe_pool_options){ .workers = 1, .max_deaths = UINT32_MAX });
    for (int i = 0; i < LIVES; i++) {
        run_jobs(pool, EACH);
        pool_run(pool, job_in_region, &way, sizeof way);
        if (i == 10)
            before = touched(pool);
    }
    run_jobs(pool, 1);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).calls, EACH * LIVES + 1);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).nodes, 1);
    ck_assert_uint_eq(seen("before death", number_of(pool), 0).unfinished, LIVES);
    ck_assert_uint_eq(seen("pe.crash: crashed", number_of(pool), 0).calls, LIVES);
    ck_assert_uint_eq(touched(pool), before);
    pool_end(pool);
}

/* Between two jobs, and between two hands of a map's items. */
PE_TEST(workers_that_leave_by_themselves_leave_nothing_open)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .jobs_per_worker = 5 });
    run_jobs(pool, 20);
    options.chunk = 1;
    run_map(pool, 40, &options);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, 20);
    ck_assert_uint_eq(seen("item", number_of(pool), ANY).calls, 40);
    ck_assert_uint_eq(seen("pe.run", number_of(pool), ANY).unfinished, 0);
    ck_assert_uint_ge(seen("pe.run", number_of(pool), ANY).calls, 20 + 40 / 5);
    ck_assert_int_eq(seen("pe.bytes in", number_of(pool), ANY).sum, 20 * 8 + 40 * 4);
    pe_pool_free(pool);
}

/* A job may switch its own worker on; what it measures is in the host's report as well. */
static int job_enables(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int result = pe_region_enable(1);

    job_measured(arg, arg_bytes, reply);
    pe_region_enable(0);
    return result;
}

PE_TEST(a_job_switches_its_worker_on)
{
    pe_pool *pool = pool_of(1);

    ck_assert_int_eq(pool_run(pool, job_enables, NULL, 0).code, 0);
    run_jobs(pool, 3);
    ck_assert_int_eq(pe_region_enable(1), 0);
    run_jobs(pool, 3);
    ck_assert_uint_eq(seen("outer job", number_of(pool), 0).calls, 4);
    pool_end(pool);
}

enum { NEW_NAMES = 5 };

/* Dies of an alarm at whatever instant: entering, leaving, counting, while a name is new, which some are in each
 * life. */
static int job_until_alarm(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t number;
    char name[32];

    (void)arg_bytes, (void)reply;
    memcpy(&number, arg, sizeof number);
    struct itimerval soon = { .it_value = { .tv_usec = 1 + (suseconds_t)(number * 7919 % 300) } };
    setitimer(ITIMER_REAL, &soon, NULL);
    for (uint64_t i = 0; i < UINT64_MAX; i++) {
        snprintf(name, sizeof name, "name %d", (int)(number * NEW_NAMES + i / 20 % NEW_NAMES));
        pe_region_enter(name);
        PE_REGION("nested")
            PE_COUNT("value", 1);
        pe_region_leave(name);
    }
    return 0;
}

PE_TEST_SLOW(workers_die_at_any_instant_of_measuring, 120)
{
    uint64_t deaths_wanted = sizeof(void *) == 4 ? 100 : harness_long() ? 20000 : 1000, last = 0;
    pe_region_options options = PE_REGION_OPTIONS_INIT;
    pe_pool *pool;

    /* Until the last one there is room for new names, if not in the long mode. It is little where addresses have 32
     * bits. */
    options.names = options.paths = 6000;
    options.flags = PE_REGION_TIMELINE;
    if (harness_forks())
        ck_assert_int_eq(pe_region_setup(&options), 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
    pool = pool_with((pe_pool_options){ .workers = 2, .max_deaths = UINT32_MAX });
    for (uint64_t i = 0; i < deaths_wanted; i++) {
        pe_status status = pool_run(pool, job_until_alarm, &i, sizeof i);

        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGALRM);
        run_jobs(pool, 1);
        if (i % 100 != 99)
            continue;
        struct seen nested = seen("nested", number_of(pool), ANY);
        ck_assert_uint_gt(nested.calls, last);
        last = nested.calls;
    }
    ck_assert_uint_eq(seen("outer job", number_of(pool), ANY).calls, deaths_wanted);
    pool_end(pool);
}

HARNESS_MAIN("region-pool")
