/* The AVX-512 kernel of the lazy class (F and BW): 32 points of each set a step.
 *
 * For 32 points: 12 operations of two draws, 2 multiplications that keep the high halves, an addition, a
 * comparison that shows by a mask whether the sum has wrapped (the mask is counted outside the vector units), and
 * one to look for doubt: 17, or 0.266 cycles a point where two can start each cycle, 0.133 with four. As in
 * pi/kernel-avx512.c a turn tests what the turn before drew. */

#include "pi/lazy.h"

#ifdef PI_HAVE_X86

#include "pi/lanes-avx512.h"

#define SET_POINTS (PI_LANES * 4)

/* The sum of the high halves of the squares, and which sums have wrapped. */
INLINE __m512i square(const points *p, __mmask32 *ret_wrapped)
{
    __m512i hx = _mm512_mulhi_epu16(p->x, p->x);
    __m512i h = _mm512_add_epi16(hx, _mm512_mulhi_epu16(p->y, p->y));

    *ret_wrapped = _mm512_cmplt_epu16_mask(h, hx);
    return h;
}

INLINE __mmask32 doubtful(__m512i h)
{
    return _mm512_cmpge_epu16_mask(h, _mm512_set1_epi16((short)PI_LAZY_DOUBT));
}

/* The same as the number of bits in `wrapped`, had it been found by all bits. */
INLINE unsigned count_carefully(const points *p, __m512i h, __mmask32 wrapped, uint64_t refine)
{
    __mmask32 doubt = doubtful(h);
    uint16_t x[SET_POINTS], y[SET_POINTS];

    if (doubt == 0)
        return (unsigned)__builtin_popcount(wrapped);
    _mm512_storeu_si512(x, p->x);
    _mm512_storeu_si512(y, p->y);
    return (unsigned)__builtin_popcount(wrapped & ~doubt) + pi__lazy_refined_misses(x, y, doubt, refine);
}

/* Misses of a step, all four sets; `refine` is state->refine at its first point. */
INLINE unsigned test(const points p[PI_SETS], uint64_t refine)
{
    __mmask32 wrapped[PI_SETS];
    __m512i h[PI_SETS], highest;
    unsigned misses = 0;

    for (int set = 0; set < PI_SETS; set++)
        h[set] = square(&p[set], &wrapped[set]);
    highest = _mm512_max_epu16(_mm512_max_epu16(h[0], h[1]), _mm512_max_epu16(h[2], h[3]));
    if (__builtin_expect(doubtful(highest) != 0, 0)) {
        for (int set = 0; set < PI_SETS; set++)
            misses += count_carefully(&p[set], h[set], wrapped[set],
                                      refine + (uint64_t)set * SET_POINTS * PI_GAMMA);
        return misses;
    }
    for (int set = 0; set < PI_SETS; set++)
        misses += (unsigned)__builtin_popcount(wrapped[set]);
    return misses;
}

TARGET uint64_t pi__lazy_avx512(pi_state *state, uint64_t steps)
{
    lanes a = load(state->word[0]), b = load(state->word[1]);
    lanes c = load(state->word[2]), d = load(state->word[3]);
    uint64_t misses = 0;

    if (steps == 0)
        return 0;
    points p[PI_SETS] = { draw_points(&a), draw_points(&b), draw_points(&c), draw_points(&d) };
    for (uint64_t left = steps;; state->refine += PI_LAZY_STEP_SAMPLES * PI_GAMMA) {
        misses += test(p, state->refine);
        if (--left == 0)
            break;
        p[0] = draw_points(&a);
        p[1] = draw_points(&b);
        p[2] = draw_points(&c);
        p[3] = draw_points(&d);
    }
    store(state->word[0], &a);
    store(state->word[1], &b);
    store(state->word[2], &c);
    store(state->word[3], &d);
    state->refine += PI_LAZY_STEP_SAMPLES * PI_GAMMA;
    return steps * PI_LAZY_STEP_SAMPLES - misses;
}

#else
typedef int pi__no_lazy_avx512;
#endif
