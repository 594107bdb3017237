/*
 * profile_read.c - reads what report_json.c wrote.
 *
 * The file may be from anywhere: its syntax, the range of each number and each index are checked, and what it takes in
 * memory is bounded by its length. Members may stand in any order, and those that are not known are passed over, so the
 * places of the four arrays are noted first and read afterwards, in the order in which they refer to each other.
 * What was read is then added to an empty profile, which finds out the rest (recursion, own times) by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "report/arena.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/kinds.h"
#include "report/sink.h"

#define SCHEMA_VERSION 1
#define FILE_BYTES_MOST ((size_t)256 << 20)

/* ---- the file ---- */

/* All that is left of it, to be freed. 0, PE_EINVAL: too large, PE_ENOMEM, or a negative errno. */
static int read_all(FILE *file, char **ret_text, size_t *ret_bytes)
{
    size_t room = 0, used = 0;
    char *text = NULL, *larger;

    errno = 0;
    do {
        if (used == room) {
            room = room ? 2 * room : 65536;
            larger = room <= FILE_BYTES_MOST ? realloc(text, room) : NULL;
            if (!larger) {
                free(text);
                return room <= FILE_BYTES_MOST ? PE_ENOMEM : PE_EINVAL;
            }
            text = larger;
        }
        used += fread(text + used, 1, room - used, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file)) {
        int error = errno;

        free(text);
        return error > 0 ? -error : -EIO;
    }
    *ret_text = text;
    *ret_bytes = used;
    return 0;
}

/* ---- what is read ---- */

struct reading {
    struct pe__profile profile; /* as it stands in the file */
    size_t label_room, process_room, track_room, node_room;
    struct pe__json labels, processes, tracks, nodes; /* where the arrays begin; at NULL: not yet seen */
    bool no_memory;
};

/* Room for one more, zeroed. */
static void *place(struct reading *reading, void *array, size_t *room, uint32_t *count, size_t bytes)
{
    size_t larger = *room ? 2 * *room : 64;
    void *memory;

    memcpy(&memory, array, sizeof memory);
    if (*count == *room) {
        memory = *count < UINT32_MAX / 2 ? realloc(memory, larger * bytes) : NULL;
        if (!memory) {
            reading->no_memory = true;
            return NULL;
        }
        memcpy(array, &memory, sizeof memory);
        *room = larger;
    }
    return memset((char *)memory + (*count)++ * bytes, 0, bytes);
}

#define PLACE(reading, noun, nouns) \
    place(reading, &(reading)->profile.nouns, &(reading)->noun##_room, &(reading)->profile.noun##_count, \
          sizeof *(reading)->profile.nouns)

static const char *read_text(struct reading *reading, struct pe__json *json)
{
    char text[PE__JSON_TEXT_BYTES];
    const char *copy;

    pe__json_text(json, text);
    copy = pe__arena_text(reading->profile.arena, text);
    reading->no_memory |= !copy;
    return copy;
}

static uint32_t read_u32(struct pe__json *json)
{
    uint64_t value = pe__json_u64(json);

    json->bad |= value > UINT32_MAX;
    return (uint32_t)value;
}

static int32_t read_i32(struct pe__json *json)
{
    int64_t value = pe__json_i64(json);

    json->bad |= value < INT32_MIN || value > INT32_MAX;
    return (int32_t)value;
}

/* A duration, or a time. */
static int64_t read_ns(struct pe__json *json)
{
    int64_t value = pe__json_i64(json);

    json->bad |= value < 0;
    return value;
}

/* Below `count`; or null, which is PE__REGION_NOTHING. */
static uint32_t read_index(struct pe__json *json, uint32_t count)
{
    uint32_t value = pe__json_null(json) ? PE__REGION_NOTHING : read_u32(json);

    json->bad |= value != PE__REGION_NOTHING && value >= count;
    return value;
}

static bool is(const char *key, const char *name)
{
    return strcmp(key, name) == 0;
}

static void read_label(struct reading *reading, struct pe__json *json)
{
    struct pe__profile_label *label = PLACE(reading, label, labels);
    char key[PE__JSON_KEY_BYTES], kind[PE__JSON_TEXT_BYTES] = "";

    if (!label)
        return;
    label->name = label->file = "";
    for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
        if (is(key, "kind"))
            pe__json_text(json, kind);
        else if (is(key, "name"))
            label->name = read_text(reading, json);
        else if (is(key, "file"))
            label->file = read_text(reading, json);
        else if (is(key, "line"))
            label->line = read_u32(json);
        else
            pe__json_skip(json);
    json->bad |= !pe__kind_named(kind, &label->kind);
}

