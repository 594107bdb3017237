/* The rivals of bench/pi --compare. None shares a line with the kernels. */

#include "pi-rivals.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

double pi_rival_rand(uint64_t samples, uint64_t *ret_hits)
{
    uint64_t hits = 0;
    double start;

    srand(1);
    start = bench_now();
    for (uint64_t i = 0; i < samples; i++) {
        double x = (double)rand() / RAND_MAX;
        double y = (double)rand() / RAND_MAX;
        hits += x * x + y * y < 1.0;
    }
    *ret_hits = hits;
    return (double)samples / (bench_now() - start);
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t next(uint64_t s[4])
{
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

double pi_rival_scalar(uint64_t samples, uint64_t *ret_hits)
{
    uint64_t s[4] = { UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9),
                      UINT64_C(0x94d049bb133111eb), 1 };
    uint64_t hits = 0;
    double start = bench_now();

    for (uint64_t i = 0; i < samples; i++) {
        uint64_t bits = next(s);
        double x = (double)(int64_t)(bits >> 32) * 0x1p-32;
        double y = (double)(int64_t)(uint32_t)bits * 0x1p-32;
        hits += x * x + y * y < 1.0;
    }
    *ret_hits = hits;
    return (double)samples / (bench_now() - start);
}

#if defined(__x86_64__) && defined(__GNUC__)

#define TARGET __attribute__((target("avx512f,avx512bw")))
#define SETS 4

/* One draw of generator set k. */
#define DRAW(k, result) \
    do { \
        __m512i shifted_ = _mm512_slli_epi64(s1[k], 17); \
        (result) = _mm512_add_epi64(s0[k], s3[k]); \
        s2[k] = _mm512_xor_si512(s2[k], s0[k]); \
        s3[k] = _mm512_xor_si512(s3[k], s1[k]); \
        s1[k] = _mm512_xor_si512(s1[k], s2[k]); \
        s0[k] = _mm512_xor_si512(s0[k], s3[k]); \
        s2[k] = _mm512_xor_si512(s2[k], shifted_); \
        s3[k] = _mm512_rol_epi64(s3[k], 45); \
    } while (0)

TARGET static uint64_t straight_avx512(uint64_t rounds)
{
    __m512i s0[SETS], s1[SETS], s2[SETS], s3[SETS], count[SETS];
    const __m512i one = _mm512_set1_epi32(1);
    const __m512 limit = _mm512_set1_ps(0x1p62f);
    uint64_t hits = 0;
    uint64_t words[4][8];
    uint64_t z = 1;

    for (int k = 0; k < SETS; k++) {
        for (int i = 0; i < 32; i++) {
            uint64_t w = z += UINT64_C(0x9e3779b97f4a7c15);
            w = (w ^ (w >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
            w = (w ^ (w >> 27)) * UINT64_C(0x94d049bb133111eb);
            words[i / 8][i % 8] = w ^ (w >> 31);
        }
        s0[k] = _mm512_loadu_si512(words[0]);
        s1[k] = _mm512_loadu_si512(words[1]);
        s2[k] = _mm512_loadu_si512(words[2]);
        s3[k] = _mm512_loadu_si512(words[3]);
    }
    while (rounds > 0) {
        uint64_t now = rounds < (UINT64_C(1) << 27) ? rounds : UINT64_C(1) << 27;

        rounds -= now;
        for (int k = 0; k < SETS; k++)
            count[k] = _mm512_setzero_si512();
        for (; now > 0; now--) {
#pragma GCC unroll 4
            for (int k = 0; k < SETS; k++) {
                __m512i a, b;
                DRAW(k, a);
                DRAW(k, b);
                __m512 x = _mm512_cvtepi32_ps(a);
                __m512 y = _mm512_cvtepi32_ps(b);
                __m512 sum = _mm512_fmadd_ps(x, x, _mm512_mul_ps(y, y));
                __mmask16 hit = _mm512_cmp_ps_mask(sum, limit, _CMP_LT_OQ);
                count[k] = _mm512_mask_add_epi32(count[k], hit, count[k], one);
            }
        }
        for (int k = 0; k < SETS; k++) {
            uint32_t lanes[16];
            _mm512_storeu_si512(lanes, count[k]);
            for (int i = 0; i < 16; i++)
                hits += lanes[i];
        }
    }
    return hits;
}

double pi_rival_avx512(uint64_t samples, uint64_t *ret_hits)
{
    double start = bench_now();

    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
        return -1;
    *ret_hits = straight_avx512(samples / (16 * SETS));
    return (double)(samples / (16 * SETS) * (16 * SETS)) / (bench_now() - start);
}

#else

double pi_rival_avx512(uint64_t samples, uint64_t *ret_hits)
{
    (void)samples;
    (void)ret_hits;
    return -1;
}

#endif

/* Runs the body of a Python program for n points, which leaves the hits in `hits`. It times itself, so that
 * starting Python is not held against it. */
static double run_python(const char *body, uint64_t samples, uint64_t *ret_hits)
{
    static const char program[] =
        "import sys, time, numpy\n"
        "n = int(sys.argv[1])\n"
        "hits = 0\n"
        "start = time.perf_counter()\n"
        "%s"
        "print(time.perf_counter() - start, hits)\n";
    char text[1024];
    char command[1200];
    double seconds = 0;
    unsigned long long hits = 0;
    int fields;
    FILE *pipe;

    snprintf(text, sizeof(text), program, body);
    snprintf(command, sizeof(command), "python3 -c '%s' %llu 2>/dev/null", text, (unsigned long long)samples);
    pipe = popen(command, "r");
    if (pipe == NULL)
        return -1;
    fields = fscanf(pipe, "%lf %llu", &seconds, &hits);
    if (pclose(pipe) != 0 || fields != 2 || !(seconds > 0))
        return -1;
    *ret_hits = hits;
    return (double)samples / seconds;
}

double pi_rival_course(uint64_t samples, uint64_t *ret_hits)
{
    return run_python("for i in range(n):\n"
                      "    x, y = numpy.random.rand(2)\n"
                      "    if x * x + y * y < 1.0:\n"
                      "        hits += 1\n",
                      samples, ret_hits);
}

double pi_rival_course_two(uint64_t samples, uint64_t *ret_hits)
{
    return run_python("rand = numpy.random.rand\n"
                      "for i in range(n):\n"
                      "    x = rand()\n"
                      "    y = rand()\n"
                      "    if x * x + y * y < 1.0:\n"
                      "        hits += 1\n",
                      samples, ret_hits);
}

double pi_rival_numpy(uint64_t samples, uint64_t *ret_hits)
{
    return run_python("left = n\n"
                      "while left > 0:\n"
                      "    now = min(left, 1000000)\n"
                      "    left -= now\n"
                      "    x = numpy.random.rand(now)\n"
                      "    y = numpy.random.rand(now)\n"
                      "    hits += int(numpy.count_nonzero(x * x + y * y < 1.0))\n",
                      samples, ret_hits);
}
