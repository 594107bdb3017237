/* text_unfinished.c - regions that have been entered and not left, now or for ever. */
#include <stdlib.h>
#include <string.h>

#include <fnmatch.h>
#include <parexec/error.h>
#include <parexec/region.h>

#include "report/report_text.h"
#include "report/text.h"

struct unfinished {
    const struct pe__profile *profile;
    uint32_t *rows; /* nodes */
    uint32_t count;
};

static bool is_unfinished(const struct pe__profile *profile, const struct pe__profile_node *node, const char *match)
{
    const struct pe__profile_label *label = &profile->labels[node->label];

    return (node->open_ns != 0 || node->unfinished != 0) && label->kind != PE__KIND_ROOT &&
           label->kind != PE_SITE_LINE && (!match || fnmatch(match, label->name, 0) == 0);
}

static void write_cell(pe__text_cell ret, const void *context, uint32_t column, uint32_t row)
{
    const struct unfinished *all = context;
    const struct pe__profile_node *node = &all->profile->nodes[all->rows[row]];

    if (column == 0)
        snprintf(ret, sizeof(pe__text_cell), "%llu", (unsigned long long)node->unfinished);
    else if (node->open_ns)
        pe__text_time(ret, (double)(all->profile->wall_ns - node->open_ns));
    else
        strcpy(ret, "-");
}

static void write_name(struct pe__sink *sink, const void *context, uint32_t row)
{
    const struct unfinished *all = context;
    const struct pe__profile_node *node = &all->profile->nodes[all->rows[row]];

    pe__text_label(sink, &all->profile->labels[node->label]);
    pe__sink_text(sink, " in ");
    pe__text_track(sink, all->profile, node->track);
}

static void print_table(struct pe__sink *sink, const struct unfinished *all, const pe_report_options *options)
{
    static const char *const titles[] = { "cut short", "open for" };
    struct pe__text_table table = {
        .context = all,
        .titles = titles,
        .column_count = 2,
        .row_count = pe__text_rows(all->count, options),
        .name_title = "name(file:line)",
        .cell = write_cell,
        .name = write_name,
    };

    pe__text_title(sink, "Unfinished: open now, or cut short by the end of their thread or process");
    pe__text_table(sink, &table);
    pe__text_rows_left_out(sink, all->count, options);
}

void pe__text_unfinished(struct pe__sink *sink, const struct pe__profile *profile, const pe_report_options *options)
{
    struct unfinished all = { .profile = profile };

    all.rows = calloc((size_t)profile->node_count + 1, sizeof *all.rows);
    if (!all.rows) {
        sink->error = PE_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < profile->node_count; i++)
        if (is_unfinished(profile, &profile->nodes[i], options->match))
            all.rows[all.count++] = i;
    if (all.count)
        print_table(sink, &all, options);
    free(all.rows);
}
