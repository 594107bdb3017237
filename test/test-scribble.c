/*
 * A worker that writes wherever it can: forged ends of jobs and items, edge values and random bytes over all of
 * the shared memory, while other jobs and maps run. The host may call the pool broken and its results lost or
 * wrong. It must not crash, nor hang, nor read or write outside its own memory: every part of the mapping and
 * every array handed to the pool here lies between pages that nobody may touch.
 */
#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "base/clock.h"
#include "pool/pool.h"

#define GUARD_NS PE_SECONDS(20)
#define WORKERS  3
#define PAGE     4096
#define ITEMS    64
#define LIMIT    100000

/* ---- the scene ---- */

struct common {
    struct pe__shared view;
    struct pe__region_geometry regions; /* of each worker's table */
    _Atomic uint32_t stop;   /* blockers and scribblers leave */
    _Atomic uint32_t inside; /* of those that have begun */
    _Atomic uint32_t passed; /* workers that have gone past the record that is to be forged */
    _Atomic uint32_t go;     /* all others have, and nothing of their jobs is left */
    uint64_t value;
    void *state, *detail;
};

static struct common *common;

/* Memory that ends where a forbidden page begins. */
static void *fenced(size_t bytes)
{
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    char *start = mmap(NULL, pages + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(start, MAP_FAILED);
    ck_assert_int_eq(mprotect(start + PAGE, pages, PROT_READ | PROT_WRITE), 0);
    return start + PAGE + pages - bytes;
}

static void unfence(void *memory, size_t bytes)
{
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;

    munmap((char *)memory + bytes - pages - PAGE, pages + 2 * PAGE);
}

struct scene_options {
    int64_t idle_ns;
    int keeper_sleeps; /* for want of output to look at */
};

static pe_pool *begin_scene_with(struct scene_options wanted)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    setrlimit(RLIMIT_CORE, &no_cores);
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(common, MAP_FAILED);
    options.workers = WORKERS;
    options.queue_jobs = 64;
    options.shared_bytes = UINT64_C(64) << 20;
    options.max_reply_bytes = LIMIT;
    options.grace_ns = PE_MS(1);
    options.flags = PE_POOL_BACKTRACE;
    options.output_bytes = wanted.keeper_sleeps ? 0 : PAGE;
    options.idle_ns = wanted.idle_ns;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    common->view = pool->shared;
    common->regions = pool->regions.geometry;
    return pool;
}

static pe_pool *begin_scene(void)
{
    return begin_scene_with((struct scene_options){ 0 });
}

static uint64_t pool_retired(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats.retired;
}

static void end_scene(pe_pool *pool)
{
    atomic_store(&common->stop, 1);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    pe_pool_free(pool);
    munmap(common, sizeof *common);
}

static pe_job *submit_limited(pe_pool *pool, pe_job_fn *fn, uint64_t value, int64_t timeout_ns)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *job = NULL;

    options.timeout_ns = timeout_ns;
    ck_assert_int_eq(pe_pool_submit(pool, fn, &value, sizeof value, &options, &job), 0);
    return job;
}

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, uint64_t value)
{
    return submit_limited(pool, fn, value, 0);
}

static uint64_t value_of(const void *arg)
{
    uint64_t value;

    memcpy(&value, arg, sizeof value);
    return value;
}

/* Whatever it says it is, it can be read. */
static uint64_t read_all(const void *data, size_t bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)data)[i];
    return sum;
}

/* ---- one forged field: the host finds out ---- */

static uint32_t own_index(void)
{
    return atomic_load(&common->view.slots[pe_worker_index()].hint);
}

static void stay(void)
{
    for (;;)
        pause();
}

/* Ends its own record as it likes. */
static void end_as(uint64_t sequence_more, uint32_t owner, uint32_t phase)
{
    struct pe__record *record = &common->view.records[own_index()];
    uint64_t word = atomic_load(&record->word);
    uint64_t sequence = (pe__record_sequence(word) + sequence_more) & PE__RECORD_SEQUENCE_MASK;

    atomic_store(&record->word, pe__record_word(sequence, owner, (enum pe__record_phase)phase));
    atomic_fetch_add(&common->inside, 1);
    stay();
}

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
    struct pe__record_more *more = &common->view.records_more[own_index()];

    record->reply_short = PE__RECORD_FAR;
    more->reply_block = block;
    more->reply_bytes = bytes;
}

static void forge_output(struct pe__record *record, uint32_t bytes)
{
    record->text_bytes = PE__RECORD_HAS_OUTPUT;
    pe__mapping_output(&common->view, own_index())->bytes = bytes;
}

