/* Acts with jobs: one, many at once, stopped ones, callbacks, shared memory, broadcasts. */
#include "harness/pool.h"
#include "harness/soak_pool.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PAYLOAD_MOST 70000
#define WORKERS_MOST 64

/* ---- one job ---- */

struct errand {
    struct soak_order order;
    unsigned char payload[PAYLOAD_MOST];
};

static int run_errand(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    const struct errand *errand = arg;
    size_t bytes = arg_bytes - offsetof(struct errand, payload);
    int result = soak_obey(&errand->order);

    if (result != 0 || bytes == 0)
        return result;
    unsigned char *answer = pe_reply_reserve(reply, bytes);
    if (answer == NULL)
        return PE_ENOMEM;
    for (size_t i = 0; i < bytes; i++)
        answer[i] = errand->payload[i] ^ 0x5a;
    return 0;
}

/* Mostly small, sometimes large. */
static size_t some_bytes(struct soak_player *player)
{
    static const uint64_t below[] = { 1, 48, 48, 1000, PAYLOAD_MOST };

    return (size_t)soak_below(player, below[soak_below(player, 5)]);
}

static void check_reply(const pe_job *job, const struct errand *errand, size_t bytes)
{
    const unsigned char *data;
    size_t data_bytes;

    if (bytes == 0)
        return;
    ck_assert_int_eq(pe_job_result(job, (const void **)&data, &data_bytes), 0);
    ck_assert_uint_eq(data_bytes, bytes);
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != (errand->payload[i] ^ 0x5a))
            ck_abort_msg("byte %zu of %zu", i, bytes);
}

