/* What tasks cost: bench/run async. The rows: who answers which question, and what is to be reached. Everything runs in
 * one thread, but for the workers of the last two rows and the load of the echo. A turn lasts 10 to 300 ms.
 *
 * Quoted figures were measured before, on another two-core virtual machine with an AVX-512 server core at 3.7 to
 * 3.9 GHz; they judge nothing. */

#include "async/contenders.h"
#include "pool/ours.h"
#include "table/main.h"
#include "table/quoted.h"

#define STEP_METRICS(what) { { what, "ns", LESS_IS_BETTER } }

static const struct row rows[] = {
    {
        .key = "spawn", .what = "Start 1,000 tasks, run them to their ends, again and again",
        .activity = SPAWN, .workers = 1, .n = 1000000, .quick_n = 20000, .metrics = STEP_METRICS("a task"),
        .contenders = { STEPS("state machine", LIMIT, states_spawn), STEPS("callback chain", LIMIT, chain_spawn),
                        STEPS("a uv_idle_t each", RIVAL, handles_spawn), GO(4), ASYNCIO("asyncio", "", 50),
                        ASYNCIO("uvloop", "uvloop", 50), STEPS("ours", OURS, ours_spawn), QUOTED("libdill", "33 ns"),
                        QUOTED("neco", "82 ns") },
        .goals = { { 0, VALUE_AT_MOST, 15, "ours", NULL } },
    },
    {
        .key = "await", .what = "Start a task and wait for its result, one after the other",
        .activity = AWAIT, .workers = 1, .n = 1000000, .quick_n = 20000, .metrics = STEP_METRICS("a task"),
        .contenders = { STEPS("state machine", LIMIT, states_await), STEPS("callback chain", LIMIT, chain_await),
                        FEWER("a uv_idle_t each", RIVAL, handles_await, 10), GO(4), ASYNCIO("asyncio", "", 100),
                        ASYNCIO("uvloop", "uvloop", 100), STEPS("ours", OURS, ours_await),
                        STEPS("ours, pe_call", OURS, ours_call), QUOTED("libdill", "84 ns"), QUOTED("neco", "83 ns") },
        .goals = { { 0, VALUE_AT_MOST, 20, "ours", NULL } },
    },
    {
        .key = "yield-2", .what = "Two tasks that let each other run",
        .activity = YIELD, .workers = 2, .n = 4000000, .quick_n = 50000, .metrics = STEP_METRICS("a turn"),
        .contenders = { STEPS("state machine", LIMIT, states_yield), STEPS("callback chain", LIMIT, chain_yield),
                        FEWER("a uv_idle_t each", RIVAL, handles_yield, 20), GO(4), ASYNCIO("asyncio", "", 100),
                        ASYNCIO("uvloop", "uvloop", 100), STEPS("ours", OURS, ours_yield), QUOTED("neco", "19 ns"),
                        QUOTED("libdill", "24 ns"), QUOTED("minicoro", "23 ns") },
        .goals = { { 0, VALUE_AT_MOST, 6, "ours", NULL } },
    },
    {
        .key = "yield-1000", .what = "1,000 tasks that let each other run",
        .activity = YIELD, .workers = 1000, .n = 4000000, .quick_n = 50000, .metrics = STEP_METRICS("a turn"),
        .contenders = { STEPS("state machine", LIMIT, states_yield), STEPS("callback chain", LIMIT, chain_yield),
                        STEPS("a uv_idle_t each", RIVAL, handles_yield), GO(4), ASYNCIO("asyncio", "", 20),
                        ASYNCIO("uvloop", "uvloop", 20), STEPS("ours", OURS, ours_yield), QUOTED("neco", "47 ns"),
                        QUOTED("libdill", "16 ns"), QUOTED("minicoro", "27 ns") },
        .goals = { { 0, VALUE_AT_MOST, 4, "ours", NULL } },
    },
    {
        .key = "live", .what = "Memory of 1,000,000 tasks without a frame that wait for the same thing",
        .activity = LIVE, .workers = 1, .n = 1000000, .quick_n = 20000,
        .metrics = { { "resident", "bytes", LESS_IS_BETTER } },
        .contenders = { MEMORY_OF("state machine", LIMIT, states_live),
                        MEMORY_OF("a uv_idle_t each", RIVAL, handles_live), GO(10), ASYNCIO("asyncio", "", 10),
                        ASYNCIO("uvloop", "uvloop", 10),
                        MEMORY_OF("ours", OURS, ours_live), QUOTED("libdill", "4,095 bytes"),
                        QUOTED("neco", "4,495 bytes") },
        .goals = { { 0, VALUE_AT_MOST, 144, "ours", NULL } },
    },
    {
        .key = "asleep", .what = "1,000,000 tasks asleep for a second, first start to last end (quick: 10,000, 0.02 s)",
        .activity = ASLEEP, .workers = 1, .n = 1000000, .quick_n = 10000, .job_ns = 1000000000,
        .quick_job_ns = 20000000,
        .metrics = { { "beyond that", "ms", LESS_IS_BETTER }, { "peak memory", "MiB", LESS_IS_BETTER } },
        .contenders = { SLEEPERS("state machine, one heap", LIMIT, states_asleep),
                        SLEEPERS("a uv_timer_t each", RIVAL, handles_asleep), GO(0),
                        ASYNCIO("asyncio, a tenth of them", "", 10), ASYNCIO("uvloop, a tenth of them", "uvloop", 10),
                        SLEEPERS("ours", OURS, ours_asleep), QUOTED("libdill", "8,800 ms, 3,900 MiB"),
                        QUOTED("neco", "17,900 ms, 4,300 MiB") },
        .goals = { { 0, VALUE_AT_MOST, 50, "ours", NULL }, { 1, VALUE_AT_MOST, 200, "ours", NULL } },
    },
    {
        .key = "echo", .what = "TCP echo of 64 bytes, 100 connections, each with one request under way",
        .activity = ECHO, .workers = 100, .n = 100000, .quick_n = 3000, .bytes = 64, .quick_bytes = 64,
        .metrics = { { "rate", "k/s", MORE_IS_BETTER }, { "CPU time", "us", LESS_IS_BETTER } },
        .contenders = { SERVER("epoll", LIMIT, echo_epoll), SERVER("libuv's callbacks", RIVAL, echo_uv), GO(0),
                        ASYNCIO("asyncio, streams", "", 4), ASYNCIO("asyncio, protocol", "protocol", 4),
                        ASYNCIO("uvloop, streams", "uvloop", 4), SERVER("ours", OURS, echo_ours),
                        QUOTED("neco", "91-100 k/s") },
        .goals = { { 0, RATIO_AT_LEAST, 0.97, "ours", "libuv's callbacks" } },
    },
    {
        .key = "trips", .what = "A job on a worker and its result, one after the other",
        .activity = ROUND_TRIP, .workers = 2, .n = 5000, .quick_n = 200,
        .metrics = { { "mean", "us", LESS_IS_BETTER }, { "p50", "us", LESS_IS_BETTER } },
        .contenders = { TRIPS("eventfd and epoll", LIMIT, event_trips), TRIPS("uv_queue_work", RIVAL, work_trips),
                        ASYNCIO("asyncio, threads", "", 10), ASYNCIO("asyncio, processes", "processes", 10),
                        TRIPS("ours", OURS, ours_trips) },
        .goals = { { 0, RATIO_AT_MOST, 1, "ours", "uv_queue_work" } },
    },
    {
        .key = "flights", .what = "Jobs on workers, 1,000 of them under way all the time",
        .activity = MANY, .workers = 2, .n = 500000, .quick_n = 20000,
        .metrics = { { "rate", "M jobs/s", MORE_IS_BETTER } },
        .contenders = { TRIPS("uv_queue_work", RIVAL, work_flights), ASYNCIO("asyncio, threads", "", 50),
                        ASYNCIO("asyncio, processes", "processes", 50), TRIPS("ours", OURS, ours_flights),
                        { .label = "ours, no tasks", .role = OURS, .driver = &jobs_driver, .ops = &ours_jobs,
                          .variant = OURS_WINDOW } },
        .goals = { { 0, VALUE_AT_LEAST, 1, "ours", NULL } },
    },
    { .key = NULL },
};

int main(int argc, char **argv)
{
    return table_main("async", rows, argc, argv);
}
