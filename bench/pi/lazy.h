#ifndef PE__BENCH_PI_LAZY_H
#define PE__BENCH_PI_LAZY_H

/* The lazy class: points of 48 bits a coordinate, of which most are never drawn.
 *
 * Stream. Blocks, generators and seeding are those of pi/kernel.h, but a draw is cut into four parts of 16
 * bits: in one step each generator draws twice, and the parts of the first and the second draw, the lowest
 * first, are x and y of four points: 128 points a step, numbered by set, then lane, then part. Point p of
 * block b has 64 more bits, output b * PI_BLOCK_SAMPLES + p (from 0) of splitmix64 started at mix(~seed): the
 * upper 32 belong behind the 16 of x, the lower 32 behind those of y. They are a function of the point's
 * number, so they need no drawing where nobody looks at them, and no kernel can take those of another point.
 *
 * Point. X and Y, each of 48 bits, name a cell of a grid of 2^48 by 2^48 over the unit square; the point is the
 * middle of the cell. So with R = 2^49 it is a hit when (2X + 1)^2 + (2Y + 1)^2 < R * R (equal they never are:
 * the left side is 2 modulo 8). The grid with its three reflections is symmetrical about 0, so what pi/kernel.h
 * says of the bias holds with 2^48 in place of 2^31.
 *
 * Decision by the first 16 bits. Let h = (x * x >> 16) + (y * y >> 16), and s the squared distance in units of
 * 2^-32. s >= x*x + y*y >= 2^16 * h, so from h = 2^16 on every point is a miss. And s < (x + 1)^2 + (y + 1)^2
 * = x*x + y*y + 2(x + y) + 2, where x*x + y*y <= 2^16 * h + 2 * (2^16 - 1), and x + y < 1.4143 * 2^16 if that
 * is within the circle: so up to h = 2^16 - 5 every point is a hit. (131,070 + 185,370 < 5 * 65,536.) The other
 * 65,532 to 65,535 are a ring that holds five points in 100,000: they are decided by all bits. A kernel may find
 * more points doubtful than these, never fewer. */

#include "pi/kernel.h"

#define PI_LAZY_STEP_SAMPLES (PI_SETS * PI_LANES * 4)
#define PI_LAZY_DOUBT 65532

pi_kernel_fn pi__lazy_c;
#ifdef PI_HAVE_X86
pi_kernel_fn pi__lazy_avx2;
pi_kernel_fn pi__lazy_avx512;
#endif

/* The decision by all bits: 1 hit, 0 miss. `bits` are the 64 behind x and y. */
int pi_lazy_is_hit(uint16_t x, uint16_t y, uint64_t bits);

/* Misses among `count` points that follow each other, and among those of 32 points whose bits are set, which are
 * all refined. `refine` is state->refine at the first point. */
uint64_t pi__lazy_misses(const uint16_t *x, const uint16_t *y, unsigned count, uint64_t refine);
unsigned pi__lazy_refined_misses(const uint16_t x[32], const uint16_t y[32], uint32_t which, uint64_t refine);

#endif
