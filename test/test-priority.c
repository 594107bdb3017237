/*
 * Three levels of priority: what a free worker takes next, of jobs, maps and reduces; the room of each level; and that
 * work of every level survives the death of its worker.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include <parexec/error.h>

#include "harness/books.h"
#include "harness/gate.h"
#include "harness/items.h"
#include "harness/pool.h"

#define GUARD_NS PE_SECONDS(20)
#define LEVELS   3
#define MOST     64

static const uint32_t from_highest[LEVELS] = { PE_PRIORITY_HIGH, PE_PRIORITY_NORMAL, PE_PRIORITY_LOW };

/* What ran, in the order in which it began. */
struct journal {
    _Atomic uint32_t count;
    _Atomic uint32_t names[MOST];
    struct gate gate;
};

struct entry {
    struct journal *journal;
    uint32_t name;
};

static void note(struct journal *journal, uint32_t name)
{
    uint32_t place = atomic_fetch_add(&journal->count, 1);

    if (place < MOST)
        atomic_store(&journal->names[place], name);
}

static int job_notes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct entry entry;

    (void)arg_bytes, (void)reply;
    memcpy(&entry, arg, sizeof entry);
    note(entry.journal, entry.name);
    return 0;
}

static int item_notes(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    return job_notes(context, 0, NULL);
}

static int range_notes(uint64_t first, uint64_t last, void *acc, const void *context)
{
    *(uint64_t *)acc += last - first;
    return job_notes(context, 0, NULL);
}

static int try_level(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, uint32_t priority, pe_job **job)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.priority = priority;
    return pe_pool_try_submit(pool, fn, arg, arg_bytes, &options, job);
}

static pe_job *submit_note(pe_pool *pool, struct journal *journal, uint32_t name, uint32_t priority)
{
    struct entry entry = { journal, name };
    pe_job *job = NULL;

    ck_assert_int_eq(try_level(pool, job_notes, &entry, sizeof entry, priority, &job), 0);
    return job;
}

static pe_job *start_map(pe_pool *pool, struct journal *journal, uint32_t name, uint32_t priority, size_t count)
{
    struct entry entry = { journal, name };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    options.priority = priority;
    options.context = &entry;
    options.context_bytes = sizeof entry;
    ck_assert_int_eq(pe_pool_start_map(pool, item_notes, NULL, 0, NULL, 0, count, &options, &job), 0);
    return job;
}

/* Of one worker, which waits at the gate in a job of the lowest priority. */
static pe_pool *begin_held(struct journal **ret_journal, pe_job **ret_holder, uint64_t queue_jobs)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .queue_jobs = queue_jobs });
    struct journal *journal = pool_shared(pool, sizeof *journal);
    struct gate *gate = &journal->gate;

    ck_assert_int_eq(try_level(pool, gate_pass, &gate, sizeof gate, PE_PRIORITY_LOW, ret_holder), 0);
    word_await(&gate->arrived, 1);
    *ret_journal = journal;
    return pool;
}

static void assert_order(const struct journal *journal, const uint32_t *names, uint32_t count)
{
    ck_assert_uint_eq(atomic_load(&journal->count), count);
    for (uint32_t i = 0; i < count; i++)
        if (atomic_load(&journal->names[i]) != names[i])
            ck_abort_msg("place %u: %u instead of %u", i, atomic_load(&journal->names[i]), names[i]);
}

static void let_go(pe_pool *pool, struct journal *journal, pe_job *holder)
{
    word_set(&journal->gate.open, 1);
    ck_assert_uint_eq(job_finish(holder).attempts, 1);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
}

static void end_held(pe_pool *pool, struct journal *journal)
{
    pe_pool_dealloc(pool, journal);
    books_assert_nothing_left(pool);
    pool_end(pool);
}

/* ---- what comes next ---- */

