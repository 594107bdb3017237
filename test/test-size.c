/*
 * How many workers a pool has while it lives: those that leave for want of work and are started again when there is
 * some, and a pool that is resized. Scenarios A11 and G04, rows P65 to P67 of the list of features.
 */
#include "harness/harness.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/cpu.h>
#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"

#define GUARD_NS PE_SECONDS(25)

/* What the workers tell of their lives; mapped before the pool is made. */
struct diary {
    _Atomic uint32_t begun, left;
    _Atomic int64_t first_left_ns;
    _Atomic int32_t keeper;
};

static int begin_life(void *context)
{
    struct diary *diary = context;

    atomic_store(&diary->keeper, getppid());
    atomic_fetch_add(&diary->begun, 1);
    return 0;
}

static int end_life(void *context)
{
    struct diary *diary = context;

    if (atomic_fetch_add(&diary->left, 1) == 0)
        atomic_store(&diary->first_left_ns, pe_now());
    return 0;
}

static struct diary *diary_map(void)
{
    return process_shared(sizeof(struct diary));
}

static void diary_unmap(struct diary *diary)
{
    munmap(diary, sizeof *diary);
}

static pe_pool *pool_that_idles(struct diary *diary, uint32_t workers, int64_t idle_ns)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    options.idle_ns = idle_ns;
    options.max_deaths = 1; /* leaving is no death */
    options.worker_init = begin_life;
    options.worker_exit = end_life;
    options.worker_context = diary;
    return pool_with(options);
}

/* The keeper's children. */
static int count_processes(pid_t keeper)
{
    char path[64], line[4096] = "";
    int count = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)keeper, (int)keeper);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    for (const char *at = line; *at != '\0'; at++)
        count += *at == ' ';
    return count;
}

static void await_processes(const struct diary *diary, int wanted)
{
    int64_t guard = pe_after(GUARD_NS);

    while (count_processes(atomic_load(&diary->keeper)) != wanted) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
}

static void await_retired(const pe_pool *pool, uint64_t wanted)
{
    int64_t guard = pe_after(GUARD_NS);

    while (pool_stats(pool).retired < wanted) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
}

static void run_doubles(pe_pool *pool, uint64_t count)
{
    pe_job *jobs[64];

    for (uint64_t i = 0; i < count; i++)
        jobs[i] = pool_submit(pool, job_double, &i, sizeof i);
    for (uint64_t i = 0; i < count; i++)
        job_assert_reply(jobs[i], &(uint64_t){ 2 * i }, sizeof(uint64_t));
}

PE_TEST(g04_idle_workers_leave_and_come_back)
{
    struct diary *diary = diary_map();
    int64_t start_ns = pe_now();
    pe_pool *pool = pool_that_idles(diary, 4, PE_MS(200));

    await_retired(pool, 4);
    await_processes(diary, 0);
    ck_assert_int_ge(diary->first_left_ns - start_ns, PE_MS(200));
    ck_assert_uint_eq(diary->left, 4);
    ck_assert_uint_eq(pool_stats(pool).workers_alive, 0);
    ck_assert_uint_eq(pool_stats(pool).workers, 4);
    ck_assert(process_is_idle(diary->keeper, PE_MS(100)));
    run_doubles(pool, 8);
    ck_assert_uint_ge(diary->begun, 5);
    ck_assert_uint_le(diary->begun, 8);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    ck_assert_uint_eq(pool_stats(pool).recycled, 0);
    pool_end(pool);
    ck_assert_uint_eq(diary->left, diary->begun);
    diary_unmap(diary);
}

/* The submissions fall before, into and after the leaving of the last worker. The library is not called until all have
 * run: nothing that a waiting host would find out by itself helps. */
