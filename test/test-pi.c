/* The pi estimator: scenarios K01 to K04, the kernels against each other and against the definition in
 * pi/kernel.h, and the command line. Every count here follows from its seed, so nothing depends on luck. */

#include "harness/harness.h"

#include "harness.h"
#include "pi/kernel.h"
#include "pi/lazy.h"
#include "pi/run.h"

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

static uint64_t class_hits(uint32_t kernel_class, uint64_t samples, uint64_t seed)
{
    pi_plan plan = { .samples = samples, .seed = seed, .workers = 1, .mode = PI_MODE_SERIAL,
                     .kernel_class = kernel_class };

    return run(&plan).hits;
}

static uint64_t serial_hits(uint64_t samples, uint64_t seed)
{
    return class_hits(PI_CLASS_PLAIN, samples, seed);
}

static uint64_t block_hits(uint32_t kernel, uint64_t seed, uint64_t samples, uint64_t first, uint64_t last)
{
    pi_stream stream = { samples, seed, kernel, PI_CLASS_PLAIN };

    return pi_hits(&stream, first, last, NULL);
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
    static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 127, 128, 129, 1000, 1048575, 1048576, 1048577, 5000011 };

    for (uint32_t i = 0; i < PI_CLASS_COUNT * PI_KERNEL_COUNT; i++) {
        uint32_t kernel = i % PI_KERNEL_COUNT, kernel_class = i / PI_KERNEL_COUNT;
        if (!pi_kernel_usable(kernel))
            continue;
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            pi_stream stream = { sizes[k], k, kernel, kernel_class };
            pi_stream plain_c = { sizes[k], k, PI_KERNEL_C, kernel_class };
            uint64_t blocks = pi_blocks(sizes[k]), samples = 0;
            uint64_t hits = pi_hits(&stream, 0, blocks, &samples);
            ck_assert_uint_eq(samples, sizes[k]);
            ck_assert_uint_eq(hits, pi_hits(&plain_c, 0, blocks, NULL));
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
        ck_assert_uint_eq(block_hits(PI_KERNEL_C, 2, samples, block, block + 1),
                          block_hits(best, 2, samples, block, block + 1));
}
END_TEST

/* The stream is documented: a change of it changes every published count. */
PE_TEST(stream_is_frozen)
{
    ck_assert_uint_eq(serial_hits(1000, 1), 784);
    ck_assert_uint_eq(serial_hits(K01_SAMPLES, 1), 7853917);
    ck_assert_uint_eq(class_hits(PI_CLASS_LAZY, 1000, 1), 778);
    ck_assert_uint_eq(class_hits(PI_CLASS_LAZY, K01_SAMPLES, 1), 7853989);
}
END_TEST

PE_TEST(blocks_add_up_in_any_order)
{
    uint64_t samples = 5 * PI_BLOCK_SAMPLES + 77;
    uint64_t hits = 0;

    for (uint64_t block = pi_blocks(samples); block-- > 0;)
        hits += block_hits(PI_KERNEL_AUTO, 9, samples, block, block + 1);
    ck_assert_uint_eq(hits, serial_hits(samples, 9));
}
END_TEST

/* ---- the lazy class ---- */

