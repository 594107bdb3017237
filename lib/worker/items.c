/*
 * items.c - a worker's part of a map: takes units from its lane, steals when the lane is empty, runs items
 * one by one.
 *
 * `running` is stored before an item's function is called and the item's state is closed after its output is
 * written, so a death at any instant is charged to one item at most, and to none when it hits between items
 * (lane.h has the argument). An item is run only by the worker that has its unit in hand.
 *
 * A worker that finds nothing but what a thief is about to take or to leave waits for the thief, which is through in an
 * instant. But one that has lost its CPU in the middle may take a while, and one that has died until it is replaced. So
 * after THIEF_NS the worker ends its ticket, has the host queue another one for the lane, and is there for other jobs.
 */
#include "worker/items.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/cpu_relax.h"
#include "base/step.h"
#include "worker/copy.h"
#include "worker/hygiene.h"
#include "worker/limit.h"
#include "worker/place.h"
#include "worker/serve.h"

/* A chunk is in hand and cannot be stolen: keep it short in time, but long enough to hide the cost of
 * taking it. */
#define CHUNK_NS 20000
#define CHUNK_GROWTH 8
/* How long a thief is waited for; a dead one is replaced in a few milliseconds. */
#define THIEF_NS (INT64_C(20) * 1000000)
#define THIEF_LOOKS 64 /* before the CPU is given away between two looks */
#define THIEF_NAP_NS 50000
/* What is over sooner than a thief would have its half is taken as a whole. */
#define REST_NS 2000

/* What a worker needs while it serves a lane. */
struct part {
    struct pe__worker *worker;
    const struct pe__map *map;
    struct pe__map_live *live;
    struct pe__lane *lanes;
    struct pe__lane *lane;
    uint32_t self;
    uint64_t served_most; /* when the worker has served so many, its life is over */
    bool watched;         /* something is looked at after each item */
    bool plain;           /* nothing is, and items are neither timed nor limited */
};

static bool is_stopped(const struct part *part)
{
    return atomic_load_explicit(&part->live->stop, memory_order_relaxed) != 0;
}

/* Puts the message into the map's texts, as far as there is room. */
static void keep_text(const struct part *part, struct pe__item_detail *detail)
{
    const struct pe__worker_scope *scope = &part->worker->scope;
    uint32_t at;
    detail->text_bytes = 0;
    if (scope->text_bytes == 0 || !pe__map_take_text(part->map, part->live, scope->text_bytes, &at))
        return;
    memcpy(part->map->texts + at, scope->text, scope->text_bytes);
    detail->text_at = at;
    detail->text_bytes = (uint16_t)scope->text_bytes;
}

/* The same with what the item has written. */
static void keep_output(const struct part *part, struct pe__item_detail *detail, uint64_t start_ticks)
{
    struct pe__worker_output *output = &part->worker->output;
    uint32_t at, bytes;
    detail->output_bytes = 0;
    bytes = pe__worker_output_look(output, start_ticks, part->worker->shared->geometry.output_bytes);
    if (bytes == 0 || !pe__map_take_output(part->map, part->live, bytes, &at))
        return;
    pe__worker_output_take(output, part->map->outputs + at, bytes);
    detail->output_at = at;
    detail->output_bytes = bytes;
}

static void close_with_detail(const struct part *part, uint64_t item, int code, uint64_t ticks)
{
    struct pe__item_detail *detail = &part->map->detail[item];
    uint8_t before = atomic_load_explicit(&part->map->state[item], memory_order_relaxed);
    detail->kind = PE_RETURNED;
    detail->stop_signal = 0;
    detail->code = code;
    detail->pid = part->worker->pid;
    if (before != PE__ITEM_RETRIED)
        detail->deaths = 0;
    detail->worker = (uint16_t)part->worker->index;
    detail->run_ns = pe__base_ticks_to_ns(ticks);
    keep_text(part, detail);
    PE__STEP(DETAIL);
    atomic_store_explicit(&part->map->state[item], PE__ITEM_DETAILED, memory_order_release);
    PE__STEP(CLOSED);
    if (code != 0)
        pe__map_count_failure(part->map, part->live, part->lanes);
    PE__STEP(FAILURE);
}

