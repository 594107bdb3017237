/* Streams beside what else happens to their pool: waits that end early, other jobs and threads, callbacks, another
 * size, and the end of the pool. */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "harness/stream.h"

#define GUARD_NS PE_SECONDS(20)

/* ---- waits ---- */

PE_TEST(deadline_and_interrupt_leave_the_stream_as_it_is)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 2 * sizeof *gates);
    struct numbers_source source = { .end = 2 };
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, stream_at_gates(&gates));
    int64_t until = pe_after(PE_MS(30));

    ck_assert_int_eq(pe_stream_next(stream, until, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), until);
    pe_pool_interrupt(pool);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_EINTR);
    ck_assert_int_eq(pe_stream_next(stream, -1, NULL, NULL, NULL, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_stream_next(stream, 1, NULL, NULL, NULL, NULL), PE_EINVAL);
    word_set(&gates[0].open, 1);
    word_set(&gates[1].open, 1);
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 2);
    stream_assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(deadline_of_the_options_bounds_every_wait)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, sizeof *gates);
    struct numbers_source source = { .end = 1 };
    pe_map_options options = stream_at_gates(&gates);

    options.deadline_ns = pe_after(PE_MS(20));
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, options);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), options.deadline_ns);
    word_set(&gates[0].open, 1);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(pe_stream_next(stream, PE_FOREVER, NULL, NULL, NULL, NULL), 1);
    pe_stream_free(stream);
    pool_end(pool);
}

/* A source that takes its time is not asked for all that could be in flight before the first result comes out. */
static int next_slowly(void *item, void *context)
{
    struct numbers_source *numbers = context;
    int64_t until = pe_after(PE_MS(2));

    while (pe_now() < until)
        ;
    return next_number(item, numbers);
}

PE_TEST(slow_source_does_not_hold_back_results)
{
    pe_pool *pool = pool_of(1);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;

    options.max_inflight = 100000;
    ck_assert_int_eq(pe_pool_stream(pool, item_square, next_slowly, &source, 8, 8, &options, &stream), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(stream_take(stream, 1).count, 1);
    ck_assert_uint_lt(source.made, 5000);
    pe_stream_free(stream);
    pool_end(pool);
}

PE_TEST(queue_full_of_other_jobs_is_waited_for)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = 2 });
    struct gate *gate = pool_shared(pool, sizeof *gate);
    struct numbers_source source = { .end = 100 };
    pe_job *jobs[3];

    jobs[0] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 1);
    jobs[1] = gate_submit(pool, gate_pass, gate);
    jobs[2] = gate_submit(pool, gate_pass, gate);
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ 0 });
    ck_assert_int_eq(pe_stream_next(stream, 0, NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_stream_next(stream, pe_after(PE_MS(20)), NULL, NULL, NULL, NULL), PE_ETIMEDOUT);
    ck_assert_uint_eq(source.made, 1);
    word_set(&gate->open, UINT32_MAX);
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 100);
    stream_assert_ends_with(stream, 0);
    pe_stream_free(stream);
    for (int i = 0; i < 3; i++)
        job_finish(jobs[i]);
    pool_end(pool);
}

/* ---- the pool ends first ---- */

PE_TEST(closed_pool_hands_out_what_was_begun)
{
    pe_pool *pool = pool_of(2);
    struct numbers_source source = { .end = UINT64_MAX };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .max_inflight = 16 });

    ck_assert_uint_eq(stream_take(stream, 5).count, 5);
    ck_assert_int_eq(pe_pool_close(pool), 0);
    uint64_t made = source.made;
    struct stream_outcome rest = stream_take(stream, UINT64_MAX);
    ck_assert_uint_eq(5 + rest.count + rest.failed, source.made);
    ck_assert_uint_le(rest.failed, 1); /* one that was made and found the pool closed */
    ck_assert_uint_le(source.made, made + 1);
    stream_assert_ends_with(stream, PE_ECLOSED);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    stream_assert_ends_with(stream, PE_ECLOSED);
    pe_stream_free(stream);
    pe_pool_free(pool);
}

/* Items at gates that stay shut, and how they end. */
static void end_with_items_inside(pe_pool *pool, struct gate *gates, void (*end)(pe_pool *), uint32_t kind, int result)
{
    struct numbers_source source = { .end = UINT64_MAX };
    pe_map_options options = stream_at_gates(&gates);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_status status;
    uint64_t count = 0;
    int last;

    options.max_inflight = 6;
    options.summary = &summary;
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, options);
    stream_pull_until(stream, &source, 6);
    word_await(&gates[0].arrived, 1);
    end(pool);
    for (; (last = pe_stream_next(stream, PE_FOREVER, NULL, &status, NULL, NULL)) == 1; count++)
        ck_assert_uint_eq(status.kind, kind);
    ck_assert_uint_eq(count, source.made);
    ck_assert_int_eq(last, result);
    stream_assert_ends_with(stream, result);
    ck_assert_uint_eq(kind == PE_LOST ? summary.lost : summary.cancelled, count);
    pe_stream_free(stream);
}