static void forge_reply(struct pe__record *record, enum forgery what)
{
    const struct pe__block_table *blocks = &common->view.blocks;

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
    case BLOCK_OF_ANOTHER: forge_far(record, (uint32_t)common->value, 10); break;
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
    struct pe__record *record = &common->view.records[own_index()];
    uint32_t self = (uint32_t)pe_worker_index();

    (void)arg_bytes;
    (void)reply;
    forge_reply(record, what);
    /* A position that the other worker has not passed would be claimed by it like any other. */
    while (what == LIFE_QUEUED && atomic_load(&common->go) == 0)
        sched_yield();
    switch (what) {
    case END_PHASE: end_as(0, self, PE__RECORD_OUT_OF_MEMORY + 1); break;
    case END_PHASE_MAX: end_as(0, self, 255); break;
    case END_SEQUENCE_MORE: end_as(1, self, PE__RECORD_DONE); break;
    case END_SEQUENCE_LESS: end_as(UINT64_MAX, self, PE__RECORD_DONE); break;
    case END_OWNER: end_as(0, WORKERS, PE__RECORD_DONE); break;
    case END_OWNER_MAX: end_as(0, UINT16_MAX, PE__RECORD_DONE); break;
    case END_TIMED_OUT: end_as(0, self, PE__RECORD_TIMED_OUT); break;
    case END_EXPIRED: end_as(0, PE__RECORD_NOBODY, PE__RECORD_TIMED_OUT); break;
    case END_TIMED_OUT_OWNER: end_as(0, WORKERS, PE__RECORD_TIMED_OUT); break;
    case LIFE_FREE: end_as(0, 0, PE__RECORD_FREE); break;
    case LIFE_SEQUENCE_MORE: end_as(1, self, PE__RECORD_RUNNING); break;
    case LIFE_SEQUENCE_LESS: end_as(UINT64_MAX, self, PE__RECORD_RUNNING); break;
    case LIFE_OWNER: end_as(0, WORKERS, PE__RECORD_RUNNING); break;
    case LIFE_OWNER_MAX: end_as(0, UINT16_MAX, PE__RECORD_RUNNING); break;
    case LIFE_STOPPING: end_as(0, self, PE__RECORD_STOPPING); break;
    case LIFE_QUEUED: end_as(0, 0, PE__RECORD_QUEUED); break;
    case LIFE_QUEUED_FOR_ONE: end_as(0, 1, PE__RECORD_QUEUED); break;
    case LIFE_OF_A_SLEEPER:
    case LIFE_OF_A_BUSY_ONE: end_as(0, (self + 1) % WORKERS, PE__RECORD_RUNNING); break;
    default: end_as(0, self, PE__RECORD_DONE);
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

static int job_stays(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    atomic_fetch_add(&common->inside, 1);
    stay();
    return 0;
}

static void await_inside(uint32_t count)
{
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(&common->inside) < count) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
}

static void keep_busy(pe_pool *pool, uint32_t workers)
{
    uint32_t before = atomic_load(&common->inside);

    for (uint32_t i = 0; i < workers; i++)
        ck_assert_int_eq(pe_pool_submit(pool, job_stays, NULL, 0, NULL, NULL), 0);
    await_inside(before + workers);
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
    atomic_fetch_add(&common->passed, 1);
    while (atomic_load(&common->passed) < WORKERS - 1)
        sched_yield();
    return 0;
}

/* Each of the other workers takes a later job; these have ended and been collected when it is forged. */
static void pass_by(pe_pool *pool)
{
    pe_job *jobs[WORKERS - 1];

    for (int i = 0; i < WORKERS - 1; i++)
        jobs[i] = submit(pool, job_passes, 0);
    for (int i = 0; i < WORKERS - 1; i++) {
        ck_assert_int_eq(pe_job_wait(jobs[i], pe_after(GUARD_NS)), 0);
        pe_job_free(jobs[i]);
    }
    atomic_store(&common->go, 1);
}

PE_TEST_FULL(a_forged_end_is_found_out, 20, 0, FORGERIES)
{
    pe_pool *pool = begin_scene();
    pe_job *job, *other;
    pe_status status;

    other = submit(pool, job_large, 0);
    ck_assert_int_eq(pe_job_wait(other, pe_after(GUARD_NS)), 0);
    common->value = hold_block(pool);
    if (_i == INLINE_LIMIT)
        pool->options.max_reply_bytes = PE__RECORD_INLINE_BYTES - 1;
    if (_i == LIFE_OF_A_BUSY_ONE)
        keep_busy(pool, WORKERS - 1);
    job = submit_limited(pool, job_forges, (uint64_t)_i, _i == END_TIMED_OUT_OWNER ? PE_SECONDS(3600) : 0);
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
    end_scene(pool);
}

/* Of its own record in a broadcast: the first worker's is said to be another one's, or anybody's. */
static int job_forges_addressee(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    if (pe_worker_index() != 0)
        return 0;
    forge_reply(&common->view.records[own_index()], FORGERIES);
    switch (value_of(arg)) {
    case 0: end_as(0, 1, PE__RECORD_DONE); break;
    case 1: end_as(0, 1, PE__RECORD_RUNNING); break;
    case 2: end_as(0, WORKERS - 1, PE__RECORD_CRASHED); break;
    default: end_as(0, 0, PE__RECORD_QUEUED);
    }
    return 0;
}

PE_TEST_LOOP(a_broadcast_by_another_worker_is_found_out, 0, 4)
{
    pe_pool *pool = begin_scene();
    uint64_t which = (uint64_t)_i;

    ck_assert_int_eq(pe_pool_broadcast(pool, job_forges_addressee, &which, sizeof which, NULL, 0,
                                       pe_after(PE_SECONDS(12))),
                     PE_EBROKEN);
    end_scene(pool);
}

/* A job's reply, not written into the record, but said to be there. */
static int range_forges(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first;
    (void)last;
    (void)acc;
    (void)context;
    struct pe__record *record = &common->view.records[own_index()];
    record->text_bytes = 0;
    record->code = 0;
    record->reply_short = PE__RECORD_NEAR_BYTES;
    end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_DONE);
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
    pe_pool *pool = begin_scene();
    char *acc = fenced(PAGE);

    memset(acc, 3, PAGE);
    ck_assert_int_eq(pe_pool_reduce(pool, range_forges, combine_reads, 0, 1, acc, PAGE, NULL), PE_EBROKEN);
    for (size_t i = 0; i < PAGE; i++)
        ck_assert_int_eq(acc[i], 3);
    unfence(acc, PAGE);
    end_scene(pool);
}

/* ---- one forged word among others ---- */

/* Its record waits again, but all other workers have passed it. */
static pe_job *submit_forged_queued(pe_pool *pool)
{
    uint32_t before = atomic_load(&common->inside);
    pe_job *job = submit(pool, job_forges, LIFE_QUEUED);

    pass_by(pool);
    await_inside(before + 1);
    return job;
}

/* Every worker is busy: none goes to sleep over the record that waits. */
PE_TEST_FULL(a_record_that_others_overtook_breaks_the_pool, 20, 0, 1)
{
    pe_pool *pool = begin_scene();
    pe_job *forged = submit_forged_queued(pool), *job = submit(pool, job_large, 0);
    pe_status status;

    keep_busy(pool, WORKERS - 1);
    ck_assert_int_eq(pe_job_wait_any(&job, 1, pe_after(PE_SECONDS(12)), NULL), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(pe_job_status(forged, &status), 0);
    ck_assert_uint_eq(status.kind, PE_LOST);
    pe_job_free(job);
    pe_job_free(forged);
    end_scene(pool);
}

/* Behind a record that waits none is collected, but all are looked at in doubt. */
PE_TEST_FULL(an_owner_that_there_is_not_is_not_believed, 20, 0, 1)
{
    pe_pool *pool = begin_scene();
    int64_t guard = pe_after(PE_SECONDS(12));
    pe_job *forged = submit_forged_queued(pool), *job = submit(pool, job_forges, LIFE_OWNER_MAX);
    int result;

    await_inside(2);
    while ((result = pe_pool_poll(pool)) >= 0 && pe_now() < guard)
        sched_yield();
    ck_assert_int_eq(result, PE_EBROKEN);
    pe_job_free(job);
    pe_job_free(forged);
    end_scene(pool);
}

static int job_forges_times(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    static const uint64_t edges[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1 };
    struct pe__record *record = &common->view.records[own_index()];
    uint64_t which = value_of(arg);

    (void)arg_bytes;
    (void)reply;
    /* The last one began long before it was submitted, and ends now. */
    record->start_ticks = which < 25 ? edges[which % 5] : 1;
    record->end_ticks = which < 25 ? edges[which / 5] : pe__base_ticks();
    record->reply_short = PE__RECORD_NO_REPLY;
    record->text_bytes = 0;
    end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_DONE);
    return 0;
}

