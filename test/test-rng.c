/*
 * Random streams: the generator's known answers, each way of drawing against the plain words, what statistics say of
 * fixed seeds (so the same in every run), and maps whose items draw: the same bits whoever draws them, and again
 * after a death.
 */

#include "harness/harness.h"

#include <math.h>
#include <parexec.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/wide.h"
#include "harness/items.h"
#include "harness/pool.h"

#define ALL UINT64_MAX

static pe_rng stream_at(uint64_t seed, uint64_t stream, uint64_t position)
{
    pe_rng rng;

    pe_rng_init(&rng, seed, stream);
    pe_rng_skip(&rng, position);
    return rng;
}

/* From the generator's authors (Random123, kat_vectors, philox4x64 with 10 rounds). */
PE_TEST(p70_known_answers)
{
    static const struct {
        uint64_t counter[4], key[2], words[4];
    } known[] = {
        { { 0, 0, 0, 0 },
          { 0, 0 },
          { 0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b } },
        { { ALL, ALL, ALL, ALL },
          { ALL, ALL },
          { 0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0 } },
        { { 0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89 },
          { 0x452821e638d01377, 0xbe5466cf34e90c6c },
          { 0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6 } },
    };
    uint64_t words[4];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        pe__base_philox(known[i].key, known[i].counter, words);
        ck_assert_mem_eq(words, known[i].words, sizeof words);
    }
}

/* C++26 names the 10,000th number of its philox4x64, whose seed is 20111115. */
PE_TEST(p70_the_stream_that_the_standard_names)
{
    pe_rng rng;

    pe_rng_init(&rng, 20111115, 0);
    for (int i = 1; i < 10000; i++)
        pe_rng_next(&rng);
    ck_assert_uint_eq(pe_rng_next(&rng), UINT64_C(3409172418970261260));
}

PE_TEST(p70_position_and_stream_are_the_counter)
{
    static const uint64_t numbers[] = { 0, 1, 77, UINT64_C(1) << 32, ALL };

    for (int s = 0; s < 5; s++) {
        for (int k = 0; k < 5; k++) {
            for (uint64_t block = 0; block < 3; block++) {
                pe_rng rng = stream_at(numbers[s], numbers[k], 4 * block);
                uint64_t key[2] = { numbers[s], 0 }, counter[4] = { block, numbers[k], 0, 0 }, words[4];

                pe__base_philox(key, counter, words);
                for (int i = 0; i < 4; i++)
                    ck_assert_uint_eq(pe_rng_next(&rng), words[i]);
            }
        }
    }
}

PE_TEST(p70_skipping_is_drawing)
{
    pe_rng drawn = stream_at(5, 6, 0);

    for (uint64_t position = 0; position < 40; position++) {
        for (uint64_t from = 0; from <= position; from++) {
            pe_rng skipped = stream_at(5, 6, from), copy = drawn;

            pe_rng_skip(&skipped, position - from);
            for (int i = 0; i < 6; i++)
                ck_assert_uint_eq(pe_rng_next(&skipped), pe_rng_next(&copy));
            pe_rng_skip(&skipped, 0 - (uint64_t)6);
            ck_assert_uint_eq(skipped.position, position);
        }
        pe_rng_next(&drawn);
    }
}

PE_TEST(p70_after_the_end_comes_the_start)
{
    pe_rng rng = stream_at(5, 6, ALL), start = stream_at(5, 6, 0);
    uint64_t last = pe_rng_next(&rng), around[3];

    for (int i = 0; i < 9; i++)
        ck_assert_uint_eq(pe_rng_next(&rng), pe_rng_next(&start));
    rng = stream_at(5, 6, ALL);
    start = stream_at(5, 6, 0);
    pe_rng_fill(&rng, around, sizeof around);
    ck_assert_uint_eq(around[0], last);
    ck_assert_uint_eq(around[1], pe_rng_next(&start));
    ck_assert_uint_eq(around[2], pe_rng_next(&start));
}

