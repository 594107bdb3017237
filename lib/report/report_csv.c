/*
 * report_csv.c - one row for each path of each thread, as RFC 4180 wants it; doc/reports/data.md says what the columns
 * mean.
 */
#include <inttypes.h>
#include <string.h>

#include <parexec/region.h>

#include "report/kinds.h"
#include "report/sink.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Within quotes: those double, what is no UTF-8 is replaced. */
static void put_quoted(struct pe__sink *sink, const char *text)
{
    char character[5] = { 0 };

    while (*text) {
        size_t bytes = pe__sink_character(text);

        memcpy(character, text, bytes);
        character[bytes] = '\0';
        pe__sink_text(sink, bytes == 0 ? REPLACEMENT : *text == '"' ? "\"\"" : character);
        text += bytes ? bytes : 1;
    }
}

static void put_field(struct pe__sink *sink, const char *text)
{
    pe__sink_text(sink, "\"");
    put_quoted(sink, text);
    pe__sink_text(sink, "\"");
}

/* The names from the outermost region on, with semicolons between; of a line its number. */
static void put_path(struct pe__sink *sink, const struct pe__profile *profile, uint32_t node)
{
    uint32_t path[PE__PROFILE_DEPTH_MOST + 1], depth = pe__profile_path(profile, node, path);

    pe__sink_text(sink, ",\"");
    while (depth-- > 0) {
        const struct pe__profile_label *label = &profile->labels[profile->nodes[path[depth]].label];

        if (label->kind == PE__KIND_ROOT)
            continue;
        if (label->kind == PE_SITE_LINE)
            pe__sink_print(sink, "line %" PRIu32, label->line);
        else
            put_quoted(sink, label->name);
        pe__sink_text(sink, depth > 0 ? ";" : "");
    }
    pe__sink_text(sink, "\"");
}

static void put_place(struct pe__sink *sink, const struct pe__profile *profile, const struct pe__profile_node *node)
{
    const struct pe__profile_track *track = &profile->tracks[node->track];
    const struct pe__profile_process *process = &profile->processes[track->process];
    const struct pe__profile_label *label = &profile->labels[node->label];
    char name[PE__PROFILE_PROCESS_BYTES];

    pe__profile_process_name(process, name);
    put_field(sink, name);
    pe__sink_print(sink, ",%" PRId32 ",%" PRIu32 ",%" PRId32 ",", process->pid, track->number, track->tid);
    put_field(sink, track->name);
    put_path(sink, profile, (uint32_t)(node - profile->nodes));
    pe__sink_print(sink, ",%s,", pe__kind_name(label->kind));
    put_field(sink, label->name);
    pe__sink_text(sink, ",");
    put_field(sink, label->file);
    pe__sink_print(sink, ",%" PRIu32, label->line);
}

static int64_t percentile(const struct pe__profile_node *node, double fraction)
{
    return node->buckets ? pe__profile_percentile(node->buckets, fraction, node->least_ns, node->most_ns) : 0;
}

static void put_row(struct pe__sink *sink, const struct pe__profile *profile, const struct pe__profile_node *node)
{
    put_place(sink, profile, node);
    pe__sink_print(sink, ",%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%d", node->recursive, node->calls, node->timed,
                   node->unfinished, node->open_ns != 0);
    pe__sink_print(sink, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, node->total_ns, node->own_ns,
                   node->least_ns, node->most_ns);
    pe__sink_print(sink, ",%" PRId64 ",%" PRId64 ",%" PRId64, percentile(node, 0.50), percentile(node, 0.95),
                   percentile(node, 0.99));
    pe__sink_print(sink, ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\r\n", node->waited_ns,
                   node->cpu_ns, node->sum, node->least, node->most);
}

void pe__report_csv(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    (void)options;
    pe__sink_text(sink, "process,pid,thread,tid,thread_name,path,kind,name,file,line,recursive,calls,timed,unfinished,"
                        "open,total_ns,own_ns,least_ns,most_ns,p50_ns,p95_ns,p99_ns,waited_ns,cpu_ns,sum,least,"
                        "most\r\n");
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (profile->labels[profile->nodes[i].label].kind != PE__KIND_ROOT)
            put_row(sink, profile, &profile->nodes[i]);
}