PE_TEST_LOOP(forged_times_are_possible, 0, 26)
{
    pe_pool *pool = begin_scene();
    int64_t before = pe_now();
    pe_job *job = submit(pool, job_forges_times, (uint64_t)_i);
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
    end_scene(pool);
}

/* ---- forged items ---- */

enum item_forgery {
    STATE_NEXT,
    STATE_MAX,
    KIND_ZERO,
    KIND_NEXT,
    WORKER_NEXT,
    WORKER_MAX,
    KIND_MAX,
    MESSAGE_LENGTH,
    MESSAGE_LENGTH_MAX,
    MESSAGE_AT_END,
    MESSAGE_AT_MAX,
    MESSAGE_OVER_END,
    OUTPUT_AT_END,
    OUTPUT_AT_MAX,
    OUTPUT_OVER_END,
    OUTPUT_TOO_LONG,
    OUTPUT_OF_AN_OPEN_ONE,
    DONE_FIGURE,
    FAILED_FIGURE,
    RUN_TIME,
    ITEM_FORGERIES
};

static void forge_item(uint64_t item, enum item_forgery what)
{
    const struct pe__map *map = &common->view.maps[0];
    struct pe__item_detail *detail = &map->detail[item];

    *detail = (struct pe__item_detail){ .kind = PE_RETURNED, .code = 1, .text_bytes = 200, .output_bytes = 8 };
    switch (what) {
    case KIND_ZERO: detail->kind = 0; break;
    case KIND_NEXT: detail->kind = PE_OUT_OF_MEMORY + 1; break;
    case KIND_MAX: detail->kind = UINT16_MAX; break;
    case WORKER_NEXT: detail->worker = WORKERS; break;
    case WORKER_MAX: detail->worker = UINT16_MAX; break;
    case RUN_TIME: detail->run_ns = INT64_MIN; detail->output_bytes = 0; break;
    case MESSAGE_LENGTH: detail->text_bytes = PE_TEXT_BYTES_MAX; break;
    case MESSAGE_LENGTH_MAX: detail->text_bytes = UINT16_MAX; break;
    case MESSAGE_AT_END: detail->text_at = (uint32_t)map->text_bytes + 1; break;
    case MESSAGE_AT_MAX: detail->text_at = UINT32_MAX; break;
    case MESSAGE_OVER_END: detail->text_at = (uint32_t)map->text_bytes - 7; break;
    case OUTPUT_AT_END: detail->output_at = (uint32_t)map->outputs_bytes + 1; break;
    case OUTPUT_AT_MAX: detail->output_at = UINT32_MAX; break;
    case OUTPUT_TOO_LONG: detail->output_bytes = PAGE + 1; break;
    case OUTPUT_OVER_END: detail->output_at = (uint32_t)map->outputs_bytes - 7; break;
    default: break;
    }
    atomic_store(&map->state[item], what == STATE_NEXT  ? PE__ITEM_RETRIED + 1
                                    : what == STATE_MAX ? 255
                                    : what == OUTPUT_OF_AN_OPEN_ONE ? PE__ITEM_OPEN
                                                        : PE__ITEM_DETAILED);
}

/* Item 1 has ended by then: its worker took both, in this order. */
static int item_forges(const void *in, void *out, const void *context)
{
    enum item_forgery what = *(const enum item_forgery *)context;

    (void)in;
    *(uint64_t *)out = 1;
    if (pe_worker_item() != 2)
        return 0;
    if (what == DONE_FIGURE || what == FAILED_FIGURE) {
        atomic_store(&common->view.lanes[0].done, what == DONE_FIGURE ? UINT64_C(1) << 62 : 2);
        atomic_store(&common->view.lives[0].failed, what == DONE_FIGURE ? 0 : UINT64_MAX);
        while (atomic_load(&common->stop) == 0)
            sched_yield();
    } else {
        forge_item(1, what);
    }
    return 0;
}

static void check_progress(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    ++*(uint32_t *)context;
    ck_assert_uint_le(done, total);
    ck_assert_uint_le(failed, done);
    atomic_store(&common->stop, 1);
}

PE_TEST_FULL(a_forged_item_is_lost, 20, 0, ITEM_FORGERIES)
{
    enum item_forgery what = (enum item_forgery)_i;
    pe_pool *pool = begin_scene();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint32_t reports = 0;
    uint64_t in[4] = { 0 }, out[4] = { 0 };
    const char *text = NULL;
    size_t bytes = 0;
    pe_status status;
    pe_job *job = NULL;

    options.chunk = 4;
    options.context = &what;
    options.context_bytes = sizeof what;
    options.progress = check_progress;
    options.progress_context = &reports;
    pool->workers = 1; /* one lane, so that the order is known */
    ck_assert_int_eq(pe_pool_start_map(pool, item_forges, in, 8, out, 8, 4, &options, &job), 0);
    pool->workers = WORKERS;
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), 0);
    if (what <= KIND_MAX)
        ck_assert_uint_eq(status.kind, PE_LOST);
    if (what < KIND_ZERO || (what > KIND_MAX && what < OUTPUT_AT_END))
        ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_MESSAGE, &text, &bytes), PE_ENODATA);
    if (what < KIND_ZERO)
        ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_BACKTRACE, &text, &bytes), PE_ENODATA);
    ck_assert_int_ge(status.run_ns, 0);
    if (what < KIND_ZERO || what >= OUTPUT_AT_END)
        ck_assert_int_eq(pe_job_item_text(job, 1, PE_TEXT_OUTPUT, &text, &bytes), PE_ENODATA);
    ck_assert_uint_gt(reports, 0);
    pe_job_free(job);
    end_scene(pool);
}

/* ---- forged notes of a crash: numbers, or nothing ---- */

/* Its record has ended in a crash, with so many bytes of anything as notes. */
static int job_forges_notes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__record *record = &common->view.records[own_index()];
    unsigned char *notes = pe__mapping_text(&common->view, own_index());

    (void)arg_bytes;
    (void)reply;
    for (int i = 0; i < PE_TEXT_BYTES_MAX; i++)
        notes[i] = (unsigned char)(255 - i % 7);
    record->text_bytes = (uint16_t)value_of(arg);
    record->code = SIGSEGV;
    end_as(0, (uint32_t)pe_worker_index(), PE__RECORD_CRASHED);
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
        pe_pool *pool = begin_scene();
        pe_job *job = submit(pool, job_forges_notes, lengths[i]);
        const char *text = NULL;
        size_t bytes = 0;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_uint_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, &bytes) == 0, lengths[i] >= HEAD + 8);
        if (text != NULL)
            read_all(text, bytes + 1);
        ck_assert_uint_le(count_lines(text, bytes), 1 + PE__CRASH_FRAMES_MAX);
        pe_job_free(job);
        end_scene(pool);
    }
}

