/* The comparison, bench/run compare: sweeps over workers, lengths and sizes beside every rival that is there.
 *
 * A sweep is measured in passes, each of which goes through all of its points; a point is a row, in a process of its
 * own (table/measure.c), with a few rounds of all contenders in turns. So whatever the machine does meanwhile hits all
 * points and all contenders alike, and each median is over several processes. The figures go to a JSON file for each
 * sweep; table and plots are made of those by compare/draw.py. */

#include "compare/json.h"
#include "machine.h"
#include "table/program.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSES       3
#define ONLY_MAX     32
#define USUAL_ROUNDS 9

struct arguments {
    struct measure_options measure;
    const char *only[ONLY_MAX];
    int only_count;
    const char *output;
    int list;
};

static const char usage[] =
    "usage: bench/run compare [--quick] [--rounds N] [--only SWEEP]... [--output DIRECTORY] [--list]\n"
    "Measures, writes a JSON file for each sweep, a table (compare.txt) and plots (SVG and PNG).\n"
    "  --quick             a few points, one round: everything is tried out, figures are rough\n"
    "  --rounds N          3 to 99, rounded up to a multiple of 3 (9)\n"
    "  --only SWEEP        just this one; may be given several times; what was measured before stays\n"
    "  --output DIRECTORY  compare in the build directory\n"
    "  --list              the names of the sweeps\n";

static int add_only(struct arguments *arguments, const char *key)
{
    for (const struct sweep *sweep = sweeps; sweep->row.key; sweep++) {
        if (strcmp(sweep->row.key, key) == 0 && arguments->only_count < ONLY_MAX) {
            arguments->only[arguments->only_count++] = key;
            return 0;
        }
    }
    fprintf(stderr, "compare: no sweep \"%s\"; --list shows them\n", key);
    return -1;
}

static int set_rounds(struct arguments *arguments, const char *text)
{
    uint64_t rounds;
    if (bench_parse_count(text, &rounds) < 0 || rounds < PASSES || rounds > 99) {
        fprintf(stderr, "compare: --rounds takes %d to 99\n", PASSES);
        return -1;
    }
    arguments->measure.rounds = (uint32_t)(rounds + PASSES - 1) / PASSES * PASSES;
    return 0;
}

static int apply_option(struct arguments *arguments, int option)
{
    switch (option) {
    case 'q':
        arguments->measure.quick = 1;
        return 0;
    case 'l':
        arguments->list = 1;
        return 0;
    case 'r':
        return set_rounds(arguments, optarg);
    case 'o':
        return add_only(arguments, optarg);
    case 'd':
        arguments->output = optarg;
        return 0;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default:
        fputs(usage, stderr);
        return -1;
    }
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "rounds", required_argument, NULL, 'r' },
        { "only", required_argument, NULL, 'o' },
        { "output", required_argument, NULL, 'd' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (apply_option(arguments, option) < 0)
            return -1;
    if (optind < argc) {
        fputs(usage, stderr);
        return -1;
    }
    if (arguments->measure.rounds == 0)
        arguments->measure.rounds = USUAL_ROUNDS;
    if (arguments->measure.quick)
        arguments->measure.rounds = 1;
    return 0;
}

static int wanted(const struct arguments *arguments, const char *key)
{
    for (int i = 0; i < arguments->only_count; i++)
        if (strcmp(arguments->only[i], key) == 0)
            return 1;
    return arguments->only_count == 0;
}

/* What to type for this sweep; where the files go is nobody's business. */
static void name_command(const struct arguments *arguments, const struct sweep *sweep, char *text, size_t bytes)
{
    if (arguments->measure.quick)
        snprintf(text, bytes, "bench/run compare --quick --only %s", sweep->row.key);
    else
        snprintf(text, bytes, "bench/run compare --rounds %u --only %s", (unsigned)arguments->measure.rounds,
                 sweep->row.key);
}

static size_t choose_points(const struct sweep *sweep, int quick, size_t *ret_points)
{
    size_t count = 0;
    for (size_t i = 0; i < sweep_points(sweep); i++)
        if (!quick || sweep->points[i].quick_n > 0)
            ret_points[count++] = i;
    return count;
}

static void measure_sweep(const struct record *record, struct outcome *outcomes)
{
    uint32_t passes = record->options->quick ? 1 : PASSES;
    struct measure_options options = *record->options;
    options.rounds /= passes;
    for (uint32_t pass = 0; pass < passes; pass++) {
        options.first = pass * options.rounds;
        for (size_t i = 0; i < record->point_count; i++) {
            struct row row = sweep_row(record->sweep, &record->sweep->points[record->points[i]]);
            measure_row(&row, &options, &outcomes[i]);
        }
    }
}

static int count_failed(const struct record *record)
{
    int failed = 0;
    for (size_t i = 0; i < record->point_count; i++)
        for (int k = 0; k < CONTENDERS_MAX; k++)
            if (record->outcomes[i].answers[k].failed) {
                fprintf(stderr, "compare: %s: no figure of %s: %s\n", record->sweep->row.key,
                        record->sweep->row.contenders[k].label, record->outcomes[i].answers[k].note);
                failed++;
            }
    return failed;
}

/* How many figures of ours are missing, or -1 when the file cannot be written. */
static int run_sweep(const struct arguments *arguments, const struct sweep *sweep)
{
    char command[128];
    size_t points[POINTS_MAX];
    size_t bytes = POINTS_MAX * sizeof(struct outcome);
    struct outcome *outcomes = machine_shared(bytes);
    struct record record = { .sweep = sweep, .options = &arguments->measure, .command = command,
                             .points = points, .outcomes = outcomes };
    double start = bench_now();
    name_command(arguments, sweep, command, sizeof(command));
    record.point_count = choose_points(sweep, arguments->measure.quick, points);
    measure_sweep(&record, outcomes);
    record.seconds = bench_now() - start;
    printf("%-16s %6.1f s  %s\n", sweep->row.key, record.seconds, sweep->row.what);
    fflush(stdout);
    int failed = count_failed(&record);
    if (record_write(&record, arguments->output) < 0) {
        fprintf(stderr, "compare: %s/%s.json: %s\n", arguments->output, sweep->row.key, strerror(errno));
        failed = -1;
    }
    machine_unshare(outcomes, bytes);
    return failed;
}

/* Table and plots of all JSON files there. The exit status of the program that makes them. */
static int draw(const char *directory)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        execlp(program_python(), program_python(), BENCH_SOURCE_DIR "/compare/draw.py", directory, (char *)NULL);
        fprintf(stderr, "compare: no %s: the figures are there, but neither table nor plots\n", program_python());
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        continue;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .output = BENCH_BUILD_DIR "/compare" };
    int failed = 0;
    if (parse_arguments(&arguments, argc, argv) < 0)
        return 2;
    if (!arguments.list && mkdir(arguments.output, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "compare: %s: %s\n", arguments.output, strerror(errno));
        return 1;
    }
    for (const struct sweep *sweep = sweeps; sweep->row.key; sweep++) {
        if (arguments.list)
            printf("%-16s %s\n", sweep->row.key, sweep->row.what);
        else if (wanted(&arguments, sweep->row.key))
            failed += run_sweep(&arguments, sweep) != 0;
    }
    if (!arguments.list)
        failed += draw(arguments.output) != 0;
    return failed > 0;
}
