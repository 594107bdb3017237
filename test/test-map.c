/* Maps: order, counts, where input and output lie, the context, and maps as jobs. Items wait at gates in
 * shared memory. */

#include "harness/harness.h"

#include <parexec.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

PE_TEST(a01_map_squares_any_chunk)
{
    static const uint64_t chunks[] = { 1, 7, 100, 1000, 5000, PE_CHUNK_AUTO };
    pe_pool *pool = pool_of(4);
    uint64_t *in = numbers(1000);

    for (int c = 0; c < 6; c++) {
        pe_map_options options = PE_MAP_OPTIONS_INIT;
        uint64_t *out = untouched(1000);

        options.chunk = chunks[c];
        ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, 1000, &options), 0);
        for (uint64_t i = 0; i < 1000; i++)
            ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(out[1000], UNTOUCHED);
        free(out);
    }
    free(in);
    pool_end(pool);
}

PE_TEST_LOOP(map_of_any_count_on_any_number_of_workers, 1, 6)
{
    pe_pool *pool = pool_of((uint32_t)_i);
    uint64_t *in = numbers(70);

    for (size_t count = 0; count <= 70; count++) {
        uint64_t *out = untouched(count);

        ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, count, NULL), 0);
        for (uint64_t i = 0; i < count; i++)
            ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(out[count], UNTOUCHED);
        free(out);
    }
    free(in);
    pool_end(pool);
}

PE_TEST(a02_map_of_nothing)
{
    pe_pool *pool = pool_of(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct progress progress = { 0 };
    uint64_t in[3] = { 1, 2, 3 }, out[3] = { 0, 0, 0 };
    pe_job *job = NULL;
    pe_status status;
    int done = 0;

    options.summary = &summary;
    options.progress = progress_follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_map(pool, item_square, NULL, 8, NULL, 8, 0, &options), 0);
    ck_assert_uint_eq(summary.returned + summary.failed + summary.cancelled + summary.lost, 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    ck_assert_uint_eq(progress.calls, 1);
    ck_assert_uint_eq(progress.done, 0);
    ck_assert_int_eq(pe_pool_start_map(pool, item_square, NULL, 8, NULL, 8, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_on_done(job, count_call, &done), 0);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_int_eq(done, 1);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 0);
    ck_assert_int_eq(pe_job_item_status(job, 0, &status), PE_EINVAL);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(done, 1);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, 3, NULL), 0);
    ck_assert_uint_eq(out[2], 9);
    pool_end(pool);
}

PE_TEST(a03_bad_map_starts_nothing)
{
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    unsigned char longer[sizeof options + 8] = { 0 };
    size_t longer_bytes = sizeof longer;
    uint64_t memory[2];
    pe_stats stats = PE_STATS_INIT;
    pe_job *job = NULL;

    ck_assert_int_eq(pe_pool_map(pool, NULL, memory, 8, memory, 8, 2, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, SIZE_MAX / 2, memory, 8, 3, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, 8, memory, SIZE_MAX / 2, 3, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, 8, memory, 8, SIZE_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, 0, memory, 0, SIZE_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, item_square, memory, 8, memory, 8, SIZE_MAX / 8 + 1, NULL, &job),
                     PE_EINVAL);
    memcpy(longer, &options, sizeof options);
    memcpy(longer, &longer_bytes, sizeof longer_bytes);
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, 8, memory, 8, 0, (void *)longer), 0);
    longer[sizeof options + 3] = 1; /* a member of a later release */
    ck_assert_int_eq(pe_pool_map(pool, item_square, memory, 8, memory, 8, 2, (void *)longer), PE_EINVAL);
    ck_assert_ptr_null(job);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.submitted, 1); /* the map of nothing */
    pool_end(pool);
}

struct seen_worker {
    int32_t index, pid;
};

static void note_worker(void *out)
{
    *(struct seen_worker *)out = (struct seen_worker){ .index = pe_worker_index(), .pid = (int32_t)getpid() };
}

