/* The plain kernel: vectors of 16 bytes as gcc and clang offer them in C, for any processor.
 *
 * Without a fused multiply-add the sum x*x + y*y is rounded three times, by less than 2^39 in all near the
 * circle, and the rounding of y*y - R*R in the definition moves it by 2^37 more; so a point farther than
 * 2^40 from R*R = 2^62 falls on the same side in every kernel, however the compiler contracts the
 * expression, and only about four points in ten million need a second look. They do not get it on the
 * spot, where a call would cost the loop its registers: a stretch in which one was met is drawn again,
 * slowly. */

#include "pi-lanes-c.h"

#define R2 0x1p62f
#define MARGIN 0x1p40f
#define STRETCH_STEPS 512

typedef int32_t whole __attribute__((vector_size(16)));
typedef float real __attribute__((vector_size(16)));

/* Four points: -1 in `within` for each hit that is one by a margin, and in `not_beyond` for each that is not a miss
 * by a margin. */
static inline void four_points(pair *s, whole *within, whole *not_beyond)
{
    real x = __builtin_convertvector((whole)draw(s), real);
    real y = __builtin_convertvector((whole)draw(s), real);
    real sum = x * x + y * y;

    *within += (whole)(sum < R2 - MARGIN);
    *not_beyond += (whole)(sum < R2 + MARGIN);
}

/* Hits of two pairs of generators, interleaved because each is a chain of dependent operations. */
static inline uint64_t run_quick(pair *one, pair *two, uint64_t steps, int *ret_doubt)
{
    pair a = *one;
    pair b = *two;
    whole within = { 0 }, not_beyond = { 0 }, doubt;

    for (; steps > 0; steps--) {
        four_points(&a, &within, &not_beyond);
        four_points(&b, &within, &not_beyond);
    }
    *one = a;
    *two = b;
    doubt = within ^ not_beyond;
    *ret_doubt = (doubt[0] | doubt[1] | doubt[2] | doubt[3]) != 0;
    return (uint64_t)-((int64_t)within[0] + within[1] + within[2] + within[3]);
}

static uint64_t run_careful(pair *s, uint64_t steps)
{
    uint64_t hits = 0;

    for (; steps > 0; steps--) {
        whole x = (whole)draw(s);
        whole y = (whole)draw(s);
        for (int i = 0; i < 4; i++)
            hits += (uint64_t)pi_is_hit(x[i], y[i]);
    }
    return hits;
}

static uint64_t run_four(uint64_t (*word)[PI_LANES], int lane, uint64_t steps)
{
    pair a = load(word, lane);
    pair b = load(word, lane + 2);
    uint64_t hits = 0;

    while (steps > 0) {
        uint64_t now = steps < STRETCH_STEPS ? steps : STRETCH_STEPS;
        pair a_before = a, b_before = b;
        int doubt;
        uint64_t count = run_quick(&a, &b, now, &doubt);

        if (doubt) {
            a = a_before;
            b = b_before;
            count = run_careful(&a, now) + run_careful(&b, now);
        }
        hits += count;
        steps -= now;
    }
    store(word, lane, &a);
    store(word, lane + 2, &b);
    return hits;
}

uint64_t pi__kernel_c(pi_state *state, uint64_t steps)
{
    uint64_t hits = 0;

    for (int i = 0; i < PI_SETS * PI_LANES; i += 4)
        hits += run_four(state->word[i / PI_LANES], i % PI_LANES, steps);
    return hits;
}
