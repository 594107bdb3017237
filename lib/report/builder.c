/* builder.c - finds what is to be added among what there is, and adds it if it is new. */
#include "report/builder.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "report/arena.h"

uint64_t pe__sum_of_counts(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

int64_t pe__sum_of_ns(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

void pe__add_count(uint64_t *sum, uint64_t count)
{
    *sum = pe__sum_of_counts(*sum, count);
}

void pe__add_count32(uint32_t *sum, uint32_t count)
{
    *sum = count > UINT32_MAX - *sum ? UINT32_MAX : *sum + count;
}

int pe__builder_init(struct pe__builder *builder, struct pe__builder_most most)
{
    *builder = (struct pe__builder){ .most = most };
    builder->profile.arena = pe__arena_new();
    return builder->profile.arena ? 0 : PE_ENOMEM;
}

static void free_indexes(struct pe__builder *builder)
{
    pe__index_fini(&builder->label_index);
    pe__index_fini(&builder->process_index);
    pe__index_fini(&builder->track_index);
    pe__index_fini(&builder->node_index);
    free(builder->nodes);
    builder->nodes = NULL;
}

void pe__builder_fini(struct pe__builder *builder)
{
    free_indexes(builder);
    pe__profile_free(&builder->profile);
}

static uint32_t out_of_memory(struct pe__builder *builder)
{
    builder->error = PE_ENOMEM;
    return PE__REGION_NOTHING;
}

/* Room for one more, which is zeroed; what is beyond `count` does not count. */
static bool make_room(struct pe__builder *builder, void *array, size_t *room, size_t count, size_t bytes)
{
    size_t larger = *room ? 2 * *room : 32;
    void *memory, *old;

    memcpy(&old, array, sizeof old);
    if (builder->error)
        return false;
    if (count == *room) {
        memory = larger <= SIZE_MAX / bytes ? realloc(old, larger * bytes) : NULL;
        if (!memory) {
            builder->error = PE_ENOMEM;
            return false;
        }
        memcpy(array, &memory, sizeof memory);
        old = memory;
        *room = larger;
    }
    memset((char *)old + count * bytes, 0, bytes);
    return true;
}

#define MAKE_ROOM(builder, array, room, count) make_room(builder, &(array), &(builder)->room, count, sizeof *(array))

static bool is_same_label(const struct pe__profile_label *a, const struct pe__profile_label *b)
{
    return a->kind == b->kind && a->line == b->line && strcmp(a->name, b->name) == 0 && strcmp(a->file, b->file) == 0;
}

uint32_t pe__builder_label(struct pe__builder *builder, const struct pe__profile_label *label)
{
    struct pe__profile *profile = &builder->profile;
    uint64_t hash = pe__index_hash_text(pe__index_hash(label->kind, label->line), label->name);
    struct pe__profile_label copy = *label;

    for (uint32_t at = 0, n; (n = pe__index_next(&builder->label_index, hash, &at)) != PE__INDEX_NONE;)
        if (is_same_label(&profile->labels[n], label))
            return n;
    if (profile->label_count >= builder->most.labels ||
        !MAKE_ROOM(builder, profile->labels, label_room, profile->label_count))
        return PE__REGION_NOTHING;
    copy.name = pe__arena_text(profile->arena, label->name);
    copy.file = pe__arena_text(profile->arena, label->file);
    if (!copy.name || !copy.file || pe__index_add(&builder->label_index, hash, profile->label_count) != 0)
        return out_of_memory(builder);
    profile->labels[profile->label_count] = copy;
    return profile->label_count++;
}

uint32_t pe__builder_process(struct pe__builder *builder, uint32_t pool, int32_t worker)
{
    struct pe__profile *profile = &builder->profile;
    uint64_t hash = pe__index_hash(pool, (uint32_t)worker);

    for (uint32_t at = 0, n; (n = pe__index_next(&builder->process_index, hash, &at)) != PE__INDEX_NONE;)
        if (profile->processes[n].pool == pool && profile->processes[n].worker == worker)
            return n;
    if (profile->process_count >= builder->most.processes ||
        !MAKE_ROOM(builder, profile->processes, process_room, profile->process_count))
        return PE__REGION_NOTHING;
    if (pe__index_add(&builder->process_index, hash, profile->process_count) != 0)
        return out_of_memory(builder);
    profile->processes[profile->process_count].pool = pool;
    profile->processes[profile->process_count].worker = worker;
    return profile->process_count++;
}

static uint32_t add_track(struct pe__builder *builder, uint64_t hash, const struct pe__profile_track *track)
{
    struct pe__profile *profile = &builder->profile;

    if (profile->track_count >= builder->most.tracks ||
        !MAKE_ROOM(builder, profile->tracks, track_room, profile->track_count))
        return PE__REGION_NOTHING;
    if (!track->name || pe__index_add(&builder->track_index, hash, profile->track_count) != 0)
        return out_of_memory(builder);
    profile->tracks[profile->track_count] = *track;
    return profile->track_count++;
}

uint32_t pe__builder_track(struct pe__builder *builder, uint32_t process, uint32_t number, const char *name)
{
    struct pe__profile *profile = &builder->profile;
    uint64_t hash = pe__index_hash(process, number);
    struct pe__profile_track track = {
        .process = process,
        .number = number,
        .ended = true,
        .first_unmatched = PE__REGION_NOTHING,
        .first_crossed = PE__REGION_NOTHING,
        .first_unfinished = PE__REGION_NOTHING,
    };

    if (process == PE__REGION_NOTHING)
        return PE__REGION_NOTHING;
    for (uint32_t at = 0, n; (n = pe__index_next(&builder->track_index, hash, &at)) != PE__INDEX_NONE;)
        if (profile->tracks[n].process == process && profile->tracks[n].number == number)
            return n;
    track.name = pe__arena_text(profile->arena, name);
    return add_track(builder, hash, &track);
}

static bool is_recursive(const struct pe__profile *profile, uint32_t parent, uint32_t label)
{
    for (; parent != PE__REGION_NOTHING; parent = profile->nodes[parent].parent)
        if (profile->nodes[parent].label == label)
            return true;
    return false;
}

static uint32_t add_node(struct pe__builder *builder, uint64_t hash, const struct pe__profile_node *node,
                         uint32_t depth)
{
    struct pe__profile *profile = &builder->profile;

    if (profile->node_count >= builder->most.nodes ||
        !MAKE_ROOM(builder, profile->nodes, node_room, profile->node_count) ||
        !MAKE_ROOM(builder, builder->nodes, inner_room, profile->node_count))
        return PE__REGION_NOTHING;
    if (pe__index_add(&builder->node_index, hash, profile->node_count) != 0)
        return out_of_memory(builder);
    profile->nodes[profile->node_count] = *node;
    builder->nodes[profile->node_count].depth = depth;
    return profile->node_count++;
}

uint32_t pe__builder_node(struct pe__builder *builder, uint32_t track, uint32_t parent, uint32_t label)
{
    struct pe__profile *profile = &builder->profile;
    uint64_t hash = pe__index_hash(pe__index_hash(track, parent), label);
    struct pe__profile_node node = { .track = track, .parent = parent, .label = label };
    uint32_t depth = parent == PE__REGION_NOTHING ? 0 : builder->nodes[parent].depth + 1;

    if (track == PE__REGION_NOTHING || label == PE__REGION_NOTHING || depth > PE__PROFILE_DEPTH_MOST ||
        (parent != PE__REGION_NOTHING && profile->nodes[parent].track != track))
        return PE__REGION_NOTHING;
    for (uint32_t at = 0, n; (n = pe__index_next(&builder->node_index, hash, &at)) != PE__INDEX_NONE;)
        if (profile->nodes[n].track == track && profile->nodes[n].parent == parent &&
            profile->nodes[n].label == label)
            return n;
    node.recursive = is_recursive(profile, parent, label);
    return add_node(builder, hash, &node, depth);
}

uint64_t *pe__builder_buckets(struct pe__builder *builder, uint32_t node)
{
    struct pe__builder_node *inner = &builder->nodes[node];

    if (!inner->buckets) {
        inner->buckets = pe__arena_alloc(builder->profile.arena, PE__REGION_BUCKETS * sizeof *inner->buckets);
        builder->profile.nodes[node].buckets = inner->buckets;
        if (!inner->buckets)
            out_of_memory(builder);
    }
    return inner->buckets;
}

bool pe__builder_event(struct pe__builder *builder, const struct pe__profile_event *event)
{
    struct pe__profile *profile = &builder->profile;

    if (profile->event_count >= builder->most.events ||
        !MAKE_ROOM(builder, profile->events, event_room, profile->event_count))
        return false;
    profile->events[profile->event_count++] = *event;
    return true;
}
