/*
 * How many items a worker takes at once. Each item tells how large the hand is that it was taken in; it finds that in
 * its worker's lane, where recovery would look. One worker, so nothing is stolen.
 */

#include "harness/harness.h"

#include <parexec.h>
#include <stdlib.h>

#include "harness/pool.h"
#include "shared/lane.h"
#include "worker/scope.h"

/* Longer than a chunk is to take. */
#define SLOW_NS PE_US(40)
/* Of many quick items; the last ones may be taken as a whole without having been timed. */
#define MANY 100000
#define BEFORE_THE_REST (MANY - 3000)

struct phases {
    uint64_t slow_from, slow_to;
};

static int item_tells_hand(const void *in, void *out, const void *context)
{
    const struct phases *phases = context;
    uint64_t item = pe_worker_item();
    const _Atomic uint64_t *running = pe__worker_scope_current()->running;
    const struct pe__lane *lane = (const void *)((const char *)running - offsetof(struct pe__lane, running));
    uint64_t hand = atomic_load(&lane->hand);
    uint32_t size = (uint32_t)(hand & UINT32_MAX) - (uint32_t)(hand >> 32);
    int64_t start = pe_now();

    (void)in;
    memcpy(out, &size, sizeof size);
    while (item >= phases->slow_from && item < phases->slow_to && pe_now() - start < SLOW_NS)
        ;
    return 0;
}

/* The hands of all items; to be freed. */
static uint32_t *hands(uint64_t chunk, size_t count, uint64_t slow_from, uint64_t slow_to)
{
    struct phases phases = { slow_from, slow_to };
    pe_pool *pool = pool_of(1);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint32_t *sizes = calloc(count, sizeof *sizes);

    options.chunk = chunk;
    options.context = &phases;
    options.context_bytes = sizeof phases;
    ck_assert_int_eq(pe_pool_map(pool, item_tells_hand, NULL, 0, sizes, sizeof *sizes, count, &options), 0);
    pool_end(pool);
    return sizes;
}

PE_TEST(p06_a_chunk_is_what_was_asked_for)
{
    static const uint64_t chunks[] = { 1, 7, 100, 1000, 5000, UINT64_MAX };

    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
        uint64_t chunk = chunks[c] < 1000 ? chunks[c] : 1000, whole = 1000 / chunk * chunk;
        uint32_t *sizes = hands(chunks[c], 1000, 0, 0);

        for (uint64_t i = 0; i < 1000; i++)
            ck_assert_uint_eq(sizes[i], i < whole ? chunk : 1000 - whole);
        free(sizes);
    }
}

PE_TEST(p07_many_quick_items_at_once)
{
    uint32_t *sizes = hands(PE_CHUNK_AUTO, MANY, 0, 0), most = 0;

    ck_assert_uint_eq(sizes[0], 1); /* nothing is known yet */
    for (size_t i = 0; i < BEFORE_THE_REST; i++)
        most = sizes[i] > most ? sizes[i] : most;
    ck_assert_uint_ge(most, 8);
    free(sizes);
}

PE_TEST(p07_slow_items_one_by_one)
{
    uint32_t *sizes = hands(PE_CHUNK_AUTO, 500, 0, 500);

    for (size_t i = 0; i < 500; i++)
        ck_assert_uint_eq(sizes[i], 1);
    free(sizes);
}

/* No hand is more than half of what is left, so those of quick items end before 3,000 at the latest. */
PE_TEST(p07_adapts_while_items_change)
{
    uint32_t *sizes = hands(PE_CHUNK_AUTO, MANY, 2000, 4000), most = 0;

    for (size_t i = 4000; i < BEFORE_THE_REST; i++)
        most = sizes[i] > most ? sizes[i] : most;
    ck_assert_uint_ge(most, 8);
    free(sizes);
    sizes = hands(PE_CHUNK_AUTO, 4000, 2000, 4000);
    for (size_t i = 3000; i < 4000; i++)
        ck_assert_uint_eq(sizes[i], 1);
    free(sizes);
}

HARNESS_MAIN("chunk")
