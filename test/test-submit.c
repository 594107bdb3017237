/* Jobs: the queue and its limit, arguments and replies of any size, waiting for one and for any, callbacks,
 * cancelling, detaching, and pools within workers. Where the order of events matters, jobs wait at a gate in
 * shared memory that the test opens. */

#include "harness/harness.h"

#include <limits.h>
#include <linux/futex.h>
#include <parexec.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Jobs count themselves in; the nth goes on once `open` is n or more. */
struct gate {
    _Atomic uint32_t arrived;
    _Atomic uint32_t open;
};

static void await_at_least(_Atomic uint32_t *word, uint32_t least)
{
    uint32_t now;

    while ((now = atomic_load(word)) < least)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void raise_to(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint32_t arrive(struct gate *gate)
{
    uint32_t place = atomic_fetch_add(&gate->arrived, 1) + 1;

    syscall(SYS_futex, &gate->arrived, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return place;
}

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

static void *shared(pe_pool *pool, size_t bytes)
{
    void *memory = NULL;

    ck_assert_int_eq(pe_pool_alloc(pool, bytes, &memory), 0);
    return memory;
}

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t bytes)
{
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_submit(pool, fn, arg, bytes, NULL, &job), 0);
    return job;
}

static pe_job *submit_to_gate(pe_pool *pool, pe_job_fn *fn, struct gate *gate)
{
    return submit(pool, fn, &gate, sizeof gate);
}

static pe_status status_of(const pe_job *job)
{
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    return status;
}

static void assert_ended(pe_job *job, uint32_t kind, int code)
{
    pe_status status;

    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    status = status_of(job);
    ck_assert_uint_eq(status.kind, kind);
    ck_assert_int_eq(status.code, code);
}

static uint64_t number_of(const pe_job *job)
{
    const void *data;
    size_t bytes;
    uint64_t number;

    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof number);
    memcpy(&number, data, sizeof number);
    return number;
}

static pe_stats stats_of(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats;
}

/* ---- what runs in workers ---- */

static int echo(const void *arg, size_t bytes, pe_reply *reply)
{
    return pe_reply_write(reply, arg, bytes);
}

static int say_nothing(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    return 0;
}

static int count_up(const void *arg, size_t bytes, pe_reply *reply)
{
    static uint64_t calls;
    uint64_t given, sum;

    (void)bytes;
    memcpy(&given, arg, sizeof given);
    sum = given * 1000 + calls++;
    return pe_reply_write(reply, &sum, sizeof sum);
}

static int pass_gate(const void *arg, size_t bytes, pe_reply *reply)
{
    struct gate *gate;
    uint64_t place;

    (void)bytes;
    memcpy(&gate, arg, sizeof gate);
    place = arrive(gate);
    await_at_least(&gate->open, (uint32_t)place);
    return pe_reply_write(reply, &place, sizeof place);
}

static int count_in(const void *arg, size_t bytes, pe_reply *reply)
{
    struct gate *gate;

    (void)bytes, (void)reply;
    memcpy(&gate, arg, sizeof gate);
    arrive(gate);
    return 0;
}

/* ---- order and threads ---- */

PE_TEST(a05_all_results_in_order_after_close_and_join)
{
    pe_pool *pool = pool_of(1);
    pe_job *jobs[50];

    for (uint64_t i = 0; i < 50; i++)
        jobs[i] = submit(pool, count_up, &i, sizeof i);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_submit(pool, say_nothing, NULL, 0, NULL, NULL), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(status_of(jobs[i]).kind, PE_RETURNED);
        ck_assert_uint_eq(number_of(jobs[i]), i * 1000 + i);
        pe_job_free(jobs[i]);
    }
    pe_pool_free(pool);
}

#define THREADS         16
#define JOBS_PER_THREAD 500

struct submitter {
    pthread_t thread;
    pe_pool *pool;
    uint64_t number;
    uint32_t right, wrong, cancelled;
};

