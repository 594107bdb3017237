/* The bench harness. Its only state is what the caller holds. */

#include "harness.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

double bench_now(void)
{
    return (double)bench_now_ns() * 1e-9;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

/* The value at a fraction of the sorted array, between neighbours by proportion. */
static double quantile(const double *sorted, size_t n, double fraction)
{
    double place = fraction * (double)(n - 1);
    size_t below = (size_t)place;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

bench_stat bench_stat_of(double *values, size_t n)
{
    bench_stat stat = { 0, 0, 0, 0, 0, n };

    if (n == 0)
        return stat;
    qsort(values, n, sizeof(values[0]), compare_doubles);
    stat.median = quantile(values, n, 0.5);
    stat.min = values[0];
    stat.max = values[n - 1];
    stat.q1 = quantile(values, n, 0.25);
    stat.q3 = quantile(values, n, 0.75);
    return stat;
}

bench_stat bench_repeat(bench_round_fn *fn, void *context, size_t warmup, size_t rounds)
{
    double values[BENCH_ROUNDS_MAX];

    if (rounds > BENCH_ROUNDS_MAX)
        rounds = BENCH_ROUNDS_MAX;
    for (size_t i = 0; i < warmup; i++)
        (void)fn(context);
    for (size_t i = 0; i < rounds; i++)
        values[i] = fn(context);
    return bench_stat_of(values, rounds);
}

/* A million dependent steps of one cycle each; the empty asm makes every step depend on the last. */
static double add_chain_ghz(void)
{
    const uint32_t steps = 10000;
    uint64_t sum = 0;
    int64_t start = bench_now_ns();

    for (uint32_t i = 0; i < steps; i++) {
#define ADD_10 ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
#define ADD_100 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10 ADD_10
#if defined(__x86_64__)
#define ADD "add %1, %0\n\t"
        __asm__ volatile(ADD_100 : "+r"(sum) : "r"((uint64_t)i));
#elif defined(__aarch64__)
#define ADD "add %0, %0, %1\n\t"
        __asm__ volatile(ADD_100 : "+r"(sum) : "r"((uint64_t)i));
#else
#define ADD sum += i; __asm__ volatile("" : "+r"(sum));
        ADD_100
#endif
    }
    bench_keep(sum);
    return 100.0 * steps / (double)(bench_now_ns() - start);
}

double bench_core_ghz(void)
{
    double best = 0;

    for (int i = 0; i < 20; i++) {      /* the highest: an interruption only ever makes it look slower */
        double ghz = add_chain_ghz();
        if (ghz > best)
            best = ghz;
    }
    return best;
}

/* Appends a decimal digit; -1 on overflow. */
static int push_digit(uint64_t *value, unsigned digit)
{
    if (*value > (UINT64_MAX - digit) / 10)
        return -1;
    *value = *value * 10 + digit;
    return 0;
}

/* Digits up to the first character that is none; -1 when there are none or they overflow. */
static int parse_digits(const char **text, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)**text))
        return -1;
    for (; isdigit((unsigned char)**text); (*text)++) {
        if (push_digit(&value, (unsigned)(**text - '0')) < 0)
            return -1;
    }
    *ret_value = value;
    return 0;
}

static int power_of(uint64_t base, uint64_t exponent, uint64_t *ret_value)
{
    uint64_t value = 1;

    if (base < 2) {
        *ret_value = exponent == 0 ? 1 : base;
        return 0;
    }
    for (; exponent > 0; exponent--) {
        if (value > UINT64_MAX / base)
            return -1;
        value *= base;
    }
    *ret_value = value;
    return 0;
}

int bench_parse_count(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    uint64_t exponent = 0;
    uint64_t fraction = 0;          /* digits of value that stand behind the point */

    if (parse_digits(&text, &value) < 0)
        return -1;
    if (*text == '^') {
        text++;
        if (parse_digits(&text, &exponent) < 0 || *text != '\0' || power_of(value, exponent, &value) < 0)
            return -1;
        *ret_value = value;
        return 0;
    }
    if (*text == '.') {
        if (!isdigit((unsigned char)*++text))
            return -1;
        for (; isdigit((unsigned char)*text); text++, fraction++) {
            if (push_digit(&value, (unsigned)(*text - '0')) < 0)
                return -1;
        }
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+';
        if (parse_digits(&text, &exponent) < 0)
            return -1;
    }
    if (*text != '\0')
        return -1;
    for (; fraction > exponent; fraction--) {
        if (value % 10 != 0)
            return -1;
        value /= 10;
    }
    for (; exponent > fraction && value != 0; exponent--) {
        if (push_digit(&value, 0) < 0)
            return -1;
    }
    *ret_value = value;
    return 0;
}

static void write_text(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else
            putc(c, file);
    }
    putc('"', file);
}

/* The comma and the key before a value. */
static void lead(bench_json *json, const char *key)
{
    uint64_t bit = UINT64_C(1) << json->depth;

    if (json->filled & bit)
        putc(',', json->file);
    json->filled |= bit;
    if (key != NULL) {
        write_text(json->file, key);
        putc(':', json->file);
    }
}

static void descend(bench_json *json, int bracket)
{
    putc(bracket, json->file);
    json->depth++;
    json->filled &= ~(UINT64_C(1) << json->depth);
}

static void ascend(bench_json *json, int bracket)
{
    json->depth--;
    putc(bracket, json->file);
}

void bench_json_open(bench_json *json, FILE *file)
{
    *json = (bench_json){ .file = file };
    descend(json, '{');
}

void bench_json_close(bench_json *json)
{
    ascend(json, '}');
    putc('\n', json->file);
    fflush(json->file);
}

void bench_json_object(bench_json *json, const char *key)
{
    lead(json, key);
    descend(json, '{');
}

void bench_json_array(bench_json *json, const char *key)
{
    lead(json, key);
    descend(json, '[');
}

void bench_json_end_object(bench_json *json)
{
    ascend(json, '}');
}

void bench_json_end_array(bench_json *json)
{
    ascend(json, ']');
}

void bench_json_text(bench_json *json, const char *key, const char *value)
{
    lead(json, key);
    if (value != NULL)
        write_text(json->file, value);
    else
        fputs("null", json->file);
}

void bench_json_count(bench_json *json, const char *key, uint64_t value)
{
    lead(json, key);
    fprintf(json->file, "%llu", (unsigned long long)value);
}

void bench_json_number(bench_json *json, const char *key, double value)
{
    lead(json, key);
    if (isfinite(value))
        fprintf(json->file, "%.12g", value);
    else
        fputs("null", json->file);
}

void bench_json_flag(bench_json *json, const char *key, int value)
{
    lead(json, key);
    fputs(value ? "true" : "false", json->file);
}

void bench_json_stat(bench_json *json, const char *key, const bench_stat *stat)
{
    bench_json_object(json, key);
    bench_json_number(json, "median", stat->median);
    bench_json_number(json, "min", stat->min);
    bench_json_number(json, "max", stat->max);
    bench_json_number(json, "q1", stat->q1);
    bench_json_number(json, "q3", stat->q3);
    bench_json_count(json, "n", stat->n);
    bench_json_end_object(json);
}
