/*
 * html_timeline.c - what ran when: a lane for each thread of the host and for each worker.
 *
 * Without a script a lane is a strip as high as its thread was busy, drawn here from COLUMNS_MOST columns. The script
 * draws the boxes themselves from numbers that come with the page, at whatever zoom. Their number is bounded for all
 * lanes together; where there were more calls, short ones that follow one another are one box, which tells how many.
 */
#include <stdlib.h>
#include <string.h>

#include <parexec/region.h>

#include "report/html.h"
#include "report/html_lanes.h"
#include "report/html_timeline.h"
#include "report/html_workers.h"

#define BOXES_MOST 160000u
#define LANE_BOXES_MOST 40000u
#define LANES_MOST 400u
#define COLUMNS_MOST 500u
#define MARKS_MOST 2000u
#define STRIP_PIXELS 20

static bool is_worker(const struct pe__html_timeline *timeline, uint32_t track)
{
    return timeline->profile->processes[timeline->profile->tracks[track].process].pool > 0;
}

/* The first thread of a worker, which runs its jobs: that lane is the worker's. */
static bool is_first_thread(const struct pe__html_timeline *timeline, uint32_t track)
{
    return timeline->profile->tracks[track].number == 0;
}

static double percent(const struct pe__html_timeline *timeline, int64_t at_ns)
{
    return 100 * (double)at_ns / (double)timeline->profile->wall_ns;
}

/* ---- without a script ---- */

struct strip {
    double columns[COLUMNS_MOST]; /* how much of each is busy, 0 to 1 */
    double column_ns;
};

static void add_to_strip(void *context, const struct pe__html_box *box)
{
    struct strip *strip = context;
    double length = (double)(box->end_ns - box->start_ns), density = length > 0 ? (double)box->busy_ns / length : 0;
    double start = (double)box->start_ns / strip->column_ns, end = (double)box->end_ns / strip->column_ns;

    for (uint32_t i = start > 0 ? (uint32_t)start : 0; i < COLUMNS_MOST && i < end; i++) {
        double from = start > i ? start : i, until = end < i + 1 ? end : i + 1;

        strip->columns[i] += density * (until - from);
    }
}

static int pixels(double column)
{
    int high = (int)(column * STRIP_PIXELS + 0.999);

    return high < STRIP_PIXELS ? high : STRIP_PIXELS;
}

static void write_strip(const struct pe__html_timeline *timeline, const struct pe__html_lane *lane)
{
    struct strip strip = { .column_ns = (double)timeline->profile->wall_ns / COLUMNS_MOST };

    pe__html_lane_boxes(lane, 0, add_to_strip, &strip);
    pe__sink_print(timeline->sink, "<svg preserveAspectRatio=none viewBox=\"0 0 %u %d\"><path class=strip d=\"",
                   COLUMNS_MOST, STRIP_PIXELS);
    for (uint32_t i = 0, next; i < COLUMNS_MOST; i = next) {
        int high = pixels(strip.columns[i]);

        for (next = i + 1; next < COLUMNS_MOST && pixels(strip.columns[next]) == high;)
            next++;
        if (high > 0)
            pe__sink_print(timeline->sink, "M%u %dv-%dh%uv%dz", i, STRIP_PIXELS, high, next - i, high);
    }
    pe__sink_text(timeline->sink, "\"/></svg>");
}

/* Of a worker the library's own marks tell how it ended. */
static bool is_end(const struct pe__html_timeline *timeline, const struct pe__profile_event *event)
{
    return is_worker(timeline, event->track) && pe__html_is_builtin(&timeline->profile->labels[event->label]);
}

static void write_mark(const struct pe__html_timeline *timeline, const struct pe__profile_event *event)
{
    bool end = is_end(timeline, event);

    pe__sink_print(timeline->sink, "<i class=\"mark%s\" data-at=%lld style=\"left:%.4f%%\" title=\"", end ? " end" : "",
                   (long long)event->start_ns, percent(timeline, event->start_ns));
    pe__html_label(timeline->sink, &timeline->profile->labels[event->label]);
    pe__sink_text(timeline->sink, "\nat ");
    pe__html_time(timeline->sink, event->start_ns);
    pe__sink_text(timeline->sink, "\"></i>");
}

