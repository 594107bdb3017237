/* Jobs: their order, threads, the queue and its limit, waiting for one and for any, cancelling, detaching.
 * Where the order of events matters, jobs wait at a gate in shared memory that the test opens. */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/gate.h"
#include "harness/pool.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- order and threads ---- */

static int count_up(const void *arg, size_t bytes, pe_reply *reply)
{
    static uint64_t calls;
    uint64_t given, sum;

    (void)bytes;
    memcpy(&given, arg, sizeof given);
    sum = given * 1000 + calls++;
    return pe_reply_write(reply, &sum, sizeof sum);
}

PE_TEST(a05_all_results_in_order_after_close_and_join)
{
    pe_pool *pool = pool_of(1);
    pe_job *jobs[50];

    for (uint64_t i = 0; i < 50; i++)
        jobs[i] = pool_submit(pool, count_up, &i, sizeof i);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, NULL, NULL), PE_ECLOSED);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_uint_eq(job_status(jobs[i]).kind, PE_RETURNED);
        ck_assert_uint_eq(job_number(jobs[i]), i * 1000 + i);
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

    int is_known = pe_job_wait(job, PE_FOREVER) == 0 && pe_job_status(job, &status) == 0;
    if (is_known && status.kind == PE_CANCELLED)
        self->cancelled++;
    else if (is_known && status.kind == PE_RETURNED && status.code == 0 && pe_job_result(job, &data, &bytes) == 0
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

        if (pe_pool_submit(self->pool, job_echo, &number, sizeof number, NULL, &jobs[i]) != 0)
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
    stats = pool_stats(pool);
    ck_assert_uint_eq(stats.submitted, THREADS * JOBS_PER_THREAD);
    ck_assert_uint_eq(stats.returned, right);
    ck_assert_uint_eq(stats.cancelled, cancelled);
    pool_end(pool);
}

PE_TEST(a08_completion_order_with_wait_any)
{
    pe_pool *pool = pool_of(3);
    struct gate *gates = pool_shared(pool, 3 * sizeof *gates);
    pe_job *jobs[3];
    size_t index = 99;

    for (int i = 0; i < 3; i++)
        jobs[i] = gate_submit(pool, gate_pass, &gates[i]);
    ck_assert_int_eq(pe_job_wait_any(jobs, 3, 0, &index), PE_ETIMEDOUT);
    ck_assert_uint_eq(index, 99);
    for (size_t left = 3; left > 0; left--) { /* the last one submitted ends first */
        word_set(&gates[left - 1].open, 1);
        ck_assert_int_eq(pe_job_wait_any(jobs, left, PE_FOREVER, &index), 0);
        ck_assert_uint_eq(index, left - 1);
        pe_job_free(jobs[left - 1]);
    }
    ck_assert_int_eq(pe_job_wait_any(jobs, 0, PE_FOREVER, &index), PE_EINVAL);
    ck_assert_int_eq(pe_job_wait_any(jobs, 0, PE_FOREVER, &index), PE_EINVAL);
    pool_end(pool);
}

PE_TEST(wait_any_gives_the_first_that_has_ended)
{
    pe_pool *pool = pool_of(2);
    pe_job *jobs[2] = { pool_submit(pool, job_nothing, NULL, 0), pool_submit(pool, job_nothing, NULL, 0) };
    size_t index = 99;

    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_wait_any(jobs, 2, 0, &index), 0);
    ck_assert_uint_eq(index, 0);
    ck_assert_int_eq(pe_job_wait_any(&jobs[1], 1, 0, NULL), 0);
    pe_job_free(jobs[0]);
    pe_job_free(jobs[1]);
    pool_end(pool);
}

/* ---- the queue's limit ---- */