/* ---- announcements and hints: nobody sleeps for ever ---- */

enum signpost {
    SLEEPERS_NONE,
    SLEEPERS_BEYOND,
    PRESENT_ALL,
    VACANT_BEYOND,
    HEAD_FAR,
    HEAD_OF_HIGH_FAR,
    HEAD_OF_LOW_FAR,
    HOST_WAITS_NONE,
    BELLS,
    SIGNPOSTS
};

/* The level that it is about. */
static uint32_t level_of(enum signpost signpost)
{
    return signpost == HEAD_OF_HIGH_FAR  ? PE_PRIORITY_HIGH
           : signpost == HEAD_OF_LOW_FAR ? PE_PRIORITY_LOW
                                         : PE_PRIORITY_NORMAL;
}

static void push_head_far(uint32_t level)
{
    const struct pe__shared *view = &common->view;

    atomic_store(&view->heads[level].head, atomic_load(&view->tails[level].tail) + 1);
}

static char host_state(void)
{
    char path[40], text[400], *name_end;
    size_t bytes;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)common->view.config->host_pid);
    file = fopen(path, "r");
    bytes = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[bytes] = '\0';
    if (file != NULL)
        fclose(file);
    name_end = strrchr(text, ')');
    return name_end != NULL ? name_end[2] : '?';
}

/* The host sleeps, and nobody knows. */
static void forget_host(void)
{
    while (atomic_load(common->view.host_waits) == 0 || host_state() != 'S')
        sched_yield();
    atomic_store(common->view.host_waits, 0);
}

/* Leaves a lie behind; the last act of its job. */
static int job_misleads(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__shared *view = &common->view;

    (void)arg_bytes;
    (void)reply;
    switch ((enum signpost)value_of(arg)) {
    case SLEEPERS_NONE: atomic_store(&view->groups[0].sleepers, 0); break;
    case SLEEPERS_BEYOND: atomic_store(&view->groups[0].sleepers, UINT64_MAX << WORKERS); break;
    case PRESENT_ALL: atomic_store(&view->groups[0].present, UINT64_MAX); break;
    case VACANT_BEYOND: atomic_store(&view->groups[0].vacant, UINT64_MAX << WORKERS); break;
    case HEAD_FAR:
    case HEAD_OF_HIGH_FAR:
    case HEAD_OF_LOW_FAR: push_head_far(level_of((enum signpost)value_of(arg))); break;
    case HOST_WAITS_NONE: forget_host(); break;
    default:
        for (uint32_t i = 0; i < WORKERS; i++)
            atomic_fetch_add(&view->slots[i].bell, UINT32_MAX);
    }
    return 0;
}

static int job_short(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    return pe_reply_write(reply, arg, 8);
}

/* Keeps its worker until the host has pushed them all, so that for the last ones only those are left to be rung whom
 * there are not. */
static int job_holds(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    while (atomic_load(&common->go) == 0)
        sched_yield();
    return job_short(arg, arg_bytes, reply);
}

static void let_sleep(const pe_pool *pool)
{
    int64_t until = pe_after(PE_MS(200)); /* those who are asleep without having said so are not seen */

    while (atomic_load(&pool->shared.groups[0].sleepers) != (1u << WORKERS) - 1 && pe_now() < until)
        sched_yield();
}

PE_TEST_FULL(a_false_signpost_stops_nobody, 20, 0, SIGNPOSTS)
{
    pe_pool *pool = begin_scene();
    pe_stats stats = PE_STATS_INIT;
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.priority = level_of((enum signpost)_i);
    for (uint64_t round = 0; round < 3; round++) {
        pe_job *jobs[6], *liar = NULL;

        let_sleep(pool);
        if (pe_pool_try_submit(pool, job_short, "01234567", 8, NULL, NULL) == PE_EBROKEN)
            break;
        liar = submit(pool, job_misleads, (uint64_t)_i);
        ck_assert_int_eq(pe_job_wait(liar, pe_after(GUARD_NS)), 0);
        pe_job_free(liar);
        ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
        ck_assert_uint_le(stats.workers_alive, WORKERS);
        let_sleep(pool);
        atomic_store(&common->go, 0);
        for (uint64_t i = 0; i < 6; i++) {
            jobs[i] = NULL;
            int result = pe_pool_try_submit(pool, job_holds, &i, sizeof i, &options, &jobs[i]);
            ck_assert(result == 0 || result == PE_EBROKEN);
        }
        atomic_store(&common->go, 1);
        for (uint64_t i = 0; i < 6 && jobs[i] != NULL; i++) {
            ck_assert_int_eq(pe_job_wait(jobs[i], pe_after(PE_SECONDS(12))), 0);
            pe_job_free(jobs[i]);
        }
    }
    for (uint32_t nobody = WORKERS; nobody < PE__BELL_GROUP_WORKERS; nobody++)
        ck_assert_uint_eq(atomic_load(&pool->shared.slots[nobody].bell), 0);
    end_scene(pool);
}

/* The host rings at once, as if nobody had said that there were more workers, awake all of them. */
PE_TEST_FULL(workers_that_there_are_not_are_not_counted_on, 20, 0, 1)
{
    const uint64_t all = (1u << WORKERS) - 1;
    pe_pool *pool = begin_scene();
    _Atomic uint64_t *sleepers = &pool->shared.groups[0].sleepers;
    pe_job *liar = submit(pool, job_misleads, PRESENT_ALL), *job;
    int64_t guard = pe_after(GUARD_NS);

    ck_assert_int_eq(pe_job_wait(liar, guard), 0);
    while (atomic_load(sleepers) != all) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    job = submit(pool, job_holds, 0);
    ck_assert_uint_ne(atomic_load(sleepers), all);
    atomic_store(&common->go, 1);
    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(liar);
    pe_job_free(job);
    end_scene(pool);
}

/* All have left for want of work, and nothing says so any more. */
PE_TEST_FULL(leavers_that_are_forgotten_are_started, 20, 0, 1)
{
    pe_pool *pool = begin_scene_with((struct scene_options){ .idle_ns = PE_US(300) });
    int64_t guard = pe_after(GUARD_NS);
    uint64_t number = 1;

    while (atomic_load(&pool->shared.groups[0].vacant) != (1u << WORKERS) - 1 ||
           pool_retired(pool) < WORKERS) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    atomic_store(&common->view.groups[0].vacant, 0);
    pe_job *job = submit(pool, job_short, number);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_SECONDS(12))), 0);
    pe_job_free(job);
    end_scene(pool);
}