/* An item of which more is to be kept than that it returned 0, or that left text to be written out. */
static __attribute__((cold, noinline)) void close_unusual(const struct part *part, uint64_t item, int code)
{
    pe__worker_copy_end(part->worker, code);
    pe__worker_flush_stdio();
    if (code == 0 && part->worker->scope.text_bytes == 0) {
        atomic_store_explicit(&part->map->state[item], PE__ITEM_RETURNED, memory_order_release);
        PE__STEP(CLOSED);
    } else {
        close_with_detail(part, item, code, 0);
        part->worker->scope.text_bytes = 0;
    }
}

/* False: the map's deadline has passed, and so it stops. */
static bool has_time(const struct part *part, int64_t now_ns)
{
    if (part->map->deadline_ns == 0 || now_ns < part->map->deadline_ns)
        return true;
    pe__map_stop_all(part->map, part->live, part->lanes);
    return false;
}

/* An item of a map with limits (shared/limit.h). It is said to run before it has a limit, so that whatever is stopped
 * for one is an item that had begun. False: the map stops instead. */
static bool begin_limited(const struct part *part, uint64_t item)
{
    const struct pe__map *map = part->map;
    struct pe__worker *worker = part->worker;
    int64_t now_ns = pe__base_now_ns();
    if (!has_time(part, now_ns))
        return false;
    worker->due = pe__limit_due(now_ns, map->timeout_ns, map->deadline_ns);
    worker->scope.self = (uint64_t)worker->due;
    atomic_store_explicit(&part->lane->running, item + 1, memory_order_release);
    PE__STEP(RUNNING);
    pe__worker_begin_limit(worker);
    return true;
}

/* What it has printed is written out within its limit. */
static void end_limited(const struct part *part)
{
    pe__worker_flush_stdio();
    pe__worker_end_limit(part->worker);
}

/* Sums of numbers, for in and out may be NULL, to which C adds nothing, not even 0. */
static inline int call_item(const struct pe__map *map, uint64_t item)
{
    return map->fn((const void *)((uintptr_t)map->in + (size_t)(item * map->in_bytes)),
                   (void *)((uintptr_t)map->out + (size_t)(item * map->out_bytes)), map->context);
}

/*
 * The plain case: no detail is kept of items that return 0. Returns the first item not run.
 *
 * A loop this short is bound by how the processor reads its branches. It starts on a cache line of its own, keeps
 * what it needs in the registers that survive a call, and loads the rest from the map, which is as good as from the
 * stack and need not be put there first.
 */
static __attribute__((noinline, aligned(64))) uint64_t run_plain(const struct part *part, uint64_t first, uint64_t last)
{
    const struct pe__map *map = part->map;
    FILE *output = stdout, *errors = stderr;
    uint64_t item = first;
    while (item < last && !is_stopped(part)) {
        atomic_store_explicit(&part->lane->running, item + 1, memory_order_release);
        PE__STEP(RUNNING);
        int code = call_item(map, item);
        PE__STEP(ITEM_RAN);
        /* One branch for all that is unusual. */
        uint64_t unusual = (uint32_t)code | part->worker->scope.text_bytes | pe__worker_pending(output) |
                           pe__worker_pending(errors);
        if (unusual != 0) {
            close_unusual(part, item, code);
        } else {
            atomic_store_explicit(&map->state[item], PE__ITEM_RETURNED, memory_order_release);
            PE__STEP(CLOSED);
        }
        item++;
    }
    return item;
}

/* The same with limits. */
static uint64_t run_limited(const struct part *part, uint64_t first, uint64_t last)
{
    const struct pe__map *map = part->map;
    for (uint64_t item = first; item < last; item++) {
        if (is_stopped(part) || !begin_limited(part, item))
            return item;
        int code = call_item(map, item);
        pe__worker_copy_end(part->worker, code);
        PE__STEP(ITEM_RAN);
        end_limited(part);
        close_unusual(part, item, code);
    }
    return last;
}

