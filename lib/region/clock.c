/*
 * clock.c - whether the counters of the CPUs agree, how much a pair of readings shows beyond what is between them, and
 * the scale from ticks to nanoseconds.
 *
 * base/clock.c trusts the counter when processor and kernel do. Whether two CPUs show the same is looked at once more
 * here, since regions begin on one CPU and end on another: on each CPU the counter is compared with the monotonic
 * clock, which the kernel keeps for all of them alike. Of a few tries the closest pair of readings counts.
 */
#include "region/clock.h"

#include <sched.h>
#include <stdatomic.h>

/* For the lag: multiplications in a chain, chains in a run, runs. */
#define CHAIN 64
#define CHAINS 32
#define CHAINS_EACH 128
#define LAG_RUNS 12
/* A pair of readings takes less. */
#define LAG_MOST 500

#define CPUS_MOST 16
#define TRIES 8
/* Readings that are further apart than this on one CPU tell nothing. */
#define WIDTH_MOST_NS 2000
/* By so much the clocks may drift apart while the thread hops, and the counters differ. */
#define APART_MOST_NS 2000

uint64_t pe__region_clock_scale;
uint64_t pe__region_clock_lag;

#if defined(__x86_64__)

/* A body whose time is known: so many multiplications, each of which waits for the one before. */
static inline void run_chain(void)
{
    for (int i = 0; i < CHAIN; i++)
        __asm__ volatile("imul %%rax, %%rax" : : : "rax");
}

static uint64_t time_chains(int count)
{
    uint64_t start = pe__region_clock_counter();

    for (int i = 0; i < count; i++)
        run_chain();
    return pe__region_clock_counter_after() - start;
}

/* As regions do; the sum. */
static uint64_t time_each_chain(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < CHAINS_EACH; i++)
        sum += time_chains(1);
    return sum;
}

static void keep_least(uint64_t *least, uint64_t value)
{
    if (value < *least)
        *least = value;
}

/* What one chain reads as, less what it takes, which is the difference of two long runs. */
static uint64_t measure_lag(void)
{
    uint64_t few = UINT64_MAX, many = UINT64_MAX, each = UINT64_MAX, lag;

    for (int i = 0; i < LAG_RUNS; i++) {
        keep_least(&few, time_chains(CHAINS));
        keep_least(&many, time_chains(2 * CHAINS));
        keep_least(&each, time_each_chain());
    }
    lag = each / CHAINS_EACH - (many - few) / CHAINS;
    return lag <= LAG_MOST ? lag : 0;
}

#else

static uint64_t measure_lag(void)
{
    return 0;
}

#endif

void pe__region_clock_begin(uint32_t mode)
{
    static _Atomic uint64_t lag = UINT64_MAX;
    bool is_ns = mode & PE__MODE_NS || !pe__base_clock_tsc;

    pe__region_clock_scale = is_ns ? UINT64_C(1) << 32 : (uint64_t)pe__base_ticks_to_ns(UINT64_C(1) << 32);
    if (is_ns || mode & PE__MODE_QUICK) {
        pe__region_clock_lag = 0;
        return;
    }
    if (lag == UINT64_MAX)
        lag = measure_lag();
    pe__region_clock_lag = lag;
}

uint64_t pe__region_clock_now(void)
{
    return pe__region_mode() & PE__MODE_NS ? (uint64_t)pe__base_now_ns() : pe__base_ticks();
}

int64_t pe__region_clock_to_ns(uint64_t ticks)
{
    if (pe__region_mode() & PE__MODE_NS)
        return (int64_t)ticks < 0 ? 0 : (int64_t)ticks;
    return pe__base_ticks_to_ns(ticks);
}

/* The counter in nanoseconds less the clock, here and now. False: no two readings were close enough. */
static bool offset_here(uint64_t from_ticks, int64_t from_ns, int64_t *ret_ns)
{
    int64_t width_least = WIDTH_MOST_NS + 1;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = pe__base_ticks();
        int64_t ns = pe__base_now_ns();
        uint64_t after = pe__region_clock_counter_after();
        int64_t width = pe__base_ticks_to_ns(after - before);

        if (after < before || width >= width_least)
            continue;
        width_least = width;
        *ret_ns = pe__base_ticks_to_ns(before + (after - before) / 2 - from_ticks) - (ns - from_ns);
    }
    return width_least <= WIDTH_MOST_NS;
}

static bool agrees_on(const cpu_set_t *cpus)
{
    uint64_t from_ticks = pe__base_ticks();
    int64_t from_ns = pe__base_now_ns(), least = INT64_MAX, most = INT64_MIN, offset = 0;
    int left = CPUS_MOST;

    for (int cpu = 0; cpu < CPU_SETSIZE && left > 0; cpu++) {
        cpu_set_t one;

        if (!CPU_ISSET(cpu, cpus))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        left--;
        if (sched_setaffinity(0, sizeof one, &one) || !offset_here(from_ticks, from_ns, &offset))
            continue;
        least = offset < least ? offset : least;
        most = offset > most ? offset : most;
    }
    return most < least || most - least <= APART_MOST_NS;
}

bool pe__region_clock_agrees(void)
{
    cpu_set_t cpus;
    bool agrees;

    if (!pe__base_clock_tsc || sched_getaffinity(0, sizeof cpus, &cpus))
        return true;
    agrees = agrees_on(&cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    return agrees;
}