static bool read_process_count(struct pe__json *json, const char *key, struct pe__profile_process *process)
{
    if (is(key, "dropped_labels"))
        process->dropped_labels = pe__json_u64(json);
    else if (is(key, "dropped_nodes"))
        process->dropped_nodes = pe__json_u64(json);
    else if (is(key, "dropped_threads"))
        process->dropped_threads = pe__json_u64(json);
    else if (is(key, "dropped_in_handler"))
        process->dropped_in_handler = pe__json_u64(json);
    else
        return false;
    return true;
}

static void read_process(struct reading *reading, struct pe__json *json)
{
    struct pe__profile_process *process = PLACE(reading, process, processes);
    char key[PE__JSON_KEY_BYTES];

    if (!process)
        return;
    process->worker = -1;
    for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
        if (is(key, "pool"))
            process->pool = pe__json_null(json) ? PE__PROFILE_FREED_POOLS : read_u32(json);
        else if (is(key, "worker"))
            process->worker = read_i32(json);
        else if (is(key, "pid"))
            process->pid = read_i32(json);
        else if (is(key, "lives"))
            process->lives = read_u32(json);
        else if (!read_process_count(json, key, process))
            pe__json_skip(json);
}

static bool read_track_count(struct reading *reading, struct pe__json *json, const char *key,
                             struct pe__profile_track *track)
{
    uint32_t labels = reading->profile.label_count;

    if (is(key, "unmatched"))
        track->unmatched = pe__json_u64(json);
    else if (is(key, "crossed"))
        track->crossed = pe__json_u64(json);
    else if (is(key, "unfinished"))
        track->unfinished = pe__json_u64(json);
    else if (is(key, "dropped_calls"))
        track->dropped_calls = pe__json_u64(json);
    else if (is(key, "dropped_events"))
        track->dropped_events = pe__json_u64(json);
    else if (is(key, "first_unmatched"))
        track->first_unmatched = read_index(json, labels);
    else if (is(key, "first_crossed"))
        track->first_crossed = read_index(json, labels);
    else if (is(key, "first_unfinished"))
        track->first_unfinished = read_index(json, labels);
    else
        return false;
    return true;
}

static void read_track(struct reading *reading, struct pe__json *json)
{
    struct pe__profile_track *track = PLACE(reading, track, tracks);
    char key[PE__JSON_KEY_BYTES];

    if (!track)
        return;
    track->name = "";
    track->process = track->first_unmatched = track->first_crossed = track->first_unfinished = PE__REGION_NOTHING;
    for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
        if (is(key, "process"))
            track->process = read_index(json, reading->profile.process_count);
        else if (is(key, "number"))
            track->number = read_u32(json);
        else if (is(key, "tid"))
            track->tid = read_i32(json);
        else if (is(key, "name"))
            track->name = read_text(reading, json);
        else if (is(key, "ended"))
            track->ended = pe__json_bool(json);
        else if (is(key, "lives"))
            track->lives = read_u32(json);
        else if (!read_track_count(reading, json, key, track))
            pe__json_skip(json);
    json->bad |= track->process == PE__REGION_NOTHING;
}

static void read_buckets(struct reading *reading, struct pe__json *json, struct pe__profile_node *node)
{
    uint64_t *buckets = pe__arena_alloc(reading->profile.arena, PE__REGION_BUCKETS * sizeof *buckets);
    uint64_t pair[2];

    reading->no_memory |= !buckets;
    for (bool more = pe__json_array(json); buckets && more && pe__json_element(json);) {
        int count = 0;

        for (more = pe__json_array(json); more && pe__json_element(json); count++)
            pair[count & 1] = pe__json_u64(json);
        json->bad |= count != 2;
        if (!json->bad)
            buckets[pe__region_bucket(pair[0])] = pair[1];
    }
    node->buckets = buckets;
}

static bool read_node_time(struct pe__json *json, const char *key, struct pe__profile_node *node)
{
    if (is(key, "total_ns"))
        node->total_ns = read_ns(json);
    else if (is(key, "least_ns"))
        node->least_ns = read_ns(json);
    else if (is(key, "most_ns"))
        node->most_ns = read_ns(json);
    else if (is(key, "waited_ns"))
        node->waited_ns = read_ns(json);
    else if (is(key, "cpu_ns"))
        node->cpu_ns = read_ns(json);
    else if (is(key, "open_ns"))
        node->open_ns = read_ns(json);
    else
        return false;
    return true;
}

static bool read_node_count(struct pe__json *json, const char *key, struct pe__profile_node *node)
{
    if (is(key, "calls"))
        node->calls = pe__json_u64(json);
    else if (is(key, "timed"))
        node->timed = pe__json_u64(json);
    else if (is(key, "unfinished"))
        node->unfinished = pe__json_u64(json);
    else if (is(key, "sum"))
        node->sum = pe__json_i64(json);
    else if (is(key, "least"))
        node->least = pe__json_i64(json);
    else if (is(key, "most"))
        node->most = pe__json_i64(json);
    else
        return false;
    return true;
}