static void one_job(struct soak_player *player)
{
    struct errand *errand = malloc(sizeof *errand);
    size_t bytes = some_bytes(player);
    pe_job_options options = { .size = sizeof options,
                               .retries = (uint32_t)soak_below(player, 3),
                               .priority = (uint32_t)soak_below(player, 3) };
    bool is_cancelled = soak_below(player, 4) == 0, is_limited = soak_below(player, 4) == 0;
    size_t arg_bytes = offsetof(struct errand, payload) + bytes;
    pe_job *job;
    pe_status status;

    errand->order = soak_some_order(player, is_cancelled || is_limited);
    pe_rng_fill(&player->rng, errand->payload, bytes);
    if (is_limited && soak_below(player, 2) == 0)
        options.timeout_ns = PE_US(100 + (int64_t)soak_below(player, 5000));
    else if (is_limited)
        options.deadline_ns = pe_after(PE_US((int64_t)soak_below(player, 5000)));
    ck_assert_int_eq(pe_pool_submit(player->pool, run_errand, errand, arg_bytes, &options, &job), 0);
    if (is_cancelled && soak_below(player, 2) == 0)
        (void)pe_job_wait(job, pe_after(PE_US((int64_t)soak_below(player, 500))));
    if (is_cancelled)
        (void)pe_job_cancel(job);
    ck_assert_int_eq(pe_job_wait(job, pe_after(SOAK_GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    if (soak_check(player, &errand->order, &status, options.retries, is_cancelled || is_limited))
        check_reply(job, errand, bytes);
    pe_job_free(job);
    free(errand);
}

/* ---- many jobs ---- */

#define BATCH_MOST 300

static int answer_order(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    const struct soak_order *order = arg;
    int result = soak_obey(order);
    uint64_t answer = soak_answer(order->seed);

    (void)arg_bytes;
    return result != 0 ? result : pe_reply_write(reply, &answer, sizeof answer);
}

static void check_answer(struct soak_player *player, pe_job *job, const struct soak_order *order, bool stopped)
{
    pe_status status;

    ck_assert_int_eq(pe_job_wait(job, pe_after(SOAK_GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    if (soak_check(player, order, &status, 0, stopped))
        ck_assert_uint_eq(job_number(job), soak_answer(order->seed));
    pe_job_free(job);
}

/* All handles are held; every tenth batch is cancelled in the middle. */
static void many_jobs(struct soak_player *player)
{
    size_t count = 1 + (size_t)soak_below(player, BATCH_MOST);
    bool is_cancelled = soak_below(player, 10) == 0;
    struct soak_order orders[BATCH_MOST];
    pe_job *jobs[BATCH_MOST];

    for (size_t i = 0; i < count; i++) {
        orders[i] = soak_some_order(player, is_cancelled);
        ck_assert_int_eq(pe_pool_submit(player->pool, answer_order, &orders[i], sizeof orders[i], NULL, &jobs[i]), 0);
    }
    for (size_t i = 0; i < count && is_cancelled; i++)
        (void)pe_job_cancel(jobs[i]);
    for (size_t i = 0; i < count; i++)
        check_answer(player, jobs[i], &orders[i], is_cancelled);
}

/* ---- callbacks ---- */

static void count_callback(pe_job *job, void *context)
{
    struct soak_player *player = context;

    atomic_fetch_add(&player->callbacks, 1);
    pe_job_free(job);
}

static void job_with_callback(struct soak_player *player)
{
    struct soak_order order = soak_some_order(player, false);
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(player->pool, answer_order, &order, sizeof order, NULL, &job), 0);
    player->callbacks_due++;
    ck_assert_int_eq(pe_job_on_done(job, count_callback, player), 0);
}

/* ---- shared memory ---- */

struct span {
    uint64_t *words;
    uint64_t count;
};

static int sum_span(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    const struct span *span = arg;
    uint64_t sum = 0;

    (void)arg_bytes;
    for (uint64_t i = 0; i < span->count; i++)
        sum += span->words[i]++;
    return pe_reply_write(reply, &sum, sizeof sum);
}

static void shared_memory(struct soak_player *player)
{
    struct span span = { .count = 1 + soak_below(player, 1 << soak_below(player, 17)) };
    static const struct soak_order answer = { .what = SOAK_ANSWER };
    uint64_t sum = 0, changed = 0;
    pe_status status;
    pe_job *job;

    ck_assert_int_eq(pe_pool_alloc(player->pool, span.count * sizeof *span.words, (void **)&span.words), 0);
    for (uint64_t i = 0; i < span.count; i++)
        sum += span.words[i] = pe_rng_next(&player->rng);
    ck_assert_int_eq(pe_pool_submit(player->pool, sum_span, &span, sizeof span, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(SOAK_GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    if (soak_check(player, &answer, &status, 0, false)) {
        ck_assert_uint_eq(job_number(job), sum);
        for (uint64_t i = 0; i < span.count; i++)
            changed += span.words[i];
        ck_assert_uint_eq(changed, sum + span.count);
    }
    pe_job_free(job);
    pe_pool_dealloc(player->pool, span.words);
}

/* ---- every worker ---- */

static void broadcast(struct soak_player *player)
{
    struct soak_order order = { .what = SOAK_ANSWER, .seed = 1 };
    pe_status statuses[WORKERS_MOST] = { { .kind = PE_PENDING } };
    int result = pe_pool_broadcast(player->pool, answer_order, &order, sizeof order, statuses, WORKERS_MOST,
                                   pe_after(SOAK_GUARD_NS));

    ck_assert_msg(result == 0 || result == PE_EITEMS, "%s", pe_strerror(result));
    for (int i = 0; i < WORKERS_MOST && statuses[i].kind != PE_PENDING; i++)
        (void)soak_check(player, &order, &statuses[i], 0, true);
}

const struct soak_pool_act soak_pool_jobs[] = {
    { "job", one_job, 8 },
    { "jobs", many_jobs, 4 },
    { "callback", job_with_callback, 4 },
    { "memory", shared_memory, 2 },
    { "broadcast", broadcast, 1 },
    { NULL, NULL, 0 },
};