/* Into any place, from any position: the words' bytes, the lowest first, and not one more. */
PE_TEST(p70_filled_bytes_are_the_words)
{
    unsigned char memory[140];

    for (uint64_t position = 0; position < 5; position++) {
        for (size_t bytes = 0; bytes <= 100; bytes++) {
            size_t place = 8 + bytes % 8;
            pe_rng filled = stream_at(1, 2, position), drawn = filled;

            memset(memory, 'm', sizeof memory);
            pe_rng_fill(&filled, memory + place, bytes);
            uint64_t word = 0;
            for (size_t i = 0; i < bytes; i++) {
                word = i % 8 == 0 ? pe_rng_next(&drawn) : word >> 8;
                ck_assert_uint_eq(memory[place + i], word & 0xff);
            }
            for (size_t i = 0; i < sizeof memory; i++)
                ck_assert(memory[i] == 'm' || (i >= place && i < place + bytes));
            ck_assert_uint_eq(pe_rng_next(&filled), pe_rng_next(&drawn));
        }
    }
}

PE_TEST(p70_doubles_are_the_upper_53_bits)
{
    pe_rng words = stream_at(3, 4, 0), doubles = words;

    for (uint64_t position = 0; position < 5; position++) {
        for (size_t count = 0; count < 20; count++) {
            pe_rng filled = doubles;
            double values[21];

            values[count] = -1;
            pe_rng_fill_doubles(&filled, values, count);
            for (size_t i = 0; i < count; i++) {
                double wanted = (double)(pe_rng_next(&words) >> 11) / 9007199254740992.0;
                ck_assert(pe_rng_double(&doubles) == wanted && values[i] == wanted);
            }
            ck_assert(values[count] == -1);
            ck_assert_uint_eq(filled.position, words.position);
            pe_rng_skip(&words, position);
            pe_rng_skip(&doubles, position);
        }
    }
}

/* What the division says, with the words left out that would favour some numbers. */
static uint64_t below_by_division(pe_rng *rng, uint64_t n)
{
    for (;;) {
        uint64_t high, low;
        pe__base_multiply(pe_rng_next(rng), n, &high, &low);
        if (low >= (UINT64_MAX % n + 1) % n)
            return high;
    }
}

PE_TEST(p70_below)
{
    static const uint64_t limits[] = { 1, 2, 3, 10, 1000003, UINT64_C(1) << 32, (UINT64_C(1) << 63) + 1, ALL - 1, ALL };
    pe_rng rng = stream_at(7, 7, 0), other = rng;
    uint64_t again = 0;

    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        for (int i = 0; i < 1000; i++) {
            uint64_t before = rng.position, number = pe_rng_below(&rng, limits[l]);

            ck_assert_uint_lt(number, limits[l]);
            ck_assert_uint_eq(number, below_by_division(&other, limits[l]));
            ck_assert_uint_eq(rng.position, other.position);
            again += rng.position - before - 1;
        }
    }
    ck_assert_uint_gt(again, 800); /* nearly half of the words are no good for 2^63 + 1 */
    ck_assert_uint_lt(again, 1200);
    ck_assert_uint_eq(pe_rng_below(&rng, 0), 0);
    ck_assert_uint_eq(rng.position, other.position);
}

PE_TEST(p70_normal_numbers_are_where_so_much_lies_below)
{
    pe_rng rng = stream_at(4, 4, 0), words = rng;
    double before = -9;

    for (int i = 0; i < 200000; i++) {
        uint64_t word = pe_rng_next(&words);
        double number = pe_rng_normal(&rng), u = (double)(int64_t)(word >> 12) * 0x1p-52 + 0x1p-53;
        double lies_below = 0.5 * erfc(-number / sqrt(2)), lies_above = 0.5 * erfc(number / sqrt(2));

        ck_assert_uint_eq(rng.position, words.position);
        ck_assert_double_eq_tol(lies_below / u, 1, 3e-14);
        ck_assert_double_eq_tol(lies_above / (1 - u), 1, 3e-14);
        ck_assert(pe__base_normal(~word) == -number);
    }
    for (uint64_t step = 0; step < 4096; step++) { /* through all borders between the formulas */
        double number = pe__base_normal(step << 52 | UINT64_C(1) << 51);
        ck_assert(number > before);
        before = number;
    }
    ck_assert_double_eq_tol(pe__base_normal(0), -8.2095361516013856, 1e-13);
    ck_assert_double_eq_tol(pe__base_normal(ALL), 8.2095361516013856, 1e-13);
}

