/*
 * A worker that writes where it should not: forged ends of its own jobs, one field at a time, notes of its crash and
 * figures. The host may call the pool broken and its results lost or wrong. It must not crash, nor hang, nor read or
 * write outside its own memory.
 */
#include "harness/harness.h"

#include <sched.h>
#include <signal.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "base/clock.h"
#include "harness/scene.h"

#define GUARD_NS PE_SECONDS(20)

/* ---- one forged field: the host finds out ---- */

enum forgery {
    NEAR_LENGTH,
    INLINE_LENGTH,
    INLINE_LIMIT,
    BLOCK_NUMBER,
    BLOCK_NUMBER_MAX,
    BLOCK_LENGTH,
    BLOCK_LENGTH_MAX,
    BLOCK_OF_ANOTHER,
    REPLY_LIMIT,
    TEXT_LENGTH,
    TEXT_LENGTH_MAX,
    OUTPUT_NONE,
    OUTPUT_LENGTH,
    OUTPUT_LENGTH_MAX,
    END_PHASE,
    END_PHASE_MAX,
    END_SEQUENCE_MORE,
    END_SEQUENCE_LESS,
    END_OWNER,
    END_OWNER_MAX,
    END_TIMED_OUT,
    END_EXPIRED,
    END_TIMED_OUT_OWNER,
    LIFE_FREE,
    LIFE_SEQUENCE_MORE,
    LIFE_SEQUENCE_LESS,
    LIFE_OWNER,
    LIFE_OWNER_MAX,
    LIFE_STOPPING,
    LIFE_QUEUED,
    LIFE_QUEUED_FOR_ONE,
    LIFE_OF_A_SLEEPER,
    LIFE_OF_A_BUSY_ONE,
    FORGERIES
};

static void forge_far(struct pe__record *record, uint32_t block, uint64_t bytes)
{
    struct pe__record_more *more = &scene->view.records_more[scene_own_index()];

    record->reply_short = PE__RECORD_FAR;
    more->reply_block = block;
    more->reply_bytes = bytes;
}

static void forge_output(struct pe__record *record, uint32_t bytes)
{
    record->text_bytes = PE__RECORD_HAS_OUTPUT;
    pe__mapping_output(&scene->view, scene_own_index())->bytes = bytes;
}

static void forge_reply(struct pe__record *record, enum forgery what)
{
    const struct pe__block_table *blocks = &scene->view.blocks;

    record->text_bytes = 0;
    record->code = 0;
    record->reply_short = PE__RECORD_NO_REPLY;
    switch (what) {
    case NEAR_LENGTH: record->reply_short = PE__RECORD_INLINE_BYTES + 1; break;
    case INLINE_LIMIT: record->reply_short = PE__RECORD_INLINE_BYTES; break;
    case INLINE_LENGTH: record->reply_short = PE__RECORD_NO_REPLY - 1; break;
    case BLOCK_NUMBER: forge_far(record, blocks->block_count, 10); break;
    case BLOCK_NUMBER_MAX: forge_far(record, UINT32_MAX, 10); break;
    case BLOCK_LENGTH: forge_far(record, 0, blocks->classes[0].bytes + 1); break;
    case BLOCK_LENGTH_MAX: forge_far(record, 0, UINT64_MAX); break;
    case BLOCK_OF_ANOTHER: forge_far(record, (uint32_t)scene->value, 10); break;
    case REPLY_LIMIT: forge_far(record, blocks->classes[3].first, LIMIT + 1); break;
    case TEXT_LENGTH: record->text_bytes = PE_TEXT_BYTES_MAX; break;
    case TEXT_LENGTH_MAX: record->text_bytes = UINT16_MAX; break;
    case OUTPUT_NONE: forge_output(record, 0); break;
    case OUTPUT_LENGTH: forge_output(record, PAGE + 1); break;
    case OUTPUT_LENGTH_MAX: forge_output(record, UINT32_MAX); break;
    default: break;
    }
}

