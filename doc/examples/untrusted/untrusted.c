/*
 * untrusted.c: a table of sound files from wherever, read by a reader that not every file leaves alive (wav.h).
 *
 *     untrusted [-t MILLISECONDS] [-m MEGABYTES] [-w WORKERS] FILE...
 *
 * Each file is an item of a map. One that makes the reader crash, hang (for more than -t, 1000) or take all memory
 * (more than -m, 256) has a line of its own that says so, with the place where it crashed. The exit status is 1 then.
 *
 * It shows the endings of items (job.h), limits of time and memory, backtraces, and input that is not copied: workers
 * are forked when the names are there, so they have them (PE_MAP_INHERITED in map.h).
 */
#include <ctype.h>
#include <inttypes.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wav.h"

/* ---- in a worker ---- */

/* The reader gets memory of its own to write to, and what it says is handed over when it is through. */
static int read_file(const void *in, void *out, const void *context)
{
    struct wav wav;
    const char *refused = wav_read(*(char *const *)in, &wav);

    (void)context;
    if (refused != NULL)
        return pe_worker_fail(1, "%s", refused);
    memcpy(out, &wav, sizeof wav);
    return 0;
}

/* ---- in the program ---- */

/* The title is for whoever wrote the file to choose: not all of it is for a terminal. */
static void print_title(const struct wav *wav)
{
    printf(", \"");
    for (size_t i = 0; i < sizeof wav->title && wav->title[i] != '\0'; i++)
        putchar(iscntrl((unsigned char)wav->title[i]) ? '?' : wav->title[i]);
    putchar('"');
}

static void print_wav(const struct wav *wav)
{
    printf("%" PRIu32 " Hz, channels: %" PRIu32 ", %.2f s, peak %.3f", wav->rate, wav->channels, wav->seconds,
           wav->peak);
    if (wav->title[0] != '\0')
        print_title(wav);
    puts("");
}

static const char *item_text(const pe_job *job, uint64_t item, uint32_t which)
{
    const char *text;

    return pe_job_item_text(job, item, which, &text, NULL) == 0 ? text : "";
}

/* The innermost call: "#0  0x000055e0d07a31c4 parse+0x14 (...)". */
static void print_place(const char *backtrace)
{
    const char *line = strstr(backtrace, "#0");

    printf("%s%.*s\n", line != NULL ? "\n    " : "", line != NULL ? (int)strcspn(line, "\n") : 0, line);
}

/* 1 for a file that the reader did not survive. */
static int print_ending(const pe_job *job, uint64_t item, const struct wav *wav)
{
    pe_status status;
    int error = pe_job_item_status(job, item, &status);

    if (error < 0)
        printf("%s\n", pe_strerror(error));
    else if (status.kind == PE_RETURNED && status.code == 0)
        print_wav(wav);
    else if (status.kind == PE_RETURNED)
        printf("refused: %s\n", item_text(job, item, PE_TEXT_MESSAGE));
    else if (status.kind == PE_TIMED_OUT)
        puts("took too long");
    else if (status.kind == PE_OUT_OF_MEMORY)
        puts("took too much memory");
    else if (status.kind == PE_CRASHED) {
        printf("killed by signal %d (%s)", (int)status.code, strsignal(status.code));
        print_place(item_text(job, item, PE_TEXT_BACKTRACE));
    } else
        printf("ended with kind %u, code %d\n", (unsigned)status.kind, (int)status.code);
    return error < 0 || status.kind != PE_RETURNED;
}

/* How many files the reader did not survive, or an error. */
static int read_files(pe_pool *pool, char **names, size_t count, int64_t timeout_ns)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    struct wav *wavs = calloc(count, sizeof *wavs);
    int deaths = 0;
    pe_job *job;

    if (wavs == NULL)
        return PE_ENOMEM;
    options.flags = PE_MAP_INHERITED;
    options.timeout_ns = timeout_ns;
    int error = pe_pool_start_map(pool, read_file, names, sizeof *names, wavs, sizeof *wavs, count, &options, &job);
    if (error == 0) {
        error = pe_job_wait(job, PE_FOREVER);
        for (size_t i = 0; i < count && error == 0; i++) {
            printf("%s: ", names[i]);
            deaths += print_ending(job, i, &wavs[i]);
        }
        pe_job_free(job);
    }
    free(wavs);
    return error < 0 ? error : deaths;
}

int main(int argc, char **argv)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int64_t timeout_ns = PE_SECONDS(1);
    pe_pool *pool;

    options.flags = PE_POOL_BACKTRACE;
    options.max_deaths = UINT32_MAX; /* also where no file is good */
    options.grace_ns = PE_NOW;       /* a reader that hangs is not asked */
    options.memory_limit_bytes = 256 << 20;
    for (int option; (option = getopt(argc, argv, "t:m:w:")) != -1;) {
        uint32_t number = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

        switch (option) {
        case 't': timeout_ns = PE_MS(number); break;
        case 'm': options.memory_limit_bytes = (uint64_t)number << 20; break;
        case 'w': options.workers = number; break;
        default: return 2;
        }
    }
    int deaths = pe_pool_new(&options, &pool);
    if (deaths == 0) {
        deaths = read_files(pool, argv + optind, (size_t)(argc - optind), timeout_ns);
        pe_pool_free(pool);
    }
    if (deaths < 0)
        fprintf(stderr, "untrusted: %s\n", pe_strerror(deaths));
    return deaths != 0;
}
