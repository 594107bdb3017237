/*
 * account.c - statistics of a worker. It may write to its slot at any time: a time is cut to what there has been of
 * it, what is spent in records to the number's lives.
 */
#include "shared/account.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* 0 where it would be negative. */
static uint64_t since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

void pe__account_read(const struct pe__slot *slot, bool holds, uint64_t start, uint64_t age, uint64_t now,
                      struct pe__account *ret)
{
    uint64_t born = atomic_load_explicit(&slot->born, memory_order_relaxed);
    uint64_t past = least(atomic_load_explicit(&slot->past, memory_order_relaxed), age);
    uint64_t life = born != 0 ? least(since(born, now), age - past) : 0;
    uint64_t begun = pe__slot_begun(slot, holds ? start : 0);
    ret->runs = holds && life > 0;
    ret->state = least(since(begun, now), life);
    ret->run = least(atomic_load_explicit(&slot->run, memory_order_relaxed), past + life);
    if (ret->runs)
        ret->run = least(ret->run + ret->state, past + life);
    ret->idle = past + life - ret->run;
}
