/* Options, and one row after the other. table/measure.c says how a row is run. */

#include "table/main.h"
#include "machine.h"
#include "table/arguments.h"
#include "table/table.h"

#include <stdio.h>
#include <string.h>

#define USUAL_ROUNDS 7
#define QUICK_ROUNDS 3

static const struct row *rows;

static const char usage[] = "[--quick] [--json] [--rounds N] [--only ROW]... [--profile] [--list]\n"
                            "  --quick     small sizes and few rounds, a few seconds in all\n"
                            "  --json      one JSON object instead of the table\n"
                            "  --rounds N  1 to 101 (7; 3 when quick)\n"
                            "  --only ROW  just this row; may be given several times\n"
                            "  --profile   before each row the regions of our host and workers; figures are then\n"
                            "              those of a run that measures them\n"
                            "  --list      the names of the rows\n";

static int is_row(const char *key)
{
    for (const struct row *row = rows; row->key; row++)
        if (strcmp(row->key, key) == 0)
            return 1;
    return 0;
}

static int parse_arguments(struct arguments *arguments, const char *bench, int *ret_json, int argc, char **argv)
{
    const struct arguments_rules rules = { .bench = bench, .noun = "row", .usage = usage, .has = is_row,
                                           .rounds_least = 1, .rounds_most = MEASURE_ROUNDS_MAX,
                                           .own = { { "json", ret_json, NULL },
                                                    { "profile", &arguments->measure.profile, NULL } } };
    if (arguments_parse(arguments, &rules, argc, argv) < 0)
        return -1;
    if (arguments->measure.profile && *ret_json) {
        fprintf(stderr, "%s: --profile is text: without --json\n", bench);
        return -1;
    }
    if (arguments->measure.rounds == 0)
        arguments->measure.rounds = arguments->measure.quick ? QUICK_ROUNDS : USUAL_ROUNDS;
    return 0;
}

static void list_rows(void)
{
    for (const struct row *row = rows; row->key; row++)
        printf("%-12s %s\n", row->key, row->what);
}

/* `json` is NULL where a table is wanted. */
static void run_rows(const struct arguments *arguments, struct tally *tally, bench_json *json)
{
    struct outcome *outcome = machine_shared(sizeof(*outcome));
    for (const struct row *row = rows; row->key; row++) {
        if (!arguments_want(arguments, row->key))
            continue;
        memset(outcome, 0, sizeof(*outcome));
        measure_row(row, &arguments->measure, outcome);
        if (json)
            table_json_row(json, row, outcome, tally);
        else
            table_row(row, outcome, tally);
    }
    machine_unshare(outcome, sizeof(*outcome));
}

int table_main(const char *bench, const struct row *bench_rows, int argc, char **argv)
{
    struct arguments arguments = { 0 };
    struct tally tally = { 0 };
    bench_json json;
    int as_json = 0;
    rows = bench_rows;
    if (parse_arguments(&arguments, bench, &as_json, argc, argv) < 0)
        return 2;
    if (arguments.list) {
        list_rows();
        return 0;
    }
    if (as_json)
        table_json_open(&json, bench, &arguments.measure);
    else
        table_open(&arguments.measure);
    run_rows(&arguments, &tally, as_json ? &json : NULL);
    if (as_json)
        table_json_close(&json, &tally);
    else
        table_close(&tally);
    return tally.failed > 0;
}
