/* copy_table.h - one table on its way into a profile: what the parts of copy.c share. */
#ifndef PE__REPORT_COPY_TABLE_H
#define PE__REPORT_COPY_TABLE_H

#include "report/copy.h"

/* One call of pe__copy_source for one table. */
struct pe__copy {
    struct pe__builder *builder;
    struct pe__region_table table;
    struct pe__copy_times times;
    uint64_t now; /* ticks, after what is being converted was read */
    uint32_t process;
    uint32_t label_count, node_count;
    uint32_t *labels; /* the builder's numbers of the table's places, or PE__REGION_NOTHING */
    uint32_t *nodes;
    uint32_t tracks[PE__REGION_TRACKS];
    uint64_t events_left; /* as many as have room in the table, whatever its chains say */
};

/* A word of the table is read by these alone, once. */
#define PE__COPY_READ(word)    atomic_load_explicit(&(word), memory_order_relaxed)
#define PE__COPY_ACQUIRE(word) atomic_load_explicit(&(word), memory_order_acquire)
#define PE__COPY_PLAIN(word)   __atomic_load_n(&(word), __ATOMIC_RELAXED)

static inline uint32_t pe__copy_at_most(uint32_t count, uint32_t most)
{
    return count < most ? count : most;
}

/* Ticks, after all reads before it. */
uint64_t pe__copy_clock(void);

int64_t pe__copy_ns(const struct pe__copy *copy, uint64_t ticks); /* since measuring began */

/* The builder's number of the table's label, or PE__REGION_NOTHING. */
uint32_t pe__copy_label_of(const struct pe__copy *copy, uint32_t label);

/* Once labels and tracks are there; without memory the builder's error is set. `nodes` is NULL then. */
void pe__copy_nodes(struct pe__copy *copy);

/* Once nodes are there; likewise. */
void pe__copy_events(struct pe__copy *copy);

#endif
