/* Maps that wait for one of the 16 places: they start when one is free, and have an ending when they are
 * given up. */
#include "harness/harness.h"

#include <stdatomic.h>
#include <unistd.h>

#include <parexec.h>

#define PLACES 16
#define ITEMS 5
#define GUARD_NS PE_SECONDS(25)

struct gate {
    _Atomic uint32_t open;
};

static int wait_for_gate(const void *in, void *out, const void *context)
{
    struct gate *gate;

    (void)in, (void)out;
    memcpy(&gate, context, sizeof gate);
    while (atomic_load(&gate->open) == 0 && !pe_worker_cancelled())
        usleep(200);
    return 0;
}

static int add_one(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = *(const int *)in + 1;
    return 0;
}

static struct gate *fill_places(pe_pool *pool, pe_job **jobs)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    void *memory = NULL;

    ck_assert_int_eq(pe_pool_alloc(pool, sizeof(struct gate), &memory), 0);
    struct gate *gate = memory;
    options.context = &gate;
    options.context_bytes = sizeof gate;
    for (int i = 0; i < PLACES; i++)
        ck_assert_int_eq(pe_pool_start_map(pool, wait_for_gate, NULL, 0, NULL, 0, 1, &options, &jobs[i]), 0);
    return gate;
}

static pe_pool *make(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 2;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    return pool;
}

PE_TEST(map_given_up_before_its_place_has_endings)
{
    pe_pool *pool = make();
    pe_job *jobs[PLACES];
    struct gate *gate = fill_places(pool, jobs);
    int in[ITEMS] = { 0, 1, 2, 3, 4 }, out[ITEMS] = { -1, -1, -1, -1, -1 };
    pe_status statuses[ITEMS];
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    memset(statuses, 0xee, sizeof statuses);
    options.statuses = statuses;
    options.summary = &summary;
    options.deadline_ns = pe_after(PE_MS(20));
    ck_assert_int_eq(pe_pool_map(pool, add_one, in, sizeof *in, out, sizeof *out, ITEMS, &options),
                     PE_ETIMEDOUT);
    ck_assert_uint_eq(summary.cancelled, ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        ck_assert_uint_eq(statuses[i].kind, PE_CANCELLED);
        ck_assert_uint_eq(statuses[i].item, (uint64_t)i);
        ck_assert_int_eq(out[i], -1);
    }
    atomic_store(&gate->open, 1);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    options = (pe_map_options)PE_MAP_OPTIONS_INIT;
    ck_assert_int_eq(pe_pool_map(pool, add_one, in, sizeof *in, out, sizeof *out, ITEMS, &options), 0);
    for (int i = 0; i < ITEMS; i++)
        ck_assert_int_eq(out[i], i + 1);
    for (int i = 0; i < PLACES; i++)
        pe_job_free(jobs[i]);
    pe_pool_free(pool);
}
END_TEST

HARNESS_MAIN("places")
