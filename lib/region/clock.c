/*
 * clock.c - whether the counters of the CPUs agree, and the scale from ticks to nanoseconds.
 *
 * base/clock.c trusts the counter when processor and kernel do. Whether two CPUs show the same is looked at once more
 * here, since regions begin on one CPU and end on another: on each CPU the counter is compared with the monotonic
 * clock, which the kernel keeps for all of them alike. Of a few tries the closest pair of readings counts.
 */
#include "region/clock.h"

#include <sched.h>

#define CPUS_MOST 16
#define TRIES 8
/* Readings that are further apart than this on one CPU tell nothing. */
#define WIDTH_MOST_NS 2000
/* By so much the clocks may drift apart while the thread hops, and the counters differ. */
#define APART_MOST_NS 2000

uint64_t pe__region_clock_scale;
_Atomic uint64_t pe__region_clock_lag, pe__region_clock_hidden;

void pe__region_clock_begin(uint32_t mode)
{
    bool is_ns = mode & PE__MODE_NS || !pe__base_clock_tsc;

    pe__region_clock_scale = is_ns ? UINT64_C(1) << 32 : (uint64_t)pe__base_ticks_to_ns(UINT64_C(1) << 32);
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
