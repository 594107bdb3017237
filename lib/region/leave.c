/*
 * leave.c - the slower ways out of a region.
 *
 * A region with a line mark open is left through here: the line ends with it. So is one that is further out than the
 * innermost: what is inside it was left without a word, by longjmp or by mistake, and ends with it, counted as crossed.
 *
 * A forked child starts empty, and still gets to the ends of what its parent was in. So it may leave that many regions
 * without having entered them. In a child made by a bare clone it is not known how many those are.
 */
#include "region/leave.h"

#include "region/close.h"
#include "region/label.h"
#include "region/state.h"
#include "region/track.h"

static bool leave_inherited(void)
{
    if (pe__region_here.inherited == 0)
        return false;
    pe__region_here.inherited--;
    return true;
}

static void note_unmatched(struct pe__region_thread *thread, pe_region_site *site)
{
    struct pe__region_track *track = thread->track;
    struct pe__region_state *state = NULL;
    uint32_t label = PE__REGION_NOTHING;

    if (!pe_region_on)
        return;
    if (site && !atomic_load_explicit(&track->first_unmatched, memory_order_relaxed))
        state = pe__region_state_lock();
    if (state) {
        label = pe__region_label_take(state, site, pe__region_label_key(site));
        pe__region_state_unlock(state);
    }
    pe__region_track_note(&track->unmatched, &track->first_unmatched, label);
}

/* The innermost region, or the innermost with that key; a root when there is none. */
static struct pe__region_path *find_open(struct pe__region_path *at, uint64_t key)
{
    while (at->parent && (key ? at->key != key : at->kind == PE_SITE_LINE))
        at = at->parent;
    return at;
}

static void close_until(struct pe__region_thread *thread, struct pe__region_path *target, uint64_t end)
{
    struct pe__region_path *at = pe__region_here.at;

    for (; at != target; at = at->parent) {
        if (pe__region_path_needs_an_end(at))
            pe__region_track_note(&thread->track->crossed, &thread->track->first_crossed, at->label);
        pe__region_close_any(at, end);
    }
    pe__region_close_any(at, end);
}

void pe__region_leave_other(pe_region_site *site, uint64_t end)
{
    struct pe__region_thread *thread = pe__region_here.thread;
    struct pe__region_path *target;
    pe_region_site region;
    uint64_t key = 0;

    if (!thread || !thread->live) {
        if (leave_inherited())
            return;
        thread = pe_region_on ? pe__region_track_here() : NULL;
    }
    if (!thread)
        return;
    if (site && !pe__region_label_is_region(site)) {
        region = pe__region_label_as(site, PE_SITE_REGION);
        site = &region;
    }
    if (site)
        key = pe__region_label_key(site);
    if (pe__region_here.at == &thread->skip && pe__region_track_unskip(thread, key))
        return;
    if (pe__region_here.at == &thread->skip)
        target = thread->root;
    else
        target = find_open(pe__region_here.at, key);
    if (target->parent)
        close_until(thread, target, end);
    else if (!leave_inherited())
        note_unmatched(thread, site);
}

void pe__region_leave_if_open(uint64_t key, uint64_t end)
{
    struct pe__region_thread *thread = pe__region_here.thread;
    struct pe__region_path *target;

    if (!thread || !thread->live)
        return;
    if (pe__region_here.at == &thread->skip &&
        (pe__region_track_unskip(thread, key) || pe__region_here.at == &thread->skip))
        return;
    target = find_open(pe__region_here.at, key);
    if (target->parent)
        close_until(thread, target, end);
}

void pe__region_leave_until(struct pe__region_path *target)
{
    close_until(pe__region_here.thread, target, pe__region_clock_end_of(target->how));
}
