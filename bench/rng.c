/*
 * bench/rng: what does a random number of pe_rng cost, beside other generators?
 *
 * All draw 64 bits, or a double of 53, and add them up. rand_r gives 31 bits a call, so it needs three. xoshiro256++
 * is compiled into the loop, as its users have it; ours are calls into the library, as its users have them. The
 * kernels of bench/pi spend 64 bits on a point, and their time includes the look at the point.
 */

#include "harness.h"
#include "pi/kernel.h"

#include <parexec/rng.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 1024

struct contender {
    const char *label;
    uint64_t (*draw)(uint64_t count); /* the sum of what was drawn */
};

struct xoshiro {
    uint64_t state[4];
};

static uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

/* Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021. */
static inline uint64_t xoshiro_next(struct xoshiro *rng)
{
    uint64_t *s = rng->state, word = rotate(s[0] + s[3], 23) + s[0], shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return word;
}

static uint64_t draw_xoshiro(uint64_t count)
{
    struct xoshiro rng = { { 1, 2, 3, 4 } };
    uint64_t sum = 0;

    while (count-- > 0)
        sum += xoshiro_next(&rng);
    return sum;
}

static uint64_t draw_xoshiro_doubles(uint64_t count)
{
    struct xoshiro rng = { { 1, 2, 3, 4 } };
    double sum = 0;

    while (count-- > 0)
        sum += (double)(int64_t)(xoshiro_next(&rng) >> 11) * 0x1p-53;
    return (uint64_t)sum;
}

static uint64_t draw_rand_r(uint64_t count)
{
    unsigned int state = 1;
    uint64_t sum = 0;

    while (count-- > 0) {
        uint64_t high = (uint64_t)rand_r(&state), middle = (uint64_t)rand_r(&state);
        sum += high << 33 ^ middle << 16 ^ (uint64_t)rand_r(&state);
    }
    return sum;
}

static uint64_t draw_next(uint64_t count)
{
    pe_rng rng;
    uint64_t sum = 0;

    pe_rng_init(&rng, 1, 2);
    while (count-- > 0)
        sum += pe_rng_next(&rng);
    return sum;
}

static uint64_t draw_double(uint64_t count)
{
    pe_rng rng;
    double sum = 0;

    pe_rng_init(&rng, 1, 2);
    while (count-- > 0)
        sum += pe_rng_double(&rng);
    return (uint64_t)sum;
}

static uint64_t draw_normal(uint64_t count)
{
    pe_rng rng;
    double sum = 0;

    pe_rng_init(&rng, 1, 2);
    while (count-- > 0)
        sum += pe_rng_normal(&rng);
    return (uint64_t)(int64_t)sum;
}

static uint64_t draw_below(uint64_t count)
{
    pe_rng rng;
    uint64_t sum = 0;

    pe_rng_init(&rng, 1, 2);
    while (count-- > 0)
        sum += pe_rng_below(&rng, 1000003);
    return sum;
}

static uint64_t draw_fill(uint64_t count)
{
    static uint64_t words[BUFFER];
    pe_rng rng;
    uint64_t sum = 0;

    pe_rng_init(&rng, 1, 2);
    for (; count >= BUFFER; count -= BUFFER) {
        pe_rng_fill(&rng, words, sizeof words);
        for (size_t i = 0; i < BUFFER; i++)
            sum += words[i];
    }
    return sum;
}

static uint64_t draw_fill_doubles(uint64_t count)
{
    static double values[BUFFER];
    pe_rng rng;
    double sum = 0;

    pe_rng_init(&rng, 1, 2);
    for (; count >= BUFFER; count -= BUFFER) {
        pe_rng_fill_doubles(&rng, values, BUFFER);
        for (size_t i = 0; i < BUFFER; i++)
            sum += values[i];
    }
    return (uint64_t)sum;
}

/* A stream for each number: what an item that draws little pays. */
static uint64_t draw_first(uint64_t count)
{
    pe_rng rng;
    uint64_t sum = 0;

    while (count-- > 0) {
        pe_rng_init(&rng, 1, count);
        sum += pe_rng_next(&rng);
    }
    return sum;
}

static uint64_t draw_points(uint64_t count, uint32_t kernel)
{
    pi_stream stream = { .samples = count, .seed = 1, .kernel = kernel, .kernel_class = PI_CLASS_PLAIN };

    return pi_hits(&stream, 0, pi_blocks(count), NULL);
}

static uint64_t draw_points_c(uint64_t count)
{
    return draw_points(count, PI_KERNEL_C);
}

static uint64_t draw_points_vector(uint64_t count)
{
    return draw_points(count, pi_kernel_choose(PI_KERNEL_AUTO));
}

static const struct contender contenders[] = {
    { "pe_rng_next", draw_next },
    { "pe_rng_fill", draw_fill },
    { "pe_rng_double", draw_double },
    { "pe_rng_fill_doubles", draw_fill_doubles },
    { "pe_rng_below", draw_below },
    { "pe_rng_normal", draw_normal },
    { "pe_rng_init and one word", draw_first },
    { "rand_r, three times", draw_rand_r },
    { "xoshiro256++, in the loop", draw_xoshiro },
    { "xoshiro256++, doubles", draw_xoshiro_doubles },
    { "bench/pi, a point, plain C", draw_points_c },
    { "bench/pi, a point, vectors", draw_points_vector },
};

#define CONTENDERS (sizeof contenders / sizeof *contenders)

static double measure(const struct contender *contender, uint64_t count)
{
    int64_t start = bench_now_ns();

    bench_keep(contender->draw(count));
    return (double)(bench_now_ns() - start) / (double)count;
}

int main(int argc, char **argv)
{
    static double values[CONTENDERS][BENCH_ROUNDS_MAX];
    int quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    size_t rounds = quick ? 3 : 15;
    uint64_t count = quick ? 1 << 18 : 1 << 22;

    if (argc > 2 || (argc == 2 && !quick)) {
        fprintf(stderr, "usage: rng [--quick]\n");
        return 2;
    }
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < CONTENDERS; i++)
            values[i][round] = measure(&contenders[i], count);
    printf("nanoseconds for 64 bits, a double or a point, %.2f GHz\n", bench_core_ghz());
    for (size_t i = 0; i < CONTENDERS; i++) {
        bench_stat stat = bench_stat_of(values[i], rounds);
        printf("  %-28s %6.2f  +- %.2f  n %zu\n", contenders[i].label, stat.median, (stat.q3 - stat.q1) / 2, stat.n);
    }
    return 0;
}
