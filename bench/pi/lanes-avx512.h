#ifndef PE__BENCH_PI_LANES_AVX512_H
#define PE__BENCH_PI_LANES_AVX512_H

/* A set of generators side by side in AVX-512 registers (F and BW), stepped in the form of pi/kernel.h: 6
 * operations a draw. */

#include "pi/kernel.h"

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,popcnt")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define XOR3 0x96

/* One set of generators: a, b, the next b in place of c, d. */
typedef struct lanes {
    __m512i a, b, b_next, d;
} lanes;

/* What two draws gave: the raw coordinates of some points. */
typedef struct points {
    __m512i x, y;
} points;

INLINE lanes load(uint64_t (*word)[PI_LANES])
{
    __m512i a = _mm512_load_si512(word[0]);
    __m512i b = _mm512_load_si512(word[1]);
    __m512i c = _mm512_load_si512(word[2]);

    return (lanes){ a, b, _mm512_ternarylogic_epi64(a, b, c, XOR3), _mm512_load_si512(word[3]) };
}

INLINE void store(uint64_t (*word)[PI_LANES], const lanes *s)
{
    _mm512_store_si512(word[0], s->a);
    _mm512_store_si512(word[1], s->b);
    _mm512_store_si512(word[2], _mm512_ternarylogic_epi64(s->a, s->b, s->b_next, XOR3));
    _mm512_store_si512(word[3], s->d);
}

INLINE __m512i draw(lanes *s)
{
    __m512i result = _mm512_add_epi64(s->a, s->d);
    __m512i u = _mm512_xor_si512(s->d, s->b);
    __m512i a = _mm512_xor_si512(s->a, u);
    __m512i b = _mm512_ternarylogic_epi64(s->b, _mm512_slli_epi64(s->b, 17), a, XOR3);

    *s = (lanes){ a, s->b_next, b, _mm512_rol_epi64(u, 45) };
    return result;
}

INLINE points draw_points(lanes *s)
{
    points p;

    p.x = draw(s);
    p.y = draw(s);
    return p;
}

#endif
