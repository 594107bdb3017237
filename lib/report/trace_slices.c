/*
 * trace_slices.c - the calls of a thread as complete events, strictly nested.
 *
 * Viewers take a slice for a child of the one that it lies in, and drop, move or misdraw what only overlaps. The calls
 * of a thread are nested by the way they are recorded, but their times are read on whatever CPU the thread was on, and
 * so may be off by a little; and what is open now, or has been cut short, has an end that was not measured at all. So
 * each slice is fitted into those around it: of two that overlap, the second loses the smaller piece, its end beyond
 * the first one's or its beginning before that. Slices come out by their start, which thus never goes back.
 *
 * Slices do not touch either, and none is shorter than 1 ns: speedscope adds start and duration as fractions, so of
 * two equal ends either may come out as the later one, and takes ends before beginnings. An end is 1 ns before that of
 * the slice around it, a beginning 1 ns behind the end of the slice before.
 */
#include <inttypes.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/title.h"
#include "report/trace.h"

struct slice {
    int64_t start_ns, end_ns;
    uint32_t label;
    bool unfinished;
};

/* A track while it is written. */
struct sweep {
    struct pe__trace *trace;
    uint32_t track;
    struct slice stack[PE__REGION_DEPTH_MOST]; /* around what comes next, outermost first */
    uint32_t depth;
    int64_t latest_ns; /* where the last slice began */
};

static void leave_ended(struct sweep *sweep, int64_t now_ns)
{
    while (sweep->depth > 0 && sweep->stack[sweep->depth - 1].end_ns < now_ns)
        sweep->depth--;
}

static const struct slice *innermost(const struct sweep *sweep)
{
    return sweep->depth > 0 ? &sweep->stack[sweep->depth - 1] : NULL;
}

static void fit(struct sweep *sweep, struct slice *slice)
{
    const struct slice *around;

    if (slice->start_ns < sweep->latest_ns)
        slice->start_ns = sweep->latest_ns;
    for (;;) {
        leave_ended(sweep, slice->start_ns);
        if (slice->end_ns <= slice->start_ns)
            slice->end_ns = slice->start_ns + 1;
        around = innermost(sweep);
        if (!around || slice->end_ns < around->end_ns)
            return;
        if (slice->end_ns - around->end_ns < around->end_ns - 1 - slice->start_ns)
            slice->end_ns = around->end_ns - 1;
        else
            slice->start_ns = around->end_ns + 1;
    }
}

static void put_slice(struct sweep *sweep, struct slice slice)
{
    struct pe__sink *sink = sweep->trace->sink;
    int64_t duration_ns;

    fit(sweep, &slice);
    duration_ns = slice.end_ns - slice.start_ns;
    pe__trace_begin(sweep->trace, 'X', slice.label, sweep->track, slice.start_ns);
    pe__sink_print(sink, ",\"dur\":%" PRId64 ".%03d%s}", duration_ns / 1000, (int)(duration_ns % 1000),
                   slice.unfinished ? ",\"args\":{\"unfinished\":true}" : "");
    sweep->latest_ns = slice.start_ns;
    if (sweep->depth < PE__REGION_DEPTH_MOST)
        sweep->stack[sweep->depth++] = slice;
}

/* What is not on the stack overlaps as it likes, and so is a pair of asynchronous events. */
static void put_span(struct sweep *sweep, const struct pe__profile_event *event)
{
    struct pe__trace *trace = sweep->trace;
    uint64_t number = ++trace->span_count;

    pe__trace_begin(trace, 'b', event->label, sweep->track, event->start_ns);
    pe__sink_print(trace->sink, ",\"id\":\"0x%" PRIx64 "\"}", number);
    pe__trace_begin(trace, 'e', event->label, sweep->track, event->end_ns);
    pe__sink_print(trace->sink, ",\"id\":\"0x%" PRIx64 "\"}", number);
}

