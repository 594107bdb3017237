/* wait.h - threads of the host that wait. */
#ifndef PE__POOL_WAIT_H
#define PE__POOL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/pool.h>

struct pe__wait {
    bool (*ready)(pe_pool *pool, void *context);
    /* The record whose end (or claim) is worth waking up for, or PE__BELL_ANY; NULL: always that. */
    uint32_t (*target)(pe_pool *pool, void *context);
    void *context;
    int64_t deadline_ns;
    bool for_claim;       /* a claim will do */
    bool uninterruptible; /* leaves an interrupt for the next wait */
};

/* Looks at a record for a microsecond or two, without the mutex; collects it if it has ended. */
void pe__pool_glance(pe_pool *pool, uint32_t record);

/* Before a sleep: looks at a record again and again, without the mutex, for as long as may pay, and collects it if it
 * has come that far. PE__BELL_ANY: the oldest one. *spin_ns is kept for the next time. */
void pe__pool_spin(pe_pool *pool, uint32_t record, int64_t *spin_ns, bool for_claim);

/* Everything is waited for: what is ready then, and as the target the record that was pushed last. */
bool pe__pool_none_live(pe_pool *pool, void *unused);
uint32_t pe__pool_newest_busy(pe_pool *pool, void *unused);

/* Sleeps without the mutex until ready; 0, PE_ETIMEDOUT or PE_EINTR. Called and returns with the mutex held. */
int pe__pool_wait_for(pe_pool *pool, const struct pe__wait *wait);
bool pe__pool_take_interrupt(pe_pool *pool); /* true: there was one; without the mutex too */

/* For somebody who leaves the pool while others outside may sleep (pool->armed, listeners). */
void pe__pool_keep_armed(pe_pool *pool);

/* Asks workers for a ring when this record has come far enough, or any (PE__BELL_ANY). Look again before a sleep. */
void pe__pool_announce(const pe_pool *pool, uint32_t record);

#endif