static int job_forges(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    enum forgery what = (enum forgery)value_of(arg);
    struct pe__record *record = &scene->view.records[scene_own_index()];
    uint32_t self = (uint32_t)pe_worker_index();

    (void)arg_bytes;
    (void)reply;
    forge_reply(record, what);
    /* A position that the other worker has not passed would be claimed by it like any other. */
    while (what == LIFE_QUEUED && atomic_load(&scene->go) == 0)
        sched_yield();
    switch (what) {
    case END_PHASE: scene_end_as(0, self, PE__RECORD_OUT_OF_MEMORY + 1); break;
    case END_PHASE_MAX: scene_end_as(0, self, 255); break;
    case END_SEQUENCE_MORE: scene_end_as(1, self, PE__RECORD_DONE); break;
    case END_SEQUENCE_LESS: scene_end_as(UINT64_MAX, self, PE__RECORD_DONE); break;
    case END_OWNER: scene_end_as(0, WORKERS, PE__RECORD_DONE); break;
    case END_OWNER_MAX: scene_end_as(0, UINT16_MAX, PE__RECORD_DONE); break;
    case END_TIMED_OUT: scene_end_as(0, self, PE__RECORD_TIMED_OUT); break;
    case END_EXPIRED: scene_end_as(0, PE__RECORD_NOBODY, PE__RECORD_TIMED_OUT); break;
    case END_TIMED_OUT_OWNER: scene_end_as(0, WORKERS, PE__RECORD_TIMED_OUT); break;
    case LIFE_FREE: scene_end_as(0, 0, PE__RECORD_FREE); break;
    case LIFE_SEQUENCE_MORE: scene_end_as(1, self, PE__RECORD_RUNNING); break;
    case LIFE_SEQUENCE_LESS: scene_end_as(UINT64_MAX, self, PE__RECORD_RUNNING); break;
    case LIFE_OWNER: scene_end_as(0, WORKERS, PE__RECORD_RUNNING); break;
    case LIFE_OWNER_MAX: scene_end_as(0, UINT16_MAX, PE__RECORD_RUNNING); break;
    case LIFE_STOPPING: scene_end_as(0, self, PE__RECORD_STOPPING); break;
    case LIFE_QUEUED: scene_end_as(0, 0, PE__RECORD_QUEUED); break;
    case LIFE_QUEUED_FOR_ONE: scene_end_as(0, 1, PE__RECORD_QUEUED); break;
    case LIFE_OF_A_SLEEPER:
    case LIFE_OF_A_BUSY_ONE: scene_end_as(0, (self + 1) % WORKERS, PE__RECORD_RUNNING); break;
    default: scene_end_as(0, self, PE__RECORD_DONE);
    }
    return 0;
}

/* Large enough that the host keeps the block itself, when the limit is out of the way. */
static int job_large(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    void *place = pe_reply_reserve(reply, LIMIT);
    if (place == NULL)
        return 1;
    memset(place, 7, LIMIT);
    return 0;
}

/* Holds a block by hand: results of this size are copied, larger ones are above the limit. */
static uint32_t hold_block(pe_pool *pool)
{
    pool->block_held[5] = true;
    return 5;
}

/* Ends only when all workers but one are in it. */
static int job_passes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    atomic_fetch_add(&scene->passed, 1);
    while (atomic_load(&scene->passed) < WORKERS - 1)
        sched_yield();
    return 0;
}

/* Each of the other workers takes a later job; these have ended and been collected when it is forged. */
static void pass_by(pe_pool *pool)
{
    pe_job *jobs[WORKERS - 1];

    for (int i = 0; i < WORKERS - 1; i++)
        jobs[i] = scene_submit(pool, job_passes, 0);
    for (int i = 0; i < WORKERS - 1; i++) {
        ck_assert_int_eq(pe_job_wait(jobs[i], pe_after(GUARD_NS)), 0);
        pe_job_free(jobs[i]);
    }
    atomic_store(&scene->go, 1);
}