static uint32_t try_ten(pe_pool *pool, struct gate *gate, pe_job **jobs)
{
    uint32_t accepted = 0;

    for (int i = 0; i < 10; i++) {
        int result = pe_pool_try_submit(pool, gate_pass, &gate, sizeof gate, NULL, &jobs[accepted]);

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
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy = gate_submit(pool, gate_pass, gate), *jobs[20];
    uint32_t count;

    word_await(&gate->arrived, 1);
    count = try_ten(pool, gate, jobs);
    ck_assert_uint_eq(count, 4);
    ck_assert_uint_eq(pool_stats(pool).queued, 4);
    ck_assert_uint_eq(pool_stats(pool).running, 1);
    for (uint32_t ended = 1; ended <= 5; ended++) {
        word_set(&gate->open, ended);
        word_await(&gate->arrived, ended + 1); /* the worker has the next one */
        ck_assert_uint_eq(try_ten(pool, gate, jobs + count), 1);
        count++;
    }
    word_set(&gate->open, UINT32_MAX);
    for (uint32_t i = 0; i < count; i++) {
        job_assert_ended(jobs[i], PE_RETURNED, 0);
        ck_assert_uint_eq(job_number(jobs[i]), i + 2);
        pe_job_free(jobs[i]);
    }
    pe_job_free(busy);
    pool_end(pool);
}

/* Jobs of these sizes wait behind one that runs; the sum of 100 is all that may wait. */
PE_TEST(p5_bytes_that_wait_have_a_budget)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_bytes = 100 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy = gate_submit(pool, gate_pass, gate), *large = NULL, *jobs[5];
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    static const size_t sizes[5] = { 60, 0, 40, 0, 1 };
    unsigned char *bytes = pattern(1000, 1);

    word_await(&gate->arrived, 1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, sizes[i], NULL, &jobs[i]), i < 4 ? 0 : PE_EAGAIN);
    options.submit_deadline_ns = pe_after(PE_MS(20));
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, bytes, 1, &options, &large), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), options.submit_deadline_ns);
    ck_assert_int_eq(pe_job_cancel(jobs[2]), 0); /* gives its 40 back */
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 41, NULL, &jobs[4]), PE_EAGAIN);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 40, NULL, &jobs[4]), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1000, NULL, &large), PE_EAGAIN);
    word_set(&gate->open, UINT32_MAX);
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, bytes, 1000, NULL, &large), 0); /* waits, until it is alone */
    job_assert_reply(large, bytes, 1000);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, i == 2 ? PE_CANCELLED : PE_RETURNED);
    pe_job_free(busy);
    free(bytes);
    pool_end(pool);
}

PE_TEST(p5_an_argument_above_the_budget_waits_alone)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_bytes = 100 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy = gate_submit(pool, gate_pass, gate), *large, *small;
    unsigned char *bytes = pattern(1000, 1);

    word_await(&gate->arrived, 1);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1000, NULL, &large), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1, NULL, &small), PE_EAGAIN);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 0, NULL, &small), PE_EAGAIN);
    word_set(&gate->open, 1);
    job_assert_reply(large, bytes, 1000);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1, NULL, &small), 0);
    job_assert_reply(small, bytes, 1);
    pe_job_free(busy);
    free(bytes);
    pool_end(pool);
}

/* Many through a small budget: nothing is lost in the counting. */
PE_TEST(p5_budget_of_bytes_is_exact_over_many_jobs)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_bytes = 5000, .queue_jobs = 64 });
    unsigned char *bytes = pattern(2000, 2);
    pe_job *job;

    for (size_t i = 0; i < 5000; i++) {
        ck_assert_int_eq(pe_pool_submit(pool, job_echo, bytes, i * 37 % 2000, NULL, i % 10 == 0 ? &job : NULL), 0);
        if (i % 10 == 0) {
            pe_job_cancel(job);
            pe_job_free(job);
        }
    }
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    /* If bytes were still counted, a budget's worth would not fit at once. */
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy[2] = { gate_submit(pool, gate_pass, gate), gate_submit(pool, gate_pass, gate) };
    word_await(&gate->arrived, 2);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1999, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 2000, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1000, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_echo, bytes, 1, NULL, NULL), PE_EAGAIN);
    word_set(&gate->open, UINT32_MAX);
    for (int i = 0; i < 2; i++)
        pe_job_free(busy[i]);
    free(bytes);
    pool_end(pool);
}