PE_TEST(highest_level_first_and_oldest_first_within_it)
{
    struct journal *journal;
    pe_job *holder, *jobs[30];
    pe_pool *pool = begin_held(&journal, &holder, 0);
    uint32_t wanted[30];

    for (uint32_t i = 0; i < 30; i++) {
        jobs[i] = submit_note(pool, journal, i, (i * 7 + i / 5) % LEVELS);
        ck_assert_uint_eq(job_status(jobs[i]).kind, PE_PENDING);
    }
    ck_assert_uint_eq(pool_stats(pool).queued, 30);
    let_go(pool, journal, holder);
    for (uint32_t level = 0, at = 0; level < LEVELS; level++)
        for (uint32_t i = 0; i < 30; i++)
            if ((i * 7 + i / 5) % LEVELS == from_highest[level])
                wanted[at++] = i;
    assert_order(journal, wanted, 30);
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    end_held(pool, journal);
}

/* A worker in the middle of a queue that it has seen to the end does not go on with that. */
PE_TEST(what_comes_later_overtakes_what_waits)
{
    struct journal *journal;
    pe_job *holder, *second = NULL;
    pe_pool *pool = begin_held(&journal, &holder, 0);
    struct gate *gate = &journal->gate;

    pe_job_free(submit_note(pool, journal, 1, PE_PRIORITY_NORMAL));
    ck_assert_int_eq(try_level(pool, gate_pass, &gate, sizeof gate, PE_PRIORITY_NORMAL, &second), 0);
    for (uint32_t i = 0; i < 3; i++) {
        pe_job_free(submit_note(pool, journal, 10 + i, PE_PRIORITY_LOW));
        pe_job_free(submit_note(pool, journal, 20 + i, PE_PRIORITY_NORMAL));
    }
    word_set(&gate->open, 1);
    word_await(&gate->arrived, 2);
    pe_job_free(submit_note(pool, journal, 2, PE_PRIORITY_NORMAL));
    pe_job_free(submit_note(pool, journal, 3, PE_PRIORITY_HIGH));
    word_set(&gate->open, 2);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    assert_order(journal, (uint32_t[]){ 1, 3, 20, 21, 22, 2, 10, 11, 12 }, 9);
    pe_job_free(holder);
    pe_job_free(second);
    end_held(pool, journal);
}

PE_TEST(maps_take_their_turn_among_jobs)
{
    struct journal *journal;
    pe_job *holder, *maps[LEVELS];
    pe_pool *pool = begin_held(&journal, &holder, 0);

    maps[0] = start_map(pool, journal, 1, PE_PRIORITY_LOW, 3);
    pe_job_free(submit_note(pool, journal, 2, PE_PRIORITY_LOW));
    pe_job_free(submit_note(pool, journal, 3, PE_PRIORITY_NORMAL));
    maps[1] = start_map(pool, journal, 4, PE_PRIORITY_NORMAL, 2);
    pe_job_free(submit_note(pool, journal, 5, PE_PRIORITY_NORMAL));
    pe_job_free(submit_note(pool, journal, 6, PE_PRIORITY_HIGH));
    maps[2] = start_map(pool, journal, 7, PE_PRIORITY_HIGH, 4);
    pe_job_free(submit_note(pool, journal, 8, PE_PRIORITY_HIGH));
    let_go(pool, journal, holder);
    assert_order(journal, (uint32_t[]){ 6, 7, 7, 7, 7, 8, 3, 4, 4, 5, 1, 1, 1, 2 }, 14);
    for (int i = 0; i < LEVELS; i++)
        job_assert_ended(maps[i], PE_RETURNED, 0), pe_job_free(maps[i]);
    end_held(pool, journal);
}

struct opener {
    pe_pool *pool;
    struct journal *journal;
    uint64_t queued; /* when so many jobs wait, the gate is opened */
};

static void *open_gate(void *context)
{
    struct opener *opener = context;
    int64_t guard = pe_after(GUARD_NS);

    while (pool_stats(opener->pool).queued < opener->queued && pe_now() < guard)
        sched_yield();
    word_set(&opener->journal->gate.open, 1);
    return NULL;
}

