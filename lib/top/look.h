/* look.h - what the workers of a pool are doing at one moment, and what has come of it since another one. */
#ifndef PE__TOP_LOOK_H
#define PE__TOP_LOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <parexec/pool.h>

#include "shared/account.h"
#include "top/attach.h"

struct pe__top_worker {
    uint64_t ticks;             /* when it was looked at */
    struct pe__account account; /* ticks */
    uint32_t life;              /* enum pe__slot_life */
    int32_t pid;
    uint32_t lives;             /* 0: the number was never in use */
    uint64_t ended;
    uint64_t item;              /* UINT64_MAX: none */
};

struct pe__top_look {
    uint64_t ticks; /* when all had been looked at */
    uint64_t waiting[PE__QUEUE_LEVELS]; /* positions that no worker has looked at */
    uint32_t count;
    struct pe__top_worker workers[PE_WORKERS_MAX];
};

/* False: the pool is gone. */
bool pe__top_look(const struct pe__top_pool *pool, struct pe__top_look *ret);

/* A table of `now`, with rates since `before`. */
void pe__top_show(FILE *out, const struct pe__top_pool *pool, const struct pe__top_look *before,
                  const struct pe__top_look *now);

#endif
