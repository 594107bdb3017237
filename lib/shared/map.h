/*
 * map.h - a map in shared memory: what is to be done, what has become of each item, and whether it is to stop.
 *
 * Who writes:
 *     struct pe__map       the host, before any ticket is queued; read-only to workers and constant while the map runs
 *     state[i]             OPEN at the start; the worker that has item i in hand (lane.h) closes it; the keeper closes
 *                          an item whose worker it has reaped, or leaves it RETRIED, which counts as open
 *     detail[i]            whoever moves state[i] to DETAILED or RETRIED, before that; not valid in the other states
 *     failed               whoever closes an item that failed, a worker or the keeper
 *     stop                 the host, or whoever counts the failure that is one too many or sees the deadline pass
 *     texts, outputs       whoever closes an item, in the room that it has taken by moving text_used or output_used
 *
 * Orders. state[i] is stored with release after the item's output and detail, for a progress reader and for the host,
 * which reads outputs after the tickets' final words anyway. A worker that dies with room taken leaves it unused.
 */
#ifndef PE__SHARED_MAP_H
#define PE__SHARED_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <parexec/map.h>

#define PE__MAPS_MAX 16
#define PE__MAP_TEXT_BYTES (UINT64_C(1) << 20)

struct pe__lane;

enum pe__item_state {
    PE__ITEM_OPEN = 0,
    PE__ITEM_RETURNED = 1, /* with 0, and nothing in detail */
    PE__ITEM_DETAILED = 2, /* detail tells */
    PE__ITEM_RETRIED = 3,  /* open again after a death; detail.deaths counts them */
};

/* How one item ended, where that takes more than a byte. */
struct pe__item_detail {
    uint16_t kind;
    uint16_t stop_signal;
    int32_t code;
    int32_t pid;
    uint32_t deaths; /* raised by the keeper alone: a worker may die while it fills this in */
    uint16_t worker;
    uint16_t text_bytes;
    uint32_t text_at; /* offset in the map's texts */
    int64_t run_ns;
    uint32_t output_at; /* offset in the map's outputs */
    uint32_t output_bytes;
};

struct pe__map {
    pe_map_fn *fn;
    const void *context;
    const unsigned char *in;
    unsigned char *out;
    uint64_t in_bytes, out_bytes, count;
    uint64_t unit;  /* items in a unit */
    uint64_t chunk; /* units, 0: by measured time */
    _Atomic uint8_t *state;
    struct pe__item_detail *detail;
    unsigned char *texts;
    uint64_t text_bytes; /* room in them */
    unsigned char *outputs;
    uint64_t outputs_bytes; /* room in them; 0: none is kept */
    uint32_t lanes;
    uint32_t retries;
    uint64_t on_error; /* failures that end the map, 0: none do */
    uint32_t timed;    /* keep a detail with the run time of every item */
    uint32_t limits;   /* PE__LIMIT_* (limit.h) */
    int64_t timeout_ns, deadline_ns; /* 0: none */
};

/* What changes while the map runs. */
struct pe__map_live {
    _Atomic uint64_t stop; /* 1: no further item is started */
    _Atomic uint64_t failed;
    _Atomic uint64_t text_used;
    _Atomic uint64_t output_used;
    uint64_t pad1[4];
};

_Static_assert(sizeof(struct pe__map_live) == 64, "one line");

/* No failures and no wish to stop; host, before any ticket is queued. */
void pe__map_live_reset(struct pe__map_live *live);

/* Takes room for a text, or for the output, of an item. False: there is none left. */
bool pe__map_take_text(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at);
bool pe__map_take_output(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at);

/* No further item of the map is started, and those that run in the first `limited` lanes are asked to stop. */
void pe__map_stop(struct pe__map_live *live, struct pe__lane *lanes, uint32_t limited);

/* The same for all lanes, if items have limits, says the map: not for the host, which has that in its own book. */
void pe__map_stop_all(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes);

/* One more item has failed, says whoever closed it: as many as on_error names stop the map. */
void pe__map_count_failure(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes);

#endif