PE_TEST_SLOW(g04_nothing_is_lost_at_the_instant_of_leaving, 120)
{
    enum { ROUNDS = 400, JOBS = 8 };
    const int64_t idle_ns = 500000;
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 4, idle_ns);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[JOBS];
    int rounds = harness_long() ? 20 * ROUNDS : ROUNDS;
    int64_t guard = pe_after((int64_t)(harness_slowness() * (double)PE_SECONDS(10)));

    /* On a busy machine few of them come to leave. */
    for (int round = 0; round < rounds || (pool_stats(pool).retired < 20 && pe_now() < guard); round++) {
        int64_t at_ns = pe_after(idle_ns + (round % 100 - 40) * 4000);

        while (pe_now() < at_ns)
            ;
        int count = 1 + round % JOBS;
        atomic_store(&gate->arrived, 0);
        for (int i = 0; i < count; i++)
            jobs[i] = gate_submit(pool, gate_count, gate);
        word_await(&gate->arrived, (uint32_t)count);
        for (int i = 0; i < count; i++)
            ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    }
    ck_assert_uint_ge(pool_stats(pool).retired, 20);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
    diary_unmap(diary);
}

/* One for each job that waits, and no more. */
PE_TEST(p65_as_many_are_started_as_are_useful)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 6, PE_MS(50));
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[9];

    await_retired(pool, 6);
    await_processes(diary, 0);
    for (uint32_t i = 0; i < 9; i++) {
        jobs[i] = gate_submit(pool, gate_pass, gate);
        word_await(&gate->arrived, i < 6 ? i + 1 : 6);
        ck_assert_uint_eq(diary->begun, 6 + (i < 6 ? i + 1 : 6));
    }
    word_set(&gate->open, UINT32_MAX);
    for (int i = 0; i < 9; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
    diary_unmap(diary);
}

/* The host does nothing for the pool after the submissions. */
PE_TEST(p65_they_start_while_the_host_computes)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 3, PE_MS(20));
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[12];

    await_retired(pool, 3);
    for (int i = 0; i < 12; i++)
        jobs[i] = gate_submit(pool, gate_count, gate);
    word_await(&gate->arrived, 12);
    for (int i = 0; i < 12; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    pe_pool_free(pool);
    diary_unmap(diary);
}

PE_TEST(p65_maps_find_workers)
{
    enum { ITEMS = 300 };
    uint64_t in[ITEMS], out[ITEMS];
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 3, PE_MS(2));

    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    for (int round = 0; round < 30; round++) {
        size_t count = round % 2 == 0 ? ITEMS : 5;

        memset(out, 0, sizeof out);
        ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, count, NULL), 0);
        for (uint64_t i = 0; i < count; i++)
            ck_assert_uint_eq(out[i], i * i);
        if (round % 3 == 0)
            await_processes(diary, 0);
    }
    pool_end(pool);
    diary_unmap(diary);
}

/* A worker that dies is replaced, whether or not others have left. */
PE_TEST(p65_deaths_are_deaths)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 3;
    options.idle_ns = PE_MS(1);
    options.max_deaths = UINT32_MAX;
    pool = pool_with(options);
    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(job_finish(pool_submit(pool, job_dies, NULL, 0)).kind, PE_CRASHED);
        uint64_t retired = pool_stats(pool).retired;
        run_doubles(pool, 1);
        if (i % 4 == 0)
            await_retired(pool, retired + 1); /* whoever has run it leaves, if nobody else has by then */
    }
    pool_await_restarts(pool, 20);
    ck_assert_uint_eq(pool_stats(pool).restarts, 20);
    pool_end(pool);
}

/* Sleepers that are rung for nothing, as after each death, do not begin their time anew. */
PE_TEST(p65_rings_in_vain_keep_nobody)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 3, PE_MS(300));
    int64_t guard = pe_after(GUARD_NS);

    while (pool_stats(pool).retired < 3) {
        ck_assert_int_lt(pe_now(), guard);
        poll(NULL, 0, 10);
        pe__bell_ring_all(pool->shared.groups, pool->shared.slots, 3);
    }
    pool_end(pool);
    diary_unmap(diary);
}

/* Nobody is left whose bit could be taken, as after a worker has written over it. */
PE_TEST(p65_a_waiting_host_does_not_rely_on_announcements)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 2, PE_MS(5));

    await_retired(pool, 2);
    atomic_store(&pool->shared.groups[0].vacant, 0);
    run_doubles(pool, 1);
    pool_end(pool);
    diary_unmap(diary);
}

