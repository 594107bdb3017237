/* The plain kernel of the lazy class: two passes over a short stretch of points that stays in the first-level
 * cache, one that draws and one that tests. The second is a loop over 16-bit numbers which gcc and clang turn
 * into vector operations, with the high half of a product as one of them. */

#include "pi/lanes-c.h"
#include "pi/lazy.h"

#define STRETCH_STEPS 16
#define STEP_POINTS 16      /* of four generators */

typedef struct stretch {
    _Alignas(16) uint16_t x[STRETCH_STEPS * STEP_POINTS];
    _Alignas(16) uint16_t y[STRETCH_STEPS * STEP_POINTS];
} stretch;

static inline void keep(uint16_t *to, draws four, draws other)
{
    memcpy(to, &four, sizeof(draws));
    memcpy(to + STEP_POINTS / 2, &other, sizeof(draws));
}

static inline void fill(stretch *s, pair *one, pair *two, unsigned steps)
{
    pair a = *one, b = *two;

    for (unsigned i = 0; i < steps * STEP_POINTS; i += STEP_POINTS) {
        draws x = draw(&a), u = draw(&b);
        keep(s->x + i, x, u);
        draws y = draw(&a), v = draw(&b);
        keep(s->y + i, y, v);
    }
    *one = a;
    *two = b;
}

/* Misses by the first 16 bits. The sum h wraps at 2^16, and is below one of its terms if and only if it does. */
static inline unsigned test(const stretch *s, unsigned count, uint16_t *ret_highest)
{
    uint16_t misses = 0, highest = 0;

    for (unsigned i = 0; i < count; i++) {
        uint16_t hx = (uint16_t)((uint32_t)s->x[i] * s->x[i] >> 16);
        uint16_t h = (uint16_t)(hx + (uint16_t)((uint32_t)s->y[i] * s->y[i] >> 16));
        misses = (uint16_t)(misses + (h < hx));
        highest = h > highest ? h : highest;
    }
    *ret_highest = highest;
    return misses;
}

/* The same by all bits. */
static uint64_t test_again(const stretch *s, unsigned steps, uint64_t refine)
{
    uint64_t misses = 0;

    for (unsigned i = 0; i < steps; i++)
        misses += pi__lazy_misses(s->x + i * STEP_POINTS, s->y + i * STEP_POINTS, STEP_POINTS,
                                  refine + i * (PI_LAZY_STEP_SAMPLES * PI_GAMMA));
    return misses;
}

/* Misses of four generators. */
static uint64_t run_four(uint64_t (*word)[PI_LANES], int lane, uint64_t steps, uint64_t refine)
{
    pair a = load(word, lane), b = load(word, lane + 2);
    uint64_t misses = 0;
    stretch s;

    for (uint64_t done = 0; done < steps;) {
        unsigned now = steps - done < STRETCH_STEPS ? (unsigned)(steps - done) : STRETCH_STEPS;
        uint16_t highest;
        unsigned count;

        fill(&s, &a, &b, now);
        count = test(&s, now * STEP_POINTS, &highest);
        if (highest >= PI_LAZY_DOUBT)
            misses += test_again(&s, now, refine + done * (PI_LAZY_STEP_SAMPLES * PI_GAMMA));
        else
            misses += count;
        done += now;
    }
    store(word, lane, &a);
    store(word, lane + 2, &b);
    return misses;
}

uint64_t pi__lazy_c(pi_state *state, uint64_t steps)
{
    uint64_t misses = 0;

    for (int i = 0; i < PI_SETS * PI_LANES; i += 4)
        misses += run_four(state->word[i / PI_LANES], i % PI_LANES, steps,
                           state->refine + (uint64_t)i * 4 * PI_GAMMA);
    state->refine += steps * (PI_LAZY_STEP_SAMPLES * PI_GAMMA);
    return steps * PI_LAZY_STEP_SAMPLES - misses;
}
