/*
 * The pool in somebody else's loop: pe_pool_fd under plain epoll and poll, and that nothing runs while there
 * is nothing to do.
 */

#include "harness/harness.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>
#include <parexec/worker.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_MS 10000
#define QUIET_MS 200

/* 1 when readable within the time. */
typedef int readable_fn(int fd, int timeout_ms);

static int readable_by_poll(int fd, int timeout_ms)
{
    struct pollfd watched = { .fd = fd, .events = POLLIN };
    int count = poll(&watched, 1, timeout_ms);

    ck_assert_int_ge(count, 0);
    return count;
}

static int readable_by_epoll(int epoll, int timeout_ms)
{
    struct epoll_event event;
    int count = epoll_wait(epoll, &event, 1, timeout_ms);

    ck_assert_int_ge(count, 0);
    return count;
}

static int watch_by_epoll(int fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };

    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    return epoll;
}

static void count_end(pe_job *job, void *context)
{
    const void *data;
    size_t bytes;
    unsigned char *seen = context;
    uint32_t number;

    ck_assert(pe_job_result(job, &data, &bytes) == 0 && bytes == sizeof number);
    memcpy(&number, data, sizeof number);
    seen[number]++;
    pe_job_free(job);
}

/* Handles what there is; 0 drained and armed. */
static int drain(pe_pool *pool)
{
    int handled = 0, result;

    while ((result = pe_pool_poll(pool)) > 0) {
        ck_assert_int_le(result, 256);
        handled += result;
    }
    ck_assert_int_eq(result, 0);
    return handled;
}

/* Submits a burst, sleeps until all of it has ended, and so on: each burst needs a wake-up. */
static void run_bursts(readable_fn *readable, uint32_t jobs, uint32_t burst)
{
    unsigned char *seen = calloc(jobs, 1);
    pe_pool *pool = pool_of(2);
    int fd = readable == readable_by_epoll ? watch_by_epoll(pe_pool_fd(pool)) : dup(pe_pool_fd(pool));
    uint32_t submitted = 0, wrong = 0;
    int64_t ended = 0;

    while (submitted < jobs) {
        uint32_t size = 1 + submitted % burst;

        for (uint32_t i = 0; i < size && submitted < jobs; i++) {
            pe_job *job;
            int result = pe_pool_try_submit(pool, job_echo, &submitted, sizeof submitted, NULL, &job);

            if (result == PE_EAGAIN)
                break;
            if (result != 0 || pe_job_on_done(job, count_end, seen) != 0)
                ck_abort_msg("not submitted: %d", result);
            submitted++;
        }
        while (ended += drain(pool), ended < submitted) {
            if (!readable(fd, GUARD_MS))
                ck_abort_msg("lost: %lld of %u have ended", (long long)ended, submitted);
        }
    }
    for (uint32_t i = 0; i < jobs; i++)
        wrong += seen[i] != 1;
    close(fd);
    pe_pool_free(pool);
    free(seen);
    ck_assert_int_eq(ended, jobs);
    ck_assert_uint_eq(wrong, 0);
}

PE_TEST(p62_no_completion_lost_under_epoll)
{
    run_bursts(readable_by_epoll, 20000, 3);
    run_bursts(readable_by_epoll, 80000, 500);
}
END_TEST

PE_TEST(p62_no_completion_lost_under_poll)
{
    run_bursts(readable_by_poll, 20000, 3);
    run_bursts(readable_by_poll, 80000, 500);
}
END_TEST

static void free_job(pe_job *job, void *count)
{
    atomic_fetch_add((_Atomic int *)count, 1);
    pe_job_free(job);
}

