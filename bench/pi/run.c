/* Runs of the estimator. A worker is told the stream as bytes; what it sends back is {hits,
 * samples} and when and how long it computed, so the table of times needs nothing but the reduce itself. */

#include "pi/run.h"

#include "harness.h"
#include "pi/killer.h"
#include "machine.h"

#include <math.h>
#include <parexec.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Blocks between two looks at the progress in a serial run, and per reduce while workers are being killed:
 * a killed worker loses what it had of one of the 1,024 parts of a reduce, which has to be short against
 * the time that it is left alive. */
#define SLICE_BLOCKS 1024

/* What a reduce sums up; also the neutral element, with first_ns at its highest. */
typedef struct pi_acc {
    uint64_t hits;
    uint64_t samples;
    uint64_t busy_ns;
    int64_t first_ns;
} pi_acc;

static const pi_acc neutral = { 0, 0, 0, INT64_MAX };

typedef struct pi_context {
    pi_stream stream;
    pi_victims *victims;    /* memory of the pool, at one address everywhere; or NULL */
} pi_context;

static const char *const mode_names[PI_MODE_COUNT] = { "serial", "pool", "inline" };

const char *pi_mode_name(uint32_t mode)
{
    return mode < PI_MODE_COUNT ? mode_names[mode] : NULL;
}

double pi_estimate(uint64_t hits, uint64_t samples)
{
    return 4.0 * (double)hits / (double)samples;
}

double pi_standard_error(uint64_t samples)
{
    return 4.0 * sqrt(M_PI_4 * (1.0 - M_PI_4) / (double)samples);
}

double pi_z_score(uint64_t hits, uint64_t samples)
{
    return (pi_estimate(hits, samples) - M_PI) / pi_standard_error(samples);
}

pi_stream pi_stream_of(const pi_plan *plan)
{
    return (pi_stream){ plan->samples, plan->seed, plan->kernel, plan->kernel_class };
}

/* Runs in a worker. */
static int compute_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    const pi_context *run = context;
    pi_acc *sum = acc;
    uint64_t samples = 0;
    int64_t start;

    if (run->victims != NULL)
        pi_victims_enter(run->victims, pe_worker_index());
    start = bench_now_ns();
    if (start < sum->first_ns)
        sum->first_ns = start;
    PE_REGION("pi.points") {
        sum->hits += pi_hits(&run->stream, first, last, &samples);
        PE_COUNT("pi.samples", (int64_t)samples);
    }
    sum->samples += samples;
    sum->busy_ns += (uint64_t)(bench_now_ns() - start);
    if (run->victims != NULL)
        pi_victims_leave(run->victims, pe_worker_index());
    return 0;
}

static int combine(void *acc, const void *part, const void *context)
{
    const pi_acc *from = part;
    pi_acc *sum = acc;
    PE_REGION_SCOPE("pi.combine");

    (void)context;
    sum->hits += from->hits;
    sum->samples += from->samples;
    sum->busy_ns += from->busy_ns;
    if (from->first_ns < sum->first_ns)
        sum->first_ns = from->first_ns;
    return 0;
}

/* The progress of one reduce, as part of the whole run. */
typedef struct slice {
    const pi_plan *plan;
    uint64_t first;
    uint64_t count;
} slice;

static void report_slice(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    const slice *now = context;
    double part = total > 0 ? (double)done / (double)total : 0;

    (void)failed;
    now->plan->progress(now->first + (uint64_t)(part * (double)now->count), pi_blocks(now->plan->samples),
                        now->plan->progress_context);
}

static int reduce_blocks(pe_pool *pool, const pi_plan *plan, pi_victims *victims, pi_acc *acc)
{
    pi_context context = { pi_stream_of(plan), victims };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t blocks = pi_blocks(plan->samples);
    uint64_t most = victims != NULL ? SLICE_BLOCKS : blocks;
    slice now = { plan, 0, 0 };
    int result = 0;

    options.context = &context;
    options.context_bytes = sizeof(context);
    options.chunk = plan->chunk;
    options.retries = victims != NULL ? UINT32_MAX : 0;
    if (plan->progress != NULL) {
        options.progress = report_slice;
        options.progress_context = &now;
    }
    for (; now.first < blocks && result == 0; now.first += now.count) {
        pi_acc part = neutral;
        now.count = blocks - now.first < most ? blocks - now.first : most;
        result = pe_pool_reduce(pool, compute_range, combine, now.first, now.first + now.count, &part,
                                sizeof(part), &options);
        if (result == 0)
            combine(acc, &part, NULL);
    }
    return result;
}

/* The reduce, with workers being killed meanwhile if the plan says so. */
static int reduce_under_fire(pe_pool *pool, const pi_plan *plan, pi_acc *acc, uint64_t *ret_kills)
{
    pi_victims *victims = NULL;
    pi_killer *killer = NULL;
    int result;

    *ret_kills = 0;
    if (plan->kill_every_ns != 0) {
        void *memory = NULL;
        result = pe_pool_alloc(pool, pi_victims_bytes(plan->workers), &memory);
        if (result < 0)
            return result;
        victims = memory;
        pi_victims_init(victims, plan->workers);
        result = pi_killer_start(victims, plan->kill_every_ns, plan->seed, &killer);
        if (result < 0)
            return result;
    }
    result = reduce_blocks(pool, plan, victims, acc);
    *ret_kills = pi_killer_stop(killer);
    if (victims != NULL)
        pe_pool_dealloc(pool, victims);
    return result;
}

