/*
 * track.c - a track for each thread.
 *
 * A thread takes a track at its first region and gives it back when it ends, by the destructor of a pthread key; if
 * that finds regions open, they are unfinished, and wrong use. Regions in destructors that run later take it again.
 *
 * Fresh tracks come first, so that each thread has its own as long as there are any; then those of threads that have
 * ended, whose regions and names stay and are added to. In a worker's table, tracks that an earlier process of this
 * number has left are taken first by threads of the same name, so that workers that are replaced often do not use them
 * up.
 *
 * Calls that find no place (too deep, or tables full) are skipped, with all that is called in them: the thread is at a
 * place of its own then, which has no children, and their keys are kept to tell their ends from those of regions
 * further out.
 */
#include "region/track.h"

#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/step.h"
#include "region/close.h"
#include "region/event.h"
#include "region/label.h"
#include "region/state.h"

static bool is_free(const struct pe__region_state *state, uint32_t number)
{
    return atomic_load_explicit(&state->table.tracks[number].state, memory_order_relaxed) == PE__TRACK_FREE &&
           !pe__region_memory->threads[number].live;
}

static bool has_name(const struct pe__region_track *track, const char *name)
{
    return strncmp(track->name, name, PE__REGION_THREAD_BYTES) == 0;
}

/* PE__REGION_NOTHING: none. */
static uint32_t find_number(struct pe__region_state *state, const char *name)
{
    struct pe__region_thread *before = pe__region_here.thread;

    if (before && before->root && is_free(state, before->number))
        return before->number;
    for (uint32_t i = 0; i < state->inherited_tracks; i++)
        if (is_free(state, i) && has_name(&state->table.tracks[i], name))
            return i;
    if (state->tracks < PE__REGION_TRACKS)
        return state->tracks++;
    for (uint32_t i = 0; i < PE__REGION_TRACKS; i++)
        if (is_free(state, i))
            return i;
    return PE__REGION_NOTHING;
}

static void fill_track(struct pe__region_state *state, uint32_t number, const char *name)
{
    struct pe__region_track *track = &state->table.tracks[number];

    PE__STEP(TRACK_TAKEN);
    atomic_store_explicit(&track->tid, (int32_t)syscall(SYS_gettid), memory_order_relaxed);
    memset(track->name, 0, sizeof track->name);
    memcpy(track->name, name, strnlen(name, sizeof track->name - 1));
    atomic_fetch_add_explicit(&track->lives, 1, memory_order_relaxed);
    atomic_store_explicit(&state->table.head->tracks, state->tracks, memory_order_relaxed);
    PE__STEP(TRACK_COUNTED);
    atomic_store_explicit(&track->state, PE__TRACK_LIVE, memory_order_release);
    PE__STEP(TRACK_READY);
}

struct pe__region_thread *pe__region_track_take(struct pe__region_state *state, const char *name)
{
    uint32_t number = find_number(state, name);
    struct pe__region_thread *thread;

    if (number == PE__REGION_NOTHING) {
        atomic_fetch_add_explicit(&state->table.head->dropped_threads, 1, memory_order_relaxed);
        return NULL;
    }
    thread = &pe__region_memory->threads[number];
    thread->number = number;
    thread->track = &state->table.tracks[number];
    fill_track(state, number, name);
    if (!thread->root)
        thread->root = pe__region_path_root(state, number);
    if (!thread->root) {
        atomic_store_explicit(&thread->track->state, PE__TRACK_FREE, memory_order_relaxed);
        atomic_fetch_add_explicit(&state->table.head->dropped_threads, 1, memory_order_relaxed);
        return NULL;
    }
    thread->live = true;
    thread->skipped = 0;
    pthread_setspecific(pe__region_memory->key, thread);
    pe__region_here.thread = thread;
    pe__region_here.at = thread->root;
    return thread;
}

static __attribute__((noinline)) struct pe__region_thread *begin_here(void)
{
    char name[PE__REGION_THREAD_BYTES] = "";
    struct pe__region_memory *memory = pe__region_memory;
    struct pe__region_state *state;
    struct pe__region_thread *thread;

    if (!memory || (pe__region_here.lost != 0 && pe__region_here.lost == memory->state->use))
        return NULL;
    state = pe__region_state_lock();
    if (!state)
        return NULL;
    prctl(PR_GET_NAME, name);
    thread = pe__region_track_take(state, name);
    pe__region_here.lost = thread ? 0 : state->use;
    return pe__region_state_unlock(state) ? thread : NULL;
}