PE_TEST(p62_a_poll_handles_256_at_most)
{
    pe_pool *pool = pool_of(1);
    _Atomic int ended = 0;
    int result, told = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        pe_job *job;

        ck_assert_int_eq(pe_pool_submit(pool, job_echo, &i, sizeof i, NULL, &job), 0);
        ck_assert_int_eq(pe_job_on_done(job, free_job, (void *)&ended), 0);
    }
    while (told < 1000) {
        result = pe_pool_poll(pool);
        ck_assert_int_ge(result, 0);
        ck_assert_int_le(result, 256);
        told += result;
        if (result == 0)
            ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    }
    ck_assert_int_eq(ended, 1000);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p62_silent_while_idle_and_while_a_job_runs)
{
    _Atomic int *flag;
    pe_pool *pool = pool_of(2);
    pe_job *job;
    struct process_worker workers[2];
    void *memory;

    process_workers(pool, 2, workers); /* the start of a worker may ring */
    for (int i = 0; i < 2; i++) {
        drain(pool);
        ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), QUIET_MS), 0);
        ck_assert_int_eq(pe_pool_submit(pool, job_echo, &i, sizeof i, NULL, NULL), 0);
        while (drain(pool) == 0)
            ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    }
    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *flag, &memory), 0);
    flag = memory;
    ck_assert_int_eq(pe_pool_submit(pool, job_until_set, &flag, sizeof flag, NULL, &job), 0);
    drain(pool);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), QUIET_MS), 0);
    atomic_store(flag, 1);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    ck_assert_int_eq(pe_pool_poll(pool), 1);
    ck_assert_int_eq(drain(pool), 0);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), QUIET_MS), 0);
    pe_job_free(job);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p62_descriptor_tells_of_a_broken_pool)
{
    struct process_worker worker;
    pe_pool *pool = pool_of(1);
    int result;

    process_workers(pool, 1, &worker);
    drain(pool);
    ck_assert_int_eq(kill(worker.keeper, SIGKILL), 0);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    while ((result = pe_pool_poll(pool)) == 0)
        ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    ck_assert_int_eq(result, PE_EBROKEN);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p62_interrupt_wakes_the_loop_once)
{
    pe_pool *pool = pool_of(1);

    drain(pool);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), GUARD_MS), 1);
    ck_assert_int_eq(pe_pool_poll(pool), PE_EINTR);
    drain(pool);
    ck_assert_int_eq(readable_by_poll(pe_pool_fd(pool), QUIET_MS), 0);
    pe_pool_free(pool);
}
END_TEST

/* ---- threads that wait beside the loop ---- */

struct waiter {
    pe_pool *pool;
    int64_t longest_ns;
    _Atomic int done;
};

/* Longer than any spin of a waiting thread. */
static int work(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t end_ns = pe_now() + PE_US(150);

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    while (pe_now() < end_ns)
        ;
    return 0;
}

static void *wait_for_many(void *context)
{
    struct waiter *waiter = context;

    for (int i = 0; i < 3000; i++) {
        int64_t start_ns = pe_now();
        pe_job *job;

        if (pe_pool_submit(waiter->pool, work, NULL, 0, NULL, &job) != 0)
            abort();
        if (pe_job_wait(job, PE_FOREVER) != 0)
            abort();
        if (pe_now() - start_ns > waiter->longest_ns)
            waiter->longest_ns = pe_now() - start_ns;
        pe_job_free(job);
    }
    atomic_store(&waiter->done, 1);
    return NULL;
}

/* Loop and waiter take each other's rings; neither may sleep over its own. */
PE_TEST(p62_loop_and_waiting_thread_lose_nothing)
{
    struct waiter waiter = { .pool = pool_of(2) };
    int64_t longest_ns = 0;
    _Atomic int ended = 0;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_many, &waiter), 0);
    for (int asked = 1; !atomic_load(&waiter.done); asked++) {
        int64_t start_ns = pe_now();
        pe_job *job;

        ck_assert_int_eq(pe_pool_submit(waiter.pool, work, NULL, 0, NULL, &job), 0);
        ck_assert_int_eq(pe_job_on_done(job, free_job, (void *)&ended), 0);
        while (drain(waiter.pool), atomic_load(&ended) < asked) {
            if (!readable_by_poll(pe_pool_fd(waiter.pool), GUARD_MS))
                ck_abort_msg("lost");
        }
        if (pe_now() - start_ns > longest_ns)
            longest_ns = pe_now() - start_ns;
    }
    pthread_join(thread, NULL);
    pe_pool_free(waiter.pool);
    /* A lost ring is made up for after a second. */
    ck_assert_int_lt(longest_ns, PE_MS(900));
    ck_assert_int_lt(waiter.longest_ns, PE_MS(900));
}
END_TEST

/* The loop has no jobs of its own, so no later ring makes up for one that it took from the waiter. */
PE_TEST(p62_loop_takes_no_ring_of_a_waiting_thread)
{
    struct waiter waiter = { .pool = pool_of(2) };
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_many, &waiter), 0);
    while (!atomic_load(&waiter.done)) {
        drain(waiter.pool);
        readable_by_poll(pe_pool_fd(waiter.pool), 100);
    }
    pthread_join(thread, NULL);
    pe_pool_free(waiter.pool);
    ck_assert_int_lt(waiter.longest_ns, PE_MS(900));
}
END_TEST

