/* html_timeline.h - what the parts of the timeline share. */
#ifndef PE__REPORT_HTML_TIMELINE_H
#define PE__REPORT_HTML_TIMELINE_H

#include "report/html.h"

struct pe__html_timeline {
    const struct pe__html *page;
    const struct pe__profile *profile;
    struct pe__sink *sink;
    uint32_t lane_count;  /* lane i is track i */
    uint32_t lane_boxes;  /* at most, in each */
    int64_t unit_ns;      /* of the numbers for the script */
    int64_t merged_ns;    /* the longest of all lanes */
    uint32_t marks_left_out;
};

/* All lanes as numbers for the script, and the names that they mean. */
void pe__html_numbers(const struct pe__html_timeline *timeline);

#endif