/* The end of a pool of which nobody is left. */
PE_TEST_LOOP(p65_ends_without_workers, 0, 3)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 2, 1);

    await_retired(pool, 2);
    await_processes(diary, 0);
    if (_i == 0)
        ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), 0);
    if (_i == 1)
        ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    pe_pool_free(pool);
    diary_unmap(diary);
}

PE_TEST(p65_starts_without_a_pause)
{
    struct diary *diary = diary_map();

    for (int i = 0; i < 50; i++) {
        pe_pool *pool = pool_that_idles(diary, 2, 1);

        run_doubles(pool, 3);
        pe_pool_free(pool);
    }
    diary_unmap(diary);
}

PE_TEST(p65_no_process_to_be_had_for_a_while)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 2, PE_MS(1));

    await_retired(pool, 2);
    harness_fail_nth(HARNESS_FORK, 1, EAGAIN);
    run_doubles(pool, 2);
    pool_end(pool);
    diary_unmap(diary);
}

PE_TEST(p65_inline_has_none_to_leave)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.flags = PE_POOL_INLINE;
    options.idle_ns = 1;
    pool = pool_with(options);
    run_doubles(pool, 3);
    ck_assert_uint_eq(pool_stats(pool).retired, 0);
    pool_end(pool);
}

/* ---- numbers of workers ---- */

struct seats {
    struct gate gate;
    _Atomic int32_t pid[7];
};

static int sit_down(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct seats *seats = (struct seats *)(void *)gate_of(arg);
    int32_t index = pe_worker_index();

    if (index < 0 || index >= 7 || atomic_exchange(&seats->pid[index], getpid()) != 0)
        return 1;
    return gate_pass(arg, arg_bytes, reply);
}

static void take_seats(pe_pool *pool, struct seats *seats, int32_t *ret_pid)
{
    pe_job *jobs[7];

    memset((void *)seats, 0, sizeof *seats);
    for (int i = 0; i < 7; i++)
        jobs[i] = gate_submit(pool, sit_down, &seats->gate);
    word_await(&seats->gate.arrived, 7);
    word_set(&seats->gate.open, 7);
    for (int i = 0; i < 7; i++) {
        pe_status status = job_finish(jobs[i]);

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, 0);
    }
    for (int i = 0; i < 7; i++) {
        ret_pid[i] = atomic_load(&seats->pid[i]);
        ck_assert_int_ne(ret_pid[i], 0);
    }
}

/* Also one whose predecessor has left for want of work. */
PE_TEST_LOOP(a11_workers_have_numbers_that_replacements_take_over, 0, 2)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int32_t first[7], second[7];

    options.workers = 7;
    options.idle_ns = _i == 0 ? 0 : (int64_t)(harness_slowness() * (double)PE_MS(50)); /* all sit before one leaves */
    pe_pool *pool = pool_with(options);
    struct seats *seats = pool_shared(pool, sizeof *seats);
    take_seats(pool, seats, first);
    if (_i == 0) {
        kill(first[3], SIGKILL);
        pool_await_restarts(pool, 1);
    } else {
        await_retired(pool, 7);
    }
    take_seats(pool, seats, second);
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(first[i] == second[i], _i == 0 && i != 3);
    pool_end(pool);
}

/* ---- pe_pool_resize ---- */

static pe_pool *pool_with_diary(struct diary *diary, uint32_t workers)
{
    return pool_that_idles(diary, workers, 0);
}

/* Jobs in all of them at once; bit for each number. */
static uint32_t numbers_of(pe_pool *pool, uint32_t workers)
{
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[16];
    uint32_t seen = 0;

    for (uint32_t i = 0; i < workers; i++)
        jobs[i] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, workers);
    word_set(&gate->open, UINT32_MAX);
    for (uint32_t i = 0; i < workers; i++)
        seen |= UINT32_C(1) << job_finish(jobs[i]).worker;
    pe_pool_dealloc(pool, gate);
    return seen;
}

