/* The pi estimator: scenarios K01 to K04, the kernels against each other and against the definition in
 * pi-kernel.h, and the command line. Every count here follows from its seed, so nothing depends on luck. */

#include "harness/harness.h"

#include "harness.h"
#include "pi-kernel.h"
#include "pi-run.h"

#include <math.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define K01_SAMPLES UINT64_C(10000019)

static pi_result run(const pi_plan *plan)
{
    pi_result result;

    ck_assert_int_eq(pi_run(plan, &result), 0);
    ck_assert_uint_eq(result.samples, plan->samples);
    return result;
}

static uint64_t serial_hits(uint64_t samples, uint64_t seed)
{
    pi_plan plan = { .samples = samples, .seed = seed, .workers = 1, .mode = PI_MODE_SERIAL };

    return run(&plan).hits;
}

/* ---- the definition and the kernels ---- */

PE_TEST(decision_at_the_edges)
{
    ck_assert(pi_is_hit(0, 0));
    ck_assert(pi_is_hit(INT32_MIN, 0));
    ck_assert(pi_is_hit(0, INT32_MAX));
    ck_assert(!pi_is_hit(INT32_MIN, INT32_MIN));
    ck_assert(!pi_is_hit(INT32_MAX, INT32_MAX));
    ck_assert(pi_is_hit(1518500000, 1518500000));       /* R / sqrt(2) is 1518500249.99 */
    ck_assert(!pi_is_hit(1518501000, -1518501000));
}
END_TEST

/* Points whose distance from the circle is that of the roundings. */
PE_TEST(decision_is_the_fused_one)
{
    uint64_t random = 1;

    for (int i = 0; i < 200000; i++) {
        int32_t x, y;
        float d;

        random = random * UINT64_C(6364136223846793005) + 1;
        x = (int32_t)(uint32_t)(random >> 32);
        y = (int32_t)fmin(sqrt(0x1p62 - (double)x * x), 0x1p31 - 1024) + (int32_t)(random >> 20 & 1023) - 512;
        d = fmaf((float)x, (float)x, fmaf((float)y, (float)y, -0x1p62f));
        ck_assert_int_eq(pi_is_hit(x, y), d <= 0);
    }
}
END_TEST

PE_TEST(kernels_agree)
{
    static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 127, 1000, 1048575, 1048576, 1048577, 5000011 };

    for (uint32_t kernel = PI_KERNEL_C; kernel < PI_KERNEL_COUNT; kernel++) {
        if (!pi_kernel_usable(kernel))
            continue;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint64_t blocks = pi_blocks(sizes[i]), samples = 0;
            uint64_t hits = pi_hits(kernel, i, sizes[i], 0, blocks, &samples);
            ck_assert_uint_eq(samples, sizes[i]);
            ck_assert_uint_eq(hits, pi_hits(PI_KERNEL_C, i, sizes[i], 0, blocks, NULL));
        }
    }
}
END_TEST

/* Points so close to the circle that a kernel without a fused operation must look again: block by block,
 * since in a sum two of them may cancel. */
PE_TEST(kernels_agree_beside_the_circle)
{
    enum { BLOCKS = 64 };
    uint64_t samples = BLOCKS * PI_BLOCK_SAMPLES;
    uint32_t best = pi_kernel_choose(PI_KERNEL_AUTO);

    if (best == PI_KERNEL_C)
        HARNESS_SKIP("only the plain kernel runs here");
    for (uint64_t block = 0; block < BLOCKS; block++)
        ck_assert_uint_eq(pi_hits(PI_KERNEL_C, 2, samples, block, block + 1, NULL),
                          pi_hits(best, 2, samples, block, block + 1, NULL));
}
END_TEST

/* The stream is documented: a change of it changes every published count. */
PE_TEST(stream_is_frozen)
{
    ck_assert_uint_eq(serial_hits(1000, 1), 784);
    ck_assert_uint_eq(serial_hits(K01_SAMPLES, 1), 7853917);
}
END_TEST

PE_TEST(blocks_add_up_in_any_order)
{
    uint64_t samples = 5 * PI_BLOCK_SAMPLES + 77;
    uint64_t hits = 0;

    for (uint64_t block = pi_blocks(samples); block-- > 0;)
        hits += pi_hits(PI_KERNEL_AUTO, 9, samples, block, block + 1, NULL);
    ck_assert_uint_eq(hits, serial_hits(samples, 9));
}
END_TEST

/* ---- scenarios ---- */

PE_TEST(k01_same_count_for_any_workers_and_chunk)
{
    static const uint32_t workers[] = { 1, 2, 3, 7 };
    uint64_t expected = serial_hits(K01_SAMPLES, 1);

    for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
        for (uint64_t chunk = 0; chunk <= 1; chunk++) {
            pi_plan plan = { .samples = K01_SAMPLES, .seed = 1, .workers = workers[i], .chunk = chunk,
                             .mode = PI_MODE_POOL };
            ck_assert_uint_eq(run(&plan).hits, expected);
        }
    }
}
END_TEST

