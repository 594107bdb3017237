/*
 * A worker that forges what is known of the items of a map: the host takes them for lost, or for what they may be.
 */
#include "harness/harness.h"

#include <sched.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/scene.h"

#define GUARD_NS PE_SECONDS(20)

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
    const struct pe__map *map = &scene->view.maps[0];
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
        atomic_store(&scene->view.lanes[0].done, what == DONE_FIGURE ? UINT64_C(1) << 62 : 2);
        atomic_store(&scene->view.lives[0].failed, what == DONE_FIGURE ? 0 : UINT64_MAX);
        while (atomic_load(&scene->stop) == 0)
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
    atomic_store(&scene->stop, 1);
}

PE_TEST_FULL(a_forged_item_is_lost, 20, 0, ITEM_FORGERIES)
{
    enum item_forgery what = (enum item_forgery)_i;
    pe_pool *pool = scene_begin();
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
    scene_end(pool);
}

/* Says that it is an item that there is not. */
static int item_forges_its_number(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_store(&scene->view.lanes[i].running, *(const uint64_t *)context);
    atomic_store(&scene->inside, 1);
    while (atomic_load(&scene->go) == 0)
        sched_yield();
    return 0;
}

PE_TEST_LOOP(a_forged_item_in_hand_is_none, 0, 3)
{
    static const uint64_t values[] = { 0, ITEMS + 1, UINT64_MAX };
    pe_pool *pool = scene_begin();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    options.context = &values[_i];
    options.context_bytes = sizeof *values;
    ck_assert_int_eq(pe_pool_start_map(pool, item_forges_its_number, NULL, 0, NULL, 0, ITEMS, &options, &job), 0);
    while (atomic_load(&scene->inside) == 0)
        sched_yield();
    for (uint32_t i = 0; i < WORKERS; i++) {
        pe_worker_stats worker = PE_WORKER_STATS_INIT;
        ck_assert_int_eq(pe_pool_worker_stats(pool, i, &worker), 0);
        ck_assert(worker.item == UINT64_MAX || worker.item < ITEMS);
    }
    atomic_store(&scene->go, 1);
    pe_job_wait(job, pe_after(GUARD_NS));
    pe_job_free(job);
    scene_end(pool);
}

/* Says that each lane is being robbed by a worker that does not. */
static int item_forges_a_thief(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_fetch_or(&scene->view.lanes[i].range, *(const uint64_t *)context);
    return 0;
}

PE_TEST_LOOP(a_forged_thief_is_not_waited_for, 0, 3)
{
    static const uint64_t names[] = { 1, WORKERS, UINT16_MAX };
    pe_pool *pool = scene_begin();
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    options.context = &names[_i];
    options.context_bytes = sizeof *names;
    ck_assert_int_eq(pe_pool_start_map(pool, item_forges_a_thief, NULL, 0, NULL, 0, ITEMS, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    pe_job_free(job);
    scene_end(pool);
}

HARNESS_MAIN("scribble-items")
