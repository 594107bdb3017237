/* copy_events.c - the timeline of a table's threads into a profile; copy.c says what is believed. */
#include "report/copy_table.h"

#include <stdlib.h>

#include <parexec/error.h>

static bool convert_event(const struct pe__copy *copy, uint32_t track, const struct pe__region_event *from,
                          struct pe__profile_event *ret)
{
    *ret = (struct pe__profile_event){
        .kind = from->kind,
        .track = track,
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): read_events has read all from `first` on */
        .label = pe__copy_label_of(copy, from->label),
        .value = (int64_t)from->value,
    };
    if (from->kind < PE__EVENT_CALL || from->kind > PE__EVENT_CUT || ret->label == PE__REGION_NOTHING ||
        from->start < copy->times.begin_ticks || from->start > copy->now)
        return false;
    ret->start_ns = pe__copy_ns(copy, from->start);
    ret->end_ns = ret->start_ns;
    if (from->kind != PE__EVENT_CALL && from->kind != PE__EVENT_CUT)
        return true;
    ret->end_ns = pe__copy_ns(copy, from->end);
    return from->end >= from->start && from->end <= copy->now;
}

/* The track's segments in their order, no more than there are. A chain that leads out of them ends. */
static uint32_t list_segments(const struct pe__copy *copy, uint32_t number, uint32_t *segments)
{
    uint32_t most = copy->table.geometry.segments, count = 0;
    uint32_t first = PE__COPY_ACQUIRE(copy->table.tracks[number].first_segment), next = first;

    while (next != 0 && next <= most && count < most && (count == 0 || next != first)) {
        const struct pe__region_segment *segment = &copy->table.segments[next - 1];

        if (PE__COPY_PLAIN(segment->track) != number)
            break;
        segments[count++] = next - 1;
        next = PE__COPY_ACQUIRE(segment->next);
    }
    return count;
}

static void read_event(const struct pe__region_event *from, struct pe__region_event *event)
{
    event->start = PE__COPY_PLAIN(from->start);
    event->end = PE__COPY_PLAIN(from->end);
    event->value = PE__COPY_PLAIN(from->value);
    event->label = PE__COPY_PLAIN(from->label);
    event->kind = PE__COPY_PLAIN(from->kind);
}

/* Events first <= i < written, into `events`; the first one that was not overwritten meanwhile. */
static uint64_t read_events(const struct pe__copy *copy, const struct pe__region_track *from, const uint32_t *segments,
                            uint32_t count, uint64_t first, uint64_t written, struct pe__region_event *events)
{
    uint64_t room = (uint64_t)count * PE__REGION_SEGMENT_EVENTS, now;

    for (uint64_t i = first; i < written; i++) {
        uint32_t segment = segments[i / PE__REGION_SEGMENT_EVENTS % count];

        read_event(&copy->table.segments[segment].events[i % PE__REGION_SEGMENT_EVENTS], &events[i - first]);
    }
    atomic_thread_fence(memory_order_acquire);
    now = PE__COPY_READ(from->events);
    /* The one after those written may be half there. */
    return count != 0 && now >= room && now - room + 1 > first && !copy->times.over ? now - room + 1 : first;
}

static void copy_track_events(struct pe__copy *copy, uint32_t number, uint32_t *segments)
{
    const struct pe__region_track *from = &copy->table.tracks[number];
    uint64_t written = PE__COPY_ACQUIRE(from->events);
    uint32_t count = list_segments(copy, number, segments);
    uint64_t room = (uint64_t)count * PE__REGION_SEGMENT_EVENTS;
    uint64_t most = room < copy->events_left ? room : copy->events_left;
    uint64_t first = written > most ? written - most : 0, good, dropped;
    struct pe__region_event *events = malloc((size_t)(written - first + 1) * sizeof *events);
    struct pe__profile_event event;

    if (!events) {
        copy->builder->error = PE_ENOMEM;
        return;
    }
    good = read_events(copy, from, segments, count, first, written, events);
    dropped = good;
    copy->events_left -= written - first;
    copy->now = pe__copy_clock();
    for (uint64_t i = good; i < written; i++)
        if (!convert_event(copy, copy->tracks[number], &events[i - first], &event) ||
            !pe__builder_event(copy->builder, &event))
            dropped++;
    pe__add_count(&copy->builder->profile.tracks[copy->tracks[number]].dropped_events, dropped);
    free(events);
}

void pe__copy_events(struct pe__copy *copy)
{
    uint32_t *segments = malloc((copy->table.geometry.segments + (size_t)1) * sizeof *segments);

    copy->events_left = (uint64_t)copy->table.geometry.segments * PE__REGION_SEGMENT_EVENTS;
    if (!segments)
        copy->builder->error = PE_ENOMEM;
    for (uint32_t i = 0; segments && i < PE__REGION_TRACKS; i++)
        if (copy->tracks[i] != PE__REGION_NOTHING)
            copy_track_events(copy, i, segments);
    free(segments);
}