PE_TEST_FULL(a_forged_end_is_found_out, 20, 0, FORGERIES)
{
    pe_pool *pool = scene_begin();
    pe_job *job, *other;
    pe_status status;

    other = scene_submit(pool, job_large, 0);
    ck_assert_int_eq(pe_job_wait(other, pe_after(GUARD_NS)), 0);
    scene->value = hold_block(pool);
    if (_i == INLINE_LIMIT)
        pool->options.max_reply_bytes = PE__RECORD_INLINE_BYTES - 1;
    if (_i == LIFE_OF_A_BUSY_ONE)
        scene_keep_busy(pool, WORKERS - 1);
    job = scene_submit_limited(pool, job_forges, (uint64_t)_i, _i == END_TIMED_OUT_OWNER ? PE_SECONDS(3600) : 0);
    if (_i == LIFE_QUEUED)
        pass_by(pool);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_SECONDS(12))), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_LOST);
    ck_assert_int_eq(pe_pool_try_submit(pool, job_large, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_int_eq(pe_job_status(other, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    pe_job_free(job);
    pe_job_free(other);
    scene_end(pool);
}

/* Of its own record in a broadcast: the first worker's is said to be another one's, or anybody's. */
static int job_forges_addressee(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    if (pe_worker_index() != 0)
        return 0;
    forge_reply(&scene->view.records[scene_own_index()], FORGERIES);
    switch (value_of(arg)) {
    case 0: scene_end_as(0, 1, PE__RECORD_DONE); break;
    case 1: scene_end_as(0, 1, PE__RECORD_RUNNING); break;
    case 2: scene_end_as(0, WORKERS - 1, PE__RECORD_CRASHED); break;
    default: scene_end_as(0, 0, PE__RECORD_QUEUED);
    }
    return 0;
}

PE_TEST_LOOP(a_broadcast_by_another_worker_is_found_out, 0, 4)
{
    pe_pool *pool = scene_begin();
    uint64_t which = (uint64_t)_i;

    ck_assert_int_eq(pe_pool_broadcast(pool, job_forges_addressee, &which, sizeof which, NULL, 0,
                                       pe_after(PE_SECONDS(12))),
                     PE_EBROKEN);
    scene_end(pool);
}

/* A job's reply, not written into the record, but said to be there. */
static int range_forges(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first;
    (void)last;
    (void)acc;
    (void)context;
    struct pe__record *record = &scene->view.records[scene_own_index()];
    record->text_bytes = 0;
    record->code = 0;
    record->reply_short = PE__RECORD_NEAR_BYTES;
    scene_end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_DONE);
    return 0;
}

static int combine_reads(void *acc, const void *part, const void *context)
{
    (void)context;
    memcpy(acc, part, PAGE);
    return 0;
}

PE_TEST_FULL(forged_parts_of_a_reduce_are_found_out, 20, 0, 1)
{
    pe_pool *pool = scene_begin();
    char *acc = fenced(PAGE);

    memset(acc, 3, PAGE);
    ck_assert_int_eq(pe_pool_reduce(pool, range_forges, combine_reads, 0, 1, acc, PAGE, NULL), PE_EBROKEN);
    for (size_t i = 0; i < PAGE; i++)
        ck_assert_int_eq(acc[i], 3);
    unfence(acc, PAGE);
    scene_end(pool);
}

/* ---- one forged word among others ---- */

/* Its record waits again, but all other workers have passed it. */
static pe_job *submit_forged_queued(pe_pool *pool)
{
    uint32_t before = atomic_load(&scene->inside);
    pe_job *job = scene_submit(pool, job_forges, LIFE_QUEUED);

    pass_by(pool);
    scene_await_inside(before + 1);
    return job;
}

/* Every worker is busy: none goes to sleep over the record that waits. */
PE_TEST_FULL(a_record_that_others_overtook_breaks_the_pool, 20, 0, 1)
{
    pe_pool *pool = scene_begin();
    pe_job *forged = submit_forged_queued(pool), *job = scene_submit(pool, job_large, 0);
    pe_status status;

    scene_keep_busy(pool, WORKERS - 1);
    ck_assert_int_eq(pe_job_wait_any(&job, 1, pe_after(PE_SECONDS(12)), NULL), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(pe_job_status(forged, &status), 0);
    ck_assert_uint_eq(status.kind, PE_LOST);
    pe_job_free(job);
    pe_job_free(forged);
    scene_end(pool);
}

/* Behind a record that waits none is collected, but all are looked at in doubt. */
PE_TEST_FULL(an_owner_that_there_is_not_is_not_believed, 20, 0, 1)
{
    pe_pool *pool = scene_begin();
    int64_t guard = pe_after(PE_SECONDS(12));
    pe_job *forged = submit_forged_queued(pool), *job = scene_submit(pool, job_forges, LIFE_OWNER_MAX);
    int result;

    scene_await_inside(2);
    while ((result = pe_pool_poll(pool)) >= 0 && pe_now() < guard)
        sched_yield();
    ck_assert_int_eq(result, PE_EBROKEN);
    pe_job_free(job);
    pe_job_free(forged);
    scene_end(pool);
}

static int job_forges_times(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    static const uint64_t edges[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1 };
    struct pe__record *record = &scene->view.records[scene_own_index()];
    uint64_t which = value_of(arg);

    (void)arg_bytes;
    (void)reply;
    /* The last one began long before it was submitted, and ends now. */
    record->start_ticks = which < 25 ? edges[which % 5] : 1;
    record->end_ticks = which < 25 ? edges[which / 5] : pe__base_ticks();
    record->reply_short = PE__RECORD_NO_REPLY;
    record->text_bytes = 0;
    scene_end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_DONE);
    return 0;
}

PE_TEST_LOOP(forged_times_are_possible, 0, 26)
{
    pe_pool *pool = scene_begin();
    int64_t before = pe_now();
    pe_job *job = scene_submit(pool, job_forges_times, (uint64_t)_i);
    pe_status status;

    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_ge(status.queued_ns, 0);
    ck_assert_int_ge(status.run_ns, 0);
    if (_i / 5 == 0) /* it ended before it began, if not one tick after the last one that there is */
        ck_assert_int_le(status.run_ns, 1);
    if (_i == 0)
        ck_assert_int_eq(status.queued_ns, 0);
    if (_i == 25)
        ck_assert_int_le(status.run_ns, pe_now() - before + PE_MS(1));
    pe_job_free(job);
    scene_end(pool);
}

/* ---- forged notes of a crash: numbers, or nothing ---- */

/* Its record has ended in a crash, with so many bytes of anything as notes. */
static int job_forges_notes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__record *record = &scene->view.records[scene_own_index()];
    unsigned char *notes = pe__mapping_text(&scene->view, scene_own_index());

    (void)arg_bytes;
    (void)reply;
    for (int i = 0; i < PE_TEXT_BYTES_MAX; i++)
        notes[i] = (unsigned char)(255 - i % 7);
    record->text_bytes = (uint16_t)value_of(arg);
    record->code = SIGSEGV;
    scene_end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_CRASHED);
    return 0;
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 0;

    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    return lines;
}

