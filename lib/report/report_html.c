/*
 * report_html.c - a page with flame graph, timeline and tables, for people who will not open a viewer.
 *
 * html.h says how it is made; here are its frame, its head, and the order in which names are numbered.
 */
#include <stdlib.h>
#include <time.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/html.h"

void pe__html_fail(const struct pe__html *page)
{
    if (!page->sink->error)
        page->sink->error = PE_ENOMEM;
}

/* ---- names ---- */

static void number(struct pe__html *page, uint32_t label)
{
    if (page->numbers[label] != 0 || page->name_count == PE__HTML_NAMES)
        return;
    page->names[page->name_count++] = label;
    page->numbers[label] = page->name_count;
}

static int by_own_time(const void *a, const void *b)
{
    const struct pe__profile_sum *left = a, *right = b;

    if (left->own_ns != right->own_ns)
        return left->own_ns > right->own_ns ? -1 : 1;
    return (left->label > right->label) - (left->label < right->label);
}

/* The library's own come last, so that the first colours go to the program's. */
static int number_names(struct pe__html *page)
{
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };
    struct pe__profile_sums sums;
    int error = pe__profile_flat(page->profile, all, &sums);

    if (error)
        return error;
    if (sums.count > 0)
        qsort(sums.rows, sums.count, sizeof *sums.rows, by_own_time);
    for (uint32_t i = 0; i < sums.count; i++)
        if (!pe__html_is_builtin(&page->profile->labels[sums.rows[i].label]))
            number(page, sums.rows[i].label);
    for (uint32_t i = 0; i < page->profile->label_count; i++)
        if (page->profile->labels[i].kind != PE__KIND_ROOT)
            number(page, i);
    pe__profile_sums_free(&sums);
    return 0;
}

/* ---- head ---- */

static void write_fact(struct pe__sink *sink, const char *name)
{
    pe__sink_print(sink, "</dd></div>\n<div><dt>%s</dt><dd>", name);
}

static void write_date(struct pe__sink *sink, int64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    char text[64];

    if (unix_ns > 0 && gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm))
        pe__sink_text(sink, text);
}

static uint32_t count_workers(const struct pe__profile *profile)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < profile->process_count; i++)
        count += profile->processes[i].pool > 0;
    return count;
}

static void write_facts(const struct pe__html *page)
{
    const struct pe__profile *profile = page->profile;
    struct pe__sink *sink = page->sink;
    uint64_t calls = 0;

    for (uint32_t i = 0; i < profile->node_count; i++)
        if (profile->labels[profile->nodes[i].label].kind != PE__KIND_ROOT)
            calls += profile->nodes[i].calls;
    pe__sink_text(sink, "<dl class=facts>\n<div><dt>Wall time</dt><dd>");
    pe__html_time(sink, profile->wall_ns);
    write_fact(sink, "Processes");
    pe__sink_print(sink, "1 + %u worker%s", count_workers(profile), count_workers(profile) == 1 ? "" : "s");
    write_fact(sink, "Threads");
    pe__html_count(sink, profile->track_count);
    write_fact(sink, "Calls");
    pe__html_count(sink, calls);
    write_fact(sink, "Mode");
    pe__sink_html(sink, profile->mode);
    if (profile->sample_every > 1)
        pe__sink_print(sink, ", one in %u", profile->sample_every);
    write_fact(sink, "Clock");
    pe__sink_html(sink, profile->clock);
    write_fact(sink, "Cost of a pair");
    pe__sink_print(sink, "%.1f ns", profile->pair_cost_ns);
    pe__sink_text(sink, "</dd></div>\n</dl>\n");
}

/* ---- what went wrong or was lost ---- */

struct losses {
    uint64_t dropped_labels, dropped_nodes, dropped_threads, dropped_in_handler;
    uint64_t dropped_calls, dropped_events, unmatched, crossed, unfinished;
    uint32_t first_unmatched, first_crossed, first_unfinished;
};

static void add_first(uint32_t *first, uint32_t label)
{
    if (*first == PE__REGION_NOTHING)
        *first = label;
}

static void add_losses(const struct pe__profile *profile, struct losses *losses)
{
    for (uint32_t i = 0; i < profile->process_count; i++) {
        losses->dropped_labels += profile->processes[i].dropped_labels;
        losses->dropped_nodes += profile->processes[i].dropped_nodes;
        losses->dropped_threads += profile->processes[i].dropped_threads;
        losses->dropped_in_handler += profile->processes[i].dropped_in_handler;
    }
    for (uint32_t i = 0; i < profile->track_count; i++) {
        losses->dropped_calls += profile->tracks[i].dropped_calls;
        losses->dropped_events += profile->tracks[i].dropped_events;
        losses->unmatched += profile->tracks[i].unmatched;
        losses->crossed += profile->tracks[i].crossed;
        losses->unfinished += profile->tracks[i].unfinished;
        add_first(&losses->first_unmatched, profile->tracks[i].first_unmatched);
        add_first(&losses->first_crossed, profile->tracks[i].first_crossed);
        add_first(&losses->first_unfinished, profile->tracks[i].first_unfinished);
    }
}