static void fill_times(pi_result *result, const pi_plan *plan, const pi_acc *acc, int64_t start, int64_t made,
                       int64_t end)
{
    int64_t first = acc->first_ns;

    if (first < made)
        first = made;
    if (first > end)
        first = end;
    result->hits = acc->hits;
    result->samples = acc->samples;
    result->wall = (double)(end - start) * 1e-9;
    result->fork = (double)(made - start) * 1e-9;
    result->dispatch = (double)(first - made) * 1e-9;
    result->compute = (double)acc->busy_ns * 1e-9 / plan->workers;
    result->waiting = result->wall - result->fork - result->dispatch - result->compute;
    result->first_sample = (double)(first - start) * 1e-9;
}

static int run_pool(const pi_plan *plan, pi_result *result)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_stats stats = PE_STATS_INIT;
    pe_pool *pool = NULL;
    pi_acc acc = neutral;
    int64_t start, made, end;
    int error;

    options.workers = plan->workers;
    options.flags = plan->mode == PI_MODE_INLINE ? PE_POOL_INLINE : 0;
    options.max_deaths = plan->kill_every_ns != 0 ? UINT32_MAX : 0;
    start = bench_now_ns();
    error = pe_pool_new(&options, &pool);
    if (error < 0)
        return error;
    made = bench_now_ns();
    error = reduce_under_fire(pool, plan, &acc, &result->kills);
    end = bench_now_ns();
    if (error == 0) {
        fill_times(result, plan, &acc, start, made, end);
        if (pe_pool_stats(pool, &stats) == 0)
            result->restarts = stats.restarts;
        error = pe_pool_join(pool, PE_FOREVER);
    }
    pe_pool_free(pool);
    result->stop = (double)(bench_now_ns() - end) * 1e-9;
    return error;
}

static void run_serial(const pi_plan *plan, pi_result *result)
{
    uint64_t blocks = pi_blocks(plan->samples);
    pi_context context = { pi_stream_of(plan), NULL };
    pi_acc acc = neutral;
    int64_t start = bench_now_ns();

    for (uint64_t first = 0; first < blocks;) {
        uint64_t count = blocks - first < SLICE_BLOCKS ? blocks - first : SLICE_BLOCKS;

        compute_range(first, first + count, &acc, &context);
        first += count;
        if (plan->progress != NULL)
            plan->progress(first, blocks, plan->progress_context);
    }
    fill_times(result, plan, &acc, start, start, bench_now_ns());
}

int pi_run(const pi_plan *plan, pi_result *ret_result)
{
    pi_result result;
    int error = 0;

    if (plan->samples == 0 || plan->workers == 0 || plan->mode >= PI_MODE_COUNT
        || plan->kernel_class >= PI_CLASS_COUNT || plan->kernel >= PI_KERNEL_COUNT
        || !pi_kernel_usable(plan->kernel))
        return PE_EINVAL;
    memset(&result, 0, sizeof(result));
    if (plan->mode == PI_MODE_SERIAL)
        run_serial(plan, &result);
    else
        error = run_pool(plan, &result);
    if (error == 0)
        *ret_result = result;
    return error;
}

/* Shared between the bare processes. */
typedef struct bare {
    _Atomic uint32_t ready;
    _Atomic uint32_t go;
    uint64_t hits[];
} bare;

/* A CPU for each, if there are as many. */
static void pin(uint32_t index, uint32_t workers)
{
    int cpus[PE_WORKERS_MAX];
    int count = machine_cpus(cpus, PE_WORKERS_MAX);

    if (count > 0 && workers <= (uint32_t)count)
        machine_pin(cpus[index]);
}

static void bare_child(bare *shared, const pi_plan *plan, uint32_t index, uint32_t workers)
{
    pi_stream stream = pi_stream_of(plan);
    uint64_t blocks = pi_blocks(plan->samples);
    uint64_t each = blocks / workers;
    uint64_t more = blocks % workers;       /* the first `more` children have one block more */
    uint64_t first = each * index + (index < more ? index : more);
    uint64_t last = first + each + (index < more);

    pin(index, workers);
    atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->go))
        sched_yield();
    shared->hits[index] = pi_hits(&stream, first, last, NULL);
    _exit(0);
}

static int wait_for(const pid_t *children, uint32_t count)
{
    int failed = 0;

    for (uint32_t i = 0; i < count; i++) {
        int status = 0;
        if (waitpid(children[i], &status, 0) < 0 || status != 0)
            failed = 1;
    }
    return failed;
}

double pi_run_bare(const pi_plan *plan, uint32_t workers, uint64_t *ret_hits)
{
    size_t bytes = sizeof(bare) + workers * sizeof(uint64_t);
    bare *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[PE_WORKERS_MAX];
    uint32_t count = 0;
    uint64_t hits = 0;
    int64_t start;
    double wall;

    if (shared == MAP_FAILED)
        return -1;
    for (; count < workers; count++) {
        children[count] = fork();
        if (children[count] == 0)
            bare_child(shared, plan, count, workers);
        if (children[count] < 0)
            break;
    }
    while (atomic_load(&shared->ready) < count)
        sched_yield();
    start = bench_now_ns();
    atomic_store(&shared->go, 1);
    wall = wait_for(children, count) || count < workers ? -1 : (double)(bench_now_ns() - start) * 1e-9;
    for (uint32_t i = 0; i < count; i++)
        hits += shared->hits[i];
    munmap(shared, bytes);
    *ret_hits = hits;
    return wall;
}