/* Times every item. */
static uint64_t run_careful(const struct part *part, uint64_t first, uint64_t last)
{
    const struct pe__map *map = part->map;
    for (uint64_t item = first; item < last; item++) {
        if (is_stopped(part))
            return item;
        uint64_t start = pe__base_ticks();
        part->worker->scope.text_bytes = 0;
        if (map->limits == 0) {
            atomic_store_explicit(&part->lane->running, item + 1, memory_order_release);
            PE__STEP(RUNNING);
        } else if (!begin_limited(part, item)) {
            return item;
        }
        int code = call_item(map, item);
        pe__worker_copy_end(part->worker, code);
        PE__STEP(ITEM_RAN);
        if (map->limits == 0)
            pe__worker_flush_stdio();
        else
            end_limited(part);
        if (map->outputs_bytes > 0)
            keep_output(part, &map->detail[item], start);
        close_with_detail(part, item, code, pe__base_ticks() - start);
        if (map->outputs_bytes > 0)
            pe__worker_output_pass(&part->worker->output, part->worker->slot);
    }
    return last;
}

static uint64_t run_items(const struct part *part, uint64_t first, uint64_t last, bool fresh)
{
    if (!fresh || part->map->timed)
        return run_careful(part, first, last);
    return part->map->limits != 0 ? run_limited(part, first, last) : run_plain(part, first, last);
}

/* One by one, with errno cleared before and a look at the worker's memory and output after each. What is left in the
 * hand is the next life's. */
static uint64_t run_watched(const struct part *part, uint64_t first, uint64_t last, bool fresh)
{
    struct pe__worker *worker = part->worker;
    uint64_t item = first;
    for (; item < last && !pe__worker_is_spent(worker); item++) {
        errno = 0;
        if (run_items(part, item, item + 1, fresh) == item)
            break;
        if (worker->memory.resident_most != 0)
            pe__worker_memory_look(&worker->memory, pe__base_ticks());
        if (worker->output.most != UINT64_MAX)
            pe__worker_output_drop(&worker->output, worker->slot);
    }
    return item;
}

/* Of a hand from an earlier life, which ran it in order: the first item that has not ended, or `last`. */
static uint64_t first_open(const struct part *part, uint64_t first, uint64_t last)
{
    uint64_t item = first;
    for (; item < last; item++) {
        uint8_t state = atomic_load_explicit(&part->map->state[item], memory_order_acquire);
        if (state == PE__ITEM_OPEN || state == PE__ITEM_RETRIED)
            break;
    }
    return item;
}

static void count(const struct part *part, uint64_t items)
{
    atomic_store_explicit(&part->lane->done,
                          atomic_load_explicit(&part->lane->done, memory_order_relaxed) + items, memory_order_relaxed);
    atomic_store_explicit(&part->worker->slot->ended,
                          atomic_load_explicit(&part->worker->slot->ended, memory_order_relaxed) + items,
                          memory_order_relaxed);
}

/* False: the map was stopped, or this life is over. A hand that the next life goes on with is counted by that one. */
static bool run_hand(const struct part *part, struct pe__hand hand, bool fresh)
{
    const struct pe__map *map = part->map;
    uint64_t first = hand.first * map->unit, last = hand.last * map->unit;
    if (last > map->count)
        last = map->count;
    if (first >= last)
        return true;
    uint64_t begin = fresh ? first : first_open(part, first, last), end;
    if (part->plain && fresh)
        end = run_plain(part, begin, last);
    else if (part->watched)
        end = run_watched(part, begin, last, fresh);
    else
        end = run_items(part, begin, last, fresh);
    part->worker->served += end - begin;
    if (end == last || is_stopped(part))
        count(part, end - first);
    PE__STEP(HAND_DONE);
    return end == last;
}

/* Units to take next, from how long the last ones took. */
static uint64_t next_units(const struct part *part, uint64_t units, int64_t ns)
{
    uint64_t left = pe__range_units(atomic_load_explicit(&part->lane->range, memory_order_relaxed));
    uint64_t grown = units * CHUNK_GROWTH;
    if (left <= REST_NS && left * (uint64_t)ns <= units * REST_NS)
        return left > 0 ? left : 1;
    if (ns > 0 && units * CHUNK_NS / (uint64_t)ns < grown)
        grown = units * CHUNK_NS / (uint64_t)ns;
    if (grown > left / 2)
        grown = left / 2;
    return grown > 0 ? grown : 1;
}

static uint64_t at_most_life(const struct part *part, uint64_t units)
{
    uint64_t left = part->served_most - part->worker->served;
    return units < left ? units : left;
}

