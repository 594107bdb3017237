/* The sweeps. Contenders are those of the tables. A turn lasts 10 to 200 ms; `most` keeps slow ones to that. */

#include "compare/sweeps.h"
#include "async/contenders.h"
#include "pi/contenders.h"
#include "pool/contenders.h"
#include "regions/contenders.h"

#define KIB UINT64_C(1024)
#define US  UINT64_C(1000)

#define FEW(name, what, program, count) \
    { .label = name, .role = RIVAL, .driver = &what, .ops = program, .most = count }
#define FEW_TRIPS(name, set) \
    { .label = name, .role = RIVAL, .driver = &jobs_driver, .ops = &set, .most = 1000 }
#define PIPE(name, which) { .label = name, .role = LIMIT, .driver = &pair_driver, .variant = which, .most = 1000 }
#define OURS_JOBS(name, how) \
    { .label = name, .role = OURS, .driver = &jobs_driver, .ops = &ours_jobs, .variant = how }
#define PI_RUN(MODE) &(const pi_runner){ PI_MODE_##MODE, PI_KERNEL_AUTO, PI_CLASS_PLAIN }

const struct sweep sweeps[] = {
    {
        .row = { .key = "workers", .what = "Jobs a second: 8 bytes in, 8 bytes out, no work, submitted one by one",
                 .activity = MANY,
                 .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER }, { "CPU time", "ns/job", LESS_IS_BETTER } },
                 .contenders = { JOBS("bare processes", LIMIT, fork_shares), JOBS("uv_queue_work", RIVAL, uv_jobs),
                                 JOBS("GThreadPool", RIVAL, glib_jobs), JOBS("oneTBB task_group", RIVAL, tbb_jobs),
                                 FEW("Go, channel", go_jobs_driver, NULL, 100000),
                                 FEW("mp.Pool", python_driver, "mp_pool", 1000),
                                 FEW("ProcessPoolExecutor", python_driver, "executor", 200),
                                 OURS_JOBS("libparexec", OURS_HELD),
                                 OURS_JOBS("libparexec, window of 1,024", OURS_WINDOW) } },
        .axis = WORKERS,
        .points = { { 1, 200000, 2000 }, { 2, 200000, 2000 }, { 4, 100000, 0 }, { 8, 100000, 0 }, { 16, 50000, 0 },
                    { 64, 50000, 1000 } },
    },
    {
        .row = { .key = "latency", .what = "One job at a time, there and back, 8 bytes each way",
                 .activity = ROUND_TRIP,
                 .metrics = { { "mean", "us", LESS_IS_BETTER }, { "p50", "us", LESS_IS_BETTER } },
                 .contenders = { PAIR("spin ping-pong", PAIR_SPIN), PIPE("blocking pipe, one CPU", PAIR_PIPE_SAME),
                                 PIPE("blocking pipe, two CPUs", PAIR_PIPE_CROSS), FEW_TRIPS("uv_queue_work", uv_jobs),
                                 FEW_TRIPS("GThreadPool", glib_jobs),
                                 JOBS("oneTBB enqueue", RIVAL, tbb_jobs),
                                 FEW("Go, channel", go_jobs_driver, NULL, 5000),
                                 FEW("mp.Pool", python_driver, "mp_pool", 300),
                                 FEW("ProcessPoolExecutor", python_driver, "executor", 200),
                                 OURS_JOBS("libparexec", OURS_HELD) } },
        .axis = WORKERS,
        .points = { { 1, 50000, 100 }, { 2, 50000, 100 }, { 4, 50000, 0 }, { 8, 50000, 0 }, { 16, 50000, 0 },
                    { 64, 50000, 100 } },
    },
    {
        .row = { .key = "length", .what = "Jobs that last, 2 workers: how much of two CPUs is work",
                 .activity = GRAIN, .workers = 2,
                 .metrics = { { "efficiency", "of 2", MORE_IS_BETTER }, { "rate", "M jobs/s", MORE_IS_BETTER } },
                 .contenders = { JOBS("bare processes", LIMIT, fork_shares), JOBS("uv_queue_work", RIVAL, uv_jobs),
                                 JOBS("GThreadPool", RIVAL, glib_jobs), JOBS("oneTBB task_group", RIVAL, tbb_jobs),
                                 FEW("Go, channel", go_jobs_driver, NULL, 0),
                                 FEW("mp.Pool", python_driver, "mp_pool", 1000),
                                 FEW("ProcessPoolExecutor", python_driver, "executor", 200),
                                 OURS_JOBS("libparexec", OURS_HELD) } },
        .axis = LENGTH_NS,
        .points = { { 100, 200000, 0 }, { 300, 200000, 2000 }, { 1 * US, 100000, 0 }, { 3 * US, 30000, 0 },
                    { 10 * US, 10000, 200 }, { 100 * US, 1000, 20 } },
    },
    {
        .row = { .key = "payload", .what = "Jobs a second, 2 workers: each is the sum of a block of bytes",
                 .activity = MANY, .workers = 2,
                 .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER }, { "CPU time", "ns/job", LESS_IS_BETTER } },
                 .contenders = { JOBS("uv_queue_work", RIVAL, uv_jobs), JOBS("GThreadPool", RIVAL, glib_jobs),
                                 JOBS("oneTBB task_group", RIVAL, tbb_jobs),
                                 FEW("Go, channel", go_jobs_driver, NULL, 0),
                                 FEW("mp.Pool", python_driver, "mp_pool", 1000),
                                 FEW("ProcessPoolExecutor", python_driver, "executor", 200),
                                 OURS_JOBS("libparexec, block copied", OURS_WINDOW_COPIED),
                                 OURS_JOBS("libparexec, block in shared memory", OURS_WINDOW_SHARED) } },
        .axis = BYTES,
        .points = { { 8, 100000, 1000 }, { 64, 100000, 0 }, { 512, 50000, 0 }, { 4 * KIB, 20000, 500 },
                    { 64 * KIB, 2000, 0 }, { 1024 * KIB, 150, 20 } },
    },
    {
        .row = { .key = "payload-latency", .what = "One such job at a time, there and back",
                 .activity = ROUND_TRIP, .workers = 2,
                 .metrics = { { "mean", "us", LESS_IS_BETTER }, { "p50", "us", LESS_IS_BETTER } },
                 .contenders = { FEW_TRIPS("uv_queue_work", uv_jobs), FEW_TRIPS("GThreadPool", glib_jobs),
                                 JOBS("oneTBB enqueue", RIVAL, tbb_jobs),
                                 FEW("Go, channel", go_jobs_driver, NULL, 1000),
                                 FEW("mp.Pool", python_driver, "mp_pool", 100),
                                 FEW("ProcessPoolExecutor", python_driver, "executor", 100),
                                 OURS_JOBS("libparexec, block copied", OURS_WINDOW_COPIED),
                                 OURS_JOBS("libparexec, block in shared memory", OURS_WINDOW_SHARED) } },
        .axis = BYTES,
        .points = { { 8, 50000, 100 }, { 64, 50000, 0 }, { 512, 50000, 0 }, { 4 * KIB, 50000, 100 },
                    { 64 * KIB, 2000, 0 }, { 1024 * KIB, 200, 20 } },
    },
    {
        .row = { .key = "map", .what = "Map over an array of doubles, 2 workers, against a plain loop over it",
                 .activity = SPEED_UP, .workers = 2,
                 .metrics = { { "speed-up", "times", MORE_IS_BETTER }, { "in the loop", "ns/item", LESS_IS_BETTER } },
                 .contenders = { OPENMP("OpenMP static", OPENMP_STATIC), OPENMP("OpenMP guided", OPENMP_GUIDED),
                                 OPENMP("OpenMP dynamic,1", OPENMP_DYNAMIC_1), TBB_MAP,
                                 FEW("mp.Pool", python_driver, "mp_pool", 100000), OURS_MAP("libparexec", OURS_SHARED),
                                 OURS_MAP("libparexec, ordinary memory", OURS_ORDINARY),
                                 OURS_MAP("libparexec, chunk 1", OURS_CHUNK_1) } },
        .axis = LENGTH_NS,
        .points = { { 2, 1000000, 20000 }, { 5, 1000000, 0 }, { 10, 500000, 0 }, { 30, 200000, 0 },
                    { 100, 60000, 5000 }, { 1 * US, 6000, 0 }, { 10 * US, 600, 200 }, { 100 * US, 100, 0 } },
    },
    {
        .row = { .key = "pi", .what = "Monte Carlo pi, plain class, vectors: from before workers are made to the count",
                 .activity = POINTS, .metrics = { { "rate", "M samples/s", MORE_IS_BETTER } },
                 .contenders = { { "bare processes", LIMIT, &pi_bare_driver, PI_RUN(SERIAL), 0, 0, NULL, 0, 0 },
                                 { "OpenMP static", RIVAL, &pi_openmp_driver, PI_RUN(SERIAL), 0, 0, NULL, 0, 0 },
                                 { "libparexec", OURS, &pi_run_driver, PI_RUN(POOL), 0, 0, NULL, 0, 0 } } },
        .axis = WORKERS,
        .points = { { 1, 1000000000, 10000000 }, { 2, 1000000000, 10000000 }, { 4, 1000000000, 0 },
                    { 8, 1000000000, 0 }, { 16, 1000000000, 0 }, { 64, 1000000000, 0 } },
    },
    {
        /* A reading of the clock at both ends is what people write by hand. */
        .row = { .key = "regions", .what = "What a region with nothing in it costs; of tools that watch functions, "
                                           "what they add to a call",
                 .activity = REGIONS, .workers = 1, .metrics = { { "a pair", "ns", LESS_IS_BETTER } },
                 .contenders = { COUNTER("rdtsc, rdtscp", loop_rdtsc_rdtscp),
                                 LOOP("clock_gettime twice", LIMIT, loop_clock_gettime, NO_REGIONS),
                                 TOOL("uftrace", RIVAL, FUNCTIONS_UFTRACE),
                                 TOOL("gprof, counts", RIVAL, FUNCTIONS_GPROF),
                                 FEW("cProfile", python_driver, "profiler", 200000),
                                 LOOP("libparexec", OURS, loop_region, EXACT),
                                 LOOP("libparexec, quick", OURS, loop_region, QUICK),
                                 LOOP("libparexec, sampled", OURS, loop_region, SAMPLED),
                                 LOOP("libparexec, timeline", OURS, loop_region, EXACT_TIMELINE),
                                 TOOL("libparexec, every function", OURS, FUNCTIONS_OURS),
                                 LOOP("libparexec, switched off", OURS, loop_region, SWITCHED_OFF) } },
        .axis = NOTHING,
        .points = { { 0, 1000000, 20000 } },
    },
