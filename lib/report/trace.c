/*
 * trace.c - what all events of a Chrome trace need: numbers of processes and threads, names.
 */
#include "report/trace.h"

#include <inttypes.h>
#include <stdlib.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/kinds.h"
#include "report/title.h"

/* Above the largest number that Linux gives to a process or thread. */
#define NUMBERS INT64_C(4194304)

void pe__trace_place(struct pe__trace *trace, char phase, uint32_t track, int64_t at_ns)
{
    uint32_t process = trace->profile->tracks[track].process;
    int64_t us = at_ns < 0 ? 0 : at_ns / 1000;

    pe__sink_print(trace->sink, ",\n{\"ph\":\"%c\",\"pid\":%" PRId64 ",\"tid\":%" PRId64 ",\"ts\":%" PRId64 ".%03d",
                   phase, trace->pids[process], trace->tids[track], us, at_ns < 0 ? 0 : (int)(at_ns % 1000));
}

void pe__trace_begin(struct pe__trace *trace, char phase, uint32_t label, uint32_t track, int64_t at_ns)
{
    pe__trace_place(trace, phase, track, at_ns);
    pe__sink_text(trace->sink, trace->members + trace->members_at[label]);
}

/*
 * All labels are written once, for each has many events. A counter has no place: chrome://tracing takes those of
 * another category for another counter, and several places may add to one.
 */
static void write_members(struct pe__sink *sink, const struct pe__profile *profile, size_t *members_at)
{
    char title[PE__TITLE_BYTES];

    for (uint32_t i = 0; i < profile->label_count && !sink->error; i++) {
        const struct pe__profile_label *label = &profile->labels[i];

        members_at[i] = (size_t)ftello(sink->file);
        pe__title_label(title, label);
        pe__sink_text(sink, ",\"name\":");
        pe__sink_json(sink, title);
        if (label->file[0] && label->kind != PE_SITE_COUNTER)
            snprintf(title, sizeof title, "%s,%s:%" PRIu32, pe__kind_name(label->kind), pe__title_file(label->file),
                     label->line);
        else
            snprintf(title, sizeof title, "%s", pe__kind_name(label->kind));
        pe__sink_text(sink, ",\"cat\":");
        pe__sink_json(sink, title);
        if (fputc(0, sink->file) == EOF)
            sink->error = PE_ENOMEM;
    }
}

static int make_members(struct pe__trace *trace)
{
    struct pe__sink sink = { NULL, 0 };
    size_t bytes;

    trace->members_at = calloc(trace->profile->label_count + 1, sizeof *trace->members_at);
    sink.file = open_memstream(&trace->members, &bytes);
    if (trace->members_at && sink.file)
        write_members(&sink, trace->profile, trace->members_at);
    if (sink.file && fclose(sink.file) == 0 && trace->members_at && sink.error == 0)
        return 0;
    return PE_ENOMEM;
}

struct number {
    uint32_t group; /* in which it must be the only one */
    int32_t given;
    uint32_t index;
};

static int in_order(const void *a, const void *b)
{
    const struct number *left = a, *right = b;

    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->given != right->given)
        return left->given < right->given ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* By index. What is not known is taken for 0, which itself is not given to anybody: viewers keep it for the kernel. */
static void make_unique(struct number *numbers, uint32_t count, int64_t *ret)
{
    int64_t raised = 0;

    if (count > 0)
        qsort(numbers, count, sizeof *numbers, in_order);
    for (uint32_t i = 0; i < count; i++) {
        bool again = i > 0 && numbers[i].group == numbers[i - 1].group && numbers[i].given == numbers[i - 1].given;

        raised = again ? raised + NUMBERS : numbers[i].given > 0 ? 0 : NUMBERS;
        ret[numbers[i].index] = numbers[i].given + raised;
    }
}

static int make_numbers(struct pe__trace *trace)
{
    const struct pe__profile *profile = trace->profile;
    struct number *numbers = calloc((size_t)profile->process_count + profile->track_count + 1, sizeof *numbers);

    trace->pids = calloc((size_t)profile->process_count + 1, sizeof *trace->pids);
    trace->tids = calloc((size_t)profile->track_count + 1, sizeof *trace->tids);
    if (numbers && trace->pids && trace->tids) {
        for (uint32_t i = 0; i < profile->process_count; i++)
            numbers[i] = (struct number){ 0, profile->processes[i].pid, i };
        make_unique(numbers, profile->process_count, trace->pids);
        for (uint32_t i = 0; i < profile->track_count; i++)
            numbers[i] = (struct number){ profile->tracks[i].process, profile->tracks[i].tid, i };
        make_unique(numbers, profile->track_count, trace->tids);
    }
    free(numbers);
    return numbers && trace->pids && trace->tids ? 0 : PE_ENOMEM;
}

/* By track, then by start; in one track a parent is open for longer than its children. */
static int open_in_order(const void *a, const void *b, void *profile)
{
    const struct pe__profile_node *nodes = ((const struct pe__profile *)profile)->nodes;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    if (nodes[left].track != nodes[right].track)
        return nodes[left].track < nodes[right].track ? -1 : 1;
    if (nodes[left].open_ns != nodes[right].open_ns)
        return nodes[left].open_ns < nodes[right].open_ns ? -1 : 1;
    return (left > right) - (left < right);
}

static bool is_open(const struct pe__profile *profile, const struct pe__profile_node *node)
{
    return node->open_ns > 0 && pe__title_is_nested(&profile->labels[node->label]);
}

static int make_open(struct pe__trace *trace)
{
    const struct pe__profile *profile = trace->profile;
    uint32_t count = 0;

    for (uint32_t i = 0; i < profile->node_count; i++)
        count += is_open(profile, &profile->nodes[i]);
    trace->open = calloc((size_t)count + 1, sizeof *trace->open);
    if (!trace->open)
        return PE_ENOMEM;
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (is_open(profile, &profile->nodes[i]))
            trace->open[trace->open_count++] = i;
    qsort_r(trace->open, count, sizeof *trace->open, open_in_order, (void *)profile);
    return 0;
}

static int make_flows(struct pe__trace *trace)
{
    size_t count = 0;

    for (size_t i = 0; i < trace->profile->event_count; i++)
        count += trace->profile->events[i].kind == PE__EVENT_FLOW_OUT ||
                 trace->profile->events[i].kind == PE__EVENT_FLOW_IN;
    trace->flows = calloc(count + 1, sizeof *trace->flows);
    return trace->flows ? 0 : PE_ENOMEM;
}

int pe__trace_init(struct pe__trace *ret, struct pe__sink *sink, const struct pe__profile *profile)
{
    int error;

    *ret = (struct pe__trace){ .sink = sink, .profile = profile };
    error = make_members(ret);
    if (!error)
        error = make_numbers(ret);
    if (!error)
        error = make_open(ret);
    if (!error)
        error = make_flows(ret);
    return error;
}

void pe__trace_fini(struct pe__trace *trace)
{
    free(trace->pids);
    free(trace->tids);
    free(trace->members);
    free(trace->members_at);
    free(trace->open);
    free(trace->flows);
}
