#ifndef PE__BENCH_POOL_TBB_H
#define PE__BENCH_POOL_TBB_H

/* oneTBB behind a C interface; pool/tbb.cpp is built only where a C++ compiler and TBB exist. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tbb_rival;

struct tbb_rival *tbb_rival_new(unsigned workers);
void tbb_rival_free(struct tbb_rival *rival);
void tbb_rival_one(struct tbb_rival *rival, uint64_t arg, uint64_t *ret_result);
void tbb_rival_many(struct tbb_rival *rival, const uint64_t *args, uint64_t *results, size_t n);
int tbb_rival_map(struct tbb_rival *rival, int (*fn)(const void *, void *, const void *), const void *in,
                  size_t in_bytes, void *out, size_t out_bytes, size_t count, const void *context);

#ifdef __cplusplus
}
#endif
#endif
