/* Words, lines and bytes of all files below some directories: a stream over real input.
 *
 *     bench/run words [--quick] [--rounds N] [--workers N] [DIRECTORY]...
 *
 * Exit status 0: measured, and all counts are the same; 1: not so; 2: wrong usage. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parexec.h>

#include "harness.h"
#include "words/run.h"

#define USUAL_ROUNDS 5
#define QUICK_ROUNDS 2
#define ROUNDS_MAX   101
#define CONTENDERS   5

static const char usage[] = "usage: words [--quick] [--rounds N] [--workers N] [DIRECTORY]...\n"
                            "Counts words, lines and bytes of all files below the directories (/usr/share/doc and\n"
                            "/usr/include), and a checksum: serially, as streams of a pool, and with GNU tools.\n"
                            "  --quick      this program's own sources, few rounds\n"
                            "  --rounds N   1 to 101 (5; 2 when quick)\n"
                            "  --workers N  1 to 1024 (one for each CPU)\n";

struct contender {
    const char *name;
    words_run_fn *run;
    int is_gnu;
};

static const struct contender contenders[CONTENDERS] = {
    { "serial loop", words_run_serial, 0 },
    { "stream, workers read", words_run_stream, 0 },
    { "stream, the source reads", words_run_stream_bytes, 0 },
    { "find | wc", words_run_gnu, 1 },
    { "find | xargs -P | wc", words_run_gnu_parallel, 1 },
};

struct arguments {
    uint64_t rounds, workers;
    char **roots;
};

static int parse(int argc, char **argv, struct arguments *arguments)
{
    static char *usual[] = { "/usr/share/doc", "/usr/include", NULL }, *quick[] = { BENCH_SOURCE_DIR, NULL };
    static const struct option options[] = { { "quick", no_argument, NULL, 'q' },
                                             { "rounds", required_argument, NULL, 'r' },
                                             { "workers", required_argument, NULL, 'w' },
                                             { NULL, 0, NULL, 0 } };
    int option;

    *arguments = (struct arguments){ .rounds = 0, .roots = usual };
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'q')
            arguments->roots = quick;
        else if (option == '?' ||
                 bench_parse_count(optarg, option == 'r' ? &arguments->rounds : &arguments->workers) < 0)
            return -1;
    }
    if (arguments->rounds == 0)
        arguments->rounds = arguments->roots == quick ? QUICK_ROUNDS : USUAL_ROUNDS;
    if (arguments->workers == 0)
        arguments->workers = (uint64_t)pe_cpu_count();
    if (optind < argc)
        arguments->roots = argv + optind;
    return arguments->rounds <= ROUNDS_MAX && arguments->workers <= PE_WORKERS_MAX ? 0 : -1;
}

/* What wc calls a word depends on its version: printable or not. */
static int is_equal(const struct contender *contender, const struct words_counts *counts,
                    const struct words_counts *wanted)
{
    int is_same = counts->bytes == wanted->bytes && counts->lines == wanted->lines;

    return is_same && (contender->is_gnu || (counts->words == wanted->words && counts->checksum == wanted->checksum));
}

struct table {
    double seconds[CONTENDERS][ROUNDS_MAX];
    struct words_result results[CONTENDERS];
    int is_bad[CONTENDERS]; /* no result, or another one than the serial loop */
};

/* Each once; a first round, which brings the files into memory, is not counted. */
static void run_round(const struct words_job *job, struct table *table, uint64_t round)
{
    for (uint64_t i = 0; i < CONTENDERS; i++) {
        uint64_t which = round == 0 ? i : (i + round) % CONTENDERS;
        const struct contender *contender = &contenders[which];
        struct words_result *result = &table->results[which];

        if (table->is_bad[which])
            continue;
        if (contender->run(job, result) < 0 || !is_equal(contender, &result->counts, &table->results[0].counts))
            table->is_bad[which] = 1;
        if (round > 0)
            table->seconds[which][round - 1] = result->seconds;
    }
}

static void print_line(struct table *table, int which, uint64_t rounds, double serial)
{
    bench_stat stat = bench_stat_of(table->seconds[which], (size_t)rounds);
    const struct words_counts *counts = &table->results[which].counts;

    printf("%-26s %8.1f ms  +-%5.1f  %7.0f MiB/s  %5.2fx  %12" PRIu64 " words", contenders[which].name,
           stat.median * 1e3, (stat.q3 - stat.q1) * 500, (double)counts->bytes / (1 << 20) / stat.median,
           serial / stat.median, counts->words);
    if (table->results[which].held_mib > 0)
        printf("  %.1f MiB held", table->results[which].held_mib);
    putchar('\n');
}

static int print_table(struct table *table, const struct arguments *arguments)
{
    const struct words_result *serial = &table->results[0];
    double copy[ROUNDS_MAX];
    int bad = 0;

    memcpy(copy, table->seconds[0], sizeof copy);
    double median = bench_stat_of(copy, (size_t)arguments->rounds).median;
    printf("%" PRIu64 " files, %" PRIu64 " pieces, %" PRIu64 " bytes, %" PRIu64 " lines, %" PRIu64
           " words, checksum %016" PRIx64 "; %" PRIu64 " workers, medians of %" PRIu64 " rounds\n",
           serial->files, serial->pieces, serial->counts.bytes, serial->counts.lines, serial->counts.words,
           serial->counts.checksum, arguments->workers, arguments->rounds);
    if (serial->failed > 0)
        printf("%" PRIu64 " pieces could not be read\n", serial->failed);
    for (int which = 0; which < CONTENDERS; which++) {
        if (!table->is_bad[which]) {
            print_line(table, which, arguments->rounds, median);
            continue;
        }
        printf("%-26s no result, or not the same counts\n", contenders[which].name);
        bad = 1;
    }
    return bad;
}

int main(int argc, char **argv)
{
    static struct table table;
    struct arguments arguments;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct words_job job = { .shows_progress = isatty(STDERR_FILENO) };

    if (parse(argc, argv, &arguments) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    options.workers = job.workers = (uint32_t)arguments.workers;
    job.roots = arguments.roots;
    int error = pe_pool_new(&options, &job.pool);
    if (error < 0) {
        fprintf(stderr, "words: no pool: %s\n", pe_strerror(error));
        return 1;
    }
    for (uint64_t round = 0; round <= arguments.rounds; round++)
        run_round(&job, &table, round);
    pe_pool_free(job.pool);
    return print_table(&table, &arguments);
}
