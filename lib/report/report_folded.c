/*
 * report_folded.c - folded stacks: for each path one line, its frames with semicolons between, a space, and its own
 * time in nanoseconds. flamegraph.pl, inferno and speedscope draw flame graphs of them.
 *
 * The first frame is the process, so that one picture shows host and workers side by side. The next one is the thread,
 * where a process has had more than one; threads of the same name come out with the same frames, which the tools add
 * up. A line of PE_LINE is a frame below its region. Spans are left out, and so is what jobs and workers wait for each
 * other: that time passes beside that of regions, and a picture of both would show it twice. So are counters and marks,
 * which take no time.
 *
 * The format knows no quoting. A semicolon within a name becomes a colon, and what could end a line becomes a space.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/sink.h"
#include "report/title.h"

/* As many bytes as before. */
static void make_safe(char *text)
{
    while (*text) {
        size_t bytes = pe__sink_character(text);

        if (bytes == 0)
            *text = '?';
        else if (*text == ';')
            *text = ':';
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
        text += bytes ? bytes : 1;
    }
}

static void put_frame(struct pe__sink *sink, char *title)
{
    make_safe(title);
    pe__sink_print(sink, ";%s", title);
}

static bool is_of(const struct pe__profile *profile, uint32_t track, uint32_t process)
{
    return track < profile->track_count && profile->tracks[track].process == process;
}

/* The frames of process and thread. */
static void put_track(struct pe__sink *sink, const struct pe__profile *profile, uint32_t track)
{
    uint32_t process = profile->tracks[track].process;
    char name[PE__PROFILE_PROCESS_BYTES], title[PE__TITLE_BYTES];

    pe__profile_process_name(&profile->processes[process], name);
    pe__sink_text(sink, name);
    if ((track > 0 && is_of(profile, track - 1, process)) || is_of(profile, track + 1, process)) {
        pe__title_track(title, &profile->tracks[track]);
        put_frame(sink, title);
    }
}

/* The frames from the outermost region to this one. */
static void put_path(struct pe__sink *sink, const struct pe__profile *profile, uint32_t node)
{
    uint32_t path[PE__PROFILE_DEPTH_MOST + 1], depth = pe__profile_path(profile, node, path);
    char title[PE__TITLE_BYTES];

    while (depth-- > 0) {
        const struct pe__profile_label *label = &profile->labels[profile->nodes[path[depth]].label];

        if (label->kind == PE__KIND_ROOT)
            continue;
        pe__title_label(title, label);
        put_frame(sink, title);
    }
}

/* What each frame has for itself alone: a profile's own time of a region has that of its lines in it. */
static int64_t *own_times(const struct pe__profile *profile)
{
    int64_t *own_ns = calloc((size_t)profile->node_count + 1, sizeof *own_ns);

    for (uint32_t i = 0; own_ns && i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        own_ns[i] += node->own_ns;
        if (profile->labels[node->label].kind == PE_SITE_LINE && node->parent != PE__REGION_NOTHING)
            own_ns[node->parent] -= node->own_ns;
    }
    return own_ns;
}

void pe__report_folded(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    int64_t *own_ns = own_times(profile);

    (void)options;
    if (!own_ns)
        sink->error = PE_ENOMEM;
    for (uint32_t i = 0; i < profile->node_count && !sink->error; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];

        if (!pe__title_is_nested(&profile->labels[node->label]) || own_ns[i] <= 0)
            continue;
        put_track(sink, profile, node->track);
        put_path(sink, profile, i);
        pe__sink_print(sink, " %" PRId64 "\n", own_ns[i]);
    }
    free(own_ns);
}