static void check_own(struct submitter *self, pe_job *job, uint64_t wanted)
{
    const void *data;
    size_t bytes;
    pe_status status;

    if (pe_job_wait(job, PE_FOREVER) != 0 || pe_job_status(job, &status) != 0)
        self->wrong++;
    else if (status.kind == PE_CANCELLED)
        self->cancelled++;
    else if (status.kind == PE_RETURNED && status.code == 0 && pe_job_result(job, &data, &bytes) == 0
             && bytes == sizeof wanted && memcmp(data, &wanted, sizeof wanted) == 0)
        self->right++;
    else
        self->wrong++;
}

static void *submit_many(void *context)
{
    struct submitter *self = context;
    pe_job *jobs[JOBS_PER_THREAD];

    for (uint64_t i = 0; i < JOBS_PER_THREAD; i++) {
        uint64_t number = self->number << 32 | i;
        int cancelled = 0;

        if (pe_pool_submit(self->pool, echo, &number, sizeof number, NULL, &jobs[i]) != 0)
            abort();
        if (i % 10 == 9)
            cancelled = pe_job_cancel(jobs[i]);
        self->wrong += cancelled != 0 && cancelled != PE_EALREADY;
    }
    for (uint64_t i = 0; i < JOBS_PER_THREAD; i++) {
        uint32_t cancelled = self->cancelled;

        check_own(self, jobs[i], self->number << 32 | i);
        self->wrong += self->cancelled != cancelled && i % 10 != 9;
        pe_job_free(jobs[i]);
    }
    return NULL;
}

PE_TEST(a06_threads_see_only_their_own_results)
{
    pe_pool *pool = pool_of(4);
    struct submitter submitters[THREADS] = { 0 };
    uint32_t right = 0, cancelled = 0;
    pe_stats stats;

    for (uint64_t i = 0; i < THREADS; i++) {
        submitters[i].pool = pool;
        submitters[i].number = i;
        ck_assert_int_eq(pthread_create(&submitters[i].thread, NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(submitters[i].thread, NULL);
        ck_assert_uint_eq(submitters[i].wrong, 0);
        ck_assert_uint_eq(submitters[i].right + submitters[i].cancelled, JOBS_PER_THREAD);
        right += submitters[i].right;
        cancelled += submitters[i].cancelled;
    }
    stats = stats_of(pool);
    ck_assert_uint_eq(stats.submitted, THREADS * JOBS_PER_THREAD);
    ck_assert_uint_eq(stats.returned, right);
    ck_assert_uint_eq(stats.cancelled, cancelled);
    end_pool(pool);
}

PE_TEST(a08_completion_order_with_wait_any)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = shared(pool, 3 * sizeof *gates);
    pe_job *jobs[3];
    size_t index = 99;

    for (int i = 0; i < 3; i++)
        jobs[i] = submit_to_gate(pool, pass_gate, &gates[i]);
    ck_assert_int_eq(pe_job_wait_any(jobs, 3, 0, &index), PE_ETIMEDOUT);
    ck_assert_uint_eq(index, 99);
    for (size_t left = 3; left > 0; left--) { /* the last one submitted ends first */
        raise_to(&gates[left - 1].open, 1);
        ck_assert_int_eq(pe_job_wait_any(jobs, left, PE_FOREVER, &index), 0);
        ck_assert_uint_eq(index, left - 1);
        pe_job_free(jobs[left - 1]);
    }
    ck_assert_int_eq(pe_job_wait_any(jobs, 0, PE_FOREVER, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(jobs, 0, PE_FOREVER, &index), PE_EINVAL);
    end_pool(pool);
}

PE_TEST(wait_any_gives_the_first_that_has_ended)
{
    pe_pool *pool = pool_of(2);
    pe_job *jobs[2] = { submit(pool, say_nothing, NULL, 0), submit(pool, say_nothing, NULL, 0) };
    size_t index = 99;

    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_wait_any(jobs, 2, 0, &index), 0);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(pe_job_wait_any(&jobs[1], 1, 0, NULL), 0);
    pe_job_free(jobs[0]);
    pe_job_free(jobs[1]);
    end_pool(pool);
}

/* ---- arguments and replies ---- */

static unsigned char *pattern(size_t bytes, uint64_t seed)
{
    unsigned char *memory = malloc(bytes + 8);

    ck_assert_ptr_nonnull(memory);
    for (size_t at = 0; at < bytes; at += 8) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        memcpy(memory + at, &seed, sizeof seed);
    }
    return memory;
}

