/*
 * sink.h - where a report's text goes. The first error is kept and ends all writing; the file's own buffer does the
 * rest.
 */
#ifndef PE__REPORT_SINK_H
#define PE__REPORT_SINK_H

#include <stdio.h>

#include <parexec/export.h>
#include <parexec/report.h>

#include "report/profile.h"

struct pe__sink {
    FILE *file;
    int error; /* 0, or a negative errno */
};

void pe__sink_text(struct pe__sink *sink, const char *text);
PE_FORMAT(2, 3) void pe__sink_print(struct pe__sink *sink, const char *format, ...);
/* In quotes, as JSON wants it. Bytes that are not UTF-8 become U+FFFD. */
void pe__sink_json(struct pe__sink *sink, const char *text);
/* For a terminal: control characters as \x1b. */
void pe__sink_plain(struct pe__sink *sink, const char *text);
/* The same for a line of a source file: tabs stay. */
void pe__sink_source(struct pe__sink *sink, const char *text);
/* As text of HTML or XML, also within quotes. */
void pe__sink_html(struct pe__sink *sink, const char *text);

/* Bytes of the character of UTF-8 that the text begins with; 0: it is none. 1 at the end of the text. */
size_t pe__sink_character(const char *text);

/* The formats; each writes all of a profile. */
typedef void pe__report_fn(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options);
pe__report_fn pe__report_text, pe__report_lines, pe__report_json, pe__report_csv, pe__report_folded, pe__report_trace,
    pe__report_html;

/* Reads what pe__report_json wrote. 0, PE_EINVAL or PE_ENOMEM. */
int pe__profile_read(struct pe__profile *ret, FILE *file);

#endif
