#ifndef PE__TEST_DEATH_H
#define PE__TEST_DEATH_H

/*
 * Ways for a worker to die, maps whose items die by plan, and what is known of each life of a worker.
 *
 * What items and jobs did is written to ledgers in shared memory, so it is known also of those that died.
 */

#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

/* What is known of the status that exit got: musl does not tell it to handlers. */
#ifdef __GLIBC__
#define DEATH_EXIT_CODE(status) (status)
#else
#define DEATH_EXIT_CODE(status) 1
#endif

enum death_way {
    WAY_ABORT,
    WAY_NULL,
    WAY_STACK,
    WAY_KILL,
    WAY_DIVIDE,
    WAY_EXIT,
    WAY_QUICK_EXIT,
    WAY_EXIT_3,
    WAY_COUNT
};

/* What a status says of each. */
struct death_ending {
    uint32_t kind;
    int32_t code;
};

extern const struct death_ending death_endings[WAY_COUNT];

void die(enum death_way way);
/* arg: the way, or nothing for WAY_KILL. */
int job_dies(const void *arg, size_t arg_bytes, pe_reply *reply);

/* What one item or job did, in all its attempts; pid and worker are the last one's. */
struct entry {
    _Atomic uint32_t begun, ended;
    _Atomic int32_t pid;
    _Atomic int32_t worker;
};

/* Dies in its first attempts; replies with the number of the attempt, a uint32_t. */
struct counted {
    struct entry *entry;
    uint32_t fatal_attempts;
};

int job_counted(const void *arg, size_t arg_bytes, pe_reply *reply);

/* Item i dies in its first `attempts` attempts when i % every == at. */
struct plan {
    struct entry *ledger;
    uint64_t count, every, at;
    uint32_t attempts;
    enum death_way way;
    int first_waits; /* item 0 ends only after item 1 has begun: somebody must steal it */
};

/* The context is the plan. */
int item_by_plan(const void *in, void *out, const void *context);
/* Runs a map by plan and looks at every item; returns how many died for good. */
uint64_t plan_run(pe_pool *pool, struct plan *plan, uint64_t chunk, uint32_t retries);

#define LIVES_MOST 16

/* Filled in by the initialiser of each life; mapped before the pool is made, to be unmapped after. */
struct lives {
    _Atomic int32_t pid[LIVES_MOST]; /* by worker index */
    _Atomic uint32_t starts;
    _Atomic int64_t start_ns[4096];
    _Atomic uint32_t good_starts; /* later ones fail; 0: none does */
    _Atomic uint32_t crash;       /* they crash instead of saying so */
};

struct lives *lives_map(void);
pe_pool *lives_pool(struct lives *lives, uint32_t workers, uint32_t max_deaths);

#endif
