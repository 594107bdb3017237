/*
 * path.h - a thread's private tree of the regions it has been in, and where in it the thread is.
 *
 * A path is one node of the table with what finding it again takes: number i here is number i there. Only its thread
 * writes to it once it is made.
 */
#ifndef PE__REGION_PATH_H
#define PE__REGION_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>

#include "region/mode.h"
#include "region/table.h"

struct pe__region_state;
struct pe__region_thread;

/* Two cache lines. Entering and leaving regions need the first; functions note their caller in the second. */
struct pe__region_path {
    _Alignas(64) uint64_t key; /* of its label (label.h); 0: not made */
    struct pe__region_node *node;
    struct pe__region_path *parent;   /* NULL: a root */
    struct pe__region_path *last;     /* the child that was entered last */
    struct pe__region_path *follower; /* the one that was entered after this one, of the same parent */
    uint32_t how;                     /* PE__MODE_*, 0 for the exact mode with the counter */
    uint32_t left;                    /* sampled: calls until the next one that is timed */
    uintptr_t frame;                  /* of a function that is open (jump.h); UINTPTR_MAX: a root; 0: others */
    uintptr_t place, caller;          /* of that function too */
    uint32_t label;
    uint8_t depth;                    /* 0: a root */
    uint8_t kind, track;
    uint64_t cpu_start_ns;
};

/* Lines and functions end with what is around them, or with their thread. */
static inline bool pe__region_path_needs_an_end(const struct pe__region_path *path)
{
    return path->kind != PE_SITE_LINE && path->kind != PE__KIND_FUNCTION;
}

/* Where this thread is; initial-exec, so that it is found by one addition. */
struct pe__region_here {
    struct pe__region_path *at;       /* never NULL */
    struct pe__region_thread *thread; /* NULL, or zeroed memory: there is none yet */
    uint32_t random;                  /* sampled: the last number drawn */
    uint32_t inherited;               /* regions that this thread was in before forks, and has not left since */
    uint32_t open_at_fork;            /* those that the child of the fork under way inherits */
    uint64_t lost;                    /* no track was left in this use of the state (state.h) */
};

extern _Thread_local struct pe__region_here pe__region_here
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Where threads are that have been nowhere. */
extern struct pe__region_path pe__region_nowhere __attribute__((visibility("hidden")));

/* The child of `parent` for that site, made if need be; NULL: there is no place, or a handler has interrupted the
 * making of another one. Both are counted. */
struct pe__region_path *pe__region_path_child(struct pe__region_path *parent, pe_region_site *site);

/* The child of where this thread is for that site, to be opened; NULL: there is no place, and the call is skipped. */
struct pe__region_path *pe__region_path_next(pe_region_site *site);

/* With the lock: the root of a new track. NULL: there is no place. */
struct pe__region_path *pe__region_path_root(struct pe__region_state *state, uint32_t track);

/* With the lock: paths to the nodes that a dead process has left in this table. */
void pe__region_path_inherit(struct pe__region_state *state);

#endif
