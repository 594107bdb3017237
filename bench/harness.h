#ifndef PE__BENCH_HARNESS_H
#define PE__BENCH_HARNESS_H

/* What every benchmark needs and nothing more: a clock, rounds, median and spread, the true core
 * frequency, exact parsing of counts, and a writer of one JSON object.
 *
 *     static double round_trip(void *context) { ...; return seconds; }
 *     bench_stat s = bench_repeat(round_trip, &pool, 1, 9);            one warm-up, nine rounds
 *     printf("%.2f us (%.2f to %.2f, n %zu)\n", s.median, s.min, s.max, s.n);
 *
 * Several rivals are best measured in turns, since a virtual CPU is not the same from minute to minute:
 * call each once per round, collect the values, and hand every array to bench_stat_of.
 *
 * Nothing here allocates. The harness is not thread-safe, apart from the clock. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_ROUNDS_MAX 1024

/* Order statistics of n values; q1 and q3 are the quartiles. */
typedef struct bench_stat {
    double median;
    double min;
    double max;
    double q1;
    double q3;
    size_t n;
} bench_stat;

/* One round. Returns the measured figure in whatever unit the benchmark reports. */
typedef double bench_round_fn(void *context);

/* Monotonic time. The process CPU clock would hide children and waiting. */
int64_t bench_now_ns(void);
double bench_now(void);                       /* the same in seconds */

/* Runs `warmup` rounds whose figures are dropped, then `rounds` (1 to BENCH_ROUNDS_MAX). */
bench_stat bench_repeat(bench_round_fn *fn, void *context, size_t warmup, size_t rounds);

/* Sorts the values in place. n must be 1 at least. */
bench_stat bench_stat_of(double *values, size_t n);

/* Core frequency in GHz at this moment, from a chain of dependent additions (one a cycle on every x86-64
 * and most others). The time-stamp counter runs at a fixed rate of its own and cannot tell. About 5 ms. */
double bench_core_ghz(void);

/* Keeps a value, and what led to it, from being optimised away. */
static inline void bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* Reads a count: decimal digits with an optional fraction and exponent (1e9, 2.5e3) or a power (2^40).
 * Exact: a value that is no whole number or is above UINT64_MAX is refused. 0 and *ret_value, or -1 with
 * *ret_value untouched. */
int bench_parse_count(const char *text, uint64_t *ret_value);

/* The JSON writer: puts commas and quotes where they belong, one line, at most 32 levels deep.
 * `key` is NULL inside an array and for the outermost object. */
typedef struct bench_json {
    FILE *file;
    unsigned depth;
    uint64_t filled;                          /* bit d: something was already written at depth d */
} bench_json;

void bench_json_open(bench_json *json, FILE *file);                   /* { */
void bench_json_close(bench_json *json);                              /* } and a newline, flushed */
void bench_json_object(bench_json *json, const char *key);
void bench_json_array(bench_json *json, const char *key);
void bench_json_end_object(bench_json *json);
void bench_json_end_array(bench_json *json);
void bench_json_text(bench_json *json, const char *key, const char *value);   /* NULL: null */
void bench_json_count(bench_json *json, const char *key, uint64_t value);
void bench_json_number(bench_json *json, const char *key, double value);      /* null when not finite */
void bench_json_flag(bench_json *json, const char *key, int value);
/* {"median":...,"min":...,"max":...,"q1":...,"q3":...,"n":...} */
void bench_json_stat(bench_json *json, const char *key, const bench_stat *stat);

#endif
