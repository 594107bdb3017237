/*
 * track.h - threads, and what they do not find a place for.
 */
#ifndef PE__REGION_TRACK_H
#define PE__REGION_TRACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "region/path.h"
#include "region/table.h"

struct pe__region_state;

/* Of calls without a place so many are told apart; those further in are taken to be left in order. */
#define PE__REGION_SKIPPED_MOST 16384

/* A thread of this process; one for each track. */
struct pe__region_thread {
    _Atomic bool live;            /* a thread uses it */
    uint32_t number;              /* of the track */
    struct pe__region_path *root; /* NULL: not yet made */
    struct pe__region_track *track;
    uint64_t flow_key; /* the last arrow's label (count.c); 0: none */
    uint32_t flow_label;
    /* Its timeline (event.h). */
    struct pe__region_segment *segment;
    struct pe__region_event *event, *event_end; /* where the next one goes, and the segment's end */
    uint64_t events_end;                        /* that end's number among all of the track's events */
    volatile bool is_changing_segment;
    /* Calls that found no place, and what is called in them: they are left in the same order. */
    struct pe__region_path *below; /* where the first of them was entered */
    uint32_t skipped;
    struct pe__region_path skip; /* where the thread is meanwhile */
    uint32_t skipped_keys[PE__REGION_SKIPPED_MOST]; /* half of each; lowest bit: a function */
};

/* This thread's, made at its first use; NULL: there is no track left, or a handler has interrupted the slow path. */
struct pe__region_thread *pe__region_track_here(void);

/* With the lock: one for this thread, under that name; NULL, counted: there is none left. */
struct pe__region_thread *pe__region_track_take(struct pe__region_state *state, const char *name);

/* With the lock: no thread of a dead process uses its tracks any more. */
void pe__region_track_inherit(struct pe__region_state *state);

/* What this thread has open is unfinished, and later threads may use its track. */
void pe__region_track_end(void);

/* A call that found no place is entered; or a line, which is only counted, since it has no end. */
void pe__region_track_skip(struct pe__region_thread *thread, pe_region_site *site);

/* One that is left, key 0: the innermost. What is inside it ends too, and is wrong use if it is no function. False: it
 * is none of those; they are over if it is open further out. */
bool pe__region_track_unskip(struct pe__region_thread *thread, uint64_t key);

/* None of those is open any more. */
void pe__region_track_unskip_all(struct pe__region_thread *thread);

/* First place of a kind of wrong use. */
static inline void pe__region_track_note(_Atomic uint64_t *count, _Atomic uint32_t *first, uint32_t label)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (first && !atomic_load_explicit(first, memory_order_relaxed))
        atomic_store_explicit(first, label + 1, memory_order_relaxed);
}

#endif