/* The end of a process is its own matter, not one thread's. */
static void put_mark(struct sweep *sweep, const struct pe__profile_event *event)
{
    static const char crash[] = "pe.crash";
    const char *name = sweep->trace->profile->labels[event->label].name;

    pe__trace_begin(sweep->trace, 'i', event->label, sweep->track, event->start_ns);
    pe__sink_print(sweep->trace->sink, ",\"s\":\"%c\"}", strncmp(name, crash, sizeof crash - 1) == 0 ? 'p' : 't');
}

/* An arrow begins and ends at the start of a slice: further on, Perfetto would take it for one of a slice inside that
 * has ended. Where there is none of that name here and now, it gets one of 1 ns. */
static void note_flow(struct sweep *sweep, const struct pe__profile_event *event)
{
    struct pe__trace *trace = sweep->trace;
    const struct slice *around;

    leave_ended(sweep, event->start_ns);
    around = innermost(sweep);
    if (!around || around->label != event->label)
        put_slice(sweep, (struct slice){ event->start_ns, event->start_ns + 1, event->label, false });
    trace->flows[trace->flow_count++] = (struct pe__trace_flow){
        .job = (uint64_t)event->value,
        .track = sweep->track,
        .label = event->label,
        .kind = event->kind,
        .at_ns = around && around->label == event->label ? around->start_ns : sweep->latest_ns,
    };
}

static void put_event(struct sweep *sweep, const struct pe__profile_event *event)
{
    bool cut = event->kind == PE__EVENT_CUT;

    switch (event->kind) {
    case PE__EVENT_CALL:
    case PE__EVENT_CUT:
        if (pe__title_is_nested(&sweep->trace->profile->labels[event->label]))
            put_slice(sweep, (struct slice){ event->start_ns, event->end_ns, event->label, cut });
        else if (event->end_ns > event->start_ns)
            put_span(sweep, event);
        break;
    case PE__EVENT_MARK:
        put_mark(sweep, event);
        break;
    case PE__EVENT_FLOW_OUT:
    case PE__EVENT_FLOW_IN:
        note_flow(sweep, event);
        break;
    default:
        break;
    }
}

/* What is open lasts until now. */
static void put_open(struct sweep *sweep, int64_t until_ns)
{
    struct pe__trace *trace = sweep->trace;
    const struct pe__profile *profile = trace->profile;

    for (; trace->next_open < trace->open_count; trace->next_open++) {
        const struct pe__profile_node *node = &profile->nodes[trace->open[trace->next_open]];

        if (node->track != sweep->track || node->open_ns > until_ns)
            return;
        put_slice(sweep, (struct slice){ node->open_ns, profile->wall_ns, node->label, true });
    }
}

/* Says in the picture why there is nothing further back. */
static void put_dropped(struct sweep *sweep, const struct pe__profile_track *track, int64_t at_ns)
{
    struct pe__trace *trace = sweep->trace;

    pe__trace_place(trace, 'i', sweep->track, at_ns);
    pe__sink_text(trace->sink, ",\"name\":\"dropped\",\"cat\":\"parexec\",\"s\":\"t\"");
    pe__sink_print(trace->sink, ",\"args\":{\"events\":%" PRIu64 "}}", track->dropped_events);
}

void pe__trace_slices(struct pe__trace *trace, uint32_t track)
{
    const struct pe__profile_track *this = &trace->profile->tracks[track];
    /* Without any there is no array either, and C has no sum of NULL and 0. */
    const struct pe__profile_event *events = this->event_count > 0 ? trace->profile->events + this->first_event : NULL;
    struct sweep sweep = { .trace = trace, .track = track };

    if (this->dropped_events > 0 && this->event_count > 0)
        put_dropped(&sweep, this, events[0].start_ns);
    for (uint32_t i = 0; i < this->event_count && !trace->sink->error; i++) {
        put_open(&sweep, events[i].start_ns);
        put_event(&sweep, &events[i]);
    }
    put_open(&sweep, INT64_MAX);
}
