/*
 * A worker that writes edge values and random words over each part of the shared memory, while other jobs and maps run.
 * The host may call the pool broken and its results lost or wrong. It must not crash, nor hang, nor read or write
 * outside its own memory: every array handed to the pool here lies between pages that nobody may touch, too.
 */
#include "harness/harness.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "harness/scene.h"

#define GUARD_NS PE_SECONDS(20)

#define TARGET_LIST(X) \
    X(RECORD_WORDS) X(RECORD_FIELDS) X(RECORD_REST) X(HINTS) X(LANES) X(ITEMS_OF_MAPS) X(BLOCK_WORDS) X(DESCRIPTORS) \
    X(CONFIG) X(TAIL) X(TEXTS) X(OUTPUTS) X(CRASHES) X(LIMITS) X(ORDERS) X(ACCOUNTS) X(REPLY_BLOCKS) X(HEAP) \
    X(REGIONS) X(ALL_WRITABLE)

#define VALUE_OF(name) name,
enum target { TARGET_LIST(VALUE_OF) };

static uint64_t edge(uint64_t *random, uint64_t old)
{
    switch (harness_random(random) % 12) {
    case 0: return 0;
    case 1: return 1;
    case 2: return UINT64_MAX;
    case 3: return old + 1;
    case 4: return old - 1;
    case 5: return old + (UINT64_C(1) << 24); /* the next sequence */
    case 6: return old - (UINT64_C(1) << 24);
    case 7: return old ^ (harness_random(random) % 4 << 8); /* another owner */
    case 8: return (old & ~UINT64_C(255)) | harness_random(random) % 10; /* another phase */
    case 9: return UINT64_C(1) << harness_random(random) % 64;
    case 10: return old ^ UINT64_C(1) << harness_random(random) % 64;
    default: return harness_random(random);
    }
}

/* Writes over one aligned word of [start, start + bytes). */
static void hit(uint64_t *random, void *start, size_t bytes)
{
    uint64_t *word = (uint64_t *)start + harness_random(random) % (bytes / 8);
    uint64_t new = edge(random, *(volatile uint64_t *)word);
    size_t count = (size_t)1 << harness_random(random) % 4;

    memcpy((char *)word + (harness_random(random) % 8 & ~(count - 1)) % 8, &new, count);
}

/* One of those that were pushed last. */
static uint32_t recent_record(uint64_t *random, const struct pe__shared *view)
{
    uint32_t level = (uint32_t)(harness_random(random) % PE__QUEUE_LEVELS);
    uint64_t tail = atomic_load(&view->tails[level].tail);

    return pe__queue_record(level, tail - harness_random(random) % 16, view->geometry.records);
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
    const struct pe__map *map = &view->maps[harness_random(random) % 2];

    if (map->state == NULL)
        return;
    if (harness_random(random) % 2)
        hit(random, (void *)map->state, ITEMS);
    else
        hit(random, map->detail, ITEMS * sizeof *map->detail);
}

/* A time about now, or anything else. */
static void hit_time(uint64_t *random, _Atomic int64_t *time)
{
    if (harness_random(random) % 2)
        atomic_store(time, pe_now() + (int64_t)(harness_random(random) % (uint64_t)PE_MS(2)));
    else
        hit(random, time, sizeof *time);
}

static struct pe__slot *any_slot(uint64_t *random, const struct pe__shared *view)
{
    return &view->slots[harness_random(random) % WORKERS];
}

static void hit_limit(uint64_t *random, const struct pe__shared *view)
{
    struct pe__record_more *more = &view->records_more[recent_record(random, view)];

    switch (harness_random(random) % 7) {
    case 0: hit_time(random, &view->watch->wakes_ns); break;
    case 1: hit(random, &view->watch->expired, 8); break;
    case 2: hit_time(random, &more->timeout_ns); break;
    case 3: hit_time(random, &more->deadline_ns); break;
    case 4: hit(random, &more->asked, 8); break;
    case 5: hit(random, &pe__mapping_lanes(view, 0)[harness_random(random) % WORKERS].asked, 8); break;
    default: hit_time(random, &any_slot(random, view)->due);
    }
}

/* What is for one worker alone, and who has left. */
static void hit_order(uint64_t *random, const struct pe__shared *view)
{
    uint32_t index = recent_record(random, view), owner = (uint32_t)(harness_random(random) % (WORKERS + 2));
    uint64_t sequence = pe__record_sequence(atomic_load(&view->records[index].word));

    switch (harness_random(random) % 5) {
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

    hit(random, words[harness_random(random) % (sizeof words / sizeof *words)], 8);
}

/* What is in use of the table, mostly; the rest of it is zero. */
static void hit_region(uint64_t *random, const struct pe__shared *view)
{
    struct pe__region_table table;
    uint32_t few = (uint32_t)(harness_random(random) % 12);

    pe__region_table_at(&table, pe__mapping_regions(view, (uint32_t)(harness_random(random) % WORKERS)),
                        &scene->regions);
    switch (harness_random(random) % 8) {
    case 0: hit(random, table.head, sizeof *table.head); break;
    case 1: hit(random, &table.tracks[few % 2], sizeof *table.tracks); break;
    case 2: hit(random, &table.labels[few], sizeof *table.labels); break;
    case 3: hit(random, &table.segments[few % 3], 16 + 40 * sizeof *table.segments->events); break;
    case 4: hit(random, table.nodes[few].buckets, sizeof table.nodes->buckets); break;
    case 5: hit(random, table.head, scene->view.geometry.region_bytes / 8 * 8); break;
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
        switch (harness_random(random) % 6) {
        case 4: hit(random, view->watch, sizeof *view->watch); break;
        case 0: hit(random, view->heads, PE__QUEUE_LEVELS * sizeof *view->heads); break;
        case 1: hit(random, view->host_waits, 8); break;
        case 2: hit(random, view->groups, sizeof *view->groups); break;
        case 3: hit(random, view->counts, sizeof *view->counts); break;
        default: hit(random, view->slots, WORKERS * sizeof *view->slots);
        }
        break;
    case LANES:
        if (harness_random(random) % 4)
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
        if (harness_random(random) % 2)
            hit(random, pe__mapping_output(view, recent_record(random, view)), 8);
        else
            hit(random, &view->slots[harness_random(random) % WORKERS].output_from, 8);
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
    default: hit_target(random, view, (enum target)(harness_random(random) % ALL_WRITABLE));
    }
}

struct order {
    uint64_t seed;
    uint32_t target, writes, pause;
};

static int job_scribbles(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct order order;
    struct pe__shared view = scene->view;

    (void)arg_bytes;
    (void)reply;
    memcpy(&order, arg, sizeof order);
    scene_make_writable(&view);
    for (uint32_t i = 0; i < order.writes && atomic_load(&scene->stop) == 0; i++) {
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
        atomic_store(&scene->stop, 1);
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
    scene_assert_figures(pool, INT64_MAX / WORKERS / 200);
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
    pe_pool *pool = scene_begin_with((struct scene_options){ .idle_ns = seed % 2 ? PE_US(300) : 0 });
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
    scene_end(pool);
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

HARNESS_MAIN("scribble-random")
