/*
 * report_lines.c - the line report, in the manner of line_profiler: for each region and file a table of its lines, with
 * the source text where the file can be found.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/report_text.h"
#include "report/source_text.h"
#include "report/text.h"

/* More lines without a mark than these, one after the other, are not shown. */
#define GAP_MAX 30

/* What was measured of one line within one region. */
struct line {
    uint32_t region; /* label; of a root: outside all regions */
    uint32_t number;
    const char *file;
    uint64_t hits;
    int64_t time_ns;
};

/* Lines of one region in one file. */
struct group {
    const struct line *lines;
    uint32_t count;
    int64_t time_ns;
};

/* A row: a line with a mark, one without, or a gap. */
struct row {
    uint32_t number; /* 0: a gap */
    const struct line *line;
};

struct shown {
    const struct group *group;
    const struct pe__source_text *source;
    struct row *rows;
    uint32_t count;
};

/* ---- lines and groups ---- */

static int compare_lines(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    int by_file;

    if (left->region != right->region)
        return left->region < right->region ? -1 : 1;
    by_file = strcmp(left->file, right->file);
    if (by_file != 0)
        return by_file;
    return left->number < right->number ? -1 : left->number > right->number;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a, *right = b;

    if (left->time_ns != right->time_ns)
        return left->time_ns > right->time_ns ? -1 : 1;
    return compare_lines(left->lines, right->lines);
}

static bool same_group(const struct line *a, const struct line *b)
{
    return a->region == b->region && strcmp(a->file, b->file) == 0;
}

/* The region around a node: lines have no children, so it is the parent. */
static uint32_t region_of(const struct pe__profile *profile, const struct pe__profile_node *node)
{
    return node->parent == PE__REGION_NOTHING ? node->label : profile->nodes[node->parent].label;
}

/* Sorted, each line of a region once. */
static uint32_t collect_lines(const struct pe__profile *profile, struct line *lines, const char *match)
{
    uint32_t count = 0, kept = 0;

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];
        const struct pe__profile_label *label = &profile->labels[node->label];
        uint32_t region = region_of(profile, node);

        if (label->kind == PE_SITE_LINE && (!match || fnmatch(match, profile->labels[region].name, 0) == 0))
            lines[count++] = (struct line){ region, label->line, label->file, node->calls, node->total_ns };
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    for (uint32_t i = 0; i < count; i++)
        if (kept && compare_lines(&lines[kept - 1], &lines[i]) == 0) {
            lines[kept - 1].hits += lines[i].hits;
            lines[kept - 1].time_ns += lines[i].time_ns;
        } else {
            lines[kept++] = lines[i];
        }
    return kept;
}

/* The one with most time first. */
static uint32_t collect_groups(const struct line *lines, uint32_t line_count, struct group *groups)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < line_count; i++) {
        if (count == 0 || !same_group(groups[count - 1].lines, &lines[i]))
            groups[count++] = (struct group){ &lines[i], 0, 0 };
        groups[count - 1].count++;
        groups[count - 1].time_ns += lines[i].time_ns;
    }
    qsort(groups, count, sizeof *groups, compare_groups);
    return count;
}

/* ---- one table ---- */

static void write_cell(pe__text_cell ret, const void *context, uint32_t column, uint32_t row)
{
    const struct shown *shown = context;
    const struct row *at = &shown->rows[row];

    *ret = '\0';
    if (column == 0 && at->number)
        snprintf(ret, sizeof(pe__text_cell), "%u", (unsigned)at->number);
    else if (column == 0)
        strcpy(ret, "...");
    else if (!at->line)
        return;
    else if (column == 1)
        snprintf(ret, sizeof(pe__text_cell), "%llu", (unsigned long long)at->line->hits);
    else if (column == 2)
        pe__text_time(ret, (double)at->line->time_ns);
    else if (column == 3 && at->line->hits)
        pe__text_time(ret, (double)at->line->time_ns / (double)at->line->hits);
    else if (column == 4)
        pe__text_percent(ret, (double)at->line->time_ns, (double)shown->group->time_ns);
}

