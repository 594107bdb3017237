/* html_tables.c - regions, source lines and counters as tables that the script can sort. */
#include <stdlib.h>

#include <parexec/region.h>

#include "report/html.h"
#include "report/title.h"

#define ROWS_MOST 3000u

static const struct pe__profile_part everything = { PE__REGION_NOTHING, PE__REGION_NOTHING };

static void write_time_cell(struct pe__sink *sink, const char *class, int64_t ns)
{
    pe__sink_print(sink, "<td class=\"n%s\" data-v=%lld>", class, (long long)ns);
    pe__html_time(sink, ns);
    pe__sink_text(sink, "</td>");
}

static void write_share_cell(struct pe__sink *sink, double part, double whole)
{
    pe__sink_print(sink, "<td class=n data-v=%.6f>", whole > 0 ? part / whole : 0);
    pe__html_share(sink, part, whole);
    pe__sink_text(sink, "</td>");
}

static void write_count_cell(struct pe__sink *sink, uint64_t count)
{
    pe__sink_print(sink, "<td class=n data-v=%llu>", (unsigned long long)count);
    pe__html_count(sink, count);
    pe__sink_text(sink, "</td>");
}

static void write_name_cell(const struct pe__html *page, uint32_t index)
{
    const struct pe__profile_label *label = &page->profile->labels[index];
    struct pe__sink *sink = page->sink;

    pe__sink_print(sink, "<td class=name title=\"");
    pe__html_label(sink, label);
    pe__sink_text(sink, "\n");
    pe__sink_html(sink, label->file);
    pe__sink_print(sink, "\"><i class=\"dot c%u\"></i><b>", pe__html_colour(page, index));
    pe__html_label(sink, label);
    pe__sink_text(sink, "</b> <small>");
    pe__html_place(sink, label);
    pe__sink_text(sink, "</small></td>");
}

static bool is_region(const struct pe__html *page, const struct pe__profile_sum *row)
{
    uint32_t kind = page->profile->labels[row->label].kind;

    return kind != PE_SITE_COUNTER && kind != PE_SITE_MARK && kind != PE_SITE_LINE && kind != PE__KIND_ROOT;
}

static bool is_counter(const struct pe__html *page, const struct pe__profile_sum *row)
{
    uint32_t kind = page->profile->labels[row->label].kind;

    return kind == PE_SITE_COUNTER || kind == PE_SITE_MARK;
}

/* ---- regions ---- */

/* Its time is nobody's work, or may be that of others too. */
static bool is_apart(const struct pe__html *page, const struct pe__profile_sum *row)
{
    const struct pe__profile_label *label = &page->profile->labels[row->label];

    return pe__title_is_wait(label) || label->kind == PE__KIND_SPAN;
}

static int by_own_time(const void *a, const void *b)
{
    const struct pe__profile_sum *left = a, *right = b;

    if (left->own_ns != right->own_ns)
        return left->own_ns > right->own_ns ? -1 : 1;
    return (left->label > right->label) - (left->label < right->label);
}

static void write_region(const struct pe__html *page, const struct pe__profile_sum *row, int64_t whole_ns)
{
    const struct pe__profile *profile = page->profile;
    struct pe__sink *sink = page->sink;

    pe__sink_text(sink, "<tr>");
    write_name_cell(page, row->label);
    pe__sink_print(sink, "<td class=n data-v=%llu>", (unsigned long long)row->calls);
    pe__html_count(sink, row->calls);
    if (row->first_calls != row->calls) {
        pe__sink_text(sink, "/");
        pe__html_count(sink, row->first_calls);
    }
    pe__sink_text(sink, "</td>");
    write_time_cell(sink, "", row->own_ns);
    if (is_apart(page, row))
        pe__sink_text(sink, "<td class=n data-v=0></td>");
    else
        write_share_cell(sink, (double)row->own_ns, (double)whole_ns);
    write_time_cell(sink, "", row->total_ns);
    write_time_cell(sink, "", row->calls ? row->total_ns / (int64_t)row->calls : 0);
    write_time_cell(sink, " wide", row->least_ns);
    write_time_cell(sink, "", row->p50_ns);
    write_time_cell(sink, " wide", row->p95_ns);
    write_time_cell(sink, "", row->p99_ns);
    write_time_cell(sink, " wide", row->most_ns);
    if (profile->has_cpu_time)
        write_time_cell(sink, "", row->cpu_ns);
    pe__sink_print(sink, "<td class=\"n wide%s\">%llu</td></tr>\n", row->unfinished ? " warn" : "",
                   (unsigned long long)row->unfinished);
}

static void write_regions(const struct pe__html *page, const struct pe__profile_sums *sums)
{
    int64_t whole_ns = 0;

    for (uint32_t i = 0; i < sums->count; i++)
        if (is_region(page, &sums->rows[i]) && !is_apart(page, &sums->rows[i]))
            whole_ns += sums->rows[i].own_ns;
    if (sums->count > 0)
        qsort(sums->rows, sums->count, sizeof *sums->rows, by_own_time);
    for (uint32_t apart = 0, rows = 0; apart < 2; apart++)
        for (uint32_t i = 0; i < sums->count && rows < ROWS_MOST; i++)
            if (is_region(page, &sums->rows[i]) && is_apart(page, &sums->rows[i]) == (apart == 1)) {
                write_region(page, &sums->rows[i], whole_ns);
                rows++;
            }
}

