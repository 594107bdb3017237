/* The table. A row of it is one contender's figure for one metric; the column `ours is` has the ratio of
 * our first contender's median to this one's, and a goal stands in the line of the contender that it is
 * set against, or in our own when it is a plain number. */

#include "table/table.h"
#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY 0.3 /* load average of the last minute */

const char *const table_role_names[] = { "limit", "rival", "ours" };

/* Others' work spoils every figure, so it is said in the first lines. */
static void print_load(void)
{
    double load;
    if (getloadavg(&load, 1) == 1 && load > BUSY)
        printf("load %.1f before the start: others are computing, do not trust the figures\n", load);
}

static void print_machine(void)
{
    int cpus[MACHINE_CPUS_MAX];
    printf("%s, %d CPUs usable, %.2f GHz now, %.1f GiB free, Linux %s\n", machine_cpu_name(),
           machine_cpus(cpus, MACHINE_CPUS_MAX), bench_core_ghz(),
           (double)machine_memory_bytes() / (1024.0 * 1024 * 1024), machine_kernel());
}

void table_open(const struct measure_options *options)
{
    print_machine();
    print_load();
    printf("medians of %u interleaved rounds%s; spread: half of the distance between the quartiles\n\n",
           (unsigned)options->rounds, options->quick ? ", quick mode: figures are rough" : "");
    printf("%-36s %-5s %-28s %10s %7s %9s  %-16s %s\n", "what", "role", "who", "median", "spread", "ours is",
           "goal", "met");
}

static const struct contender *contender_at(const struct row *row, int i)
{
    return i < CONTENDERS_MAX && row->contenders[i].label ? &row->contenders[i] : NULL;
}

/* Median of our first contender with a figure; NAN when there is none. */
static double our_median(const struct row *row, const struct outcome *outcome, int metric)
{
    bench_stat stat;
    for (int i = 0; contender_at(row, i); i++)
        if (row->contenders[i].role == OURS && measure_stat(&outcome->answers[i], metric, &stat) == 0)
            return stat.median;
    return NAN;
}

static void print_number(double value)
{
    double size = fabs(value);
    if (size > 0 && size < 0.0995)
        printf(" %10.4f", value);
    else
        printf(" %10.*f", size < 10 ? 3 : size < 1000 ? 1 : 0, value);
}

static void print_ratio(double ratio)
{
    if (isfinite(ratio))
        printf(" %8.*fx", ratio < 0.0995 ? 4 : ratio < 9.95 ? 2 : 0, ratio);
    else
        printf(" %9s", "");
}

static double spread_percent(const bench_stat *stat)
{
    return stat->median != 0 ? (stat->q3 - stat->q1) / 2 / fabs(stat->median) * 100 : 0;
}

/* Where a goal stands: with the contender that it is against, else with ours. */
static int goal_line(const struct row *row, const struct goal *goal, const struct verdict *verdict)
{
    if (verdict->judged)
        return verdict->against >= 0 ? verdict->against : verdict->ours;
    for (int i = 0; contender_at(row, i); i++) {
        const struct contender *contender = contender_at(row, i);
        const char *name = goal->against ? goal->against : goal->ours;
        if (strcmp(contender->label, name) == 0 || (contender->group && strcmp(contender->group, name) == 0))
            return i;
    }
    return -1;
}

/* Whom a goal judges, and the figure that the column `ours is` does not show. */
static void print_whose(const struct goal *goal, const struct verdict *verdict)
{
    if (verdict->judged)
        printf(" (%s: %.3g)", goal->ours, verdict->value);
    else
        printf(" (%s)", goal->ours);
}

/* Goals of this metric that stand in this line; the first beside the figure, more below it. A goal that
 * is not about our first contender names its own. */
static void print_goals(const struct row *row, const struct outcome *outcome, int metric, int line)
{
    int printed = 0;
    for (int i = 0; i < goal_count(row); i++) {
        const struct goal *goal = &row->goals[i];
        struct verdict verdict = goal_judge(row, goal, outcome);
        char text[40];
        if (goal->metric != metric || goal_line(row, goal, &verdict) != line)
            continue;
        goal_text(goal, text, sizeof(text));
        if (printed++ > 0)
            printf("\n%-101s", "");
        printf("  %-16s %s", text, !verdict.judged ? "not judged" : verdict.met ? "yes" : "NO");
        if (goal->kind == EXCESS_AT_MOST || strcmp(goal->ours, "ours") != 0)
            print_whose(goal, &verdict);
    }
}

static void print_line(const struct row *row, const struct outcome *outcome, int metric, int line,
                       double ours)
{
    const struct contender *contender = contender_at(row, line);
    const struct answer *answer = &outcome->answers[line];
    bench_stat stat;
    printf("%-5s %-28s", table_role_names[contender->role], contender->label);
    if (measure_stat(answer, metric, &stat) == 0) {
        print_number(stat.median);
        printf(" %5.1f %%", spread_percent(&stat));
        print_ratio(contender->role == OURS ? NAN : ours / stat.median);
    } else {
        printf(" %10s %-17s", "-", answer->note);
    }
    print_goals(row, outcome, metric, line);
    printf("\n");
}

