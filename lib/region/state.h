/*
 * state.h - what a process records with: the table that it writes to, and what it alone knows of that table.
 *
 * All of it is one mapping, which the kernel wipes in forked children. So a child begins with an empty table at the
 * same addresses, nobody holds its lock, and no thread of it has been anywhere.
 */
#ifndef PE__REGION_STATE_H
#define PE__REGION_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "region/path.h"
#include "region/table.h"
#include "region/track.h"

/* Wiped at a fork. Written with the lock held, but for the lock. */
struct pe__region_state {
    _Atomic uintptr_t lock;    /* who holds it: the address of the thread's pe__region_here */
    uint64_t use;              /* 0: not begun; else a number that no ancestor's state has had */
    struct pe__region_table table;
    uint32_t tracks, labels, nodes; /* taken so far */
    _Atomic uint32_t segments;      /* as well, without the lock */
    uint32_t inherited_tracks; /* those below were a dead process's */
    int64_t begin_ns, begin_unix_ns;
    uint64_t begin_ticks;
};

/* What a fork leaves as it is. Nothing in it changes once it can be seen. */
struct pe__region_memory {
    size_t bytes;
    struct pe__region_geometry geometry;
    struct pe__region_state *state;
    struct pe__region_thread *threads; /* PE__REGION_TRACKS */
    struct pe__region_path *paths;     /* geometry.nodes */
    _Atomic uint32_t *path_index;      /* open addressing: path + 1, 0: free */
    uint32_t *label_index;             /* label + 1 */
    uint32_t path_slots, label_slots;  /* powers of two, at least twice as many */
    void *table;                       /* this process's own */
    pthread_key_t key;                 /* of threads' ends */
    bool is_wiped;                     /* by the kernel */
};

/* NULL: measuring has never begun. */
extern struct pe__region_memory *_Atomic pe__region_memory __attribute__((visibility("hidden")));

/* Makes it unless it is there. 0, or PE_ENOMEM. */
int pe__region_memory_new(const struct pe__region_geometry *geometry);

/* Takes the lock, and begins with the own table in a process that has none. NULL, counted: this thread holds it
 * already, so this is a handler; or there is no memory. */
struct pe__region_state *pe__region_state_lock(void);

/* False: the process is another one than when it was locked. */
bool pe__region_state_unlock(struct pe__region_state *state);

/* With the lock: from now on this process records into that table. */
void pe__region_state_begin(struct pe__region_state *state, void *table, const struct pe__region_geometry *geometry);

#endif