/* The keeper is said to look by itself, and does not. */
PE_TEST_FULL(a_deadline_in_the_queue_is_not_forgotten, 20, 0, 1)
{
    pe_pool *pool = begin_scene_with((struct scene_options){ .keeper_sleeps = 1 });
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_status status;
    pe_job *job = NULL;

    keep_busy(pool, WORKERS);
    atomic_store(&common->view.watch->wakes_ns, 0);
    options.deadline_ns = pe_after(PE_MS(20));
    ck_assert_int_eq(pe_pool_submit(pool, job_short, "01234567", 8, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(PE_SECONDS(12))), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_eq(status.kind, PE_TIMED_OUT);
    pe_job_free(job);
    end_scene(pool);
}

/* A loop outside sleeps on the descriptor; nobody knows that, so nothing rings, but it polls now and then. */
PE_TEST_FULL(a_loop_that_polls_now_and_then_is_not_held_up, 20, 0, 1)
{
    pe_pool *pool = begin_scene();
    struct pollfd watched = { .fd = pe_pool_fd(pool), .events = POLLIN };
    int64_t guard = pe_after(GUARD_NS);
    pe_job *job = submit(pool, job_misleads, HOST_WAITS_NONE);
    int ended;

    while ((ended = pe_pool_poll(pool)) == 0 && pe_now() < guard)
        poll(&watched, 1, 100);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(pe_job_result(job, NULL, NULL), PE_ENODATA);
    pe_job_free(job);
    end_scene(pool);
}

static void make_writable(const struct pe__shared *view)
{
    mprotect(view->base, view->readonly_bytes, PROT_READ | PROT_WRITE);
    pe__fence_raise(&view->fences, view->base);
}

static int job_sends_home(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    make_writable(&common->view);
    atomic_store(&common->view.config->stop, 1);
    return 0;
}

/* Its workers leave as often as there are new ones, but the keeper takes its time with those. */
PE_TEST_FULL(a_false_end_does_not_keep_the_keeper_forking, 20, 0, 1)
{
    pe_pool *pool = begin_scene();
    pe_stats stats = PE_STATS_INIT;
    int64_t begin = pe_now(), guard = pe_after(GUARD_NS);
    pe_job *job = submit(pool, job_sends_home, 0);

    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(job);
    pe__bell_ring_all(pool->shared.groups, pool->shared.slots, WORKERS);
    while (stats.recycled < 2 * WORKERS + 1 && pe_now() < guard) {
        sched_yield();
        ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    }
    ck_assert_uint_ge(stats.recycled, 2 * WORKERS + 1); /* one of them for the third time */
    ck_assert_int_ge(pe_now() - begin, PE_MS(200));
    job = submit(pool, job_short, 0);
    ck_assert_int_eq(pe_job_wait(job, guard), 0);
    pe_job_free(job);
    end_scene(pool);
}

/* ---- statistics: wrong, but not impossible ---- */

/* What is read for them of this worker gets the value of the argument; then it stays, as one that runs this job. */
static int job_forges_figures(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct pe__slot *slot = &common->view.slots[pe_worker_index()];
    uint64_t value = value_of(arg);

    (void)arg_bytes;
    (void)reply;
    common->view.records[own_index()].start_ticks = pe__base_ticks() + value;
    atomic_store(&slot->run, value);
    atomic_store(&slot->past, value);
    atomic_store(&slot->free, value);
    atomic_store(&slot->born, value);
    atomic_store(&slot->pid, (int32_t)value);
    if (value > UINT32_MAX)
        atomic_store(&slot->hint, (uint32_t)value);
    atomic_store(&common->inside, 1);
    while (atomic_load(&common->go) == 0)
        sched_yield();
    return 0;
}

static void assert_possible_figures(const pe_pool *pool, int64_t age_ns)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_int_ge(stats.queue_ns, 0);
    ck_assert_int_le(stats.queue_ns, age_ns * (int64_t)stats.submitted);
    ck_assert_int_ge(stats.run_ns, 0);
    ck_assert_int_ge(stats.idle_ns, 0);
    ck_assert_int_le(stats.run_ns + stats.idle_ns, WORKERS * age_ns);
    for (uint32_t i = 0; i < WORKERS; i++) {
        pe_worker_stats worker = PE_WORKER_STATS_INIT;
        ck_assert_int_eq(pe_pool_worker_stats(pool, i, &worker), 0);
        ck_assert_int_ge(worker.run_ns, 0);
        ck_assert_int_ge(worker.idle_ns, 0);
        ck_assert_int_le(worker.run_ns + worker.idle_ns, age_ns);
        ck_assert_int_ge(worker.state_ns, 0);
        ck_assert_int_le(worker.state_ns, age_ns);
        ck_assert_int_ge(worker.pid, 0);
    }
}

PE_TEST_LOOP(forged_figures_are_possible, 0, 6)
{
    static const uint64_t values[] = { 0, 1, UINT64_C(1) << 44, INT64_MAX, UINT64_C(1) << 63 | INT32_MAX, UINT64_MAX };
    int64_t begin = pe_now();
    pe_pool *pool = begin_scene();
    pe_job *job = submit(pool, job_forges_figures, values[_i]);

    while (atomic_load(&common->inside) == 0)
        sched_yield();
    assert_possible_figures(pool, 2 * (pe_now() - begin)); /* ticks and the clock differ by a little */
    atomic_store(&common->go, 1);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    pe_job_free(job);
    assert_possible_figures(pool, 2 * (pe_now() - begin));
    end_scene(pool);
}

/* How the last worker died, in words of the keeper's that any worker can write to. */
PE_TEST_LOOP(a_forged_death_is_none, 0, 6)
{
    static const struct {
        uint32_t kind;
        int32_t worker;
    } forged[] = { { PE_OUT_OF_MEMORY + 1, 0 }, { UINT32_MAX, 0 },          { PE_CRASHED, -1 },
                   { PE_CRASHED, WORKERS },     { PE_CRASHED, INT32_MAX }, { PE_CRASHED, INT32_MIN } };
    pe_pool *pool = begin_scene();
    pe_stats stats = PE_STATS_INIT;

    atomic_store(&common->view.counts->death_worker, forged[_i].worker);
    atomic_store(&common->view.counts->death_kind, forged[_i].kind);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.last_death.kind, PE_PENDING);
    ck_assert_int_eq(stats.last_death.worker, -1);
    end_scene(pool);
}

