/* Callbacks of jobs: when and where they run, how often, and what they may do themselves. */

#include "harness/harness.h"

#include <parexec.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"

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
    pe_job *job = pool_submit(pool, job_nothing, NULL, 0);

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
    pool_end(pool);
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
        ck_assert_int_eq(pe_job_on_done(pool_submit(pool, job_nothing, NULL, 0), free_and_note, &notes), 0);
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
    pool_end(pool);
    ck_assert_int_eq(notes.calls, COUNT);
}

/* A callback that belongs to a job of a pool that is freed runs then, for a job that is cancelled. */
PE_TEST(on_done_runs_at_the_latest_in_free)
{
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    struct notes notes[2] = { { 0 }, { 0 } };
    pe_job *jobs[2];

    for (int i = 0; i < 2; i++) {
        jobs[i] = gate_submit(pool, gate_pass, gate);
        ck_assert_int_eq(pe_job_on_done(jobs[i], note, &notes[i]), 0);
    }
    pe_pool_free(pool);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(notes[i].calls, 1);
        ck_assert_uint_eq(job_status(jobs[i]).kind, PE_CANCELLED);
        pe_job_free(jobs[i]);
    }
}

/* ---- two threads ---- */

/* One thread is inside a callback for as long as the test says, while another one makes a second one due. */
struct pair {
    pe_pool *pool;
    _Atomic uint32_t inside, leave; /* the first callback */
    _Atomic uint32_t others;        /* how often the second one ran */
};

static void stay_inside(pe_job *job, void *context)
{
    struct pair *pair = context;

    (void)job;
    word_set(&pair->inside, 1);
    word_await(&pair->leave, 1);
}

static void run_beside(pe_job *job, void *context)
{
    struct pair *pair = context;

    (void)job;
    atomic_fetch_add(&pair->others, 1);
}

static void *wait_for_pool(void *context)
{
    struct pair *pair = context;

    return pe_pool_wait(pair->pool, PE_FOREVER) == 0 ? NULL : pair;
}

PE_TEST(never_two_at_a_time_though_another_thread_waits)
{
    struct pair pair = { .pool = pool_of(1) };
    pe_job *first = pool_submit(pair.pool, job_nothing, NULL, 0), *second;
    pthread_t thread;
    void *failed;

    ck_assert_int_eq(pe_job_on_done(first, stay_inside, &pair), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_pool, &pair), 0);
    word_await(&pair.inside, 1);
    second = pool_submit(pair.pool, job_nothing, NULL, 0);
    ck_assert_int_eq(pe_job_on_done(second, run_beside, &pair), 0);
    ck_assert_int_eq(pe_job_wait(second, PE_FOREVER), 0); /* so it is due, and these calls may run it */
    ck_assert_int_eq(pe_job_wait_any(&second, 1, PE_FOREVER, NULL), 0);
    ck_assert_int_eq(pe_pool_wait(pair.pool, PE_FOREVER), 0);
    ck_assert_int_ge(pe_pool_poll(pair.pool), 0);
    ck_assert_uint_eq(atomic_load(&pair.others), 0);
    word_set(&pair.leave, 1);
    ck_assert_int_eq(pthread_join(thread, &failed), 0);
    ck_assert_ptr_null(failed);
    ck_assert_int_ge(pe_pool_poll(pair.pool), 0);
    ck_assert_uint_eq(atomic_load(&pair.others), 1);
    pe_job_free(first);
    pe_job_free(second);
    pool_end(pair.pool);
}

/* ---- callbacks that bring about more ---- */

struct again {
    uint64_t accepted, calls;
    int refused; /* the last one */
};

static void register_again(pe_job *job, void *context)
{
    struct again *again = context;

    again->calls++;
    again->refused = pe_job_on_done(job, register_again, again);
    again->accepted += again->refused == 0;
}

/* Ended by pe_pool_kill, or by pe_pool_free alone. */
PE_TEST_LOOP(registered_again_for_ever_holds_up_no_call, 0, 2)
{
    pe_pool *pool = pool_of(2);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *job = pool_submit(pool, job_nothing, NULL, 0), *running = gate_submit(pool, gate_pass, gate);
    struct again again = { .accepted = 1 };
    uint64_t before;

    ck_assert_int_eq(pe_job_on_done(job, register_again, &again), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(PE_MS(20))), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_job_wait(running, pe_after(PE_MS(20))), PE_ETIMEDOUT);
    before = again.calls;
    ck_assert_uint_ge(before, 1);
    for (int i = 0; i < 10; i++)
        ck_assert_int_ge(pe_pool_poll(pool), 0);
    ck_assert_uint_ge(again.calls, before + 10); /* each call runs those that were due when it began */
    word_set(&gate->open, 1);
    job_assert_ended(running, PE_RETURNED, 0);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    if (_i == 0)
        ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    ck_assert_int_eq(again.refused, 0);
    pe_pool_free(pool);
    ck_assert_int_eq(again.refused, PE_ECLOSED); /* there is no call any more that would run it */
    ck_assert_uint_eq(again.calls, again.accepted);
    before = again.calls;
    pe_job_free(running);
    pe_job_free(job);
    ck_assert_uint_eq(again.calls, before);
}

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
    ck_assert_int_eq(pe_pool_submit(pool, job_echo, "added", 6, NULL, &scene->added), 0);
    ck_assert_int_eq(pe_job_on_done(scene->added, added_is_done, scene), 0);
    pe_job_cancel(scene->queued);
    pe_job_free(scene->spare);
    pe_job_free(job);
    /* It has ended, and its memory is there until we return. */
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    scene->refused += pe_job_wait(scene->added, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_wait(pool, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_join(pool, PE_FOREVER) == PE_EDEADLK;
    scene->refused += pe_pool_kill(pool, 0) == PE_EDEADLK;
    scene->refused += pe_pool_poll(pool) == PE_EDEADLK;
    scene->refused += pe_pool_map(pool, item_nothing, NULL, 0, NULL, 0, 1, NULL) == PE_EDEADLK;
    scene->refused +=
        pe_pool_reduce(pool, range_nothing, combine_nothing, 0, 1, &acc, sizeof acc, NULL) == PE_EDEADLK;
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

    scene.first = pool_submit(scene.pool, job_nothing, NULL, 0);
    scene.spare = pool_submit(scene.pool, job_nothing, NULL, 0);
    scene.queued = pool_submit(scene.pool, job_echo, "queued", 7);
    for (int i = 0; i < 10; i++)
        rest[i] = pool_submit(scene.pool, job_echo, "rest", 5);
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
        ck_assert_uint_eq(job_ended(rest[i]).kind, PE_RETURNED);
        pe_job_free(rest[i]);
    }
    ck_assert_uint_eq(job_ended(scene.added).kind, PE_RETURNED);
    pe_job_free(scene.added);
    pe_job_free(scene.queued);
    pool_end(scene.pool);
    ck_assert_int_eq(scene.calls, 4);
}

HARNESS_MAIN("callbacks")
