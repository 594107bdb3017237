/* builder_add.c - one profile added to another: the same processes, threads and paths of names are one. */
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/arena.h"
#include "report/builder.h"

/* The builder's numbers of what the profile has. */
struct moved {
    uint32_t *labels, *processes, *tracks, *nodes;
};

static void add_process(struct pe__builder *builder, const struct pe__profile_process *from, uint32_t place)
{
    struct pe__profile_process *process = &builder->profile.processes[place];

    process->pid = from->pid;
    pe__add_count32(&process->lives, from->lives);
    pe__add_count(&process->dropped_labels, from->dropped_labels);
    pe__add_count(&process->dropped_nodes, from->dropped_nodes);
    pe__add_count(&process->dropped_threads, from->dropped_threads);
    pe__add_count(&process->dropped_in_handler, from->dropped_in_handler);
}

static uint32_t first_of(const struct moved *moved, uint32_t kept, uint32_t label)
{
    return kept != PE__REGION_NOTHING || label == PE__REGION_NOTHING ? kept : moved->labels[label];
}

static void add_track(struct pe__builder *builder, const struct moved *moved, const struct pe__profile_track *from,
                      uint32_t place)
{
    struct pe__profile_track *track = &builder->profile.tracks[place];

    track->tid = from->tid;
    track->ended = track->ended && from->ended;
    pe__add_count32(&track->lives, from->lives);
    pe__add_count(&track->unmatched, from->unmatched);
    pe__add_count(&track->crossed, from->crossed);
    pe__add_count(&track->unfinished, from->unfinished);
    pe__add_count(&track->dropped_calls, from->dropped_calls);
    pe__add_count(&track->dropped_events, from->dropped_events);
    track->first_unmatched = first_of(moved, track->first_unmatched, from->first_unmatched);
    track->first_crossed = first_of(moved, track->first_crossed, from->first_crossed);
    track->first_unfinished = first_of(moved, track->first_unfinished, from->first_unfinished);
}

/* Before the calls are added. */
static void add_extremes(struct pe__profile_node *node, const struct pe__profile_node *from)
{
    if (from->timed > 0) {
        node->least_ns = node->timed == 0 || from->least_ns < node->least_ns ? from->least_ns : node->least_ns;
        node->most_ns = node->timed == 0 || from->most_ns > node->most_ns ? from->most_ns : node->most_ns;
    }
    if (from->calls > 0) {
        node->least = node->calls == 0 || from->least < node->least ? from->least : node->least;
        node->most = node->calls == 0 || from->most > node->most ? from->most : node->most;
    }
}

static void add_node(struct pe__builder *builder, const struct pe__profile_node *from, uint32_t place)
{
    struct pe__profile_node *node = &builder->profile.nodes[place];
    uint64_t *buckets = from->buckets ? pe__builder_buckets(builder, place) : NULL;

    add_extremes(node, from);
    pe__add_count(&node->calls, from->calls);
    pe__add_count(&node->timed, from->timed);
    pe__add_count(&node->unfinished, from->unfinished);
    node->total_ns = pe__sum_of_ns(node->total_ns, from->total_ns);
    node->waited_ns = pe__sum_of_ns(node->waited_ns, from->waited_ns);
    node->cpu_ns = pe__sum_of_ns(node->cpu_ns, from->cpu_ns);
    node->sum = pe__sum_of_ns(node->sum, from->sum);
    if (node->open_ns == 0)
        node->open_ns = from->open_ns;
    for (uint32_t i = 0; buckets && i < PE__REGION_BUCKETS; i++)
        pe__add_count(&buckets[i], from->buckets[i]);
}

static void add_nodes(struct pe__builder *builder, const struct moved *moved, const struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *from = &profile->nodes[i];
        uint32_t track = moved->tracks[from->track];
        uint32_t parent = from->parent == PE__REGION_NOTHING ? PE__REGION_NOTHING : moved->nodes[from->parent];

        moved->nodes[i] = PE__REGION_NOTHING;
        if (from->parent == PE__REGION_NOTHING || parent != PE__REGION_NOTHING)
            moved->nodes[i] = pe__builder_node(builder, track, parent, moved->labels[from->label]);
        if (moved->nodes[i] != PE__REGION_NOTHING)
            add_node(builder, from, moved->nodes[i]);
        else if (track != PE__REGION_NOTHING)
            pe__add_count(&builder->profile.tracks[track].dropped_calls, from->calls);
    }
}