PE_TEST(blocks_of_a_reduce_take_its_priority)
{
    struct journal *journal;
    pe_job *holder;
    pe_pool *pool = begin_held(&journal, &holder, 0);
    struct opener opener = { pool, journal, 2 + 4 };
    struct entry entry = { journal, 1 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pthread_t thread;
    uint64_t sum = 0;

    pe_job_free(submit_note(pool, journal, 2, PE_PRIORITY_LOW));
    pe_job_free(submit_note(pool, journal, 3, PE_PRIORITY_NORMAL));
    options.priority = PE_PRIORITY_HIGH;
    options.context = &entry;
    options.context_bytes = sizeof entry;
    ck_assert_int_eq(pthread_create(&thread, NULL, open_gate, &opener), 0);
    ck_assert_int_eq(pe_pool_reduce(pool, range_notes, combine_sum, 0, 4, &sum, sizeof sum, &options), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(sum, 4);
    let_go(pool, journal, holder);
    assert_order(journal, (uint32_t[]){ 1, 1, 1, 1, 3, 2 }, 6);
    end_held(pool, journal);
}

/* ---- room ---- */

PE_TEST(each_level_has_its_own_room)
{
    struct journal *journal;
    pe_job *holder, *job = NULL;
    pe_pool *pool = begin_held(&journal, &holder, 4);
    struct entry entry = { journal, 0 };

    for (uint32_t level = 0; level < LEVELS; level++) {
        for (uint32_t i = 0; i < 4; i++)
            pe_job_free(submit_note(pool, journal, 0, level));
        ck_assert_int_eq(try_level(pool, job_notes, &entry, sizeof entry, level, &job), PE_EAGAIN);
        ck_assert_uint_eq(pool_stats(pool).queued, 4 * (level + 1));
    }
    let_go(pool, journal, holder);
    ck_assert_uint_eq(atomic_load(&journal->count), 4 * LEVELS);
    end_held(pool, journal);
}

/* The wait for room of a level ends with the first claims there, which come last of all. */
PE_TEST(a_full_level_is_waited_for)
{
    struct journal *journal;
    pe_job *holder, *job = NULL;
    pe_pool *pool = begin_held(&journal, &holder, 4);
    struct entry entry = { journal, 9 };
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    for (uint32_t i = 0; i < 4; i++) {
        pe_job_free(submit_note(pool, journal, 1, PE_PRIORITY_NORMAL));
        pe_job_free(submit_note(pool, journal, 2, PE_PRIORITY_LOW));
    }
    options.priority = PE_PRIORITY_LOW;
    options.submit_deadline_ns = pe_after(PE_MS(20));
    ck_assert_int_eq(pe_pool_submit(pool, job_notes, &entry, sizeof entry, &options, NULL), PE_ETIMEDOUT);
    word_set(&journal->gate.open, 1);
    options.submit_deadline_ns = pe_after(GUARD_NS);
    ck_assert_int_eq(pe_pool_submit(pool, job_notes, &entry, sizeof entry, &options, &job), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_RETURNED);
    let_go(pool, journal, holder);
    assert_order(journal, (uint32_t[]){ 1, 1, 1, 1, 2, 2, 2, 2, 9 }, 9);
    end_held(pool, journal);
}

PE_TEST(cancel_queued_takes_all_levels)
{
    struct journal *journal;
    pe_job *holder, *jobs[LEVELS], *maps[LEVELS];
    pe_pool *pool = begin_held(&journal, &holder, 0);

    for (uint32_t level = 0; level < LEVELS; level++) {
        jobs[level] = submit_note(pool, journal, 0, level);
        maps[level] = start_map(pool, journal, 0, level, 2);
    }
    ck_assert_int_eq(pe_pool_cancel_queued(pool), 0);
    for (uint32_t level = 0; level < LEVELS; level++) {
        ck_assert_uint_eq(job_finish(jobs[level]).kind, PE_CANCELLED);
        ck_assert_uint_eq(job_finish(maps[level]).kind, PE_CANCELLED);
    }
    ck_assert_uint_eq(pool_stats(pool).queued, 0);
    let_go(pool, journal, holder);
    assert_order(journal, NULL, 0);
    end_held(pool, journal);
}

/* ---- many workers, many rounds, deaths ---- */

static int job_doubles_or_dies(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t number;

    memcpy(&number, arg, sizeof number);
    if (number % 64 == 63)
        raise(SIGKILL);
    return job_double(arg, arg_bytes, reply);
}

/* Round and round in small rings, each level full at times. */
PE_TEST(every_job_of_every_level_ends_once)
{
    enum { JOBS = 3000 };
    static pe_job *jobs[JOBS];
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 3, .queue_jobs = 8, .max_deaths = UINT32_MAX });
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    for (uint64_t i = 0; i < JOBS; i++) {
        options.priority = (uint32_t)(i * i % 7 % LEVELS);
        options.retries = (uint32_t)(i % 2);
        ck_assert_int_eq(pe_pool_submit(pool, job_doubles_or_dies, &i, sizeof i, &options, &jobs[i]), 0);
    }
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    for (uint64_t i = 0; i < JOBS; i++) {
        pe_status status = job_status(jobs[i]);
        ck_assert_uint_eq(status.kind, i % 64 == 63 ? PE_CRASHED : PE_RETURNED);
        ck_assert_uint_eq(status.attempts, i % 64 == 63 ? 2 : 1); /* the numbers of those that die are odd */
        if (i % 64 != 63)
            ck_assert_uint_eq(job_number(jobs[i]), 2 * i);
        pe_job_free(jobs[i]);
    }
    books_assert_nothing_left(pool);
    pool_end(pool);
}