static _Atomic uint32_t *second_may_serve;

static int second_waits(void *unused)
{
    (void)unused;
    if (pe_worker_index() == 1)
        word_await(second_may_serve, 1);
    return 0;
}

/* Lets the second worker serve once the thread that made this one sleeps. */
static void *let_second_serve(void *tid)
{
    char path[64], state = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", *(pid_t *)tid);
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            abort();
        fclose(file);
        sched_yield();
    }
    word_set(second_may_serve, 1);
    return NULL;
}

/* A submission that waits for room is rung for a claim. It has ended nothing then, and the loop, which was armed
 * before, still has to hear of the next end. */
PE_TEST(p62_a_wait_for_room_leaves_the_loop_armed)
{
    second_may_serve = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 1, .worker_init = second_waits });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pid_t self = gettid();
    pthread_t thread;
    pe_job *jobs[3];

    jobs[0] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 1);
    jobs[1] = gate_submit(pool, gate_pass, gate);
    ck_assert_int_eq(drain(pool), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, let_second_serve, &self), 0);
    jobs[2] = gate_submit(pool, gate_pass, gate);
    pthread_join(thread, NULL);
    word_await(&gate->arrived, 2);
    word_set(&gate->open, 1);
    ck_assert(readable_by_poll(pe_pool_fd(pool), GUARD_MS));
    while (drain(pool) == 0)
        ck_assert(readable_by_poll(pe_pool_fd(pool), GUARD_MS));
    ck_assert_uint_eq(job_status(jobs[0]).kind, PE_RETURNED);
    word_set(&gate->open, UINT32_MAX);
    for (int i = 0; i < 3; i++)
        job_finish(jobs[i]);
    pool_end(pool);
    munmap((void *)second_may_serve, 4096);
}
END_TEST

/* A loop that is armed, and then a wait in the same thread: it must sleep. */
PE_TEST(p73_a_wait_after_poll_sleeps)
{
    pe_pool *pool = pool_of(1);
    _Atomic int *flag;
    int64_t before_ns;
    void *memory;
    pe_job *job;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *flag, &memory), 0);
    flag = memory;
    ck_assert_int_eq(pe_pool_submit(pool, job_until_set, &flag, sizeof flag, NULL, &job), 0);
    drain(pool);
    before_ns = process_thread_cpu_ns();
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_MS(300))), PE_ETIMEDOUT);
    ck_assert_int_lt(process_thread_cpu_ns() - before_ns, PE_MS(60));
    atomic_store(flag, 1);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    pe_job_free(job);
    pe_pool_free(pool);
}
END_TEST

/* ---- idle ---- */

static void assert_all_idle(pe_pool *pool, uint32_t workers, int has_seed)
{
    struct process_worker found[4];
    pid_t pids[6];
    int count = 0, idle = 0;

    process_workers(pool, workers, found);
    for (uint32_t i = 0; i < workers; i++)
        pids[count++] = found[i].pid;
    pids[count++] = found[0].keeper;
    if (has_seed)
        pids[count++] = process_parent(found[0].keeper);
    for (int i = 0; i < count; i++) { /* let them fall asleep */
        for (int tries = 0; !process_is_idle(pids[i], PE_MS(20)) && tries < 100; tries++)
            ;
    }
    for (int round = 0; !idle && round < 3; round++) { /* another process may have pushed one off a CPU */
        struct process_effort before[6], after;
        const struct timespec second = { 1, 0 };

        for (int i = 0; i < count; i++)
            before[i] = process_effort(pids[i]);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &second, NULL);
        idle = 1;
        for (int i = 0; i < count; i++) {
            after = process_effort(pids[i]);
            idle &= after.voluntary_switches == before[i].voluntary_switches
                    && after.cpu_ns == before[i].cpu_ns;
        }
    }
    ck_assert_int_eq(idle, 1);
}

PE_TEST(p73_idle_pool_runs_nothing)
{
    pe_pool *pool = pool_of(4);

    assert_all_idle(pool, 4, 0);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p73_idle_pool_from_the_seed_runs_nothing)
{
    pe_pool *pool;

    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    pool = pool_with((pe_pool_options){ .workers = 2, .flags = PE_POOL_FROM_SEED });
    assert_all_idle(pool, 2, 1);
    pe_pool_free(pool);
}
END_TEST

HARNESS_MAIN("poll")
