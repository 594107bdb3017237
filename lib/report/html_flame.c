/*
 * html_flame.c - the flame graph: a box for each path of regions, as wide as its time, under that of its caller.
 *
 * Boxes are placed in percent of the graph, so the browser fits them, and cuts their names, at any width.
 */
#include <stdlib.h>

#include <parexec/region.h>

#include "report/html.h"
#include "report/title.h"

/* Boxes drawn, the widest ones; more would make the page slow to no use. */
#define BOXES_MOST 4000u
/* Whoever writes a report has a stack for that. */
#define DEPTH_MOST 256u
#define ROW_PIXELS 20u

struct size {
    int64_t total_ns;
    uint32_t row;
};

struct flame {
    const struct pe__html *page;
    struct pe__profile_sums sums;
    struct size *sizes;      /* of the rows shown, the widest first */
    uint32_t shown, left_out;
    uint32_t *children;      /* of each row, and of none at [count]: the widest child + 1 */
    uint32_t *next;          /* of each row: its next sister + 1 */
    int64_t whole_ns;
};

static bool is_shown(const struct flame *flame, const struct pe__profile_sum *row)
{
    const struct pe__profile_label *label = &flame->page->profile->labels[row->label];

    return row->total_ns > 0 && label->kind != PE_SITE_COUNTER && label->kind != PE_SITE_MARK &&
           label->kind != PE__KIND_SPAN && !pe__title_is_wait(label);
}

