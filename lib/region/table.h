/*
 * table.h - what one process has measured, in memory that others may read.
 *
 * A table is one block of memory: in the host private pages, in a worker a part of the pool's shared memory, given by
 * pointer. It holds flat arrays, so that whoever reads it needs no pointer and checks an index with one comparison:
 *
 *     tracks   one for each thread
 *     labels   names: {kind, name, file, line}, texts inside
 *     nodes    one for each path of each thread: {track, parent node, label} and its numbers; a parent lies before
 *              its children
 *     events   the timeline, in segments that tracks take and fill in a ring
 *
 * Each number is written by one thread at a time, the one whose track it is of; readers take it without any order and
 * may be one call behind. Places are taken in the counts of the head, which only grow in a table's life, and a place is
 * filled before its `kind` or `state` or `ready` word is stored with release: a reader that sees it (acquire) sees the
 * rest. A thread that dies in between leaves a place with 0 there, which readers pass over.
 *
 * A table outlives its process. The next worker with the same number goes on in it: it takes over no pointer and no
 * state, only looks for equal labels and nodes among those that are ready before it takes new ones.
 */
#ifndef PE__REGION_TABLE_H
#define PE__REGION_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PE__REGION_NAME_BYTES 128
#define PE__REGION_FILE_BYTES 96
#define PE__REGION_THREAD_BYTES 16
#define PE__REGION_TRACKS 256
#define PE__REGION_NOTHING UINT32_MAX
#define PE__REGION_DEPTH_MOST 128
/* Eight in each octave of nanoseconds. */
#define PE__REGION_BUCKETS 320
#define PE__REGION_SEGMENT_EVENTS 512

/* What a node's start is while a call is open that is not timed. */
#define PE__REGION_UNTIMED 1u

/* What a label names: PE_SITE_*, and these. */
enum pe__region_kind {
    PE__KIND_SPAN = 16,
    PE__KIND_FUNCTION = 17, /* name: its symbol */
    PE__KIND_ROOT = 18,
};

struct pe__region_geometry {
    uint32_t labels, nodes;
    uint32_t segments; /* of PE__REGION_SEGMENT_EVENTS events */
};

struct pe__region_head {
    _Atomic uint32_t tracks, labels, nodes, segments; /* taken so far; may run past what there is */
    _Atomic uint32_t pid;                             /* who writes, or wrote last */
    _Atomic uint32_t lives;                           /* processes that have begun here */
    _Atomic uint64_t dropped_labels, dropped_nodes, dropped_threads, dropped_in_handler;
};

/* Wrong use, with the first place of each kind: a label + 1, 0: never happened. Unfinished are regions that were open
 * when their thread ended; those that a process's death cut short are no wrong use, and only their nodes say so. */
struct pe__region_track {
    _Atomic uint32_t state; /* 0: not ready; PE__TRACK_* */
    _Atomic int32_t tid;
    char name[PE__REGION_THREAD_BYTES];
    _Atomic uint64_t unmatched, crossed, unfinished, dropped_calls;
    _Atomic uint32_t first_unmatched, first_crossed, first_unfinished;
    _Atomic uint32_t first_segment; /* of its own chain + 1 */
    _Atomic uint64_t events;        /* written in all; those that are still there are the last ones */
    _Atomic uint32_t lives;         /* threads that have used it, one after the other */
    uint32_t pad[3];
};

enum pe__region_track_state { PE__TRACK_LIVE = 1, PE__TRACK_FREE = 2 };

struct pe__region_label {
    _Atomic uint32_t ready; /* kind + 1; 0: not ready */
    uint32_t line;
    uint64_t hash;
    char name[PE__REGION_NAME_BYTES];
    char file[PE__REGION_FILE_BYTES];
};

/* The first line is what enter and leave write. Ticks, or what a counter adds up. */
struct pe__region_node {
    _Atomic uint64_t start; /* ticks: since when it is open; 0: it is not; PE__REGION_UNTIMED: the call is not timed */
    _Atomic uint64_t calls; /* that have ended */
    _Atomic uint64_t timed; /* calls that were */
    _Atomic uint64_t total; /* ticks of those; int64_t sum of a counter */
    _Atomic uint64_t least, most; /* of a counter: int64_t */
    _Atomic uint64_t recent; /* ticks of the last timed call, the one that is not in the buckets yet */
    _Atomic uint32_t ready; /* label + 1; 0: not ready */
    uint32_t parent;        /* node; PE__REGION_NOTHING: the root of a track */
    uint32_t track;
    _Atomic uint64_t cpu_ns;
    _Atomic uint64_t waited;     /* ticks: of a span */
    _Atomic uint64_t unfinished; /* calls cut short by the end of their thread or process */
    uint64_t pad[4];
    _Atomic uint64_t buckets[PE__REGION_BUCKETS];
};

enum pe__region_event_kind {
    PE__EVENT_CALL = 1,     /* start, end; of a span too, whose label is one of PE__KIND_SPAN */
    PE__EVENT_MARK = 2,     /* start */
    PE__EVENT_COUNTER = 3,  /* start, value: the amount; the sum is not what is left when a ring has lost some */
    PE__EVENT_FLOW_OUT = 4, /* start, value: the job's number; handed over by the host */
    PE__EVENT_FLOW_IN = 5,  /* the same: begun by a worker */
    PE__EVENT_CUT = 6,      /* start, end: a call cut short by the end of its thread or process; when that was seen */
};

struct pe__region_event {
    uint64_t start, end; /* ticks */
    uint64_t value;
    uint32_t label;
    uint32_t kind;
};

struct pe__region_segment {
    _Atomic uint32_t next; /* segment + 1 in its track's ring */
    uint32_t track;
    uint64_t pad;
    struct pe__region_event events[PE__REGION_SEGMENT_EVENTS];
};

/* Pointers and sizes are private to each process and believed; what lies behind the pointers is not. */
struct pe__region_table {
    struct pe__region_geometry geometry;
    struct pe__region_head *head;
    struct pe__region_track *tracks; /* PE__REGION_TRACKS */
    struct pe__region_label *labels;
    struct pe__region_node *nodes;
    struct pe__region_segment *segments;
};

size_t pe__region_table_bytes(const struct pe__region_geometry *geometry);

/* A view of memory of so many bytes, 64-byte aligned; zeroes are an empty table. */
void pe__region_table_at(struct pe__region_table *ret, void *memory, const struct pe__region_geometry *geometry);

/* The bucket of a duration, and where a bucket begins. */
static inline uint32_t pe__region_bucket(uint64_t ns)
{
    if (ns < 8)
        return (uint32_t)ns;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns);
    uint32_t bucket = (octave - 2) * 8 + (uint32_t)(ns >> (octave - 3) & 7);
    return bucket < PE__REGION_BUCKETS ? bucket : PE__REGION_BUCKETS - 1;
}

static inline uint64_t pe__region_bucket_from(uint32_t bucket)
{
    return bucket < 8 ? bucket : (UINT64_C(8) + (bucket & 7)) << (bucket / 8 - 1);
}

#endif
