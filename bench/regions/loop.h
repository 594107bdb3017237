#ifndef PE__BENCH_REGIONS_LOOP_H
#define PE__BENCH_REGIONS_LOOP_H

/* What the contenders of bench/regions are made of: loops, each run in a forked child of its own, because how to
 * measure is said once in a process. */

#include "table/child.h"

/* Does what it measures n times. What it adds up goes to bench_keep, so that nothing is left out. */
typedef void loop_fn(uint64_t n);

/* How our regions are set up before a loop. */
enum setting { NO_REGIONS, EXACT, QUICK, SAMPLED, EXACT_TIMELINE, QUICK_TIMELINE, SWITCHED_OFF };

struct loop {
    loop_fn *fn;
    enum setting setting;
    int needs_counter; /* the processor's time-stamp counter */
};

/* ns for one turn of the loop; with plan->workers above 1 in so many threads, and then the time of one CPU. ops: a
 * struct loop. */
extern const struct driver loop_driver;

/* ns added to a body of 100 cycles: a turn of the loop less one of loop_body alone. ops: a struct loop. */
extern const struct driver added_driver;

/* Sets our regions up; 0, or -1 with the note filled. */
int loop_set_up(enum setting setting, char *note);

/* ns for one turn, after a tenth as many to warm up. */
double loop_measure(loop_fn *fn, uint64_t n);

/* 0 where the processor has no time-stamp counter. */
int loop_has_counter(void);

/* How true what is read for a body is: the ns that `reads` tells, and by how many per cent that differs from what the
 * body costs in a loop of nothing else, before and after. `reads`: < 0 and the note filled when it cannot. */
enum truth_body { TRUTH_100, TRUTH_400 }; /* plan->variant: cycles */
typedef double truth_fn(const struct plan *plan);
int truth_tell(const struct plan *plan, truth_fn *reads, double *values);

/* regions/clock.c: two readings of a clock, with nothing or the body between them. */
loop_fn loop_nothing, loop_rdtsc_rdtsc, loop_rdtsc_rdtscp, loop_fenced, loop_clock_gettime;
loop_fn loop_body, loop_long_body, loop_body_rdtsc_rdtsc, loop_body_rdtsc_rdtscp;
child_fn read_truth, read_rdtsc_rdtsc, read_rdtsc_rdtscp, read_clock_gettime;

/* regions/ours.c */
loop_fn loop_region, loop_nested, loop_scope, loop_by_name, loop_line, loop_count, loop_mark, loop_body_region;
child_fn read_exact, read_quick, measure_in_worker;

/* regions/none.c, compiled with PE_REGION_DISABLE */
loop_fn loop_none, loop_body_none;

/* regions/functions.c: programs compiled for the purpose, by themselves and under other tools. */
extern const struct driver functions_driver;
enum functions_how {
    FUNCTIONS_OURS,
    FUNCTIONS_OURS_QUICK,
    FUNCTIONS_OFF,
    FUNCTIONS_GPROF,
    FUNCTIONS_UFTRACE,
    FUNCTIONS_UFTRACE_TIME, /* only calls that last long */
    FUNCTIONS_UFTRACE_NOT   /* not that function */
};

#endif
