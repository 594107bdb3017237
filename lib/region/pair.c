/*
 * pair.c - measures what an enter and a leave cost, and how much they show beyond what is between them.
 *
 * A path and a node on the stack stand in for those of the thread, which is put there for a moment: the same
 * instructions run on the same kinds of memory, and nothing of it is in any table. A signal handler's regions would
 * become children of that path, so signals wait meanwhile. The quickest of a few batches counts; the others were
 * disturbed.
 */
#include "region/pair.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <parexec/region.h>

#include "region/close.h"

#define PAIRS 32
#define BATCHES 8
#define CHAINS 32
#define CHAIN_BATCHES 17
/* A pair of readings takes fewer ticks. */
#define LAG_MOST 500

/* In cache lines of their own, as in tables. */
struct stand_in {
    _Alignas(64) struct pe__region_node node;
    _Alignas(64) struct pe__region_path above;
    _Alignas(64) struct pe__region_path path;
    struct pe__region_path *former;
    sigset_t former_mask;
};

static pe_region_site site = { 1, "pair", NULL, 0, PE_SITE_REGION, { 0, 0 } };

static void begin(struct stand_in *in, uint32_t how)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &in->former_mask);
    in->former = pe__region_here.at;
    memset(&in->node, 0, sizeof in->node);
    in->path = (struct pe__region_path){
        .key = site.key, .node = &in->node, .parent = &in->above, .how = how, .left = UINT32_MAX
    };
    in->above = (struct pe__region_path){ .last = &in->path };
    pe__region_here.at = &in->above;
}

static void end(struct stand_in *in)
{
    pe__region_here.at = in->former;
    pthread_sigmask(SIG_SETMASK, &in->former_mask, NULL);
}

static void keep_least(uint64_t *least, uint64_t ticks)
{
    if (ticks < *least)
        *least = ticks;
}

/* As they are when regions are on, which they need not be here. */
static __attribute__((noinline)) void enter(void)
{
    struct pe__region_path *child = pe__region_here.at->last;

    if (child && child->key == site.key)
        pe__region_open(child);
}

static __attribute__((noinline)) void leave(void)
{
    struct pe__region_path *at = pe__region_here.at;
    uint64_t now = pe__region_is_untimed(at) ? 0 : pe__region_end_of(at);

    if (at->key == site.key && at->node)
        pe__region_close_any(at, now);
}

static double cost_of(uint32_t how)
{
    struct stand_in in;
    uint64_t least = UINT64_MAX;

    begin(&in, how);
    for (int batch = 0; batch < BATCHES; batch++) {
        uint64_t start = pe__region_clock_now();

        for (int i = 0; i < PAIRS; i++) {
            enter();
            leave();
        }
        keep_least(&least, pe__region_clock_now() - start);
    }
    end(&in);
    return (double)pe__region_clock_to_ns(least) / PAIRS;
}

double pe__region_pair_cost_ns(uint32_t mode)
{
    uint32_t timed = mode & (PE__MODE_QUICK | PE__MODE_CPU_TIME | PE__MODE_NS);
    double cost_ns = cost_of(timed);

    if (!(mode & PE__MODE_SAMPLED))
        return cost_ns;
    return cost_of(timed | PE__MODE_SAMPLED) + cost_ns / ((mode >> PE__MODE_SAMPLE_SHIFT) + 1);
}

#if defined(__x86_64__)

/* A body whose time is known: multiplications, each of which waits for the one before, and for nothing else. In
 * programs too the first reading and what comes after it go on side by side. */
static inline void run_chain(void)
{
    __asm__ volatile(".rept 64\n\timul %%r8, %%r8\n\t.endr" : : : "r8");
}

static uint64_t time_chains(int count)
{
    uint64_t start = pe__region_clock_counter_after();

    for (int i = 0; i < count; i++)
        run_chain();
    return pe__region_clock_counter_after() - start;
}

/* What regions show of a chain, or of nothing, in all. */
static uint64_t time_by_regions(struct stand_in *in, bool is_chain)
{
    uint64_t before = in->node.total;

    for (int i = 0; i < CHAINS; i++) {
        pe_region_enter_site(&site);
        if (is_chain)
            run_chain();
        pe_region_leave_site(&site);
    }
    return in->node.total - before;
}

/* Ticks of each batch, in order. */
struct batches {
    uint64_t ticks[CHAIN_BATCHES];
    int count;
};

static void put(struct batches *batches, uint64_t ticks)
{
    int i = batches->count++;

    for (; i > 0 && batches->ticks[i - 1] > ticks; i--)
        batches->ticks[i] = batches->ticks[i - 1];
    batches->ticks[i] = ticks;
}

/* The first quarter has no disturbed ones, and the least is one that was lucky. */
static uint64_t each_of(const struct batches *batches)
{
    return (batches->ticks[CHAIN_BATCHES / 4] + CHAINS / 2) / CHAINS;
}

/* What a chain takes is the difference of two long runs. */
static void measure_lag(void)
{
    struct stand_in in;
    struct batches few = { .count = 0 }, many = { .count = 0 }, chains = { .count = 0 }, nothing = { .count = 0 };
    uint64_t lag;

    begin(&in, 0);
    for (int i = 0; i < CHAIN_BATCHES; i++) {
        put(&few, time_chains(CHAINS));
        put(&many, time_chains(2 * CHAINS));
        put(&chains, time_by_regions(&in, true));
        put(&nothing, time_by_regions(&in, false));
    }
    end(&in);
    lag = each_of(&chains) + each_of(&few) - each_of(&many);
    if (lag > LAG_MOST || each_of(&nothing) > LAG_MOST)
        return;
    atomic_store_explicit(&pe__region_clock_lag, lag, memory_order_relaxed);
    if (each_of(&nothing) > lag)
        atomic_store_explicit(&pe__region_clock_hidden, each_of(&nothing) - lag, memory_order_relaxed);
}

#else

static void measure_lag(void)
{
}

#endif

void pe__region_pair_calibrate(uint32_t mode)
{
    static _Atomic bool is_done;

    if (!(mode & (PE__MODE_QUICK | PE__MODE_NS)) && !atomic_exchange(&is_done, true))
        measure_lag();
}
