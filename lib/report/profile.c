/*
 * profile.c - everything measured so far, from all sources.
 *
 * Sources are read under their lock, so none goes away meanwhile; those who record are not held up. What pools that
 * were freed had measured comes from kept.c.
 */
#include "report/profile.h"

#include <stdio.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/arena.h"
#include "report/builder.h"
#include "region/clock.h"
#include "report/copy.h"
#include "report/kept.h"
#include "region/pair.h"
#include "region/mode.h"
#include "region/source.h"

void pe__profile_free(struct pe__profile *profile)
{
    free(profile->labels);
    free(profile->processes);
    free(profile->tracks);
    free(profile->nodes);
    free(profile->events);
    pe__arena_free(profile->arena);
    *profile = (struct pe__profile){ .arena = NULL };
}

void pe__profile_process_name(const struct pe__profile_process *process, char name[PE__PROFILE_PROCESS_BYTES])
{
    if (process->pool == 0)
        snprintf(name, PE__PROFILE_PROCESS_BYTES, "host");
    else if (process->pool == PE__PROFILE_FREED_POOLS)
        snprintf(name, PE__PROFILE_PROCESS_BYTES, "freed pools worker %d", (int)process->worker);
    else
        snprintf(name, PE__PROFILE_PROCESS_BYTES, "pool %u worker %d", (unsigned)process->pool, (int)process->worker);
}

uint64_t pe__profile_cut_short(const struct pe__profile *profile, uint32_t process)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        if (profile->labels[node->label].kind != PE_SITE_LINE &&
            (process == PE__REGION_NOTHING || profile->tracks[node->track].process == process))
            count = pe__sum_of_counts(count, node->unfinished);
    }
    return count;
}

uint32_t pe__profile_path(const struct pe__profile *profile, uint32_t node, uint32_t path[PE__PROFILE_DEPTH_MOST + 1])
{
    uint32_t count = 0;

    for (; node != PE__REGION_NOTHING && count <= PE__PROFILE_DEPTH_MOST; node = profile->nodes[node].parent)
        path[count++] = node;
    return count;
}

static double measure_ticks_per_ns(void)
{
    uint64_t ticks = UINT64_C(1) << 32;
    int64_t ns = pe__region_clock_to_ns(ticks);

    return ns > 0 ? (double)ticks / (double)ns : 1;
}

static void describe(struct pe__profile *profile, const struct pe__region_sources *sources)
{
    uint32_t mode = pe__region_mode();

    profile->program = pe__arena_text(profile->arena, program_invocation_short_name);
    profile->clock = pe__base_clock_tsc && !(mode & PE__MODE_NS) ? "time-stamp counter" : "clock_gettime";
    profile->mode = mode & PE__MODE_SAMPLED ? "sampled" : mode & PE__MODE_QUICK ? "quick" : "exact";
    profile->sample_every = mode & PE__MODE_SAMPLED ? (mode >> PE__MODE_SAMPLE_SHIFT) + 1 : 1;
    profile->has_cpu_time = mode & PE__MODE_CPU_TIME;
    profile->has_timeline = mode & PE__MODE_TIMELINE;
    profile->ticks_per_ns = measure_ticks_per_ns();
    profile->pair_cost_ns = pe__region_pair_cost_ns(mode);
    profile->begin_ns = sources->begin_ns;
    profile->begin_unix_ns = sources->begin_unix_ns;
    profile->wall_ns = sources->begin_ticks ? pe__region_clock_to_ns(pe__region_clock_now() - sources->begin_ticks) : 0;
    profile->runs = 1;
}

int pe__profile_take(struct pe__profile *ret)
{
    struct pe__builder builder;
    struct pe__region_sources *sources;
    struct pe__copy_times times;

    if (pe__builder_init(&builder, (struct pe__builder_most)PE__BUILDER_NO_LIMIT) != 0)
        return PE_ENOMEM;
    sources = pe__region_sources_lock();
    times = (struct pe__copy_times){ sources->begin_ticks, false };
    PE__BASE_LIST_EACH(link, &sources->list) {
        const struct pe__region_source *source = PE__BASE_LIST_ENTRY(link, struct pe__region_source, link);

        pe__copy_source(&builder, source, source->pool, times);
    }
    pe__kept_add_to(&builder, sources->kept);
    describe(&builder.profile, sources);
    pe__region_sources_unlock();
    if (!builder.profile.program)
        builder.error = PE_ENOMEM;
    return pe__builder_finish(&builder, ret);
}
