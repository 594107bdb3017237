/* Regions with nothing, or with a body, in them, through the shared library. */

#include "regions/body.h"
#include "regions/loop.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec.h>

#define NOTHING __asm__ volatile("" : : : "memory")

void loop_region(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        PE_REGION("region")
            NOTHING;
}

/* As they come in programs: one in another, two next to each other. */
void loop_nested(uint64_t n)
{
    for (uint64_t i = 0; i < n; i += 3)
        PE_REGION("outer") {
            PE_REGION("first")
                NOTHING;
            PE_REGION("second")
                NOTHING;
        }
}

void loop_by_name(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        pe_region_enter("region");
        NOTHING;
        pe_region_leave("region");
    }
}

/* As in a function whose loop has two lines. */
void loop_line(uint64_t n)
{
    PE_REGION("function")
        for (uint64_t i = 0; i < n; i += 2) {
            PE_LINE();
            NOTHING;
            PE_LINE();
            NOTHING;
        }
}

void loop_count(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        PE_COUNT("count", 1);
}

void loop_mark(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        PE_MARK("mark");
}

void loop_body_region(uint64_t n)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < n; i++)
        PE_REGION("body")
            value = body(value);
    bench_keep(value);
}

static void loop_long_body_region(uint64_t n)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < n; i++)
        PE_REGION("body")
            value = long_body(value);
    bench_keep(value);
}

/* ---- what the report says ---- */

/* The nth field of a line of CSV, without its quotes; NULL: there is none. */
static const char *csv_field(const char *line, int n, size_t *ret_bytes)
{
    for (;; n--) {
        size_t bytes = *line == '"' ? strcspn(line + 1, "\"\n") + 2 : strcspn(line, ",\n");
        if (n == 0) {
            int is_quoted = *line == '"';
            *ret_bytes = is_quoted ? bytes - 2 : bytes;
            return line + is_quoted;
        }
        line += bytes;
        if (*line++ != ',')
            return NULL;
    }
}

static int csv_column(const char *text, const char *name)
{
    size_t bytes;
    const char *field;
    for (int n = 0; (field = csv_field(text, n, &bytes)) != NULL; n++)
        if (bytes == strlen(name) && memcmp(field, name, bytes) == 0)
            return n;
    return -1;
}

/* The number in that column of the row whose column "name" says so; -1: there is none. */
static double csv_number(const char *text, const char *row, const char *column)
{
    int names = csv_column(text, "name"), numbers = csv_column(text, column);
    size_t bytes;
    for (const char *line = strchr(text, '\n'); names >= 0 && numbers >= 0 && line; line = strchr(line, '\n')) {
        const char *field = csv_field(++line, names, &bytes);
        if (field && bytes == strlen(row) && memcmp(field, row, bytes) == 0)
            return strtod(csv_field(line, numbers, &bytes), NULL);
    }
    return -1;
}

/* ns of one call of the region "body", by the report; -1 and the note filled if there is none. The first line of a
 * report in CSV names its columns. */
static double reported_ns(char *note)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    options.format = PE_REPORT_CSV;
    int error = file ? pe_report(file, &options) : PE_ENOMEM;
    if (file)
        fclose(file);
    double calls = error < 0 ? -1 : csv_number(text, "body", "calls");
    double total_ns = error < 0 ? -1 : csv_number(text, "body", "total_ns");
    free(text);
    if (error < 0)
        snprintf(note, NOTE_BYTES, "%s", pe_strerror(error));
    else if (calls <= 0 || total_ns < 0)
        snprintf(note, NOTE_BYTES, "the report has no such region");
    return calls > 0 ? total_ns / calls : -1;
}

static double by_report(const struct plan *plan)
{
    loop_measure(plan->variant == TRUTH_100 ? loop_body_region : loop_long_body_region, plan->n);
    return reported_ns(plan->note);
}

int read_exact(const struct plan *plan, double *values)
{
    return loop_set_up(EXACT, plan->note) < 0 ? -1 : truth_tell(plan, by_report, values);
}

int read_quick(const struct plan *plan, double *values)
{
    return loop_set_up(QUICK, plan->note) < 0 ? -1 : truth_tell(plan, by_report, values);
}

/* ---- inside a worker ---- */

static int job_measures(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t n;
    (void)arg_bytes;
    memcpy(&n, arg, sizeof(n));
    double ns = loop_measure(loop_region, n);
    return pe_reply_write(reply, &ns, sizeof(ns));
}

int measure_in_worker(const struct plan *plan, double *values)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;
    pe_job *job = NULL;
    const void *data = NULL;
    size_t bytes = 0;
    options.workers = 1;
    if (loop_set_up(EXACT, plan->note) < 0)
        return -1;
    int error = pe_pool_new(&options, &pool);
    if (error == 0)
        error = pe_pool_submit(pool, job_measures, &plan->n, sizeof(plan->n), NULL, &job);
    if (error == 0)
        error = pe_job_wait(job, PE_FOREVER);
    if (error == 0)
        error = pe_job_result(job, &data, &bytes);
    if (error == 0 && bytes == sizeof(*values))
        memcpy(values, data, bytes);
    else
        snprintf(plan->note, NOTE_BYTES, "%s", pe_strerror(error));
    pe_job_free(job);
    pe_pool_free(pool);
    return error < 0 ? -1 : 0;
}
