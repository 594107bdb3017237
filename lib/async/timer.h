/*
 * timer.h - the timers of a loop: which one is due first.
 *
 * Programs wait for few different durations, so deadlines mostly come in rising order for each of them. Those go into
 * lanes, lists that are in order by themselves: adding, taking and removing cost the same however many there are. What
 * fits no lane goes into a heap. Equal deadlines are due in the order in which they were added.
 *
 * A timer lies in its owner's memory.
 */
#ifndef PE__ASYNC_TIMER_H
#define PE__ASYNC_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define PE__TIMER_LANES 8

struct pe__timer {
    int64_t deadline_ns;
    struct pe__base_list link;             /* while it is in a lane */
    uint32_t sequence;                     /* tells equal deadlines apart */
    uint32_t place;                        /* 0: none; 1 and on: the lane; above: the heap's entry */
    void (*due)(struct pe__timer *timer);  /* called once it has been taken out; runs no code of the program's */
};

struct pe__timer_entry {
    int64_t deadline_ns;
    struct pe__timer *timer;
};

struct pe__timers {
    struct pe__base_list lanes[PE__TIMER_LANES];
    struct pe__timer_entry *heap;
    uint32_t heap_count;
    uint32_t heap_capacity;
    uint32_t sequence;
};

void pe__timers_init(struct pe__timers *timers);
void pe__timers_fini(struct pe__timers *timers);

/* `timer` is not started. 0, or PE_ENOMEM. */
int pe__timer_start(struct pe__timers *timers, struct pe__timer *timer, int64_t deadline_ns,
                    void (*due)(struct pe__timer *timer));

/* After it the next start, with that deadline, does not fail. 0, or PE_ENOMEM. */
int pe__timer_reserve(struct pe__timers *timers, int64_t deadline_ns);

/* One that is not started stays so. */
void pe__timer_stop(struct pe__timers *timers, struct pe__timer *timer);

static inline bool pe__timer_is_started(const struct pe__timer *timer)
{
    return timer->place != 0;
}

/* PE_FOREVER when there is none. */
int64_t pe__timers_next(const struct pe__timers *timers);

/* Takes out all that are due by then, in their order, and calls them. */
void pe__timers_run(struct pe__timers *timers, int64_t now_ns);

#endif