/* All at the same time; gives their pids. */
static void assert_all_seven(pe_pool *pool, int32_t pids[7])
{
    struct seen_worker seen[7];
    int set = 0;

    process_look(pool, 7, note_worker, seen, sizeof *seen);
    for (int i = 0; i < 7; i++) {
        ck_assert(seen[i].index >= 0 && seen[i].index < 7);
        set |= 1 << seen[i].index;
        pids[seen[i].index] = seen[i].pid;
    }
    ck_assert_int_eq(set, 127);
}

static int die(const void *arg, size_t bytes, pe_reply *reply)
{
    (void)arg, (void)bytes, (void)reply;
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(a11_worker_indices_are_reused)
{
    pe_pool *pool = pool_of(7);
    int32_t before[7], after[7], replaced = 0;
    pe_status status;
    pe_job *job;

    assert_all_seven(pool, before);
    ck_assert_int_eq(pe_pool_submit(pool, die, NULL, 0, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    pe_job_free(job);
    assert_all_seven(pool, after);
    for (int i = 0; i < 7; i++) {
        int other = before[i] != after[i];

        ck_assert_int_eq(other, status.worker == i);
        replaced += other;
    }
    ck_assert_int_eq(replaced, 1);
    pool_end(pool);
}

static int echo_item(const void *in, void *out, const void *context)
{
    size_t bytes;

    memcpy(&bytes, context, sizeof bytes);
    memcpy(out, in, bytes);
    return 0;
}

PE_TEST(map_items_of_any_size)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 63, 64, 65, 4095, 4096, 4097, 65535, 65537, 3000001 };
    pe_pool *pool = pool_of(2);
    pe_stats stats = PE_STATS_INIT;

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s], count = 5;
        unsigned char *in = malloc(size * count), *out = malloc(size * count + 1);
        pe_map_options options = PE_MAP_OPTIONS_INIT;

        for (size_t i = 0; i < size * count; i++)
            in[i] = (unsigned char)(i * 7 + i / 255);
        out[size * count] = 0xee;
        options.context = &size;
        options.context_bytes = sizeof size;
        ck_assert_int_eq(pe_pool_map(pool, echo_item, in, size, out, size, count, &options), 0);
        ck_assert(memcmp(in, out, size * count) == 0);
        ck_assert_uint_eq(out[size * count], 0xee);
        free(in);
        free(out);
    }
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.shared_bytes_used, 0);
    pool_end(pool);
}

/* ---- where in and out lie ---- */

PE_TEST_LOOP(map_with_in_and_out_shared_or_private, 0, 4)
{
    enum { COUNT = 300 };
    pe_pool *pool = pool_of(3);
    uint64_t *private_in = numbers(COUNT), *private_out = untouched(COUNT);
    uint64_t *in = _i & 1 ? pool_shared(pool, COUNT * 8) : private_in;
    uint64_t *out = _i & 2 ? pool_shared(pool, COUNT * 8) : private_out;

    memcpy(in, private_in, _i & 1 ? COUNT * 8 : 0);
    ck_assert_int_eq(pe_pool_map(pool, item_square, in, 8, out, 8, COUNT, NULL), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(out[i], i * i);
        ck_assert_uint_eq(in[i], i);
    }
    free(private_in);
    free(private_out);
    pool_end(pool);
}

static int tell_addresses(const void *in, void *out, const void *context)
{
    const void *wanted[2];
    uint64_t item = pe_worker_item();

    memcpy(wanted, context, sizeof wanted);
    *(uint64_t *)out = item;
    return in != (const char *)wanted[0] + 8 * item
           || out != (const void *)((const char *)wanted[1] + 8 * item);
}