/* Says that it is an item that there is not. */
static int item_forges_its_number(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_store(&common->view.lanes[i].running, *(const uint64_t *)context);
    atomic_store(&common->inside, 1);
    while (atomic_load(&common->go) == 0)
        sched_yield();
    return 0;
}

PE_TEST_LOOP(a_forged_item_in_hand_is_none, 0, 3)
{
    static const uint64_t values[] = { 0, ITEMS + 1, UINT64_MAX };
    pe_pool *pool = begin_scene();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    options.context = &values[_i];
    options.context_bytes = sizeof *values;
    ck_assert_int_eq(pe_pool_start_map(pool, item_forges_its_number, NULL, 0, NULL, 0, ITEMS, &options, &job), 0);
    while (atomic_load(&common->inside) == 0)
        sched_yield();
    for (uint32_t i = 0; i < WORKERS; i++) {
        pe_worker_stats worker = PE_WORKER_STATS_INIT;
        ck_assert_int_eq(pe_pool_worker_stats(pool, i, &worker), 0);
        ck_assert(worker.item == UINT64_MAX || worker.item < ITEMS);
    }
    atomic_store(&common->go, 1);
    pe_job_wait(job, pe_after(GUARD_NS));
    pe_job_free(job);
    end_scene(pool);
}

/* ---- everything at random ---- */

#define TARGET_LIST(X) \
    X(RECORD_WORDS) X(RECORD_FIELDS) X(RECORD_REST) X(HINTS) X(LANES) X(ITEMS_OF_MAPS) X(BLOCK_WORDS) X(DESCRIPTORS) \
    X(CONFIG) X(TAIL) X(TEXTS) X(OUTPUTS) X(CRASHES) X(LIMITS) X(ORDERS) X(ACCOUNTS) X(REPLY_BLOCKS) X(HEAP) \
    X(REGIONS) X(ALL_WRITABLE)

#define VALUE_OF(name) name,
enum target { TARGET_LIST(VALUE_OF) };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t edge(uint64_t *random, uint64_t old)
{
    switch (next_random(random) % 12) {
    case 0: return 0;
    case 1: return 1;
    case 2: return UINT64_MAX;
    case 3: return old + 1;
    case 4: return old - 1;
    case 5: return old + (UINT64_C(1) << 24); /* the next sequence */
    case 6: return old - (UINT64_C(1) << 24);
    case 7: return old ^ (next_random(random) % 4 << 8); /* another owner */
    case 8: return (old & ~UINT64_C(255)) | next_random(random) % 10; /* another phase */
    case 9: return UINT64_C(1) << next_random(random) % 64;
    case 10: return old ^ UINT64_C(1) << next_random(random) % 64;
    default: return next_random(random);
    }
}

/* Writes over one aligned word of [start, start + bytes). */
static void hit(uint64_t *random, void *start, size_t bytes)
{
    uint64_t *word = (uint64_t *)start + next_random(random) % (bytes / 8);
    uint64_t new = edge(random, *(volatile uint64_t *)word);
    size_t count = (size_t)1 << next_random(random) % 4;

    memcpy((char *)word + (next_random(random) % 8 & ~(count - 1)) % 8, &new, count);
}

/* One of those that were pushed last. */
static uint32_t recent_record(uint64_t *random, const struct pe__shared *view)
{
    uint32_t level = (uint32_t)(next_random(random) % PE__QUEUE_LEVELS);
    uint64_t tail = atomic_load(&view->tails[level].tail);

    return pe__queue_record(level, tail - next_random(random) % 16, view->geometry.records);
}

static void hit_record(uint64_t *random, const struct pe__shared *view, enum target target)
{
    uint32_t index = recent_record(random, view);
    struct pe__record *record = &view->records[index];

    if (target == RECORD_WORDS)
        atomic_store(&record->word, edge(random, atomic_load(&record->word)));
    else if (target == RECORD_FIELDS)
        hit(random, (char *)record + 8, sizeof *record - 8);
    else
        hit(random, &view->records_more[index], sizeof *view->records_more);
}

static void hit_map(uint64_t *random, const struct pe__shared *view)
{
    const struct pe__map *map = &view->maps[next_random(random) % 2];

    if (map->state == NULL)
        return;
    if (next_random(random) % 2)
        hit(random, (void *)map->state, ITEMS);
    else
        hit(random, map->detail, ITEMS * sizeof *map->detail);
}

/* A time about now, or anything else. */
static void hit_time(uint64_t *random, _Atomic int64_t *time)
{
    if (next_random(random) % 2)
        atomic_store(time, pe_now() + (int64_t)(next_random(random) % (uint64_t)PE_MS(2)));
    else
        hit(random, time, sizeof *time);
}

static struct pe__slot *any_slot(uint64_t *random, const struct pe__shared *view)
{
    return &view->slots[next_random(random) % WORKERS];
}

static void hit_limit(uint64_t *random, const struct pe__shared *view)
{
    struct pe__record_more *more = &view->records_more[recent_record(random, view)];

    switch (next_random(random) % 7) {
    case 0: hit_time(random, &view->watch->wakes_ns); break;
    case 1: hit(random, &view->watch->expired, 8); break;
    case 2: hit_time(random, &more->timeout_ns); break;
    case 3: hit_time(random, &more->deadline_ns); break;
    case 4: hit(random, &more->asked, 8); break;
    case 5: hit(random, &pe__mapping_lanes(view, 0)[next_random(random) % WORKERS].asked, 8); break;
    default: hit_time(random, &any_slot(random, view)->due);
    }
}

/* What is for one worker alone, and who has left. */
static void hit_order(uint64_t *random, const struct pe__shared *view)
{
    uint32_t index = recent_record(random, view), owner = (uint32_t)(next_random(random) % (WORKERS + 2));
    uint64_t sequence = pe__record_sequence(atomic_load(&view->records[index].word));

    switch (next_random(random) % 5) {
    case 0: atomic_store(&any_slot(random, view)->order, pe__slot_order(sequence, index)); break;
    case 1: atomic_store(&any_slot(random, view)->order, (uint32_t)edge(random, index)); break;
    case 2: hit(random, &view->groups->vacant, 8); break;
    case 3: hit(random, &view->groups->present, 8); break;
    default: atomic_store(&view->records[index].word, pe__record_word(sequence, owner, PE__RECORD_QUEUED));
    }
}

static void hit_account(uint64_t *random, const struct pe__shared *view)
{
    struct pe__slot *slot = any_slot(random, view);
    void *const words[] = { &slot->life, &slot->ended, &slot->has_block, &slot->run, &slot->free, &slot->born,
                            &slot->pid,  &slot->past,  view->counts };

    hit(random, words[next_random(random) % (sizeof words / sizeof *words)], 8);
}