static void assert_echoed(pe_job *job, const void *wanted, size_t wanted_bytes)
{
    const void *data = NULL;
    size_t bytes = 1;

    assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, wanted_bytes);
    ck_assert_ptr_nonnull(data);
    ck_assert(memcmp(data, wanted, bytes) == 0);
    pe_job_free(job);
}

PE_TEST_SLOW(h01_echo_of_all_sizes_up_to_300_mib, 60)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, (size_t)300 << 20, 65537, 65536, 1, 0 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    pe_pool *pool = pool_of(4);
    unsigned char *bytes[COUNT];
    pe_job *jobs[COUNT], *silent = submit(pool, say_nothing, NULL, 0);
    const void *data;

    for (size_t i = 0; i < COUNT; i++) {
        bytes[i] = pattern(sizes[i], i);
        jobs[i] = submit(pool, echo, bytes[i], sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_echoed(jobs[i], bytes[i], sizes[i]);
        free(bytes[i]);
    }
    assert_ended(silent, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(silent, &data, NULL), PE_ENODATA);
    pe_job_free(silent);
    end_pool(pool);
}

PE_TEST(echo_every_size_around_the_borders)
{
    pe_pool *pool = pool_of(2);
    size_t most = ((size_t)4 << 20) + 1;
    unsigned char *bytes = pattern(most, 7);

    for (size_t size = 0; size <= 200; size++)
        assert_echoed(submit(pool, echo, bytes, size), bytes, size);
    for (size_t power = 256; power <= most; power *= 2)
        for (size_t size = power - 1; size <= power + 1; size++)
            assert_echoed(submit(pool, echo, bytes, size), bytes, size);
    free(bytes);
    ck_assert_uint_eq(stats_of(pool).shared_bytes_used, 0);
    end_pool(pool);
}

#define GROWN_BYTES 3000001

static int write_in_small_pieces(const void *arg, size_t bytes, pe_reply *reply)
{
    const unsigned char *from;
    int error = 0;

    (void)bytes;
    memcpy(&from, arg, sizeof from);
    for (size_t at = 0, piece; at < GROWN_BYTES && error == 0; at += piece) {
        piece = at % 13 + 1;
        if (piece > GROWN_BYTES - at)
            piece = GROWN_BYTES - at;
        if (at % 2 == 0) {
            error = pe_reply_write(reply, from + at, piece);
        } else {
            void *place = pe_reply_reserve(reply, piece);

            if (place == NULL)
                return 1;
            memcpy(place, from + at, piece);
        }
    }
    return error;
}

PE_TEST(reply_grows_while_it_is_written)
{
    pe_pool *pool = pool_of(1);
    unsigned char *from = shared(pool, GROWN_BYTES);

    for (size_t at = 0; at < GROWN_BYTES; at++)
        from[at] = (unsigned char)(at * 31 + at / 251);
    for (int round = 0; round < 3; round++)
        assert_echoed(submit(pool, write_in_small_pieces, &from, sizeof from), from, GROWN_BYTES);
    pe_pool_dealloc(pool, from);
    end_pool(pool);
}

/* arg: how a reply of no bytes is made. */
static int reply_no_bytes(const void *arg, size_t bytes, pe_reply *reply)
{
    char how;

    (void)bytes;
    memcpy(&how, arg, 1);
    if (how == 'w')
        return pe_reply_write(reply, NULL, 0);
    return pe_reply_reserve(reply, 0) != NULL ? 0 : 1;
}

PE_TEST(reply_of_no_bytes_is_not_no_reply)
{
    pe_pool *pool = pool_of(1);
    pe_job *jobs[3] = { submit(pool, reply_no_bytes, "w", 1), submit(pool, reply_no_bytes, "r", 1),
                        submit(pool, say_nothing, NULL, 0) };
    const void *data = NULL;
    size_t bytes = 99;

    assert_echoed(jobs[0], "", 0);
    assert_echoed(jobs[1], "", 0);
    assert_ended(jobs[2], PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(jobs[2], &data, &bytes), PE_ENODATA);
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(bytes, 99);
    pe_job_free(jobs[2]);
    end_pool(pool);
}

