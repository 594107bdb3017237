/*
 * event.h - the timeline of a thread: its last events, in segments that form a ring.
 */
#ifndef PE__REGION_EVENT_H
#define PE__REGION_EVENT_H

#include <stdint.h>

#include "region/path.h"
#include "region/table.h"
#include "region/track.h"

/* Moves on to the next segment; false: there is none at all. */
bool pe__region_event_room(struct pe__region_thread *thread);

/* Goes on behind what a dead process has left in this track; nothing of that is believed. */
void pe__region_event_inherit(struct pe__region_state *state, struct pe__region_thread *thread);

/* The place is taken before it is filled, so that a signal handler takes another one. */
static inline void pe__region_event_add(struct pe__region_thread *thread, enum pe__region_event_kind kind,
                                        uint32_t label, uint64_t start, uint64_t end, uint64_t value)
{
    struct pe__region_event *event;

    if (thread->event == thread->event_end && !pe__region_event_room(thread))
        return;
    event = thread->event++;
    event->start = start;
    event->end = end;
    event->value = value;
    event->label = label;
    event->kind = kind;
    atomic_store_explicit(&thread->track->events,
                          thread->events_end - (uint64_t)(thread->event_end - thread->event), memory_order_release);
}

#endif