static void write_loss(const struct pe__html *page, uint64_t count, const char *what, uint32_t first)
{
    if (count == 0)
        return;
    pe__sink_print(page->sink, "<li>%s: <b>", what);
    pe__html_count(page->sink, count);
    pe__sink_text(page->sink, "</b>");
    if (first < page->profile->label_count) {
        const struct pe__profile_label *label = &page->profile->labels[first];

        pe__sink_text(page->sink, "; the first: <b>");
        pe__html_label(page->sink, label);
        pe__sink_text(page->sink, "</b> ");
        pe__html_place(page->sink, label);
    }
    pe__sink_text(page->sink, "</li>\n");
}

static void write_losses(const struct pe__html *page)
{
    struct losses losses = { .first_unmatched = PE__REGION_NOTHING, .first_crossed = PE__REGION_NOTHING,
                             .first_unfinished = PE__REGION_NOTHING };
    uint64_t cut_short = pe__profile_cut_short(page->profile, PE__REGION_NOTHING);

    add_losses(page->profile, &losses);
    pe__sink_text(page->sink, "<ul class=losses>\n");
    write_loss(page, losses.unmatched, "Ends of regions that were not open", losses.first_unmatched);
    write_loss(page, losses.crossed, "Regions closed by the end of one around them", losses.first_crossed);
    write_loss(page, losses.unfinished, "Regions that were open when their thread ended", losses.first_unfinished);
    write_loss(page, cut_short > losses.unfinished ? cut_short - losses.unfinished : 0,
               "Regions cut short by the end of their process", PE__REGION_NOTHING);
    write_loss(page, losses.dropped_calls, "Calls without a place, counted in the region around them",
               PE__REGION_NOTHING);
    write_loss(page, losses.dropped_events, "Events of the timeline without a place, which shows the latest ones",
               PE__REGION_NOTHING);
    write_loss(page, losses.dropped_nodes, "Paths without a place", PE__REGION_NOTHING);
    write_loss(page, losses.dropped_labels, "Names without a place", PE__REGION_NOTHING);
    write_loss(page, losses.dropped_threads, "Threads without a place", PE__REGION_NOTHING);
    write_loss(page, losses.dropped_in_handler, "Calls dropped in signal handlers", PE__REGION_NOTHING);
    pe__sink_text(page->sink, "</ul>\n");
}

static void write_head(const struct pe__html *page)
{
    struct pe__sink *sink = page->sink;

    /* Nothing is ever loaded: the browser itself sees to it. */
    pe__sink_text(sink, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; "
                        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                        "<meta name=viewport content=\"width=device-width\">\n<link rel=icon href=\"data:,\">\n"
                        "<title>");
    pe__sink_html(sink, page->profile->program);
    pe__sink_text(sink, " - profile</title>\n<style>\n");
    pe__sink_text(sink, pe__html_css);
    pe__sink_text(sink, "</style>\n<script>document.documentElement.className = 'scripted'</script>\n</head>\n<body>\n"
                        "<header>\n<h1>");
    pe__sink_html(sink, page->profile->program);
    pe__sink_text(sink, "</h1>\n<p class=lead>Profile");
    if (page->profile->runs > 1)
        pe__sink_print(sink, " of %u runs, the first", page->profile->runs);
    pe__sink_text(sink, " of ");
    write_date(sink, page->profile->begin_unix_ns);
    pe__sink_text(sink, "</p>\n");
    write_facts(page);
    write_losses(page);
    pe__sink_text(sink, "</header>\n<main>\n");
}

void pe__report_html(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    struct pe__html page = { .sink = sink, .profile = profile };

    (void)options;
    page.numbers = calloc(profile->label_count + 1, sizeof *page.numbers);
    page.names = calloc(PE__HTML_NAMES, sizeof *page.names);
    if (page.numbers && page.names && !number_names(&page)) {
        write_head(&page);
        pe__html_timeline(&page);
        pe__html_flame(&page);
        pe__html_workers(&page);
        pe__html_queue(&page);
        pe__html_flat(&page);
        pe__html_lines(&page);
        pe__html_counters(&page);
        pe__sink_text(sink, "</main>\n<footer>libparexec</footer>\n<script>\n");
        pe__sink_text(sink, pe__html_js);
        pe__sink_text(sink, "</script>\n</body>\n</html>\n");
    } else {
        pe__html_fail(&page);
    }
    free(page.numbers);
    free(page.names);
}
