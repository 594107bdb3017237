#ifndef PE__BENCH_TABLE_ARGUMENTS_H
#define PE__BENCH_TABLE_ARGUMENTS_H

/* What is typed behind the name of a benchmark that measures rows: --quick, --rounds N, --only KEY, --list and --help,
 * which all have, and what one has besides. */

#include "table/measure.h"

#define ARGUMENTS_ONLY_MAX 32

struct arguments {
    struct measure_options measure; /* rounds: 0 when they are not given */
    int list;
    const char *only[ARGUMENTS_ONLY_MAX];
    int only_count;
};

/* An option of one benchmark. One of both is there: a flag that becomes 1, or a value. */
struct own_option {
    const char *name; /* NULL closes a list */
    int *flag;
    const char **value;
};

struct arguments_rules {
    const char *bench, *noun; /* what --only takes: a row, a sweep */
    const char *usage;        /* what follows "usage: bench/run NAME " */
    uint32_t rounds_least, rounds_most;
    int (*has)(const char *key);
    struct own_option own[4];
};

/* 0; -1 when something is wrong, which was said then. --help ends the program. */
int arguments_parse(struct arguments *arguments, const struct arguments_rules *rules, int argc, char **argv);

/* 1: the row is asked for, by its name or because none is. */
int arguments_want(const struct arguments *arguments, const char *key);

#endif
