#ifndef PE__TEST_HARNESS_SOAK_POOL_H
#define PE__TEST_HARNESS_SOAK_POOL_H

/*
 * What the soak test of pools is made of. Players are threads of the host that do one act after the other on the same
 * pool, chosen at random, while its workers are killed at random and their number changes. Orders are what its jobs and
 * items are to do; how each must end follows from the order, but for those that were killed. What is wrong fails the
 * test.
 */

#include <stdbool.h>
#include <stdint.h>

#include <parexec.h>

#include "harness/harness.h"

#define SOAK_GUARD_NS PE_SECONDS(120)
#define SOAK_KINDS (PE_OUT_OF_MEMORY + 1)

enum soak_what { SOAK_ANSWER, SOAK_FAIL, SOAK_CRASH, SOAK_EXIT, SOAK_HANG };

struct soak_order {
    uint32_t what;
    uint32_t turns; /* of a loop, before that */
    uint64_t seed;  /* of the answer */
};

struct soak_player {
    pe_pool *pool;
    pe_rng rng;
    uint64_t endings[SOAK_KINDS]; /* of jobs and items, by kind */
    uint64_t callbacks_due;
    _Atomic uint64_t callbacks; /* any thread may run them */
};

struct soak_pool_act {
    const char *name;
    void (*play)(struct soak_player *player);
    uint32_t share; /* how often, beside the others */
};

/* Each table ends with a name of NULL. */
extern const struct soak_pool_act soak_pool_jobs[];
extern const struct soak_pool_act soak_pool_maps[];

static inline uint64_t soak_below(struct soak_player *player, uint64_t below)
{
    return pe_rng_below(&player->rng, below);
}

/* Mostly an answer; a hang only if it is allowed, because there is something to end it. */
struct soak_order soak_some_order(struct soak_player *player, bool may_hang);

/* In a worker: obeys, and returns what the job or item is to return; 0: the answer is wanted. */
int soak_obey(const struct soak_order *order);
uint64_t soak_answer(uint64_t seed);

/* Counts an ending, and fails the test if the order cannot have it. `stopped`: it was cancelled, or had a limit.
 * True: there is an answer. */
bool soak_check(struct soak_player *player, const struct soak_order *order, const pe_status *status, uint32_t retries,
                bool stopped);

#endif
