/*
 * enter.c - entering and leaving: the paths that are taken each time.
 *
 * Enter compares the site's key with the one of the child that was entered last here, and else with that of the one
 * which followed it last time; leave compares it with the innermost region's. Everything else is in other files
 * (leave.c, path.c), and is where a thread, a child of a fork, or a thread without a place gets to by itself: none of
 * their paths has children with the key.
 *
 * The counter is read as the last thing of enter and as the first of leave, so that little of either is in the time.
 */
#define PE__REGION_ON_IS_DEFINED_HERE
#define PE__REGION_SCOPE_END_IS_DEFINED_HERE
#include <parexec/region.h>

#include "region/close.h"
#include "region/label.h"
#include "region/leave.h"
#include "region/path.h"
#include "region/record.h"
#include "region/track.h"

/* Another thread may just write it, where it computes the same; 0: nobody has. */
static inline uint64_t key_of(const pe_region_site *site)
{
    return __atomic_load_n(&site->key, __ATOMIC_RELAXED);
}

/* The child with that key, if it is one of the two that are likely; else NULL. */
static inline struct pe__region_path *likely_child(struct pe__region_path *at, uint64_t key)
{
    struct pe__region_path *child = at->last;

    if (!child || child->key == key)
        return child;
    child = child->follower;
    if (!child || child->key != key)
        return NULL;
    at->last = child;
    return child;
}

/* Any child, made if need be; NULL: there is no place, and the call is skipped. */
static __attribute__((noinline)) struct pe__region_path *other_child(pe_region_site *site)
{
    struct pe__region_thread *thread = pe__region_track_here();
    struct pe__region_path *at = pe__region_here.at, *child = NULL;

    if (!thread)
        return NULL;
    if (at != &thread->skip)
        child = pe__region_path_child(at, site);
    if (!child) {
        pe__region_track_skip(thread, site);
        return NULL;
    }
    if (at->last)
        at->last->follower = child;
    at->last = child;
    return child;
}

struct pe__region_path *pe__region_path_next(pe_region_site *site)
{
    struct pe__region_path *child = likely_child(pe__region_here.at, key_of(site));

    return child ? child : other_child(site);
}

/* Sites of other kinds count as regions here. */
static __attribute__((noinline)) void enter_other(pe_region_site *site)
{
    pe_region_site region;
    struct pe__region_path *child;

    if (!pe__region_label_is_region(site)) {
        region = pe__region_label_as(site, PE_SITE_REGION);
        site = &region;
    }
    child = other_child(site);
    if (child)
        pe__region_open(child);
}

void pe_region_enter_site(pe_region_site *site)
{
    struct pe__region_path *child = likely_child(pe__region_here.at, key_of(site));

    if (!pe_region_on)
        return;
    if (__builtin_expect(child != NULL, 1))
        pe__region_open(child);
    else
        enter_other(site);
}

/* In any mode but the exact one with the counter. */
static __attribute__((noinline)) void leave_in_other_mode(pe_region_site *site, struct pe__region_path *at)
{
    bool is_untimed = pe__region_is_untimed(at);
    uint64_t end = is_untimed ? 0 : pe__region_clock_end_of(at->how);

    if (__builtin_expect(!site || at->key != key_of(site), 0))
        pe__region_leave_other(site, is_untimed ? pe__region_clock_end_of(at->how) : end);
    else if (is_untimed)
        pe__region_close_untimed(at);
    else
        pe__region_close(at, end);
}

void pe_region_leave_site(pe_region_site *site)
{
    struct pe__region_path *at = pe__region_here.at;
    uint64_t end;

    if (__builtin_expect(at->how != 0, 0)) {
        leave_in_other_mode(site, at);
        return;
    }
    end = pe__region_clock_counter_after();
    if (__builtin_expect(site && at->key == key_of(site) && at->node, 1))
        pe__region_close_counted(at, end);
    else
        pe__region_leave_other(site, end);
}

void pe_region_enter(const char *name)
{
    pe_region_site site;

    if (!pe_region_on || !name)
        return;
    site = pe__region_label_named(name);
    pe_region_enter_site(&site);
}

void pe_region_leave(const char *name)
{
    struct pe__region_path *at = pe__region_here.at;
    uint64_t end = pe__region_end_of(at);
    pe_region_site site;

    if (!name) {
        pe__region_leave_other(NULL, end);
        return;
    }
    site = pe__region_label_named(name);
    if (at->key == site.key && at->node)
        pe__region_close_any(at, end);
    else
        pe__region_leave_other(&site, end);
}

static struct pe__region_path *next_line(struct pe__region_path *above, pe_region_site *site)
{
    struct pe__region_path *line = likely_child(above, key_of(site));
    pe_region_site copy;

    if (line)
        return line;
    if (site->kind == PE_SITE_LINE)
        return other_child(site);
    copy = pe__region_label_as(site, PE_SITE_LINE);
    return other_child(&copy);
}

/* One reading of the clock ends the line before and begins this one, but where calls are timed one by one. */
void pe_region_line(pe_region_site *site)
{
    struct pe__region_path *at = pe__region_here.at, *line;
    uint64_t now;

    if (!pe_region_on)
        return;
    now = pe__region_end_of(at);
    if (at->kind == PE_SITE_LINE) {
        pe__region_close_any(at, now);
        at = at->parent;
    }
    line = next_line(at, site);
    if (!line)
        return;
    if (line->how & PE__REGION_OPENS_SLOWLY) {
        pe__region_open(line);
        return;
    }
    pe__region_here.at = line;
    atomic_store_explicit(&line->node->start, now, memory_order_relaxed);
}

void pe_region_scope_end(pe_region_site **scope)
{
    if (*scope)
        pe_region_leave_site(*scope);
}
