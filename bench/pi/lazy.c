/* The lazy class for one point after the other. */

#include "pi/lazy.h"

int pi_lazy_is_hit(uint16_t x, uint16_t y, uint64_t bits)
{
    uint64_t u = ((uint64_t)x << 32 | bits >> 32) * 2 + 1;
    uint64_t v = ((uint64_t)y << 32 | (uint32_t)bits) * 2 + 1;

    return (unsigned __int128)u * u + (unsigned __int128)v * v < (unsigned __int128)1 << 98;
}

static unsigned refined_miss(uint16_t x, uint16_t y, uint64_t refine)
{
    return !pi_lazy_is_hit(x, y, pi__splitmix(refine + PI_GAMMA));
}

uint64_t pi__lazy_misses(const uint16_t *x, const uint16_t *y, unsigned count, uint64_t refine)
{
    uint64_t misses = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t h = ((uint32_t)x[i] * x[i] >> 16) + ((uint32_t)y[i] * y[i] >> 16);
        if (h >= PI_LAZY_DOUBT)
            misses += h > UINT16_MAX ? 1 : refined_miss(x[i], y[i], refine + i * PI_GAMMA);
    }
    return misses;
}

unsigned pi__lazy_refined_misses(const uint16_t x[32], const uint16_t y[32], uint32_t which, uint64_t refine)
{
    unsigned misses = 0;

    for (; which != 0; which &= which - 1) {
        int i = __builtin_ctz(which);
        misses += refined_miss(x[i], y[i], refine + (uint64_t)i * PI_GAMMA);
    }
    return misses;
}
