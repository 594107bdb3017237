/* Limits: nothing but two readings of a clock. The sum of the differences is kept, as a profiler has to. */

#include "regions/body.h"
#include "regions/loop.h"
#include "harness.h"

#include <math.h>
#include <time.h>

#if defined(__x86_64__)
int loop_has_counter(void)
{
    return 1;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Waits for what is before it to be done. */
static inline uint64_t rdtscp(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high) : : "rcx");
    return (uint64_t)high << 32 | low;
}

/* Nothing passes these two in either direction. */
static inline uint64_t fenced_rdtsc(void)
{
    __asm__ volatile("lfence" : : : "memory");
    uint64_t ticks = rdtsc();
    __asm__ volatile("lfence" : : : "memory");
    return ticks;
}

static inline uint64_t fenced_rdtscp(void)
{
    uint64_t ticks = rdtscp();
    __asm__ volatile("lfence" : : : "memory");
    return ticks;
}
#else
int loop_has_counter(void)
{
    return 0;
}

static inline uint64_t rdtsc(void)
{
    return (uint64_t)bench_now_ns();
}

#define rdtscp rdtsc
#define fenced_rdtsc rdtsc
#define fenced_rdtscp rdtsc
#endif

static inline uint64_t monotonic(void)
{
    return (uint64_t)bench_now_ns();
}

static inline __attribute__((always_inline)) uint64_t no_body(uint64_t value)
{
    return value;
}

/* What was read in the last call, added up. */
static uint64_t read_sum;

#define PAIRS(scope, name, begin, work, end) \
    scope void name(uint64_t n) \
    { \
        uint64_t sum = 0, value = 3; \
        for (uint64_t i = 0; i < n; i++) { \
            uint64_t start = begin(); \
            value = work(value); \
            sum += end() - start; \
        } \
        bench_keep(value); \
        read_sum = sum; \
    }

PAIRS(, loop_rdtsc_rdtsc, rdtsc, no_body, rdtsc)
PAIRS(, loop_rdtsc_rdtscp, rdtsc, no_body, rdtscp)
PAIRS(, loop_fenced, fenced_rdtsc, no_body, fenced_rdtscp)
PAIRS(, loop_clock_gettime, monotonic, no_body, monotonic)
PAIRS(, loop_body_rdtsc_rdtsc, rdtsc, body, rdtsc)
PAIRS(, loop_body_rdtsc_rdtscp, rdtsc, body, rdtscp)
PAIRS(static, loop_body_clock_gettime, monotonic, body, monotonic)
PAIRS(static, loop_long_body_rdtsc_rdtsc, rdtsc, long_body, rdtsc)
PAIRS(static, loop_long_body_rdtsc_rdtscp, rdtsc, long_body, rdtscp)
PAIRS(static, loop_long_body_clock_gettime, monotonic, long_body, monotonic)

void loop_nothing(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        __asm__ volatile("" : : : "memory");
}

void loop_body(uint64_t n)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < n; i++)
        value = body(value);
    bench_keep(value);
}

void loop_long_body(uint64_t n)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < n; i++)
        value = long_body(value);
    bench_keep(value);
}

/* ns that were read for a body, by a loop whose clock is `now`. */
static double read_by(loop_fn *fn, uint64_t (*now)(void), uint64_t n)
{
    fn(n / 10);
    int64_t start_ns = bench_now_ns();
    uint64_t start = now();
    fn(n);
    uint64_t ticks = now() - start;
    int64_t ns = bench_now_ns() - start_ns;
    return (double)read_sum / (double)n * (double)ns / (double)ticks;
}

static uint64_t now_in_ticks(void)
{
    return rdtsc();
}

static uint64_t now_in_ns(void)
{
    return monotonic();
}

int truth_tell(const struct plan *plan, truth_fn *reads, double *values)
{
    loop_fn *alone = plan->variant == TRUTH_100 ? loop_body : loop_long_body;
    double before = loop_measure(alone, plan->n), read = reads(plan), after = loop_measure(alone, plan->n);
    double truth = (before + after) / 2;
    if (read < 0)
        return -1;
    values[0] = read;
    values[1] = fabs(read / truth - 1) * 100;
    return 0;
}

static double by_rdtsc_rdtsc(const struct plan *plan)
{
    return read_by(plan->variant == TRUTH_100 ? loop_body_rdtsc_rdtsc : loop_long_body_rdtsc_rdtsc, now_in_ticks,
                   plan->n);
}

static double by_rdtsc_rdtscp(const struct plan *plan)
{
    return read_by(plan->variant == TRUTH_100 ? loop_body_rdtsc_rdtscp : loop_long_body_rdtsc_rdtscp, now_in_ticks,
                   plan->n);
}

static double by_clock_gettime(const struct plan *plan)
{
    return read_by(plan->variant == TRUTH_100 ? loop_body_clock_gettime : loop_long_body_clock_gettime, now_in_ns,
                   plan->n);
}

static double by_nothing(const struct plan *plan)
{
    return loop_measure(plan->variant == TRUTH_100 ? loop_body : loop_long_body, plan->n);
}

int read_rdtsc_rdtsc(const struct plan *plan, double *values)
{
    return truth_tell(plan, by_rdtsc_rdtsc, values);
}

int read_rdtsc_rdtscp(const struct plan *plan, double *values)
{
    return truth_tell(plan, by_rdtsc_rdtscp, values);
}

int read_clock_gettime(const struct plan *plan, double *values)
{
    return truth_tell(plan, by_clock_gettime, values);
}

int read_truth(const struct plan *plan, double *values)
{
    return truth_tell(plan, by_nothing, values);
}