static void print_metric(const struct row *row, const struct outcome *outcome, int metric)
{
    char title[80];
    double ours = our_median(row, outcome, metric);
    snprintf(title, sizeof(title), "%s %s, %s", row->key, row->metrics[metric].what,
             row->metrics[metric].unit);
    for (int i = 0; contender_at(row, i); i++) {
        printf("%-36s ", i == 0 ? title : "");
        print_line(row, outcome, metric, i, ours);
    }
}

static void count_goals(const struct row *row, const struct outcome *outcome, struct tally *tally)
{
    for (int i = 0; i < goal_count(row); i++) {
        struct verdict verdict = goal_judge(row, &row->goals[i], outcome);
        tally->open += !verdict.judged;
        tally->met += verdict.judged && verdict.met;
        tally->missed += verdict.judged && !verdict.met;
    }
    for (int i = 0; contender_at(row, i); i++)
        tally->failed += outcome->answers[i].failed;
}

void table_row(const struct row *row, const struct outcome *outcome, struct tally *tally)
{
    printf("\n%s\n", row->what);
    for (int metric = 0; metric < METRICS_MAX && row->metrics[metric].what; metric++)
        print_metric(row, outcome, metric);
    count_goals(row, outcome, tally);
    fflush(stdout);
}

void table_close(const struct tally *tally)
{
    printf("\n%d goals met, %d not met, %d not judged\n", tally->met, tally->missed, tally->open);
    if (tally->failed > 0)
        printf("%d of our own figures are missing\n", tally->failed);
}

void table_json_machine(bench_json *json)
{
    int cpus[MACHINE_CPUS_MAX];
    double load;
    bench_json_object(json, "machine");
    bench_json_text(json, "cpu", machine_cpu_name());
    bench_json_count(json, "cpus", (uint64_t)machine_cpus(cpus, MACHINE_CPUS_MAX));
    bench_json_number(json, "ghz", bench_core_ghz());
    bench_json_count(json, "memory_bytes", machine_memory_bytes());
    bench_json_text(json, "kernel", machine_kernel());
    bench_json_number(json, "load", getloadavg(&load, 1) == 1 ? load : NAN);
    bench_json_end_object(json);
}

void table_json_open(bench_json *json, const char *bench, const struct measure_options *options)
{
    bench_json_open(json, stdout);
    bench_json_text(json, "bench", bench);
    bench_json_flag(json, "quick", options->quick);
    bench_json_count(json, "rounds", options->rounds);
    table_json_machine(json);
    bench_json_array(json, "rows");
}

void table_json_metrics(bench_json *json, const struct row *row, const struct answer *answer)
{
    bench_stat stat;
    bench_json_array(json, "metrics");
    for (int metric = 0; metric < METRICS_MAX && row->metrics[metric].what; metric++) {
        if (measure_stat(answer, metric, &stat) < 0)
            continue;
        bench_json_object(json, NULL);
        bench_json_text(json, "what", row->metrics[metric].what);
        bench_json_text(json, "unit", row->metrics[metric].unit);
        bench_json_stat(json, "figure", &stat);
        bench_json_end_object(json);
    }
    bench_json_end_array(json);
}

static void json_contender(bench_json *json, const struct row *row, const struct outcome *outcome, int i)
{
    const struct answer *answer = &outcome->answers[i];
    bench_json_object(json, NULL);
    bench_json_text(json, "who", row->contenders[i].label);
    bench_json_text(json, "role", table_role_names[row->contenders[i].role]);
    bench_json_text(json, "note", answer->note[0] ? answer->note : NULL);
    table_json_metrics(json, row, answer);
    bench_json_end_object(json);
}

static void json_goal(bench_json *json, const struct row *row, const struct goal *goal,
                      const struct outcome *outcome)
{
    struct verdict verdict = goal_judge(row, goal, outcome);
    char text[40];
    goal_text(goal, text, sizeof(text));
    bench_json_object(json, NULL);
    bench_json_text(json, "metric", row->metrics[goal->metric].what);
    bench_json_text(json, "ours", goal->ours);
    bench_json_text(json, "against",
                    verdict.against >= 0 ? row->contenders[verdict.against].label : goal->against);
    bench_json_text(json, "goal", text);
    bench_json_number(json, "value", verdict.judged ? verdict.value : NAN);
    bench_json_text(json, "met", !verdict.judged ? "not judged" : verdict.met ? "yes" : "no");
    bench_json_end_object(json);
}

void table_json_row(bench_json *json, const struct row *row, const struct outcome *outcome,
                    struct tally *tally)
{
    bench_json_object(json, NULL);
    bench_json_text(json, "row", row->key);
    bench_json_text(json, "what", row->what);
    bench_json_array(json, "contenders");
    for (int i = 0; contender_at(row, i); i++)
        json_contender(json, row, outcome, i);
    bench_json_end_array(json);
    bench_json_array(json, "goals");
    for (int i = 0; i < goal_count(row); i++)
        json_goal(json, row, &row->goals[i], outcome);
    bench_json_end_array(json);
    bench_json_end_object(json);
    count_goals(row, outcome, tally);
}

void table_json_close(bench_json *json, const struct tally *tally)
{
    bench_json_end_array(json);
    bench_json_object(json, "goals");
    bench_json_count(json, "met", (uint64_t)tally->met);
    bench_json_count(json, "not_met", (uint64_t)tally->missed);
    bench_json_count(json, "not_judged", (uint64_t)tally->open);
    bench_json_end_object(json);
    bench_json_count(json, "ours_missing", (uint64_t)tally->failed);
    bench_json_close(json);
}
