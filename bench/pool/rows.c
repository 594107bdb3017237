/* The pool benchmark, bench/run pool: who answers which question, and what is to be reached. Sizes are such that a turn
 * lasts 10 to 300 ms. The goals are the project's own; comments say only what the numbers do not. */

#include "pool/contenders.h"
#include "table/main.h"

#define MIB ((size_t)1 << 20)
#define TRIP_METRICS { { "mean", "us", LESS_IS_BETTER }, { "p50", "us", LESS_IS_BETTER } }
#define MAP_METRICS { { "wall", "ms", LESS_IS_BETTER }, { "worker time", "ns/item", LESS_IS_BETTER } }

/* Rows of the same shape. */
#define GRAIN_ROW(name, text, jobs, quick_jobs, length_ns, goal) \
    { \
        .key = name, .what = text, .activity = GRAIN, .workers = 2, .n = jobs, .quick_n = quick_jobs, \
        .job_ns = length_ns, .metrics = { { "efficiency", "of 2", MORE_IS_BETTER } }, \
        .contenders = { JOBS("two bare processes", LIMIT, fork_shares), THREADS("uv_queue_work", uv_jobs), \
                        THREADS("GThreadPool", glib_jobs), THREADS("oneTBB task_group", tbb_jobs), \
                        JOBS("ours", OURS, ours_jobs) }, \
        .goals = { { 0, VALUE_AT_LEAST, goal, "ours", NULL } }, \
    }

#define START_ROW(name, text, count) \
    { \
        .key = name, .what = text, .activity = START, .workers = count, \
        .metrics = { { "all ready", "ms", LESS_IS_BETTER } }, \
        .contenders = { SOLO("bare fork + pipe", LIMIT, fork_start), MP_POOL(0), EXECUTOR(0), \
                        SOLO("ours", OURS, ours_start) }, \
        .goals = { { 0, RATIO_AT_MOST, 2, "ours", "bare fork + pipe" } }, \
    }