static int fail_with_reply(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_reply_write(reply, arg, bytes);
    return 5;
}

PE_TEST(reply_of_a_job_that_returns_a_code)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = submit(pool, fail_with_reply, "why", 4);
    const void *data = NULL;
    size_t bytes = 0;

    assert_ended(job, PE_RETURNED, 5);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_str_eq(data, "why");
    pe_job_free(job);
    end_pool(pool);
}

static int ask_too_much(const void *arg, size_t bytes, pe_reply *reply)
{
    size_t much;

    memcpy(&much, arg, sizeof much);
    if (pe_reply_write(reply, "x", 1) != 0 || pe_reply_reserve(reply, much) != NULL)
        return 1;
    return pe_reply_write(reply, arg, bytes) == PE_ENOMEM ? 0 : 2; /* the first failure sticks */
}

PE_TEST(reply_larger_than_memory)
{
    pe_pool *pool = pool_of(1);
    size_t sizes[] = { SIZE_MAX - 1, SIZE_MAX / 2, (size_t)1 << 62 };
    const void *data;

    for (int i = 0; i < 3; i++) {
        pe_job *job = submit(pool, ask_too_much, &sizes[i], sizeof sizes[i]);

        assert_ended(job, PE_RETURNED, PE_ENOMEM);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), PE_ENODATA);
        pe_job_free(job);
    }
    assert_echoed(submit(pool, echo, "abc", 3), "abc", 3);
    ck_assert_uint_eq(stats_of(pool).restarts, 0);
    end_pool(pool);
}

PE_TEST_LOOP(results_outlive_the_pool, 0, 3)
{
    static const size_t sizes[] = { 10, 100000, 1000000 }; /* in the handle, copied, in a shared block */
    pe_pool *pool = pool_of(1);
    size_t size = sizes[_i];
    unsigned char *bytes = pattern(size, 3);
    pe_job *job = submit(pool, echo, bytes, size);
    pe_status status;

    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    assert_echoed(job, bytes, size);
    free(bytes);
}

PE_TEST(arguments_are_copied_at_submit)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job *first = submit_to_gate(pool, pass_gate, gate), *small, *large;
    char text[16] = "given at submit";
    unsigned char *bytes = pattern(100000, 1), *wanted = pattern(100000, 1);

    small = submit(pool, echo, text, sizeof text);
    large = submit(pool, echo, bytes, 100000);
    memset(text, 'x', sizeof text);
    memset(bytes, 'x', 100000);
    raise_to(&gate->open, 1);
    assert_echoed(small, "given at submit", sizeof text);
    assert_echoed(large, wanted, 100000);
    pe_job_free(first);
    free(bytes);
    free(wanted);
    end_pool(pool);
}

/* ---- the queue's limit ---- */

static uint32_t try_ten(pe_pool *pool, struct gate *gate, pe_job **jobs)
{
    uint32_t accepted = 0;

    for (int i = 0; i < 10; i++) {
        int result = pe_pool_try_submit(pool, pass_gate, &gate, sizeof gate, NULL, &jobs[accepted]);

        if (result == 0)
            ck_assert_uint_eq(accepted++, (uint32_t)i); /* the first ones fit, the rest do not */
        else
            ck_assert_int_eq(result, PE_EAGAIN);
    }
    return accepted;
}

PE_TEST(h04_each_ended_job_lets_one_more_in)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 4 });
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job *busy = submit_to_gate(pool, pass_gate, gate), *jobs[20];
    uint32_t count;

    await_at_least(&gate->arrived, 1);
    count = try_ten(pool, gate, jobs);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(stats_of(pool).queued, 4);
    ck_assert_uint_eq(stats_of(pool).running, 1);
    for (uint32_t ended = 1; ended <= 5; ended++) {
        raise_to(&gate->open, ended);
        await_at_least(&gate->arrived, ended + 1); /* the worker has the next one */
        ck_assert_uint_eq(try_ten(pool, gate, jobs + count), 1);
        count++;
    }
    raise_to(&gate->open, UINT32_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_ended(jobs[i], PE_RETURNED, 0);
        ck_assert_uint_eq(number_of(jobs[i]), i + 2);
        pe_job_free(jobs[i]);
    }
    pe_job_free(busy);
    end_pool(pool);
}

