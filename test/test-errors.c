/* What goes wrong by the caller's doing or a job's: codes and messages, initialisers that fail, replies above
 * the limit, callbacks that do everything they may, and bad input to every public function. A call that is
 * refused must have started nothing. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pe_pool *pool_with(pe_pool_options options)
{
    pe_pool *pool = NULL;

    options.size = sizeof options;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

static pe_pool *pool_of(uint32_t workers)
{
    return pool_with((pe_pool_options){ .workers = workers });
}

static void end_pool(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t bytes)
{
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, fn, arg, bytes, NULL, &job), 0);
    return job;
}

static pe_status ended(pe_job *job)
{
    pe_status status;

    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    return status;
}

static pe_stats stats_of(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats;
}

static int say_nothing(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    return 0;
}

static int echo(const void *arg, size_t bytes, pe_reply *reply)
{
    return pe_reply_write(reply, arg, bytes);
}

static int item(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    return 0;
}

static int range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first, (void)last, (void)acc, (void)context;
    return 0;
}

static int combine(void *acc, const void *part, const void *context)
{
    (void)acc, (void)part, (void)context;
    return 0;
}

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
    pe_job *job = submit(pool, fail_with_text, &length, sizeof length);
    pe_status status = ended(job);
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
    end_pool(pool);
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
        pe_job *job = submit(pool, return_given, &codes[i], sizeof codes[i]);
        pe_status status = ended(job);

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, codes[i]);
        pe_job_free(job);
    }
    end_pool(pool);
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
    pe_job *job = submit(pool, fail_twice, NULL, 0);
    const char *text = NULL;

    ck_assert_int_eq(ended(job).code, 77);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), 0);
    ck_assert_str_eq(text, "the last stands");
    pe_job_free(job);
    job = submit(pool, say_nothing, NULL, 0);
    ended(job);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), PE_ENODATA);
    pe_job_free(job);
    end_pool(pool);
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
        jobs[i] = submit(pool, tell_global, NULL, 0);
    for (int i = 0; i < 30; i++) {
        struct told told;
        const void *data;
        int same = 0;

        ck_assert_uint_eq(ended(jobs[i]).kind, PE_RETURNED);
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
    stats = stats_of(pool);
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
    pe_job *waiting, *crashed = submit(pool, die, NULL, 0);
    int64_t began = pe_now();
    void *memory = NULL;
    int polled;

    ck_assert_uint_eq(ended(crashed).kind, PE_CRASHED);
    waiting = submit(pool, echo, "never", 6);
    ck_assert_uint_eq(ended(waiting).kind, PE_LOST);
    ck_assert_int_ge(pe_now() - began, PE_MS(200));
    ck_assert_uint_eq(atomic_load(&lives->begun), 8); /* the first and seven in vain */
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, NULL, NULL), PE_EBROKEN);
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
    ck_assert_uint_eq(stats_of(pool).workers, (uint32_t)pe_cpu_count());
    end_pool(pool);
    ck_assert_int_eq(pe_pool_new(NULL, &pool), 0);
    ck_assert_uint_eq(stats_of(pool).workers, (uint32_t)pe_cpu_count());
    end_pool(pool);
}

PE_TEST(c05_as_many_workers_as_fork_allows)
{
    pe_pool *pool;
    pe_job *job;

    /* The keeper's own fork, two workers, and no more. */
    harness_fail_from(HARNESS_FORK, 4, EAGAIN);
    pool = pool_of(300);
    for (int i = 0; i < 100; i++) {
        job = submit(pool, echo, "some", 5);
        ck_assert_uint_eq(ended(job).kind, PE_RETURNED);
        pe_job_free(job);
    }
    ck_assert_uint_le(stats_of(pool).workers_alive, 3);
    end_pool(pool);
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

        job = submit(pool, reply_much, &much, sizeof much);
        status = ended(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, PE_ETOOBIG);
        ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
        pe_job_free(job);
    }
    much--;
    job = submit(pool, reply_much, &much, sizeof much);
    ck_assert_int_eq(ended(job).code, 0);
    ck_assert_int_eq(pe_job_result(job, NULL, &bytes), 0);
    ck_assert_uint_eq(bytes, much);
    pe_job_free(job);
    ck_assert_uint_eq(stats_of(pool).restarts, 0);
    end_pool(pool);
}

