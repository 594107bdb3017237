/* What a region costs: bench/run regions. The rows: who answers which question, and what is to be reached. A turn lasts
 * 10 to 100 ms. The limits are readings of the clock, which nobody who measures can do without.
 *
 * Quoted figures were measured by others of our rows' kind on another two-core virtual machine with an AVX-512 server
 * core at 3.7 to 3.9 GHz whose counter runs at 2.6 GHz; they judge nothing. */

#include "regions/contenders.h"
#include "table/main.h"
#include "table/quoted.h"

#define PAIR_METRICS { { "a pair", "ns", LESS_IS_BETTER } }
#define READS \
    COUNTER("rdtsc, rdtscp", loop_rdtsc_rdtscp), COUNTER("rdtsc, rdtscp, fenced", loop_fenced), \
        COUNTER("rdtsc, rdtsc", loop_rdtsc_rdtsc), LOOP("clock_gettime twice", LIMIT, loop_clock_gettime, NO_REGIONS)

#define TRUTH_ROW(name, text, which) \
    { \
        .key = name, .what = text, .n = 500000, .quick_n = 20000, \
        .metrics = { { "is read as", "ns", LESS_IS_BETTER }, { "wrong by", "%", LESS_IS_BETTER } }, \
        .contenders = { CHILD("the body alone", LIMIT, read_truth, which), \
                        CHILD("rdtsc, rdtscp", LIMIT, read_rdtsc_rdtscp, which), \
                        CHILD("rdtsc, rdtsc", LIMIT, read_rdtsc_rdtsc, which), \
                        CHILD("clock_gettime twice", LIMIT, read_clock_gettime, which), \
                        CHILD("ours", OURS, read_exact, which), CHILD("ours, quick", OURS, read_quick, which) }, \
        .goals = { { 1, VALUE_AT_MOST, 3, "ours", NULL } }, \
    }

