/* A program that calls a small function so often: calls N prints the ns of one call. Built as it is, and for the tools
 * that want to know of each call; bench/regions runs it under them. */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static __attribute__((noinline)) uint64_t small_function(uint64_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value + 1;
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static __attribute__((noinline)) uint64_t call(uint64_t n)
{
    uint64_t value = 0;
    for (uint64_t i = 0; i < n; i++)
        value = small_function(value);
    return value;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, value = call(n / 10);
    double start_ns = now_ns();
    value += call(n);
    double ns = now_ns() - start_ns;
    printf("%.4f %" PRIu64 "\n", ns / (double)n, value);
    return 0;
}
