/* What goes wrong by a job's doing or the host's: codes and messages, initialisers that fail, too many
 * workers, replies above the limit. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/pool.h"

/* ---- codes and messages ---- */

/* arg: bytes of the message. */
static int fail_with_text(const void *arg, size_t bytes, pe_reply *reply)
{
    char text[10241];
    uint64_t length;

    (void)bytes, (void)reply;
    memcpy(&length, arg, sizeof length);
    for (uint64_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    text[length] = '\0';
    return pe_worker_fail(7, "%s", text);
}

static void assert_text(pe_pool *pool, uint64_t length)
{
    pe_job *job = pool_submit(pool, fail_with_text, &length, sizeof length);
    pe_status status = job_ended(job);
    const char *text = NULL;
    size_t bytes = 0, kept = length < PE_TEXT_BYTES_MAX ? length : PE_TEXT_BYTES_MAX - 1;
    size_t own = kept == length ? kept : kept - 3;

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 7);
    if (length > 0) {
        ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, &bytes), 0);
        ck_assert_uint_eq(bytes, kept);
        ck_assert_uint_eq(strlen(text), kept);
        for (size_t i = 0; i < own; i++)
            ck_assert_int_eq(text[i], (char)('a' + i % 26));
        ck_assert_str_eq(text + own, own < kept ? "..." : "");
    } else {
        ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, &bytes), PE_ENODATA);
    }
    pe_job_free(job);
}

PE_TEST(c01_long_message_is_cut_with_a_mark)
{
    static const uint64_t lengths[] = { 10240, 1, 1022, 1023, 1024, 1025, 0, 100 };
    pe_pool *pool = pool_of(1);

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_text(pool, lengths[i]);
    pool_end(pool);
}

static int return_given(const void *arg, size_t bytes, pe_reply *reply)
{
    int code;

    (void)bytes, (void)reply;
    memcpy(&code, arg, sizeof code);
    return code;
}

PE_TEST(codes_of_any_value_come_back)
{
    static const int codes[] = { 0, 1, -1, 255, 256, INT32_MAX, INT32_MIN, PE_EAGAIN, PE_EITEMS };
    pe_pool *pool = pool_of(1);

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pe_job *job = pool_submit(pool, return_given, &codes[i], sizeof codes[i]);
        pe_status status = job_ended(job);

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, codes[i]);
        pe_job_free(job);
    }
    pool_end(pool);
}

static int fail_twice(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    errno = 77;
    pe_worker_fail(1, "the first");
    pe_worker_fail(2, NULL);
    return pe_worker_fail(errno, "%s stands", "the last");
}

PE_TEST(last_message_stands_and_errno_stays)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, fail_twice, NULL, 0);
    const char *text = NULL;

    ck_assert_int_eq(job_ended(job).code, 77);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), 0);
    ck_assert_str_eq(text, "the last stands");
    pe_job_free(job);
    job = pool_submit(pool, job_nothing, NULL, 0);
    job_ended(job);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    pe_job_free(job);
    pool_end(pool);
}

static int says_why(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int code = 0;

    (void)reply;
    if (arg_bytes == sizeof code)
        memcpy(&code, arg, sizeof code);
    return code == 0 ? 0 : pe_worker_fail(code, "job said %d of %s", code, "itself");
}

PE_TEST(p38_job_returns_code_and_message)
{
    static const int codes[] = { 0, 1, 7, -7, INT32_MAX, INT32_MIN };
    pe_pool *pool = pool_of(2);

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        pe_job *job = pool_submit_retried(pool, says_why, &codes[i], sizeof codes[i], 3);
        char expected[64];
        const char *message = NULL;
        size_t bytes = 0;
        pe_status status;

        job_ended(job);
        if (codes[i] == 0) {
            ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &message, &bytes), PE_ENODATA);
        } else {
            snprintf(expected, sizeof expected, "job said %d of itself", codes[i]);
            ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &message, &bytes), 0);
            ck_assert_str_eq(message, expected);
            ck_assert_uint_eq(bytes, strlen(expected));
        }
        status = job_finish(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, codes[i]);
        ck_assert_uint_eq(status.attempts, 1); /* an error that was returned is not retried */
    }
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pe_pool_free(pool);
}

static int item_says_why(const void *in, void *out, const void *context)
{
    int item = *(const int *)in;

    (void)out;
    (void)context;
    return item % 10 == 3 ? pe_worker_fail(item + 1, "item %d, %s", item, "bad input") : 0;
}

