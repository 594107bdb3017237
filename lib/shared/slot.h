/*
 * slot.h - what each worker number shares with the host and the keeper.
 *
 * The first line is written by the worker that lives in the slot (the keeper clears it between two lives), but for
 * `order`, which the host stores and the worker clears, and `due`, which the keeper swaps too (limit.h). The second
 * holds its bell, rung by anybody, what the keeper counts, `place`, which is the worker's, and `output_from`, which the
 * worker stores at the end of each item that wrote something and the keeper clears between two lives (output.h).
 *
 * Times, in ticks, are for statistics alone: a worker adds to them what it has measured anyway, in a line that it is
 * writing to anyway, and whoever wants to know does the rest. Of the number's whole time (`past`, and now - `born`
 * while there is a life) what is not `run` was spent waiting. A worker that dies takes along what it had not added
 * yet; the keeper adds that when it has reaped it, from the record that was held. All of it is read without any order
 * and may be a record behind.
 */
#ifndef PE__SHARED_SLOT_H
#define PE__SHARED_SLOT_H

#include <stdatomic.h>
#include <stdint.h>

enum pe__slot_life {
    PE__SLOT_EMPTY = 0,
    PE__SLOT_STARTING = 1,  /* hygiene and initialiser are running */
    PE__SLOT_SERVING = 2,
    PE__SLOT_RETIRING = 3,  /* leaves by its own will: jobs_per_worker, rss_limit_bytes, or the pool's end */
    PE__SLOT_SPARED = 4,    /* the same, and needs no successor: idle_ns, pe_pool_resize */
};

#define PE__SLOT_NO_RECORD UINT32_MAX

struct pe__slot {
    _Atomic uint32_t life;
    _Atomic uint32_t hint;      /* record about to be claimed, or held */
    _Atomic uint64_t ended;     /* jobs and items completed in all lives */
    _Atomic uint32_t has_block; /* set before the first reply block of a job is taken, cleared by its completion */
    _Atomic int32_t init_code;  /* what a failing initialiser returned */
    _Atomic uint64_t run;       /* ticks: spent in records, in all lives */
    _Atomic uint64_t free;      /* ticks: since when this life could take a record, or has had the present one */
    _Atomic uint64_t born;      /* ticks: when this life had its initialiser behind it; 0: it has not */
    _Atomic int32_t pid;        /* 0: no process */
    _Atomic uint32_t order;     /* host: a record for this worker alone (pe__slot_order), 0: none; worker: 0 */
    _Atomic int64_t due;        /* when what it runs is over its limit, 0: that has none; see limit.h */
    _Atomic uint32_t bell;      /* counts rings; a futex */
    _Atomic uint32_t lives;     /* keeper: processes that were forked for this number */
    _Atomic uint64_t past;      /* keeper: ticks, of all lives that are over */
    _Atomic uint64_t output_from; /* worker: bytes of the number's output that are not of the item in hand (output.h) */
    _Atomic uint64_t place; /* worker: on which CPU it was, and when (worker/place.c) */
    uint64_t pad1[4];
};

_Static_assert(sizeof(struct pe__slot) == 128, "a slot is two cache lines");

/* Names the record and, by the last bits of its sequence, the use; never 0. A worker that is kept from clearing it for
 * so long that they are the same again clears a later one by mistake: the host repeats those (pool/doubt.c). */
static inline uint32_t pe__slot_order(uint64_t sequence, uint32_t record)
{
    return (uint32_t)(sequence & 0xff) << 24 | (record + 1);
}

/* Worker: from now on it serves. */
static inline void pe__slot_begin(struct pe__slot *slot, uint64_t now)
{
    atomic_store_explicit(&slot->free, now, memory_order_relaxed);
    atomic_store_explicit(&slot->born, now, memory_order_relaxed);
}

/* Worker: a record has taken it from start to end. */
static inline void pe__slot_ran(struct pe__slot *slot, uint64_t start, uint64_t end)
{
    uint64_t run = atomic_load_explicit(&slot->run, memory_order_relaxed) + (end - start);
    atomic_store_explicit(&slot->run, run, memory_order_relaxed);
    atomic_store_explicit(&slot->free, end, memory_order_relaxed);
}

/* Since when a record that says it began at `start` has been run by the worker. */
static inline uint64_t pe__slot_begun(const struct pe__slot *slot, uint64_t start)
{
    uint64_t free = atomic_load_explicit(&slot->free, memory_order_relaxed);
    return start > free ? start : free;
}

/* Keeper: the worker has ended, with a record in hand that began at `start` (0: with none). */
static inline void pe__slot_end(struct pe__slot *slot, uint64_t start, uint64_t now)
{
    uint64_t born = atomic_exchange_explicit(&slot->born, 0, memory_order_relaxed);
    uint64_t begun = pe__slot_begun(slot, start);
    if (born != 0)
        atomic_fetch_add_explicit(&slot->past, now - born, memory_order_relaxed);
    if (born != 0 && start != 0 && now > begun)
        atomic_fetch_add_explicit(&slot->run, now - begun, memory_order_relaxed);
    atomic_store_explicit(&slot->pid, 0, memory_order_relaxed);
}

#endif
