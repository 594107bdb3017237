/*
 * span.c - spans: all that is known of one is in the caller's memory until it ends.
 *
 * `check` tells a span that was begun in this process from any other memory, as far as that is possible; it is 0 once
 * the span has ended. A span that began while measuring was off says so, and its further steps are no wrong use.
 */
#include <parexec/region.h>

#include <string.h>

#include "region/close.h"
#include "region/label.h"
#include "region/record.h"
#include "region/state.h"
#include "region/track.h"

enum state { ACTIVE = 1, WAITING = 2, OFF = 3 };

struct span {
    uint64_t check;
    pe_region_site *site;
    uint64_t begin;  /* ticks */
    uint64_t since;  /* of the wait that goes on */
    uint64_t waited;
    uint32_t state;
    uint32_t mode;
};

_Static_assert(sizeof(struct span) <= sizeof(pe_region_span), "a span's contents fit");

static uint64_t check_of(const pe_region_span *place)
{
    const struct pe__region_memory *memory = pe__region_memory;

    return UINT64_C(0x7370616e00000000) ^ (uint64_t)(uintptr_t)place ^ (memory ? memory->state->use : 0) << 48;
}

static struct span load(const pe_region_span *place)
{
    struct span span;

    memcpy(&span, place, sizeof span);
    return span;
}

static void store(pe_region_span *place, const struct span *span)
{
    memcpy(place, span, sizeof *span);
}

static void note_wrong_use(void)
{
    struct pe__region_thread *thread = pe_region_on ? pe__region_track_here() : NULL;

    if (thread)
        pe__region_track_note(&thread->track->unmatched, NULL, PE__REGION_NOTHING);
}

/* Whether the span is in that state and measured; else it is wrong use, or not measured. */
static bool is_in(const pe_region_span *place, const struct span *span, uint32_t state)
{
    bool is_ours = span->check == check_of(place);

    if (is_ours && span->state == state)
        return true;
    if (!is_ours || span->state != OFF)
        note_wrong_use();
    return false;
}

void pe_region_span_begin(pe_region_span *place, pe_region_site *site)
{
    struct span span = { .site = site, .state = OFF, .mode = pe_region_on };

    if (span.mode && pe__region_track_here()) {
        span.state = ACTIVE;
        span.begin = pe__region_clock_begin_of(span.mode);
    }
    span.check = check_of(place);
    store(place, &span);
}

void pe_region_span_wait(pe_region_span *place)
{
    struct span span = load(place);

    if (!is_in(place, &span, ACTIVE))
        return;
    span.since = pe__region_clock_end_of(span.mode);
    span.state = WAITING;
    store(place, &span);
}

void pe_region_span_resume(pe_region_span *place)
{
    struct span span = load(place);

    if (!is_in(place, &span, WAITING))
        return;
    span.waited += pe__region_ticks_between(span.since, pe__region_clock_begin_of(span.mode));
    span.state = ACTIVE;
    store(place, &span);
}

static void add(const struct span *span, uint64_t end)
{
    struct pe__region_thread *thread = pe__region_track_here();
    pe_region_site site = pe__region_label_as(span->site, PE__KIND_SPAN);
    struct pe__region_path *path = thread ? pe__region_path_child(thread->root, &site) : NULL;

    if (!path) {
        if (thread)
            pe__region_add_to(&thread->track->dropped_calls, 1);
        return;
    }
    pe__region_note_call(path->node, pe__region_ticks_between(span->begin, end));
    pe__region_add_to(&path->node->waited, span->waited);
    if (path->how & PE__MODE_TIMELINE)
        pe__region_event_add(thread, PE__EVENT_CALL, path->label, span->begin, end, span->waited);
}

void pe_region_span_end(pe_region_span *place)
{
    struct span span = load(place);
    uint64_t end = pe__region_clock_end_of(span.mode);

    if (span.check == check_of(place) && span.state == WAITING) {
        span.waited += pe__region_ticks_between(span.since, end);
        span.state = ACTIVE;
    }
    if (is_in(place, &span, ACTIVE))
        add(&span, end);
    if (span.check == check_of(place)) {
        span = (struct span){ 0 };
        store(place, &span);
    }
}
