/* Reductions: the same result for any number of workers and any chunk, the order of the fold, and an
 * accumulator that is left alone when something fails. */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/items.h"
#include "harness/pool.h"

/* Not commutative and not the same for other borders: shows the order and the borders of the fold. */
static int mix_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    uint64_t *sums = acc; /* {fold, length} */

    (void)context;
    sums[0] = sums[0] * 31 + first * 7 + last;
    sums[1] += last - first;
    return 0;
}

static int mix_parts(void *acc, const void *part, const void *context)
{
    uint64_t *sums = acc, add[2];

    (void)context;
    memcpy(add, part, sizeof add);
    sums[0] = sums[0] * 1000003 + add[0];
    sums[1] += add[1];
    return 0;
}

PE_TEST(reduce_is_the_same_for_any_workers_and_chunk)
{
    static const uint64_t chunks[] = { 0, 1, 7, 1023, 5000, UINT64_MAX };
    static const uint64_t lasts[] = { 1, 2, 1023, 1024, 1025, 1000003 };
    static const uint32_t workers[] = { 1, 2, 3, 7 };

    for (int k = 0; k < 6; k++) {
        uint64_t wanted[2] = { 0, 0 };

        for (int w = 0; w < 4; w++) {
            pe_pool *pool = pool_of(workers[w]);

            for (int c = 0; c < 6; c++) {
                uint64_t acc[2] = { 5, 0 };
                pe_map_options options = PE_MAP_OPTIONS_INIT;

                options.chunk = chunks[c];
                ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 100, 100 + lasts[k], acc,
                                                sizeof acc, &options),
                                 0);
                if (wanted[1] == 0)
                    memcpy(wanted, acc, sizeof acc);
                ck_assert_uint_eq(acc[0], wanted[0]);
                ck_assert_uint_eq(acc[1], lasts[k]);
            }
            pool_end(pool);
        }
    }
}

PE_TEST(reduce_covers_the_whole_range)
{
    pe_pool *pool = pool_of(2);
    uint64_t acc[2] = { 0, 0 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    struct progress progress = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = &summary;
    options.progress = progress_follow;
    options.progress_context = &progress;
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, UINT64_MAX, acc, sizeof acc, &options), 0);
    ck_assert_uint_eq(acc[1], UINT64_MAX);
    ck_assert_uint_eq(summary.returned, PE_REDUCE_BLOCKS_MAX);
    ck_assert_uint_eq(summary.failed, 0);
    ck_assert_uint_eq(summary.first_failed, UINT64_MAX);
    ck_assert_uint_eq(progress.done, PE_REDUCE_BLOCKS_MAX);
    ck_assert_uint_eq(progress.total, PE_REDUCE_BLOCKS_MAX);
    ck_assert_int_eq(progress.backwards, 0);
    pool_end(pool);
}

/* Fails on a block that does not start from {9, 8}; otherwise makes it {the block's last, 1}. */
static int expect_neutral(uint64_t first, uint64_t last, void *acc, const void *context)
{
    uint64_t *sums = acc;

    (void)first, (void)context;
    if (sums[0] != 9 || sums[1] != 8)
        return 1;
    sums[0] = last;
    sums[1] = 1;
    return 0;
}

/* Fails on a part out of order. */
static int expect_order(void *acc, const void *part, const void *context)
{
    uint64_t *sums = acc, add[2];
    int first = sums[0] == 9 && sums[1] == 8;

    (void)context;
    memcpy(add, part, sizeof add);
    if (add[1] != 1 || (!first && add[0] <= sums[0]))
        return 1;
    sums[0] = add[0];
    sums[1] = first ? 1 : sums[1] + 1;
    return 0;
}

PE_TEST(reduce_starts_each_block_from_acc_and_folds_in_order)
{
    pe_pool *pool = pool_of(3);

    for (uint64_t chunk = 0; chunk < 12; chunk += 5) {
        uint64_t acc[2] = { 9, 8 };
        pe_map_options options = PE_MAP_OPTIONS_INIT;

        options.chunk = chunk;
        ck_assert_int_eq(
            pe_pool_reduce(pool, expect_neutral, expect_order, 10, 100000, acc, sizeof acc, &options), 0);
        ck_assert_uint_eq(acc[0], 100000);
        ck_assert_uint_eq(acc[1], PE_REDUCE_BLOCKS_MAX);
    }
    pool_end(pool);
}

PE_TEST(reduce_of_nothing_leaves_acc)
{
    pe_pool *pool = pool_of(1);
    uint64_t acc[2] = { 11, 12 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 7, 7, acc, sizeof acc, &options), 0);
    ck_assert_int_eq(
        pe_pool_reduce(pool, mix_range, mix_parts, UINT64_MAX, UINT64_MAX, acc, sizeof acc, NULL), 0);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_uint_eq(summary.returned, 0);
    pool_end(pool);
}

/* Context: {block's first that fails, how: 'r' returns 6, 'k' dies, 'o' dies once; address of a counter}. */
struct trouble {
    uint64_t first;
    char how;
    _Atomic uint32_t *deaths;
};

