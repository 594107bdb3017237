#ifndef PE__BENCH_REGIONS_BODY_H
#define PE__BENCH_REGIONS_BODY_H

/* Work of a known number of cycles: multiplications, each of which needs the one before. On x86 one takes 3 cycles. */

#include <stdint.h>

#define BODY_STEPS 33
#define LONG_BODY_STEPS 133

static inline __attribute__((always_inline)) uint64_t body_of(uint64_t value, int steps)
{
    for (int i = 0; i < steps; i++) {
        value *= value;
        __asm__ volatile("" : "+r"(value));
    }
    return value;
}

/* About 100 cycles, without a branch. */
static inline __attribute__((always_inline)) uint64_t body(uint64_t value)
{
#if defined(__x86_64__)
    __asm__ volatile(".rept 33\n\timul %0, %0\n\t.endr" : "+r"(value));
    return value;
#else
    return body_of(value, BODY_STEPS);
#endif
}

/* About 400. */
static inline __attribute__((always_inline)) uint64_t long_body(uint64_t value)
{
#if defined(__x86_64__)
    __asm__ volatile(".rept 133\n\timul %0, %0\n\t.endr" : "+r"(value));
    return value;
#else
    return body_of(value, LONG_BODY_STEPS);
#endif
}

#endif
