/*
 * pair.c - measures what an enter and a leave cost.
 *
 * A path and a node on the stack stand in for those of the thread, which is put there for a moment: the same
 * instructions run on the same kinds of memory, and nothing of it is in any table. A signal handler's regions would
 * become children of that path, so signals wait meanwhile. The quickest of a few batches counts; the others were
 * disturbed.
 */
#include "region/pair.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "region/close.h"

#define PAIRS 32
#define BATCHES 8

static __attribute__((noinline)) void enter(const pe_region_site *site)
{
    struct pe__region_path *child = pe__region_here.at->last;

    if (child && child->key == site->key)
        pe__region_open(child);
}

static __attribute__((noinline)) void leave(const pe_region_site *site)
{
    struct pe__region_path *at = pe__region_here.at;
    uint64_t end = pe__region_is_untimed(at) ? 0 : pe__region_end_of(at);

    if (site && at->key == site->key && at->node)
        pe__region_close_any(at, end);
}

/* Ticks of the quickest batch. */
static uint64_t run_batches(uint32_t how)
{
    static pe_region_site site = { 1, "pair", NULL, 0, PE_SITE_REGION, { 0, 0 } };
    struct pe__region_path *former = pe__region_here.at;
    struct pe__region_node node;
    struct pe__region_path above, path;
    uint64_t least = UINT64_MAX;

    memset(&node, 0, sizeof node);
    path = (struct pe__region_path){ .key = site.key, .node = &node, .parent = &above, .how = how, .left = UINT32_MAX };
    above = (struct pe__region_path){ .last = &path };
    pe__region_here.at = &above;
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t start = pe__region_clock_now(), ticks;

        for (int i = 0; i < PAIRS; i++) {
            enter(&site);
            leave(&site);
        }
        ticks = pe__region_clock_now() - start;
        least = ticks < least ? ticks : least;
    }
    pe__region_here.at = former;
    return least;
}

static double cost_of(uint32_t how)
{
    sigset_t all, former;
    uint64_t ticks;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    ticks = run_batches(how);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return (double)pe__region_clock_to_ns(ticks) / PAIRS;
}

double pe__region_pair_cost_ns(uint32_t mode)
{
    uint32_t timed = mode & (PE__MODE_QUICK | PE__MODE_CPU_TIME | PE__MODE_NS);
    double cost_ns = cost_of(timed);

    if (!(mode & PE__MODE_SAMPLED))
        return cost_ns;
    return cost_of(timed | PE__MODE_SAMPLED) + cost_ns / ((mode >> PE__MODE_SAMPLE_SHIFT) + 1);
}
