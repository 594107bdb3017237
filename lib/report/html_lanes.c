/* html_lanes.c - from events to calls in rows, and to boxes. */
#include "report/html_lanes.h"

#include <stdlib.h>

#include <parexec/region.h>

#include "report/html.h"
#include "report/title.h"

/* Spans overlap each other and calls, and have a row in the tables only. */
static bool is_shown(const struct pe__profile *profile, uint32_t label)
{
    return profile->labels[label].kind != PE__KIND_SPAN && profile->labels[label].kind != PE__KIND_ROOT &&
           !pe__title_is_wait(&profile->labels[label]);
}

static void add_events(struct pe__html_lane *lane, const struct pe__profile *profile, uint32_t track)
{
    const struct pe__profile_track *this = &profile->tracks[track];

    for (uint32_t i = 0; i < this->event_count; i++) {
        const struct pe__profile_event *event = &profile->events[this->first_event + i];

        if ((event->kind == PE__EVENT_CALL || event->kind == PE__EVENT_CUT) && event->end_ns >= event->start_ns &&
            is_shown(profile, event->label))
            lane->calls[lane->call_count++] = (struct pe__html_call){
                .start_ns = event->start_ns,
                .end_ns = event->end_ns,
                .label = event->label,
                .ending = event->kind == PE__EVENT_CALL ? PE__HTML_LEFT : PE__HTML_CUT,
            };
    }
}

static bool is_open(const struct pe__profile *profile, const struct pe__profile_node *node, uint32_t track)
{
    return node->track == track && node->open_ns > 0 && node->open_ns <= profile->wall_ns &&
           is_shown(profile, node->label);
}

static uint32_t count_open(const struct pe__profile *profile, uint32_t track)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < profile->node_count; i++)
        count += is_open(profile, &profile->nodes[i], track);
    return count;
}

static int by_start(const void *a, const void *b)
{
    const struct pe__html_call *left = a, *right = b;

    if (left->start_ns != right->start_ns)
        return left->start_ns < right->start_ns ? -1 : 1;
    return (left->end_ns < right->end_ns) - (left->end_ns > right->end_ns);
}

static void add_open(struct pe__html_lane *lane, const struct pe__profile *profile, uint32_t track)
{
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (is_open(profile, &profile->nodes[i], track))
            lane->calls[lane->call_count++] = (struct pe__html_call){
                .start_ns = profile->nodes[i].open_ns,
                .end_ns = profile->wall_ns,
                .label = profile->nodes[i].label,
                .ending = PE__HTML_OPEN,
            };
    qsort(lane->calls, lane->call_count, sizeof *lane->calls, by_start);
}

/* A call lies in the row below the shortest one that is around it. */
static void assign_rows(struct pe__html_lane *lane)
{
    int64_t ends[PE__HTML_ROWS_MOST];
    uint32_t depth = 0, kept = 0;

    for (uint32_t i = 0; i < lane->call_count; i++) {
        struct pe__html_call call = lane->calls[i];

        while (depth > 0 && ends[depth - 1] <= call.start_ns)
            depth--;
        if (depth == PE__HTML_ROWS_MOST)
            continue;
        call.row = (uint16_t)depth;
        ends[depth++] = call.end_ns;
        lane->calls[kept++] = call;
        if (depth > lane->row_count)
            lane->row_count = depth;
    }
    lane->call_count = kept;
}

static bool belongs_to(const struct pe__html_box *box, const struct pe__html_call *call, int64_t merged_ns)
{
    return box->ending == PE__HTML_LEFT && call->ending == PE__HTML_LEFT && call->end_ns - box->start_ns <= merged_ns;
}

/* Which label has most of the time, found in one pass: each call votes with its time for its own label. */
static void vote(struct pe__html_box *box, uint32_t label, int64_t ns)
{
    if (label == box->label) {
        box->lead_ns += ns;
    } else if (ns > box->lead_ns) {
        box->label = label;
        box->lead_ns = ns - box->lead_ns;
    } else {
        box->lead_ns -= ns;
    }
}

uint32_t pe__html_lane_boxes(const struct pe__html_lane *lane, uint32_t row, pe__html_box_fn *fn, void *context)
{
    struct pe__html_box box = { 0 };
    uint32_t count = 0;

    for (uint32_t i = 0; i < lane->call_count; i++) {
        const struct pe__html_call *call = &lane->calls[i];
        int64_t ns = call->end_ns - call->start_ns;

        if (call->row != row)
            continue;
        if (count > 0 && belongs_to(&box, call, lane->merged_ns)) {
            box.end_ns = call->end_ns > box.end_ns ? call->end_ns : box.end_ns;
            box.busy_ns += ns;
            box.calls++;
            vote(&box, call->label, ns);
            continue;
        }
        if (count++ > 0 && fn)
            fn(context, &box);
        box = (struct pe__html_box){ call->start_ns, call->end_ns, ns, 1, call->label, ns, call->ending };
    }
    if (count > 0 && fn)
        fn(context, &box);
    return count;
}

static uint32_t count_boxes(const struct pe__html_lane *lane)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < lane->row_count; row++)
        count += pe__html_lane_boxes(lane, row, NULL, NULL);
    return count;
}

bool pe__html_lane_build(struct pe__html_lane *ret, const struct pe__profile *profile, uint32_t track,
                         uint32_t boxes_most)
{
    uint32_t open = count_open(profile, track);

    *ret = (struct pe__html_lane){ 0 };
    ret->calls = malloc((profile->tracks[track].event_count + (size_t)open + 1) * sizeof *ret->calls);
    if (!ret->calls)
        return false;
    add_events(ret, profile, track);
    if (open > 0)
        add_open(ret, profile, track);
    assign_rows(ret);
    if (count_boxes(ret) <= boxes_most)
        return true;
    ret->merged_ns = profile->wall_ns / 10000000 + 1;
    while (ret->merged_ns < profile->wall_ns && count_boxes(ret) > boxes_most)
        ret->merged_ns *= 2;
    return true;
}

void pe__html_lane_free(struct pe__html_lane *lane)
{
    free(lane->calls);
}
