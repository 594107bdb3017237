/*
 * lane.h - maps in shared memory: a lane of items for each ticket, and the taking and stealing of items.
 *
 * A map's items are grouped into units (one item each, unless there are more than 2^24). Each of its lanes
 * starts with an equal share of the units in one word {first:24, last:24, thief:16}, or with none when its ticket
 * may never be queued. The lane's owner is the
 * worker that holds the lane's ticket record: ownership of a lane is ownership of that record, so a death, a
 * retry and an inheritance are those of the record.
 *
 * Who writes:
 *     range      owner: takes from the front, publishes a stolen half into its own empty range
 *                thief: shrinks from the back and names itself, only where no name stands; clears its own name
 *     hand, running, intent_*, done      owner
 *     failed    of the map: whoever closes an item that failed, a worker or the keeper
 *     running   the keeper as well: 0 once it has charged the item with its owner's death
 *     asked     where items have limits (limit.h): whoever stops the map or the running item
 *     state[i]   OPEN at the start; the worker that has item i in hand closes it; the keeper closes an item whose
 *                worker it has reaped, or leaves it RETRIED, which counts as open
 *     detail[i]  whoever moves state[i] to DETAILED or RETRIED, before that; not valid in the other states
 *
 * Taking: hand = {f, f + c} is stored before the swap of the range from {f, l} to {f + c, l}. The hand is
 * taken exactly if the range's first equals the hand's last: only the owner moves first, and first and last
 * of any range only ever move towards each other, so no non-empty word comes back.
 *
 * Stealing the back half of a victim {f, l}: (1) store the intent {victim, middle, last, own empty word}; (2)
 * swap the victim to {f, middle, thief}; (3) swap the own range from the stored empty one to {middle + 1,
 * last}; (4) hand = {middle, middle + 1}; (5) take the name out of the victim's word; (6) clear the intent;
 * run. Nobody else robs a named word, its owner may go on taking. Every steal takes one unit for good, so two
 * idle workers cannot pass one to and fro. An owner may run empty and steal while its own word is named: (3)
 * leaves the name as it finds it, for it is what tells the named thief's next life that its steal happened,
 * and does not mind that the name goes meanwhile.
 *
 * Recovery (pe__lane_recover, first act of every owner, so also of the next after a death): if an intent
 * stands, the steal happened exactly if the victim's word names this lane; then do (3) to (6) again, each of
 * which changes nothing when it was done before; otherwise drop the intent. Then a hand that is not taken is
 * void, and of one that is taken the open items remain.
 *
 * Blame: `running` = i + 1 is stored before item i's function is called. An item is charged with a death
 * exactly if running names it and it is still open: one that was closed has ended, one that was only in hand
 * never began.
 *
 * Orders. Swaps of ranges are acquire-release, though the words carry all they publish: what an owner writes
 * for the keeper or the next owner (hand, running, intent, state, detail) is read only after the writer was
 * reaped, which orders everything; but those stores must not sink below the swap that they announce nor rise
 * above it, hence release stores in front and swaps that are both. state[i] is stored with release after the
 * item's output, for a progress reader and for the host, which reads outputs after the tickets' final words
 * anyway.
 */
#ifndef PE__SHARED_LANE_H
#define PE__SHARED_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <parexec/map.h>

#define PE__LANE_UNITS_MAX ((UINT64_C(1) << 24) - 1)
#define PE__MAPS_MAX 16
#define PE__MAP_TEXT_BYTES (UINT64_C(1) << 20)

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

/* Host-written, read-only to workers, constant while the map runs. */
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

/* Written by workers and the host. */
struct pe__map_live {
    _Atomic uint64_t stop; /* 1: no further item is started */
    _Atomic uint64_t failed;
    _Atomic uint64_t text_used;
    _Atomic uint64_t output_used;
    uint64_t pad1[4];
};

struct pe__lane {
    _Atomic uint64_t range;
    uint64_t pad0[7];
    _Atomic uint64_t hand;    /* {first:32, last:32} units */
    _Atomic uint64_t running; /* item + 1 */
    _Atomic uint64_t intent_own;
    _Atomic uint64_t intent_range; /* {middle, last, 0} as a range word */
    _Atomic uint32_t intent_victim; /* lane + 1, 0: no intent */
    uint32_t pad1;
    _Atomic uint64_t done;   /* items closed by owners of this lane; a progress figure */
    _Atomic uint64_t asked;  /* the latest due time of an item that is to stop, UINT64_MAX: all are */
    uint64_t pad2;
};

_Static_assert(sizeof(struct pe__lane) == 128, "range and progress lie on a line each");
_Static_assert(sizeof(struct pe__map_live) == 64, "one line");

static inline uint64_t pe__range_word(uint64_t first, uint64_t last, uint64_t thief)
{
    return first << 40 | last << 16 | thief;
}

static inline uint64_t pe__range_first(uint64_t word)
{
    return word >> 40;
}

static inline uint64_t pe__range_last(uint64_t word)
{
    return word >> 16 & PE__LANE_UNITS_MAX;
}

static inline uint32_t pe__range_thief(uint64_t word)
{
    return (uint32_t)(word & 0xffff);
}

static inline uint64_t pe__range_units(uint64_t word)
{
    uint64_t first = pe__range_first(word), last = pe__range_last(word);
    return last > first ? last - first : 0;
}

/* What an owner holds: units [first, last). */
struct pe__hand {
    uint64_t first, last;
};

/* No failures and no wish to stop; host, before any ticket is queued. */
void pe__map_live_reset(struct pe__map_live *live);

/* Sets a lane to its share of the map, which may be empty; host, before any ticket is queued. */
void pe__lane_reset(struct pe__lane *lane, uint64_t first_unit, uint64_t last_unit);

/* Makes a lane whole after its owner died; returns what is still in hand (maybe nothing). */
struct pe__hand pe__lane_recover(struct pe__lane *lanes, uint32_t count, uint32_t self);

/* Takes up to `units` from the front of the own range. False: it is empty. */
bool pe__lane_take(struct pe__lane *lane, uint64_t units, struct pe__hand *ret_hand);

/* Steals half of the fullest other lane; the hand is its first unit. False: nothing is left to steal. */
bool pe__lane_steal(struct pe__lane *lanes, uint32_t count, uint32_t self, struct pe__hand *ret_hand);

/* Takes room for a text, or for the output, of an item. False: there is none left. */
bool pe__map_take_text(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at);
bool pe__map_take_output(const struct pe__map *map, struct pe__map_live *live, uint64_t bytes, uint32_t *ret_at);

/* No further item of the map is started, and those that run are asked to stop. */
void pe__lane_stop_all(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes);

/* One more item has failed, says whoever closed it: as many as on_error names stop the map. */
void pe__lane_count_failure(const struct pe__map *map, struct pe__map_live *live, struct pe__lane *lanes);

#endif
