/*
 * A child that the host forks itself inherits handles that are not its own: every call says so, the free
 * functions give back its copies, and nothing that it does reaches the parent's pool.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <parexec/error.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define BIG_BYTES ((size_t)3 << 20)

static int answer_bytes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct {
        size_t bytes;
        int fill;
    } wish;
    void *place;

    memcpy(&wish, arg, sizeof wish);
    (void)arg_bytes;
    place = pe_reply_reserve(reply, wish.bytes);
    if (place)
        memset(place, wish.fill, wish.bytes);
    return place ? 0 : 1;
}

static pe_job *submit_bytes(pe_pool *pool, size_t bytes, int fill)
{
    struct {
        size_t bytes;
        int fill;
    } wish = { bytes, fill };
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(pool, answer_bytes, &wish, sizeof wish, NULL, &job), 0);
    return job;
}

static void assert_bytes(pe_job *job, size_t bytes, int fill)
{
    const unsigned char *data;
    const void *place;
    size_t got;

    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_result(job, &place, &got), 0);
    data = place;
    ck_assert_uint_eq(got, bytes);
    ck_assert_int_eq(data[0], fill);
    ck_assert_int_eq(memcmp(data, data + 1, bytes - 1), 0);
}

static int square(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

static int add_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    *(uint64_t *)acc += last - first;
    return 0;
}

static void ignore_end(pe_job *job, void *context)
{
    (void)job;
    (void)context;
}

static pe_pool *pool;
static pe_job *live_job, *ended_job;
static void *pool_memory;

/* 0, or the number of the first call that answered something else than PE_EFORKED. */
static int call_everything(void)
{
    pe_stats stats = PE_STATS_INIT;
    pe_status status;
    pe_job *job;
    const void *data;
    const char *text;
    size_t bytes;
    void *memory;
    int in = 3, out = 0;
    uint64_t acc = 0;
    const int results[] = {
        pe_pool_submit(pool, job_until_set, NULL, 0, NULL, &job),
        pe_pool_try_submit(pool, job_until_set, NULL, 0, NULL, &job),
        pe_pool_map(pool, square, &in, sizeof in, &out, sizeof out, 1, NULL),
        pe_pool_start_map(pool, square, &in, sizeof in, &out, sizeof out, 1, NULL, &job),
        pe_pool_reduce(pool, add_range, combine_sum, 0, 10, &acc, sizeof acc, NULL),
        pe_pool_wait(pool, PE_FOREVER),
        pe_pool_close(pool),
        pe_pool_join(pool, PE_FOREVER),
        pe_pool_cancel_queued(pool),
        pe_pool_kill(pool, PE_NOW),
        pe_pool_alloc(pool, 100, &memory),
        pe_pool_fd(pool),
        pe_pool_poll(pool),
        pe_pool_stats(pool, &stats),
        pe_job_wait(live_job, PE_FOREVER),
        pe_job_wait_any(&live_job, 1, PE_FOREVER, &bytes),
        pe_job_status(live_job, &status),
        pe_job_item_status(live_job, 0, &status),
        pe_job_item_text(live_job, 0, PE_TEXT_MESSAGE, &text, &bytes),
        pe_job_result(ended_job, &data, &bytes),
        pe_job_cancel(live_job),
        pe_job_on_done(live_job, ignore_end, NULL),
    };

    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (results[i] != PE_EFORKED)
            return (int)i + 1;
    }
    return 0;
}

static int free_everything(void)
{
    pe_pool_interrupt(pool);
    pe_pool_dealloc(pool, pool_memory);
    pe_job_free(live_job);
    pe_pool_free(pool);
    pe_job_free(ended_job);
    return 0;
}

static void with_pool_and_jobs(int (*look)(void), int rounds)
{
    _Atomic int *flag;
    pe_status status;

    ck_assert_int_eq(pe_pool_new(&(pe_pool_options){ PE_SIZED(pe_pool_options), .workers = 2 }, &pool), 0);
    ck_assert_int_eq(pe_pool_alloc(pool, 1 << 20, &pool_memory), 0);
    memset(pool_memory, 'm', 1 << 20);
    ck_assert_int_eq(pe_pool_alloc(pool, sizeof *flag, (void **)&flag), 0);
    ck_assert_int_eq(pe_pool_submit(pool, job_until_set, &flag, sizeof flag, NULL, &live_job), 0);
    ended_job = submit_bytes(pool, BIG_BYTES, 'a');
    ck_assert_int_eq(pe_job_wait(ended_job, PE_FOREVER), 0);
    for (int i = 0; i < rounds; i++)
        ck_assert_int_eq(process_in_child(look), 0);
    for (int i = 0; i < 4; i++) { /* would overwrite what the child gave back */
        pe_job *job = submit_bytes(pool, BIG_BYTES, 'b');

        assert_bytes(job, BIG_BYTES, 'b');
        assert_bytes(ended_job, BIG_BYTES, 'a');
        pe_job_free(job);
    }
    ck_assert_int_eq(*(char *)pool_memory, 'm');
    ck_assert_int_eq(memcmp(pool_memory, (char *)pool_memory + 1, (1 << 20) - 1), 0);
    atomic_store(flag, 1);
    ck_assert_int_eq(pe_job_wait(live_job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(live_job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 7);
    pe_job_free(live_job);
    pe_job_free(ended_job);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}

PE_TEST(p60_every_call_tells_the_child)
{
    with_pool_and_jobs(call_everything, 1);
}
END_TEST

PE_TEST(p60_free_functions_in_the_child_are_harmless)
{
    with_pool_and_jobs(free_everything, 2);
}
END_TEST

static int end_silently(void)
{
    return 0;
}

PE_TEST(p60_end_of_the_child_is_harmless)
{
    with_pool_and_jobs(end_silently, 3);
}
END_TEST

static int use_own_pool(void)
{
    int in[10], out[10];
    pe_pool *own;

    if (free_everything() != 0 || pe_pool_new(NULL, &own) != 0)
        return 1;
    for (int i = 0; i < 10; i++)
        in[i] = i;
    if (pe_pool_map(own, square, in, sizeof *in, out, sizeof *out, 10, NULL) != 0 || out[9] != 81)
        return 2;
    pe_pool_free(own);
    return waitpid(-1, NULL, 0) == -1 && errno == ECHILD ? 0 : 3;
}

PE_TEST(p60_child_may_make_a_pool_of_its_own)
{
    with_pool_and_jobs(use_own_pool, 1);
}
END_TEST

static _Atomic int busy;

static void *keep_locking(void *unused)
{
    pe_stats stats = PE_STATS_INIT;

    (void)unused;
    while (atomic_load(&busy))
        pe_pool_stats(pool, &stats);
    return NULL;
}

/* The child's copy of the pool's mutex is often locked for ever. */
PE_TEST(p60_child_takes_no_lock)
{
    pthread_t thread;

    ck_assert_int_eq(pe_pool_new(NULL, &pool), 0);
    ended_job = submit_bytes(pool, 100, 'a');
    ck_assert_int_eq(pe_job_wait(ended_job, PE_FOREVER), 0);
    live_job = ended_job;
    pool_memory = NULL;
    atomic_store(&busy, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_locking, NULL), 0);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(process_in_child(call_everything), 0);
    atomic_store(&busy, 0);
    pthread_join(thread, NULL);
    pe_job_free(ended_job);
    pe_pool_free(pool);
}
END_TEST

HARNESS_MAIN("forked")
