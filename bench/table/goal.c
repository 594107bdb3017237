/* Goals. All are judged on medians; one that names a group is judged against the group's best median. */

#include "table/goal.h"

#include <stdio.h>
#include <string.h>

static int named(const struct contender *contender, const char *name)
{
    return strcmp(contender->label, name) == 0 || (contender->group && strcmp(contender->group, name) == 0);
}

/* The best contender of that name or group that has a figure; -1 when none has. */
static int find_best(const struct row *row, const struct outcome *outcome, const char *name, int metric,
                     double *ret_median)
{
    int best = -1;
    bench_stat stat;
    for (int i = 0; i < CONTENDERS_MAX && row->contenders[i].label; i++) {
        if (!named(&row->contenders[i], name) || measure_stat(&outcome->answers[i], metric, &stat) < 0)
            continue;
        int better = row->metrics[metric].sense == LESS_IS_BETTER ? stat.median < *ret_median
                                                                  : stat.median > *ret_median;
        if (best < 0 || better) {
            best = i;
            *ret_median = stat.median;
        }
    }
    return best;
}

static double compare(const struct goal *goal, double ours, double theirs)
{
    switch (goal->kind) {
    case RATIO_AT_MOST:
    case RATIO_AT_LEAST:
        return ours / theirs;
    case SPEED_AT_LEAST:
        return theirs / ours;
    case EXCESS_AT_MOST:
        return ours - theirs;
    default:
        return ours;
    }
}

struct verdict goal_judge(const struct row *row, const struct goal *goal, const struct outcome *outcome)
{
    struct verdict verdict = { .against = -1 };
    double ours = 0, theirs = 0;
    verdict.ours = find_best(row, outcome, goal->ours, goal->metric, &ours);
    if (goal->against)
        verdict.against = find_best(row, outcome, goal->against, goal->metric, &theirs);
    verdict.judged = verdict.ours >= 0 && (!goal->against || verdict.against >= 0);
    if (!verdict.judged)
        return verdict;
    verdict.value = compare(goal, ours, theirs);
    int at_most = goal->kind == RATIO_AT_MOST || goal->kind == VALUE_AT_MOST || goal->kind == EXCESS_AT_MOST;
    verdict.met = at_most ? verdict.value <= goal->factor : verdict.value >= goal->factor;
    return verdict;
}

void goal_text(const struct goal *goal, char *text, size_t bytes)
{
    switch (goal->kind) {
    case RATIO_AT_MOST:
        snprintf(text, bytes, "<= %gx", goal->factor);
        break;
    case RATIO_AT_LEAST:
        snprintf(text, bytes, ">= %gx", goal->factor);
        break;
    case SPEED_AT_LEAST:
        snprintf(text, bytes, ">= %gx as fast", goal->factor);
        break;
    case VALUE_AT_MOST:
        snprintf(text, bytes, "<= %g", goal->factor);
        break;
    case VALUE_AT_LEAST:
        snprintf(text, bytes, ">= %g", goal->factor);
        break;
    case EXCESS_AT_MOST:
        snprintf(text, bytes, "<= %g more", goal->factor);
        break;
    }
}

int goal_count(const struct row *row)
{
    int count = 0;
    while (count < GOALS_MAX && row->goals[count].ours)
        count++;
    return count;
}