/* A thief that was seen: on another CPU it needs some instructions, on this one the CPU. */
static void wait_for_thief(uint32_t looks)
{
    const struct timespec nap = { .tv_nsec = THIEF_NAP_NS };
    if (looks < THIEF_LOOKS)
        pe__base_cpu_relax();
    else
        nanosleep(&nap, NULL);
}

/* Steals, and waits for others who do. */
static enum pe__steal steal(const struct part *part, struct pe__hand *ret_hand)
{
    int64_t until_ns = 0;
    for (uint32_t looks = 0; !is_stopped(part); looks++) {
        enum pe__steal result = pe__lane_steal(part->lanes, part->map->lanes, part->self, ret_hand);
        if (result != PE__STEAL_LATER)
            return result;
        int64_t now_ns = pe__base_now_ns();
        if (looks == 0)
            until_ns = now_ns + THIEF_NS;
        if (now_ns >= until_ns)
            return PE__STEAL_LATER;
        wait_for_thief(looks);
    }
    return PE__STEAL_NOTHING;
}

/* Takes from the own lane, else steals. */
static enum pe__steal take(const struct part *part, uint64_t units, struct pe__hand *ret_hand)
{
    if (pe__lane_take(part->lane, at_most_life(part, units), ret_hand))
        return PE__STEAL_DONE;
    return steal(part, ret_hand);
}

/* Between two hands: this life takes no further one. */
static bool is_over(const struct part *part)
{
    const struct pe__worker *worker = part->worker;
    return worker->served >= part->served_most || (part->watched && pe__worker_is_spent(worker)) ||
           pe__worker_is_surplus(worker);
}

static enum pe__items_end run_lane(const struct part *part)
{
    bool fixed = part->map->chunk != 0;
    uint64_t units = fixed ? part->map->chunk : 1;
    uint64_t before = fixed ? 0 : pe__base_ticks(), hands = 0;
    struct pe__hand left = pe__lane_recover(part->lanes, part->map->lanes, part->self);
    PE__STEP(RECOVERED);
    bool going = run_hand(part, left, false);
    enum pe__steal taken = PE__STEAL_DONE;
    struct pe__hand hand;
    while (going && !is_stopped(part)) {
        if (is_over(part)) {
            pe__lane_forget(part->lane);
            return PE__ITEMS_NEXT_LIFE;
        }
        taken = take(part, units, &hand);
        if (taken != PE__STEAL_DONE)
            break;
        going = run_hand(part, hand, true);
        hands++;
        if (fixed && (hands & (hands - 1)) != 0)
            continue;
        uint64_t now = pe__base_ticks();
        pe__worker_place_watch(part->worker, now);
        if (fixed)
            continue;
        units = next_units(part, hand.last - hand.first, pe__base_ticks_to_ns(now - before));
        before = now;
    }
    if (pe__worker_is_spent(part->worker))
        return PE__ITEMS_NEXT_LIFE;
    return taken == PE__STEAL_LATER ? PE__ITEMS_LATER : PE__ITEMS_NONE_LEFT;
}

enum pe__items_end pe__worker_serve_items(struct pe__worker *worker, const struct pe__record *record)
{
    const struct pe__shared *shared = worker->shared;
    struct part part = { .worker = worker, .self = record->lane };
    if (record->map >= PE__MAPS_MAX || record->lane >= shared->geometry.workers_most)
        return PE__ITEMS_NONE_LEFT; /* only a scribbler gets here */
    part.map = &shared->maps[record->map];
    part.live = &shared->lives[record->map];
    part.lanes = pe__mapping_lanes(shared, record->map);
    part.lane = &part.lanes[part.self];
    uint64_t life = pe__worker_life_left(worker);
    part.served_most = life < UINT64_MAX - worker->served ? worker->served + life : UINT64_MAX;
    part.watched = worker->memory.resident_most != 0 || worker->memory.capped || worker->output.most != UINT64_MAX;
    part.plain = !part.watched && part.map->timed == 0 && part.map->limits == 0;
    worker->scope.asked = part.map->limits != 0 ? &part.lane->asked : &part.live->stop;
    worker->scope.self = 1;
    worker->scope.running = &part.lane->running;
    worker->scope.text_bytes = 0;
    PE__STEP(TICKET);
    enum pe__items_end end = run_lane(&part);
    worker->scope.running = NULL;
    return end;
}
