/* text_columns.c - the columns of the tables of sums. */
#include <string.h>

#include "report/report_text.h"
#include "report/text.h"

typedef void cell_fn(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum);

#define FLAT PE__TEXT_FLAT
#define TREE PE__TEXT_TREE
#define SPANS PE__TEXT_SPANS
#define COUNTERS PE__TEXT_COUNTERS
#define MARKS PE__TEXT_MARKS
#define LIBRARY PE__TEXT_LIBRARY
#define IF_CPU_TIME 0x10000u /* only when it was taken */

struct column {
    const char *title;
    cell_fn *write;
    uint32_t tables; /* which have it */
};

static void write_time_of(pe__text_cell ret, int64_t ns, uint64_t calls)
{
    if (calls == 0)
        strcpy(ret, "-");
    else
        pe__text_time(ret, (double)ns / (double)calls);
}

static void write_calls(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    (void)table;
    if (sum->first_calls != 0 && sum->first_calls != sum->calls)
        snprintf(ret, sizeof(pe__text_cell), "%llu/%llu", (unsigned long long)sum->calls,
                 (unsigned long long)sum->first_calls);
    else
        snprintf(ret, sizeof(pe__text_cell), "%llu", (unsigned long long)sum->calls);
}

static void write_share_of_all(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    pe__text_percent(ret, (double)sum->own_ns, (double)table->whole_ns);
}

static void write_share_of_parent(pe__text_cell ret, const struct pe__text_sums *table,
                                  const struct pe__profile_sum *sum)
{
    int64_t whole =
        sum->parent == PE__REGION_NOTHING ? table->whole_ns : table->sums->rows[sum->parent].total_ns;
    pe__text_percent(ret, (double)sum->total_ns, (double)whole);
}

static uint64_t first_calls(const struct pe__profile_sum *sum)
{
    return sum->first_calls ? sum->first_calls : sum->calls;
}

/* A time, over so many calls; "-" for none. */
#define WRITE_TIME(name, ns, calls) \
    static void name(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum) \
    { \
        (void)table; \
        write_time_of(ret, ns, calls); \
    }
WRITE_TIME(write_own, sum->own_ns, 1)
WRITE_TIME(write_own_per_call, sum->own_ns, sum->calls)
WRITE_TIME(write_total, sum->total_ns, 1)
WRITE_TIME(write_total_per_call, sum->total_ns, first_calls(sum))
WRITE_TIME(write_waited, sum->waited_ns, 1)
WRITE_TIME(write_active, sum->total_ns - sum->waited_ns, 1)
WRITE_TIME(write_cpu, sum->cpu_ns, 1)
WRITE_TIME(write_least, sum->least_ns, sum->timed ? 1 : 0)
WRITE_TIME(write_p50, sum->p50_ns, sum->timed ? 1 : 0)
WRITE_TIME(write_p95, sum->p95_ns, sum->timed ? 1 : 0)
WRITE_TIME(write_p99, sum->p99_ns, sum->timed ? 1 : 0)
WRITE_TIME(write_most, sum->most_ns, sum->timed ? 1 : 0)

static void write_amount(pe__text_cell ret, int64_t amount)
{
    snprintf(ret, sizeof(pe__text_cell), "%lld", (long long)amount);
}

static void write_sum(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    (void)table;
    write_amount(ret, sum->sum);
}

static void write_mean(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    (void)table;
    if (sum->calls)
        snprintf(ret, sizeof(pe__text_cell), "%.6g", (double)sum->sum / (double)sum->calls);
    else
        strcpy(ret, "-");
}

static void write_least_amount(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    (void)table;
    write_amount(ret, sum->least);
}

static void write_most_amount(pe__text_cell ret, const struct pe__text_sums *table, const struct pe__profile_sum *sum)
{
    (void)table;
    write_amount(ret, sum->most);
}

static const struct column all_columns[] = {
    { "ncalls", write_calls, FLAT | TREE | SPANS | LIBRARY },
    { "times", write_calls, COUNTERS | MARKS },
    { "%", write_share_of_all, FLAT },
    { "%parent", write_share_of_parent, TREE },
    { "tottime", write_own, FLAT | TREE },
    { "percall", write_own_per_call, FLAT },
    { "cumtime", write_total, FLAT | TREE | SPANS | LIBRARY },
    { "percall", write_total_per_call, FLAT | TREE | SPANS | LIBRARY },
    { "active", write_active, SPANS },
    { "waiting", write_waited, SPANS },
    { "cpu", write_cpu, FLAT | TREE | IF_CPU_TIME },
    { "min", write_least, FLAT | TREE | SPANS | LIBRARY },
    { "p50", write_p50, FLAT | TREE | SPANS | LIBRARY },
    { "p95", write_p95, FLAT | TREE | SPANS | LIBRARY },
    { "p99", write_p99, FLAT | TREE | SPANS | LIBRARY },
    { "max", write_most, FLAT | TREE | SPANS | LIBRARY },
    { "sum", write_sum, COUNTERS },
    { "mean", write_mean, COUNTERS },
    { "min", write_least_amount, COUNTERS },
    { "max", write_most_amount, COUNTERS },
};

/* One table while it is written. */
struct printed {
    const struct pe__text_sums *table;
    const struct column *columns[PE__TEXT_COLUMNS_MAX];
    const char *titles[PE__TEXT_COLUMNS_MAX];
    uint32_t column_count;
};

static void choose_columns(struct printed *printed)
{
    for (uint32_t i = 0; i < sizeof all_columns / sizeof all_columns[0]; i++) {
        const struct column *column = &all_columns[i];

        if (!(column->tables & printed->table->kind) ||
            (column->tables & IF_CPU_TIME && !printed->table->profile->has_cpu_time))
            continue;
        printed->titles[printed->column_count] = column->title;
        printed->columns[printed->column_count++] = column;
    }
}

static void write_cell(pe__text_cell ret, const void *context, uint32_t column, uint32_t row)
{
    const struct printed *printed = context;
    const struct pe__text_sums *table = printed->table;

    printed->columns[column]->write(ret, table, &table->sums->rows[table->order[row]]);
}

static void write_name(struct pe__sink *sink, const void *context, uint32_t row)
{
    const struct pe__text_sums *table = ((const struct printed *)context)->table;
    const struct pe__profile_sum *sum = &table->sums->rows[table->order[row]];

    if (table->kind == TREE)
        for (uint32_t up = sum->parent; up != PE__REGION_NOTHING; up = table->sums->rows[up].parent)
            pe__sink_text(sink, "  ");
    pe__text_label(sink, &table->profile->labels[sum->label]);
}

void pe__text_sums_print(struct pe__sink *sink, const struct pe__text_sums *table, const pe_report_options *options)
{
    struct printed printed = { .table = table };
    struct pe__text_table text = {
        .context = &printed,
        .titles = printed.titles,
        .row_count = pe__text_rows(table->count, options),
        .name_title = "name(file:line)",
        .cell = write_cell,
        .name = write_name,
    };

    choose_columns(&printed);
    text.column_count = printed.column_count;
    pe__text_table(sink, &text);
    pe__text_rows_left_out(sink, table->count, options);
}