/* splitmix64 and xoshiro256+ as published, in their own words, and every point decided by all its bits. */
static uint64_t published_splitmix(uint64_t *counter)
{
    uint64_t z = *counter += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t published_xoshiro(uint64_t s[4])
{
    uint64_t result = s[0] + s[3];
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

static int full_bits_hit(uint16_t x, uint16_t y, uint64_t bits)
{
    unsigned __int128 u = 2 * ((uint64_t)x * (UINT64_C(1) << 32) + bits / (UINT64_C(1) << 32)) + 1;
    unsigned __int128 v = 2 * ((uint64_t)y * (UINT64_C(1) << 32) + bits % (UINT64_C(1) << 32)) + 1;

    return u * u + v * v <= (unsigned __int128)1 << 98;
}

/* The published start of a permutation: what splitmix64 makes of `number` as the state after its addition. */
static uint64_t start_of(uint64_t number)
{
    number -= UINT64_C(0x9e3779b97f4a7c15);
    return published_splitmix(&number);
}

/* Hits of one whole block of the lazy class, generator by generator. */
static uint64_t reference_block(uint64_t seed, uint64_t block)
{
    enum { GENERATORS = 32, PARTS = 4, STEP = GENERATORS * PARTS };
    uint64_t fill = start_of(seed) + block * 128 * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t words[4][4][8], hits = 0; /* set, word, lane */

    for (int i = 0; i < 128; i++)
        words[i / 32][i / 8 % 4][i % 8] = published_splitmix(&fill);
    for (uint64_t generator = 0; generator < GENERATORS; generator++) {
        uint64_t s[4];
        for (int word = 0; word < 4; word++)
            s[word] = words[generator / 8][word][generator % 8];
        for (uint64_t step = 0; step < PI_BLOCK_SAMPLES / STEP; step++) {
            uint64_t x = published_xoshiro(s), y = published_xoshiro(s);
            for (uint64_t part = 0; part < PARTS; part++) {
                uint64_t point = block * PI_BLOCK_SAMPLES + step * STEP + generator * PARTS + part;
                uint64_t counter = start_of(~seed) + point * UINT64_C(0x9e3779b97f4a7c15);
                hits += (uint64_t)full_bits_hit((uint16_t)(x >> part * 16), (uint16_t)(y >> part * 16),
                                                published_splitmix(&counter));
            }
        }
    }
    return hits;
}

PE_TEST_SLOW(lazy_blocks_are_those_of_the_full_bits, 120)
{
    uint64_t blocks = harness_long() ? 1000 : 16;

    for (uint64_t block = 0; block < blocks; block++) {
        uint64_t expected = reference_block(7, block);
        for (uint32_t kernel = PI_KERNEL_C; kernel < PI_KERNEL_COUNT; kernel++) {
            pi_stream stream = { blocks * PI_BLOCK_SAMPLES, 7, kernel, PI_CLASS_LAZY };
            if (pi_kernel_usable(kernel))
                ck_assert_uint_eq(pi_hits(&stream, block, block + 1, NULL), expected);
        }
    }
}
END_TEST

/* Points for one step of a kernel. */
typedef struct chosen {
    uint16_t x[PI_LAZY_STEP_SAMPLES];
    uint16_t y[PI_LAZY_STEP_SAMPLES];
    unsigned count;
} chosen;

/* The state whose next two draws are x and y. With u = d ^ b the second is (a ^ u) + (u rotated by 45), so any
 * u will do: it gives a, then d = x - a. */
static void set_generator(pi_state *state, unsigned generator, uint64_t x, uint64_t y)
{
    uint64_t (*word)[PI_LANES] = state->word[generator / PI_LANES];
    unsigned lane = generator % PI_LANES;
    uint64_t u = x * UINT64_C(0x9e3779b97f4a7c15) + generator;
    uint64_t a = (y - (u << 45 | u >> 19)) ^ u, d = x - a;

    word[0][lane] = a;
    word[1][lane] = u ^ d;
    word[2][lane] = 1;
    word[3][lane] = d;
}

/* Hits among the chosen points by the definition. */
static uint64_t expected_hits(const chosen *points, uint64_t refine)
{
    uint64_t hits = 0;

    for (unsigned i = 0; i < PI_LAZY_STEP_SAMPLES; i++)
        hits += (uint64_t)full_bits_hit(points->x[i], points->y[i], published_splitmix(&refine));
    return hits;
}

static void check_chosen(const chosen *points)
{
    static pi_kernel_fn *const kernels[PI_KERNEL_COUNT] = {
        [PI_KERNEL_C] = pi__lazy_c,
#ifdef PI_HAVE_X86
        [PI_KERNEL_AVX2] = pi__lazy_avx2,
        [PI_KERNEL_AVX512] = pi__lazy_avx512,
#endif
    };
    pi_state state = { .refine = (uint64_t)points->x[0] << 40 | points->y[1] };
    uint64_t expected = expected_hits(points, state.refine);

    for (unsigned generator = 0; generator < PI_SETS * PI_LANES; generator++) {
        uint64_t x = 0, y = 0;
        for (unsigned part = 4; part-- > 0;) {
            x = x << 16 | points->x[generator * 4 + part];
            y = y << 16 | points->y[generator * 4 + part];
        }
        set_generator(&state, generator, x, y);
    }
    for (uint32_t kernel = PI_KERNEL_C; kernel < PI_KERNEL_COUNT; kernel++) {
        pi_state copy = state;
        if (!pi_kernel_usable(kernel))
            continue;
        ck_assert_msg(kernels[kernel](&copy, 1) == expected, "%s near %u, %u", pi_kernel_name(kernel),
                      points->x[0], points->y[0]);
        ck_assert_uint_eq(copy.refine, state.refine + PI_LAZY_STEP_SAMPLES * PI_GAMMA);
    }
}

static void choose(chosen *points, uint32_t x, uint32_t y)
{
    if (x > UINT16_MAX || y > UINT16_MAX)
        return;
    points->x[points->count] = (uint16_t)x;
    points->y[points->count] = (uint16_t)y;
    if (++points->count < PI_LAZY_STEP_SAMPLES)
        return;
    check_chosen(points);
    points->count = 0;
}

/* Each x with the cells on, within and beyond the circle: all that the first 16 bits leave open, and its
 * neighbours, which they must not get wrong. */
PE_TEST(lazy_points_beside_the_circle)
{
    chosen points = { .count = 0 };

    for (uint32_t x = 0; x <= UINT16_MAX; x++) {
        uint32_t y = (uint32_t)sqrt(0x1p32 - (double)x * x);
        for (uint32_t i = 0; i < 12; i++)
            choose(&points, x, y + i - 6);
    }
}
END_TEST

/* The same cell 128 times, so that no neighbour makes a kernel look twice. */
PE_TEST(lazy_points_alone_beside_the_circle)
{
    chosen points = { .count = 0 };

    for (uint32_t x = 0; x <= UINT16_MAX; x += 577) {
        uint32_t y = (uint32_t)sqrt(0x1p32 - (double)x * x);
        for (uint32_t i = 0; i < 12 * PI_LAZY_STEP_SAMPLES; i++)
            choose(&points, x, y + i / PI_LAZY_STEP_SAMPLES - 6);
    }
}
END_TEST

/* What a sum of two squares or a pack to fewer bits may take for something else. */
PE_TEST(lazy_points_at_the_edges)
{
    static const uint32_t edges[] = { 0, 1, 2, 127, 128, 255, 256, 257, 32766, 32767, 32768, 32769, 46339, 46340,
                                      46341, 46342, 65280, 65407, 65408, 65532, 65533, 65534, 65535 };
    enum { EDGES = sizeof(edges) / sizeof(edges[0]) };
    chosen points = { .count = 0 };

    for (uint32_t i = 0; i < EDGES * EDGES * PI_LAZY_STEP_SAMPLES; i++)
        choose(&points, edges[i % EDGES], edges[i / EDGES % EDGES]);
}
END_TEST

PE_TEST(lazy_decision_at_the_edges)
{
    ck_assert(pi_lazy_is_hit(0, 0, 0));
    ck_assert(!pi_lazy_is_hit(UINT16_MAX, UINT16_MAX, UINT64_MAX));
    ck_assert(pi_lazy_is_hit(0, UINT16_MAX, 0));
    ck_assert(pi_lazy_is_hit(0, UINT16_MAX, UINT32_MAX));
    /* 2^16 / sqrt(2) is 46340.9500, and 0.95 is 0xf333 of 2^16 */
    ck_assert(pi_lazy_is_hit(46340, 46340, UINT64_C(0xf3300000f3300000)));
    ck_assert(!pi_lazy_is_hit(46340, 46340, UINT64_C(0xf3400000f3400000)));
    /* Middles of cells: (2^49 - 1)^2 + (2^25 -+ 1)^2 on either side of 2^98. */
    ck_assert(pi_lazy_is_hit(UINT16_MAX, 0, UINT64_C(0xffffffff00ffffff)));
    ck_assert(!pi_lazy_is_hit(UINT16_MAX, 0, UINT64_C(0xffffffff01000000)));
    ck_assert(pi_lazy_is_hit(0, UINT16_MAX, UINT64_C(0x00ffffffffffffff)));
    ck_assert(!pi_lazy_is_hit(0, UINT16_MAX, UINT64_C(0x01000000ffffffff)));
}
END_TEST

/* ---- scenarios ---- */

PE_TEST(k01_same_count_for_any_workers_and_chunk)
{
    static const uint32_t workers[] = { 1, 2, 3, 7 };
    static const uint64_t chunks[] = { 0, 1, 3 };

    for (uint32_t kernel_class = 0; kernel_class < PI_CLASS_COUNT; kernel_class++) {
        uint64_t expected = class_hits(kernel_class, K01_SAMPLES, 1);
        for (size_t i = 0; i < 4 * 3; i++) {
            pi_plan plan = { .samples = K01_SAMPLES, .seed = 1, .workers = workers[i / 3], .chunk = chunks[i % 3],
                             .mode = PI_MODE_POOL, .kernel_class = kernel_class };
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
    for (uint64_t i = 0; i < 6 * PI_CLASS_COUNT; i++) {
        pi_plan plan = { .samples = i % 6 + 1, .seed = 1, .workers = 7, .mode = PI_MODE_POOL,
                         .kernel_class = (uint32_t)(i / 6) };
        ck_assert_uint_eq(run(&plan).hits, class_hits(plan.kernel_class, plan.samples, 1));
    }
}
END_TEST

/* Fewer blocks than workers, and one more point than they can share. */
PE_TEST(k03_fewer_blocks_than_workers)
{
    for (uint32_t kernel_class = 0; kernel_class < PI_CLASS_COUNT; kernel_class++) {
        pi_plan plan = { .samples = 6 * PI_BLOCK_SAMPLES + 1, .seed = 4, .workers = 8, .mode = PI_MODE_POOL,
                         .kernel_class = kernel_class };
        ck_assert_uint_eq(run(&plan).hits, class_hits(kernel_class, plan.samples, 4));
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
        pi_stream stream = { sizes[i], 1, PI_KERNEL_AUTO, PI_CLASS_PLAIN };
        pi_hits(&stream, blocks - 1, blocks, &last);
        pi_hits(&stream, 0, 1, &first);
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
    plan.kernel_class = PI_CLASS_LAZY;
    ck_assert_uint_eq(run(&plan).hits, UINT64_C(3927018367));
}
END_TEST

static void check_z_scores(uint32_t kernel_class, uint64_t first_seed)
{
    /* A count has a standard deviation of 1,300, so by chance alone one set of 32 in ten holds two equal
     * ones (seeds 0 to 3199 of the plain class: 13 of 100 sets). The first seed is that of the first set that
     * holds none. That different seeds are different streams, without choosing, is
     * k04_seeds_are_different_streams. */
    enum { SEEDS = 32 };
    uint64_t hits[SEEDS];
    double sum = 0;
    double squares = 0;

    for (int i = 0; i < SEEDS; i++) {
        double z;
        hits[i] = class_hits(kernel_class, 10000000, (uint64_t)i + first_seed);
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

PE_TEST_SLOW(k04_z_scores_look_normal, 60)
{
    check_z_scores(PI_CLASS_PLAIN, 10);
}
END_TEST

PE_TEST_SLOW(k04_z_scores_of_the_lazy_class_look_normal, 60)
{
    check_z_scores(PI_CLASS_LAZY, 0);
}
END_TEST

/* The counts of eight single blocks, compared as a whole: equal by chance once in 10^22. */
PE_TEST(k04_seeds_are_different_streams)
{
    enum { SEEDS = 32, BLOCKS = 8 };
    uint64_t hits[SEEDS][BLOCKS];

    for (uint64_t i = 0; i < SEEDS; i++) {
        for (uint64_t block = 0; block < BLOCKS; block++)
            hits[i][block] = block_hits(PI_KERNEL_AUTO, i, BLOCKS * PI_BLOCK_SAMPLES, block, block + 1);
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
        hits[block] = block_hits(PI_KERNEL_AUTO, 1, BLOCKS * PI_BLOCK_SAMPLES, block, block + 1);
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
    uint64_t hits = serial_hits(samples, 5), kills = 0;

    while (kills == 0) { /* the killer may have been kept from its CPU throughout */
        pi_result result = run(&plan);
        ck_assert_uint_eq(result.hits, hits);
        kills = result.kills;
    }
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
        "--kernel sse", "--class quick", "--class", "--chunk 0", "--kill-every 0", "--kill-every 5 --mode serial",
        "--scale --compare", "--compare --rounds 102", "--compare --class lazy",
        "--scale --mode serial", "--profile --json", "--profile --scale", "--rounds 0", "--nonsense", "extra",
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
        "--samples 1e6 --workers 2 --seed 7 --kernel c", "--samples 1e6 --workers 2 --class lazy",
        "--samples 2^22 --mode inline", "--compare --samples 1e6 --rounds 1",
        "--compare --samples 1e6 --rounds 1 --json",
        "--samples 1e7 --scale --rounds 1 --workers 2", "--samples 1e7 --scale --rounds 1 --workers 1 --json",
        "--samples 4e7 --kill-every 3 --workers 2 --quiet", "--quick --workers 2 --profile",
        "--quick --mode serial --quiet --profile",
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
