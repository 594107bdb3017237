/*
 * event.c - segments of a timeline.
 *
 * A track takes segments one by one as long as there are any in the process; then its last one leads back to its first,
 * and the oldest events are written over. So event number n lies in segment n / PE__REGION_SEGMENT_EVENTS, modulo their
 * number, of the chain, and of an event the reader needs no more than the count of all that were written. The event
 * that is written next lies over the one that has just become too old: readers leave that one out.
 *
 * `next` and `track` of a segment are filled before it is linked; only the track's thread links. In a worker's table
 * all of this may be garbage: each step is checked, and what is none ends the chain.
 *
 * Threads take segments from a private count. That of the head is raised beyond a segment before it is linked, and a
 * dead process's successor takes its own from there on: never one that is in a chain. One that was taken and not
 * linked is lost, or taken again if the head does not tell of it yet; a chain without an event is gone on with at its
 * beginning.
 */
#include "region/event.h"

#include "base/step.h"
#include "region/state.h"

static struct pe__region_segment *segment_at(const struct pe__region_state *state, uint32_t link, uint32_t track)
{
    struct pe__region_segment *segment;

    if (link - 1 >= state->table.geometry.segments)
        return NULL;
    segment = &state->table.segments[link - 1];
    return *(volatile uint32_t *)&segment->track == track ? segment : NULL;
}

static uint32_t link_of(const struct pe__region_state *state, const struct pe__region_segment *segment)
{
    return (uint32_t)(segment - state->table.segments) + 1;
}

/* Threads come here in any order. */
static void raise_to(_Atomic uint32_t *count, uint32_t least)
{
    uint32_t seen = atomic_load_explicit(count, memory_order_relaxed);

    while (seen < least)
        if (atomic_compare_exchange_weak_explicit(count, &seen, least, memory_order_relaxed, memory_order_relaxed))
            return;
}

static struct pe__region_segment *take_fresh(struct pe__region_state *state, uint32_t track)
{
    uint32_t number = atomic_load_explicit(&state->segments, memory_order_relaxed);
    struct pe__region_segment *segment;

    do {
        if (number >= state->table.geometry.segments)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&state->segments, &number, number + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    PE__STEP(SEGMENT_TAKEN);
    raise_to(&state->table.head->segments, number + 1);
    segment = &state->table.segments[number];
    segment->track = track;
    atomic_store_explicit(&segment->next, 0, memory_order_relaxed);
    PE__STEP(SEGMENT_FILLED);
    return segment;
}

static void go_to(struct pe__region_thread *thread, struct pe__region_segment *segment)
{
    thread->segment = segment;
    thread->event = segment->events;
    thread->event_end = segment->events + PE__REGION_SEGMENT_EVENTS;
}

/* The one after this, the first, or NULL. */
static struct pe__region_segment *next_segment(struct pe__region_state *state, struct pe__region_thread *thread)
{
    _Atomic uint32_t *link = thread->segment ? &thread->segment->next : &thread->track->first_segment;
    uint32_t there = atomic_load_explicit(link, memory_order_relaxed);
    struct pe__region_segment *segment = there ? segment_at(state, there, thread->number) : NULL;

    if (segment)
        return segment;
    segment = take_fresh(state, thread->number);
    if (!segment)
        segment = segment_at(state, atomic_load_explicit(&thread->track->first_segment, memory_order_relaxed),
                             thread->number);
    if (segment)
        atomic_store_explicit(link, link_of(state, segment), memory_order_release);
    PE__STEP(SEGMENT_LINKED);
    return segment;
}

bool pe__region_event_room(struct pe__region_thread *thread)
{
    struct pe__region_state *state = pe__region_memory->state;
    struct pe__region_segment *segment;

    if (thread->is_changing_segment)
        return false;
    thread->is_changing_segment = true;
    atomic_signal_fence(memory_order_seq_cst);
    segment = next_segment(state, thread);
    if (segment) {
        go_to(thread, segment);
        thread->events_end += PE__REGION_SEGMENT_EVENTS;
    } else {
        atomic_fetch_add_explicit(&thread->track->events, 1, memory_order_relaxed);
    }
    atomic_signal_fence(memory_order_seq_cst);
    thread->is_changing_segment = false;
    return segment != NULL;
}

/* The chain's length; 0: there is none that holds together. */
static uint32_t count_segments(const struct pe__region_state *state, const struct pe__region_thread *thread)
{
    uint32_t first = atomic_load_explicit(&thread->track->first_segment, memory_order_acquire), link = first, count = 0;

    while (link != 0 && (link != first || count == 0)) {
        const struct pe__region_segment *segment = segment_at(state, link, thread->number);

        if (!segment || count == state->table.geometry.segments)
            return 0;
        count++;
        link = atomic_load_explicit(&segment->next, memory_order_acquire);
    }
    return count;
}

void pe__region_event_inherit(struct pe__region_state *state, struct pe__region_thread *thread)
{
    uint64_t events = atomic_load_explicit(&thread->track->events, memory_order_relaxed);
    uint32_t count = count_segments(state, thread);
    uint32_t link = atomic_load_explicit(&thread->track->first_segment, memory_order_relaxed);

    if (count == 0) {
        atomic_store_explicit(&thread->track->first_segment, 0, memory_order_relaxed);
        atomic_store_explicit(&thread->track->events, 0, memory_order_relaxed);
    }
    if (count == 0 || events == 0)
        return;
    for (uint64_t i = (events - 1) / PE__REGION_SEGMENT_EVENTS % count; i > 0 && link != 0; i--) {
        const struct pe__region_segment *segment = segment_at(state, link, thread->number);
        link = segment ? atomic_load_explicit(&segment->next, memory_order_relaxed) : 0;
    }
    if (!segment_at(state, link, thread->number))
        return;
    go_to(thread, segment_at(state, link, thread->number));
    thread->event += (events - 1) % PE__REGION_SEGMENT_EVENTS + 1;
    thread->events_end = events + (uint64_t)(thread->event_end - thread->event);
}
