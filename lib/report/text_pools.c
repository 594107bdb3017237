/*
 * text_pools.c - where the pools' time went: the library's own regions and counters, a column for each, and a row for
 * each process.
 */
#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>
#include <parexec/region.h>

#include "report/report_text.h"
#include "report/text.h"

#define PREFIX "pe."
#define NO_COLUMN UINT32_MAX

struct pools {
    const struct pe__profile *profile;
    uint32_t labels[PE__TEXT_COLUMNS_MAX]; /* of the columns */
    const char *titles[PE__TEXT_COLUMNS_MAX];
    uint32_t column_count;
    bool *is_shown; /* by process: it has anything to show */
    uint32_t *rows; /* the processes that are shown */
    uint32_t row_count;
    int64_t *values; /* ns, or sums of counters; by process and column */
};

bool pe__text_is_built_in(const struct pe__profile_label *label)
{
    return strncmp(label->name, PREFIX, strlen(PREFIX)) == 0;
}

static void find_columns(struct pools *pools)
{
    for (uint32_t i = 0; i < pools->profile->label_count && pools->column_count < PE__TEXT_COLUMNS_MAX; i++) {
        const struct pe__profile_label *label = &pools->profile->labels[i];

        if (!pe__text_is_built_in(label) || (!pe__text_is_region(label) && label->kind != PE_SITE_COUNTER))
            continue;
        pools->labels[pools->column_count] = i;
        pools->titles[pools->column_count++] = label->name + strlen(PREFIX);
    }
}

static uint32_t column_of(const struct pools *pools, uint32_t label)
{
    for (uint32_t column = 0; column < pools->column_count; column++)
        if (pools->labels[column] == label)
            return column;
    return NO_COLUMN;
}

static void add_up(struct pools *pools)
{
    const struct pe__profile *profile = pools->profile;

    for (uint32_t i = 0; i < profile->node_count; i++) {
        const struct pe__profile_node *node = &profile->nodes[i];
        uint32_t column = column_of(pools, node->label), process = profile->tracks[node->track].process;
        bool is_counter = profile->labels[node->label].kind == PE_SITE_COUNTER;

        if (column == NO_COLUMN || node->recursive)
            continue;
        pools->is_shown[process] = true;
        pools->values[(size_t)process * pools->column_count + column] += is_counter ? node->sum : node->total_ns;
    }
}

static void find_rows(struct pools *pools)
{
    for (uint32_t process = 0; process < pools->profile->process_count; process++)
        if (pools->is_shown[process])
            pools->rows[pools->row_count++] = process;
}

static void write_cell(pe__text_cell ret, const void *context, uint32_t column, uint32_t row)
{
    const struct pools *pools = context;
    int64_t value = pools->values[(size_t)pools->rows[row] * pools->column_count + column];

    if (value == 0)
        strcpy(ret, "-");
    else if (pools->profile->labels[pools->labels[column]].kind == PE_SITE_COUNTER)
        snprintf(ret, sizeof(pe__text_cell), "%lld", (long long)value);
    else
        pe__text_time(ret, (double)value);
}

static void write_name(struct pe__sink *sink, const void *context, uint32_t row)
{
    const struct pools *pools = context;
    const struct pe__profile_process *process = &pools->profile->processes[pools->rows[row]];

    pe__text_process(sink, process);
    pe__sink_print(sink, ", pid %d", (int)process->pid);
    if (process->lives > 1)
        pe__sink_print(sink, " and %u before it", (unsigned)(process->lives - 1));
}

static void print_table(struct pe__sink *sink, const struct pools *pools)
{
    struct pe__text_table table = {
        .context = pools,
        .titles = pools->titles,
        .column_count = pools->column_count,
        .row_count = pools->row_count,
        .name_title = "process",
        .cell = write_cell,
        .name = write_name,
    };

    pe__text_title(sink, "Where the pools' time went (times and counters whose names begin with " PREFIX ")");
    pe__text_table(sink, &table);
}

void pe__text_pools(struct pe__sink *sink, const struct pe__profile *profile)
{
    struct pools pools = { .profile = profile };

    find_columns(&pools);
    if (pools.column_count == 0 || profile->process_count == 0)
        return;
    pools.is_shown = calloc(profile->process_count, sizeof *pools.is_shown);
    pools.rows = calloc(profile->process_count, sizeof *pools.rows);
    pools.values = calloc((size_t)profile->process_count * pools.column_count, sizeof *pools.values);
    if (pools.is_shown && pools.rows && pools.values) {
        add_up(&pools);
        find_rows(&pools);
        print_table(sink, &pools);
    } else {
        sink->error = PE_ENOMEM;
    }
    free(pools.is_shown);
    free(pools.rows);
    free(pools.values);
}