/* ---- callbacks ---- */

struct scene {
    pe_pool *pool;
    pe_job *first, *queued, *spare, *added;
    int order[8], calls, inside, refused, added_calls;
};

static void begin_call(struct scene *scene, int who)
{
    ck_assert_int_eq(scene->inside, 0);
    scene->inside = 1;
    scene->order[scene->calls++] = who;
}

static void added_is_done(pe_job *job, void *context)
{
    struct scene *scene = context;

    ck_assert_ptr_eq(job, scene->added);
    begin_call(scene, 4);
    scene->added_calls++;
    scene->inside = 0;
}

static void do_everything(pe_job *job, void *context)
{
    struct scene *scene = context;
    pe_pool *pool = scene->pool;
    uint64_t acc = 0;

    begin_call(scene, 1);
    ck_assert_ptr_eq(job, scene->first);
    ck_assert_int_eq(pe_pool_submit(pool, echo, "added", 6, NULL, &scene->added), 0);
    ck_assert_int_eq(pe_job_on_done(scene->added, added_is_done, scene), 0);
    pe_job_cancel(scene->queued);
    pe_job_free(scene->spare);
    pe_job_free(job);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER),
                     0); /* it has ended, and its memory is there until we return */
    scene->refused += pe_job_wait(scene->added, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_wait(pool, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_join(pool, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_kill(pool, 0) == PE_EDEADLK;
    scene->refused += pe_pool_poll(pool) == PE_EDEADLK;
    scene->refused += pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, NULL) == PE_EDEADLK;
    scene->refused += pe_pool_reduce(pool, range, combine, 0, 1, &acc, sizeof acc, NULL) == PE_EDEADLK;
    scene->refused += pe_job_wait_any(&scene->added, 1, PE_FOREVER, NULL) == PE_EDEADLK;
    scene->inside = 0;
}

static void second(pe_job *job, void *context)
{
    (void)job;
    begin_call(context, 2);
    ((struct scene *)context)->inside = 0;
}

static void third(pe_job *job, void *context)
{
    (void)job;
    begin_call(context, 3);
    ((struct scene *)context)->inside = 0;
}

PE_TEST(c08_callbacks_that_submit_cancel_and_free)
{
    struct scene scene = { .pool = pool_of(1) };
    pe_job *rest[10];

    scene.first = submit(scene.pool, say_nothing, NULL, 0);
    scene.spare = submit(scene.pool, say_nothing, NULL, 0);
    scene.queued = submit(scene.pool, echo, "queued", 7);
    for (int i = 0; i < 10; i++)
        rest[i] = submit(scene.pool, echo, "rest", 5);
    ck_assert_int_eq(pe_job_on_done(scene.first, do_everything, &scene), 0);
    ck_assert_int_eq(pe_job_on_done(scene.first, second, &scene), 0);
    ck_assert_int_eq(pe_job_on_done(scene.first, third, &scene), 0);
    ck_assert_int_eq(scene.calls, 0);
    ck_assert_int_eq(pe_pool_wait(scene.pool, PE_FOREVER), 0);
    ck_assert_int_eq(scene.calls, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(scene.order[i], i + 1);
    ck_assert_int_eq(scene.refused, 8);
    ck_assert_int_eq(scene.added_calls, 1);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(ended(rest[i]).kind, PE_RETURNED);
        pe_job_free(rest[i]);
    }
    ck_assert_uint_eq(ended(scene.added).kind, PE_RETURNED);
    pe_job_free(scene.added);
    pe_job_free(scene.queued);
    end_pool(scene.pool);
    ck_assert_int_eq(scene.calls, 4);
}

/* ---- bad input ---- */

static void on_done(pe_job *job, void *context)
{
    (void)job, (void)context;
}

PE_TEST(null_pool_is_refused_everywhere)
{
    uint64_t memory[2];
    void *block = memory;
    pe_job *job = (pe_job *)(void *)memory;
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_new(NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(NULL, echo, NULL, 0, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(NULL, echo, NULL, 0, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(NULL, item, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(NULL, item, memory, 8, memory, 8, 2, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(NULL, range, combine, 0, 1, memory, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(NULL, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_close(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_join(NULL, PE_FOREVER), PE_EINVAL);
    ck_assert_int_eq(pe_pool_cancel_queued(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_kill(NULL, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_alloc(NULL, 8, &block), PE_EINVAL);
    ck_assert_int_eq(pe_pool_fd(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_poll(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_stats(NULL, &stats), PE_EINVAL);
    pe_pool_free(NULL);
    pe_pool_dealloc(NULL, memory);
    pe_pool_dealloc(NULL, NULL);
    pe_pool_interrupt(NULL);
    ck_assert_ptr_eq(job, (pe_job *)(void *)memory);
    ck_assert_ptr_eq(block, memory);
}

PE_TEST(null_job_is_refused_everywhere)
{
    pe_status status;
    const void *data;
    const char *text;
    size_t bytes;

    ck_assert_int_eq(pe_job_wait(NULL, 0), PE_EINVAL);
    ck_assert_int_eq(pe_job_status(NULL, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(NULL, 0, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(NULL, 0, PE_TEXT_MESSAGE, &text, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_job_result(NULL, &data, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_job_cancel(NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_on_done(NULL, on_done, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(NULL, 1, 0, &bytes), PE_EINVAL);
    ck_assert_int_eq(pe_reply_write(NULL, "x", 1), PE_EINVAL);
    ck_assert_ptr_null(pe_reply_reserve(NULL, 1));
    pe_job_free(NULL);
}

PE_TEST(outside_a_worker)
{
    ck_assert_int_eq(pe_worker_index(), PE_EPERM);
    ck_assert_int_eq(pe_worker_cancelled(), 0);
    ck_assert_uint_eq(pe_worker_item(), UINT64_MAX);
    ck_assert_int_eq(pe_worker_fail(9, "to %s", "nobody"), 9);
    ck_assert_int_eq(pe_worker_fail(-3, NULL), -3);
}

PE_TEST(bad_arguments_of_job_calls)
{
    pe_pool *pool = pool_of(1), *other = pool_of(1);
    pe_job *job = submit(pool, echo, "x", 1), *foreign = submit(other, echo, "x", 1);
    pe_job *pair[2] = { job, NULL };
    pe_status status;
    const char *text = NULL;
    size_t index = 99;

    ended(job);
    ended(foreign);
    ck_assert_int_eq(pe_job_status(job, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, 0, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_status(job, UINT64_MAX, &status), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, NULL, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, 0, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE + 1, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, UINT32_MAX, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_MESSAGE, &text, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_OUTPUT, &text, &index), PE_ENODATA);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_on_done(job, NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(pair, 2, 0, &index), PE_EINVAL);
    pair[1] = foreign;
    ck_assert_int_eq(pe_job_wait_any(pair, 2, 0, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(pair, 0, 0, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(NULL, 0, 0, &index), PE_EINVAL);
    ck_assert_uint_eq(index, 99);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), 0);
    pe_job_free(job);
    pe_job_free(foreign);
    end_pool(pool);
    end_pool(other);
}

PE_TEST_LOOP(bad_deadlines, 0, 4)
{
    static const int64_t bad[] = { -1, INT64_MIN, 1, PE_MS(100) }; /* the last two: durations by mistake */
    pe_pool *pool = pool_of(1);
    pe_job *job = submit(pool, echo, "x", 1);
    pe_job_options job_options = PE_JOB_OPTIONS_INIT;
    pe_map_options map_options = PE_MAP_OPTIONS_INIT;
    uint64_t acc = 0;

    ended(job);
    job_options.submit_deadline_ns = bad[_i];
    map_options.deadline_ns = bad[_i];
    ck_assert_int_eq(pe_job_wait(job, bad[_i]), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(&job, 1, bad[_i], NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(pool, bad[_i]), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, echo, NULL, 0, &job_options, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &map_options), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, item, NULL, 0, NULL, 0, 1, &map_options, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, &acc, 8, &map_options), PE_EINVAL);
    ck_assert_int_eq(pe_pool_join(pool, bad[_i]), PE_EINVAL);
    ck_assert_uint_eq(stats_of(pool).submitted, 1);
    ck_assert_int_eq(pe_pool_kill(pool, INT64_MIN), PE_EINVAL);
    ck_assert_int_eq(pe_pool_kill(pool, -2), PE_EINVAL);
    pe_job_free(job);
    job = submit(pool, echo, "open", 5); /* neither joined nor killed */
    ck_assert_uint_eq(ended(job).kind, PE_RETURNED);
    pe_job_free(job);
    end_pool(pool);
}

PE_TEST(bad_arguments_of_submit)
{
    pe_pool *pool = pool_of(1);
    char byte = 'x';
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, NULL, &byte, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, echo, NULL, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_submit(pool, echo, NULL, SIZE_MAX, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(pool, NULL, &byte, 1, NULL, &job), PE_EINVAL);
    ck_assert_int_eq(pe_pool_try_submit(pool, echo, NULL, 1, NULL, &job), PE_EINVAL);
    /* Too large for the shared memory, refused before a byte is read. */
    ck_assert_int_eq(pe_pool_submit(pool, echo, &byte, SIZE_MAX, NULL, &job), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_submit(pool, echo, &byte, SIZE_MAX - 65535, NULL, &job), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_submit(pool, echo, &byte, (size_t)1 << 62, NULL, &job), PE_ENOMEM);
    ck_assert_ptr_null(job);
    ck_assert_uint_eq(stats_of(pool).submitted, 0);
    ck_assert_uint_eq(stats_of(pool).shared_bytes_used, 0);
    job = submit(pool, echo, &byte, 1);
    ck_assert_uint_eq(ended(job).kind, PE_RETURNED);
    pe_job_free(job);
    end_pool(pool);
}

PE_TEST(bad_arguments_of_map)
{
    pe_pool *pool = pool_of(1);
    uint64_t memory[2] = { 0, 0 };
    pe_job *job = NULL;
    static const size_t huge[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 8 + 1 };

    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pe_pool_map(pool, item, memory, huge[i], memory, 8, 9, NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, memory, huge[i], 9, NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, memory, 8, huge[i], NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, huge[i], NULL), PE_EINVAL);
        ck_assert_int_eq(pe_pool_start_map(pool, item, memory, huge[i], memory, 8, 9, NULL, &job), PE_EINVAL);
        ck_assert_int_eq(pe_pool_start_map(pool, item, memory, 8, memory, 8, huge[i], NULL, &job), PE_EINVAL);
    }
    /* Either fits by itself, but not both. */
    ck_assert_int_lt(pe_pool_map(pool, item, memory, SIZE_MAX / 2, memory, SIZE_MAX / 2, 1, NULL), 0);
    ck_assert_int_lt(pe_pool_map(pool, item, memory, SIZE_MAX / 8, memory, SIZE_MAX / 8, 1, NULL), 0);
    ck_assert_int_lt(pe_pool_map(pool, item, memory, SIZE_MAX / 16, memory, SIZE_MAX / 16, 1, NULL), 0);
    ck_assert_int_eq(pe_pool_map(pool, NULL, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, NULL, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, NULL, memory, 8, memory, 8, 2, NULL, &job), PE_EINVAL);
    /* No overflow, but more than there can be. */
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, (size_t)1 << 48, NULL), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_map(pool, item, memory, (size_t)1 << 50, memory, 8, 2, NULL), PE_ENOMEM);
    ck_assert_ptr_null(job);
    ck_assert_uint_eq(stats_of(pool).submitted, 0);
    ck_assert_uint_eq(stats_of(pool).shared_bytes_used, 0);
    ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, memory, 8, 2, NULL), 0);
    end_pool(pool);
}

PE_TEST(bad_arguments_of_reduce)
{
    pe_pool *pool = pool_of(1);
    uint64_t acc = 5;
    pe_status statuses[1];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_pool_reduce(pool, NULL, combine, 0, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, NULL, 0, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, NULL, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, &acc, 0, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, &acc, SIZE_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, &acc, SIZE_MAX / 1024, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 2, 1, &acc, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, UINT64_MAX, 0, &acc, 8, NULL), PE_EINVAL);
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, &acc, 8, &options), PE_EINVAL);
    ck_assert_uint_eq(acc, 5);
    ck_assert_uint_eq(stats_of(pool).submitted, 0);
    end_pool(pool);
}

PE_TEST(bad_arguments_of_memory_and_stats)
{
    pe_pool *pool = pool_of(1);
    char own[64];
    void *memory = own, *good = NULL;
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_alloc(pool, 8, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_alloc(pool, SIZE_MAX, &memory), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_alloc(pool, SIZE_MAX - 65535, &memory), PE_ENOMEM);
    ck_assert_int_eq(pe_pool_alloc(pool, (size_t)1 << 60, &memory), PE_ENOMEM);
    ck_assert_ptr_eq(memory, own);
    ck_assert_int_eq(pe_pool_alloc(pool, 0, &good), 0);
    ck_assert_uint_eq((uintptr_t)good % 64, 0);
    pe_pool_dealloc(pool, NULL);
    pe_pool_dealloc(pool, own);
    pe_pool_dealloc(pool, good);
    pe_pool_dealloc(pool, good);
    ck_assert_uint_eq(stats_of(pool).shared_bytes_used, 0);
    ck_assert_int_eq(pe_pool_stats(pool, NULL), PE_EINVAL);
    stats.size = 0;
    ck_assert_int_eq(pe_pool_stats(pool, &stats), PE_EINVAL);
    stats.size = sizeof stats - 8;
    ck_assert_int_eq(pe_pool_stats(pool, &stats), PE_EINVAL);
    stats.size = 4097;
    ck_assert_int_eq(pe_pool_stats(pool, &stats), PE_EINVAL);
    end_pool(pool);
}

PE_TEST(stats_of_a_later_release_are_zeroed_behind_ours)
{
    pe_pool *pool = pool_of(1);
    struct {
        pe_stats stats;
        unsigned char more[40];
        unsigned char beyond;
    } later;

    memset(&later, 0xee, sizeof later);
    later.stats.size = sizeof later.stats + sizeof later.more;
    ck_assert_int_eq(pe_pool_stats(pool, &later.stats), 0);
    ck_assert_uint_eq(later.stats.workers, 1);
    for (size_t i = 0; i < sizeof later.more; i++)
        ck_assert_uint_eq(later.more[i], 0);
    ck_assert_uint_eq(later.beyond, 0xee);
    end_pool(pool);
}

/* ---- option structs ---- */

/* A struct with its size and room behind. */
union sized {
    size_t size;
    unsigned char bytes[8192];
    pe_pool_options pool;
    pe_job_options job;
    pe_map_options map;
    pe_init_options init;
};

/* Calls with the options of one kind; a pool that comes of it is ended at once. */
struct kind {
    size_t bytes;
    int (*call)(pe_pool *pool, const union sized *options);
};

static int call_pool_new(pe_pool *pool, const union sized *options)
{
    pe_pool *made = NULL;
    int result = pe_pool_new(&options->pool, &made);

    (void)pool;
    ck_assert(result == 0 ? made != NULL : made == NULL);
    pe_pool_free(made);
    return result;
}

static int call_submit(pe_pool *pool, const union sized *options)
{
    return pe_pool_submit(pool, say_nothing, NULL, 0, &options->job, NULL);
}

static int call_try_submit(pe_pool *pool, const union sized *options)
{
    int result;

    while ((result = pe_pool_try_submit(pool, say_nothing, NULL, 0, &options->job, NULL)) == PE_EAGAIN)
        pe_pool_wait(pool, PE_FOREVER);
    return result;
}

static int call_map(pe_pool *pool, const union sized *options)
{
    return pe_pool_map(pool, item, NULL, 0, NULL, 0, 3, &options->map);
}

static int call_start_map(pe_pool *pool, const union sized *options)
{
    return pe_pool_start_map(pool, item, NULL, 0, NULL, 0, 3, &options->map, NULL);
}

static int call_reduce(pe_pool *pool, const union sized *options)
{
    uint64_t acc = 0;

    return pe_pool_reduce(pool, range, combine, 0, 3, &acc, sizeof acc, &options->map);
}

static const struct kind kinds[] = {
    { sizeof(pe_pool_options), call_pool_new },  { sizeof(pe_job_options), call_submit },
    { sizeof(pe_job_options), call_try_submit }, { sizeof(pe_map_options), call_map },
    { sizeof(pe_map_options), call_start_map },  { sizeof(pe_map_options), call_reduce },
};

PE_TEST_LOOP(option_structs_short_and_long, 0, 6)
{
    const struct kind *kind = &kinds[_i];
    static union sized options;
    pe_pool *pool = pool_of(1);

    for (size_t size = 0; size < kind->bytes; size++) {
        memset(&options, 0, sizeof options);
        options.size = size;
        ck_assert_msg(kind->call(pool, &options) == PE_EINVAL, "size %zu", size);
    }
    static const size_t huge[] = { 4097, 8192, SIZE_MAX / 2, SIZE_MAX };
    for (int i = 0; i < 4; i++) {
        options.size = huge[i];
        ck_assert_int_eq(kind->call(pool, &options), PE_EINVAL);
    }
    options.size = kind->bytes;
    memset(options.bytes + kind->bytes, 0xee, sizeof options - kind->bytes); /* not part of it */
    ck_assert_int_eq(kind->call(pool, &options), 0);
    memset(options.bytes + kind->bytes, 0, sizeof options - kind->bytes);
    options.size = 4096;
    ck_assert_int_eq(kind->call(pool, &options), 0);
    for (size_t at = kind->bytes; at < 4096; at += 4095 - kind->bytes) {
        options.bytes[at] = 1;
        ck_assert_int_eq(kind->call(pool, &options), PE_EINVAL);
        options.bytes[at] = 0;
    }
    ck_assert_int_eq(kind->call(pool, &options), 0);
    end_pool(pool);
}

PE_TEST(pe_init_with_bad_options)
{
    static union sized options;

    for (size_t size = 0; size < sizeof options.init; size++) {
        options.size = size;
        ck_assert_int_eq(pe_init(&options.init), PE_EINVAL);
    }
    options.init = (pe_init_options)PE_INIT_OPTIONS_INIT;
    options.init.flags = 1;
    ck_assert_int_eq(pe_init(&options.init), PE_EINVAL);
    options.init.flags = 0;
    options.init.reserved = 1;
    ck_assert_int_eq(pe_init(&options.init), PE_EINVAL);
    options.init.reserved = 0;
    options.init.size = 4096;
    options.bytes[4095] = 1;
    ck_assert_int_eq(pe_init(&options.init), PE_EINVAL);
}

static int try_pool(pe_pool_options options)
{
    pe_pool *pool = NULL;
    int result;

    options.size = sizeof options;
    if (options.workers == 0)
        options.workers = 1;
    result = pe_pool_new(&options, &pool);
    ck_assert(result == 0 ? pool != NULL : pool == NULL);
    pe_pool_free(pool);
    return result;
}

PE_TEST(bad_pool_options)
{
    static const int32_t negative[] = { 0, -1 };

    for (uint32_t bit = 5; bit < 32; bit++)
        ck_assert_int_eq(try_pool((pe_pool_options){ .flags = UINT32_C(1) << bit }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = UINT32_MAX }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = PE_POOL_FROM_SEED }), PE_EINVAL); /* no pe_init */
    ck_assert_int_eq(try_pool((pe_pool_options){ .flags = PE_POOL_FROM_SEED | PE_POOL_KEEP_FDS }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .queue_jobs = (UINT64_C(1) << 20) + 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .queue_jobs = UINT64_MAX }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .grace_ns = -2 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .grace_ns = INT64_MIN }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .idle_ns = -1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fd_count = 1 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = 2 }), PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = SIZE_MAX }),
                     PE_EINVAL);
    ck_assert_int_eq(try_pool((pe_pool_options){ .keep_fds = negative, .keep_fd_count = 65537 }), PE_EINVAL);
}

PE_TEST(options_of_later_releases)
{
    pe_pool *pool = pool_of(1);
    pe_job_options job = PE_JOB_OPTIONS_INIT;
    pe_map_options map = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(try_pool((pe_pool_options){ .memory_limit_bytes = 1 }), PE_ENOSYS);
    ck_assert_int_eq(try_pool((pe_pool_options){ .rss_limit_bytes = 1 }), PE_ENOSYS);
    ck_assert_int_eq(try_pool((pe_pool_options){ .inner_threads = 1 }), PE_ENOSYS);
    ck_assert_int_eq(try_pool((pe_pool_options){ .idle_ns = 1 }), PE_ENOSYS);
    job.timeout_ns = 1;
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, &job, NULL), PE_ENOSYS);
    job.timeout_ns = -1;
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, &job, NULL), PE_EINVAL);
    job.timeout_ns = 0;
    job.deadline_ns = pe_after(PE_SECONDS(1));
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, &job, NULL), PE_ENOSYS);
    job.deadline_ns = 0;
    job.priority = 1;
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, &job, NULL), PE_ENOSYS);
    job.priority = 0;
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, &job, NULL), 0);
    map.timeout_ns = 1;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &map), PE_ENOSYS);
    map.timeout_ns = -1;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &map), PE_EINVAL);
    map.timeout_ns = 0;
    map.max_inflight = 1;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &map), PE_ENOSYS);
    map.max_inflight = 0;
    map.inflight_bytes = 1;
    ck_assert_int_eq(pe_pool_start_map(pool, item, NULL, 0, NULL, 0, 1, &map, NULL), PE_ENOSYS);
    end_pool(pool);
}