PE_TEST(k01_same_count_inline)
{
    pi_plan plan = { .samples = K01_SAMPLES, .seed = 1, .workers = 1, .mode = PI_MODE_INLINE };

    ck_assert_uint_eq(run(&plan).hits, serial_hits(K01_SAMPLES, 1));
}
END_TEST

PE_TEST(k01_same_count_in_bare_processes)
{
    pi_plan plan = { .samples = K01_SAMPLES, .seed = 1, .workers = 1, .mode = PI_MODE_SERIAL };
    uint64_t hits = 0;

    ck_assert(pi_run_bare(&plan, 3, &hits) >= 0);
    ck_assert_uint_eq(hits, serial_hits(K01_SAMPLES, 1));
}
END_TEST

/* More blocks than a reduce has parts. */
PE_TEST(k01_same_count_with_many_blocks)
{
    uint64_t samples = 1500 * PI_BLOCK_SAMPLES + 5;
    pi_plan plan = { .samples = samples, .seed = 3, .workers = 3, .mode = PI_MODE_POOL };

    if (pi_kernel_choose(PI_KERNEL_AUTO) == PI_KERNEL_C)
        HARNESS_SKIP("takes seconds without AVX2");
    ck_assert_uint_eq(run(&plan).hits, serial_hits(samples, 3));
}
END_TEST

PE_TEST(k03_fewer_samples_than_workers)
{
    for (uint64_t samples = 1; samples <= 6; samples++) {
        pi_plan plan = { .samples = samples, .seed = 1, .workers = 7, .mode = PI_MODE_POOL };
        ck_assert_uint_eq(run(&plan).hits, serial_hits(samples, 1));
    }
}
END_TEST

PE_TEST(k03_no_samples_is_an_error)
{
    for (uint32_t mode = 0; mode < PI_MODE_COUNT; mode++) {
        pi_plan plan = { .samples = 0, .seed = 1, .workers = 2, .mode = mode };
        pi_result result;
        ck_assert_int_eq(pi_run(&plan, &result), PE_EINVAL);
    }
}
END_TEST

/* The last block of runs too long to be run. */
PE_TEST(k03_counts_do_not_overflow)
{
    static const uint64_t sizes[] = { UINT64_C(5000000000), (UINT64_C(1) << 40) + 1, UINT64_MAX };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t blocks = pi_blocks(sizes[i]), last = 0, first = 0;
        pi_hits(PI_KERNEL_AUTO, 1, sizes[i], blocks - 1, blocks, &last);
        pi_hits(PI_KERNEL_AUTO, 1, sizes[i], 0, 1, &first);
        ck_assert_uint_eq(first, PI_BLOCK_SAMPLES);
        ck_assert_uint_eq((blocks - 1) * PI_BLOCK_SAMPLES + last, sizes[i]);
    }
}
END_TEST

PE_TEST_SLOW(k03_five_billion, 60)
{
    pi_plan plan = { .samples = UINT64_C(5000000000), .seed = 1, .workers = 2, .mode = PI_MODE_POOL };

    if (pi_kernel_choose(PI_KERNEL_AUTO) != PI_KERNEL_AVX512)
        HARNESS_SKIP("takes too long without AVX-512");
    ck_assert_uint_eq(run(&plan).hits, UINT64_C(3927018252));
}
END_TEST

PE_TEST_SLOW(k04_z_scores_look_normal, 60)
{
    /* A count has a standard deviation of 1,300, so by chance alone one set of 32 in ten holds two equal
     * ones (seeds 0 to 3199: 13 of 100 sets). From 10 on is the first set that holds none. That different
     * seeds are different streams, without choosing, is k04_seeds_are_different_streams. */
    enum { SEEDS = 32, FIRST_SEED = 10 };
    uint64_t hits[SEEDS];
    double sum = 0;
    double squares = 0;

    for (int i = 0; i < SEEDS; i++) {
        double z;
        hits[i] = serial_hits(10000000, (uint64_t)i + FIRST_SEED);
        z = pi_z_score(hits[i], 10000000);
        ck_assert(fabs(z) < 5);
        sum += z;
        squares += z * z;
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(hits[i], hits[k]);
    }
    ck_assert(fabs(sum / SEEDS) < 0.6);
    /* chi-square with 32 degrees of freedom: beyond these with a chance of 0.001 */
    ck_assert(squares > 11 && squares < 63);
}
END_TEST

/* The counts of eight single blocks, compared as a whole: equal by chance once in 10^22. */
PE_TEST(k04_seeds_are_different_streams)
{
    enum { SEEDS = 32, BLOCKS = 8 };
    uint64_t hits[SEEDS][BLOCKS];

    for (uint64_t i = 0; i < SEEDS; i++) {
        for (uint64_t block = 0; block < BLOCKS; block++)
            hits[i][block] = pi_hits(PI_KERNEL_AUTO, i, BLOCKS * PI_BLOCK_SAMPLES, block, block + 1, NULL);
        for (uint64_t k = 0; k < i; k++)
            ck_assert(memcmp(hits[i], hits[k], sizeof(hits[i])) != 0);
    }
}
END_TEST