static void write_source(struct pe__sink *sink, const void *context, uint32_t row)
{
    const struct shown *shown = context;
    const char *text = pe__source_text_line(shown->source, shown->rows[row].number);

    if (text)
        pe__sink_source(sink, text);
}

/* Lines without marks from `number` to before `end`, as far as there is source text. */
static void add_between(struct shown *shown, uint32_t number, uint32_t end)
{
    if (shown->source->count == 0)
        return;
    if (end > shown->source->count + 1)
        end = shown->source->count + 1;
    if (number < end && end - number > GAP_MAX)
        shown->rows[shown->count++] = (struct row){ 0, NULL };
    else
        for (; number < end; number++)
            shown->rows[shown->count++] = (struct row){ number, NULL };
}

/* From the region's own line to one line beyond the last mark: a mark may stand in a line of its own. */
static void fill_rows(struct shown *shown, const struct pe__profile_label *region)
{
    const struct group *group = shown->group;
    uint32_t next = group->lines[0].number;

    if (strcmp(region->file, group->lines[0].file) == 0 && region->line && region->line < next)
        next = region->line;
    for (uint32_t i = 0; i < group->count; i++) {
        add_between(shown, next, group->lines[i].number);
        shown->rows[shown->count++] = (struct row){ group->lines[i].number, &group->lines[i] };
        next = group->lines[i].number + 1;
    }
    if (next != 0)
        add_between(shown, next, next + 1);
}

static void print_table(struct pe__sink *sink, const struct shown *shown)
{
    static const char *const titles[] = { "Line #", "Hits", "Time", "Per Hit", "% Time" };
    struct pe__text_table table = {
        .context = shown,
        .titles = titles,
        .column_count = 5,
        .row_count = shown->count,
        .name_title = "Line Contents",
        .has_rule = true,
        .cell = write_cell,
        .name = write_source,
    };

    pe__text_table(sink, &table);
}

static void print_group_head(struct pe__sink *sink, const struct group *group, const struct pe__profile_label *region,
                             bool has_source)
{
    pe__text_cell time;

    pe__text_time(time, (double)group->time_ns);
    pe__sink_print(sink, "\nTotal time: %s\nFile: ", time);
    pe__sink_plain(sink, group->lines[0].file);
    pe__sink_text(sink, has_source ? "\nRegion: " : " (not found; PAREXEC_SOURCE_PATH lists directories)\nRegion: ");
    if (region->kind == PE__KIND_ROOT) {
        pe__sink_text(sink, "none\n\n");
        return;
    }
    pe__sink_plain(sink, region->name);
    if (region->line)
        pe__sink_print(sink, " at line %u", (unsigned)region->line);
    pe__sink_text(sink, "\n\n");
}

static void print_group(struct pe__sink *sink, const struct pe__profile *profile, const struct group *group)
{
    const struct pe__profile_label *region = &profile->labels[group->lines[0].region];
    struct pe__source_text source;
    struct shown shown = { .group = group, .source = &source };

    if (pe__source_text_read(&source, group->lines[0].file) != 0) {
        sink->error = PE_ENOMEM;
        return;
    }
    shown.rows = calloc(((size_t)group->count + 1) * (GAP_MAX + 1), sizeof *shown.rows);
    if (shown.rows) {
        fill_rows(&shown, region);
        print_group_head(sink, group, region, source.count != 0);
        print_table(sink, &shown);
    } else {
        sink->error = PE_ENOMEM;
    }
    free(shown.rows);
    pe__source_text_free(&source);
}

void pe__report_lines(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    struct line *lines = calloc((size_t)profile->node_count + 1, sizeof *lines);
    struct group *groups = calloc((size_t)profile->node_count + 1, sizeof *groups);

    pe__text_head(sink, profile, options);
    if (lines && groups) {
        uint32_t line_count = collect_lines(profile, lines, options->match);
        uint32_t group_count = collect_groups(lines, line_count, groups);

        if (group_count == 0)
            pe__sink_text(sink, "\nNo line was measured: PE_LINE marks lines.\n");
        for (uint32_t i = 0; i < group_count && !sink->error; i++)
            print_group(sink, profile, &groups[i]);
    } else {
        sink->error = PE_ENOMEM;
    }
    free(lines);
    free(groups);
}
