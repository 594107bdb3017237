/* The AVX2 and FMA kernel. One set after the other, in two halves of four lanes: more state than that does
 * not fit into sixteen registers. Counting is as in the AVX-512 kernel. */

#include "pi-kernel.h"

#ifdef PI_HAVE_X86

#include "pi-lanes-avx2.h"

/* The 16-bit counters take one per step: flushed before they could pass 2^15. */
#define FLUSH_STEPS 16384

/* The bits of d for 8 points: positive for a miss. */
INLINE __m256i decide(lanes *s)
{
    const __m256 minus_r2 = _mm256_set1_ps(-0x1p62f);
    __m256 x = _mm256_cvtepi32_ps(draw(s));
    __m256 y = _mm256_cvtepi32_ps(draw(s));

    return _mm256_castps_si256(_mm256_fmadd_ps(x, x, _mm256_fmadd_ps(y, y, minus_r2)));
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
    uint64_t misses = 0;

    for (uint64_t left = steps; left > 0;) {
        uint64_t now = left < FLUSH_STEPS ? left : FLUSH_STEPS;
        __m256i count = _mm256_setzero_si256();

        left -= now;
        for (; now > 0; now--)
            count = _mm256_sub_epi16(count, _mm256_packus_epi32(decide(&a), decide(&b)));
        misses += sum(_mm256_madd_epi16(count, _mm256_set1_epi16(1)));
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
