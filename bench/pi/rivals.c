/* The loops that people write without vectors, in C and in Python. PE_BENCH_PYTHON names another interpreter than
 * python3. */

#include "pi/rivals.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

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
    const char *python = getenv("PE_BENCH_PYTHON");
    char text[1024];
    char command[4096];
    double seconds = 0;
    unsigned long long hits = 0;
    int fields;
    FILE *pipe;

    snprintf(text, sizeof(text), program, body);
    snprintf(command, sizeof(command), "%s -c '%s' %llu 2>/dev/null", python != NULL ? python : "python3", text,
             (unsigned long long)samples);
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
