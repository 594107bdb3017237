/* The AVX2 kernel of the lazy class. Sets and halves as in pi/kernel-avx2.c.
 *
 * AVX2 has neither masks nor comparisons of unsigned numbers, but an average, (hx + hy + 1) >> 1, which cannot
 * wrap. By the ring of pi/lazy.h a miss has 32,769 at least and a hit 32,765 at most; less 32,767 and packed to
 * bytes with signed saturation, hits are negative, so their sign bits are counted, and points in doubt are -1, 0
 * or 1. (32,767 is the one number that leaves no corner of the square out of the range of 16 bits.) For 32 points
 * that makes 36 operations of four draws, 4 multiplications that keep the high halves, 4 for the averages, and 5
 * that pack, count and look for doubt: 49, or 0.383 cycles a point where four can start each cycle. */

#include "pi/lazy.h"

#ifdef PI_HAVE_X86

#include "pi/lanes-avx2.h"

#define SET_POINTS (PI_LANES * 4)
#define HALF_POINTS (SET_POINTS / 2)

INLINE __m256i distance(__m256i x, __m256i y)
{
    return _mm256_sub_epi16(_mm256_avg_epu16(_mm256_mulhi_epu16(x, x), _mm256_mulhi_epu16(y, y)),
                            _mm256_set1_epi16(INT16_MAX));
}

/* Not zero where a point is in doubt. */
INLINE __m256i doubtful(__m256i tested)
{
    return _mm256_subs_epu8(_mm256_set1_epi8(2), _mm256_abs_epi8(tested));
}

/* A bit for each number that is not zero, in the order of the points: the packed bytes are the first half of
 * one vector, the first of the other, then the second halves. */
INLINE uint32_t which(__m256i packed)
{
    uint32_t bits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(packed, _mm256_setzero_si256()));

    return (bits & 0xff0000ff) | (bits & 0xff00) << 8 | (bits & 0xff0000) >> 8;
}

INLINE unsigned refined_misses(__m256i xa, __m256i xb, __m256i ya, __m256i yb, uint32_t which, uint64_t refine)
{
    uint16_t x[SET_POINTS], y[SET_POINTS];

    _mm256_storeu_si256((__m256i *)x, xa);
    _mm256_storeu_si256((__m256i *)(x + HALF_POINTS), xb);
    _mm256_storeu_si256((__m256i *)y, ya);
    _mm256_storeu_si256((__m256i *)(y + HALF_POINTS), yb);
    return pi__lazy_refined_misses(x, y, which, refine);
}

/* Hits of one set, two halves. */
static TARGET uint64_t run_set(uint64_t (*word)[PI_LANES], uint64_t steps, uint64_t refine)
{
    lanes a = load(word, 0), b = load(word, PI_LANES / 2);
    uint64_t hits = 0;

    for (; steps > 0; steps--, refine += PI_LAZY_STEP_SAMPLES * PI_GAMMA) {
        __m256i xa = draw(&a), ya = draw(&a), xb = draw(&b), yb = draw(&b);
        __m256i tested = _mm256_packs_epi16(distance(xa, ya), distance(xb, yb));
        __m256i doubt = doubtful(tested);

        if (__builtin_expect(!_mm256_testz_si256(doubt, doubt), 0)) {
            /* A point in doubt becomes a hit until refined. */
            tested = _mm256_or_si256(tested, _mm256_cmpgt_epi8(doubt, _mm256_setzero_si256()));
            hits -= refined_misses(xa, xb, ya, yb, which(doubt), refine);
        }
        hits += (unsigned)__builtin_popcount((unsigned)_mm256_movemask_epi8(tested));
    }
    store(word, 0, &a);
    store(word, PI_LANES / 2, &b);
    return hits;
}

TARGET uint64_t pi__lazy_avx2(pi_state *state, uint64_t steps)
{
    uint64_t hits = 0;

    for (int set = 0; set < PI_SETS; set++)
        hits += run_set(state->word[set], steps, state->refine + (uint64_t)set * SET_POINTS * PI_GAMMA);
    state->refine += steps * (PI_LAZY_STEP_SAMPLES * PI_GAMMA);
    return hits;
}

#else
typedef int pi__no_lazy_avx2;
#endif