static void write_marks(struct pe__html_timeline *timeline, uint32_t track)
{
    const struct pe__profile_track *from = &timeline->profile->tracks[track];
    uint32_t most = MARKS_MOST / timeline->lane_count + 1;

    for (uint32_t i = 0; i < from->event_count; i++) {
        const struct pe__profile_event *event = &timeline->profile->events[from->first_event + i];

        if (event->kind != PE__EVENT_MARK)
            continue;
        if (most == 0) {
            timeline->marks_left_out++;
            continue;
        }
        most--;
        write_mark(timeline, event);
    }
}

/* ---- lanes ---- */

static void write_who(const struct pe__html_timeline *timeline, uint32_t index)
{
    const struct pe__profile_track *track = &timeline->profile->tracks[index];

    if (is_worker(timeline, index) && is_first_thread(timeline, index))
        pe__sink_print(timeline->sink, "worker %d", timeline->profile->processes[track->process].worker);
    else if (track->name[0])
        pe__sink_html(timeline->sink, track->name);
    else
        pe__sink_print(timeline->sink, "thread %d", track->tid);
}

static void write_heading(const struct pe__html_timeline *timeline, uint32_t index)
{
    const struct pe__profile *profile = timeline->profile;
    uint32_t pool = profile->processes[profile->tracks[index].process].pool;

    if (index > 0 && profile->processes[profile->tracks[index - 1].process].pool == pool)
        return;
    if (pool == 0)
        pe__sink_text(timeline->sink, "<h3>host</h3>\n");
    else if (pool == PE__PROFILE_FREED_POOLS)
        pe__sink_text(timeline->sink, "<h3>freed pools</h3>\n");
    else
        pe__sink_print(timeline->sink, "<h3>pool %u</h3>\n", pool);
}

static void write_use(const struct pe__html_timeline *timeline, uint32_t index)
{
    struct pe__html_use use;

    if (!is_worker(timeline, index) || !is_first_thread(timeline, index))
        return;
    pe__html_use_of(timeline->profile, timeline->profile->tracks[index].process, &use);
    pe__sink_print(timeline->sink, "%.0f %%", 100 * use.busy);
}

static void write_lane(struct pe__html_timeline *timeline, uint32_t index)
{
    const struct pe__profile_track *track = &timeline->profile->tracks[index];
    bool worker = is_worker(timeline, index) && is_first_thread(timeline, index);
    char process[PE__PROFILE_PROCESS_BYTES];
    struct pe__html_lane lane;

    if (!pe__html_lane_build(&lane, timeline->profile, index, timeline->lane_boxes)) {
        pe__html_fail(timeline->page);
        return;
    }
    if (lane.merged_ns > timeline->merged_ns)
        timeline->merged_ns = lane.merged_ns;
    write_heading(timeline, index);
    pe__profile_process_name(&timeline->profile->processes[track->process], process);
    pe__sink_print(timeline->sink, "<div class=lane data-lane=%u%s><div class=who title=\"%s, pid %d, thread %d, ",
                   index, worker ? " data-worker" : "", process, timeline->profile->processes[track->process].pid,
                   track->tid);
    pe__html_count(timeline->sink, lane.call_count);
    pe__sink_text(timeline->sink, " calls\">");
    write_who(timeline, index);
    pe__sink_text(timeline->sink, "</div><div class=track>");
    write_strip(timeline, &lane);
    write_marks(timeline, index);
    pe__sink_text(timeline->sink, "</div><div class=use>");
    write_use(timeline, index);
    pe__sink_text(timeline->sink, "</div></div>\n");
    pe__html_lane_free(&lane);
}

/* Steps of 1, 2 or 5 times a power of ten, six at most, and none so near the end that its text would stick out. */
static void write_axis(const struct pe__html_timeline *timeline)
{
    static const int64_t next[] = { 2, 5, 10 };
    int64_t step_ns = 1, power = 1;

    for (uint32_t i = 0; timeline->profile->wall_ns / step_ns > 6; i = (i + 1) % 3) {
        step_ns = power * next[i];
        power = i == 2 ? step_ns : power;
    }
    pe__sink_text(timeline->sink, "<div class=\"lane axis\"><div class=who></div><div class=track>");
    for (int64_t at = 0; percent(timeline, at) < 92; at += step_ns) {
        pe__sink_print(timeline->sink, "<span style=\"left:%.4f%%\">", percent(timeline, at));
        pe__html_time(timeline->sink, at);
        pe__sink_text(timeline->sink, "</span>");
    }
    pe__sink_text(timeline->sink, "</div><div class=use>busy</div></div>\n");
}