PE_TEST(map_uses_shared_memory_in_place)
{
    enum { COUNT = 100 };
    pe_pool *pool = pool_of(2);
    uint64_t *memory = pool_shared(pool, 2 * COUNT * 8);
    const void *wanted[2] = { memory, memory + COUNT };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    options.context = wanted;
    options.context_bytes = sizeof wanted;
    ck_assert_int_eq(pe_pool_map(pool, tell_addresses, wanted[0], 8, memory + COUNT, 8, COUNT, &options), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(memory[COUNT + i], i);
    pool_end(pool);
}

static int expect_null(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    return context != NULL;
}

static int make_number(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();

    (void)in, (void)context;
    memcpy(out, &item, sizeof item);
    return 0;
}

static int add_up(const void *in, void *out, const void *context)
{
    _Atomic uint64_t *sum;
    uint64_t number;

    (void)out;
    memcpy(&sum, context, sizeof sum);
    memcpy(&number, in, sizeof number);
    atomic_fetch_add(sum, number);
    return 0;
}

PE_TEST(map_without_input_or_output)
{
    pe_pool *pool = pool_of(2);
    _Atomic uint64_t *sum = pool_shared(pool, sizeof *sum);
    uint64_t out[50];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    ck_assert_int_eq(pe_pool_map(pool, make_number, NULL, 0, out, 8, 50, NULL), 0);
    options.context = &sum;
    options.context_bytes = sizeof sum;
    ck_assert_int_eq(pe_pool_map(pool, add_up, out, 8, NULL, 0, 50, &options), 0);
    ck_assert_uint_eq(atomic_load(sum), 49 * 50 / 2);
    ck_assert_int_eq(pe_pool_map(pool, expect_null, NULL, 0, NULL, 0, 50, NULL), 0);
    pool_end(pool);
}

/* A counter for each worker, a cache line apart. */
struct tally {
    _Alignas(64) _Atomic uint64_t items;
    _Atomic uint64_t sum;
};

static int count_item(const void *in, void *out, const void *context)
{
    struct tally *tallies;

    (void)in, (void)out;
    memcpy(&tallies, context, sizeof tallies);
    struct tally *own = &tallies[pe_worker_index()];
    atomic_store_explicit(&own->items, atomic_load_explicit(&own->items, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&own->sum, atomic_load_explicit(&own->sum, memory_order_relaxed) + pe_worker_item(),
                          memory_order_relaxed);
    return 0;
}

/* More items than a lane has units, so a unit is more than one item; the last one is not full. */
PE_TEST_SLOW(map_of_more_than_2_to_the_24_items, 100)
{
    /* Where sizes have 32 bits that is more than a map may have; the most there is one of so many. */
    const uint64_t count = sizeof(size_t) > 4 ? 2 * (UINT64_C(1) << 24) + 5 : SIZE_MAX / 16 / sizeof(pe_status);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .shared_bytes = sizeof(size_t) > 4 ? 0 : 256 << 20 });
    struct tally *tallies = pool_shared(pool, 2 * sizeof *tallies);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;

    options.context = &tallies;
    options.context_bytes = sizeof tallies;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, count_item, NULL, 0, NULL, 0, count, &options), 0);
    ck_assert_uint_eq(summary.returned, count);
    ck_assert_uint_eq(tallies[0].items + tallies[1].items, count);
    ck_assert_uint_eq(tallies[0].sum + tallies[1].sum,
                      count / 2 * (count - 1) + (count & 1) * (count - 1) / 2);
    pool_end(pool);
}

/* ---- context ---- */

static int sum_context(const void *in, void *out, const void *context)
{
    const unsigned char *bytes = context;
    struct gate *gate;
    uint64_t sum = 0, count;

    memcpy(&count, in, sizeof count);
    memcpy(&gate, bytes, sizeof gate);
    word_await(&gate->open, 1);
    for (uint64_t i = sizeof gate; i < count; i++)
        sum += bytes[i];
    memcpy(out, &sum, sizeof sum);
    return 0;
}

PE_TEST(context_is_copied_when_the_map_starts)
{
    enum { BYTES = 200001 };
    pe_pool *pool = pool_of(2);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    unsigned char *context = malloc(BYTES);
    uint64_t in[4] = { 8, 9, 1000, BYTES }, out[4], wanted[4] = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job;

    for (int i = 0; i < BYTES; i++)
        context[i] = (unsigned char)(i * 13 + 1);
    memcpy(context, &gate, sizeof gate);
    for (int k = 0; k < 4; k++)
        for (uint64_t i = sizeof gate; i < in[k]; i++)
            wanted[k] += context[i];
    options.context = context;
    options.context_bytes = BYTES;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, 4, &options, &job), 0);
    memset(context, 0, BYTES);
    free(context);
    word_add(&gate->open);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    for (int k = 0; k < 4; k++)
        ck_assert_uint_eq(out[k], wanted[k]);
    pe_job_free(job);
    pool_end(pool);
}