PE_TEST(bad_map_options)
{
    pe_pool *pool = pool_of(1);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT, before;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    char context = 'x';

    options.context_bytes = 1;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &options), PE_EINVAL);
    options.context = &context;
    options.context_bytes = (size_t)1 << 59;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &options), PE_ENOMEM);
    options.context_bytes = SIZE_MAX;
    ck_assert_int_lt(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &options), 0);
    options.context_bytes = SIZE_MAX - 64;
    ck_assert_int_lt(pe_pool_start_map(pool, item, NULL, 0, NULL, 0, 1, &options, NULL), 0);
    options.context_bytes = 0;
    summary.size = sizeof summary - 1;
    before = summary;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 1, &options), PE_EINVAL);
    ck_assert(memcmp(&before, &summary, sizeof summary) == 0);
    ck_assert_uint_eq(stats_of(pool).submitted, 0);
    end_pool(pool);
}

PE_TEST(reduce_with_a_huge_context)
{
    static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 64, (size_t)1 << 62 };
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t acc[2] = { 5, 6 };

    options.context = acc;
    for (int i = 0; i < 5; i++) {
        options.context_bytes = sizes[i];
        ck_assert_int_lt(pe_pool_reduce(pool, range, combine, 0, 1, acc, sizeof acc, &options), 0);
    }
    ck_assert(acc[0] == 5 && acc[1] == 6);
    end_pool(pool);
}

