/*
 * profile.h - everything measured so far, checked, in private memory and in nanoseconds: what reports are made of.
 *
 * A profile is taken from all sources at one moment (profile.c), or read from the JSON of an earlier run (merge.c). It
 * never changes afterwards. Reports read it; none of them reads tables.
 *
 *     processes   the host, then each worker number of each pool
 *     tracks      threads, in the order of their processes
 *     nodes       paths, a parent before its children; roots have PE__REGION_NOTHING for parent
 *     labels      all different names
 *     events      of the timeline, by track, then by start, then the longer first
 */
#ifndef PE__REPORT_PROFILE_H
#define PE__REPORT_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "region/table.h"

struct pe__profile_label {
    uint32_t kind; /* PE_SITE_*, PE__KIND_* */
    uint32_t line;
    const char *name; /* never NULL; "" for a line */
    const char *file; /* "": not known */
};

/* Pools that were freed, too many to tell apart: their workers with the same number are one process. */
#define PE__PROFILE_FREED_POOLS UINT32_MAX

struct pe__profile_process {
    int32_t pid;     /* of the last life */
    uint32_t pool;   /* 0: the host itself; PE__PROFILE_FREED_POOLS */
    int32_t worker;  /* -1: the host */
    uint32_t lives;  /* processes that have had this number */
    uint64_t dropped_labels, dropped_nodes, dropped_threads, dropped_in_handler;
};

struct pe__profile_track {
    uint32_t process;
    uint32_t number; /* among its process's */
    int32_t tid;
    const char *name;
    bool ended;
    uint32_t lives;
    uint64_t unmatched, crossed, unfinished, dropped_calls, dropped_events; /* unfinished: open when the thread ended */
    uint32_t first_unmatched, first_crossed, first_unfinished; /* labels, or PE__REGION_NOTHING */
    uint32_t first_event, event_count;
};

struct pe__profile_node {
    uint32_t track, parent, label;
    bool recursive;
    uint64_t calls, timed, unfinished; /* calls: with the one that is open */
    int64_t total_ns, own_ns; /* scaled up to all calls where only some were timed; with the open one's time so far.
                                 Own: less that of the regions inside, lines between or not */
    int64_t least_ns, most_ns;
    int64_t waited_ns, cpu_ns;
    int64_t open_ns;          /* since when it is open, from begin_ns on, at least 1; 0: it is not */
    int64_t sum, least, most; /* of a counter */
    const uint64_t *buckets;  /* PE__REGION_BUCKETS, of the timed calls; NULL: none */
};

struct pe__profile_event {
    uint32_t kind, track, label;
    int64_t start_ns, end_ns; /* since the profile's begin_ns */
    int64_t value;
};

struct pe__profile {
    struct pe__profile_arena *arena; /* owns all below */
    /* of this machine and run */
    const char *program;
    const char *clock;       /* "time-stamp counter" or "clock_gettime" */
    const char *mode;        /* "exact", "quick", "sampled" */
    uint32_t sample_every;
    bool has_cpu_time, has_timeline;
    double ticks_per_ns;
    double pair_cost_ns;     /* of an enter and a leave, measured here */
    int64_t begin_ns;        /* pe_now() when measuring began: zero of the events */
    int64_t wall_ns;         /* from then until the profile was taken */
    int64_t begin_unix_ns;
    uint32_t runs;           /* 1; more when merged */
    struct pe__profile_label *labels;
    struct pe__profile_process *processes;
    struct pe__profile_track *tracks;
    struct pe__profile_node *nodes;
    struct pe__profile_event *events;
    uint32_t label_count, process_count, track_count, node_count;
    size_t event_count;
};

/* Of all sources. 0, or PE_ENOMEM. */
int pe__profile_take(struct pe__profile *ret);
void pe__profile_free(struct pe__profile *profile);

/* "host", "pool 1 worker 3". */
/* How many nodes may be above one: regions, lines between them, and the root. */
#define PE__PROFILE_DEPTH_MOST (2 * PE__REGION_DEPTH_MOST + 2)
#define PE__PROFILE_PROCESS_BYTES 48
void pe__profile_process_name(const struct pe__profile_process *process, char name[PE__PROFILE_PROCESS_BYTES]);

/* How many calls the end of their thread or process has cut short; process PE__REGION_NOTHING: in all processes. */
uint64_t pe__profile_cut_short(const struct pe__profile *profile, uint32_t process);

/* All own times, from the totals. */
void pe__profile_own_times(struct pe__profile *profile);

/* One row for each label, or for each different path of labels: the sums over tracks. */
struct pe__profile_sum {
    uint32_t label;
    uint32_t parent; /* of a path: a sum before it, or PE__REGION_NOTHING */
    uint32_t depth;
    uint64_t calls, first_calls, timed, unfinished;
    int64_t total_ns, own_ns, least_ns, most_ns, waited_ns, cpu_ns;
    int64_t p50_ns, p95_ns, p99_ns;
    int64_t sum, least, most; /* of a counter */
    bool open;                /* unfinished now in at least one thread */
};

struct pe__profile_sums {
    struct pe__profile_sum *rows;
    uint32_t count;
};

/* Which tracks to add up: those of one process, one track, or all (PE__REGION_NOTHING each). */
struct pe__profile_part {
    uint32_t process, track;
};

/* Lines are not rows of their own here: their time is their region's. Roots are no rows. 0, or PE_ENOMEM; freed with
 * pe__profile_sums_free. */
int pe__profile_flat(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret);
int pe__profile_tree(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret);
/* Lines alone, by file and line. */
int pe__profile_lines(const struct pe__profile *profile, struct pe__profile_part part, struct pe__profile_sums *ret);
void pe__profile_sums_free(struct pe__profile_sums *sums);

/* The value below which so many of the calls were, by linear steps within a bucket; between those two. */
int64_t pe__profile_percentile(const uint64_t *buckets, double fraction, int64_t least_ns, int64_t most_ns);

/* The nodes from this one to its root; how many. */
uint32_t pe__profile_path(const struct pe__profile *profile, uint32_t node, uint32_t path[PE__PROFILE_DEPTH_MOST + 1]);

#endif