/* What is in use of the table, mostly; the rest of it is zero. */
static void hit_region(uint64_t *random, const struct pe__shared *view)
{
    struct pe__region_table table;
    uint32_t few = (uint32_t)(next_random(random) % 12);

    pe__region_table_at(&table, pe__mapping_regions(view, (uint32_t)(next_random(random) % WORKERS)),
                        &common->regions);
    switch (next_random(random) % 8) {
    case 0: hit(random, table.head, sizeof *table.head); break;
    case 1: hit(random, &table.tracks[few % 2], sizeof *table.tracks); break;
    case 2: hit(random, &table.labels[few], sizeof *table.labels); break;
    case 3: hit(random, &table.segments[few % 3], 16 + 40 * sizeof *table.segments->events); break;
    case 4: hit(random, table.nodes[few].buckets, sizeof table.nodes->buckets); break;
    case 5: hit(random, table.head, common->view.geometry.region_bytes / 8 * 8); break;
    default: hit(random, &table.nodes[few], offsetof(struct pe__region_node, buckets));
    }
}

static void hit_target(uint64_t *random, const struct pe__shared *view, enum target target)
{
    switch (target) {
    case RECORD_WORDS:
    case RECORD_FIELDS:
    case RECORD_REST: hit_record(random, view, target); break;
    case HINTS:
        switch (next_random(random) % 6) {
        case 4: hit(random, view->watch, sizeof *view->watch); break;
        case 0: hit(random, view->heads, PE__QUEUE_LEVELS * sizeof *view->heads); break;
        case 1: hit(random, view->host_waits, 8); break;
        case 2: hit(random, view->groups, sizeof *view->groups); break;
        case 3: hit(random, view->counts, sizeof *view->counts); break;
        default: hit(random, view->slots, WORKERS * sizeof *view->slots);
        }
        break;
    case LANES:
        if (next_random(random) % 4)
            hit(random, view->lanes, 2 * WORKERS * sizeof *view->lanes);
        else
            hit(random, view->lives, 2 * sizeof *view->lives);
        break;
    case ITEMS_OF_MAPS: hit_map(random, view); break;
    case BLOCK_WORDS: hit(random, view->block_words, view->blocks.block_count * sizeof *view->block_words); break;
    case DESCRIPTORS: hit(random, view->maps, 2 * sizeof *view->maps); break;
    case CONFIG: hit(random, view->config, sizeof *view->config / 8 * 8); break;
    case TAIL: hit(random, view->tails, PE__QUEUE_LEVELS * sizeof *view->tails); break;
    case TEXTS: hit(random, pe__mapping_text(view, recent_record(random, view)), PE_TEXT_BYTES_MAX / 8 * 8); break;
    case OUTPUTS:
        if (next_random(random) % 2)
            hit(random, pe__mapping_output(view, recent_record(random, view)), 8);
        else
            hit(random, &view->slots[next_random(random) % WORKERS].output_from, 8);
        break;
    case LIMITS: hit_limit(random, view); break;
    case ORDERS: hit_order(random, view); break;
    case ACCOUNTS: hit_account(random, view); break;
    case CRASHES: hit(random, view->crashes, WORKERS * sizeof *view->crashes); break;
    case REPLY_BLOCKS:
        hit(random, view->base + view->blocks.classes[0].offset, 4 * view->blocks.classes[0].bytes);
        break;
    case HEAP: hit(random, view->heap, (size_t)1 << 20); break;
    case REGIONS: hit_region(random, view); break;
    default: hit_target(random, view, (enum target)(next_random(random) % ALL_WRITABLE));
    }
}

struct order {
    uint64_t seed;
    uint32_t target, writes, pause;
};

static int job_scribbles(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct order order;
    struct pe__shared view = common->view;

    (void)arg_bytes;
    (void)reply;
    memcpy(&order, arg, sizeof order);
    make_writable(&view);
    for (uint32_t i = 0; i < order.writes && atomic_load(&common->stop) == 0; i++) {
        hit_target(&order.seed, &view, (enum target)order.target);
        for (volatile uint32_t turn = 0; turn < order.pause; turn++)
            ;
    }
    return 0;
}

static int job_replies(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    PE_REGION_SCOPE("replies");
    static const size_t sizes[] = { 8, 60, 3000, 40000 };
    unsigned char piece[1000];
    size_t bytes = sizes[value_of(arg) % 4];

    (void)arg_bytes;
    memset(piece, (int)value_of(arg), sizeof piece);
    for (size_t at = 0; at < bytes; at += sizeof piece) {
        size_t left = bytes - at;
        if (pe_reply_write(reply, piece, left < sizeof piece ? left : sizeof piece) < 0)
            return -1;
    }
    if (value_of(arg) % 2 == 0)
        printf("job %d", (int)value_of(arg));
    if (value_of(arg) == 8)
        raise(SIGSYS);
    return value_of(arg) % 3 == 0 ? pe_worker_fail(5, "job %d", (int)value_of(arg)) : 0;
}

static int item_works(const void *in, void *out, const void *context)
{
    (void)context;
    PE_REGION("works")
        for (volatile int i = 0; i < 300; i++)
            PE_COUNT("turns", i);
    PE_MARK("worked");
    *(uint64_t *)out = *(const uint64_t *)in + 1;
    if (pe_worker_item() % 16 == 4)
        printf("item");
    if (pe_worker_item() == 20)
        raise(SIGSYS);
    return pe_worker_item() % 8 == 7 ? pe_worker_fail(5, "item") : 0;
}

static void look_at_texts(const pe_job *job, uint64_t item)
{
    for (uint32_t which = PE_TEXT_MESSAGE; which <= PE_TEXT_BACKTRACE; which++) {
        const char *text;
        size_t bytes;
        if (pe_job_item_text(job, item, which, &text, &bytes) != 0)
            continue;
        if (which == PE_TEXT_MESSAGE)
            ck_assert_uint_lt(bytes, PE_TEXT_BYTES_MAX);
        read_all(text, bytes + 1);
    }
}

static void look_at_job(pe_job *job)
{
    const void *data;
    size_t bytes;
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_le(status.kind, PE_OUT_OF_MEMORY);
    ck_assert_int_lt(status.worker, WORKERS);
    ck_assert_int_ge(status.run_ns, 0);
    if (pe_job_result(job, &data, &bytes) == 0) {
        ck_assert_uint_le(bytes, LIMIT);
        read_all(data, bytes);
    }
    look_at_texts(job, 0);
}

