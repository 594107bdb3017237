/*
 * kept.c - one profile that grows when a pool is freed, up to a bound.
 *
 * What finds no place in it is counted where that is told: calls at their thread, threads at their process.
 */
#include "report/kept.h"

#include <stdlib.h>
#include <string.h>

#include "report/copy.h"

#define POOLS_APART 16
/* Each node may have 2.5 KiB of buckets. */
#define MOST { .labels = 16384, .processes = 4096, .tracks = 8192, .nodes = 16384, .events = UINT32_MAX - 1 }
#define EVENTS_MOST ((size_t)65536)

struct pe__kept {
    struct pe__builder builder;
    uint32_t pools;
};

static struct pe__kept *make_kept(void)
{
    struct pe__kept *kept = calloc(1, sizeof *kept);

    if (kept && pe__builder_init(&kept->builder, (struct pe__builder_most)MOST) != 0) {
        free(kept);
        return NULL;
    }
    return kept;
}

static void free_kept(struct pe__kept *kept)
{
    if (!kept)
        return;
    pe__builder_fini(&kept->builder);
    free(kept);
}

static int latest_first(const void *a, const void *b)
{
    const struct pe__profile_event *left = a, *right = b;

    return (left->end_ns < right->end_ns) - (left->end_ns > right->end_ns);
}

/* The latest ones stay. Only when there are twice as many as are to stay, so that sorting is rare. */
static void trim_events(struct pe__profile *profile)
{
    if (profile->event_count <= 2 * EVENTS_MOST)
        return;
    qsort(profile->events, profile->event_count, sizeof *profile->events, latest_first);
    for (size_t i = EVENTS_MOST; i < profile->event_count; i++)
        profile->tracks[profile->events[i].track].dropped_events++;
    profile->event_count = EVENTS_MOST;
}

void pe__kept_take_over(struct pe__region_sources *sources, const struct pe__region_source *source)
{
    struct pe__copy_times times = { sources->begin_ticks, true };
    struct pe__kept *kept;

    if (sources->begin_ticks == 0 || !pe__copy_is_used(source))
        return;
    if (!sources->kept)
        sources->kept = make_kept();
    kept = sources->kept;
    if (!kept)
        return;
    pe__copy_source(&kept->builder, source, kept->pools < POOLS_APART ? source->pool : PE__PROFILE_FREED_POOLS, times);
    kept->pools += kept->pools < POOLS_APART;
    kept->builder.error = 0;
    trim_events(&kept->builder.profile);
}

void pe__kept_add_to(struct pe__builder *builder, const struct pe__kept *kept)
{
    if (kept)
        pe__builder_add(builder, &kept->builder.profile);
}

/* After everything else of the library: reports are written in destructors too. */
__attribute__((destructor(101))) static void unload(void)
{
    struct pe__region_sources *sources = pe__region_sources_here();

    if (!sources)
        return;
    free_kept(sources->kept);
    sources->kept = NULL;
}
