#ifndef PE__BENCH_PI_KERNEL_H
#define PE__BENCH_PI_KERNEL_H

/* The points of the pi estimator: how they are drawn, and which of them lie in the circle. This is the plain
 * class, in which all bits of every point are drawn; pi/lazy.h has the other.
 *
 * Stream. The points are numbered and cut into blocks of PI_BLOCK_SAMPLES. A block has PI_SETS * PI_LANES
 * generators xoshiro256+ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS
 * 47, 2021; passes BigCrush but for the linear complexity of its three lowest bits), whose state is filled
 * with the outputs 128 * block ... 128 * block + 127 of splitmix64 started at mix(seed). The outputs of
 * splitmix64 are a permutation of its counter, so below 2^57 blocks no two generators of one seed share a
 * word of state, none is all zero, and which worker computes a block is of no account.
 *
 * The kernels step the generators in a shorter form. With a, b, c, d for the words 0 to 3, a draw returns
 * a + d and makes
 *
 *     u = d ^ b,  a' = a ^ u,  d' = u rotated left by 45,  b' = b ^ c ^ a,  c' = c ^ a ^ (b << 17).
 *
 * So b'' = b' ^ c' ^ a' = b ^ (b << 17) ^ a': whoever keeps b' in place of c needs no c any more, and one
 * operation less of seven. c = b' ^ b ^ a gives it back.
 *
 * Point. In one step each generator draws twice; the 32 bits at the bottom of the first and second draw,
 * taken as signed, are x and y of one point, the 32 at the top of another: 64 points a step, numbered by
 * set, then lane, then half. x and y are full-range in [-2^31, 2^31) and become floats of 24 bits
 * (nearest, ties to even), which also drops the three weak bits of all but the smallest values.
 *
 * Decision. With R = 2^31, d = x*x + (y*y - R*R), both steps fused multiply-adds with one rounding each;
 * the point is a hit when d <= 0. IEEE 754 fixes every step to the bit, so a kernel may use fma in float
 * or, like pi_is_hit, whole numbers, and has no choice left. The sign of the last step is exact, for
 * rounding never changes a sign.
 *
 * Bias. x and y fill a grid of 2R by 2R points centred on 0, one row and one column longer on the negative
 * side. All grid points within the circle have |x|, |y| <= R and those with exactly +R or -R are a
 * handful, so the chance of a hit is N(R) / (2R)^2 with N the count of grid points in a circle: pi/4
 * within 1e-13. The two roundings before the sign are to nearest and move the circle's edge by 2^-24 of
 * its radius at most, to either side alike: the area changes in second order only, far below the standard
 * error 0.52 / sqrt(n) of any n that can be run. (To compare a rounded x*x + y*y with R*R would cost a
 * bias of 3e-8: below a power of two the rounding is half as coarse as above.) */

#include <stdint.h>

#define PI_SETS 4
#define PI_LANES 8
#define PI_STEP_SAMPLES (PI_SETS * PI_LANES * 2)
#define PI_BLOCK_SAMPLES (UINT64_C(1) << 20)

/* Kernels by number: a number may travel to a worker as bytes, a function pointer need not. */
#define PI_KERNEL_AUTO 0
#define PI_KERNEL_C 1
#define PI_KERNEL_AVX2 2
#define PI_KERNEL_AVX512 3
#define PI_KERNEL_COUNT 4

/* Classes of points, each a stream of its own. */
#define PI_CLASS_PLAIN 0
#define PI_CLASS_LAZY 1
#define PI_CLASS_COUNT 2

/* All generators of a block: word w of the generator in lane l of set s is word[s][w][l]. `refine` is of the
 * lazy class: the counter of splitmix64 before the next point's. */
typedef struct pi_state {
    _Alignas(64) uint64_t word[PI_SETS][4][PI_LANES];
    uint64_t refine;
} pi_state;

/* Takes `steps` steps (PI_STEP_SAMPLES or PI_LAZY_STEP_SAMPLES points each), moves the state on, returns the
 * hits. */
typedef uint64_t pi_kernel_fn(pi_state *state, uint64_t steps);

pi_kernel_fn pi__kernel_c;
#if defined(__x86_64__) && defined(__GNUC__)
#define PI_HAVE_X86 1
pi_kernel_fn pi__kernel_avx2;
pi_kernel_fn pi__kernel_avx512;
#endif

/* 1 when this processor can run the kernel. PI_KERNEL_AUTO always can. */
int pi_kernel_usable(uint32_t kernel);
/* The fastest usable kernel for PI_KERNEL_AUTO, otherwise the kernel itself. */
uint32_t pi_kernel_choose(uint32_t kernel);
/* "c", "avx2", "avx512", "auto"; NULL for an unknown number. */
const char *pi_kernel_name(uint32_t kernel);
/* The number of a name; -1 when there is none. */
int pi_kernel_find(const char *name);

const char *pi_class_name(uint32_t kernel_class);   /* "plain", "lazy"; NULL for an unknown number */

/* Which points, and who computes them. */
typedef struct pi_stream {
    uint64_t samples;           /* of the whole run */
    uint64_t seed;
    uint32_t kernel;            /* usable */
    uint32_t kernel_class;
} pi_stream;

/* Hits among the points of the blocks first to last - 1: the last block of a run may be a partial one.
 * *ret_samples, if not NULL, gets the number of points drawn. */
uint64_t pi_hits(const pi_stream *stream, uint64_t first, uint64_t last, uint64_t *ret_samples);

/* Blocks that a run of `samples` points has. */
static inline uint64_t pi_blocks(uint64_t samples)
{
    return samples / PI_BLOCK_SAMPLES + (samples % PI_BLOCK_SAMPLES != 0);
}

/* splitmix64: adds PI_GAMMA to its counter, then returns pi__splitmix of it, a permutation of the 64-bit
 * numbers. */
#define PI_GAMMA UINT64_C(0x9e3779b97f4a7c15)
static inline uint64_t pi__splitmix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The decision of the plain class in whole numbers, for one point given as its raw 32 bits: 1 hit, 0 miss. */
int pi_is_hit(int32_t x, int32_t y);

#endif