/* Waits for the job for a while, then has the pool stopped: that ends everything. */
static void await(pe_pool *pool, pe_job *job, int64_t wait_ns)
{
    int64_t before = pe_now();

    if (pe_job_wait(job, pe_after(wait_ns)) == PE_ETIMEDOUT) {
        atomic_store(&common->stop, 1);
        ck_assert_int_lt(pe_now() - before, wait_ns + PE_SECONDS(5));
        pe_pool_kill(pool, PE_NOW);
        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    }
}

static void look_at_map(pe_job *job)
{
    for (uint64_t i = 0; i < ITEMS; i++) {
        pe_status status;
        ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        ck_assert_uint_ge(status.kind, PE_RETURNED);
        ck_assert_uint_le(status.kind, PE_OUT_OF_MEMORY);
        look_at_texts(job, i);
    }
}

/* Whatever the tables say, they can be told. */
static void look_at_regions(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    pe_report_options options = PE_REPORT_OPTIONS_INIT;

    ck_assert_ptr_ne(nowhere, NULL);
    for (options.format = PE_REPORT_TEXT; options.format <= PE_REPORT_HTML; options.format++)
        pe_report(nowhere, &options);
    fclose(nowhere);
}

struct arrays {
    uint64_t *in, *out;
    pe_status *statuses;
    pe_map_summary *summary;
};

/* Whatever it comes to, it is over soon after its deadline. */
static void run_broadcast(pe_pool *pool, uint64_t number)
{
    pe_status statuses[WORKERS] = { { .kind = PE_PENDING } };
    int64_t before = pe_now();

    pe_pool_broadcast(pool, job_short, &number, sizeof number, statuses, WORKERS, pe_after(PE_SECONDS(1)));
    ck_assert_int_lt(pe_now() - before, PE_SECONDS(8));
    for (int i = 0; i < WORKERS; i++)
        ck_assert_uint_le(statuses[i].kind, PE_OUT_OF_MEMORY);
}

/* Jobs, maps and a scribbler in between; false: the pool has broken. */
static int one_round(pe_pool *pool, const struct arrays *arrays, const struct order *order, int with_statuses)
{
    enum { JOBS = 10 };
    pe_job *jobs[JOBS + 2] = { NULL };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job_options job_options = PE_JOB_OPTIONS_INIT;
    uint32_t count = 0;

    options.chunk = with_statuses ? 1 : 0;
    options.statuses = with_statuses ? arrays->statuses : NULL;
    *arrays->summary = (pe_map_summary)PE_MAP_SUMMARY_INIT;
    options.summary = arrays->summary;
    options.retries = with_statuses ? 2 : 0;
    options.timeout_ns = with_statuses ? PE_SECONDS(100) : 0;
    options.deadline_ns = pe_after(PE_SECONDS(2));
    if (pe_pool_submit(pool, job_scribbles, order, sizeof *order, NULL, &jobs[count]) == 0)
        count++;
    pe_job *map = NULL;
    if (pe_pool_start_map(pool, item_works, arrays->in, 8, arrays->out, 8, ITEMS, &options, &map) != 0)
        map = NULL;
    for (uint64_t i = 0; i < JOBS; i++) {
        job_options.priority = (uint32_t)(i % PE__QUEUE_LEVELS);
        job_options.timeout_ns = i % 2 ? PE_SECONDS(100) : 0;
        job_options.deadline_ns = i % 4 < 2 ? pe_after(PE_MS(1 + (int64_t)i)) : 0;
        if (pe_pool_try_submit(pool, job_replies, &i, sizeof i, &job_options, &jobs[count]) == 0)
            count++;
    }
    run_broadcast(pool, order->seed);
    assert_possible_figures(pool, INT64_MAX / WORKERS / 200);
    for (uint32_t i = 0; i < count; i++) {
        await(pool, jobs[i], PE_SECONDS(3));
        look_at_job(jobs[i]);
        pe_job_free(jobs[i]);
    }
    if (map != NULL) {
        await(pool, map, PE_SECONDS(3));
        look_at_map(map);
        pe_job_free(map);
    }
    if (pe_region_on)
        look_at_regions();
    return pool->state == PE__POOL_OPEN;
}

/* A host that hangs in a round is killed by it, in a way that tells: the handler of Check, which is inherited, sends
 * SIGKILL to the whole group. */
static void limit_round(void)
{
    signal(SIGALRM, SIG_DFL);
    alarm((unsigned int)(20 * harness_slowness()));
}

/* One pool, until it breaks or some rounds are over. Returns the rounds; *ret_hung: it had to be killed. */
static uint32_t torture_pool(enum target target, uint64_t seed, uint32_t *ret_hung)
{
    struct arrays arrays = { fenced(ITEMS * 8), fenced(ITEMS * 8), fenced(ITEMS * sizeof(pe_status)),
                             fenced(sizeof(pe_map_summary)) };
    pe_pool *pool = begin_scene_with((struct scene_options){ .idle_ns = seed % 2 ? PE_US(300) : 0 });
    struct order order = { .seed = seed * 2654435761u + 88172645463325252u, .target = target, .pause = 200 };
    uint32_t rounds = 0;

    for (uint64_t i = 0; i < ITEMS; i++)
        arrays.in[i] = i;
    order.writes = 1u << seed % 10;
    limit_round();
    while (rounds++ < 20 && one_round(pool, &arrays, &order, rounds % 2)) {
        order.seed += rounds;
        limit_round();
    }
    *ret_hung += pool->state == PE__POOL_ENDED;
    end_scene(pool);
    alarm(0);
    unfence(arrays.in, ITEMS * 8);
    unfence(arrays.out, ITEMS * 8);
    unfence(arrays.statuses, ITEMS * sizeof(pe_status));
    unfence(arrays.summary, sizeof(pe_map_summary));
    return rounds;
}

static void torture_part(enum target target, const char *name)
{
    int64_t until = pe_after(harness_long() ? PE_SECONDS(60) : PE_MS(400));
    uint32_t pools = 0, rounds = 0, hung = 0;
    pe_region_options regions = PE_REGION_OPTIONS_INIT;

    regions.flags = PE_REGION_TIMELINE;
    if (target == REGIONS || target == ALL_WRITABLE) {
        pe_region_setup(&regions);
        ck_assert_int_eq(pe_region_enable(1), 0);
    }
    do
        rounds += torture_pool(target, (uint64_t)target * 1000 + pools++, &hung);
    while (pe_now() < until);
    if (pe_region_on)
        look_at_regions();
    printf("# %s: %u pools, %u rounds, %u killed after 3 s\n", name, pools, rounds, hung);
}

#define TEST_OF(name) \
    PE_TEST_SLOW(random_words_in_##name, 120) \
    { \
        torture_part(name, #name); \
    }
TARGET_LIST(TEST_OF)

HARNESS_MAIN("scribble")
