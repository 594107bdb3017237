/* options.c - checks pe_pool_options and fills in the defaults. */
#include "pool/options.h"

#include <parexec/cpu.h>
#include <parexec/error.h>

#include "base/cpu.h"
#include "base/sized.h"
#include "keeper/seed.h"

#define NOT_FROM_SEED (PE_POOL_KEEP_FDS | PE_POOL_KEEP_SIGNALS)
#define KNOWN_FLAGS \
    (PE_POOL_INLINE | PE_POOL_FROM_SEED | PE_POOL_KEEP_FDS | PE_POOL_KEEP_SIGNALS | PE_POOL_GROUPS | \
     PE_POOL_BACKTRACE)
#define QUEUE_JOBS_DEFAULT 4096
#define QUEUE_JOBS_MAX (UINT64_C(1) << 20)
#define MAX_DEATHS_DEFAULT 100
#define GRACE_DEFAULT_NS PE_MS(100)
#define KEEP_FDS_MAX 65536
#define INNER_THREADS_MAX 65536

static bool has_valid_fds(const pe_pool_options *options)
{
    if (options->keep_fd_count > KEEP_FDS_MAX || (options->keep_fd_count > 0 && options->keep_fds == NULL))
        return false;
    for (size_t i = 0; i < options->keep_fd_count; i++)
        if (options->keep_fds[i] < 0)
            return false;
    return true;
}

static bool is_valid(const pe_pool_options *options)
{
    bool from_seed = (options->flags & PE_POOL_FROM_SEED) != 0;
    if ((options->flags & ~KNOWN_FLAGS) != 0 || options->workers > PE_WORKERS_MAX)
        return false;
    if (options->queue_jobs > QUEUE_JOBS_MAX || options->grace_ns < PE_NOW || options->idle_ns < 0 ||
        options->reserved != 0)
        return false;
    if (options->affinity > PE_PIN_COMPACT ||
        (options->inner_threads > INNER_THREADS_MAX && options->inner_threads != PE_INNER_THREADS_SHARE))
        return false;
    if (from_seed && (options->flags & NOT_FROM_SEED) != 0)
        return false;
    if (from_seed && options->keep_fd_count > PE__SEED_KEEP_FDS_MAX)
        return false;
    return options->output_bytes <= PE_OUTPUT_BYTES_MAX && has_valid_fds(options);
}

/* Of the CPUs, what each worker may have. */
static uint32_t share_of_cpus(const pe_pool_options *options)
{
    uint32_t cpus = (uint32_t)pe_cpu_count();
    if (options->affinity != PE_PIN_NONE || cpus < options->workers)
        return 1;
    return cpus / options->workers;
}

uint32_t pe__pool_default_workers(void)
{
    uint32_t cpus = (uint32_t)pe_cpu_count();
    return cpus < PE_WORKERS_MAX ? cpus : PE_WORKERS_MAX;
}

static void fill_in(pe_pool_options *options)
{
    if (options->workers == 0)
        options->workers = pe__pool_default_workers();
    if (options->inner_threads == PE_INNER_THREADS_SHARE)
        options->inner_threads = share_of_cpus(options);
    if (options->queue_jobs == 0)
        options->queue_jobs = QUEUE_JOBS_DEFAULT;
    if (options->max_deaths == 0)
        options->max_deaths = MAX_DEATHS_DEFAULT;
    if (options->grace_ns == 0)
        options->grace_ns = GRACE_DEFAULT_NS;
    else if (options->grace_ns == PE_NOW)
        options->grace_ns = 0;
}

int pe__pool_options_check(const pe_pool_options *given, pe_pool_options *ret_options)
{
    pe_pool_options options;
    int result = PE__BASE_CHECK_SIZED(pe_pool_options, given, &options);
    if (result < 0)
        return result;
    if (!is_valid(&options))
        return PE_EINVAL;
    if ((options.flags & PE_POOL_FROM_SEED) != 0 && !pe__seed_exists())
        return PE_EINVAL;
    fill_in(&options);
    *ret_options = options;
    return 0;
}
