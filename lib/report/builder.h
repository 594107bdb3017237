/*
 * builder.h - a profile while it grows: from tables, from files, from other profiles.
 *
 * Whatever is added is looked up first, so that what is the same is one thing: labels by kind, name and place;
 * processes by pool and worker; tracks by process and number; nodes by their path. Numbers of things do not change
 * before pe__builder_finish, which puts them into the order that profile.h promises.
 *
 * Its memory is bounded by `most`: what goes beyond gets PE__REGION_NOTHING, as does everything once memory has run out
 * (`error` is PE_ENOMEM then).
 */
#ifndef PE__REPORT_BUILDER_H
#define PE__REPORT_BUILDER_H

#include "report/index.h"
#include "report/profile.h"

struct pe__builder_most {
    uint32_t labels, processes, tracks, nodes;
    size_t events;
};

#define PE__BUILDER_NO_LIMIT { UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1 }

struct pe__builder_node {
    uint64_t *buckets; /* the node's, to be written */
    uint32_t depth;
};

struct pe__builder {
    struct pe__profile profile; /* nodes lack their own time */
    struct pe__builder_node *nodes; /* by the same numbers */
    struct pe__builder_most most;
    size_t label_room, process_room, track_room, node_room, inner_room, event_room;
    struct pe__index label_index, process_index, track_index, node_index;
    int error;
};

/* 0, or PE_ENOMEM. */
int pe__builder_init(struct pe__builder *builder, struct pe__builder_most most);
void pe__builder_fini(struct pe__builder *builder);

/* Numbers, or PE__REGION_NOTHING. Texts are copied. */
uint32_t pe__builder_label(struct pe__builder *builder, const struct pe__profile_label *label);
uint32_t pe__builder_process(struct pe__builder *builder, uint32_t pool, int32_t worker);
uint32_t pe__builder_track(struct pe__builder *builder, uint32_t process, uint32_t number, const char *name);
/* A parent that is not of that track, or too deep, has no such child. */
uint32_t pe__builder_node(struct pe__builder *builder, uint32_t track, uint32_t parent, uint32_t label);
/* Of a node; NULL: no memory. */
uint64_t *pe__builder_buckets(struct pe__builder *builder, uint32_t node);
/* False: no room. */
bool pe__builder_event(struct pe__builder *builder, const struct pe__profile_event *event);

/* Adds all of a profile. */
void pe__builder_add(struct pe__builder *builder, const struct pe__profile *profile);
/* The same, and what is said of the run as a whole: one more run than there were. */
void pe__builder_add_run(struct pe__builder *builder, const struct pe__profile *from);

/* The profile, which owns its memory; the builder is gone. 0, or PE_ENOMEM. */
int pe__builder_finish(struct pe__builder *builder, struct pe__profile *ret);

/* Sums that stop at the ends of their type. */
uint64_t pe__sum_of_counts(uint64_t a, uint64_t b);
int64_t pe__sum_of_ns(int64_t a, int64_t b);
void pe__add_count(uint64_t *sum, uint64_t count);
void pe__add_count32(uint32_t *sum, uint32_t count);

#endif
