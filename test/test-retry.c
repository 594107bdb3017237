/*
 * Jobs and items that are tried again: how often, what counts as an attempt, and that each is delivered once.
 * Scenario b09 and rows P28 and P29 of the list of features.
 */

#include "harness/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"

/* Counts its attempts by the bytes of a file. */
static int dies_twice(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int file = open(arg, O_WRONLY | O_APPEND | O_CLOEXEC);
    off_t attempts;

    (void)arg_bytes;
    if (file < 0 || write(file, "x", 1) != 1)
        return -1;
    attempts = lseek(file, 0, SEEK_END);
    close(file);
    if (attempts <= 2)
        die(WAY_NULL);
    return pe_reply_write(reply, &attempts, sizeof attempts);
}

PE_TEST(b09_third_attempt_returns)
{
    pe_pool *pool = pool_of(2);

    for (uint32_t retries = 1; retries <= 2; retries++) {
        char name[] = "/tmp/test-crash-XXXXXX";
        int file = mkstemp(name);
        pe_job *job = pool_submit_retried(pool, dies_twice, name, sizeof name, retries);
        off_t attempts = 0;
        const void *data = NULL;
        size_t bytes = 0;
        pe_status status;
        int result;

        job_ended(job);
        result = pe_job_result(job, &data, &bytes);
        if (result == 0)
            memcpy(&attempts, data, sizeof attempts);
        status = job_finish(job);
        ck_assert_int_eq((int)lseek(file, 0, SEEK_END), (int)retries + 1);
        close(file);
        unlink(name);
        ck_assert_int_eq(result, retries == 2 ? 0 : PE_ENODATA);
        ck_assert_int_eq((int)attempts, retries == 2 ? 3 : 0);
        ck_assert_uint_eq(status.kind, retries == 2 ? PE_RETURNED : PE_CRASHED);
        ck_assert_int_eq(status.code, retries == 2 ? 0 : SIGSEGV);
        ck_assert_uint_eq(status.attempts, retries + 1);
    }
    pe_pool_free(pool);
}

PE_TEST(b09_third_attempt_of_an_item_returns)
{
    struct plan plan = { .count = 40, .every = 40, .at = 5, .attempts = 2, .way = WAY_NULL };
    pe_pool *pool = pool_of(2);

    ck_assert_uint_eq(plan_run(pool, &plan, 0, 2), 0);
    ck_assert_uint_eq(plan_run(pool, &plan, 0, 1), 1);
    pe_pool_free(pool);
}

PE_TEST_LOOP(p28_retries_then_gives_up, 0, 4)
{
    struct plan plan = { .count = 300, .every = 50, .at = 7, .attempts = 2, .way = WAY_ABORT };
    pe_pool *pool = pool_of(2);

    ck_assert_uint_eq(plan_run(pool, &plan, 10, (uint32_t)_i), _i < 2 ? 6 : 0);
    pe_pool_free(pool);
}

/* In the second life the way back to the item is long, and death comes on that way. */
enum { LONG_HAND = 4000000 };

struct second_life {
    _Atomic uint32_t lives, begun;
};

static void die_by_timer(int number)
{
    (void)number;
    kill(getpid(), SIGKILL);
}

static int arm_timer(void *context)
{
    struct itimerval soon = { .it_value = { .tv_usec = 400 } };
    struct second_life *second = context;
    uint32_t life = atomic_fetch_add(&second->lives, 1);

    if (life >= 1 && life <= 3) {
        signal(SIGALRM, die_by_timer);
        setitimer(ITIMER_REAL, &soon, NULL);
    }
    return 0;
}

static int last_item_dies_once(const void *in, void *out, const void *context)
{
    struct second_life *const *second = context;
    struct itimerval none = { .it_value = { .tv_usec = 0 } };

    (void)in;
    (void)out;
    if (pe_worker_item() < LONG_HAND - 1)
        return 0;
    setitimer(ITIMER_REAL, &none, NULL);
    if (atomic_fetch_add(&(*second)->begun, 1) == 0)
        die(WAY_KILL);
    return 0;
}

