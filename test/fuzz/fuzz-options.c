/*
 * fuzz-options.c - the sized structs of pools, reports and regions, through the calls that take them.
 *
 * The input is the members, but for pointers: those are set to something that is there, or to NULL. A call gives 0 or
 * an error that has a name; on an error nothing is handed out and no descriptor is left.
 */
#include "fuzz.h"

#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>
#include <parexec/stream.h>

#include "expect.h"
#include "sized.h"
#include "stand-in.h"
#include "work.h"

#define ITEMS 3

static struct input input;

/* So large that what is beyond all limits is there too, and so small that the sanitizers need no minutes for it. */
static void bound(uint64_t *value, uint64_t most)
{
    if (*value >> 63 == 0)
        *value %= most;
}

static pe_pool_options *take_pool_options(void)
{
    static const int32_t fds[] = { 0, 1, 2, 5 };
    pe_pool_options *options = take_struct(&input, sizeof *options);

    if (!is_whole(options, sizeof *options))
        return options;
    options->worker_init = options->worker_init != NULL ? work_worker : NULL;
    options->worker_exit = options->worker_exit != NULL ? work_worker : NULL;
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
    pe_map_options *options = take_struct(&input, sizeof *options);

    if (!is_whole(options, sizeof *options))
        return options;
    options->context = options->context != NULL ? context : NULL;
    if (options->context != NULL)
        options->context_bytes %= sizeof context + 1;
    options->statuses = options->statuses != NULL ? statuses : NULL;
    options->summary = options->summary != NULL ? summary : NULL;
    options->progress = options->progress != NULL ? work_progress : NULL;
    return options;
}

static void map(pe_pool *pool, uint64_t how)
{
    uint64_t in[ITEMS] = { 0 }, out[ITEMS], acc = 0;
    pe_status statuses[ITEMS];
    pe_map_summary *summary = take_struct(&input, sizeof *summary);
    pe_map_options *options = take_map_options(summary, statuses);
    pe_stream *stream = NULL;
    pe_job *job = NULL;
    int result;

    switch (how) {
    case 0: demand_named(pe_pool_map(pool, work_item, in, 8, out, 8, ITEMS, options)); break;
    case 1:
        result = demand_named(pe_pool_start_map(pool, work_item, in, 8, out, 8, ITEMS, options, &job));
        demand((result == 0) == (job != NULL));
        demand_named(pe_pool_kill(pool, PE_NOW));
        pe_job_free(job);
        break;
    case 2: demand_named(pe_pool_reduce(pool, work_range, work_combine, 0, ITEMS, &acc, sizeof acc, options)); break;
    default:
        demand((demand_named(pe_pool_stream(pool, work_item, work_source, NULL, 8, 8, options, &stream)) == 0) ==
               (stream != NULL));
        pe_stream_free(stream);
    }
    free(options);
    free(summary);
}

static void submit(pe_pool *pool)
{
    pe_job_options *options = take_struct(&input, sizeof *options);
    pe_job *job = NULL;

    demand((demand_named(pe_pool_submit(pool, work_job, NULL, 0, options, &job)) == 0) == (job != NULL));
    pe_job_free(job);
    free(options);
}

static void look_at_figures(const pe_pool *pool)
{
    pe_stats *stats = take_struct(&input, sizeof *stats);
    pe_worker_stats *worker = take_struct(&input, sizeof *worker);

    demand_named(pe_pool_stats(pool, stats));
    demand_named(pe_pool_worker_stats(pool, (uint32_t)input_take(&input, 1), worker));
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

    if (demand_named(pe_pool_new(options, &pool)) == 0) {
        use_pool(pool);
        demand_named(pe_pool_kill(pool, PE_NOW));
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
    pe_report_options *options = take_struct(&input, sizeof *options);

    demand(nowhere != NULL);
    if (is_whole(options, sizeof *options))
        options->match = options->match != NULL ? "[a-z]*" : NULL;
    demand_named(pe_report(nowhere, options));
    fclose(nowhere);
    free(options);
}

/* Before anything is measured it may be called again and again. */
static void set_regions_up(void)
{
    pe_region_options *options = take_struct(&input, sizeof *options);

    demand_named(pe_region_setup(options));
    free(options);
    demand(pe_region_setup(NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    input = (struct input){ bytes, bytes + count };
    switch (input_take(&input, 1) % 4) {
    case 0: use_any_options(); break;
    case 1:
        report();
        set_regions_up();
        break;
    default: use_default_options();
    }
    stand_in_leave();
    demand(open_fds() == fds);
    return 0;
}