PE_TEST(p66_a_pool_grows_and_shrinks)
{
    static const uint32_t sizes[] = { 2, 6, 3, 3, 1, 9, 16, 2 };
    struct diary *diary = diary_map();
    pe_pool *pool = pool_with_diary(diary, 2);
    uint32_t left = 0;

    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        left += sizes[i] < sizes[i - 1] ? sizes[i - 1] - sizes[i] : 0;
        ck_assert_int_eq(pe_pool_resize(pool, sizes[i], pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(count_processes(diary->keeper), (int)sizes[i]);
        ck_assert_uint_eq(pool_stats(pool).workers, sizes[i]);
        ck_assert_uint_eq(pool_stats(pool).workers_alive, sizes[i]);
        ck_assert_uint_eq(diary->left, left);
        ck_assert_uint_eq(pool_stats(pool).retired, left);
        ck_assert_uint_eq(numbers_of(pool, sizes[i]), (1u << sizes[i]) - 1);
        run_doubles(pool, 20);
    }
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    ck_assert_uint_eq(pool_stats(pool).recycled, 0);
    pool_end(pool);
    diary_unmap(diary);
}

/* What is in hand is finished first. */
PE_TEST(p66_surplus_workers_finish_their_jobs)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_with_diary(diary, 3);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[4];

    for (int i = 0; i < 4; i++)
        jobs[i] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 3);
    ck_assert_int_eq(pe_pool_resize(pool, 1, pe_after(PE_MS(30))), PE_ETIMEDOUT);
    ck_assert_uint_eq(diary->left, 0);
    word_set(&gate->open, UINT32_MAX);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    ck_assert_int_eq(pe_pool_resize(pool, 1, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(diary->left, 2);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
    diary_unmap(diary);
}

/* The job runs again in a process of the same number, although that one is not wanted any more. */
PE_TEST(p66_a_retry_is_not_lost)
{
    pe_pool *pool = pool_of(2);
    struct entry *entry = pool_shared(pool, sizeof *entry);
    _Atomic int *flag = pool_shared(pool, sizeof *flag);
    struct counted counted = { entry, 1 };
    pe_job *jobs[2];

    for (int round = 0; round < 20; round++) {
        atomic_store(&entry->begun, 0);
        atomic_store(flag, 0);
        jobs[0] = pool_submit(pool, job_until_set, &flag, sizeof flag);
        jobs[1] = pool_submit_retried(pool, job_counted, &counted, sizeof counted, 1);
        pe_pool_resize(pool, 1, 0);
        atomic_store(flag, 1);
        pe_status status = job_finish(jobs[1]);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_uint_eq(status.attempts, 2);
        job_finish(jobs[0]);
        ck_assert_int_eq(pe_pool_resize(pool, 2, pe_after(GUARD_NS)), 0);
    }
    pe_pool_dealloc(pool, (void *)flag);
    pe_pool_dealloc(pool, entry);
    pool_end(pool);
}

struct resizer {
    pe_pool *pool;
    _Atomic int stop;
    _Atomic uint32_t rounds;
};

static void *resize_all_the_time(void *context)
{
    struct resizer *resizer = context;
    uint32_t seed = 1;

    while (!atomic_load(&resizer->stop)) {
        int64_t deadline_ns = pe_after(resizer->rounds % 3 == 0 ? PE_MS(1) : GUARD_NS);
        seed = seed * 1103515245 + 12345;
        int result = pe_pool_resize(resizer->pool, 1 + (seed >> 16) % 8, resizer->rounds % 5 == 0 ? 0 : deadline_ns);
        ck_assert(result == 0 || result == PE_ETIMEDOUT);
        resizer->rounds++;
    }
    return NULL;
}

/* Each item runs once, and each job, whatever the number of workers is just then. */
PE_TEST_LOOP(p66_nothing_is_lost_while_the_pool_is_resized, 0, 2)
{
    enum { ITEMS = 2000 };
    struct diary *diary = diary_map();
    struct resizer resizer = { .pool = pool_that_idles(diary, 3, _i == 0 ? 0 : PE_US(300)) };
    struct plan plan = { .count = ITEMS, .every = ITEMS, .at = ITEMS };
    pthread_t thread;
    int rounds = harness_long() ? 1000 : 25;

    ck_assert_int_eq(pthread_create(&thread, NULL, resize_all_the_time, &resizer), 0);
    for (int round = 0; round < rounds || resizer.rounds < 40; round++) {
        ck_assert_uint_eq(plan_run(resizer.pool, &plan, round % 2 == 0 ? 0 : 3, 0), 0);
        run_doubles(resizer.pool, 30);
    }
    atomic_store(&resizer.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(pool_stats(resizer.pool).restarts, 0);
    pool_end(resizer.pool);
    ck_assert_uint_eq(diary->left, diary->begun);
    diary_unmap(diary);
}

/* A pool of which nobody is there, and one whose workers are asked for by their numbers. */
PE_TEST(p66_idle_workers_count_as_there)
{
    struct diary *diary = diary_map();
    pe_pool *pool = pool_that_idles(diary, 4, PE_MS(1));

    for (int round = 0; round < 10; round++) {
        ck_assert_int_eq(pe_pool_resize(pool, 2, pe_after(GUARD_NS)), 0);
        run_doubles(pool, 10);
        await_processes(diary, 0);
        ck_assert_int_eq(pe_pool_resize(pool, 5, pe_after(GUARD_NS)), 0);
        if (round % 2 == 0)
            await_processes(diary, 0);
        ck_assert_uint_eq(numbers_of(pool, 5), 31);
    }
    pool_end(pool);
    diary_unmap(diary);
}

PE_TEST(p66_no_process_to_be_had)
{
    pe_pool *pool = pool_of(1);

    harness_fail_from(HARNESS_FORK, 1, EAGAIN);
    ck_assert_int_eq(pe_pool_resize(pool, 3, pe_after(PE_MS(30))), PE_ETIMEDOUT);
    run_doubles(pool, 5);
    harness_fail_reset();
    ck_assert_int_eq(pe_pool_resize(pool, 3, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(numbers_of(pool, 3), 7);
    pool_end(pool);
}

static void resize_in_callback(pe_job *job, void *context)
{
    (void)job;
    ck_assert_int_eq(pe_pool_resize(context, 2, PE_FOREVER), PE_EDEADLK);
}

PE_TEST(p66_what_is_refused)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_job *job;

    options.workers = 1;
    options.queue_jobs = 4;
    pe_pool *pool = pool_with(options);
    ck_assert_int_eq(pe_pool_resize(NULL, 1, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_resize(pool, PE_WORKERS_MAX + 1, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_resize(pool, UINT32_MAX, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_resize(pool, 2, -1), PE_EINVAL);
    ck_assert_int_eq(pe_pool_resize(pool, PE_WORKERS_MAX, PE_FOREVER), PE_ENOMEM);
    ck_assert_uint_eq(pool_stats(pool).workers, 1);
    job = pool_submit(pool, job_nothing, NULL, 0);
    ck_assert_int_eq(pe_job_on_done(job, resize_in_callback, pool), 0);
    job_finish(job);
    ck_assert_int_eq(pe_pool_resize(pool, 64, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(pool_stats(pool).workers_alive, 64);
    ck_assert_int_eq(pe_pool_resize(pool, 0, pe_after(GUARD_NS)), 0);
    ck_assert_uint_eq(pool_stats(pool).workers, (uint32_t)pe_cpu_count());
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_resize(pool, 2, PE_FOREVER), PE_ECLOSED);
    pool_end(pool);
}

PE_TEST(p66_inline_only_says_so)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.flags = PE_POOL_INLINE;
    pe_pool *pool = pool_with(options);
    ck_assert_int_eq(pe_pool_resize(pool, 5, PE_FOREVER), 0);
    ck_assert_uint_eq(pool_stats(pool).workers, 5);
    run_doubles(pool, 3);
    pool_end(pool);
}

HARNESS_MAIN("size")