PE_TEST(forged_notes_of_a_crash_are_numbers)
{
    enum { HEAD = offsetof(struct pe__crash, frames) };
    static const uint64_t lengths[] = { 1, HEAD - 1, HEAD, HEAD + 7, HEAD + 8, HEAD + 100, PE_TEXT_BYTES_MAX - 1 };

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pe_pool *pool = scene_begin();
        pe_job *job = scene_submit(pool, job_forges_notes, lengths[i]);
        const char *text = NULL;
        size_t bytes = 0;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_uint_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, &bytes) == 0, lengths[i] >= HEAD + 8);
        if (text != NULL)
            read_all(text, bytes + 1);
        ck_assert_uint_le(count_lines(text, bytes), 1 + PE__CRASH_FRAMES_MAX);
        pe_job_free(job);
        scene_end(pool);
    }
}

/* ---- statistics: wrong, but not impossible ---- */

/* What is read for them of this worker gets the value of the argument; then it stays, as one that runs this job. */
static int job_forges_figures(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__slot *slot = &scene->view.slots[pe_worker_index()];
    uint64_t value = value_of(arg);

    (void)arg_bytes;
    (void)reply;
    scene->view.records[scene_own_index()].start_ticks = pe__base_ticks() + value;
    atomic_store(&slot->run, value);
    atomic_store(&slot->past, value);
    atomic_store(&slot->free, value);
    atomic_store(&slot->born, value);
    atomic_store(&slot->pid, (int32_t)value);
    if (value > UINT32_MAX)
        atomic_store(&slot->hint, (uint32_t)value);
    atomic_store(&scene->inside, 1);
    while (atomic_load(&scene->go) == 0)
        sched_yield();
    return 0;
}

PE_TEST_LOOP(forged_figures_are_possible, 0, 6)
{
    static const uint64_t values[] = { 0, 1, UINT64_C(1) << 44, INT64_MAX, UINT64_C(1) << 63 | INT32_MAX, UINT64_MAX };
    int64_t begin = pe_now();
    pe_pool *pool = scene_begin();
    pe_job *job = scene_submit(pool, job_forges_figures, values[_i]);

    while (atomic_load(&scene->inside) == 0)
        sched_yield();
    scene_assert_figures(pool, 2 * (pe_now() - begin)); /* ticks and the clock differ by a little */
    atomic_store(&scene->go, 1);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    pe_job_free(job);
    scene_assert_figures(pool, 2 * (pe_now() - begin));
    scene_end(pool);
}

/* How the last worker died, in words of the keeper's that any worker can write to. */
PE_TEST_LOOP(a_forged_death_is_none, 0, 6)
{
    static const struct {
        uint32_t kind;
        int32_t worker;
    } forged[] = { { PE_OUT_OF_MEMORY + 1, 0 }, { UINT32_MAX, 0 },          { PE_CRASHED, -1 },
                   { PE_CRASHED, WORKERS },     { PE_CRASHED, INT32_MAX }, { PE_CRASHED, INT32_MIN } };
    pe_pool *pool = scene_begin();
    pe_stats stats = PE_STATS_INIT;

    atomic_store(&scene->view.counts->death_worker, forged[_i].worker);
    atomic_store(&scene->view.counts->death_kind, forged[_i].kind);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.last_death.kind, PE_PENDING);
    ck_assert_int_eq(stats.last_death.worker, -1);
    scene_end(pool);
}

HARNESS_MAIN("scribble")
