#include "words/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/stream.h>

#include "harness.h"
#include "words/walk.h"

int words_run_serial(const struct words_job *job, struct words_result *ret_result)
{
    static struct words_piece piece;
    struct words_walk walk;
    struct words_result result = { .files = 0 };
    double start = bench_now();

    if (words_walk_open(&walk, job->roots) != 0)
        return -1;
    for (; words_walk_next(&walk, &piece) > 0; result.pieces++) {
        struct words_counts counts;
        if (words_count_piece(&piece, &counts) == 0)
            words_add(&result.counts, &counts);
        else
            result.failed++;
    }
    result.files = walk.files;
    words_walk_close(&walk);
    result.seconds = bench_now() - start;
    *ret_result = result;
    return 0;
}

/* ---- streams ---- */

struct running {
    const struct words_result *result;
    double start;
};

static void show_progress(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    const struct running *running = context;
    double seconds = bench_now() - running->start;
    double mib = (double)running->result->counts.bytes / (1 << 20);

    (void)total;
    fprintf(stderr, "\r%" PRIu64 " pieces, %.0f MiB, %.0f MiB/s, %" PRIu64 " failed   ", done, mib,
            seconds > 0 ? mib / seconds : 0, failed);
}

static int next_piece(void *item, void *context)
{
    return words_walk_next(context, item);
}

static int count_piece(const void *in, void *out, const void *context)
{
    (void)context;
    return words_count_piece(in, out);
}

/* A piece whose bytes the source has read. */
struct words_bytes {
    uint64_t count;
    unsigned char bytes[WORDS_PIECE_BYTES + 1]; /* the one in front first */
};

static int next_bytes(void *item, void *context)
{
    static struct words_piece piece;
    struct words_bytes *bytes = item;
    size_t count = 0;

    if (words_walk_next(context, &piece) == 0)
        return 0;
    bytes->count = words_read(&piece, bytes->bytes, &count) == 0 ? count : UINT64_MAX;
    return 1;
}

static int count_bytes(const void *in, void *out, const void *context)
{
    const struct words_bytes *bytes = in;

    (void)context;
    if (bytes->count > WORDS_PIECE_BYTES)
        return 1;
    words_count(bytes->bytes + 1, bytes->count, bytes->bytes[0], out);
    return 0;
}

static int run_stream(const struct words_job *job, pe_map_fn *fn, pe_source_fn *source, size_t in_bytes,
                      struct words_result *ret_result)
{
    struct words_walk walk;
    struct words_result result = { .files = 0 };
    struct running running = { .result = &result, .start = bench_now() };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;
    pe_stream *stream;
    const void *data;
    int got;

    if (job->shows_progress) {
        options.progress = show_progress;
        options.progress_context = &running;
    }
    if (words_walk_open(&walk, job->roots) != 0)
        return -1;
    got = pe_pool_stream(job->pool, fn, source, &walk, in_bytes, sizeof(struct words_counts), &options, &stream);
    if (got == 0) {
        for (; (got = pe_stream_next(stream, PE_FOREVER, NULL, NULL, &data, NULL)) == 1; result.pieces++) {
            if (data != NULL)
                words_add(&result.counts, data);
            else
                result.failed++;
        }
        pe_pool_stats(job->pool, &stats);
        pe_stream_free(stream);
    }
    result.files = walk.files;
    words_walk_close(&walk);
    result.seconds = bench_now() - running.start;
    result.held_mib = (double)stats.shared_bytes_used / (1 << 20);
    if (job->shows_progress)
        fprintf(stderr, "\r\033[K");
    *ret_result = result;
    return got == 0 ? 0 : -1;
}

int words_run_stream(const struct words_job *job, struct words_result *ret_result)
{
    return run_stream(job, count_piece, next_piece, sizeof(struct words_piece), ret_result);
}

int words_run_stream_bytes(const struct words_job *job, struct words_result *ret_result)
{
    return run_stream(job, count_bytes, next_bytes, sizeof(struct words_bytes), ret_result);
}

/* ---- GNU tools ---- */

/* Directories as arguments of the shell, which sees them quoted. */
static int append_quoted(char *command, size_t room, const char *path)
{
    size_t used = strlen(command);

    if (used + 4 * strlen(path) + 4 > room)
        return -1;
    char *at = command + used;
    *at++ = ' ';
    *at++ = '\'';
    for (; *path != '\0'; path++)
        at += sprintf(at, *path == '\'' ? "'\\''" : "%c", *path);
    strcpy(at, "'");
    return 0;
}

/* Adds the lines "lines words bytes ..." that the command prints. */
static int run_gnu(const struct words_job *job, const char *counter, struct words_result *ret_result)
{
    char command[65536] = "LC_ALL=C find";
    struct words_result result = { .files = 0 };
    struct words_counts more = { .checksum = 0 };
    double start = bench_now();

    for (char *const *root = job->roots; *root != NULL; root++)
        if (append_quoted(command, sizeof command - 256, *root) < 0)
            return -1;
    strcat(command, " -type f -print0 2>/dev/null | ");
    strcat(command, counter);
    FILE *output = popen(command, "r");
    if (output == NULL)
        return -1;
    for (; fscanf(output, "%" SCNu64 "%" SCNu64 "%" SCNu64 "%*[^\n]", &more.lines, &more.words, &more.bytes) == 3;
         result.pieces++)
        words_add(&result.counts, &more);
    int ended = pclose(output);
    result.seconds = bench_now() - start;
    *ret_result = result;
    return ended == 0 && result.pieces > 0 ? 0 : -1;
}

int words_run_gnu(const struct words_job *job, struct words_result *ret_result)
{
    return run_gnu(job, "LC_ALL=C wc --files0-from=- 2>/dev/null | tail -n 1", ret_result);
}

/* The last line of each wc is the sum of its files; a single line is written at once, so lines of two do not mix. */
int words_run_gnu_parallel(const struct words_job *job, struct words_result *ret_result)
{
    char counter[160];

    snprintf(counter, sizeof counter,
             "LC_ALL=C xargs -0 -P %" PRIu32 " -n 200 sh -c 'wc \"$@\" 2>/dev/null | tail -n 1' wc", job->workers);
    return run_gnu(job, counter, ret_result);
}
