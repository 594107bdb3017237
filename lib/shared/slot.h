/*
 * slot.h - what each worker number shares with the host and the keeper.
 *
 * The first line is written by the worker that lives in the slot (the keeper clears it between two lives),
 * the second holds its bell, rung by anybody.
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
};

#define PE__SLOT_NO_RECORD UINT32_MAX

struct pe__slot {
    _Atomic uint32_t life;
    _Atomic uint32_t hint;      /* record about to be claimed, or held */
    _Atomic uint64_t ended;     /* jobs and items completed in all lives */
    _Atomic uint32_t has_block; /* set before the first reply block of a job is taken, cleared by its completion */
    _Atomic int32_t init_code;  /* what a failing initialiser returned */
    uint64_t pad0[5];
    _Atomic uint32_t bell;      /* counts rings; a futex */
    uint32_t pad1[15];
};

_Static_assert(sizeof(struct pe__slot) == 128, "a slot is two cache lines");

#endif
