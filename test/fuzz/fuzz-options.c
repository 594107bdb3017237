/*
 * fuzz-options.c - the sized structs of pools and reports, through the calls that take them.
 *
 * The input is the members, but for pointers: those are set to something that is there, or to NULL. A call gives 0 or
 * an error that has a name; on an error nothing is handed out and no descriptor is left.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>
#include <parexec/stream.h>

#include "input.h"
#include "stand-in.h"

#define ITEMS 3

static struct input input;

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static int check(int result)
{
    demand(result >= 0 || strcmp(pe_strerror(result), "unknown error") != 0);
    return result;
}

static int lowest_free_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* A struct with any members, of its own size, or one that is much shorter or a little longer. */
static void *take_struct(size_t size)
{
    size_t given = size;
    uint64_t how = input_take(&input, 1);

    if (how >= 240)
        given = how < 248 ? how - 232 : size + 8 * (how - 247);
    unsigned char *bytes = malloc(given);
    demand(bytes != NULL);
    for (size_t i = 0; i < given; i++)
        bytes[i] = (unsigned char)input_take(&input, 1);
    memcpy(bytes, &given, sizeof given);
    return bytes;
}

static bool is_whole(const void *options, size_t size)
{
    size_t given;

    memcpy(&given, options, sizeof given);
    return given >= size;
}

static int job_fn(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 0;
}

static int item_fn(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return 0;
}

static int range_fn(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)first;
    (void)last;
    (void)acc;
    (void)context;
    return 0;
}

static int combine_fn(void *acc, const void *part, const void *context)
{
    (void)acc;
    (void)part;
    (void)context;
    return 0;
}

static int source_fn(void *item, void *context)
{
    (void)item;
    (void)context;
    return 0;
}

static int worker_fn(void *context)
{
    (void)context;
    return 0;
}

static void note_progress(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    (void)done;
    (void)failed;
    (void)total;
    (void)context;
}

/* So large that what is beyond all limits is there too, and so small that the sanitizers need no minutes for it. */
static void bound(uint64_t *value, uint64_t most)
{
    if (*value >> 63 == 0)
        *value %= most;
}

static pe_pool_options *take_pool_options(void)
{
    static const int32_t fds[] = { 0, 1, 2, 5 };
    pe_pool_options *options = take_struct(sizeof *options);

    if (!is_whole(options, sizeof *options))
        return options;
    options->worker_init = options->worker_init != NULL ? worker_fn : NULL;
    options->worker_exit = options->worker_exit != NULL ? worker_fn : NULL;
    options->keep_fds = options->keep_fds != NULL ? fds : NULL;
    if (options->keep_fds != NULL)
        options->keep_fd_count %= sizeof fds / sizeof *fds + 1;
    bound(&options->queue_jobs, 1 << 10);
    bound(&options->shared_bytes, 1 << 24);
    return options;
}

static pe_map_options *take_map_options(pe_map_summary *summary, pe_status *statuses)
{
    static const unsigned char context[16];
    pe_map_options *options = take_struct(sizeof *options);

    if (!is_whole(options, sizeof *options))
        return options;
    options->context = options->context != NULL ? context : NULL;
    if (options->context != NULL)
        options->context_bytes %= sizeof context + 1;
    options->statuses = options->statuses != NULL ? statuses : NULL;
    options->summary = options->summary != NULL ? summary : NULL;
    options->progress = options->progress != NULL ? note_progress : NULL;
    return options;
}

static void map(pe_pool *pool, uint64_t how)
{
    uint64_t in[ITEMS] = { 0 }, out[ITEMS], acc = 0;
    pe_status statuses[ITEMS];
    pe_map_summary *summary = take_struct(sizeof *summary);
    pe_map_options *options = take_map_options(summary, statuses);
    pe_stream *stream = NULL;
    pe_job *job = NULL;

    switch (how) {
    case 0: check(pe_pool_map(pool, item_fn, in, 8, out, 8, ITEMS, options)); break;
    case 1:
        demand((check(pe_pool_start_map(pool, item_fn, in, 8, out, 8, ITEMS, options, &job)) == 0) == (job != NULL));
        check(pe_pool_kill(pool, PE_NOW));
        pe_job_free(job);
        break;
    case 2: check(pe_pool_reduce(pool, range_fn, combine_fn, 0, ITEMS, &acc, sizeof acc, options)); break;
    default:
        demand((check(pe_pool_stream(pool, item_fn, source_fn, NULL, 8, 8, options, &stream)) == 0) ==
               (stream != NULL));
        pe_stream_free(stream);
    }
    free(options);
    free(summary);
}

static void submit(pe_pool *pool)
{
    pe_job_options *options = take_struct(sizeof *options);
    pe_job *job = NULL;

    demand((check(pe_pool_submit(pool, job_fn, NULL, 0, options, &job)) == 0) == (job != NULL));
    pe_job_free(job);
    free(options);
}

static void look_at_figures(const pe_pool *pool)
{
    pe_stats *stats = take_struct(sizeof *stats);
    pe_worker_stats *worker = take_struct(sizeof *worker);

    check(pe_pool_stats(pool, stats));
    check(pe_pool_worker_stats(pool, (uint32_t)input_take(&input, 1), worker));
    free(worker);
    free(stats);
}

static void use_pool(pe_pool *pool)
{
    uint64_t how = input_take(&input, 1) % 6;

    if (how < 4)
        map(pool, how);
    else if (how == 4)
        submit(pool);
    else
        look_at_figures(pool);
}

static void use_any_options(void)
{
    pe_pool_options *options = take_pool_options();
    pe_pool *pool = NULL;

    if (check(pe_pool_new(options, &pool)) == 0) {
        use_pool(pool);
        check(pe_pool_kill(pool, PE_NOW));
        pe_pool_free(pool);
    } else {
        demand(pool == NULL);
    }
    free(options);
}

static void use_default_options(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 2;
    options.queue_jobs = 4;
    options.shared_bytes = UINT64_C(1) << 22;
    options.flags = input_take(&input, 1) % 2 ? PE_POOL_INLINE : 0;
    demand(pe_pool_new(&options, &pool) == 0);
    use_pool(pool);
    pe_pool_free(pool);
}

static void report(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    pe_report_options *options = take_struct(sizeof *options);

    demand(nowhere != NULL);
    if (is_whole(options, sizeof *options))
        options->match = options->match != NULL ? "[a-z]*" : NULL;
    check(pe_report(nowhere, options));
    fclose(nowhere);
    free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fd = lowest_free_fd();

    input = (struct input){ bytes, bytes + count };
    switch (input_take(&input, 1) % 4) {
    case 0: use_any_options(); break;
    case 1: report(); break;
    default: use_default_options();
    }
    stand_in_leave();
    demand(lowest_free_fd() == fd);
    return 0;
}