static int widest_first(const void *a, const void *b)
{
    const struct size *left = a, *right = b;

    if (left->total_ns != right->total_ns)
        return left->total_ns > right->total_ns ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

static void choose(struct flame *flame)
{
    for (uint32_t i = 0; i < flame->sums.count; i++)
        if (is_shown(flame, &flame->sums.rows[i]))
            flame->sizes[flame->shown++] = (struct size){ flame->sums.rows[i].total_ns, i };
    qsort(flame->sizes, flame->shown, sizeof *flame->sizes, widest_first);
    if (flame->shown > BOXES_MOST) {
        flame->left_out = flame->shown - BOXES_MOST;
        flame->shown = BOXES_MOST;
    }
}

/* From the narrowest on, each to the front of its sisters. */
static void arrange(struct flame *flame)
{
    for (uint32_t i = flame->shown; i-- > 0;) {
        uint32_t row = flame->sizes[i].row, parent = flame->sums.rows[row].parent;
        uint32_t *first = &flame->children[parent == PE__REGION_NOTHING ? flame->sums.count : parent];

        if (parent == PE__REGION_NOTHING)
            flame->whole_ns += flame->sizes[i].total_ns;
        flame->next[row] = *first;
        *first = row + 1;
    }
}

static void write_tip(const struct flame *flame, const struct pe__profile_sum *row)
{
    const struct pe__profile_label *label = &flame->page->profile->labels[row->label];
    struct pe__sink *sink = flame->page->sink;

    pe__html_label(sink, label);
    pe__sink_text(sink, "\ntotal ");
    pe__html_time(sink, row->total_ns);
    pe__sink_text(sink, " (");
    pe__html_share(sink, (double)row->total_ns, (double)flame->whole_ns);
    pe__sink_text(sink, "), own ");
    pe__html_time(sink, row->own_ns);
    pe__sink_text(sink, " (");
    pe__html_share(sink, (double)row->own_ns, (double)flame->whole_ns);
    pe__sink_text(sink, ")\ncalls ");
    pe__html_count(sink, row->calls);
    pe__sink_text(sink, "\np50 ");
    pe__html_time(sink, row->p50_ns);
    pe__sink_text(sink, ", p95 ");
    pe__html_time(sink, row->p95_ns);
    pe__sink_text(sink, ", p99 ");
    pe__html_time(sink, row->p99_ns);
    if (label->file[0]) {
        pe__sink_text(sink, "\n");
        pe__html_place(sink, label);
    }
    if (row->open)
        pe__sink_text(sink, "\nstill open");
    else if (row->unfinished)
        pe__sink_text(sink, "\nsome calls were cut short");
}

/* A box and those below it, from `left` on; clocks that disagree a little do not let a child stick out. */
static void write_box(struct flame *flame, uint32_t index, int64_t left_ns, int64_t width_ns, uint32_t depth)
{
    const struct pe__profile_sum *row = &flame->sums.rows[index];
    struct pe__sink *sink = flame->page->sink;
    double scale = 100 / (double)flame->whole_ns;

    if (depth >= DEPTH_MOST || width_ns <= 0)
        return;
    pe__sink_print(sink, "<div class=\"box c%u\" data-depth=%u style=\"left:%.5f%%;width:%.5f%%;top:%upx\" title=\"",
                   pe__html_colour(flame->page, row->label), depth, (double)left_ns * scale, (double)width_ns * scale,
                   depth * ROW_PIXELS);
    write_tip(flame, row);
    pe__sink_text(sink, "\">");
    pe__html_label(sink, &flame->page->profile->labels[row->label]);
    pe__sink_text(sink, "</div>\n");
    for (uint32_t at = flame->children[index]; at; at = flame->next[at - 1]) {
        int64_t child_ns = flame->sums.rows[at - 1].total_ns;

        child_ns = child_ns < width_ns ? child_ns : width_ns;
        write_box(flame, at - 1, left_ns, child_ns, depth + 1);
        left_ns += child_ns;
        width_ns -= child_ns;
    }
}

static uint32_t depth_below(const struct flame *flame, uint32_t first, uint32_t depth)
{
    uint32_t most = depth;

    for (uint32_t at = first; at && depth < DEPTH_MOST; at = flame->next[at - 1]) {
        uint32_t below = depth_below(flame, flame->children[at - 1], depth + 1);

        most = below > most ? below : most;
    }
    return most;
}

static void write_boxes(struct flame *flame)
{
    struct pe__sink *sink = flame->page->sink;
    uint32_t first = flame->children[flame->sums.count];
    int64_t left_ns = 0;

    pe__sink_text(sink, "<p class=lead>All threads and processes together: ");
    pe__html_time(sink, flame->whole_ns);
    pe__sink_text(sink, " within regions. Width is time; below each region is what it called. "
                        "<span class=js>Click to zoom, arrow keys to walk, Enter to zoom, Escape for all.</span>"
                        "</p>\n<div class=\"tools js\"><input type=search id=find placeholder=\"Find a name\" "
                        "aria-label=\"Find a name\"><output id=found></output><span class=fill></span>"
                        "<button type=button id=flame-all>Show all</button></div>\n");
    pe__sink_print(sink, "<div id=flame class=graph style=\"height:%upx\">\n",
                   depth_below(flame, first, 0) * ROW_PIXELS);
    for (uint32_t at = first; at; at = flame->next[at - 1]) {
        write_box(flame, at - 1, left_ns, flame->sums.rows[at - 1].total_ns, 0);
        left_ns += flame->sums.rows[at - 1].total_ns;
    }
    pe__sink_text(sink, "</div>\n");
    if (flame->left_out)
        pe__sink_print(sink, "<p class=lead>The %u narrowest paths are left out.</p>\n", flame->left_out);
}

void pe__html_flame(const struct pe__html *page)
{
    struct flame flame = { .page = page };
    struct pe__profile_part all = { PE__REGION_NOTHING, PE__REGION_NOTHING };

    if (pe__profile_tree(page->profile, all, &flame.sums)) {
        pe__html_fail(page);
        return;
    }
    flame.sizes = calloc(flame.sums.count + 1, sizeof *flame.sizes);
    flame.children = calloc(flame.sums.count + 1, sizeof *flame.children);
    flame.next = calloc(flame.sums.count + 1, sizeof *flame.next);
    pe__sink_text(page->sink, "<section id=paths>\n<h2>Where the time went</h2>\n");
    if (flame.sizes && flame.children && flame.next) {
        choose(&flame);
        arrange(&flame);
        if (flame.shown)
            write_boxes(&flame);
        else
            pe__sink_text(page->sink, "<p class=lead>No region was measured.</p>\n");
    } else {
        pe__html_fail(page);
    }
    pe__sink_text(page->sink, "</section>\n");
    free(flame.sizes);
    free(flame.children);
    free(flame.next);
    pe__profile_sums_free(&flame.sums);
}
