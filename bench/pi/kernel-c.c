/* The plain kernel: vectors of 16 bytes as gcc and clang offer them in C, for any processor.
 *
 * Without a fused multiply-add the sum x*x + y*y is rounded three times, by less than 2^39 in all near the
 * circle, and the rounding of y*y - R*R in the definition moves it by 2^37 more; so a point farther than
 * 2^40 from R*R = 2^62 falls on the same side in every kernel, however the compiler contracts the
 * expression, and only about four points in ten million need a second look. Points are drawn into a stretch
 * that stays in the first-level cache and tested from there; a stretch with such a point is tested again,
 * slowly. */

#include "pi/lanes-c.h"

#define R2 0x1p62f
#define MARGIN 0x1p40f
#define STRETCH_STEPS 64

typedef int32_t whole __attribute__((vector_size(16)));
typedef float real __attribute__((vector_size(16)));

/* What four generators draw in one step. */
typedef struct points {
    draws x[2], y[2];
} points;

static inline void fill(points *p, pair *one, pair *two, unsigned steps)
{
    pair a = *one, b = *two;

    for (points *end = p + steps; p < end; p++) {
        p->x[0] = draw(&a);
        p->x[1] = draw(&b);
        p->y[0] = draw(&a);
        p->y[1] = draw(&b);
    }
    *one = a;
    *two = b;
}

static inline real square_sum(draws raw_x, draws raw_y)
{
    real x = __builtin_convertvector((whole)raw_x, real);
    real y = __builtin_convertvector((whole)raw_y, real);

    return x * x + y * y;
}

/* Hits; *ret_doubt is not 0 where one came too close to the circle: then more points are not beyond it by the
 * margin than are within it by the margin. */
static inline unsigned test(const points *p, unsigned steps, int *ret_doubt)
{
    whole within = { 0 }, not_beyond = { 0 }, doubt;

    for (const points *end = p + steps; p < end; p++) {
        real one = square_sum(p->x[0], p->y[0]), two = square_sum(p->x[1], p->y[1]);
        within += (whole)(one < R2 - MARGIN) + (whole)(two < R2 - MARGIN);
        not_beyond += (whole)(one < R2 + MARGIN) + (whole)(two < R2 + MARGIN);
    }
    doubt = within ^ not_beyond;
    *ret_doubt = doubt[0] | doubt[1] | doubt[2] | doubt[3];
    return (unsigned)-(within[0] + within[1] + within[2] + within[3]);
}

static unsigned test_again(const points *p, unsigned steps)
{
    unsigned hits = 0;

    for (unsigned i = 0; i < steps * 8; i++) {
        whole x = (whole)p[i / 8].x[i / 4 % 2], y = (whole)p[i / 8].y[i / 4 % 2];
        hits += (unsigned)pi_is_hit(x[i % 4], y[i % 4]);
    }
    return hits;
}

static uint64_t run_four(uint64_t (*word)[PI_LANES], int lane, uint64_t steps)
{
    pair a = load(word, lane);
    pair b = load(word, lane + 2);
    points stretch[STRETCH_STEPS];
    uint64_t hits = 0;

    while (steps > 0) {
        unsigned now = steps < STRETCH_STEPS ? (unsigned)steps : STRETCH_STEPS;
        int doubt;
        unsigned count;

        fill(stretch, &a, &b, now);
        count = test(stretch, now, &doubt);
        hits += doubt ? test_again(stretch, now) : count;
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
