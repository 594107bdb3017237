/*
 * A worker that forges announcements and hints, by which others know whom to wake and where to look: nobody sleeps for
 * ever.
 */
#include "harness/harness.h"

#include <poll.h>
#include <sched.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/process.h"
#include "harness/scene.h"

#define GUARD_NS PE_SECONDS(20)

static uint64_t pool_retired(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats.retired;
}

enum signpost {
    SLEEPERS_NONE,
    SLEEPERS_BEYOND,
    PRESENT_ALL,
    VACANT_BEYOND,
    HEAD_FAR,
    HEAD_OF_HIGH_FAR,
    HEAD_OF_LOW_FAR,
    HOST_WAITS_NONE,
    BELLS,
    SIGNPOSTS
};

/* The level that it is about. */
static uint32_t level_of(enum signpost signpost)
{
    return signpost == HEAD_OF_HIGH_FAR  ? PE_PRIORITY_HIGH
           : signpost == HEAD_OF_LOW_FAR ? PE_PRIORITY_LOW
                                         : PE_PRIORITY_NORMAL;
}

static void push_head_far(uint32_t level)
{
    const struct pe__shared *view = &scene->view;

    atomic_store(&view->heads[level].head, atomic_load(&view->tails[level].tail) + 1);
}

/* The host sleeps, and nobody knows. */
static void forget_host(void)
{
    while (atomic_load(scene->view.host_waits) == 0 || process_state(scene->view.config->host_pid) != 'S')
        sched_yield();
    atomic_store(scene->view.host_waits, 0);
}

/* Leaves a lie behind; the last act of its job. */
static int job_misleads(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__shared *view = &scene->view;

    (void)arg_bytes;
    (void)reply;
    switch ((enum signpost)value_of(arg)) {
    case SLEEPERS_NONE: atomic_store(&view->groups[0].sleepers, 0); break;
    case SLEEPERS_BEYOND: atomic_store(&view->groups[0].sleepers, UINT64_MAX << WORKERS); break;
    case PRESENT_ALL: atomic_store(&view->groups[0].present, UINT64_MAX); break;
    case VACANT_BEYOND: atomic_store(&view->groups[0].vacant, UINT64_MAX << WORKERS); break;
    case HEAD_FAR:
    case HEAD_OF_HIGH_FAR:
    case HEAD_OF_LOW_FAR: push_head_far(level_of((enum signpost)value_of(arg))); break;
    case HOST_WAITS_NONE: forget_host(); break;
    default:
        for (uint32_t i = 0; i < WORKERS; i++)
            atomic_fetch_add(&view->slots[i].bell, UINT32_MAX);
    }
    return 0;
}

/* Keeps its worker until the host has pushed them all, so that for the last ones only those are left to be rung whom
 * there are not. */
static int job_holds(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    while (atomic_load(&scene->go) == 0)
        sched_yield();
    return job_short(arg, arg_bytes, reply);
}

static void let_sleep(const pe_pool *pool)
{
    int64_t until = pe_after(PE_MS(200)); /* those who are asleep without having said so are not seen */

    while (atomic_load(&pool->shared.groups[0].sleepers) != (1u << WORKERS) - 1 && pe_now() < until)
        sched_yield();
}

PE_TEST_FULL(a_false_signpost_stops_nobody, 20, 0, SIGNPOSTS)
{
    pe_pool *pool = scene_begin();
    pe_stats stats = PE_STATS_INIT;
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.priority = level_of((enum signpost)_i);
    for (uint64_t round = 0; round < 3; round++) {
        pe_job *jobs[6], *liar = NULL;

        let_sleep(pool);
        if (pe_pool_try_submit(pool, job_short, "01234567", 8, NULL, NULL) == PE_EBROKEN)
            break;
        liar = scene_submit(pool, job_misleads, (uint64_t)_i);
        ck_assert_int_eq(pe_job_wait(liar, pe_after(GUARD_NS)), 0);
        pe_job_free(liar);
        ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
        ck_assert_uint_le(stats.workers_alive, WORKERS);
        let_sleep(pool);
        atomic_store(&scene->go, 0);
        for (uint64_t i = 0; i < 6; i++) {
            jobs[i] = NULL;
            int result = pe_pool_try_submit(pool, job_holds, &i, sizeof i, &options, &jobs[i]);
            ck_assert(result == 0 || result == PE_EBROKEN);
        }
        atomic_store(&scene->go, 1);
        for (uint64_t i = 0; i < 6 && jobs[i] != NULL; i++) {
            ck_assert_int_eq(pe_job_wait(jobs[i], pe_after(PE_SECONDS(12))), 0);
            pe_job_free(jobs[i]);
        }
    }
    for (uint32_t nobody = WORKERS; nobody < PE__BELL_GROUP_WORKERS; nobody++)
        ck_assert_uint_eq(atomic_load(&pool->shared.slots[nobody].bell), 0);
    scene_end(pool);
}

