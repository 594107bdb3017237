#ifndef PE__BENCH_PI_RIVALS_H
#define PE__BENCH_PI_RIVALS_H

/* What people write instead. Each draws `samples` points and returns samples a second; *ret_hits gets the
 * hits. A negative figure: it cannot run here. */

#include <stdint.h>

/* The textbook loop in C: two calls of the library's rand() a point. */
double pi_rival_rand(uint64_t samples, uint64_t *ret_hits);
/* One good scalar generator: xoshiro256++, 32 bits for each coordinate. */
double pi_rival_scalar(uint64_t samples, uint64_t *ret_hits);
/* Hand-written vectors: xoshiro256+, floats and a comparison; and the lazy class. */
double pi_rival_c(uint64_t samples, uint64_t *ret_hits);
double pi_rival_avx2(uint64_t samples, uint64_t *ret_hits);
double pi_rival_avx512(uint64_t samples, uint64_t *ret_hits);
double pi_rival_lazy_c(uint64_t samples, uint64_t *ret_hits);
double pi_rival_lazy_avx2(uint64_t samples, uint64_t *ret_hits);
double pi_rival_lazy_avx512(uint64_t samples, uint64_t *ret_hits);
/* The course program: a Python loop over numpy.random.rand(2). */
double pi_rival_course(uint64_t samples, uint64_t *ret_hits);
/* The same, calling numpy.random.rand() twice instead. */
double pi_rival_course_two(uint64_t samples, uint64_t *ret_hits);
/* Vectorised numpy, a million points at a time. */
double pi_rival_numpy(uint64_t samples, uint64_t *ret_hits);

#endif