PE_TEST(submit_waits_while_the_queue_is_full)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 1 });
    struct gate *gate = shared(pool, sizeof *gate);

    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(pe_pool_submit(pool, count_in, &gate, sizeof gate, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&gate->arrived), 2000);
    end_pool(pool);
}

PE_TEST(submit_deadline_is_kept)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 });
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *none = NULL;
    int64_t deadline = pe_after(PE_MS(20));

    options.submit_deadline_ns = deadline;
    ck_assert_int_eq(pe_pool_submit(pool, pass_gate, &gate, sizeof gate, &options, NULL), 0);
    await_at_least(&gate->arrived, 1);
    ck_assert_int_eq(pe_pool_submit(pool, pass_gate, &gate, sizeof gate, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_submit(pool, pass_gate, &gate, sizeof gate, &options, &none), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_ptr_null(none);
    raise_to(&gate->open, UINT32_MAX);
    end_pool(pool);
}

/* ---- a million jobs ---- */

static uint64_t resident_bytes(int pid)
{
    char path[64];
    unsigned long pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define WINDOW 1000

static void echo_numbers(pe_pool *pool, pe_job **window, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i < last; i++) {
        pe_job **place = &window[i % WINDOW];

        if (i >= WINDOW) {
            if (pe_job_wait(*place, PE_FOREVER) != 0 || number_of(*place) != i - WINDOW)
                ck_abort_msg("wrong number");
            pe_job_free(*place);
        }
        *place = submit(pool, echo, &i, sizeof i);
    }
}

static int tell_index(const void *arg, size_t bytes, pe_reply *reply)
{
    uint64_t index = (uint64_t)pe_worker_index();
    struct gate *gate;

    (void)bytes;
    memcpy(&gate, arg, sizeof gate);
    arrive(gate);
    await_at_least(&gate->open, 1);
    return pe_reply_write(reply, &index, sizeof index);
}

/* Both workers run at once, so each gets one of the two jobs. */
static void find_pids(pe_pool *pool, int pids[2])
{
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job *jobs[2] = { submit_to_gate(pool, tell_index, gate), submit_to_gate(pool, tell_index, gate) };

    await_at_least(&gate->arrived, 2);
    raise_to(&gate->open, 1);
    for (int i = 0; i < 2; i++) {
        assert_ended(jobs[i], PE_RETURNED, 0);
        pids[number_of(jobs[i])] = status_of(jobs[i]).pid;
        pe_job_free(jobs[i]);
    }
    pe_pool_dealloc(pool, gate);
}

PE_TEST_SLOW(h06_million_jobs_leave_memory_flat, 120)
{
    static pe_job *window[WINDOW];
    uint64_t count = SANITIZED || harness_slowness() > 1 ? 100000 : 1000000, before[3], after[3];
    pe_pool *pool = pool_of(2);
    int pids[3] = { 0, 0, (int)getpid() }, still[2];

    find_pids(pool, pids);
    echo_numbers(pool, window, 0, 10000);
    for (int i = 0; i < 3; i++)
        before[i] = resident_bytes(pids[i]);
    echo_numbers(pool, window, 10000, count);
    for (int i = 0; i < 3; i++)
        after[i] = resident_bytes(pids[i]);
    find_pids(pool, still);
    ck_assert_int_eq(still[0], pids[0]);
    ck_assert_int_eq(still[1], pids[1]);
    for (int i = 0; i < 3 && !SANITIZED; i++)
        ck_assert_msg(after[i] < before[i] + (1 << 20), "process %d: %lu, then %lu bytes", i,
                      (unsigned long)before[i], (unsigned long)after[i]);
    for (int i = 0; i < WINDOW; i++)
        pe_job_free(window[i]);
    end_pool(pool);
}

/* A record is free again when its result was taken over, not when the handle is freed. */
PE_TEST(handles_may_outnumber_the_queue)
{
    enum { COUNT = 20000 };
    static pe_job *jobs[COUNT];
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 64 });

    for (uint64_t i = 0; i < COUNT; i++)
        jobs[i] = submit(pool, echo, &i, sizeof i);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (number_of(jobs[i]) != i)
            ck_abort_msg("wrong number");
        pe_job_free(jobs[i]);
    }
    end_pool(pool);
}

