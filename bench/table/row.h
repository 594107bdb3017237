#ifndef PE__BENCH_TABLE_ROW_H
#define PE__BENCH_TABLE_ROW_H

/* The words of the tables. A row asks one question; contenders answer it, each with the same
 * work: limits (what the machine itself allows), rivals (other libraries) and ours. A row has one to
 * three metrics and some goals, each of which compares one contender of ours with one of the others, or
 * with a number.
 *
 * A contender is three functions (driver) and what they need to know (ops, variant). `open` may fail for
 * good reasons, such as a rival that was not built in: it then says why and the table shows that instead
 * of a figure. */

#include <stddef.h>
#include <stdint.h>

#define METRICS_MAX    3
#define CONTENDERS_MAX 12
#define GOALS_MAX      6
#define NOTE_BYTES     120

enum role { LIMIT, RIVAL, OURS };

enum activity {
    ROUND_TRIP,
    PAUSED,
    MANY,
    GRAIN, /* jobs */
    MAP,
    NOOP_MAP,
    TINY_MAP,
    INPUTS,
    RESULTS,
    SPEED_UP, /* maps */
    START,
    KILL,
    STORM,
    IDLE,
    MEMORY, /* the life of workers */
    POINTS, /* bench/pi */
    SPAWN,
    AWAIT,
    YIELD,
    LIVE,
    ASLEEP,
    ECHO, /* tasks on a loop */
    REGIONS /* bench/regions; ns */
};

/* What a contender is told before it is opened. */
struct plan {
    enum activity activity;
    uint32_t workers;
    uint64_t n;      /* operations in one measurement */
    uint64_t job_ns; /* wanted length of a job or item, 0: as short as can be; of a sleep */
    size_t bytes;    /* of one item */
    int variant;
    const void *ops;
    char *note; /* NOTE_BYTES; why it cannot run, or a remark for the table */
};

/* open and run return 0, or -1 with plan->note filled. run fills one value per metric of the row. */
struct driver {
    int (*open)(const struct plan *plan, void **ret_state);
    int (*run)(void *state, double *values);
    void (*close)(void *state);
};

struct contender {
    const char *label;
    enum role role;
    const struct driver *driver;
    const void *ops;
    int variant;
    uint32_t divisor;  /* a slow rival does n / divisor operations; 0 and 1: all */
    const char *group; /* a goal may name a group and then means its best member */
    uint32_t workers;  /* 0: the row's */
    uint64_t most;     /* operations of a slow rival; 0: no limit */
};

enum metric_sense { LESS_IS_BETTER, MORE_IS_BETTER };

struct metric {
    const char *what;
    const char *unit;
    enum metric_sense sense;
};

enum goal_kind {
    RATIO_AT_MOST,
    RATIO_AT_LEAST, /* ours / theirs */
    SPEED_AT_LEAST, /* theirs / ours, of two durations */
    VALUE_AT_MOST,
    VALUE_AT_LEAST, /* ours alone */
    EXCESS_AT_MOST  /* ours - theirs */
};

struct goal {
    int metric;
    enum goal_kind kind;
    double factor;
    const char *ours;    /* label */
    const char *against; /* label or group; NULL for a plain value */
};

struct row {
    const char *key;
    const char *what;
    enum activity activity;
    uint32_t workers;
    uint64_t n, quick_n;
    uint64_t job_ns, quick_job_ns; /* the second 0: the same */
    size_t bytes, quick_bytes;
    int one_cpu; /* everything on one CPU */
    struct metric metrics[METRICS_MAX];
    struct contender contenders[CONTENDERS_MAX];
    struct goal goals[GOALS_MAX];
};

#endif