static int troubled_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    struct trouble trouble;

    memcpy(&trouble, context, sizeof trouble);
    mix_range(first, last, acc, NULL);
    if (first != trouble.first)
        return 0;
    if (trouble.how == 'r')
        return 6;
    if (trouble.how == 'k' || (trouble.how == 'o' && atomic_fetch_add(trouble.deaths, 1) == 0))
        kill(getpid(), SIGKILL);
    return 0;
}

static int refuse_parts(void *acc, const void *part, const void *context)
{
    mix_parts(acc, part, context);
    return ((uint64_t *)acc)[1] > 100;
}

PE_TEST(reduce_with_an_error_leaves_acc)
{
    pe_pool *pool = pool_of(2);
    struct trouble trouble = { .first = 300, .how = 'r' };
    uint64_t acc[2] = { 11, 12 };
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = &trouble;
    options.context_bytes = sizeof trouble;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_uint_eq(summary.returned, 300);
    ck_assert_uint_eq(summary.first_failed, 300);
    ck_assert_uint_eq(summary.first.kind, PE_RETURNED);
    ck_assert_int_eq(summary.first.code, 6);
    trouble.how = 'k';
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert_uint_eq(summary.first.kind, PE_CRASHED);
    ck_assert_int_eq(summary.first.code, SIGKILL);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, refuse_parts, 0, 1000, acc, sizeof acc, &options),
                     PE_EITEMS);
    ck_assert_uint_eq(summary.returned, summary.first_failed); /* the part that was refused is not among them */
    ck_assert_uint_eq(summary.failed, 1);
    ck_assert_uint_eq(summary.first.kind, PE_RETURNED);
    ck_assert_int_eq(summary.first.code, 1);
    ck_assert(acc[0] == 11 && acc[1] == 12);
    pool_end(pool);
}

PE_TEST(reduce_retries_from_fresh_copies)
{
    pe_pool *pool = pool_of(2);
    struct trouble trouble = { .first = 300,
                               .how = 'o',
                               .deaths = pool_shared(pool, sizeof *trouble.deaths) };
    uint64_t wanted[2] = { 3, 0 }, acc[2] = { 3, 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_reduce(pool, mix_range, mix_parts, 0, 1000, wanted, sizeof wanted, NULL), 0);
    options.context = &trouble;
    options.context_bytes = sizeof trouble;
    options.retries = 1;
    ck_assert_int_eq(pe_pool_reduce(pool, troubled_range, mix_parts, 0, 1000, acc, sizeof acc, &options), 0);
    ck_assert(acc[0] == wanted[0] && acc[1] == wanted[1]);
    ck_assert_uint_eq(atomic_load(trouble.deaths), 2);
    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    ck_assert_uint_eq(stats.restarts, 1);
    pool_end(pool);
}

/* Counts to 100,000 where the compiler does not see it. */
static int compute(uint64_t first, uint64_t last, void *acc, const void *context)
{
    volatile uint64_t *sum = acc;

    (void)first, (void)last, (void)context;
    for (int i = 0; i < 100000; i++)
        *sum = *sum + 1;
    return 0;
}

static int add_up(void *acc, const void *part, const void *context)
{
    uint64_t *sum = acc, add;

    (void)context;
    memcpy(&add, part, sizeof add);
    *sum += add;
    return 0;
}

/* Waking the host costs the worker that rings, and another one its CPU: not once for each of the 1,024 parts. */
PE_TEST(reduce_seldom_wakes_the_host)
{
    pe_pool *pool = pool_of(1);
    struct rusage before, after;
    uint64_t sum = 0;

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &before), 0);
    ck_assert_int_eq(pe_pool_reduce(pool, compute, add_up, 0, PE_REDUCE_BLOCKS_MAX, &sum, sizeof sum, NULL), 0);
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &after), 0);
    ck_assert_uint_eq(sum, PE_REDUCE_BLOCKS_MAX * UINT64_C(100000));
    ck_assert_int_lt(after.ru_nvcsw - before.ru_nvcsw, PE_REDUCE_BLOCKS_MAX / 3);
    pool_end(pool);
}
END_TEST

#define WIDE 1001

static int fill_wide(uint64_t first, uint64_t last, void *acc, const void *context)
{
    unsigned char *bytes = acc;

    (void)context;
    for (uint64_t i = first; i < last; i++)
        bytes[i % WIDE]++;
    return 0;
}

static int add_wide(void *acc, const void *part, const void *context)
{
    (void)context;
    for (int i = 0; i < WIDE; i++)
        ((unsigned char *)acc)[i] =
            (unsigned char)(((unsigned char *)acc)[i] + ((const unsigned char *)part)[i]);
    return 0;
}

PE_TEST(reduce_with_a_wide_accumulator)
{
    pe_pool *pool = pool_of(2);
    unsigned char acc[WIDE + 1] = { 0 };

    acc[WIDE] = 0xee;
    ck_assert_int_eq(pe_pool_reduce(pool, fill_wide, add_wide, 0, 200 * WIDE, acc, WIDE, NULL), 0);
    for (int i = 0; i < WIDE; i++)
        ck_assert_uint_eq(acc[i], 200);
    ck_assert_uint_eq(acc[WIDE], 0xee);
    pool_end(pool);
}

HARNESS_MAIN("reduce")