/* ---- waiting and asking ---- */

PE_TEST(pending_job_gives_no_result_yet)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job *job = submit_to_gate(pool, pass_gate, gate);
    const void *data = NULL;
    const char *text = NULL;
    size_t bytes = 99;
    int64_t deadline = pe_after(PE_MS(20));

    ck_assert_int_eq(pe_job_wait(job, 0), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_job_wait(job, deadline), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_int_eq(pe_pool_wait(pool, 0), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), PE_EAGAIN);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, &bytes), PE_EAGAIN);
    ck_assert_uint_eq(status_of(job).kind, PE_PENDING);
    ck_assert_ptr_null(data);
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(bytes, 99);
    raise_to(&gate->open, 1);
    assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    pe_job_free(job);
    end_pool(pool);
}

static int tell_pid(const void *arg, size_t bytes, pe_reply *reply)
{
    uint64_t pid = (uint64_t)getpid();

    (void)arg, (void)bytes;
    return pe_reply_write(reply, &pid, sizeof pid);
}

PE_TEST(status_of_an_ended_job)
{
    pe_pool *pool = pool_of(1);
    int64_t before = pe_now(), taken;
    pe_job *job = submit(pool, tell_pid, NULL, 0);
    pe_status status, again;

    assert_ended(job, PE_RETURNED, 0);
    taken = pe_now() - before;
    status = status_of(job);
    ck_assert_uint_eq((uint64_t)status.pid, number_of(job));
    ck_assert_int_ne(status.pid, getpid());
    ck_assert_int_eq(status.worker, 0);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_uint_eq(status.item, 0);
    ck_assert_int_ge(status.queued_ns, 0);
    ck_assert_int_ge(status.run_ns, 0);
    ck_assert_int_le(status.run_ns, taken + taken / 4 + PE_MS(1)); /* two clocks */
    ck_assert_uint_eq(status.reserved[0] | status.reserved[1], 0);
    ck_assert_int_eq(pe_job_item_status(job, 0, &again), 0);
    ck_assert(memcmp(&status, &again, sizeof status) == 0);
    ck_assert_int_eq(pe_job_item_status(job, 1, &again), PE_EINVAL);
    pe_job_free(job);
    end_pool(pool);
}

struct notes {
    int calls;
    pe_job *job;
    int code;
};

static void note(pe_job *job, void *context)
{
    struct notes *notes = context;

    notes->calls++;
    notes->job = job;
    notes->code = pe_job_wait(job, 0);
}

PE_TEST(on_done_runs_once_in_a_wait)
{
    pe_pool *pool = pool_of(1);
    struct notes early = { 0 }, late = { 0 };
    pe_job *job = submit(pool, say_nothing, NULL, 0);

    ck_assert_int_eq(pe_job_on_done(job, note, &early), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(early.calls, 1);
    ck_assert_ptr_eq(early.job, job);
    ck_assert_int_eq(early.code, 0);
    ck_assert_int_eq(pe_job_on_done(job, note, &late), 0);
    ck_assert_int_eq(late.calls, 0); /* never inside on_done itself */
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_int_eq(late.calls, 1);
    ck_assert_int_eq(early.calls, 1);
    pe_job_free(job);
    end_pool(pool);
}

static void free_and_note(pe_job *job, void *context)
{
    note(job, context);
    pe_job_free(job);
}

PE_TEST(on_done_through_descriptor_and_poll)
{
    enum { COUNT = 1000 };
    pe_pool *pool = pool_of(2);
    struct notes notes = { 0 };
    int handled = 0;

    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(pe_job_on_done(submit(pool, say_nothing, NULL, 0), free_and_note, &notes), 0);
    while (notes.calls < COUNT) {
        struct pollfd watched = { .fd = pe_pool_fd(pool), .events = POLLIN };
        int result = pe_pool_poll(pool);

        ck_assert_int_ge(result, 0);
        ck_assert_int_le(result, 256);
        handled += result;
        if (result == 0 && notes.calls < COUNT)
            ck_assert_int_eq(poll(&watched, 1, -1), 1);
    }
    ck_assert_int_le(handled, COUNT);
    ck_assert_int_eq(notes.calls, COUNT);
    end_pool(pool);
    ck_assert_int_eq(notes.calls, COUNT);
}

/* A callback that belongs to a job of a pool that is freed runs then, for a job that is cancelled. */
PE_TEST(on_done_runs_at_the_latest_in_free)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = shared(pool, sizeof *gate);
    struct notes notes[2] = { { 0 }, { 0 } };
    pe_job *jobs[2];

    for (int i = 0; i < 2; i++) {
        jobs[i] = submit_to_gate(pool, pass_gate, gate);
        ck_assert_int_eq(pe_job_on_done(jobs[i], note, &notes[i]), 0);
    }
    pe_pool_free(pool);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(notes[i].calls, 1);
        ck_assert_uint_eq(status_of(jobs[i]).kind, PE_CANCELLED);
        pe_job_free(jobs[i]);
    }
}