static void kill_now(pe_pool *pool)
{
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
}

PE_TEST(killed_pool_cancels_what_is_in_flight)
{
    pe_pool *pool = pool_of(2);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);

    end_with_items_inside(pool, gates, kill_now, PE_CANCELLED, PE_ECLOSED);
    pe_pool_free(pool);
}

PE_TEST(stream_outlives_its_pool)
{
    pe_pool *pool = pool_of(2);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);

    end_with_items_inside(pool, gates, pe_pool_free, PE_CANCELLED, PE_ECLOSED);
}

static pid_t keeper;

static void kill_keeper(pe_pool *pool)
{
    (void)pool;
    kill(keeper, SIGKILL);
}

PE_TEST(broken_pool_loses_what_is_in_flight)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);

    keeper = process_keeper(pool);
    end_with_items_inside(pool, gates, kill_keeper, PE_LOST, PE_EBROKEN);
    pe_pool_free(pool);
}

/* ---- beside others ---- */

struct reentry {
    pe_pool *pool;
    pe_stream *stream;
    uint64_t made;
    int next, submit, map;
};

static int source_that_calls(void *item, void *context)
{
    struct reentry *reentry = context;
    uint64_t in = 3, out = 0;

    memcpy(item, &reentry->made, sizeof reentry->made);
    reentry->next = pe_stream_next(reentry->stream, 0, NULL, NULL, NULL, NULL);
    reentry->submit = pe_pool_submit(reentry->pool, job_nothing, NULL, 0, NULL, NULL);
    reentry->map = pe_pool_map(reentry->pool, item_square, &in, 8, &out, 8, 1, NULL);
    return reentry->made++ < 10;
}

PE_TEST(source_may_use_the_pool_but_not_its_stream)
{
    struct reentry reentry = { .pool = pool_of(2), .next = 99, .submit = 99, .map = 99 };

    ck_assert_int_eq(
        pe_pool_stream(reentry.pool, item_square, source_that_calls, &reentry, 8, 8, NULL, &reentry.stream), 0);
    ck_assert_uint_eq(stream_take(reentry.stream, UINT64_MAX).count, 10);
    ck_assert_int_eq(reentry.next, PE_EDEADLK);
    ck_assert_int_eq(reentry.submit, 0);
    ck_assert_int_eq(reentry.map, 0);
    pe_stream_free(reentry.stream);
    pool_end(reentry.pool);
}

static void next_and_free(pe_job *job, void *context)
{
    struct reentry *reentry = context;
    pe_stream *other;

    (void)job;
    reentry->next = pe_stream_next(reentry->stream, PE_FOREVER, NULL, NULL, NULL, NULL);
    reentry->submit = pe_pool_stream(reentry->pool, item_square, source_that_calls, reentry, 8, 8, NULL, &other);
    pe_stream_free(reentry->stream);
}

