/*
 * report_json.c - everything but the timeline as JSON; profile_read.c reads it back. doc/reports/data.md says what the
 * fields mean.
 *
 * Numbers are whole ones throughout: they stand for themselves in every locale, and come back exactly.
 */
#include <inttypes.h>

#include "report/kinds.h"
#include "report/sink.h"

#define SCHEMA_VERSION 1

static void put_text(struct pe__sink *sink, const char *key, const char *text)
{
    pe__sink_print(sink, "\"%s\":", key);
    pe__sink_json(sink, text);
}

/* A label, or null. */
static void put_first(struct pe__sink *sink, const char *key, uint32_t label)
{
    if (label == PE__REGION_NOTHING)
        pe__sink_print(sink, ",\"%s\":null", key);
    else
        pe__sink_print(sink, ",\"%s\":%" PRIu32, key, label);
}

static int64_t rounded(double value)
{
    return value < 9e18 ? (int64_t)(value + 0.5) : INT64_MAX;
}

static void put_head(struct pe__sink *sink, const struct pe__profile *profile)
{
    pe__sink_print(sink, "{\"parexec_report\":%d,\n", SCHEMA_VERSION);
    put_text(sink, "program", profile->program);
    pe__sink_text(sink, ",");
    put_text(sink, "clock", profile->clock);
    pe__sink_text(sink, ",");
    put_text(sink, "mode", profile->mode);
    pe__sink_print(sink, ",\"sample_every\":%" PRIu32 ",\"cpu_time\":%s,\"runs\":%" PRIu32, profile->sample_every,
                   profile->has_cpu_time ? "true" : "false", profile->runs);
    pe__sink_print(sink, ",\"ticks_per_second\":%" PRId64, rounded(profile->ticks_per_ns * 1e9));
    pe__sink_print(sink, ",\"pair_cost_ps\":%" PRId64, rounded(profile->pair_cost_ns * 1e3));
    pe__sink_print(sink, ",\"begin_ns\":%" PRId64 ",\"begin_unix_ns\":%" PRId64 ",\"wall_ns\":%" PRId64,
                   profile->begin_ns, profile->begin_unix_ns, profile->wall_ns);
}

static void put_label(struct pe__sink *sink, const struct pe__profile_label *label)
{
    pe__sink_print(sink, "{\"kind\":\"%s\",", pe__kind_name(label->kind));
    put_text(sink, "name", label->name);
    pe__sink_text(sink, ",");
    put_text(sink, "file", label->file);
    pe__sink_print(sink, ",\"line\":%" PRIu32 "}", label->line);
}

static void put_process(struct pe__sink *sink, const struct pe__profile_process *process)
{
    char name[PE__PROFILE_PROCESS_BYTES];

    pe__profile_process_name(process, name);
    pe__sink_text(sink, "{");
    put_text(sink, "name", name);
    if (process->pool == PE__PROFILE_FREED_POOLS)
        pe__sink_text(sink, ",\"pool\":null");
    else
        pe__sink_print(sink, ",\"pool\":%" PRIu32, process->pool);
    pe__sink_print(sink, ",\"worker\":%" PRId32 ",\"pid\":%" PRId32 ",\"lives\":%" PRIu32, process->worker,
                   process->pid, process->lives);
    pe__sink_print(sink, ",\"dropped_labels\":%" PRIu64 ",\"dropped_nodes\":%" PRIu64, process->dropped_labels,
                   process->dropped_nodes);
    pe__sink_print(sink, ",\"dropped_threads\":%" PRIu64 ",\"dropped_in_handler\":%" PRIu64 "}",
                   process->dropped_threads, process->dropped_in_handler);
}

static void put_track(struct pe__sink *sink, const struct pe__profile_track *track)
{
    pe__sink_print(sink, "{\"process\":%" PRIu32 ",\"number\":%" PRIu32 ",\"tid\":%" PRId32 ",", track->process,
                   track->number, track->tid);
    put_text(sink, "name", track->name);
    pe__sink_print(sink, ",\"ended\":%s,\"lives\":%" PRIu32, track->ended ? "true" : "false", track->lives);
    pe__sink_print(sink, ",\"unmatched\":%" PRIu64 ",\"crossed\":%" PRIu64 ",\"unfinished\":%" PRIu64,
                   track->unmatched, track->crossed, track->unfinished);
    pe__sink_print(sink, ",\"dropped_calls\":%" PRIu64 ",\"dropped_events\":%" PRIu64, track->dropped_calls,
                   track->dropped_events);
    put_first(sink, "first_unmatched", track->first_unmatched);
    put_first(sink, "first_crossed", track->first_crossed);
    put_first(sink, "first_unfinished", track->first_unfinished);
    pe__sink_text(sink, "}");
}

/* Where each bucket that is not empty begins, and how many calls fell into it. */
static void put_buckets(struct pe__sink *sink, const uint64_t *buckets)
{
    const char *comma = "";

    pe__sink_text(sink, ",\"buckets\":[");
    for (uint32_t i = 0; i < PE__REGION_BUCKETS; i++)
        if (buckets[i] != 0) {
            pe__sink_print(sink, "%s[%" PRIu64 ",%" PRIu64 "]", comma, pe__region_bucket_from(i), buckets[i]);
            comma = ",";
        }
    pe__sink_text(sink, "]");
}

static void put_node(struct pe__sink *sink, const struct pe__profile_node *node)
{
    pe__sink_print(sink, "{\"thread\":%" PRIu32, node->track);
    put_first(sink, "parent", node->parent);
    pe__sink_print(sink, ",\"label\":%" PRIu32 ",\"recursive\":%s", node->label, node->recursive ? "true" : "false");
    pe__sink_print(sink, ",\"calls\":%" PRIu64 ",\"timed\":%" PRIu64 ",\"unfinished\":%" PRIu64, node->calls,
                   node->timed, node->unfinished);
    pe__sink_print(sink, ",\"total_ns\":%" PRId64 ",\"own_ns\":%" PRId64 ",\"least_ns\":%" PRId64
                   ",\"most_ns\":%" PRId64, node->total_ns, node->own_ns, node->least_ns, node->most_ns);
    pe__sink_print(sink, ",\"waited_ns\":%" PRId64 ",\"cpu_ns\":%" PRId64 ",\"open_ns\":%" PRId64, node->waited_ns,
                   node->cpu_ns, node->open_ns);
    pe__sink_print(sink, ",\"sum\":%" PRId64 ",\"least\":%" PRId64 ",\"most\":%" PRId64, node->sum, node->least,
                   node->most);
    if (node->buckets)
        put_buckets(sink, node->buckets);
    pe__sink_text(sink, "}");
}

/* An array with an element in each line. */
#define PUT_ARRAY(sink, key, array, count, put) \
    do { \
        pe__sink_print(sink, ",\n\"%s\":[", key); \
        for (uint32_t i_ = 0; i_ < (count); i_++) { \
            pe__sink_text(sink, i_ == 0 ? "\n" : ",\n"); \
            put(sink, &(array)[i_]); \
        } \
        pe__sink_text(sink, "]"); \
    } while (0)

void pe__report_json(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    (void)options;
    put_head(sink, profile);
    PUT_ARRAY(sink, "labels", profile->labels, profile->label_count, put_label);
    PUT_ARRAY(sink, "processes", profile->processes, profile->process_count, put_process);
    PUT_ARRAY(sink, "threads", profile->tracks, profile->track_count, put_track);
    PUT_ARRAY(sink, "nodes", profile->nodes, profile->node_count, put_node);
    pe__sink_text(sink, "}\n");
}