/* All bits of the first million, on any machine, with any compiler. */
PE_TEST(p70_normal_numbers_have_the_same_bits_everywhere)
{
    pe_rng rng = stream_at(1, 2, 0);
    uint64_t sum = 0, bits;

    for (int i = 0; i < 1000000; i++) {
        double number = pe_rng_normal(&rng);
        memcpy(&bits, &number, sizeof bits);
        sum = sum * UINT64_C(6364136223846793005) + bits;
    }
    ck_assert_uint_eq(sum, UINT64_C(10806017435200688623));
}

PE_TEST(p70_moments_of_normal_numbers)
{
    pe_rng rng = stream_at(9, 1, 0);
    double sums[4] = { 0 }, count = 1 << 20;

    for (int i = 0; i < 1 << 20; i++) {
        double number = pe_rng_normal(&rng), power = 1;
        for (int k = 0; k < 4; k++)
            sums[k] += power *= number;
    }
    ck_assert_double_eq_tol(sums[0] / count, 0, 5 * 1.0 / 1024);
    ck_assert_double_eq_tol(sums[1] / count, 1, 5 * 1.42 / 1024);
    ck_assert_double_eq_tol(sums[2] / count, 0, 5 * 3.88 / 1024);
    ck_assert_double_eq_tol(sums[3] / count, 3, 5 * 9.8 / 1024);
}

static double chi_square(const uint64_t *counts, size_t cells, uint64_t total)
{
    double expected = (double)total / (double)cells, sum = 0;

    for (size_t i = 0; i < cells; i++)
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    return sum;
}

/* 255 degrees of freedom: 255 with a deviation of 22.6. */
PE_TEST_LOOP(p70_bytes_are_even, 0, 4)
{
    static unsigned char memory[1 << 20];
    uint64_t counts[256] = { 0 };
    pe_rng rng = stream_at(_i == 3 ? ALL : (uint64_t)_i, 12, 0);

    pe_rng_fill(&rng, memory, sizeof memory);
    for (size_t i = 0; i < sizeof memory; i++)
        counts[memory[i]]++;
    double even = chi_square(counts, 256, sizeof memory);
    ck_assert_msg(even > 165 && even < 345, "%f", even);
}

/* The first byte of one million streams, as each item of a map might draw it. */
PE_TEST(p70_first_words_of_streams_are_even)
{
    uint64_t counts[256] = { 0 };

    for (uint64_t stream = 0; stream < 1 << 20; stream++) {
        pe_rng rng = stream_at(1, stream, 0);
        counts[pe_rng_next(&rng) & 0xff]++;
    }
    double even = chi_square(counts, 256, 1 << 20);
    ck_assert_msg(even > 165 && even < 345, "%f", even);
}

PE_TEST(p70_mean_and_variance_of_doubles)
{
    static double values[1 << 20];
    pe_rng rng = stream_at(9, 9, 0);
    double sum = 0, squares = 0, count = 1 << 20;

    pe_rng_fill_doubles(&rng, values, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++) {
        ck_assert(values[i] >= 0 && values[i] < 1);
        sum += values[i];
        squares += (values[i] - 0.5) * (values[i] - 0.5);
    }
    ck_assert_double_eq_tol(sum / count, 0.5, 5 * 0.289 / 1024);
    ck_assert_double_eq_tol(squares / count, 1.0 / 12, 5 * 0.0745 / 1024);
}

/* Neighbours in each number differ in half of the bits. */
PE_TEST(p70_neighbours_have_nothing_in_common)
{
    uint64_t different = 0;

    for (uint64_t i = 0; i < 4096; i++) {
        pe_rng here = stream_at(i, i, 0), seed = stream_at(i + 1, i, 0), stream = stream_at(i, i + 1, 0);
        uint64_t word = pe_rng_next(&here);

        different += (uint64_t)__builtin_popcountll(word ^ pe_rng_next(&seed));
        different += (uint64_t)__builtin_popcountll(word ^ pe_rng_next(&stream));
        different += (uint64_t)__builtin_popcountll(word ^ pe_rng_next(&here));
    }
    ck_assert_double_eq_tol((double)different / (3 * 4096), 32, 5 * 4 / 110.0);
}

