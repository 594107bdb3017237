/* The comparison, bench/run compare: sweeps over workers, lengths and sizes beside every rival that is there.
 *
 * A sweep is measured in passes, each of which goes through all of its points; a point is a row, in a process of its
 * own (table/measure.c), with a few rounds of all contenders in turns. So whatever the machine does meanwhile hits all
 * points and all contenders alike, and each median is over several processes. The figures go to a JSON file for each
 * sweep; table and plots are made of those by compare/draw.py. */

#include "compare/json.h"
#include "machine.h"
#include "table/arguments.h"
#include "table/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSES       3
#define USUAL_ROUNDS 9

static const char usage[] =
    "[--quick] [--rounds N] [--only SWEEP]... [--output DIRECTORY] [--list]\n"
    "Measures, writes a JSON file for each sweep, a table (compare.txt) and plots (SVG and PNG).\n"
    "  --quick             a few points, one round: everything is tried out, figures are rough\n"
    "  --rounds N          3 to 99, rounded up to a multiple of 3 (9)\n"
    "  --only SWEEP        just this one; may be given several times; what was measured before stays\n"
    "  --output DIRECTORY  compare in the build directory\n"
    "  --list              the names of the sweeps\n";

static int is_sweep(const char *key)
{
    for (const struct sweep *sweep = sweeps; sweep->row.key; sweep++)
        if (strcmp(sweep->row.key, key) == 0)
            return 1;
    return 0;
}

static int parse_arguments(struct arguments *arguments, const char **ret_output, int argc, char **argv)
{
    const struct arguments_rules rules = { .bench = "compare", .noun = "sweep", .usage = usage, .has = is_sweep,
                                           .rounds_least = PASSES, .rounds_most = 99,
                                           .own = { { "output", NULL, ret_output } } };
    if (arguments_parse(arguments, &rules, argc, argv) < 0)
        return -1;
    if (arguments->measure.rounds == 0)
        arguments->measure.rounds = USUAL_ROUNDS;
    arguments->measure.rounds = (arguments->measure.rounds + PASSES - 1) / PASSES * PASSES;
    if (arguments->measure.quick)
        arguments->measure.rounds = 1;
    return 0;
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
static int run_sweep(const struct arguments *arguments, const char *output, const struct sweep *sweep)
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
    if (record_write(&record, output) < 0) {
        fprintf(stderr, "compare: %s/%s.json: %s\n", output, sweep->row.key, strerror(errno));
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
    struct arguments arguments = { 0 };
    const char *output = BENCH_BUILD_DIR "/compare";
    int failed = 0;
    if (parse_arguments(&arguments, &output, argc, argv) < 0)
        return 2;
    if (!arguments.list && mkdir(output, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "compare: %s: %s\n", output, strerror(errno));
        return 1;
    }
    for (const struct sweep *sweep = sweeps; sweep->row.key; sweep++) {
        if (arguments.list)
            printf("%-16s %s\n", sweep->row.key, sweep->row.what);
        else if (arguments_want(&arguments, sweep->row.key))
            failed += run_sweep(&arguments, output, sweep) != 0;
    }
    if (!arguments.list)
        failed += draw(output) != 0;
    return failed > 0;
}