static void add_events(struct pe__builder *builder, const struct moved *moved, const struct pe__profile *profile)
{
    for (size_t i = 0; i < profile->event_count; i++) {
        struct pe__profile_event event = profile->events[i];

        event.track = moved->tracks[event.track];
        event.label = moved->labels[event.label];
        if (event.track == PE__REGION_NOTHING)
            continue;
        if (event.label == PE__REGION_NOTHING || !pe__builder_event(builder, &event))
            pe__add_count(&builder->profile.tracks[event.track].dropped_events, 1);
    }
}

static void add_all(struct pe__builder *builder, const struct moved *moved, const struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->label_count; i++)
        moved->labels[i] = pe__builder_label(builder, &profile->labels[i]);
    for (uint32_t i = 0; i < profile->process_count; i++) {
        const struct pe__profile_process *from = &profile->processes[i];

        moved->processes[i] = pe__builder_process(builder, from->pool, from->worker);
        if (moved->processes[i] != PE__REGION_NOTHING)
            add_process(builder, from, moved->processes[i]);
    }
    for (uint32_t i = 0; i < profile->track_count; i++) {
        const struct pe__profile_track *from = &profile->tracks[i];

        moved->tracks[i] = pe__builder_track(builder, moved->processes[from->process], from->number, from->name);
        if (moved->tracks[i] != PE__REGION_NOTHING)
            add_track(builder, moved, from, moved->tracks[i]);
    }
    add_nodes(builder, moved, profile);
    add_events(builder, moved, profile);
}

void pe__builder_add(struct pe__builder *builder, const struct pe__profile *profile)
{
    size_t count = (size_t)profile->label_count + profile->process_count + profile->track_count + profile->node_count;
    uint32_t *numbers = malloc((count + 1) * sizeof *numbers);
    struct moved moved = { .labels = numbers };

    if (!numbers) {
        builder->error = PE_ENOMEM;
        return;
    }
    moved.processes = moved.labels + profile->label_count;
    moved.tracks = moved.processes + profile->process_count;
    moved.nodes = moved.tracks + profile->track_count;
    add_all(builder, &moved, profile);
    free(numbers);
}

/* ---- whole runs ---- */

static void add_description(struct pe__builder *builder, const char **text, const char *from)
{
    if (builder->profile.runs == 0 || strcmp(*text, from) != 0)
        *text = pe__arena_text(builder->profile.arena, builder->profile.runs == 0 ? from : "mixed");
    if (!*text) {
        *text = "";
        builder->error = PE_ENOMEM;
    }
}

static double mean(double a, double runs_a, double b, double runs_b)
{
    return runs_a == 0 ? b : (a * runs_a + b * runs_b) / (runs_a + runs_b);
}

static void add_times(struct pe__profile *profile, const struct pe__profile *from)
{
    if (profile->runs == 0 || from->begin_unix_ns < profile->begin_unix_ns) {
        profile->begin_ns = from->begin_ns;
        profile->begin_unix_ns = from->begin_unix_ns;
    }
    if (profile->runs == 0)
        profile->ticks_per_ns = from->ticks_per_ns;
    profile->pair_cost_ns = mean(profile->pair_cost_ns, profile->runs, from->pair_cost_ns, from->runs);
    profile->wall_ns = pe__sum_of_ns(profile->wall_ns, from->wall_ns);
}

void pe__builder_add_run(struct pe__builder *builder, const struct pe__profile *from)
{
    struct pe__profile *profile = &builder->profile;

    add_description(builder, &profile->program, from->program);
    add_description(builder, &profile->clock, from->clock);
    add_description(builder, &profile->mode, from->mode);
    add_times(profile, from);
    if (from->sample_every > profile->sample_every)
        profile->sample_every = from->sample_every;
    profile->has_cpu_time |= from->has_cpu_time;
    pe__add_count32(&profile->runs, from->runs);
    pe__builder_add(builder, from);
}