PE_TEST(p28_death_before_the_retry_is_no_attempt)
{
    struct second_life *second =
        mmap(NULL, sizeof *second, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pe_pool_options pool_options = PE_POOL_OPTIONS_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;
    pe_status status;
    pe_pool *pool;

    ck_assert_ptr_ne(second, MAP_FAILED);
    pool_options.workers = 1;
    pool_options.shared_bytes = (uint64_t)256 << 20;
    pool_options.worker_init = arm_timer;
    pool_options.worker_context = second;
    pool = pool_with(pool_options);
    options.chunk = LONG_HAND;
    options.retries = 2;
    options.context = &second;
    options.context_bytes = sizeof second;
    ck_assert_int_eq(
        pe_pool_start_map(pool, last_item_dies_once, NULL, 0, NULL, 0, LONG_HAND, &options, &job), 0);
    job_ended(job);
    ck_assert_int_eq(pe_job_item_status(job, LONG_HAND - 1, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_uint_eq(status.attempts, second->begun);
    pe_job_free(job);
    pe_pool_free(pool);
    munmap(second, sizeof *second);
}

PE_TEST(p28_jobs_retry_then_give_up)
{
    pe_pool *pool = pool_of(2);
    struct entry *ledger = pool_shared(pool, 64 * sizeof *ledger);

    for (uint32_t i = 0; i < 16; i++) {
        struct counted counted = { &ledger[i], i / 4 };
        int done = 0;
        uint32_t retries = i % 4, attempt = 0, expected = i / 4 <= retries ? i / 4 + 1 : retries + 1;
        pe_job *job = pool_submit_retried(pool, job_counted, &counted, sizeof counted, retries);
        int returns = i / 4 <= retries;
        const void *data = NULL;
        size_t bytes = 0;
        pe_status status;

        ck_assert_int_eq(pe_job_on_done(job, count_call, &done), 0);
        job_ended(job);
        ck_assert_int_eq(pe_job_result(job, &data, &bytes), returns ? 0 : PE_ENODATA);
        if (returns) {
            ck_assert_uint_eq(bytes, sizeof attempt); /* nothing of an earlier attempt in it */
            memcpy(&attempt, data, sizeof attempt);
            ck_assert_uint_eq(attempt, expected);
        }
        status = job_finish(job);
        ck_assert_uint_eq(status.kind, returns ? PE_RETURNED : PE_CRASHED);
        ck_assert_uint_eq(status.attempts, expected);
        ck_assert_uint_eq(ledger[i].begun, expected);
        ck_assert_uint_eq(ledger[i].ended, returns);
        ck_assert_int_eq(done, 1);
    }
    pe_pool_free(pool);
}

/* Half of all items die once: each has one status, one value, and ran exactly as often as it says. */
PE_TEST_LOOP(p29_retried_items_are_delivered_once, 0, 3)
{
    static const uint64_t chunks[] = { 0, 1, 50 };
    struct plan plan = { .count = 99, .every = 2, .at = 1, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 4, UINT32_MAX);

    plan.first_waits = 1;
    ck_assert_uint_eq(plan_run(pool, &plan, 1, 3), 0);
    plan.first_waits = 0;
    ck_assert_uint_eq(plan_run(pool, &plan, chunks[_i], 3), 0);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* The flag is what it dies of. */
static int dies_when_asked(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic uint32_t *begun;

    (void)arg_bytes, (void)reply;
    memcpy(&begun, arg, sizeof begun);
    word_add(begun);
    while (!pe_worker_cancelled())
        ;
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(p28_what_was_cancelled_is_not_run_again)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_SECONDS(20) });
    _Atomic uint32_t *begun = pool_shared(pool, sizeof *begun);
    pe_job *job = pool_submit_retried(pool, dies_when_asked, &begun, sizeof begun, 5);
    pe_status status;

    word_await(begun, 1);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    status = job_finish(job);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGKILL);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_uint_eq(atomic_load(begun), 1);
    pe_pool_free(pool);
}

/* A limit is of one attempt. */
PE_TEST(p28_what_dies_at_its_limit_is_run_again)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = PE_SECONDS(20) });
    _Atomic uint32_t *begun = pool_shared(pool, sizeof *begun);
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_status status;
    pe_job *job;

    options.retries = 1;
    options.timeout_ns = PE_MS(20);
    ck_assert_int_eq(pe_pool_submit(pool, dies_when_asked, &begun, sizeof begun, &options, &job), 0);
    status = job_finish(job);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_uint_eq(status.attempts, 2);
    ck_assert_int_ge(status.run_ns, options.timeout_ns);
    pe_pool_free(pool);
}

HARNESS_MAIN("retry")