#ifdef HAVE_UV
    {
        .row = { .key = "tasks", .what = "Memory of a task without a frame that waits, of 100,000",
                 .activity = LIVE, .workers = 1, .metrics = { { "resident", "bytes", LESS_IS_BETTER } },
                 .contenders = { MEMORY_OF("state machine", LIMIT, states_live),
                                 MEMORY_OF("a uv_idle_t each", RIVAL, handles_live), GO(0), ASYNCIO("asyncio", "", 0),
                                 ASYNCIO("uvloop", "uvloop", 0), MEMORY_OF("libparexec", OURS, ours_live) } },
        .axis = NOTHING,
        .points = { { 0, 100000, 10000 } },
    },
    {
        .row = { .key = "spawn", .what = "Start of a task until its end, 1,000 at a time in one thread",
                 .activity = SPAWN, .workers = 1, .metrics = { { "a task", "ns", LESS_IS_BETTER } },
                 .contenders = { STEPS("state machine", LIMIT, states_spawn),
                                 STEPS("a uv_idle_t each", RIVAL, handles_spawn), GO(4), ASYNCIO("asyncio", "", 50),
                                 ASYNCIO("uvloop", "uvloop", 50), STEPS("libparexec", OURS, ours_spawn) } },
        .axis = NOTHING,
        .points = { { 0, 1000000, 20000 } },
    },
#endif
    { .row = { .key = NULL } },
};

size_t sweep_points(const struct sweep *sweep)
{
    size_t count = 0;
    while (count < POINTS_MAX && sweep->points[count].n > 0)
        count++;
    return count;
}

struct row sweep_row(const struct sweep *sweep, const struct point *point)
{
    struct row row = sweep->row;
    row.n = point->n;
    row.quick_n = point->quick_n;
    if (sweep->axis == WORKERS)
        row.workers = (uint32_t)point->x;
    if (sweep->axis == LENGTH_NS)
        row.job_ns = point->x;
    if (sweep->axis == BYTES)
        row.bytes = row.quick_bytes = (size_t)point->x;
    return row;
}

const char *axis_name(enum axis axis)
{
    static const char *const names[] = { NULL, "workers", "length", "payload" };
    return names[axis];
}

const char *axis_unit(enum axis axis)
{
    static const char *const units[] = { NULL, NULL, "ns", "bytes" };
    return units[axis];
}
