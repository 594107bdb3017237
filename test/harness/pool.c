/*
 * Every wait has a hang guard, longer than any job of a test takes, since without a process for each test
 * Check's own time limits do not hold.
 */

#include "harness/pool.h"

#include <signal.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/harness.h"

static int64_t guard_ns(void)
{
    return pe_after((int64_t)(harness_slowness() * (double)PE_SECONDS(60)));
}

pe_pool *pool_with(pe_pool_options options)
{
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    getrlimit(RLIMIT_CORE, &no_cores);
    no_cores.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &no_cores);
    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

pe_pool *pool_of(uint32_t workers)
{
    return pool_with((pe_pool_options){ .workers = workers });
}

void pool_end(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_join(pool, guard_ns()), 0);
    pe_pool_free(pool);
}

void *pool_shared(pe_pool *pool, size_t bytes)
{
    void *memory = NULL;

    ck_assert_int_eq(pe_pool_alloc(pool, bytes, &memory), 0);
    return memory;
}

pe_stats pool_stats(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats;
}

pe_job *pool_submit_with(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, pe_job_options options)
{
    pe_job *job = NULL;

    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_submit(pool, fn, arg, arg_bytes, &options, &job), 0);
    return job;
}

pe_job *pool_submit_retried(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, uint32_t retries)
{
    return pool_submit_with(pool, fn, arg, arg_bytes, (pe_job_options){ .retries = retries });
}

pe_job *pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes)
{
    return pool_submit_with(pool, fn, arg, arg_bytes, (pe_job_options){ 0 });
}

pe_status pool_run(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes)
{
    return job_finish(pool_submit(pool, fn, arg, arg_bytes));
}

void pool_assert_usable(pe_pool *pool)
{
    pe_job *jobs[10];

    for (uint64_t i = 0; i < 10; i++)
        jobs[i] = pool_submit(pool, job_double, &i, sizeof i);
    for (uint64_t i = 0; i < 10; i++)
        job_assert_reply(jobs[i], &(uint64_t){ 2 * i }, sizeof i);
}

int job_segv(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    kill(getpid(), SIGSEGV);
    return 0;
}

void pool_assert_crash_is_told(pe_pool *pool)
{
    pe_status status = pool_run(pool, job_segv, NULL, 0);

    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGSEGV);
}

int32_t pool_worker_pid(pe_pool *pool)
{
    pe_job *job = pool_submit(pool, job_pid, NULL, 0);
    const void *data = NULL;
    size_t bytes = 0;
    int32_t pid;

    job_assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof pid);
    memcpy(&pid, data, sizeof pid);
    pe_job_free(job);
    return pid;
}

void pool_await_restarts(const pe_pool *pool, uint64_t restarts)
{
    int64_t guard = guard_ns();

    while (pool_stats(pool).restarts < restarts && pe_now() < guard)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(pool_stats(pool).restarts, restarts);
}

pe_status job_status(const pe_job *job)
{
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    return status;
}

pe_status job_ended(pe_job *job)
{
    ck_assert_int_eq(pe_job_wait(job, guard_ns()), 0);
    return job_status(job);
}

pe_status job_finish(pe_job *job)
{
    pe_status status = job_ended(job);

    pe_job_free(job);
    return status;
}

void job_assert_ended(pe_job *job, uint32_t kind, int code)
{
    pe_status status = job_ended(job);

    ck_assert_uint_eq(status.kind, kind);
    ck_assert_int_eq(status.code, code);
}

void job_assert_reply(pe_job *job, const void *wanted, size_t wanted_bytes)
{
    const void *data = NULL;
    size_t bytes = wanted_bytes + 1;

    job_assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, wanted_bytes);
    ck_assert_ptr_nonnull(data);
    ck_assert(memcmp(data, wanted, bytes) == 0);
    pe_job_free(job);
}

unsigned char *pattern(size_t bytes, uint64_t seed)
{
    unsigned char *memory = malloc(bytes + 8);

    ck_assert_ptr_nonnull(memory);
    for (size_t at = 0; at < bytes; at += 8) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        memcpy(memory + at, &seed, sizeof seed);
    }
    return memory;
}

uint64_t job_number(const pe_job *job)
{
    const void *data;
    size_t bytes;
    uint64_t number;

    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof number);
    memcpy(&number, data, sizeof number);
    return number;
}

int job_nothing(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    return 0;
}

int job_echo(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    return pe_reply_write(reply, arg, arg_bytes);
}

int job_pid(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int32_t pid = (int32_t)getpid();

    (void)arg, (void)arg_bytes;
    return pe_reply_write(reply, &pid, sizeof pid);
}

int job_double(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t value;

    if (arg_bytes != sizeof value)
        return -1;
    memcpy(&value, arg, sizeof value);
    value *= 2;
    return pe_reply_write(reply, &value, sizeof value);
}

int job_until_set(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int *flag;

    (void)arg_bytes, (void)reply;
    memcpy(&flag, arg, sizeof flag);
    while (!atomic_load(flag))
        sched_yield();
    return 7;
}

int job_for_ever(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int32_t *pid;

    (void)reply;
    if (arg_bytes != sizeof pid)
        return -1;
    memcpy(&pid, arg, sizeof pid);
    atomic_store(pid, (int32_t)getpid());
    for (;;)
        pause();
}

int32_t job_await_pid(_Atomic int32_t *pid)
{
    int64_t guard = guard_ns();

    while (atomic_load(pid) == 0 && pe_now() < guard)
        sched_yield();
    ck_assert_int_ne(atomic_load(pid), 0);
    return atomic_load(pid);
}
