/*
 * html_lanes.h - the calls of one thread as boxes in rows, not more than a page can hold.
 */
#ifndef PE__REPORT_HTML_LANES_H
#define PE__REPORT_HTML_LANES_H

#include "report/profile.h"

/* Rows of one lane; calls nested deeper are left out of the timeline. */
#define PE__HTML_ROWS_MOST 8u

enum pe__html_ending { PE__HTML_LEFT, PE__HTML_CUT, PE__HTML_OPEN };

/* One call; or several that follow one another, together not longer than what was merged. */
struct pe__html_box {
    int64_t start_ns, end_ns;
    int64_t busy_ns;  /* of that; for one call all of it */
    uint64_t calls;
    uint32_t label;   /* the one with most of the time */
    int64_t lead_ns;  /* by how much it leads */
    enum pe__html_ending ending;
};

struct pe__html_call {
    int64_t start_ns, end_ns;
    uint32_t label;
    uint16_t row;
    uint16_t ending; /* enum pe__html_ending */
};

struct pe__html_lane {
    struct pe__html_call *calls; /* by start, then the longer first; with those that are still open */
    uint32_t call_count, row_count;
    int64_t merged_ns;           /* what is shorter was merged; 0: nothing was */
};

typedef void pe__html_box_fn(void *context, const struct pe__html_box *box);

/* At most so many boxes, or a few more. False: no memory. */
bool pe__html_lane_build(struct pe__html_lane *ret, const struct pe__profile *profile, uint32_t track,
                         uint32_t boxes_most);
void pe__html_lane_free(struct pe__html_lane *lane);

/* The boxes of a row from left to right; their count. The function may be NULL. */
uint32_t pe__html_lane_boxes(const struct pe__html_lane *lane, uint32_t row, pe__html_box_fn *fn, void *context);

#endif
