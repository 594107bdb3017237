/* Options, and one row after the other. table/measure.c says how a row is run. */

#include "table/main.h"
#include "machine.h"
#include "table/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_ROUNDS 7
#define QUICK_ROUNDS 3
#define ONLY_MAX     32

struct arguments {
    struct measure_options measure;
    int json, list;
    const char *only[ONLY_MAX];
    int only_count;
};

static const char *bench;
static const struct row *rows;

static const char usage[] = "usage: bench/run %s [--quick] [--json] [--rounds N] [--only ROW]... [--profile] [--list]\n"
                            "  --quick     small sizes and few rounds, a few seconds in all\n"
                            "  --json      one JSON object instead of the table\n"
                            "  --rounds N  1 to 101 (7; 3 when quick)\n"
                            "  --only ROW  just this row; may be given several times\n"
                            "  --profile   before each row the regions of our host and workers; figures are then\n"
                            "              those of a run that measures them\n"
                            "  --list      the names of the rows\n";

static const struct row *find_row(const char *key)
{
    for (const struct row *row = rows; row->key; row++)
        if (strcmp(row->key, key) == 0)
            return row;
    return NULL;
}

static int add_only(struct arguments *arguments, const char *key)
{
    if (!find_row(key)) {
        fprintf(stderr, "%s: no row \"%s\"; --list shows them\n", bench, key);
        return -1;
    }
    if (arguments->only_count < ONLY_MAX)
        arguments->only[arguments->only_count++] = key;
    return 0;
}

static int set_rounds(struct arguments *arguments, const char *text)
{
    uint64_t rounds;
    if (bench_parse_count(text, &rounds) < 0 || rounds < 1 || rounds > MEASURE_ROUNDS_MAX) {
        fprintf(stderr, "%s: --rounds takes 1 to %d\n", bench, MEASURE_ROUNDS_MAX);
        return -1;
    }
    arguments->measure.rounds = (uint32_t)rounds;
    return 0;
}

static int apply_option(struct arguments *arguments, int option)
{
    switch (option) {
    case 'q':
        arguments->measure.quick = 1;
        return 0;
    case 'j':
        arguments->json = 1;
        return 0;
    case 'l':
        arguments->list = 1;
        return 0;
    case 'p':
        arguments->measure.profile = 1;
        return 0;
    case 'r':
        return set_rounds(arguments, optarg);
    case 'o':
        return add_only(arguments, optarg);
    case 'h':
        printf(usage, bench);
        exit(0);
    default:
        fprintf(stderr, usage, bench);
        return -1;
    }
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "json", no_argument, NULL, 'j' },
        { "profile", no_argument, NULL, 'p' },
        { "list", no_argument, NULL, 'l' },
        { "rounds", required_argument, NULL, 'r' },
        { "only", required_argument, NULL, 'o' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (apply_option(arguments, option) < 0)
            return -1;
    if (optind < argc) {
        fprintf(stderr, usage, bench);
        return -1;
    }
    if (arguments->measure.profile && arguments->json) {
        fprintf(stderr, "%s: --profile is text: without --json\n", bench);
        return -1;
    }
    if (arguments->measure.rounds == 0)
        arguments->measure.rounds = arguments->measure.quick ? QUICK_ROUNDS : USUAL_ROUNDS;
    return 0;
}

static int wanted(const struct arguments *arguments, const char *key)
{
    for (int i = 0; i < arguments->only_count; i++)
        if (strcmp(arguments->only[i], key) == 0)
            return 1;
    return arguments->only_count == 0;
}

static void list_rows(void)
{
    for (const struct row *row = rows; row->key; row++)
        printf("%-12s %s\n", row->key, row->what);
}

static void run_rows(const struct arguments *arguments, struct tally *tally, bench_json *json)
{
    struct outcome *outcome = machine_shared(sizeof(*outcome));
    for (const struct row *row = rows; row->key; row++) {
        if (!wanted(arguments, row->key))
            continue;
        memset(outcome, 0, sizeof(*outcome));
        measure_row(row, &arguments->measure, outcome);
        if (arguments->json)
            table_json_row(json, row, outcome, tally);
        else
            table_row(row, outcome, tally);
    }
    machine_unshare(outcome, sizeof(*outcome));
}

int table_main(const char *bench_name, const struct row *bench_rows, int argc, char **argv)
{
    struct arguments arguments = { 0 };
    struct tally tally = { 0 };
    bench_json json;
    bench = bench_name;
    rows = bench_rows;
    if (parse_arguments(&arguments, argc, argv) < 0)
        return 2;
    if (arguments.list) {
        list_rows();
        return 0;
    }
    if (arguments.json)
        table_json_open(&json, bench, &arguments.measure);
    else
        table_open(&arguments.measure);
    run_rows(&arguments, &tally, &json);
    if (arguments.json)
        table_json_close(&json, &tally);
    else
        table_close(&tally);
    return tally.failed > 0;
}