static void read_node(struct reading *reading, struct pe__json *json)
{
    uint32_t number = reading->profile.node_count;
    struct pe__profile_node *node = PLACE(reading, node, nodes);
    char key[PE__JSON_KEY_BYTES];

    if (!node)
        return;
    node->track = node->parent = node->label = PE__REGION_NOTHING;
    for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
        if (is(key, "thread"))
            node->track = read_index(json, reading->profile.track_count);
        else if (is(key, "parent"))
            node->parent = read_index(json, number);
        else if (is(key, "label"))
            node->label = read_index(json, reading->profile.label_count);
        else if (is(key, "buckets"))
            read_buckets(reading, json, node);
        else if (!read_node_time(json, key, node) && !read_node_count(json, key, node))
            pe__json_skip(json);
    json->bad |= node->track == PE__REGION_NOTHING || node->label == PE__REGION_NOTHING;
}

/* ---- the whole ---- */

/* Noted, and passed over. */
static void note_array(struct pe__json *json, struct pe__json *ret)
{
    *ret = *json;
    pe__json_skip(json);
}

static bool read_scalar(struct reading *reading, struct pe__json *json, const char *key)
{
    struct pe__profile *profile = &reading->profile;

    if (is(key, "program"))
        profile->program = read_text(reading, json);
    else if (is(key, "clock"))
        profile->clock = read_text(reading, json);
    else if (is(key, "mode"))
        profile->mode = read_text(reading, json);
    else if (is(key, "sample_every"))
        profile->sample_every = read_u32(json);
    else if (is(key, "cpu_time"))
        profile->has_cpu_time = pe__json_bool(json);
    else if (is(key, "runs"))
        profile->runs = read_u32(json);
    else if (is(key, "ticks_per_second"))
        profile->ticks_per_ns = (double)read_ns(json) / 1e9;
    else if (is(key, "pair_cost_ps"))
        profile->pair_cost_ns = (double)read_ns(json) / 1e3;
    else if (is(key, "begin_ns"))
        profile->begin_ns = read_ns(json);
    else if (is(key, "begin_unix_ns"))
        profile->begin_unix_ns = read_ns(json);
    else if (is(key, "wall_ns"))
        profile->wall_ns = read_ns(json);
    else
        return false;
    return true;
}

static bool read_top(struct reading *reading, struct pe__json *json)
{
    char key[PE__JSON_KEY_BYTES];
    uint64_t version = 0;

    for (bool more = pe__json_object(json); more && pe__json_member(json, key);)
        if (is(key, "parexec_report"))
            version = pe__json_u64(json);
        else if (is(key, "labels"))
            note_array(json, &reading->labels);
        else if (is(key, "processes"))
            note_array(json, &reading->processes);
        else if (is(key, "threads"))
            note_array(json, &reading->tracks);
        else if (is(key, "nodes"))
            note_array(json, &reading->nodes);
        else if (!read_scalar(reading, json, key))
            pe__json_skip(json);
    return pe__json_end(json) && version == SCHEMA_VERSION && reading->profile.runs > 0 &&
           reading->profile.sample_every > 0;
}

static bool read_array(struct reading *reading, struct pe__json *json,
                       void (*read)(struct reading *reading, struct pe__json *json))
{
    for (bool more = pe__json_array(json); !reading->no_memory && more && pe__json_element(json);)
        read(reading, json);
    return !json->bad;
}

static bool read_report(struct reading *reading, struct pe__json *json)
{
    reading->profile.program = reading->profile.clock = reading->profile.mode = "";
    reading->profile.sample_every = reading->profile.runs = 1;
    return read_top(reading, json) && read_array(reading, &reading->labels, read_label) &&
           read_array(reading, &reading->processes, read_process) &&
           read_array(reading, &reading->tracks, read_track) && read_array(reading, &reading->nodes, read_node);
}

static int build(const struct pe__profile *profile, struct pe__profile *ret)
{
    struct pe__builder builder;

    if (pe__builder_init(&builder, (struct pe__builder_most)PE__BUILDER_NO_LIMIT) != 0)
        return PE_ENOMEM;
    pe__builder_add_run(&builder, profile);
    return pe__builder_finish(&builder, ret);
}

int pe__profile_read(struct pe__profile *ret, FILE *file)
{
    struct reading reading = { .no_memory = false };
    struct pe__json json;
    size_t bytes;
    char *text;
    int error = read_all(file, &text, &bytes);

    if (error)
        return error;
    reading.profile.arena = pe__arena_new();
    json = pe__json_over(text, bytes);
    if (!reading.profile.arena)
        error = PE_ENOMEM;
    else if (!read_report(&reading, &json) || reading.no_memory)
        error = reading.no_memory ? PE_ENOMEM : PE_EINVAL;
    else
        error = build(&reading.profile, ret);
    pe__profile_free(&reading.profile);
    free(text);
    return error;
}
