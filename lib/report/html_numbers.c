/*
 * html_numbers.c - the boxes and arrows of the timeline as numbers for the script (html_page.js).
 *
 * Times are in units that make them short, at most 2^28 in all.
 */
#include <stdlib.h>

#include "report/html_lanes.h"
#include "report/html_timeline.h"

#define FLOWS_MOST ((size_t)20000)

struct row_writer {
    const struct pe__html_timeline *timeline;
    int64_t last;
    const char *comma;
};

/*
 * Gap from the start of the box before, length, name. Of several calls: gap, length, -1 - name, calls, percent busy. Of
 * one that has not ended as it should: gap, length, -1 - name, 0, how (enum pe__html_ending).
 */
static void write_box(void *context, const struct pe__html_box *box)
{
    struct row_writer *writer = context;
    int64_t unit_ns = writer->timeline->unit_ns, start = box->start_ns / unit_ns, end = box->end_ns / unit_ns;
    long long name = writer->timeline->page->numbers[box->label];
    int64_t length_ns = box->end_ns - box->start_ns;
    int64_t busy = length_ns > box->busy_ns ? 100 * box->busy_ns / length_ns : 100;

    pe__sink_print(writer->timeline->sink, "%s%lld,%lld,", writer->comma, (long long)(start - writer->last),
                   (long long)(end - start));
    if (box->ending != PE__HTML_LEFT)
        pe__sink_print(writer->timeline->sink, "%lld,0,%d", -1 - name, (int)box->ending);
    else if (box->calls == 1)
        pe__sink_print(writer->timeline->sink, "%lld", name);
    else
        pe__sink_print(writer->timeline->sink, "%lld,%llu,%lld", -1 - name, (unsigned long long)box->calls,
                       (long long)busy);
    writer->last = start;
    writer->comma = ",";
}

static void write_rows(const struct pe__html_timeline *timeline, uint32_t index)
{
    struct pe__html_lane lane;

    if (!pe__html_lane_build(&lane, timeline->profile, index, timeline->lane_boxes)) {
        pe__html_fail(timeline->page);
        return;
    }
    pe__sink_text(timeline->sink, index > 0 ? ",\n[" : "[");
    for (uint32_t row = 0; row < lane.row_count; row++) {
        struct row_writer writer = { timeline, 0, "" };

        pe__sink_text(timeline->sink, row > 0 ? ",[" : "[");
        pe__html_lane_boxes(&lane, row, write_box, &writer);
        pe__sink_text(timeline->sink, "]");
    }
    pe__sink_text(timeline->sink, "]");
    pe__html_lane_free(&lane);
}

static int by_job_then_time(const void *a, const void *b)
{
    const struct pe__profile_event *left = *(const struct pe__profile_event *const *)a;
    const struct pe__profile_event *right = *(const struct pe__profile_event *const *)b;

    if (left->value != right->value)
        return left->value < right->value ? -1 : 1;
    if (left->start_ns != right->start_ns)
        return left->start_ns < right->start_ns ? -1 : 1;
    return (left->kind > right->kind) - (left->kind < right->kind);
}

static bool is_flow(const struct pe__html_timeline *timeline, const struct pe__profile_event *event)
{
    return (event->kind == PE__EVENT_FLOW_OUT || event->kind == PE__EVENT_FLOW_IN) &&
           event->track < timeline->lane_count;
}

/* lane, time in the host; lane, time in the worker */
static void write_flow(const struct pe__html_timeline *timeline, const struct pe__profile_event *out,
                       const struct pe__profile_event *in, bool first)
{
    pe__sink_print(timeline->sink, "%s%u,%lld,%u,%lld", first ? "" : ",", out->track,
                   (long long)(out->start_ns / timeline->unit_ns), in->track,
                   (long long)(in->start_ns / timeline->unit_ns));
}

/* A job may begin several times, after crashes; each goes back to where it was submitted. */
static void write_pairs(const struct pe__html_timeline *timeline, const struct pe__profile_event **flows, size_t count)
{
    size_t every = count / (2 * FLOWS_MOST) + 1, pair = 0;
    const struct pe__profile_event *out = NULL;
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if (flows[i]->kind == PE__EVENT_FLOW_OUT)
            out = flows[i];
        else if (out && out->value == flows[i]->value && pair++ % every == 0) {
            write_flow(timeline, out, flows[i], first);
            first = false;
        }
    }
}

static void write_flows(const struct pe__html_timeline *timeline)
{
    const struct pe__profile_event **flows;
    size_t count = 0;

    for (size_t i = 0; i < timeline->profile->event_count; i++)
        count += is_flow(timeline, &timeline->profile->events[i]);
    flows = calloc(count + 1, sizeof *flows);
    if (!flows) {
        pe__html_fail(timeline->page);
        return;
    }
    count = 0;
    for (size_t i = 0; i < timeline->profile->event_count; i++)
        if (is_flow(timeline, &timeline->profile->events[i]))
            flows[count++] = &timeline->profile->events[i];
    qsort(flows, count, sizeof *flows, by_job_then_time);
    write_pairs(timeline, flows, count);
    free(flows);
}

void pe__html_numbers(const struct pe__html_timeline *timeline)
{
    pe__sink_print(timeline->sink,
                   "<script type=\"application/json\" id=numbers>{\"unit\":%lld,\"wall\":%lld,\"lanes\":[\n",
                   (long long)timeline->unit_ns, (long long)timeline->profile->wall_ns);
    for (uint32_t i = 0; i < timeline->lane_count; i++)
        write_rows(timeline, i);
    pe__sink_text(timeline->sink, "],\n\"flows\":[");
    write_flows(timeline);
    pe__sink_text(timeline->sink, "]}</script>\n<ul id=names hidden>\n<li class=c0>(others)</li>\n");
    for (uint32_t i = 0; i < timeline->page->name_count; i++) {
        uint32_t label = timeline->page->names[i];

        pe__sink_print(timeline->sink, "<li class=c%u>", pe__html_colour(timeline->page, label));
        pe__html_label(timeline->sink, &timeline->profile->labels[label]);
        pe__sink_text(timeline->sink, "</li>\n");
    }
    pe__sink_text(timeline->sink, "</ul>\n");
}
