#ifndef PE__BENCH_PI_LANES_AVX2_H
#define PE__BENCH_PI_LANES_AVX2_H

/* Four generators side by side in AVX2 registers, stepped in the form of pi/kernel.h. */

#include "pi/kernel.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Four generators: a, b, the next b in place of c, d. */
typedef struct lanes {
    __m256i a, b, b_next, d;
} lanes;

INLINE __m256i xor3(__m256i one, __m256i two, __m256i three)
{
    return _mm256_xor_si256(_mm256_xor_si256(one, two), three);
}

INLINE lanes load(uint64_t (*word)[PI_LANES], int lane)
{
    __m256i a = _mm256_load_si256((const __m256i *)&word[0][lane]);
    __m256i b = _mm256_load_si256((const __m256i *)&word[1][lane]);
    __m256i c = _mm256_load_si256((const __m256i *)&word[2][lane]);

    return (lanes){ a, b, xor3(a, b, c), _mm256_load_si256((const __m256i *)&word[3][lane]) };
}

INLINE void store(uint64_t (*word)[PI_LANES], int lane, const lanes *s)
{
    _mm256_store_si256((__m256i *)&word[0][lane], s->a);
    _mm256_store_si256((__m256i *)&word[1][lane], s->b);
    _mm256_store_si256((__m256i *)&word[2][lane], xor3(s->a, s->b, s->b_next));
    _mm256_store_si256((__m256i *)&word[3][lane], s->d);
}

INLINE __m256i draw(lanes *s)
{
    __m256i result = _mm256_add_epi64(s->a, s->d);
    __m256i u = _mm256_xor_si256(s->d, s->b);
    __m256i a = _mm256_xor_si256(s->a, u);
    __m256i b = xor3(s->b, _mm256_slli_epi64(s->b, 17), a);
    __m256i d = _mm256_or_si256(_mm256_slli_epi64(u, 45), _mm256_srli_epi64(u, 19));

    *s = (lanes){ a, s->b_next, b, d };
    return result;
}

#endif