struct pe__region_thread *pe__region_track_here(void)
{
    struct pe__region_thread *thread = pe__region_here.thread;

    return thread && thread->live ? thread : begin_here();
}

static void cut(struct pe__region_thread *thread, struct pe__region_path *path, uint64_t now)
{
    uint64_t start = atomic_exchange_explicit(&path->node->start, 0, memory_order_relaxed);

    atomic_fetch_add_explicit(&path->node->unfinished, 1, memory_order_relaxed);
    if (pe__region_path_needs_an_end(path))
        pe__region_track_note(&thread->track->unfinished, &thread->track->first_unfinished, path->label);
    if (path->how & PE__MODE_TIMELINE && start != PE__REGION_UNTIMED)
        pe__region_event_add(thread, PE__EVENT_CUT, path->label, start, now, 0);
}

void pe__region_track_end(void)
{
    struct pe__region_thread *thread = pe__region_here.thread;
    struct pe__region_path *at;

    if (!thread || !thread->live)
        return;
    at = thread->skipped ? thread->below : pe__region_here.at;
    for (; at->parent; at = at->parent)
        cut(thread, at, pe__region_clock_begin_of(at->how));
    pe__region_here.at = &pe__region_nowhere;
    atomic_store_explicit(&thread->track->state, PE__TRACK_FREE, memory_order_release);
    thread->live = false;
}

void pe__region_track_skip(struct pe__region_thread *thread, pe_region_site *site)
{
    uint32_t is_function = site->kind == PE__KIND_FUNCTION;

    atomic_fetch_add_explicit(&thread->track->dropped_calls, 1, memory_order_relaxed);
    if (site->kind == PE_SITE_LINE)
        return;
    if (thread->skipped < PE__REGION_SKIPPED_MOST)
        thread->skipped_keys[thread->skipped] = ((uint32_t)pe__region_label_key(site) & ~1u) | is_function;
    if (thread->skipped++ == 0) {
        thread->below = pe__region_here.at;
        pe__region_here.at = &thread->skip;
    }
}

static void unskip_to(struct pe__region_thread *thread, uint32_t count)
{
    thread->skipped = count;
    if (count == 0)
        pe__region_here.at = thread->below;
}

void pe__region_track_unskip_all(struct pe__region_thread *thread)
{
    if (thread->skipped > 0)
        unskip_to(thread, 0);
}

static bool is_open_below(const struct pe__region_thread *thread, uint64_t key)
{
    const struct pe__region_path *at = thread->below;

    while (at && at->key != key)
        at = at->parent;
    return at != NULL;
}

/* Those from that one on end with one around them. */
static void note_crossed(struct pe__region_thread *thread, uint32_t first)
{
    for (uint32_t i = first; i < thread->skipped; i++)
        if ((thread->skipped_keys[i] & 1) == 0)
            pe__region_track_note(&thread->track->crossed, NULL, PE__REGION_NOTHING);
}

bool pe__region_track_unskip(struct pe__region_thread *thread, uint64_t key)
{
    uint32_t i = thread->skipped - 1;

    if (key != 0 && i < PE__REGION_SKIPPED_MOST) {
        while (i < thread->skipped && ((thread->skipped_keys[i] ^ (uint32_t)key) & ~1u) != 0)
            i--;
        if (i >= thread->skipped) {
            if (is_open_below(thread, key))
                unskip_to(thread, 0);
            return false;
        }
        note_crossed(thread, i + 1);
    }
    unskip_to(thread, i);
    return true;
}

void pe__region_track_inherit(struct pe__region_state *state)
{
    uint32_t count = atomic_load_explicit(&state->table.head->tracks, memory_order_relaxed);
    uint32_t segments = atomic_load_explicit(&state->table.head->segments, memory_order_relaxed);

    if (segments > state->table.geometry.segments)
        segments = state->table.geometry.segments;
    atomic_store_explicit(&state->segments, segments, memory_order_relaxed);
    state->tracks = count < PE__REGION_TRACKS ? count : PE__REGION_TRACKS;
    state->inherited_tracks = state->tracks;
    for (uint32_t i = 0; i < state->tracks; i++) {
        struct pe__region_thread *thread = &pe__region_memory->threads[i];

        thread->number = i;
        thread->track = &state->table.tracks[i];
        atomic_store_explicit(&thread->track->state, PE__TRACK_FREE, memory_order_relaxed);
        pe__region_event_inherit(state, thread);
    }
}