PE_TEST(a_cancelled_job_takes_no_room_in_the_queue)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 4 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *busy = gate_submit(pool, gate_pass, gate), *jobs[20];
    uint32_t count;

    word_await(&gate->arrived, 1);
    count = try_ten(pool, gate, jobs);
    ck_assert_uint_eq(count, 4);
    for (uint32_t i = 1; i < 4; i++) /* the first one goes on waiting in front of them */
        ck_assert_int_eq(pe_job_cancel(jobs[i]), 0);
    ck_assert_uint_eq(pool_stats(pool).queued, 1);
    ck_assert_uint_eq(pool_stats(pool).running, 1);
    ck_assert_uint_eq(try_ten(pool, gate, jobs + count), 3);
    count += 3;
    word_set(&gate->open, UINT32_MAX);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, i >= 1 && i < 4 ? PE_CANCELLED : PE_RETURNED);
    pe_job_free(busy);
    pool_end(pool);
}

PE_TEST(submit_waits_while_the_queue_is_full)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 1 });
    struct gate *gate = pool_shared(pool, sizeof *gate);

    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(pe_pool_submit(pool, gate_count, &gate, sizeof gate, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&gate->arrived), 2000);
    pool_end(pool);
}

PE_TEST(submit_deadline_is_kept)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 1 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *none = NULL;
    int64_t deadline = pe_after(PE_MS(20));

    options.submit_deadline_ns = deadline;
    ck_assert_int_eq(pe_pool_submit(pool, gate_pass, &gate, sizeof gate, &options, NULL), 0);
    word_await(&gate->arrived, 1);
    ck_assert_int_eq(pe_pool_submit(pool, gate_pass, &gate, sizeof gate, NULL, NULL), 0);
    ck_assert_int_eq(pe_pool_submit(pool, gate_pass, &gate, sizeof gate, &options, &none), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_ptr_null(none);
    word_set(&gate->open, UINT32_MAX);
    pool_end(pool);
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
            if (pe_job_wait(*place, PE_FOREVER) != 0 || job_number(*place) != i - WINDOW)
                ck_abort_msg("wrong number");
            pe_job_free(*place);
        }
        *place = pool_submit(pool, job_echo, &i, sizeof i);
    }
}

static int tell_index(const void *arg, size_t bytes, pe_reply *reply)
{
    uint64_t index = (uint64_t)pe_worker_index();
    struct gate *gate;

    (void)bytes;
    memcpy(&gate, arg, sizeof gate);
    word_add(&gate->arrived);
    word_await(&gate->open, 1);
    return pe_reply_write(reply, &index, sizeof index);
}

/* Both workers run at once, so each gets one of the two jobs. */
static void find_pids(pe_pool *pool, int pids[2])
{
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *jobs[2] = { gate_submit(pool, tell_index, gate), gate_submit(pool, tell_index, gate) };

    word_await(&gate->arrived, 2);
    word_set(&gate->open, 1);
    for (int i = 0; i < 2; i++) {
        job_assert_ended(jobs[i], PE_RETURNED, 0);
        pids[job_number(jobs[i])] = job_status(jobs[i]).pid;
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
    for (int i = 0; i < 3 && !SANITIZED && harness_slowness() <= 1; i++) /* tools keep books that grow */
        ck_assert_msg(after[i] < before[i] + (1 << 20), "process %d: %lu, then %lu bytes", i,
                      (unsigned long)before[i], (unsigned long)after[i]);
    for (int i = 0; i < WINDOW; i++)
        pe_job_free(window[i]);
    pool_end(pool);
}

/* A record is free again when its result was taken over, not when the handle is freed. */
PE_TEST(handles_may_outnumber_the_queue)
{
    enum { COUNT = 20000 };
    static pe_job *jobs[COUNT];
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 64 });

    for (uint64_t i = 0; i < COUNT; i++)
        jobs[i] = pool_submit(pool, job_echo, &i, sizeof i);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (job_number(jobs[i]) != i)
            ck_abort_msg("wrong number");
        pe_job_free(jobs[i]);
    }
    pool_end(pool);
}

/* ---- asking ---- */

PE_TEST(pending_job_gives_no_result_yet)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *job = gate_submit(pool, gate_pass, gate);
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
    ck_assert_uint_eq(job_status(job).kind, PE_PENDING);
    ck_assert_ptr_null(data);
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(bytes, 99);
    word_set(&gate->open, 1);
    job_assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    pe_job_free(job);
    pool_end(pool);
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
    pe_job *job = pool_submit(pool, tell_pid, NULL, 0);
    pe_status status, again;

    job_assert_ended(job, PE_RETURNED, 0);
    taken = pe_now() - before;
    status = job_status(job);
    ck_assert_uint_eq((uint64_t)status.pid, job_number(job));
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
    pool_end(pool);
}

