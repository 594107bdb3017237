/*
 * html.h - the parts of the page that report_html.c puts together.
 *
 * The page is one file that needs nothing else, and whose size is bounded whatever was measured. What it shows is drawn
 * here, so that it can be read, and printed, without scripts; the script (html_page.js) adds zoom, search, sorting and
 * colours to the timeline.
 *
 * Names are bytes that a worker may have written. They stand in the page as text and in attributes only, always by
 * pe__sink_html; the script gets numbers, and reads names out of the document as text.
 */
#ifndef PE__REPORT_HTML_H
#define PE__REPORT_HTML_H

#include <stdbool.h>
#include <stdint.h>

#include "report/profile.h"
#include "report/sink.h"

/* Names that the timeline and the colours tell apart; others are number 0. */
#define PE__HTML_NAMES 4000u

struct pe__html {
    struct pe__sink *sink;
    const struct pe__profile *profile;
    uint32_t *numbers; /* of each label: its place in the list of names, by own time, from 1; 0: none */
    uint32_t *names;   /* the label of each place */
    uint32_t name_count;
};

/* The fixed part, made from html_page.css and html_page.js when the library is built. */
extern const char pe__html_css[], pe__html_js[];

void pe__html_flame(const struct pe__html *page);
void pe__html_timeline(const struct pe__html *page);
void pe__html_workers(const struct pe__html *page);
void pe__html_queue(const struct pe__html *page);
void pe__html_flat(const struct pe__html *page);
void pe__html_lines(const struct pe__html *page);
void pe__html_counters(const struct pe__html *page);
/* Lanes of the timeline. */
void pe__html_charts(const struct pe__html *page);

/* Not enough memory: the report fails as a whole. */
void pe__html_fail(const struct pe__html *page);

/* The label is one of the library's own. */
bool pe__html_is_builtin(const struct pe__profile_label *label);
/* Its class of colours: 0 is the library's own, the others go round. */
uint32_t pe__html_colour(const struct pe__html *page, uint32_t label);

/* "1.25 ms", "65,536", "-65,536", "65.5 k", "12.5 %" */
void pe__html_time(struct pe__sink *sink, int64_t ns);
void pe__html_count(struct pe__sink *sink, uint64_t count);
void pe__html_number(struct pe__sink *sink, int64_t number);
void pe__html_short(struct pe__sink *sink, int64_t number);
void pe__html_share(struct pe__sink *sink, double part, double whole);
/* "grid.c:42", without directories. */
void pe__html_place(struct pe__sink *sink, const struct pe__profile_label *label);
/* The name, or its place where there is none. */
void pe__html_label(struct pe__sink *sink, const struct pe__profile_label *label);

#endif