/* ---- pools that take nothing more ---- */

static void assert_takes_nothing(pe_pool *pool, int error)
{
    uint64_t memory[2] = { 0, 0 };
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, echo, "x", 1, NULL, &job), error);
    ck_assert_int_eq(pe_pool_try_submit(pool, echo, "x", 1, NULL, &job), error);
    ck_assert_int_eq(pe_pool_map(pool, item, memory, 8, memory, 8, 2, NULL), error);
    ck_assert_int_eq(pe_pool_map(pool, item, NULL, 0, NULL, 0, 0, NULL), error);
    ck_assert_int_eq(pe_pool_start_map(pool, item, memory, 8, memory, 8, 2, NULL, &job), error);
    ck_assert_int_eq(pe_pool_reduce(pool, range, combine, 0, 1, memory, 8, NULL), error);
    ck_assert_ptr_null(job);
}

PE_TEST_LOOP(closed_joined_and_killed_pools, 0, 3)
{
    pe_pool *pool = pool_of(2);
    pe_job *job = submit(pool, echo, "x", 1);
    void *memory = NULL;

    ended(job);
    ck_assert_int_eq(_i == 0   ? pe_pool_close(pool)
                     : _i == 1 ? pe_pool_join(pool, PE_FOREVER)
                               : pe_pool_kill(pool, 0),
                     0);
    assert_takes_nothing(pool, PE_ECLOSED);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    ck_assert_int_ge(pe_pool_poll(pool), 0);
    ck_assert_int_ge(pe_pool_fd(pool), 3);
    ck_assert_int_eq(pe_pool_alloc(pool, 100, &memory), 0);
    memset(memory, 1, 100);
    pe_pool_dealloc(pool, memory);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_join(pool, 0), 0);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    ck_assert_int_eq(pe_pool_kill(pool, 0), 0);
    assert_takes_nothing(pool, PE_ECLOSED);
    ck_assert_uint_eq(stats_of(pool).submitted, 1);
    pe_job_free(job);
    pe_pool_free(pool);
}

HARNESS_MAIN("errors")