PE_TEST(in_a_callback_a_stream_is_not_asked_but_can_be_freed)
{
    struct reentry reentry = { .pool = pool_of(1) };
    struct numbers_source source = { .end = UINT64_MAX };
    pe_job *job = pool_submit(reentry.pool, job_nothing, NULL, 0);

    reentry.stream = stream_of(reentry.pool, item_square, &source, (pe_map_options){ 0 });
    ck_assert_uint_eq(stream_take(reentry.stream, 3).count, 3);
    ck_assert_int_eq(pe_job_on_done(job, next_and_free, &reentry), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(reentry.next, PE_EDEADLK);
    ck_assert_int_eq(reentry.submit, PE_EDEADLK);
    pe_job_free(job);
    pool_end(reentry.pool);
}

#define EACH 3000

struct user {
    pthread_t thread;
    pe_pool *pool;
    uint32_t flags;
    uint64_t squares, jobs, maps;
};

/* Two streams, and between their results jobs and maps. */
static void *use_streams(void *context)
{
    struct user *user = context;
    struct numbers_source sources[2] = { { .end = EACH }, { .end = EACH } };
    pe_stream *streams[2];

    for (int i = 0; i < 2; i++)
        streams[i] = stream_of(user->pool, item_square, &sources[i],
                               (pe_map_options){ .flags = user->flags, .max_inflight = 20 });
    for (int i = 0; i < EACH; i++) {
        uint64_t in[3] = { 1, 2, 3 }, out[3];

        user->squares += stream_take(streams[0], 1).count + stream_take(streams[1], 1).count;
        if (i % 10 == 0)
            user->jobs += pe_pool_submit(user->pool, job_nothing, NULL, 0, NULL, NULL) == 0;
        if (i % 100 == 0)
            user->maps += pe_pool_map(user->pool, item_square, in, 8, out, 8, 3, NULL) == 0 && out[2] == 9;
    }
    for (int i = 0; i < 2; i++) {
        stream_assert_ends_with(streams[i], 0);
        pe_stream_free(streams[i]);
    }
    return NULL;
}

PE_TEST(streams_jobs_and_maps_from_two_threads_at_once)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 32 });
    struct user users[2] = { { .pool = pool }, { .pool = pool, .flags = PE_MAP_ORDERED } };

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&users[i].thread, NULL, use_streams, &users[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(users[i].thread, NULL);
        ck_assert_uint_eq(users[i].squares, 2 * EACH);
        ck_assert_uint_eq(users[i].jobs, EACH / 10);
        ck_assert_uint_eq(users[i].maps, EACH / 100);
    }
    pool_end(pool);
}

PE_TEST(queue_cancelled_by_another_gives_cancelled_items)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 8 * sizeof *gates);
    struct numbers_source source = { .end = 5 };
    pe_stream *stream = stream_of(pool, item_square_at_gate, &source, stream_at_gates(&gates));

    stream_pull_until(stream, &source, 5);
    word_await(&gates[0].arrived, 1);
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    word_set(&gates[0].open, 1);
    struct stream_outcome outcome = stream_take(stream, UINT64_MAX);
    ck_assert_uint_eq(outcome.count, 1);
    ck_assert_uint_eq(outcome.failed, 4);
    ck_assert_int_eq(outcome.result, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

/* The context: a word that is 0 as long as no other job has run. */
static int square_if_first(const void *in, void *out, const void *context)
{
    return atomic_load(*(_Atomic uint32_t *const *)context) == 0 ? item_square(in, out, NULL) : 1;
}

PE_TEST(p15_items_of_high_priority_overtake_what_waits)
{
    pe_pool *pool = pool_of(1);
    struct gate *gates = pool_shared(pool, 2 * sizeof *gates);
    _Atomic uint32_t *others = &gates[1].arrived;
    struct numbers_source source = { .end = 20 };
    pe_job *busy = gate_submit(pool, gate_pass, &gates[0]), *waiting;

    word_await(&gates[0].arrived, 1);
    waiting = gate_submit(pool, gate_count, &gates[1]);
    pe_stream *stream = stream_of(pool, square_if_first, &source,
                                  (pe_map_options){ .priority = PE_PRIORITY_HIGH,
                                                    .context = &others,
                                                    .context_bytes = sizeof others });
    stream_pull_until(stream, &source, 20);
    word_set(&gates[0].open, 1);
    ck_assert_uint_eq(stream_take(stream, UINT64_MAX).count, 20);
    job_assert_ended(waiting, PE_RETURNED, 0);
    pe_stream_free(stream);
    pe_job_free(busy);
    pe_job_free(waiting);
    pool_end(pool);
}

PE_TEST_LOOP(p66_pool_of_another_size_under_a_stream, 0, 2)
{
    static const uint32_t sizes[] = { 6, 1, 3, 2, 5 };
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .idle_ns = PE_MS(1) });
    struct numbers_source source = { .end = 4000 };
    pe_stream *stream = stream_of(pool, item_square, &source, (pe_map_options){ .flags = _i ? PE_MAP_ORDERED : 0 });
    unsigned char seen[4000] = { 0 };

    for (uint64_t i = 0; i < 4000; i++) {
        uint64_t index;

        if (i % 200 == 0) {
            int64_t deadline_ns = i % 400 == 0 ? 0 : PE_FOREVER;
            int result = pe_pool_resize(pool, sizes[i / 200 % 5], deadline_ns);
            ck_assert(result == 0 || (result == PE_ETIMEDOUT && deadline_ns == 0));
        }
        ck_assert_int_eq(pe_stream_next(stream, pe_after(GUARD_NS), &index, NULL, NULL, NULL), 1);
        ck_assert_uint_eq(seen[index]++, 0);
    }
    stream_assert_ends_with(stream, 0);
    pe_stream_free(stream);
    pool_end(pool);
}

HARNESS_MAIN("stream-beside")