PE_TEST(p38_item_returns_code_and_message)
{
    enum { COUNT = 100 };
    pe_pool *pool = pool_of(2);
    pe_job *job = NULL;
    int in[COUNT];

    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    ck_assert_int_eq(pe_pool_start_map(pool, item_says_why, in, sizeof *in, NULL, 0, COUNT, NULL, &job), 0);
    job_ended(job);
    for (int i = 0; i < COUNT; i++) {
        char expected[64];
        const char *message = NULL;
        size_t bytes = 0;
        pe_status status;
        int bad = i % 10 == 3;

        ck_assert_int_eq(pe_job_item_status(job, (uint64_t)i, &status), 0);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, bad ? i + 1 : 0);
        ck_assert_int_eq(pe_job_item_text(job, (uint64_t)i, PE_TEXT_MESSAGE, &message, &bytes),
                         bad ? 0 : PE_ENODATA);
        snprintf(expected, sizeof expected, "item %d, bad input", i);
        if (bad)
            ck_assert_str_eq(message, expected);
    }
    pe_job_free(job);
    pe_pool_free(pool);
}

/* Dies at first, and then says something although nothing is wrong. */
static int item_says_nothing_bad(const void *in, void *out, const void *context)
{
    _Atomic uint32_t *begun;

    (void)in, (void)out;
    memcpy(&begun, context, sizeof begun);
    if (atomic_fetch_add(begun, 1) == 0)
        abort();
    return pe_worker_fail(0, "all is well");
}

PE_TEST(an_item_that_returns_0_leaves_no_message)
{
    pe_pool *pool = pool_of(1);
    _Atomic uint32_t *begun = pool_shared(pool, sizeof *begun);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    const char *message = NULL;
    pe_job *job = NULL;

    options.context = &begun;
    options.context_bytes = sizeof begun;
    for (options.retries = 1;; options.retries = 0) {
        ck_assert_int_eq(pe_pool_start_map(pool, item_says_nothing_bad, NULL, 0, NULL, 0, 1, &options, &job), 0);
        job_assert_ended(job, PE_RETURNED, 0);
        ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &message, NULL), PE_ENODATA);
        pe_job_free(job);
        if (options.retries == 0)
            break;
    }
    ck_assert_uint_eq(atomic_load(begun), 3);
    pe_pool_free(pool);
}

/* ---- initialisers ---- */

/* Shared by the test and its workers, and mapped before the pool is made. */
struct lives {
    _Atomic uint32_t begun;
    _Atomic uint32_t left;
    uint32_t good; /* so many initialisers succeed */
};

static struct lives *new_lives(uint32_t good)
{
    struct lives *lives =
        mmap(NULL, sizeof *lives, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(lives, MAP_FAILED);
    lives->good = good;
    return lives;
}

static int global, initialised;

static int set_global(void *context)
{
    struct lives *lives = context;

    global = 42;
    initialised++;
    return atomic_fetch_add(&lives->begun, 1) < lives->good ? 0 : 5;
}

static int count_exit(void *context)
{
    struct lives *lives = context;

    atomic_fetch_add(&lives->left, 1);
    return 0;
}

struct told {
    int global, initialised, pid, index;
};

static int tell_global(const void *arg, size_t bytes, pe_reply *reply)
{
    struct told told = { global, initialised, (int)getpid(), pe_worker_index() };

    (void)arg, (void)bytes;
    return pe_reply_write(reply, &told, sizeof told);
}

PE_TEST_LOOP(c02_initialiser_runs_once_per_life, 1, 4)
{
    struct lives *lives = new_lives(UINT32_MAX);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = (uint32_t)_i,
                                                 .worker_init = set_global,
                                                 .worker_exit = count_exit,
                                                 .worker_context = lives,
                                                 .jobs_per_worker = 3 });
    int pids[30];
    pe_job *jobs[30];
    pe_stats stats;

    for (int i = 0; i < 30; i++)
        jobs[i] = pool_submit(pool, tell_global, NULL, 0);
    for (int i = 0; i < 30; i++) {
        struct told told;
        const void *data;
        int same = 0;

        ck_assert_uint_eq(job_ended(jobs[i]).kind, PE_RETURNED);
        ck_assert_int_eq(pe_job_result(jobs[i], &data, NULL), 0);
        memcpy(&told, data, sizeof told);
        ck_assert_int_eq(told.global, 42);
        ck_assert_int_eq(told.initialised, 1);
        ck_assert_int_lt(told.index, _i);
        pids[i] = told.pid;
        for (int k = 0; k < i; k++)
            same += pids[k] == told.pid;
        ck_assert_int_lt(same, 3);
        pe_job_free(jobs[i]);
    }
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    stats = pool_stats(pool);
    ck_assert_uint_ge(stats.recycled, 30 / 3 - (unsigned)_i);
    ck_assert_uint_eq(stats.restarts, 0);
    pe_pool_free(pool);
    ck_assert_uint_ge(atomic_load(&lives->begun), 10);
    ck_assert_uint_eq(atomic_load(&lives->left), atomic_load(&lives->begun));
    munmap(lives, sizeof *lives);
}

PE_TEST_LOOP(c03_initialiser_that_fails_makes_no_pool, 1, 4)
{
    struct lives *lives = new_lives(0);
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = (pe_pool *)lives;

    options.workers = (uint32_t)_i;
    options.worker_init = set_global;
    options.worker_context = lives;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_eq(pool, (pe_pool *)lives);
    ck_assert_uint_le(atomic_load(&lives->begun), (unsigned)_i);
    munmap(lives, sizeof *lives);
}