/* ---- cancelling and detaching ---- */

PE_TEST(cancelled_in_the_queue_never_starts)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = shared(pool, sizeof *gate), *counter = shared(pool, sizeof *counter);
    pe_job *running = submit_to_gate(pool, pass_gate, gate), *jobs[3];
    pe_status status;

    for (int i = 0; i < 3; i++)
        jobs[i] = submit_to_gate(pool, count_in, counter);
    await_at_least(&gate->arrived, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pe_job_cancel(jobs[i]), 0);
        assert_ended(jobs[i], PE_CANCELLED, 0);
        status = status_of(jobs[i]);
        ck_assert_int_eq(status.worker, -1);
        ck_assert_int_eq(status.pid, 0);
        ck_assert_uint_eq(status.attempts, 0);
        ck_assert_int_eq(pe_job_cancel(jobs[i]), PE_EALREADY);
        ck_assert_int_eq(pe_job_result(jobs[i], NULL, NULL), PE_ENODATA);
        pe_job_free(jobs[i]);
    }
    raise_to(&gate->open, 1);
    assert_ended(running, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_cancel(running), PE_EALREADY);
    ck_assert_uint_eq(number_of(running), 1);
    pe_job_free(running);
    ck_assert_uint_eq(atomic_load(&counter->arrived), 0);
    ck_assert_uint_eq(stats_of(pool).cancelled, 3);
    end_pool(pool);
}

PE_TEST(cancel_queued_spares_what_runs)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = shared(pool, sizeof *gate);
    pe_job *running = submit_to_gate(pool, pass_gate, gate), *jobs[10];

    await_at_least(&gate->arrived, 1);
    for (int i = 0; i < 10; i++)
        jobs[i] = submit_to_gate(pool, pass_gate, gate);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(status_of(jobs[i]).kind, PE_CANCELLED);
        pe_job_free(jobs[i]);
    }
    ck_assert_uint_eq(status_of(running).kind, PE_PENDING);
    ck_assert_uint_eq(stats_of(pool).queued, 0);
    raise_to(&gate->open, 1);
    assert_ended(running, PE_RETURNED, 0);
    pe_job_free(running);
    assert_echoed(submit(pool, echo, "on", 3), "on", 3);
    end_pool(pool);
}

PE_TEST(detached_jobs_run_and_drop_their_results)
{
    pe_pool *pool = pool_of(2);
    struct gate *counter = shared(pool, sizeof *counter);
    unsigned char *bytes = pattern(1000000, 5);

    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(pe_pool_submit(pool, count_in, &counter, sizeof counter, NULL, NULL), 0);
        pe_job_free(submit_to_gate(pool, count_in, counter));
        ck_assert_int_eq(pe_pool_submit(pool, echo, bytes, 1000000, NULL, NULL), 0);
        pe_job_free(submit(pool, echo, bytes, 1000000));
    }
    pe_job_free(NULL);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&counter->arrived), 40);
    ck_assert_uint_eq(stats_of(pool).returned, 80);
    pe_pool_dealloc(pool, counter);
    ck_assert_uint_eq(stats_of(pool).shared_bytes_used, 0);
    free(bytes);
    end_pool(pool);
}