/* Nothing else wakes them. */
PE_TEST_LOOP(sleeping_workers_are_woken_for_a_level, 0, LEVELS)
{
    pe_pool *pool = pool_of(2);

    for (uint64_t i = 0; i < 5; i++) {
        int64_t guard = pe_after(GUARD_NS);
        pe_job *job = NULL;

        while (atomic_load(&pool->shared.groups[0].sleepers) != 3 && pe_now() < guard)
            sched_yield();
        ck_assert_int_eq(try_level(pool, job_double, &i, sizeof i, (uint32_t)_i, &job), 0);
        ck_assert_int_eq(pe_job_wait(job, guard), 0);
        ck_assert_uint_eq(job_number(job), 2 * i);
        pe_job_free(job);
    }
    pool_end(pool);
}

/* ---- what is refused, and the pool without processes ---- */

PE_TEST(an_unknown_priority_is_refused)
{
    pe_pool *pool = pool_of(1);
    struct entry entry = { NULL, 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t sum = 0;

    options.priority = LEVELS;
    ck_assert_int_eq(try_level(pool, job_notes, &entry, sizeof entry, LEVELS, NULL), PE_EINVAL);
    ck_assert_int_eq(try_level(pool, job_notes, &entry, sizeof entry, UINT32_MAX, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_map(pool, item_notes, NULL, 0, NULL, 0, 1, &options), PE_EINVAL);
    ck_assert_int_eq(pe_pool_start_map(pool, item_notes, NULL, 0, NULL, 0, 1, &options, NULL), PE_EINVAL);
    ck_assert_int_eq(pe_pool_reduce(pool, range_notes, combine_sum, 0, 1, &sum, sizeof sum, &options), PE_EINVAL);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pool_end(pool);
}

PE_TEST(an_inline_pool_takes_priorities)
{
    pe_pool *pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });

    for (uint32_t level = 0; level < LEVELS; level++) {
        uint64_t number = 7;
        pe_job *job = NULL;
        ck_assert_int_eq(try_level(pool, job_double, &number, sizeof number, level, &job), 0);
        ck_assert_uint_eq(job_number(job), 14);
        pe_job_free(job);
    }
    pool_end(pool);
}

HARNESS_MAIN("priority")