static int die_in_init(void *context)
{
    (void)context;
    abort();
}

static int exit_in_init(void *context)
{
    (void)context;
    exit(0);
}

PE_TEST_LOOP(initialiser_that_ends_its_process, 0, 2)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 2;
    options.worker_init = _i ? exit_in_init : die_in_init;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_null(pool);
}

static int die(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    raise(SIGKILL);
    return 0;
}

/* The first life serves, every later one fails in its initialiser. Five deaths are answered at once, each
 * further one after 100 ms, and the eighth in a row ends it: so not before 200 ms. */
PE_TEST(c03_initialiser_that_fails_later_breaks_the_pool)
{
    struct lives *lives = new_lives(1);
    pe_pool *pool = pool_with((pe_pool_options){
        .workers = 1, .worker_init = set_global, .worker_context = lives, .max_deaths = 8 });
    pe_job *waiting, *crashed = pool_submit(pool, die, NULL, 0);
    int64_t began = pe_now();
    void *memory = NULL;
    int polled;

    ck_assert_uint_eq(job_ended(crashed).kind, PE_CRASHED);
    waiting = pool_submit(pool, job_echo, "never", 6);
    ck_assert_uint_eq(job_ended(waiting).kind, PE_LOST);
    ck_assert_int_ge(pe_now() - began, PE_MS(200));
    ck_assert_uint_eq(atomic_load(&lives->begun), 8); /* the first and seven in vain */
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_alloc(pool, 8, &memory), PE_EBROKEN);
    ck_assert_int_eq(pe_job_result(waiting, NULL, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    while ((polled = pe_pool_poll(pool)) > 0)
        ;
    ck_assert_int_eq(polled, PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), PE_EBROKEN);
    pe_pool_free(pool);
    pe_job_free(waiting);
    pe_job_free(crashed);
    munmap(lives, sizeof *lives);
}

/* ---- number of workers ---- */

PE_TEST(c05_workers_by_default_and_too_many)
{
    static const uint32_t refused[] = { UINT32_MAX, 100000, PE_WORKERS_MAX + 1, UINT32_MAX - 1,
                                        UINT32_MAX / 2 + 1 };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        options.workers = refused[i];
        ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINVAL);
        ck_assert_ptr_null(pool);
    }
    options.workers = 0;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    ck_assert_uint_eq(pool_stats(pool).workers, (uint32_t)pe_cpu_count());
    pool_end(pool);
    ck_assert_int_eq(pe_pool_new(NULL, &pool), 0);
    ck_assert_uint_eq(pool_stats(pool).workers, (uint32_t)pe_cpu_count());
    pool_end(pool);
}

PE_TEST(c05_as_many_workers_as_fork_allows)
{
    pe_pool *pool;
    pe_job *job;

    /* The keeper's own fork, two workers, and no more. */
    harness_fail_from(HARNESS_FORK, 4, EAGAIN);
    pool = pool_of(300);
    for (int i = 0; i < 100; i++) {
        job = pool_submit(pool, job_echo, "some", 5);
        ck_assert_uint_eq(job_ended(job).kind, PE_RETURNED);
        pe_job_free(job);
    }
    ck_assert_uint_le(pool_stats(pool).workers_alive, 3);
    pool_end(pool);
}

/* ---- replies above the limit ---- */

/* arg: bytes of the reply, in pieces of 100. */
static int reply_much(const void *arg, size_t bytes, pe_reply *reply)
{
    static const char piece[100];
    uint64_t much;
    int error = 0;

    (void)bytes;
    memcpy(&much, arg, sizeof much);
    for (; much >= sizeof piece && error == 0; much -= sizeof piece)
        error = pe_reply_write(reply, piece, sizeof piece);
    if (error == 0)
        error = pe_reply_write(reply, piece, much);
    if (error != 0 && (pe_reply_write(reply, "x", 1) != error || pe_reply_reserve(reply, 0) != NULL))
        return 99; /* the first error sticks */
    return 0;
}

PE_TEST_LOOP(c06_replies_above_the_limit, 0, 3)
{
    static const uint64_t limits[] = { 20, 1000, 100000 }; /* in the record, in a block, in a larger one */
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .max_reply_bytes = limits[_i] });
    uint64_t much = limits[_i] + 1;
    pe_job *job;
    size_t bytes = 0;

    for (int i = 0; i < 20; i++) {
        pe_status status;

        job = pool_submit(pool, reply_much, &much, sizeof much);
        status = job_ended(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, PE_ETOOBIG);
        ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
        pe_job_free(job);
    }
    much--;
    job = pool_submit(pool, reply_much, &much, sizeof much);
    ck_assert_int_eq(job_ended(job).code, 0);
    ck_assert_int_eq(pe_job_result(job, NULL, &bytes), 0);
    ck_assert_uint_eq(bytes, much);
    pe_job_free(job);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
}

HARNESS_MAIN("errors")
