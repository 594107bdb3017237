/* lane.c - taking and stealing of a map's units; lane.h holds the invariants and the argument. */
#include "shared/lane.h"

#include "base/step.h"
#include "shared/reset.h"

static uint64_t hand_word(uint64_t first, uint64_t last)
{
    return first << 32 | last;
}

static struct pe__hand hand_of(uint64_t word)
{
    return (struct pe__hand){ .first = word >> 32, .last = word & UINT32_MAX };
}

static bool swap(_Atomic uint64_t *word, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(word, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

void pe__lane_reset(struct pe__lane *lane, uint64_t first_unit, uint64_t last_unit)
{
    PE__RESET(&lane->range, pe__range_word(first_unit, last_unit, 0));
    PE__RESET(&lane->hand, 0);
    PE__RESET(&lane->running, 0);
    PE__RESET(&lane->intent_victim, 0);
    PE__RESET(&lane->done, 0);
    PE__RESET(&lane->asked, 0);
}

bool pe__lane_take(struct pe__lane *lane, uint64_t units, struct pe__hand *ret_hand)
{
    for (;;) {
        uint64_t word = atomic_load_explicit(&lane->range, memory_order_acquire);
        uint64_t left = pe__range_units(word);
        if (left == 0)
            return false;
        uint64_t first = pe__range_first(word), next = first + (units < left ? units : left);
        atomic_store_explicit(&lane->hand, hand_word(first, next), memory_order_release);
        PE__STEP(HAND);
        uint64_t taken = pe__range_word(next, pe__range_last(word), pe__range_thief(word));
        if (swap(&lane->range, word, taken)) {
            PE__STEP(TAKEN);
            *ret_hand = (struct pe__hand){ .first = first, .last = next };
            return true;
        }
    }
}

/* Steps 3 to 6 of a steal, each without effect when it was done before. */
static void finish_steal(struct pe__lane *lanes, uint32_t self, uint32_t victim)
{
    struct pe__lane *own = &lanes[self];
    uint64_t stolen = atomic_load_explicit(&own->intent_range, memory_order_relaxed);
    uint64_t empty = atomic_load_explicit(&own->intent_own, memory_order_relaxed);
    uint64_t middle = pe__range_first(stolen);
    /* A thief whose name stands in the empty word may be dead: its next life looks for the name there. */
    for (;;) {
        uint64_t word = atomic_load_explicit(&own->range, memory_order_acquire);
        uint64_t half = pe__range_word(middle + 1, pe__range_last(stolen), pe__range_thief(word));
        if ((word ^ empty) >> 16 != 0 || swap(&own->range, word, half))
            break;
    }
    PE__STEP(PUBLISHED);
    atomic_store_explicit(&own->hand, hand_word(middle, middle + 1), memory_order_release);
    PE__STEP(STEAL_HAND);
    for (;;) {
        uint64_t word = atomic_load_explicit(&lanes[victim].range, memory_order_acquire);
        if (pe__range_thief(word) != self + 1 || swap(&lanes[victim].range, word, word & ~UINT64_C(0xffff)))
            break;
    }
    PE__STEP(UNNAMED);
    atomic_store_explicit(&own->intent_victim, 0, memory_order_release);
    PE__STEP(STOLEN);
}

static bool try_steal(struct pe__lane *lanes, uint32_t self, uint32_t victim, uint64_t word)
{
    struct pe__lane *own = &lanes[self];
    uint64_t first = pe__range_first(word), last = pe__range_last(word);
    uint64_t middle = last - (last - first + 1) / 2;
    uint64_t empty = atomic_load_explicit(&own->range, memory_order_relaxed);
    atomic_store_explicit(&own->intent_own, empty, memory_order_relaxed);
    PE__STEP(INTENT_OWN);
    atomic_store_explicit(&own->intent_range, pe__range_word(middle, last, 0), memory_order_relaxed);
    PE__STEP(INTENT_RANGE);
    atomic_store_explicit(&own->intent_victim, victim + 1, memory_order_release);
    PE__STEP(INTENT);
    if (!swap(&lanes[victim].range, word, pe__range_word(first, middle, self + 1))) {
        atomic_store_explicit(&own->intent_victim, 0, memory_order_release);
        return false;
    }
    PE__STEP(SHRUNK);
    finish_steal(lanes, self, victim);
    return true;
}

/* What was seen in one look at all lanes. */
struct look {
    uint32_t fullest; /* the lane with most units that nobody is robbing; `count`: none */
    uint64_t word;    /* its */
    uint64_t sum;     /* of all words: as good as different where one is */
    bool named;       /* a lane is being robbed */
};

/* By a thief who knows of it: a name that a scribbler has left never goes. */
static bool is_being_robbed(struct pe__lane *lanes, uint32_t count, uint32_t lane, uint64_t word)
{
    uint32_t thief = pe__range_thief(word);
    return thief != 0 && thief <= count &&
           atomic_load_explicit(&lanes[thief - 1].intent_victim, memory_order_acquire) == lane + 1;
}

static struct look look_at(struct pe__lane *lanes, uint32_t count, uint32_t self)
{
    struct look look = { .fullest = count };
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&lanes[i].range, memory_order_acquire);
        uint64_t units = pe__range_units(word);
        look.sum = (look.sum + word) * UINT64_C(0x9e3779b97f4a7c15);
        look.named |= is_being_robbed(lanes, count, i, word);
        if (i != self && units > most && pe__range_thief(word) == 0) {
            most = units;
            look.fullest = i;
            look.word = word;
        }
    }
    return look;
}

enum pe__steal pe__lane_steal(struct pe__lane *lanes, uint32_t count, uint32_t self, struct pe__hand *ret_hand)
{
    uint64_t sum_before = 0;
    for (bool looked = false;; looked = true) {
        struct look look = look_at(lanes, count, self);
        if (look.fullest < count && try_steal(lanes, self, look.fullest, look.word)) {
            *ret_hand = hand_of(atomic_load_explicit(&lanes[self].hand, memory_order_relaxed));
            return PE__STEAL_DONE;
        }
        if (look.fullest == count && look.named)
            return PE__STEAL_LATER;
        if (look.fullest == count && looked && look.sum == sum_before)
            return PE__STEAL_NOTHING;
        sum_before = look.sum;
    }
}

struct pe__hand pe__lane_recover(struct pe__lane *lanes, uint32_t count, uint32_t self)
{
    struct pe__lane *own = &lanes[self];
    uint32_t victim = atomic_load_explicit(&own->intent_victim, memory_order_acquire);
    if (victim != 0 && victim <= count) {
        uint64_t word = atomic_load_explicit(&lanes[victim - 1].range, memory_order_acquire);
        if (pe__range_thief(word) == self + 1)
            finish_steal(lanes, self, victim - 1);
    }
    atomic_store_explicit(&own->intent_victim, 0, memory_order_release);
    struct pe__hand hand = hand_of(atomic_load_explicit(&own->hand, memory_order_relaxed));
    uint64_t first = pe__range_first(atomic_load_explicit(&own->range, memory_order_relaxed));
    if (hand.last != first)
        return (struct pe__hand){ 0, 0 };
    return hand;
}

void pe__lane_forget(struct pe__lane *lane)
{
    atomic_store_explicit(&lane->hand, 0, memory_order_release);
    PE__STEP(FORGOTTEN);
}