void pe__html_flat(const struct pe__html *page)
{
    struct pe__profile_sums sums;

    if (pe__profile_flat(page->profile, everything, &sums)) {
        pe__html_fail(page);
        return;
    }
    pe__sink_print(page->sink,
                   "<section id=regions>\n<h2>Regions</h2>\n<p class=lead>Own is without what was called, total with "
                   "it; shares are of all own time but that of waiting and of spans. Calls are all calls, and behind "
                   "the stroke those that were not made from within the same region.</p>\n<div class=scroll>"
                   "<table class=sortable>\n<thead><tr><th>Region</th><th class=n>Calls</th><th class=n>Own</th>"
                   "<th class=n>Share</th><th class=n>Total</th><th class=n>Per call</th>"
                   "<th class=\"n wide\">Least</th><th class=n>p50</th><th class=\"n wide\">p95</th>"
                   "<th class=n>p99</th><th class=\"n wide\">Most</th>%s"
                   "<th class=\"n wide\">Unfinished</th></tr></thead>\n<tbody>\n",
                   page->profile->has_cpu_time ? "<th class=n>CPU</th>" : "");
    write_regions(page, &sums);
    pe__sink_text(page->sink, "</tbody></table></div>\n</section>\n");
    pe__profile_sums_free(&sums);
}

/* ---- lines ---- */

static void write_line(const struct pe__html *page, const struct pe__profile_sum *row, int64_t whole_ns)
{
    struct pe__sink *sink = page->sink;
    const struct pe__profile_label *label = &page->profile->labels[row->label];

    pe__sink_text(sink, "<tr><td class=name title=\"");
    pe__sink_html(sink, label->file);
    pe__sink_text(sink, "\">");
    pe__html_place(sink, label);
    pe__sink_text(sink, "</td>");
    write_count_cell(sink, row->calls);
    write_time_cell(sink, "", row->total_ns);
    write_time_cell(sink, "", row->calls ? row->total_ns / (int64_t)row->calls : 0);
    write_share_cell(sink, (double)row->total_ns, (double)whole_ns);
    pe__sink_text(sink, "</tr>\n");
}

void pe__html_lines(const struct pe__html *page)
{
    struct pe__profile_sums sums;
    int64_t whole_ns = 0;

    if (pe__profile_lines(page->profile, everything, &sums)) {
        pe__html_fail(page);
        return;
    }
    for (uint32_t i = 0; i < sums.count; i++)
        whole_ns += sums.rows[i].total_ns;
    if (sums.count > 0) {
        pe__sink_text(page->sink, "<section id=lines>\n<h2>Source lines</h2>\n<div class=scroll>"
                                  "<table class=sortable>\n<thead><tr><th>Line</th><th class=n>Hits</th>"
                                  "<th class=n>Time</th><th class=n>Per hit</th><th class=n>Share</th></tr></thead>\n"
                                  "<tbody>\n");
        for (uint32_t i = 0; i < sums.count && i < ROWS_MOST; i++)
            write_line(page, &sums.rows[i], whole_ns);
        pe__sink_text(page->sink, "</tbody></table></div>\n</section>\n");
    }
    pe__profile_sums_free(&sums);
}

/* ---- counters and marks ---- */

static void write_number_cell(struct pe__sink *sink, bool known, int64_t value)
{
    if (!known) {
        pe__sink_text(sink, "<td class=n data-v=0></td>");
        return;
    }
    pe__sink_print(sink, "<td class=n data-v=%lld>", (long long)value);
    pe__html_number(sink, value);
    pe__sink_text(sink, "</td>");
}

static void write_counter(const struct pe__html *page, const struct pe__profile_sum *row)
{
    bool adds = page->profile->labels[row->label].kind == PE_SITE_COUNTER && row->calls > 0;

    pe__sink_text(page->sink, "<tr>");
    write_name_cell(page, row->label);
    write_count_cell(page->sink, row->calls);
    write_number_cell(page->sink, adds, row->sum);
    write_number_cell(page->sink, adds, row->least);
    write_number_cell(page->sink, adds, row->most);
    pe__sink_text(page->sink, "</tr>\n");
}

void pe__html_counters(const struct pe__html *page)
{
    struct pe__profile_sums sums;
    uint32_t rows = 0;

    if (pe__profile_flat(page->profile, everything, &sums)) {
        pe__html_fail(page);
        return;
    }
    for (uint32_t i = 0; i < sums.count && rows < ROWS_MOST; i++) {
        if (!is_counter(page, &sums.rows[i]))
            continue;
        if (rows++ == 0)
            pe__sink_text(page->sink, "<section id=counters>\n<h2>Counters and marks</h2>\n<div class=scroll>"
                                      "<table class=sortable>\n<thead><tr><th>Name</th><th class=n>Times</th>"
                                      "<th class=n>Sum</th><th class=n>Least</th><th class=n>Most</th></tr></thead>\n"
                                      "<tbody>\n");
        write_counter(page, &sums.rows[i]);
    }
    if (rows > 0)
        pe__sink_text(page->sink, "</tbody></table></div>\n</section>\n");
    pe__profile_sums_free(&sums);
}