/* ---- the section ---- */

static void write_lead(const struct pe__html_timeline *timeline)
{
    pe__sink_text(timeline->sink,
                  "<p class=lead>A strip is busy where it is filled; below a call is what it called. <span class=js>"
                  "Drag over a stretch of time to zoom in, double-click for all. Ctrl and wheel zoom, Shift and wheel "
                  "move. Click a name to unfold its lane.</span></p>\n"
                  "<div class=\"tools js\">"
                  "<button type=button id=zoom-in aria-label=\"Zoom in\">+</button>"
                  "<button type=button id=zoom-out aria-label=\"Zoom out\">\xe2\x88\x92</button>"
                  "<button type=button id=move-left aria-label=Earlier>\xe2\x97\x80</button>"
                  "<button type=button id=move-right aria-label=Later>\xe2\x96\xb6</button>"
                  "<button type=button id=zoom-all>Show all</button><output id=span></output><span class=fill></span>"
                  "<label><input type=checkbox id=arrows> Arrows from submission to start<span id=arrows-note></span>"
                  "</label></div>\n");
}

static void write_notes(const struct pe__html_timeline *timeline)
{
    struct pe__sink *sink = timeline->sink;

    if (timeline->merged_ns) {
        pe__sink_text(sink, "<p class=lead>There were too many calls to keep each: those shorter than ");
        pe__html_time(sink, timeline->merged_ns);
        pe__sink_text(sink, " that follow one another are drawn as one.</p>\n");
    }
    if (timeline->marks_left_out)
        pe__sink_print(sink, "<p class=lead>%u marks are left out.</p>\n", timeline->marks_left_out);
    if (timeline->profile->track_count > timeline->lane_count)
        pe__sink_print(sink, "<p class=lead>%u threads are left out.</p>\n",
                       timeline->profile->track_count - timeline->lane_count);
}

static void write_timeline(struct pe__html_timeline *timeline)
{
    write_lead(timeline);
    pe__sink_print(timeline->sink, "<div id=lanes class=\"lanes %s\" tabindex=0 aria-label=Timeline>\n",
                   timeline->lane_count > 24 ? "many" : timeline->lane_count > 6 ? "some" : "few");
    write_axis(timeline);
    for (uint32_t i = 0; i < timeline->lane_count; i++)
        write_lane(timeline, i);
    pe__html_charts(timeline->page);
    pe__sink_text(timeline->sink, "</div>\n");
    write_notes(timeline);
    pe__html_numbers(timeline);
}

static void write_absence(const struct pe__html_timeline *timeline)
{
    if (timeline->profile->runs > 1)
        pe__sink_print(timeline->sink, "<p class=lead>There is none: these are the sums of %u runs.</p>\n",
                       timeline->profile->runs);
    else
        pe__sink_text(timeline->sink, "<p class=lead>It was not kept. PAREXEC_PROFILE=html:FILE in the environment "
                                      "keeps it, and so does pe_region_setup with PE_REGION_TIMELINE.</p>\n");
}

void pe__html_timeline(const struct pe__html *page)
{
    const struct pe__profile *profile = page->profile;
    struct pe__html_timeline timeline = {
        .page = page,
        .profile = profile,
        .sink = page->sink,
        .lane_count = profile->track_count < LANES_MOST ? profile->track_count : LANES_MOST,
        .unit_ns = profile->wall_ns / (1 << 28) + 1,
    };

    pe__sink_text(page->sink, "<section id=timeline>\n<h2>Timeline</h2>\n");
    if (profile->has_timeline && timeline.lane_count > 0 && profile->wall_ns > 0 && profile->event_count > 0) {
        timeline.lane_boxes = BOXES_MOST / timeline.lane_count;
        if (timeline.lane_boxes > LANE_BOXES_MOST)
            timeline.lane_boxes = LANE_BOXES_MOST;
        write_timeline(&timeline);
    } else {
        write_absence(&timeline);
    }
    pe__sink_text(page->sink, "</section>\n");
}
