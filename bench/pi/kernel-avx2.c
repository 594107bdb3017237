/* The AVX2 and FMA kernel. One set after the other, in two halves of four lanes: more state than that does
 * not fit into sixteen registers. Counting is as in the AVX-512 kernel.
 *
 * Shifts, conversions and packing share two of the four vector pipes of a Zen 4, and in one loop the long chain
 * from a draw to the count fills the scheduler. So one pass draws a stretch of points into the first-level cache
 * and another tests it (6 % measured). */

#include "pi/kernel.h"

#ifdef PI_HAVE_X86

#include "pi/lanes-avx2.h"

#define STRETCH_STEPS 64

/* What one step draws: x and y of each half. */
typedef struct points {
    __m256i x[2], y[2];
} points;

INLINE void fill(points *p, lanes *one, lanes *other, uint64_t steps)
{
    lanes a = *one, b = *other;

    for (points *end = p + steps; p < end; p++) {
        p->x[0] = draw(&a);
        p->x[1] = draw(&b);
        p->y[0] = draw(&a);
        p->y[1] = draw(&b);
    }
    *one = a;
    *other = b;
}

/* The bits of d for 8 points: positive for a miss. */
INLINE __m256i decide(__m256i raw_x, __m256i raw_y)
{
    __m256 x = _mm256_cvtepi32_ps(raw_x);
    __m256 y = _mm256_cvtepi32_ps(raw_y);

    return _mm256_castps_si256(_mm256_fmadd_ps(x, x, _mm256_fmadd_ps(y, y, _mm256_set1_ps(-0x1p62f))));
}

/* Misses of a stretch, in eight parts. */
INLINE __m256i test(const points *p, uint64_t steps)
{
    __m256i count = _mm256_setzero_si256();

    for (const points *end = p + steps; p < end; p++)
        count = _mm256_sub_epi16(count, _mm256_packus_epi32(decide(p->x[0], p->y[0]), decide(p->x[1], p->y[1])));
    return _mm256_madd_epi16(count, _mm256_set1_epi16(1));
}

/* The eight numbers of a vector, none negative. */
INLINE uint64_t sum(__m256i v)
{
    uint32_t number[8];
    uint64_t total = 0;

    _mm256_storeu_si256((__m256i *)number, v);
    for (int i = 0; i < 8; i++)
        total += number[i];
    return total;
}

static TARGET uint64_t run_set(uint64_t (*word)[PI_LANES], uint64_t steps)
{
    lanes a = load(word, 0);
    lanes b = load(word, PI_LANES / 2);
    points stretch[STRETCH_STEPS];
    uint64_t misses = 0;

    for (uint64_t left = steps; left > 0;) {
        uint64_t now = left < STRETCH_STEPS ? left : STRETCH_STEPS;

        left -= now;
        fill(stretch, &a, &b, now);
        misses += sum(test(stretch, now));
    }
    store(word, 0, &a);
    store(word, PI_LANES / 2, &b);
    return misses;
}

TARGET uint64_t pi__kernel_avx2(pi_state *state, uint64_t steps)
{
    uint64_t misses = 0;

    for (int set = 0; set < PI_SETS; set++)
        misses += run_set(state->word[set], steps);
    return steps * PI_STEP_SAMPLES - misses;
}

#else
typedef int pi__no_avx2;
#endif