static const struct row rows[] = {
    {
        .key = "round-trip", .what = "One job at a time, there and back, 8 bytes each way",
        .activity = ROUND_TRIP, .workers = 2, .n = 200000, .quick_n = 500, .metrics = TRIP_METRICS,
        .contenders = { PAIR("spin ping-pong", PAIR_SPIN), PAIR("sched_yield, one CPU", PAIR_YIELD),
                        PAIR("blocking pipe, one CPU", PAIR_PIPE_SAME),
                        PAIR("blocking pipe, two CPUs", PAIR_PIPE_CROSS), THREADS("uv_queue_work", uv_jobs),
                        THREADS("GThreadPool", glib_jobs), THREADS("oneTBB enqueue", tbb_jobs), MP_POOL(200),
                        EXECUTOR(200), JOBS("ours", OURS, ours_jobs) },
        .goals = { { 0, RATIO_AT_MOST, 2, "ours", "spin ping-pong" },
                   { 0, RATIO_AT_MOST, 0.02, "ours", "uv_queue_work" },
                   { 0, RATIO_AT_MOST, 0.005, "ours", "mp.Pool" } },
    },
    {
        /* Not pinned: the kernel chooses where the woken one runs, for everybody. */
        .key = "pause", .what = "The same, with 1 ms of sleep before each job",
        .activity = PAUSED, .workers = 2, .n = 100, .quick_n = 10, .metrics = TRIP_METRICS,
        .contenders = { PAIR("blocking pipe", PAIR_PIPE_FREE), THREADS("uv_queue_work", uv_jobs),
                        THREADS("GThreadPool", glib_jobs), THREADS("oneTBB enqueue", tbb_jobs), MP_POOL(0),
                        JOBS("ours", OURS, ours_jobs) },
        .goals = { { 0, RATIO_AT_MOST, 1.1, "ours", "blocking pipe" } },
    },
    {
        .key = "one-cpu", .what = "One job at a time, host and workers on one CPU",
        .activity = ROUND_TRIP, .workers = 2, .n = 20000, .quick_n = 500, .one_cpu = 1,
        .metrics = TRIP_METRICS,
        .contenders = { PAIR("sched_yield ping-pong", PAIR_YIELD), PAIR("blocking pipe", PAIR_PIPE_SAME),
                        THREADS("uv_queue_work", uv_jobs), THREADS("GThreadPool", glib_jobs),
                        THREADS("oneTBB enqueue", tbb_jobs), MP_POOL(20), JOBS("ours", OURS, ours_jobs) },
        .goals = { { 0, RATIO_AT_MOST, 0.75, "ours", "blocking pipe" } },
    },
    {
        .key = "many", .what = "1,000,000 jobs submitted one by one (mp.Pool 20,000, executor 5,000)",
        .activity = MANY, .workers = 2, .n = 1000000, .quick_n = 20000,
        .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER }, { "CPU time", "ns/job", LESS_IS_BETTER } },
        .contenders = { JOBS("two bare processes", LIMIT, fork_shares), THREADS("uv_queue_work", uv_jobs),
                        THREADS("GThreadPool", glib_jobs), THREADS("oneTBB task_group", tbb_jobs),
                        MP_POOL(50), EXECUTOR(200), JOBS("ours", OURS, ours_jobs),
                        { .label = "ours, window of 1,024", .role = OURS, .driver = &jobs_driver,
                          .ops = &ours_jobs, .variant = OURS_WINDOW } },
        .goals = { { 0, RATIO_AT_LEAST, 2.5, "ours", THREAD_POOLS },
                   { 0, RATIO_AT_LEAST, 250, "ours", "mp.Pool" },
                   { 1, RATIO_AT_MOST, 0.35, "ours", "uv_queue_work" } },
    },
    {
        .key = "crowd", .what = "The same jobs with 64 workers",
        .activity = MANY, .workers = 2, .n = 1000000, .quick_n = 20000,
        .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER }, { "CPU time", "ns/job", LESS_IS_BETTER } },
        .contenders = { { .label = "uv_queue_work", .role = RIVAL, .driver = &jobs_driver, .ops = &uv_jobs,
                          .workers = 64 },
                        { .label = "ours", .role = OURS, .driver = &jobs_driver, .ops = &ours_jobs,
                          .workers = 64 },
                        JOBS("ours, 2 workers", OURS, ours_jobs) },
        .goals = { { 0, RATIO_AT_LEAST, 0.5, "ours", "ours, 2 workers" } },
    },
    GRAIN_ROW("grain-0.3us", "Jobs of 0.3 us", 200000, 10000, 300, 0.80),
    GRAIN_ROW("grain-1us", "Jobs of 1 us", 100000, 3000, 1000, 0.92),
    GRAIN_ROW("grain-10us", "Jobs of 10 us", 10000, 300, 10000, 0.97),
    GRAIN_ROW("grain-100us", "Jobs of 100 us", 1000, 50, 100000, 0.99),
    {
        .key = "map", .what = "Map over 1,000,000 doubles, 20 ns an item",
        .activity = MAP, .workers = 2, .n = 1000000, .quick_n = 50000, .metrics = MAP_METRICS,
        .contenders = { SERIAL, OPENMP("OpenMP static", OPENMP_STATIC),
                        OPENMP("OpenMP guided", OPENMP_GUIDED),
                        OPENMP("OpenMP dynamic,1", OPENMP_DYNAMIC_1), TBB_MAP, OURS_MAP("ours", OURS_SHARED),
                        OURS_MAP("ours, ordinary memory", OURS_ORDINARY),
                        OURS_MAP("ours, chunk 1", OURS_CHUNK_1) },
        .goals = { { 0, SPEED_AT_LEAST, 0.95, "ours", "OpenMP" },
                   { 0, SPEED_AT_LEAST, 0.95, "ours, ordinary memory", "OpenMP" } },
    },
    {
        .key = "noop-map", .what = "Map of a no-op over 1,000,000 items",
        .activity = NOOP_MAP, .workers = 2, .n = 1000000, .quick_n = 50000, .metrics = MAP_METRICS,
        .contenders = { SERIAL, OPENMP("OpenMP static", OPENMP_STATIC), TBB_MAP, MP_POOL(0),
                        OURS_MAP("ours", OURS_SHARED), OURS_MAP("ours, ordinary memory", OURS_ORDINARY),
                        OURS_MAP("ours, chunk 1", OURS_CHUNK_1) },
        .goals = { { 0, RATIO_AT_MOST, 0.8, "ours", "serial loop" },
                   { 0, SPEED_AT_LEAST, 100, "ours", "mp.Pool" },
                   { 1, VALUE_AT_MOST, 6, "ours, chunk 1", NULL } },
    },
    {
        .key = "tiny-map", .what = "Map of 16 no-op items, again and again",
        .activity = TINY_MAP, .workers = 2, .n = 20000, .quick_n = 500,
        .metrics = { { "one map", "us", LESS_IS_BETTER } },
        .contenders = { SERIAL, OPENMP("OpenMP static", OPENMP_STATIC), TBB_MAP,
                        OURS_MAP("ours", OURS_SHARED), OURS_MAP("ours, ordinary memory", OURS_ORDINARY) },
        .goals = { { 0, VALUE_AT_MOST, 1, "ours", NULL },
                   { 0, VALUE_AT_MOST, 1, "ours, ordinary memory", NULL } },
    },
    {
        .key = "inputs", .what = "Map over 64 inputs of 16 MiB, the sum of each (quick: 256 KiB)",
        .activity = INPUTS, .workers = 2, .bytes = 16 * MIB, .quick_bytes = MIB / 4,
        .metrics = { { "wall", "ms", LESS_IS_BETTER } },
        .contenders = { SERIAL, OPENMP("OpenMP dynamic,1", OPENMP_DYNAMIC_1), MP_POOL(0),
                        OURS_MAP("ours", OURS_SHARED), OURS_MAP("ours, ordinary memory", OURS_ORDINARY),
                        OURS_HEIRS("ours, array from before", INHERITED_SMALL_PAGES) },
        .goals = { { 0, RATIO_AT_MOST, 1, "ours", "serial loop" },
                   { 0, SPEED_AT_LEAST, 20, "ours, ordinary memory", "mp.Pool" } },
    },
    /* Whatever is in the program's memory is forked too: contenders with large private arrays are elsewhere. */
    {
        .key = "once", .what = "The same without a pool: workers forked for each map, input in huge pages",
        .activity = INPUTS, .workers = 2, .bytes = 16 * MIB, .quick_bytes = MIB / 4,
        .metrics = { { "wall", "ms", LESS_IS_BETTER } },
        .contenders = { OURS_MAP("in a pool, shared memory", OURS_SHARED), OURS_HEIRS("pe_map_once", ONCE),
                        OURS_HEIRS("in a pool, array from before", INHERITED) },
        .goals = { { 0, RATIO_AT_MOST, 1.3, "pe_map_once", "in a pool, shared memory" } },
    },
    {
        .key = "once-4k", .what = "The same, input in pages of 4 KiB",
        .activity = INPUTS, .workers = 2, .bytes = 16 * MIB, .quick_bytes = MIB / 4,
        .metrics = { { "wall", "ms", LESS_IS_BETTER } },
        .contenders = { OURS_MAP("in a pool, shared memory", OURS_SHARED),
                        OURS_HEIRS("pe_map_once", ONCE_SMALL_PAGES) },
    },
    {
        .key = "results", .what = "Map that brings 64 results of 16 MiB (quick: 256 KiB)",
        .activity = RESULTS, .workers = 2, .bytes = 16 * MIB, .quick_bytes = MIB / 4,
        .metrics = { { "wall", "ms", LESS_IS_BETTER } },
        .contenders = { SERIAL, OPENMP("OpenMP dynamic,1", OPENMP_DYNAMIC_1), MP_POOL(0),
                        OURS_MAP("ours", OURS_SHARED), OURS_MAP("ours, ordinary memory", OURS_ORDINARY) },
        .goals = { { 0, SPEED_AT_LEAST, 20, "ours", "mp.Pool" },
                   { 0, SPEED_AT_LEAST, 15, "ours, ordinary memory", "mp.Pool" } },
    },
    START_ROW("start-2", "Start of 2 workers until all are ready", 2),
    START_ROW("start-8", "Start of 8 workers until all are ready", 8),
    START_ROW("start-64", "Start of 64 workers until all are ready", 64),
    {
        /* n: deaths in one turn (the executor: one). The executor has no second figure: the job behind
         * is lost with the pool. */
        .key = "kill", .what = "SIGKILL of a busy worker",
        .activity = KILL, .workers = 1, .n = 20, .quick_n = 3,
        .metrics = { { "until its status", "us", LESS_IS_BETTER },
                     { "until next answer", "us", LESS_IS_BETTER } },
        .contenders = { SOLO("fork + exit + waitpid", LIMIT, fork_death), EXECUTOR(0),
                        SOLO("ours", OURS, ours_kill) },
        .goals = { { 0, RATIO_AT_MOST, 1.5, "ours", "fork + exit + waitpid" },
                   { 1, RATIO_AT_MOST, 3, "ours", "fork + exit + waitpid" } },
    },
    {
        /* n: milliseconds of one turn */
        .key = "storm", .what = "Jobs while a worker is killed every 10 ms",
        .activity = STORM, .workers = 2, .n = 500, .quick_n = 60,
        .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER }, { "lost or wrong", "jobs", LESS_IS_BETTER },
                     { "deaths", "1/s", MORE_IS_BETTER } },
        .contenders = { { .label = "ours", .role = OURS, .driver = &ours_storm, .variant = STORM_KILLS },
                        { .label = "ours, undisturbed", .role = OURS, .driver = &ours_storm,
                          .variant = STORM_CALM } },
        .goals = { { 0, RATIO_AT_LEAST, 0.8, "ours", "ours, undisturbed" },
                   { 1, VALUE_AT_MOST, 0, "ours", NULL } },
    },
    {
        .key = "idle", .what = "A pool without work, workers and keeper",
        .activity = IDLE, .workers = 2, .n = 1000, .quick_n = 100,
        .metrics = { { "CPU time", "us/s", LESS_IS_BETTER }, { "wake-ups", "1/s", LESS_IS_BETTER } },
        .contenders = { SOLO("ours", OURS, ours_idle) },
        .goals = { { 0, VALUE_AT_MOST, 0, "ours", NULL }, { 1, VALUE_AT_MOST, 0, "ours", NULL } },
    },
    {
        .key = "memory", .what = "Private memory of an idle worker",
        .activity = MEMORY, .workers = 2,
        .metrics = { { "private", "KiB", LESS_IS_BETTER } },
        .contenders = { SOLO("bare forked child", LIMIT, fork_memory), SOLO("ours", OURS, ours_memory) },
        .goals = { { 0, EXCESS_AT_MOST, 200, "ours", "bare forked child" } },
    },
    { .key = NULL },
};

int main(int argc, char **argv)
{
    return table_main("pool", rows, argc, argv);
}