/* Nor do two blocks of one seed hold the same points. */
PE_TEST(k04_blocks_are_different_streams)
{
    enum { BLOCKS = 64, WINDOW = 4 };
    uint64_t hits[BLOCKS];

    for (uint64_t block = 0; block < BLOCKS; block++)
        hits[block] = pi_hits(PI_KERNEL_AUTO, 1, BLOCKS * PI_BLOCK_SAMPLES, block, block + 1, NULL);
    for (size_t i = 0; i + WINDOW <= BLOCKS; i++) {
        for (size_t k = 0; k < i; k++)
            ck_assert(memcmp(&hits[i], &hits[k], WINDOW * sizeof(hits[0])) != 0);
    }
}
END_TEST

PE_TEST_SLOW(killed_workers_leave_the_count_alone, 120)
{
    uint64_t samples = 1100 * PI_BLOCK_SAMPLES + 5;     /* more than one reduce */
    pi_plan plan = { .samples = samples, .seed = 5, .workers = 3, .mode = PI_MODE_POOL,
                     .kill_every_ns = PE_MS(2) };
    pi_result result = run(&plan);

    ck_assert_uint_eq(result.hits, serial_hits(samples, 5));
    ck_assert_uint_gt(result.kills, 0);
}
END_TEST

/* ---- the command line ---- */

PE_TEST(counts_are_read_exactly)
{
    static const struct { const char *text; uint64_t value; } good[] = {
        { "1", 1 }, { "0", 0 }, { "1e9", 1000000000 }, { "5e9", UINT64_C(5000000000) },
        { "2^40", UINT64_C(1) << 40 }, { "2.5e3", 2500 }, { "1.50e1", 15 }, { "1e+3", 1000 }, { "007", 7 },
        { "18446744073709551615", UINT64_MAX }, { "1.8446744073709551615e19", UINT64_MAX },
    };
    static const char *const bad[] = {
        "", " 1", "1 ", "-1", "+1", "1.5", "1.", ".5", "1e", "1e-3", "1e20", "1e99999999999999999999", "2^64",
        "2^", "2^4^2", "0x10", "1e9x", "3G", "18446744073709551616",
    };
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_int_eq(bench_parse_count(good[i].text, &value), 0);
        ck_assert_uint_eq(value, good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(bench_parse_count(bad[i], &value) == -1, "'%s' was accepted", bad[i]);
}
END_TEST

/* The build says where the program is. */
static const char *program_path(void)
{
    const char *path = getenv("PAREXEC_PI");

    ck_assert_msg(path != NULL, "PAREXEC_PI is not set");
    return path;
}

/* Runs the program; -1 when it did not exit by itself. Which of its outputs got something comes back in
 * bits. */
#define WROTE_OUT 1
#define WROTE_ERR 2
static int run_program(const char *arguments, int *ret_wrote)
{
    char command[4096];
    int status;

    snprintf(command, sizeof(command),
             "d=$(mktemp -d) || exit 99; '%s' %s >$d/out 2>$d/err; s=$?; w=0; test -s $d/out && w=1; "
             "test -s $d/err && w=$((w + 2)); rm -rf $d; exit $((s * 4 + w))",
             program_path(), arguments);
    status = system(command);
    if (!WIFEXITED(status))
        return -1;
    *ret_wrote = WEXITSTATUS(status) % 4;
    return WEXITSTATUS(status) / 4;
}

PE_TEST(wrong_options_exit_2_with_a_message)
{
    static const char *const wrong[] = {
        "--samples 0", "--samples 1.5", "--samples -3", "--samples 2^64", "--samples x", "--samples ''",
        "--samples", "--workers 0", "--workers 1e9", "--workers", "--seed 1e30", "--seed -1", "--mode thread",
        "--kernel sse", "--chunk 0", "--kill-every 0", "--kill-every 5 --mode serial", "--scale --compare",
        "--scale --mode serial", "--rounds 0", "--nonsense", "extra",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int wrote = 0;
        int status = run_program(wrong[i], &wrote);
        ck_assert_msg(status == 2, "'%s' gave %d", wrong[i], status);
        ck_assert_msg(wrote == WROTE_ERR, "'%s' wrote %d", wrong[i], wrote);
    }
}
END_TEST

PE_TEST(right_options_exit_0)
{
    static const char *const right[] = {
        "--help", "--quick --mode serial", "--samples 1e6 --mode serial --json",
        "--samples 1 --mode serial --quiet",
        "--samples 1e6 --workers 2 --seed 7 --kernel c", "--samples 2^22 --mode inline",
        "--samples 1e7 --scale --rounds 1 --workers 2", "--samples 1e7 --scale --rounds 1 --workers 1 --json",
        "--samples 4e7 --kill-every 3 --workers 2 --quiet",
    };

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        int wrote = 0;
        int status = run_program(right[i], &wrote);
        ck_assert_msg(status == 0, "'%s' gave %d", right[i], status);
        ck_assert_msg(wrote == WROTE_OUT, "'%s' wrote %d", right[i], wrote);
    }
}
END_TEST

HARNESS_MAIN("pi")