/* ---- maps as jobs ---- */

/* The times of a map job are wall-clock times, in nanoseconds like all others. */
PE_TEST(status_of_a_map_job)
{
    pe_pool *pool = pool_of(2);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    uint64_t in[2] = { 8, 8 }, out[2];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    int64_t before = pe_now(), took, least = PE_MS(20);
    pe_status status;
    pe_job *job;

    options.context = &gate;
    options.context_bytes = sizeof gate;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, 2, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(least)), PE_ETIMEDOUT);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_PENDING);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), 0);
    ck_assert_uint_eq(status.kind, PE_PENDING);
    word_add(&gate->open);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    took = pe_now() - before;
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.worker, -1);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    ck_assert_int_ge(summary.wall_ns, least);
    ck_assert_int_le(summary.wall_ns, took);
    ck_assert_int_eq(status.run_ns, summary.wall_ns);
    pe_job_free(job);
    pool_end(pool);
}

/* No other call is made on the pool. */
PE_TEST(a_map_is_found_to_have_ended_by_asking)
{
    pe_pool *pool = pool_of(2);
    uint64_t in[9] = { 3 }, out[9] = { 0 };
    int64_t guard_ns = pe_after(PE_SECONDS(20));
    pe_status status = { .kind = PE_PENDING };
    pe_job *job;

    ck_assert_int_eq(pe_pool_start_map(pool, item_square, in, 8, out, 8, 9, NULL, &job), 0);
    while (status.kind == PE_PENDING && pe_now() < guard_ns) {
        ck_assert_int_eq(pe_job_status(job, &status), 0);
        ck_assert_int_eq(status.worker, -1);
    }
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_uint_eq(out[0], 9);
    pe_job_free(job);
    pool_end(pool);
}

PE_TEST(many_maps_at_once)
{
    enum { MAPS = 40, COUNT = 100 };
    pe_pool *pool = pool_of(3);
    uint64_t *in = numbers(COUNT), *outs[MAPS];
    pe_job *jobs[MAPS];
    int done = 0;

    for (int m = 0; m < MAPS; m++) { /* more than 16: the later ones wait for room */
        outs[m] = untouched(COUNT);
        ck_assert_int_eq(pe_pool_start_map(pool, item_square, in, 8, outs[m], 8, COUNT, NULL, &jobs[m]), 0);
        ck_assert_int_eq(pe_job_on_done(jobs[m], count_call, &done), 0);
    }
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_int_eq(done, MAPS);
    for (int m = 0; m < MAPS; m++) {
        for (uint64_t i = 0; i < COUNT; i++)
            ck_assert_uint_eq(outs[m][i], i * i);
        pe_job_free(jobs[m]);
        free(outs[m]);
    }
    free(in);
    pool_end(pool);
}

struct crowd {
    struct gate held[2], last;
    _Atomic uint32_t brief_ns;
};

static int be_busy(const void *arg, size_t bytes, pe_reply *reply)
{
    struct crowd *crowd;
    int64_t end_ns;

    (void)bytes, (void)reply;
    memcpy(&crowd, arg, sizeof crowd);
    end_ns = pe_now() + crowd->brief_ns;
    while (pe_now() < end_ns)
        ;
    return 0;
}

static void *start_one(void *context)
{
    static uint64_t in[2], out[2];
    pe_job *job = NULL;

    if (pe_pool_start_map(context, item_square, in, 8, out, 8, 2, NULL, &job) != 0)
        abort();
    return job;
}

static void *wait_for_one(void *job)
{
    if (pe_job_wait(job, PE_FOREVER) != 0)
        abort();
    return NULL;
}

/* Fills the queue's positions: tickets of cancelled maps keep theirs while an older job waits. */
static void start_and_cancel(pe_pool *pool, int maps)
{
    uint64_t in[2] = { 0, 0 }, out[2];

    for (int i = 0; i < maps; i++) {
        pe_job *job;

        ck_assert_int_eq(pe_pool_start_map(pool, item_square, in, 8, out, 8, 2, NULL, &job), 0);
        ck_assert_int_eq(pe_job_cancel(job), 0);
        ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    }
}

