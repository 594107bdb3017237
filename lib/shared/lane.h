/*
 * lane.h - the lanes of a map (map.h): a range of items for each ticket, and the taking and stealing of items.
 *
 * A map's items are grouped into units (one item each, unless there are more than 2^24). Each of its lanes starts with
 * an equal share of the units in one word {first:24, last:24, thief:16}, or with none when its ticket may never be
 * queued. The lane's owner is the worker that holds the lane's ticket record: ownership of a lane is ownership of that
 * record, so a death, a retry and an inheritance are those of the record.
 *
 * Who writes:
 *     range      owner: takes from the front, publishes a stolen half into its own empty range
 *                thief: shrinks from the back and names itself, only where no name stands; clears its own name
 *     hand, running, intent_*, done      owner
 *     running    the keeper as well: 0 once it has charged the item with its owner's death
 *     asked      where items have limits (limit.h): whoever stops the map or the running item
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
 * While a name stands, units may be on their way that no range shows, and those of the victim are nobody else's to
 * have. So who finds nothing to steal but a name looks again, or else a busy owner would be left with items while
 * others are idle. Nothing is to be had only if two looks at all words saw the same and no name: at the instant
 * between them all units were in hands.
 *
 * Recovery (pe__lane_recover, first act of every owner, so also of the next after a death): if an intent
 * stands, the steal happened exactly if the victim's word names this lane; then do (3) to (6) again, each of
 * which changes nothing when it was done before; otherwise drop the intent. Then a hand that is not taken is
 * void, and of one that is taken the open items remain: they follow one another, for a hand is run in order. An owner
 * that leaves between two hands forgets the last one ({0, 0}, in which nothing is), so that nobody counts it again.
 *
 * Blame: `running` = i + 1 is stored before item i's function is called. An item is charged with a death
 * exactly if running names it and it is still open: one that was closed has ended, one that was only in hand
 * never began.
 *
 * Orders. Swaps of ranges are acquire-release, though the words carry all they publish: what an owner writes
 * for the keeper or the next owner (hand, running, intent, state, detail) is read only after the writer was
 * reaped, which orders everything; but those stores must not sink below the swap that they announce nor rise
 * above it, hence release stores in front and swaps that are both.
 */
#ifndef PE__SHARED_LANE_H
#define PE__SHARED_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PE__LANE_UNITS_MAX ((UINT64_C(1) << 24) - 1)

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

/* Sets a lane to its share of the map, which may be empty; host, before any ticket is queued. */
void pe__lane_reset(struct pe__lane *lane, uint64_t first_unit, uint64_t last_unit);

/* The hand has been run to its end and counted: whoever goes on with the lane is to know of none. */
void pe__lane_forget(struct pe__lane *lane);

/* Makes a lane whole after its owner died; returns what is still in hand (maybe nothing). */
struct pe__hand pe__lane_recover(struct pe__lane *lanes, uint32_t count, uint32_t self);

/* Takes up to `units` from the front of the own range. False: it is empty. */
bool pe__lane_take(struct pe__lane *lane, uint64_t units, struct pe__hand *ret_hand);

enum pe__steal {
    PE__STEAL_NOTHING, /* all that is left is in hands */
    PE__STEAL_LATER,   /* a lane is being robbed: look again in a moment, or when a dead thief was replaced */
    PE__STEAL_DONE,
};

/* Steals half of the fullest other lane; the hand is its first unit. */
enum pe__steal pe__lane_steal(struct pe__lane *lanes, uint32_t count, uint32_t self, struct pe__hand *ret_hand);

#endif
