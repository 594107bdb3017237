/*
 * builder_finish.c - from a builder to a profile: things in their order, own times, and which events are whose.
 *
 * The own time of a region is its total less the totals of the regions right inside it. Lines are transparent: what
 * a line has inside is inside the region around the line, and a line takes nothing away from that region. The own
 * time of a line is its total less that of the regions entered on it. Spans overlap what they are in and take
 * nothing away either.
 */
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/builder.h"

/* ---- order ---- */

/* What qsort moves: the old number with its keys. */
struct place {
    uint64_t major, minor;
    uint32_t number;
};

static int by_keys(const void *a, const void *b)
{
    const struct place *left = a, *right = b;

    if (left->major != right->major)
        return left->major < right->major ? -1 : 1;
    if (left->minor != right->minor)
        return left->minor < right->minor ? -1 : 1;
    return (left->number > right->number) - (left->number < right->number);
}

/* Old array, new array; where each thing of the old one has come to. */
static bool reorder(struct place *places, uint32_t count, void *array, size_t bytes, uint32_t *ret_moved)
{
    unsigned char *things, *ordered = malloc(count * bytes);

    if (!ordered)
        return false;
    memcpy(&things, array, sizeof things);
    qsort(places, count, sizeof *places, by_keys);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(ordered + i * bytes, things + places[i].number * bytes, bytes);
        ret_moved[places[i].number] = i;
    }
    free(things);
    memcpy(array, &ordered, sizeof ordered);
    return true;
}

static bool order_processes(struct pe__profile *profile, struct place *places, uint32_t *moved)
{
    for (uint32_t i = 0; i < profile->process_count; i++)
        places[i] = (struct place){ profile->processes[i].pool, (uint32_t)profile->processes[i].worker, i };
    if (!reorder(places, profile->process_count, &profile->processes, sizeof *profile->processes, moved))
        return false;
    for (uint32_t i = 0; i < profile->track_count; i++)
        profile->tracks[i].process = moved[profile->tracks[i].process];
    return true;
}

static bool order_tracks(struct pe__profile *profile, struct place *places, uint32_t *moved)
{
    for (uint32_t i = 0; i < profile->track_count; i++)
        places[i] = (struct place){ profile->tracks[i].process, profile->tracks[i].number, i };
    if (!reorder(places, profile->track_count, &profile->tracks, sizeof *profile->tracks, moved))
        return false;
    for (uint32_t i = 0; i < profile->node_count; i++)
        profile->nodes[i].track = moved[profile->nodes[i].track];
    for (size_t i = 0; i < profile->event_count; i++)
        profile->events[i].track = moved[profile->events[i].track];
    return true;
}

/* A parent was added before its children and is of the same track, so it stays before them. */
static bool order_nodes(struct pe__profile *profile, struct place *places, uint32_t *moved)
{
    for (uint32_t i = 0; i < profile->node_count; i++)
        places[i] = (struct place){ profile->nodes[i].track, i, i };
    if (!reorder(places, profile->node_count, &profile->nodes, sizeof *profile->nodes, moved))
        return false;
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (profile->nodes[i].parent != PE__REGION_NOTHING)
            profile->nodes[i].parent = moved[profile->nodes[i].parent];
    return true;
}

static uint32_t largest(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool order(struct pe__profile *profile)
{
    size_t most = largest(largest(profile->process_count, profile->track_count), profile->node_count);
    struct place *places = malloc(most * sizeof *places);
    uint32_t *moved = malloc(most * sizeof *moved);
    bool done = most == 0 ||
                (places && moved && (profile->process_count == 0 || order_processes(profile, places, moved)) &&
                 (profile->track_count == 0 || order_tracks(profile, places, moved)) &&
                 (profile->node_count == 0 || order_nodes(profile, places, moved)));

    free(places);
    free(moved);
    return done;
}

/* ---- events ---- */

static int by_track_and_start(const void *a, const void *b)
{
    const struct pe__profile_event *left = a, *right = b;

    if (left->track != right->track)
        return left->track < right->track ? -1 : 1;
    if (left->start_ns != right->start_ns)
        return left->start_ns < right->start_ns ? -1 : 1;
    /* What began together: the longer one is around the others. */
    return (left->end_ns < right->end_ns) - (left->end_ns > right->end_ns);
}

static void deal_out_events(struct pe__profile *profile)
{
    if (profile->event_count > 0)
        qsort(profile->events, profile->event_count, sizeof *profile->events, by_track_and_start);
    for (size_t i = profile->event_count; i-- > 0;) {
        struct pe__profile_track *track = &profile->tracks[profile->events[i].track];

        track->first_event = (uint32_t)i;
        track->event_count++;
    }
}

/* ---- own times ---- */

static bool is_inside(uint32_t kind)
{
    return kind == PE_SITE_REGION || kind == PE__KIND_FUNCTION;
}

static void take_away(struct pe__profile_node *node, int64_t ns)
{
    node->own_ns = node->own_ns > ns ? node->own_ns - ns : 0;
}

void pe__profile_own_times(struct pe__profile *profile)
{
    for (uint32_t i = 0; i < profile->node_count; i++)
        profile->nodes[i].own_ns = profile->nodes[i].total_ns;
    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];
        uint32_t up = node->parent;

        if (!is_inside(profile->labels[node->label].kind))
            continue;
        for (; up != PE__REGION_NOTHING && profile->labels[profile->nodes[up].label].kind == PE_SITE_LINE;
             up = profile->nodes[up].parent)
            take_away(&profile->nodes[up], node->total_ns);
        if (up != PE__REGION_NOTHING)
            take_away(&profile->nodes[up], node->total_ns);
    }
}

int pe__builder_finish(struct pe__builder *builder, struct pe__profile *ret)
{
    struct pe__profile *profile = &builder->profile;

    if (builder->error || !order(profile)) {
        pe__builder_fini(builder);
        return PE_ENOMEM;
    }
    deal_out_events(profile);
    pe__profile_own_times(profile);
    *ret = *profile;
    builder->profile = (struct pe__profile){ .arena = NULL };
    pe__builder_fini(builder);
    return 0;
}
