/*
 * wide.h - products of two 64-bit numbers, which have 128 bits: one instruction where the processor has it, four
 * multiplications of halves on 32-bit systems, whose compilers have no such numbers.
 */
#ifndef PE__BASE_WIDE_H
#define PE__BASE_WIDE_H

#include <stdint.h>

#ifdef __SIZEOF_INT128__

static inline void pe__base_multiply(uint64_t a, uint64_t b, uint64_t *ret_high, uint64_t *ret_low)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *ret_high = (uint64_t)(product >> 64);
    *ret_low = (uint64_t)product;
}

#else

static inline void pe__base_multiply(uint64_t a, uint64_t b, uint64_t *ret_high, uint64_t *ret_low)
{
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, outer = a_high * b_low, inner = a_low * b_high;
    uint64_t middle = (low >> 32) + (uint32_t)outer + (uint32_t)inner;
    *ret_high = a_high * b_high + (outer >> 32) + (inner >> 32) + (middle >> 32);
    *ret_low = middle << 32 | (uint32_t)low;
}

#endif

/* The product of a number and one that has 32 bits after its point, cut down to 64 bits. */
static inline uint64_t pe__base_scale(uint64_t number, uint64_t factor)
{
    uint64_t high, low;
    pe__base_multiply(number, factor, &high, &low);
    return high << 32 | low >> 32;
}

#endif