/*
 * 256 records: 2 jobs that are held, 1 brief one, 3 at a gate, 125 maps of 2 tickets. The next map has to wait until
 * the brief job and one of those at the gate have been claimed, and may then find the brief one ended, but not
 * collected. However it goes, the last two jobs wait, and must be found by the worker that was held all the time.
 */
static void crowd_the_queue(uint32_t brief_ns)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 2, .queue_jobs = 4 });
    struct crowd *crowd = pool_shared(pool, sizeof *crowd);
    pe_job *held[2], *brief, *last[3];
    pthread_t starter, waiter;
    void *map;

    crowd->brief_ns = brief_ns;
    for (int i = 0; i < 2; i++) {
        held[i] = gate_submit(pool, gate_pass, &crowd->held[i]);
        word_await(&crowd->held[i].arrived, 1);
    }
    brief = pool_submit(pool, be_busy, &crowd, sizeof crowd);
    for (int i = 0; i < 3; i++)
        last[i] = gate_submit(pool, gate_pass, &crowd->last);
    start_and_cancel(pool, 125);
    ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_one, held[0]), 0);
    ck_assert_int_eq(pthread_create(&starter, NULL, start_one, pool), 0);
    word_set(&crowd->held[1].open, 1);
    pthread_join(starter, &map);
    word_await(&crowd->last.arrived, 1);
    word_set(&crowd->held[0].open, 1);
    word_await(&crowd->last.arrived, 2);
    word_set(&crowd->last.open, UINT32_MAX);
    pthread_join(waiter, NULL);
    job_assert_ended(map, PE_RETURNED, 0);
    pe_job_free(map);
    ck_assert_uint_eq(job_finish(brief).kind, PE_RETURNED);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(job_finish(last[i]).kind, PE_RETURNED);
    for (int i = 0; i < 2; i++)
        pe_job_free(held[i]);
    pool_end(pool);
}

PE_TEST(tickets_pass_no_job_that_waits)
{
    uint32_t rounds = harness_long() ? 20000 : harness_valgrind() ? 100 : 300;

    for (uint32_t round = 0; round < rounds; round++)
        crowd_the_queue(round % 100 * 4000);
}

PE_TEST(detached_map_runs_to_its_end)
{
    pe_pool *pool = pool_of(2);
    _Atomic uint64_t *sum = pool_shared(pool, sizeof *sum);
    uint64_t *in = numbers(100);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job;

    options.context = &sum;
    options.context_bytes = sizeof sum;
    ck_assert_int_eq(pe_pool_start_map(pool, add_up, in, 8, NULL, 0, 100, &options, NULL), 0);
    ck_assert_int_eq(pe_pool_start_map(pool, add_up, in, 8, NULL, 0, 100, &options, &job), 0);
    pe_job_free(job);
    ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(atomic_load(sum), 99 * 100);
    free(in);
    pool_end(pool);
}

PE_TEST(cancelled_map_leaves_final_statuses)
{
    enum { COUNT = 1000 };
    pe_pool *pool = pool_of(2);
    static pe_status statuses[COUNT];
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t in[COUNT], *out = untouched(COUNT), cancelled = 0;
    pe_status status;
    pe_job *job;

    for (int i = 0; i < COUNT; i++)
        in[i] = 8;
    options.context = &gate;
    options.context_bytes = sizeof gate;
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_start_map(pool, sum_context, in, 8, out, 8, COUNT, &options, &job), 0);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_int_eq(pe_job_wait(job, PE_FOREVER), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_CANCELLED);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(statuses[i].kind, PE_CANCELLED);
        ck_assert_uint_eq(out[i], UNTOUCHED);
        cancelled++;
    }
    ck_assert_uint_eq(cancelled, COUNT);
    ck_assert_int_eq(pe_job_cancel(job), PE_EALREADY);
    pe_job_free(job);
    word_add(&gate->open);
    ck_assert_int_eq(pe_pool_map(pool, sum_context, in, 8, out, 8, COUNT, &options), 0);
    free(out);
    pool_end(pool);
}

HARNESS_MAIN("map")
