/*
 * mode.c - switching on and off, and how to measure.
 *
 * What pe_region_setup says is kept in words of its own until measuring begins, which is when there is memory for it.
 * From then on the sizes are constant. In a worker the host's word decides, which it gets with its table and looks at
 * before each record.
 */
#define PE__REGION_ON_IS_DEFINED_HERE
#include <parexec/region.h>

#include <stdatomic.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "base/sized.h"
#include "region/clock.h"
#include "region/mode.h"
#include "region/pair.h"
#include "region/record.h"
#include "region/source.h"
#include "region/state.h"

#define LABELS_DEFAULT 1024
#define NODES_DEFAULT 4096
#define EVENTS_DEFAULT 65536
#define PLACES_MOST 65536
#define EVENTS_MOST (UINT64_C(1) << 24)
#define SAMPLE_EVERY_DEFAULT 16
#define SAMPLE_EVERY_MOST 65536

PE_EXPORT volatile uint32_t pe_region_on;

/* Whoever takes this word from the static library gets what reads PAREXEC_PROFILE with it. */
static void (*const environment)(void) __attribute__((used)) = pe__environment_begin;

static _Atomic uint32_t wanted;                      /* of the mode */
static _Atomic uint32_t labels = LABELS_DEFAULT, nodes = NODES_DEFAULT, segments;
static _Atomic uint32_t how;                         /* the mode, last time it was on */

static uint32_t or_default(uint64_t value, uint32_t by_default)
{
    return value ? (uint32_t)value : by_default;
}

static uint32_t mode_of(const pe_region_options *options)
{
    uint32_t mode = 0;

    if (options->clock == PE_CLOCK_QUICK)
        mode |= PE__MODE_QUICK;
    if (options->clock == PE_CLOCK_SAMPLED)
        mode |= PE__MODE_SAMPLED;
    if (options->flags & PE_REGION_TIMELINE)
        mode |= PE__MODE_TIMELINE;
    if (options->flags & PE_REGION_CPU_TIME)
        mode |= PE__MODE_CPU_TIME;
    return mode | (or_default(options->sample_every, SAMPLE_EVERY_DEFAULT) - 1) << PE__MODE_SAMPLE_SHIFT;
}

static bool is_valid(const pe_region_options *options)
{
    return options->clock <= PE_CLOCK_SAMPLED && options->sample_every <= SAMPLE_EVERY_MOST &&
           (options->flags & ~(PE_REGION_TIMELINE | PE_REGION_CPU_TIME)) == 0 && options->paths <= PLACES_MOST &&
           options->names <= PLACES_MOST && options->events <= EVENTS_MOST;
}

int pe_region_setup(const pe_region_options *options)
{
    pe_region_options own;
    int error = PE__BASE_CHECK_SIZED(pe_region_options, options, &own);
    uint64_t events = 0;

    if (error || !is_valid(&own))
        return PE_EINVAL;
    if (atomic_load_explicit(&pe__region_memory, memory_order_acquire) || pe__region_is_assigned())
        return PE_EALREADY;
    if (own.flags & PE_REGION_TIMELINE)
        events = or_default(own.events, EVENTS_DEFAULT);
    atomic_store_explicit(&wanted, mode_of(&own), memory_order_relaxed);
    atomic_store_explicit(&labels, or_default(own.names, LABELS_DEFAULT), memory_order_relaxed);
    atomic_store_explicit(&nodes, or_default(own.paths, NODES_DEFAULT), memory_order_relaxed);
    atomic_store_explicit(&segments, (uint32_t)((events + PE__REGION_SEGMENT_EVENTS - 1) / PE__REGION_SEGMENT_EVENTS),
                          memory_order_relaxed);
    return 0;
}

struct pe__region_geometry pe__region_geometry_wanted(void)
{
    struct pe__region_geometry geometry = {
        .labels = atomic_load_explicit(&labels, memory_order_relaxed),
        .nodes = atomic_load_explicit(&nodes, memory_order_relaxed),
        .segments = atomic_load_explicit(&segments, memory_order_relaxed),
    };
    return geometry;
}

/* What pe_region_setup said, without PE__MODE_ON. */
static uint32_t mode_wanted(void)
{
    return atomic_load_explicit(&wanted, memory_order_relaxed);
}

uint32_t pe__region_mode(void)
{
    return atomic_load_explicit(&how, memory_order_relaxed);
}

void pe__region_mode_set(uint32_t mode)
{
    if (mode != 0 && mode != pe__region_mode()) {
        pe__region_clock_begin(mode);
        atomic_store_explicit(&how, mode, memory_order_relaxed);
    }
    if (mode != 0)
        pe__region_begin_assigned();
    pe_region_on = pe__region_memory ? mode : 0;
    if (pe_region_on)
        pe__region_pair_calibrate(mode);
}

static uint32_t first_mode(void)
{
    uint32_t mode = mode_wanted() | PE__MODE_ON;

    if (!pe__base_clock_tsc || !pe__region_clock_agrees())
        mode |= PE__MODE_NS;
    return mode;
}

static int switch_on(void)
{
    struct pe__region_geometry geometry = pe__region_geometry_wanted();
    struct pe__region_state *state;
    uint32_t mode = pe__region_mode();

    if (pe__region_memory_new(&geometry))
        return PE_ENOMEM;
    if (mode == 0)
        mode = first_mode();
    pe__region_mode_set(mode);
    state = pe__region_state_lock();
    if (state)
        pe__region_state_unlock(state);
    pe__region_sources_follow(mode);
    return 0;
}

int pe_region_enable(int on)
{
    if (on)
        return switch_on();
    pe_region_on = 0;
    pe__region_sources_follow(0);
    return 0;
}