static int compare_words(const void *a, const void *b)
{
    uint64_t left, right;

    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return left < right ? -1 : left > right;
}

PE_TEST(p70_no_word_comes_twice)
{
    static uint64_t words[1000][100];

    for (uint64_t stream = 0; stream < 1000; stream++) {
        pe_rng rng = stream_at(1, stream, 0);
        for (int i = 0; i < 100; i++)
            words[stream][i] = pe_rng_next(&rng);
    }
    qsort(words, 100000, sizeof **words, compare_words);
    for (size_t i = 1; i < 100000; i++)
        ck_assert_uint_ne((&words[0][0])[i], (&words[0][0])[i - 1]);
}

/* ---- in workers ---- */

#define ITEMS 300
#define DRAWS 50

struct walk {
    uint64_t seed;
    _Atomic uint32_t *attempts; /* of each item, in shared memory */
};

static void draw_some(pe_rng *rng, uint64_t *ret)
{
    for (int i = 0; i < DRAWS; i++)
        ret[i] = i % 3 == 0 ? pe_rng_below(rng, 1000003) : pe_rng_next(rng);
}

/* Every seventh item dies when it has drawn something, the first time. */
static int item_draws(const void *in, void *out, const void *context)
{
    const struct walk *walk = context;
    uint64_t item = pe_worker_item();
    pe_rng rng;

    (void)in;
    pe_rng_init(&rng, walk->seed, item);
    draw_some(&rng, out);
    if (item % 7 == 3 && atomic_fetch_add(&walk->attempts[item], 1) == 0)
        kill(getpid(), SIGKILL);
    draw_some(&rng, out);
    return 0;
}

PE_TEST_LOOP(p70_same_bits_from_any_workers_through_deaths, 0, 4)
{
    static const uint32_t workers[] = { 1, 2, 3, 7 };
    static uint64_t wanted[ITEMS][DRAWS], out[ITEMS][DRAWS];
    pe_pool *pool = pool_with((pe_pool_options){ .workers = workers[_i], .max_deaths = UINT32_MAX });
    struct walk walk = { 11, pool_shared(pool, ITEMS * sizeof *walk.attempts) };
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    for (uint64_t i = 0; i < ITEMS; i++) {
        pe_rng rng = stream_at(walk.seed, i, 0);
        draw_some(&rng, wanted[i]);
        draw_some(&rng, wanted[i]);
    }
    options.context = &walk;
    options.context_bytes = sizeof walk;
    options.retries = 1;
    for (uint64_t chunk = 0; chunk < 3; chunk++) {
        options.chunk = chunk * 20;
        for (uint64_t i = 0; i < ITEMS; i++)
            atomic_store(&walk.attempts[i], i % 3 != chunk); /* who is to die this time */
        memset(out, 0, sizeof out);
        ck_assert_int_eq(pe_pool_map(pool, item_draws, NULL, 0, out, sizeof *out, ITEMS, &options), 0);
        ck_assert_mem_eq(out, wanted, sizeof out);
    }
    ck_assert_uint_gt(pool_stats(pool).restarts, 20);
    pool_end(pool);
}

static int job_draws(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    pe_rng rng;
    uint64_t words[DRAWS];

    (void)arg_bytes;
    memcpy(&rng, arg, sizeof rng);
    draw_some(&rng, words);
    return pe_reply_write(reply, words, sizeof words);
}

/* A pe_rng goes along as bytes, from the middle of a block too. */
PE_TEST(p70_a_job_goes_on_where_the_program_was)
{
    pe_pool *pool = pool_of(2);
    uint64_t wanted[DRAWS];

    for (uint64_t job = 0; job < 10; job++) {
        pe_rng rng = stream_at(2, job, job), sent = rng;

        draw_some(&rng, wanted);
        job_assert_reply(pool_submit(pool, job_draws, &sent, sizeof sent), wanted, sizeof wanted);
    }
    pool_end(pool);
}

HARNESS_MAIN("rng")
