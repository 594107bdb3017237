/* What a careful programmer writes by hand with vectors, for each kind of processor and each class: xoshiro256+ as
 * published, enough generators side by side to hide latencies, floats and a comparison for the plain class, products
 * of 16-bit numbers for the lazy one. None shares a line with the kernels. */

#include "pi/rivals.h"

#include "harness.h"

#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

/* The lazy ones take x and y as signed: x*x + y*y is decided outside this ring around 2^30. */
#define RING_LOW ((1 << 30) - 92700)
#define RING_HIGH ((1 << 30) + 92700)
#define FLUSH (UINT64_C(1) << 24)

static uint64_t splitmix(uint64_t *z)
{
    uint64_t w = *z += UINT64_C(0x9e3779b97f4a7c15);

    w = (w ^ (w >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    w = (w ^ (w >> 27)) * UINT64_C(0x94d049bb133111eb);
    return w ^ (w >> 31);
}

static void seed(void *states, size_t bytes)
{
    uint64_t z = 1;

    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t word = splitmix(&z);
        memcpy((char *)states + at, &word, sizeof(word));
    }
}

/* 32 more bits for each coordinate of a point beside the circle. */
static int refined_miss(int16_t x, int16_t y)
{
    static uint64_t z = 99;
    uint64_t bits = splitmix(&z);
    int64_t fx = (int64_t)x * (INT64_C(1) << 32) + (int64_t)(bits >> 32);
    int64_t fy = (int64_t)y * (INT64_C(1) << 32) + (int64_t)(uint32_t)bits;

    return (__int128)fx * fx + (__int128)fy * fy >= (__int128)1 << 94;
}

static uint64_t sum_of(const uint32_t *counts, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

static double rate_of(uint64_t points, double start)
{
    return (double)points / (bench_now() - start);
}

/* ---- C, vectors of 16 bytes ---- */

typedef uint64_t v2 __attribute__((vector_size(16)));
typedef int32_t v4 __attribute__((vector_size(16)));
typedef float f4 __attribute__((vector_size(16)));

typedef struct state2 {
    v2 s[4];
} state2;

static inline v2 draw2(state2 *g)
{
    v2 result = g->s[0] + g->s[3];
    v2 t = g->s[1] << 17;

    g->s[2] ^= g->s[0];
    g->s[3] ^= g->s[1];
    g->s[1] ^= g->s[2];
    g->s[0] ^= g->s[3];
    g->s[2] ^= t;
    g->s[3] = g->s[3] << 45 | g->s[3] >> 19;
    return result;
}

static inline v4 hits2(state2 *g)
{
    f4 x = __builtin_convertvector((v4)draw2(g), f4);
    f4 y = __builtin_convertvector((v4)draw2(g), f4);

    return (v4)(x * x + y * y < 0x1p62f);
}

double pi_rival_c(uint64_t samples, uint64_t *ret_hits)
{
    double start = bench_now();
    uint64_t hits = 0, steps = samples / 8;
    state2 g[2];

    seed(g, sizeof(g));
    state2 a = g[0], b = g[1];
    for (uint64_t left = steps; left > 0;) {
        uint64_t now = left < FLUSH ? left : FLUSH;
        v4 count = { 0 };
        left -= now;
        for (; now > 0; now--)
            count -= hits2(&a) + hits2(&b);
        hits += (uint64_t)count[0] + (uint64_t)count[1] + (uint64_t)count[2] + (uint64_t)count[3];
    }
    *ret_hits = hits;
    return rate_of(steps * 8, start);
}

#define STRETCH 256     /* points */

double pi_rival_lazy_c(uint64_t samples, uint64_t *ret_hits)
{
    double start = bench_now();
    uint64_t misses = 0, stretches = samples / STRETCH;
    _Alignas(16) int16_t x[STRETCH], y[STRETCH];
    state2 g[2];

    seed(g, sizeof(g));
    state2 a = g[0], b = g[1];
    for (uint64_t left = stretches; left > 0; left--) {
        uint32_t beyond = 0, within = 0;
        for (int i = 0; i < STRETCH; i += 16) {
            v2 d[4] = { draw2(&a), draw2(&b), draw2(&a), draw2(&b) };
            memcpy(x + i, d, 32);
            memcpy(y + i, d + 2, 32);
        }
        for (int i = 0; i < STRETCH; i++) {
            int32_t s = (int32_t)((uint32_t)(x[i] * x[i]) + (uint32_t)(y[i] * y[i]));
            beyond += s >= RING_HIGH;
            within += s < RING_LOW;
        }
        misses += beyond;
        for (int i = 0; beyond + within < STRETCH && i < STRETCH; i++) {
            int32_t s = (int32_t)((uint32_t)(x[i] * x[i]) + (uint32_t)(y[i] * y[i]));
            if (s >= RING_LOW && s < RING_HIGH)
                misses += (uint64_t)refined_miss(x[i], y[i]);
        }
    }
    *ret_hits = stretches * STRETCH - misses;
    return rate_of(stretches * STRETCH, start);
}

#if defined(__x86_64__) && defined(__GNUC__)

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2,fma,popcnt")))
#define AVX2_INLINE static inline __attribute__((always_inline)) AVX2

typedef struct state4 {
    __m256i s[4];
} state4;

AVX2_INLINE __m256i draw4(state4 *g)
{
    __m256i result = _mm256_add_epi64(g->s[0], g->s[3]);
    __m256i t = _mm256_slli_epi64(g->s[1], 17);

    g->s[2] = _mm256_xor_si256(g->s[2], g->s[0]);
    g->s[3] = _mm256_xor_si256(g->s[3], g->s[1]);
    g->s[1] = _mm256_xor_si256(g->s[1], g->s[2]);
    g->s[0] = _mm256_xor_si256(g->s[0], g->s[3]);
    g->s[2] = _mm256_xor_si256(g->s[2], t);
    g->s[3] = _mm256_or_si256(_mm256_slli_epi64(g->s[3], 45), _mm256_srli_epi64(g->s[3], 19));
    return result;
}

AVX2_INLINE __m256i hits4(state4 *g)
{
    __m256 x = _mm256_cvtepi32_ps(draw4(g));
    __m256 y = _mm256_cvtepi32_ps(draw4(g));
    __m256 sum = _mm256_fmadd_ps(x, x, _mm256_mul_ps(y, y));

    return _mm256_castps_si256(_mm256_cmp_ps(sum, _mm256_set1_ps(0x1p62f), _CMP_LT_OQ));
}

static AVX2 uint64_t plain_avx2(uint64_t steps)
{
    state4 g[2];
    uint64_t hits = 0;

    seed(g, sizeof(g));
    state4 a = g[0], b = g[1];
    while (steps > 0) {
        uint64_t now = steps < FLUSH ? steps : FLUSH;
        __m256i count = _mm256_setzero_si256();
        uint32_t counts[8];
        steps -= now;
        for (; now > 0; now--)
            count = _mm256_sub_epi32(_mm256_sub_epi32(count, hits4(&a)), hits4(&b));
        _mm256_storeu_si256((__m256i *)counts, count);
        hits += sum_of(counts, 8);
    }
    return hits;
}

static uint64_t refine8(const int16_t *v, unsigned which)
{
    uint64_t misses = 0;

    for (; which != 0; which &= which - 1) {
        int i = __builtin_ctz(which);
        misses += (uint64_t)refined_miss(v[2 * i], v[2 * i + 1]);
    }
    return misses;
}

/* Misses of eight points beyond the ring, and all bits where one lies in it. */
AVX2_INLINE __m256i lazy4(state4 *g, uint64_t *misses)
{
    __m256i v = draw4(g);
    __m256i s = _mm256_madd_epi16(v, v);
    __m256i beyond = _mm256_cmpgt_epi32(s, _mm256_set1_epi32(RING_HIGH - 1));
    __m256i ring = _mm256_xor_si256(beyond, _mm256_cmpgt_epi32(s, _mm256_set1_epi32(RING_LOW - 1)));

    if (__builtin_expect(!_mm256_testz_si256(ring, ring), 0)) {
        int16_t words[16];
        _mm256_storeu_si256((__m256i *)words, v);
        *misses += refine8(words, (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(ring)));
    }
    return beyond;
}

static AVX2 uint64_t lazy_avx2(uint64_t steps)
{
    state4 g[2];
    uint64_t misses = 0, points = steps * 16;

    seed(g, sizeof(g));
    state4 a = g[0], b = g[1];
    while (steps > 0) {
        uint64_t now = steps < FLUSH ? steps : FLUSH;
        __m256i count = _mm256_setzero_si256();
        uint32_t counts[8];
        steps -= now;
        for (; now > 0; now--)
            count = _mm256_sub_epi32(_mm256_sub_epi32(count, lazy4(&a, &misses)), lazy4(&b, &misses));
        _mm256_storeu_si256((__m256i *)counts, count);
        misses += sum_of(counts, 8);
    }
    return points - misses;
}

/* ---- AVX-512 ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,popcnt")))
#define AVX512_INLINE static inline __attribute__((always_inline)) AVX512
#define SETS 4

typedef struct state8 {
    __m512i s[4];
} state8;

AVX512_INLINE __m512i xor3(__m512i one, __m512i two, __m512i three)
{
    return _mm512_ternarylogic_epi64(one, two, three, 0x96);
}

AVX512_INLINE __m512i draw8(state8 *g)
{
    __m512i result = _mm512_add_epi64(g->s[0], g->s[3]);
    __m512i s1 = xor3(g->s[1], g->s[2], g->s[0]);
    __m512i s3 = _mm512_xor_si512(g->s[3], g->s[1]);

    g->s[2] = xor3(g->s[2], g->s[0], _mm512_slli_epi64(g->s[1], 17));
    g->s[0] = _mm512_xor_si512(g->s[0], s3);
    g->s[1] = s1;
    g->s[3] = _mm512_rol_epi64(s3, 45);
    return result;
}

static AVX512 uint64_t plain_avx512(uint64_t steps)
{
    state8 g[SETS];
    uint64_t hits = 0;

    seed(g, sizeof(g));
    while (steps > 0) {
        uint64_t now = steps < FLUSH ? steps : FLUSH;
        __m512i count[SETS] = { 0 };
        uint32_t counts[16];
        steps -= now;
        for (; now > 0; now--) {
#pragma GCC unroll 4
            for (int k = 0; k < SETS; k++) {
                __m512 x = _mm512_cvtepi32_ps(draw8(&g[k]));
                __m512 y = _mm512_cvtepi32_ps(draw8(&g[k]));
                __m512 sum = _mm512_fmadd_ps(x, x, _mm512_mul_ps(y, y));
                __mmask16 hit = _mm512_cmp_ps_mask(sum, _mm512_set1_ps(0x1p62f), _CMP_LT_OQ);
                count[k] = _mm512_mask_add_epi32(count[k], hit, count[k], _mm512_set1_epi32(1));
            }
        }
        for (int k = 0; k < SETS; k++) {
            _mm512_storeu_si512(counts, count[k]);
            hits += sum_of(counts, 16);
        }
    }
    return hits;
}

static AVX512 uint64_t lazy_avx512(uint64_t steps)
{
    state8 g[SETS];
    uint64_t misses = 0, points = steps * 16 * SETS;

    seed(g, sizeof(g));
    for (; steps > 0; steps--) {
#pragma GCC unroll 4
        for (int k = 0; k < SETS; k++) {
            __m512i v = draw8(&g[k]);
            __m512i s = _mm512_madd_epi16(v, v);
            __mmask16 beyond = _mm512_cmpge_epu32_mask(s, _mm512_set1_epi32(RING_HIGH));
            __mmask16 ring = _mm512_cmpge_epu32_mask(s, _mm512_set1_epi32(RING_LOW)) ^ beyond;
            misses += (unsigned)__builtin_popcount(beyond);
            if (__builtin_expect(ring != 0, 0)) {
                int16_t words[32];
                _mm512_storeu_si512(words, v);
                misses += refine8(words, ring);
            }
        }
    }
    return points - misses;
}

static double run(uint64_t (*fn)(uint64_t steps), uint64_t points, uint64_t samples, uint64_t *ret_hits)
{
    double start = bench_now();

    *ret_hits = fn(samples / points);
    return rate_of(samples / points * points, start);
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
}

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("popcnt");
}

double pi_rival_avx2(uint64_t samples, uint64_t *ret_hits)
{
    return has_avx2() ? run(plain_avx2, 16, samples, ret_hits) : -1;
}

double pi_rival_lazy_avx2(uint64_t samples, uint64_t *ret_hits)
{
    return has_avx2() ? run(lazy_avx2, 16, samples, ret_hits) : -1;
}

double pi_rival_avx512(uint64_t samples, uint64_t *ret_hits)
{
    return has_avx512() ? run(plain_avx512, 16 * SETS, samples, ret_hits) : -1;
}

double pi_rival_lazy_avx512(uint64_t samples, uint64_t *ret_hits)
{
    return has_avx512() ? run(lazy_avx512, 16 * SETS, samples, ret_hits) : -1;
}

#else

static double none(uint64_t *ret_hits)
{
    *ret_hits = 0;
    return -1;
}

double pi_rival_avx2(uint64_t samples, uint64_t *ret_hits) { (void)samples; return none(ret_hits); }
double pi_rival_lazy_avx2(uint64_t samples, uint64_t *ret_hits) { (void)samples; return none(ret_hits); }
double pi_rival_avx512(uint64_t samples, uint64_t *ret_hits) { (void)samples; return none(ret_hits); }
double pi_rival_lazy_avx512(uint64_t samples, uint64_t *ret_hits) { (void)samples; return none(ret_hits); }

#endif