/* The host rings at once, as if nobody had said that there were more workers, awake all of them. */
PE_TEST_FULL(workers_that_there_are_not_are_not_counted_on, 20, 0, 1)
{
    const uint64_t all = (1u << WORKERS) - 1;
    pe_pool *pool = scene_begin();
    _Atomic uint64_t *sleepers = &pool->shared.groups[0].sleepers;
    pe_job *liar = scene_submit(pool, job_misleads, PRESENT_ALL), *job;
    int64_t guard = pe_after(GUARD_NS);

    ck_assert_int_eq(pe_job_wait(liar, guard), 0);
    while (atomic_load(sleepers) != all) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    job = scene_submit(pool, job_holds, 0);
    ck_assert_uint_ne(atomic_load(sleepers), all);
    atomic_store(&scene->go, 1);
    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(liar);
    pe_job_free(job);
    scene_end(pool);
}

/* All have left for want of work, and nothing says so any more. */
PE_TEST_FULL(leavers_that_are_forgotten_are_started, 20, 0, 1)
{
    pe_pool *pool = scene_begin_with((struct scene_options){ .idle_ns = PE_US(300) });
    int64_t guard = pe_after(GUARD_NS);
    uint64_t number = 1;

    while (atomic_load(&pool->shared.groups[0].vacant) != (1u << WORKERS) - 1 ||
           pool_retired(pool) < WORKERS) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    atomic_store(&scene->view.groups[0].vacant, 0);
    pe_job *job = scene_submit(pool, job_short, number);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_SECONDS(12))), 0);
    pe_job_free(job);
    scene_end(pool);
}

/* The keeper is said to look by itself, and does not. */
PE_TEST_FULL(a_deadline_in_the_queue_is_not_forgotten, 20, 0, 1)
{
    pe_pool *pool = scene_begin_with((struct scene_options){ .keeper_sleeps = 1 });
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_status status;
    pe_job *job = NULL;

    scene_keep_busy(pool, WORKERS);
    atomic_store(&scene->view.watch->wakes_ns, 0);
    options.deadline_ns = pe_after(PE_MS(20));
    ck_assert_int_eq(pe_pool_submit(pool, job_short, "01234567", 8, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_SECONDS(12))), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    pe_job_free(job);
    scene_end(pool);
}

/* A loop outside sleeps on the descriptor; nobody knows that, so nothing rings, but it polls now and then. */
PE_TEST_FULL(a_loop_that_polls_now_and_then_is_not_held_up, 20, 0, 1)
{
    pe_pool *pool = scene_begin();
    struct pollfd watched = { .fd = pe_pool_fd(pool), .events = POLLIN };
    int64_t guard = pe_after(GUARD_NS);
    pe_job *job = scene_submit(pool, job_misleads, HOST_WAITS_NONE);
    int ended;

    while ((ended = pe_pool_poll(pool)) == 0 && pe_now() < guard)
        poll(&watched, 1, 100);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    pe_job_free(job);
    scene_end(pool);
}

static int job_sends_home(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    scene_make_writable(&scene->view);
    atomic_store(&scene->view.config->stop, 1);
    return 0;
}

/* Its workers leave as often as there are new ones, but the keeper takes its time with those. */
PE_TEST_FULL(a_false_end_does_not_keep_the_keeper_forking, 20, 0, 1)
{
    pe_pool *pool = scene_begin();
    pe_stats stats = PE_STATS_INIT;
    int64_t begin = pe_now(), guard = pe_after(GUARD_NS);
    pe_job *job = scene_submit(pool, job_sends_home, 0);

    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(job);
    pe__bell_ring_all(pool->shared.groups, pool->shared.slots, WORKERS);
    while (stats.recycled < 2 * WORKERS + 1 && pe_now() < guard) {
        sched_yield();
        ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    }
    ck_assert_uint_ge(stats.recycled, 2 * WORKERS + 1); /* one of them for the third time */
    ck_assert_int_ge(pe_now() - begin, PE_MS(200));
    job = scene_submit(pool, job_short, 0);
    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(job);
    scene_end(pool);
}

HARNESS_MAIN("scribble-hints")
