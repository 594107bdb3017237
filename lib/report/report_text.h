/* report_text.h - the parts of the text report. */
#ifndef PE__REPORT_REPORT_TEXT_H
#define PE__REPORT_REPORT_TEXT_H

#include <stdbool.h>

#include "report/profile.h"
#include "report/sink.h"

/* The library's own regions and counters have names that begin with "pe." and tables of their own. */
bool pe__text_is_built_in(const struct pe__profile_label *label);

/* Regions, of whichever origin: all that has time of its own and a place in the tree. */
bool pe__text_is_region(const struct pe__profile_label *label);

/* Kinds of tables of sums. */
#define PE__TEXT_FLAT 1u
#define PE__TEXT_TREE 2u
#define PE__TEXT_SPANS 4u
#define PE__TEXT_COUNTERS 8u
#define PE__TEXT_MARKS 16u
#define PE__TEXT_LIBRARY 32u

/* Some sums in the order of their rows. */
struct pe__text_sums {
    const struct pe__profile *profile;
    const struct pe__profile_sums *sums;
    uint32_t kind;    /* PE__TEXT_* */
    uint32_t count;
    uint32_t *order;  /* sums */
    int64_t whole_ns; /* of which the first columns show shares */
};

/* Which labels have rows in a table. */
typedef bool pe__text_filter_fn(const struct pe__profile_label *label);

/* Sets count and order, to be freed: rows that pass the filter and match, sorted; in a tree their ancestors too, and
 * each row behind its parent. 0, or PE_ENOMEM. */
int pe__text_sums_order(struct pe__text_sums *table, pe__text_filter_fn *filter, const pe_report_options *options);

void pe__text_sums_print(struct pe__sink *sink, const struct pe__text_sums *table, const pe_report_options *options);

/* What was measured, by which clock, at which cost; what was dropped, and wrong use. */
void pe__text_head(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options);

/* Where the pools' time went: a row for each process. */
void pe__text_pools(struct pe__sink *sink, const struct pe__profile *profile);

/* Regions that are open, or that the end of their thread or process cut short. */
void pe__text_unfinished(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options);

/* A title, and an empty line in front of it. */
PE_FORMAT(2, 3) void pe__text_title(struct pe__sink *sink, const char *format, ...);

/* How many of so many rows are shown. */
uint32_t pe__text_rows(uint32_t count, const pe_report_options *options);
/* Says that rows were left out, if so. */
void pe__text_rows_left_out(struct pe__sink *sink, uint32_t count, const pe_report_options *options);

#endif
