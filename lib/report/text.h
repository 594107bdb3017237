/*
 * text.h - tables for people: columns of numbers aligned to the right, and a name at the end of each row, where its
 * length can disturb nothing.
 */
#ifndef PE__REPORT_TEXT_H
#define PE__REPORT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "report/profile.h"
#include "report/sink.h"

#define PE__TEXT_CELL_BYTES 48
#define PE__TEXT_COLUMNS_MAX 24

/* A cell's text: ASCII, ended with 0. */
typedef char pe__text_cell[PE__TEXT_CELL_BYTES];

struct pe__text_table {
    const void *context;
    const char *const *titles; /* of the columns */
    uint32_t column_count;     /* at most PE__TEXT_COLUMNS_MAX */
    uint32_t row_count;
    const char *name_title;
    bool has_rule; /* a line of = below the titles */
    void (*cell)(pe__text_cell ret, const void *context, uint32_t column, uint32_t row);
    void (*name)(struct pe__sink *sink, const void *context, uint32_t row);
};

void pe__text_table(struct pe__sink *sink, const struct pe__text_table *table);

/* Four digits and a unit, from 0.1ns to 99999s and more: 27ns, 1.234us, 12.34ms, 123.4s. */
void pe__text_time(pe__text_cell ret, double ns);
/* "-" when there is no whole. */
void pe__text_percent(pe__text_cell ret, double part, double whole);

/* "1 thread", "2 threads". */
void pe__text_count(struct pe__sink *sink, uint64_t count, const char *noun);

/* name(file:line) */
void pe__text_label(struct pe__sink *sink, const struct pe__profile_label *label);
/* "host", "pool 1 worker 3" */
void pe__text_process(struct pe__sink *sink, const struct pe__profile_process *process);
/* "main (host)" */
void pe__text_track(struct pe__sink *sink, const struct pe__profile *profile, uint32_t track);

#endif
