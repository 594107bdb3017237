#ifndef PE__TEST_LOAD_H
#define PE__TEST_LOAD_H

/*
 * Jobs and maps in flight at the same time, for tests in which something goes wrong meanwhile. Whatever that
 * is, each of them ends exactly once, what returned is right, what did not leaves its output untouched.
 */

#include <stdint.h>

#include <parexec/pool.h>

#define LOAD_JOBS 40
#define LOAD_MAPS 2
#define LOAD_ITEMS 96

/* What ran, counted by the workers. */
struct load_book {
    _Atomic uint32_t begun[LOAD_JOBS], ended[LOAD_JOBS];
    _Atomic uint32_t item_begun[LOAD_MAPS][LOAD_ITEMS], item_ended[LOAD_MAPS][LOAD_ITEMS];
    _Atomic uint32_t all_ended; /* jobs and items; a futex */
};

struct load {
    struct load_book *book; /* shared */
    int with_deaths;        /* some kill themselves in their first attempt, and have a second one */
    int starved;            /* a call may fail for want of memory or descriptors */
    pe_pool *pool;
    pe_job *jobs[LOAD_JOBS]; /* NULL: not accepted */
    pe_job *maps[LOAD_MAPS];
    int registered[LOAD_JOBS + LOAD_MAPS]; /* for `done` */
    uint32_t done[LOAD_JOBS + LOAD_MAPS];
    uint64_t in[LOAD_ITEMS], out[LOAD_MAPS][LOAD_ITEMS];
    pe_status statuses[LOAD_MAPS][LOAD_ITEMS];
    pe_map_summary summaries[LOAD_MAPS];
};

/* How many jobs and items ended in which way. */
struct load_ends {
    uint32_t by_kind[PE_OUT_OF_MEMORY + 1];
    uint32_t refused;
};

/* To be made before the pool, whose workers see the book. */
struct load *load_new(void);
void load_free(struct load *load);

void load_begin(struct load *load, pe_pool *pool);
/* Waits, compares, frees the handles. */
struct load_ends load_end(struct load *load);
/* Both, in a pool where nothing but the deaths of the load itself may go wrong. */
void load_run(struct load *load, pe_pool *pool);

#endif