PE_TEST(stats_count_jobs_and_bytes)
{
    pe_pool *pool = pool_of(3);
    pe_stats stats = stats_of(pool);

    ck_assert_uint_eq(stats.workers, 3);
    ck_assert_uint_eq(stats.submitted, 0);
    for (int i = 0; i < 10; i++)
        assert_echoed(submit(pool, echo, "12345", 5), "12345", 5);
    stats = stats_of(pool);
    ck_assert_uint_eq(stats.submitted, 10);
    ck_assert_uint_eq(stats.returned, 10);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_uint_eq(stats.running, 0);
    ck_assert_uint_eq(stats.bytes_in, 50);
    ck_assert_uint_eq(stats.bytes_out, 50);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(stats_of(pool).workers_alive, 0);
    pe_pool_free(pool);
}

/* ---- pools within workers ---- */

static int square_item(const void *in, void *out, const void *context)
{
    uint64_t number;

    (void)context;
    memcpy(&number, in, sizeof number);
    number *= number;
    memcpy(out, &number, sizeof number);
    return 0;
}

static int sum_squares(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint64_t count, numbers[100], squares[100], sum = 0;
    pe_pool *inner;
    int result;

    (void)bytes;
    memcpy(&count, arg, sizeof count);
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = i;
    options.workers = 2;
    result = pe_pool_new(&options, &inner);
    if (result < 0)
        return result;
    result = pe_pool_map(inner, square_item, numbers, 8, squares, 8, count, NULL);
    if (result == 0)
        result = pe_pool_join(inner, PE_FOREVER);
    pe_pool_free(inner);
    for (uint64_t i = 0; i < count; i++)
        sum += squares[i];
    return result < 0 ? result : pe_reply_write(reply, &sum, sizeof sum);
}

PE_TEST(p61_pool_within_a_worker)
{
    pe_pool *pool = pool_of(2);
    pe_job *jobs[4];

    for (uint64_t i = 0; i < 4; i++) {
        uint64_t count = i * 33;

        jobs[i] = submit(pool, sum_squares, &count, sizeof count);
    }
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t n = i * 33;

        assert_ended(jobs[i], PE_RETURNED, 0);
        ck_assert_uint_eq(number_of(jobs[i]), n == 0 ? 0 : (n - 1) * n * (2 * n - 1) / 6);
        pe_job_free(jobs[i]);
    }
    end_pool(pool);
}

/* Replies how deep it came; the error that ended the descent is its code. */
static int descend(const void *arg, size_t bytes, pe_reply *reply)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint64_t depth;
    pe_pool *inner;
    pe_job *job;
    pe_status status = { 0 };
    const void *data;
    int result;

    memcpy(&depth, arg, sizeof depth);
    options.workers = 1;
    result = pe_pool_new(&options, &inner);
    if (result < 0 || depth > 20) {
        pe_reply_write(reply, &depth, sizeof depth);
        return result;
    }
    depth++;
    result = pe_pool_submit(inner, descend, &depth, bytes, NULL, &job);
    if (result == 0)
        result = pe_job_wait(job, PE_FOREVER);
    if (result == 0)
        result = pe_job_status(job, &status);
    if (result == 0 && status.kind == PE_RETURNED && pe_job_result(job, &data, NULL) == 0)
        pe_reply_write(reply, data, sizeof depth);
    pe_job_free(job);
    pe_pool_free(inner);
    return result < 0 ? result : status.code;
}

PE_TEST(p61_depth_limit_gives_eperm)
{
    pe_pool *pool = pool_of(1);
    uint64_t depth = 1;
    pe_job *job = submit(pool, descend, &depth, sizeof depth);

    assert_ended(job, PE_RETURNED, PE_EPERM);
    ck_assert_uint_eq(number_of(job), 4);
    pe_job_free(job);
    end_pool(pool);
}

HARNESS_MAIN("submit")