/* ---- cancelling and detaching ---- */

PE_TEST(cancelled_in_the_queue_never_starts)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate), *counter = pool_shared(pool, sizeof *counter);
    pe_job *running = gate_submit(pool, gate_pass, gate), *jobs[3];
    pe_status status;

    for (int i = 0; i < 3; i++)
        jobs[i] = gate_submit(pool, gate_count, counter);
    word_await(&gate->arrived, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pe_job_cancel(jobs[i]), 0);
        job_assert_ended(jobs[i], PE_CANCELLED, 0);
        status = job_status(jobs[i]);
        ck_assert_int_eq(status.worker, -1);
        ck_assert_int_eq(status.pid, 0);
        ck_assert_uint_eq(status.attempts, 0);
        ck_assert_int_eq(pe_job_cancel(jobs[i]), PE_EALREADY);
        ck_assert_int_eq(pe_job_result(jobs[i], NULL, NULL), PE_ENODATA);
        pe_job_free(jobs[i]);
    }
    word_set(&gate->open, 1);
    job_assert_ended(running, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_cancel(running), PE_EALREADY);
    ck_assert_uint_eq(job_number(running), 1);
    pe_job_free(running);
    ck_assert_uint_eq(atomic_load(&counter->arrived), 0);
    ck_assert_uint_eq(pool_stats(pool).cancelled, 3);
    pool_end(pool);
}

PE_TEST(cancel_queued_spares_what_runs)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *running = gate_submit(pool, gate_pass, gate), *jobs[10];

    word_await(&gate->arrived, 1);
    for (int i = 0; i < 10; i++)
        jobs[i] = gate_submit(pool, gate_pass, gate);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(job_status(jobs[i]).kind, PE_CANCELLED);
        pe_job_free(jobs[i]);
    }
    ck_assert_uint_eq(job_status(running).kind, PE_PENDING);
    ck_assert_uint_eq(pool_stats(pool).queued, 0);
    word_set(&gate->open, 1);
    job_assert_ended(running, PE_RETURNED, 0);
    pe_job_free(running);
    job_assert_reply(pool_submit(pool, job_echo, "on", 3), "on", 3);
    pool_end(pool);
}

PE_TEST(detached_jobs_run_and_drop_their_results)
{
    pe_pool *pool = pool_of(2);
    struct gate *counter = pool_shared(pool, sizeof *counter);
    unsigned char *bytes = pattern(1000000, 5);

    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(pe_pool_submit(pool, gate_count, &counter, sizeof counter, NULL, NULL), 0);
        pe_job_free(gate_submit(pool, gate_count, counter));
        ck_assert_int_eq(pe_pool_submit(pool, job_echo, bytes, 1000000, NULL, NULL), 0);
        pe_job_free(pool_submit(pool, job_echo, bytes, 1000000));
    }
    pe_job_free(NULL);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&counter->arrived), 40);
    ck_assert_uint_eq(pool_stats(pool).returned, 80);
    pe_pool_dealloc(pool, counter);
    ck_assert_uint_eq(pool_stats(pool).shared_bytes_used, 0);
    free(bytes);
    pool_end(pool);
}

PE_TEST(stats_count_jobs_and_bytes)
{
    pe_pool *pool = pool_of(3);
    pe_stats stats = pool_stats(pool);

    ck_assert_uint_eq(stats.workers, 3);
    ck_assert_uint_eq(stats.submitted, 0);
    for (int i = 0; i < 10; i++)
        job_assert_reply(pool_submit(pool, job_echo, "12345", 5), "12345", 5);
    stats = pool_stats(pool);
    ck_assert_uint_eq(stats.submitted, 10);
    ck_assert_uint_eq(stats.returned, 10);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_uint_eq(stats.running, 0);
    ck_assert_uint_eq(stats.bytes_in, 50);
    ck_assert_uint_eq(stats.bytes_out, 50);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(pool_stats(pool).workers_alive, 0);
    pe_pool_free(pool);
}

HARNESS_MAIN("submit")
