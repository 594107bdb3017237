#ifndef PE__TEST_RECORDED_H
#define PE__TEST_RECORDED_H

/* What was measured between two calls, as a tree of all threads and workers. */

#include <stdint.h>

#include "report/profile.h"

struct recorded {
    struct pe__profile profile;
    struct pe__profile_sums tree;
};

void recorded_begin(void);
void recorded_end(struct recorded *result);
/* The same while recording goes on. */
void recorded_take(struct recorded *result);
void recorded_free(struct recorded *result);

/* The row of a path, "outer/inner"; NULL: there is none. */
const struct pe__profile_sum *recorded_find(const struct recorded *result, const char *path);
uint64_t recorded_calls(const struct recorded *result, const char *path);
/* Wherever it was called. */
uint64_t recorded_all_calls(const struct recorded *result, const char *name);
/* Calls of all threads that are unmatched, crossed or unfinished. */
uint64_t recorded_wrong_uses(const struct recorded *result);

#endif