static const struct row rows[] = {
    {
        .key = "pair", .what = "Enter and leave, exact: totals and call tree", .workers = 1,
        .n = 1000000, .quick_n = 50000, .metrics = PAIR_METRICS,
        .contenders = { READS, LOOP("ours", OURS, loop_region, EXACT),
                        LOOP("ours, three regions", OURS, loop_nested, EXACT),
                        LOOP("ours, by name", OURS, loop_by_name, EXACT), QUOTED("Tracy", "44 ns"),
                        QUOTED("Caliper", "58-63 ns idle, 210-320 reporting"), QUOTED("minitrace", "82 ns"),
                        QUOTED("cProfile", "92-181 ns a call") },
        .goals = { { 0, RATIO_AT_MOST, 1.05, "ours", "rdtsc, rdtscp" } },
    },
    {
        .key = "quick", .what = "The same with the quick clock", .workers = 1,
        .n = 1000000, .quick_n = 50000, .metrics = PAIR_METRICS,
        .contenders = { READS, LOOP("ours", OURS, loop_region, QUICK),
                        LOOP("ours, three regions", OURS, loop_nested, QUICK) },
        .goals = { { 0, RATIO_AT_MOST, 1.05, "ours", "rdtsc, rdtsc" } },
    },
    {
        .key = "sampled", .what = "The same, every call counted and one in 16 timed", .workers = 1,
        .n = 4000000, .quick_n = 50000, .metrics = PAIR_METRICS,
        .contenders = { READS, LOOP("ours", OURS, loop_region, SAMPLED) },
        .goals = { { 0, RATIO_AT_MOST, 0.15, "ours", "rdtsc, rdtsc" } },
    },
    TRUTH_ROW("truth-100", "What the report says of a body of 100 cycles", TRUTH_100),
    TRUTH_ROW("truth-400", "What the report says of a body of 400 cycles", TRUTH_400),
    {
        .key = "timeline", .what = "Enter and leave, the timeline kept", .workers = 1,
        .n = 1000000, .quick_n = 50000, .metrics = PAIR_METRICS,
        .contenders = { READS, LOOP("ours", OURS, loop_region, EXACT_TIMELINE),
                        LOOP("ours, quick", OURS, loop_region, QUICK_TIMELINE) },
        .goals = { { 0, RATIO_AT_MOST, 1.1, "ours", "rdtsc, rdtscp" },
                   { 0, RATIO_AT_MOST, 1.1, "ours, quick", "rdtsc, rdtsc" } },
    },
    {
        /* What a reading costs hides behind the body, unless it waits for it. */
        .key = "added", .what = "What a region adds to a body of 100 cycles", .workers = 1,
        .n = 500000, .quick_n = 20000, .metrics = { { "added", "ns", LESS_IS_BETTER } },
        .contenders = { ADDED("rdtsc, rdtsc", LIMIT, loop_body_rdtsc_rdtsc, NO_REGIONS, 1),
                        ADDED("rdtsc, rdtscp", LIMIT, loop_body_rdtsc_rdtscp, NO_REGIONS, 1),
                        ADDED("ours", OURS, loop_body_region, EXACT, 0),
                        ADDED("ours, quick", OURS, loop_body_region, QUICK, 0),
                        ADDED("ours, sampled", OURS, loop_body_region, SAMPLED, 0),
                        ADDED("ours, switched off", OURS, loop_body_region, SWITCHED_OFF, 0),
                        ADDED("ours, compiled out", OURS, loop_body_none, NO_REGIONS, 0) },
        .goals = { { 0, VALUE_AT_MOST, 6, "ours, quick", NULL },
                   { 0, EXCESS_AT_MOST, 1, "ours", "rdtsc, rdtscp" } },
    },
    {
        /* The least that a loop can have in it. */
        .key = "off", .what = "Regions that are switched off, and compiled out, with nothing in them", .workers = 1,
        .n = 20000000, .quick_n = 500000, .metrics = { { "a turn", "ns", LESS_IS_BETTER } },
        .contenders = { LOOP("a loop with nothing in it", LIMIT, loop_nothing, NO_REGIONS),
                        LOOP("ours, switched off", OURS, loop_region, SWITCHED_OFF),
                        LOOP("ours, compiled out", OURS, loop_none, NO_REGIONS) },
        .goals = { { 0, EXCESS_AT_MOST, 0.1, "ours, switched off", "a loop with nothing in it" },
                   { 0, EXCESS_AT_MOST, 0.02, "ours, compiled out", "a loop with nothing in it" } },
    },
    {
        .key = "threads", .what = "Eight threads: CPU time of a pair", .workers = 1,
        .n = 500000, .quick_n = 20000, .metrics = PAIR_METRICS,
        .contenders = { CREW("rdtsc, rdtscp, one thread", LIMIT, loop_rdtsc_rdtscp, NO_REGIONS, 1),
                        CREW("rdtsc, rdtscp, 8 threads", LIMIT, loop_rdtsc_rdtscp, NO_REGIONS, 8),
                        CREW("ours", OURS, loop_region, EXACT, 8),
                        CREW("ours, one thread", OURS, loop_region, EXACT, 1) },
        .goals = { { 0, RATIO_AT_MOST, 1.2, "ours", "ours, one thread" } },
    },
    {
        .key = "worker", .what = "Enter and leave inside a worker of a pool", .workers = 1,
        .n = 1000000, .quick_n = 50000, .metrics = PAIR_METRICS,
        .contenders = { COUNTER("rdtsc, rdtscp", loop_rdtsc_rdtscp), CHILD("ours", OURS, measure_in_worker, 0),
                        LOOP("ours, in the host", OURS, loop_region, EXACT) },
        .goals = { { 0, RATIO_AT_MOST, 1.05, "ours", "ours, in the host" } },
    },
    {
        .key = "functions", .what = "Every function, without a change to the source: added to a call", .workers = 1,
        .n = 3000000, .quick_n = 100000, .metrics = { { "added", "ns", LESS_IS_BETTER } },
        .contenders = { COUNTER("rdtsc, rdtscp", loop_rdtsc_rdtscp), COUNTER("rdtsc, rdtsc", loop_rdtsc_rdtsc),
                        TOOL("uftrace record", RIVAL, FUNCTIONS_UFTRACE),
                        TOOL("uftrace, calls above 10 us", RIVAL, FUNCTIONS_UFTRACE_TIME),
                        TOOL("uftrace, not this function", RIVAL, FUNCTIONS_UFTRACE_NOT),
                        TOOL("gprof, counts alone", RIVAL, FUNCTIONS_GPROF),
                        TOOL("ours", OURS, FUNCTIONS_OURS), TOOL("ours, quick", OURS, FUNCTIONS_OURS_QUICK),
                        TOOL("ours, switched off", OURS, FUNCTIONS_OFF) },
        .goals = { { 0, VALUE_AT_MOST, 30, "ours", NULL } },
    },
    {
        .key = "line", .what = "A source line", .workers = 1, .n = 1000000, .quick_n = 50000,
        .metrics = { { "a line", "ns", LESS_IS_BETTER } },
        .contenders = { COUNTER("rdtsc, rdtscp", loop_rdtsc_rdtscp), LOOP("ours", OURS, loop_line, EXACT),
                        LOOP("ours, quick", OURS, loop_line, QUICK), QUOTED("line_profiler", "158-224 ns") },
        .goals = { { 0, VALUE_AT_MOST, 25, "ours", NULL } },
    },
    {
        .key = "count", .what = "A counter and a mark", .workers = 1, .n = 4000000, .quick_n = 50000,
        .metrics = { { "one", "ns", LESS_IS_BETTER } },
        .contenders = { LOOP("PE_COUNT", OURS, loop_count, EXACT),
                        LOOP("PE_COUNT, timeline kept", OURS, loop_count, EXACT_TIMELINE),
                        LOOP("PE_MARK", OURS, loop_mark, EXACT),
                        LOOP("PE_MARK, timeline kept", OURS, loop_mark, EXACT_TIMELINE) },
    },
    { .key = NULL },
};

int main(int argc, char **argv)
{
    return table_main("regions", rows, argc, argv);
}
