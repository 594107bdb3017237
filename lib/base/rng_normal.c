/*
 * rng_normal.c - normal numbers with the same bits on every machine.
 *
 * A word is a probability u, a normal number the place below which that much of the distribution lies: Wichura's
 * rational functions (algorithm AS 241, Applied Statistics 37, 1988), good to about 1e-16 relative. One word makes one
 * number, so positions in a stream stay what they are.
 *
 * Same bits: addition, multiplication, division and sqrt are exactly rounded by IEEE 754, in the order in which they
 * are written, as long as the compiler joins no two of them into one. libm's log is not, and differs from one libm to
 * the next; the one here is made of the four.
 *
 * u is the middle of one of 2^52 equal parts of (0, 1), so that u and 1 - u are equally likely and exact.
 */
#include "base/rng.h"

#include <math.h>
#include <stddef.h>

#include <parexec/rng.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define TERMS 8 /* in each polynomial of AS 241 */

struct ratio {
    double above[TERMS], below[TERMS]; /* the highest power first */
};

static const struct ratio middle = {
    { 2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
      13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080 },
    { 5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
      5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1 },
};
static const struct ratio tail = {
    { 7.7454501427834140764e-4, 0.0227238449892691845833, 0.241780725177450611770, 1.27045825245236838258,
      3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734 },
    { 1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.148103976427480074590,
      0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1 },
};
static const struct ratio far_tail = {
    { 2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.00124266094738807843860, 0.0265321895265761230930,
      0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720 },
    { 2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
      0.0148753612908506148525, 0.136929880922735805310, 0.599832206555887937690, 1 },
};

static double divide(const struct ratio *ratio, double r)
{
    double above = ratio->above[0], below = ratio->below[0];
    for (int i = 1; i < TERMS; i++) {
        above = above * r + ratio->above[i];
        below = below * r + ratio->below[i];
    }
    return above / below;
}

/* -log(n / 2^53) for 0 < n < 2^53: n is m * 2^e with m from sqrt(1/2) to sqrt(2), and log m the series of twice the
 * hyperbolic area tangent of (m - 1) / (m + 1), which is below 0.172. */
static double minus_log(uint64_t n)
{
    static const double inverse[] = { 1.0 / 23, 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                      1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3,  1.0 };
    int exponent = 63 - __builtin_clzll(n);
    double m = (double)(int64_t)(n << (52 - exponent)) * 0x1p-52;
    if (m > 1.4142135623730951) {
        m = m * 0.5;
        exponent++;
    }
    double s = (m - 1) / (m + 1), squared = s * s, sum = 0;
    for (size_t i = 0; i < sizeof inverse / sizeof *inverse; i++)
        sum = sum * squared + inverse[i];
    return (53 - exponent) * 0.69314718055994530942 - 2 * s * sum;
}

double pe__base_normal(uint64_t word)
{
    uint64_t odd = (word >> 12) * 2 + 1; /* u * 2^53 */
    double q = (double)((int64_t)odd - (INT64_C(1) << 52)) * 0x1p-53; /* u - 1/2 */
    if (q >= -0.425 && q <= 0.425)
        return q * divide(&middle, 0.180625 - q * q);
    double r = sqrt(minus_log(q < 0 ? odd : (UINT64_C(1) << 53) - odd));
    double x = r <= 5 ? divide(&tail, r - 1.6) : divide(&far_tail, r - 5);
    return q < 0 ? -x : x;
}

double pe_rng_normal(pe_rng *rng)
{
    return rng != NULL ? pe__base_normal(pe_rng_next(rng)) : 0;
}
