#ifndef PE__BENCH_TABLE_GOAL_H
#define PE__BENCH_TABLE_GOAL_H

/* Judges goals. */

#include "table/measure.h"

struct verdict {
    int judged; /* 0: one side has no figure */
    int met;
    double value; /* the ratio or difference that was compared with the factor */
    int against;  /* contender it was compared with, -1: none */
    int ours;
};

struct verdict goal_judge(const struct row *row, const struct goal *goal, const struct outcome *outcome);

/* The goal in words, such as "<= 2x". */
void goal_text(const struct goal *goal, char *text, size_t bytes);

int goal_count(const struct row *row);

#endif
