/*
 * html_charts.c - counters as lines below the timeline: of each, the sum over all threads.
 *
 * A chart has as many points as a screen can show; the script zooms it by its view box alone.
 */
#include <stdlib.h>

#include <parexec/region.h>

#include "report/html.h"

#define CHARTS_MOST 16u
#define POINTS_MOST 1500
#define WIDE 1000000
#define HIGH 1000

struct chart {
    const struct pe__html *page;
    uint32_t label;
    const struct pe__profile_event **events; /* by time */
    size_t count;
    int64_t begin, end; /* the sum before the first of them, and after the last */
    int64_t least, most;
};

static int by_time(const void *a, const void *b)
{
    const struct pe__profile_event *left = *(const struct pe__profile_event *const *)a;
    const struct pe__profile_event *right = *(const struct pe__profile_event *const *)b;

    return (left->start_ns > right->start_ns) - (left->start_ns < right->start_ns);
}

static void collect(struct chart *chart)
{
    const struct pe__profile *profile = chart->page->profile;

    chart->count = 0;
    for (size_t i = 0; i < profile->event_count; i++)
        if (profile->events[i].kind == PE__EVENT_COUNTER && profile->events[i].label == chart->label)
            chart->events[chart->count++] = &profile->events[i];
    qsort(chart->events, chart->count, sizeof *chart->events, by_time);
}

/* Sums wrap as the counters do. */
static int64_t add(int64_t sum, int64_t amount)
{
    return (int64_t)((uint64_t)sum + (uint64_t)amount);
}

/* Where the ring has lost events the line begins with what they had added. */
static void measure(struct chart *chart)
{
    const struct pe__profile *profile = chart->page->profile;
    int64_t kept = 0, sum;

    chart->end = 0;
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (profile->nodes[i].label == chart->label)
            chart->end = add(chart->end, profile->nodes[i].sum);
    for (size_t i = 0; i < chart->count; i++)
        kept = add(kept, chart->events[i]->value);
    chart->begin = (int64_t)((uint64_t)chart->end - (uint64_t)kept);
    sum = chart->begin;
    chart->least = chart->begin < 0 ? chart->begin : 0;
    chart->most = chart->begin > 0 ? chart->begin : 0;
    for (size_t i = 0; i < chart->count; i++) {
        sum = add(sum, chart->events[i]->value);
        chart->least = sum < chart->least ? sum : chart->least;
        chart->most = sum > chart->most ? sum : chart->most;
    }
}

static int height(const struct chart *chart, int64_t sum)
{
    double whole = (double)chart->most - (double)chart->least;

    return HIGH - (int)(whole > 0 ? HIGH * ((double)sum - (double)chart->least) / whole : 0);
}

/* One point for each of POINTS_MOST stretches of time: the last one in it. */
static void write_path(struct chart *chart)
{
    double wall = (double)chart->page->profile->wall_ns;
    int64_t sum = chart->begin;

    pe__sink_print(chart->page->sink, "M0 %d", height(chart, sum));
    for (size_t i = 0; i < chart->count; i++) {
        double at = (double)chart->events[i]->start_ns / wall;

        sum = add(sum, chart->events[i]->value);
        if (i + 1 == chart->count ||
            (int)((double)chart->events[i + 1]->start_ns / wall * POINTS_MOST) != (int)(at * POINTS_MOST))
            pe__sink_print(chart->page->sink, "H%dV%d", (int)(at * WIDE), height(chart, sum));
    }
    pe__sink_print(chart->page->sink, "H%d", WIDE);
}

static void write_chart(struct chart *chart)
{
    const struct pe__html *page = chart->page;

    pe__sink_text(page->sink, "<div class=\"lane chart\"><div class=who title=\"");
    pe__html_label(page->sink, &page->profile->labels[chart->label]);
    pe__sink_text(page->sink, "\">");
    pe__html_label(page->sink, &page->profile->labels[chart->label]);
    pe__sink_text(page->sink, "</div><div class=track title=\"from ");
    pe__html_number(page->sink, chart->least);
    pe__sink_text(page->sink, " to ");
    pe__html_number(page->sink, chart->most);
    pe__sink_print(page->sink, "\"><svg preserveAspectRatio=none viewBox=\"0 -40 %d %d\"><path class=line d=\"", WIDE,
                   HIGH + 80);
    write_path(chart);
    pe__sink_text(page->sink, "\"/></svg></div><div class=use>");
    pe__html_short(page->sink, chart->end);
    pe__sink_text(page->sink, "</div></div>\n");
}

static size_t count_events(const struct pe__profile *profile)
{
    size_t count = 0;

    for (size_t i = 0; i < profile->event_count; i++)
        count += profile->events[i].kind == PE__EVENT_COUNTER;
    return count;
}

static void write_charts(struct chart *chart)
{
    uint32_t written = 0;

    for (uint32_t label = 0; label < chart->page->profile->label_count && written < CHARTS_MOST; label++) {
        if (chart->page->profile->labels[label].kind != PE_SITE_COUNTER)
            continue;
        chart->label = label;
        collect(chart);
        if (chart->count == 0)
            continue;
        if (written++ == 0)
            pe__sink_text(chart->page->sink, "<h3>counters</h3>\n");
        measure(chart);
        write_chart(chart);
    }
}

void pe__html_charts(const struct pe__html *page)
{
    struct chart chart = { .page = page };
    size_t count = count_events(page->profile);

    if (count == 0)
        return;
    chart.events = calloc(count, sizeof *chart.events);
    if (chart.events)
        write_charts(&chart);
    else
        pe__html_fail(page);
    free(chart.events);
}
