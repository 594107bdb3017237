#ifndef PE__TEST_HARNESS_SOAK_H
#define PE__TEST_HARNESS_SOAK_H

/*
 * What the soak test is made of. Actors are tasks that do one act after the other, chosen at random; acts are parts of
 * them (pe_call) which use some feature of the library. Any wait of an act may be cancelled, or ended by a time limit,
 * at any moment: an act cleans up and returns what its wait ended with. What it finds wrong fails the test.
 */

#include <stdbool.h>

#include <parexec.h>

#include "harness/harness.h"

#define SOAK_FRAME_BYTES 1536
#define SOAK_ERROR (-EIO) /* what children return that are to fail */

/* What actors share. The pool is for all loops, one after the other. */
struct soak {
    pe_loop *loop;
    bool is_over;
    pe_pool *pool;
    struct soak_sync *sync;
    pe_listener *listener; /* of a server that sends back what it gets */
    pe_task *server;
    pe_socket *accepted;
    struct sockaddr_storage address;
    size_t address_bytes;
};

/* How the frame of each act begins; the rest is zeroed before. */
struct soak_head {
    struct soak *soak;
    pe_rng *rng; /* the actor's own */
};

/* Returns 0, PE_ECANCELED or PE_ETIMEDOUT: what it was ended by. */
struct soak_act {
    const char *name;
    pe_task_fn *fn;
    uint32_t share; /* how often, beside the others */
};

/* Each table ends with a name of NULL. */
extern const struct soak_act soak_tasks_acts[];
uint64_t soak_tasks_left(void); /* values that tasks carry */

extern const struct soak_act soak_sync_acts[];
void soak_sync_open(struct soak *soak);
void soak_sync_free(struct soak *soak); /* no task is left */

extern const struct soak_act soak_world_acts[];
void soak_world_open(struct soak *soak);
void soak_world_close(struct soak *soak); /* no actor is left */
void soak_world_free(struct soak *soak); /* no task is left */

extern const struct soak_act soak_bridge_acts[];
pe_pool *soak_bridge_open(void);
void soak_bridge_close(pe_pool *pool);

static inline uint64_t soak_random(const struct soak_head *head, uint64_t below)
{
    return pe_rng_below(head->rng, below);
}

/* Up to so many microseconds. */
static inline int64_t soak_time(const struct soak_head *head, uint64_t microseconds)
{
    return PE_US((int64_t)soak_random(head, microseconds + 1));
}

/* A wait was ended from outside. */
static inline bool soak_is_stopped(int result)
{
    return result == PE_ECANCELED || result == PE_ETIMEDOUT;
}

/* Fails the test unless the wait gave this, or was stopped. */
#define SOAK_MUST(t, wanted) \
    ck_assert_msg((t)->result == (wanted) || soak_is_stopped((t)->result), "%s:%d: %s", __FILE__, __LINE__, \
                  pe_strerror((t)->result))

#endif
