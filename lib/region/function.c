/*
 * function.c - functions as regions, when the compiler calls at their begin and end.
 *
 * An address leads to a site by one look into a map; from there on a function is a region like others. That of a
 * function that is not wanted is found as quickly, and nothing more is done: no clock is read before that is known.
 *
 * The ends of functions need not match their begins: measuring was switched on in between, or longjmp has left some
 * without a word. So an end of what is not open is no wrong use, nor are functions that end with one further out.
 */
#include <parexec/region.h>

#include "region/close.h"
#include "region/function_names.h"
#include "region/jump.h"
#include "region/leave.h"
#include "region/path.h"
#include "region/track.h"

void pe_region_enter_function(const void *address, const void *caller, const void *frame, const void *place)
{
    struct pe__function *function = pe__function_at((uintptr_t)address);
    struct pe__region_path *child;
    if (!function->wanted || !pe_region_on)
        return;
    if (__builtin_expect(pe__region_here.at->frame <= (uintptr_t)frame, 0))
        frame = (const void *)pe__region_close_jumped((uintptr_t)caller, (uintptr_t)frame, (uintptr_t)place);
    child = pe__region_here.at->last;
    if (__builtin_expect(child == NULL || child->key != function->site.key, 0)) {
        child = pe__region_path_next(&function->site);
        if (child == NULL)
            return;
    }
    child->frame = (uintptr_t)frame;
    child->place = (uintptr_t)place;
    child->caller = (uintptr_t)caller;
    pe__region_open(child);
}

static bool is_anything_open(void)
{
    const struct pe__region_here *here = &pe__region_here;
    return here->at->parent != NULL || (here->thread != NULL && here->at == &here->thread->skip);
}

/* In any mode but the exact one with the counter. */
static __attribute__((noinline)) void leave_in_other_mode(struct pe__region_path *at, uint64_t key)
{
    bool is_untimed = pe__region_is_untimed(at);
    if (__builtin_expect(at->key != key, 0))
        pe__region_leave_if_open(key, pe__region_clock_end_of(at->how));
    else if (is_untimed)
        pe__region_close_untimed(at);
    else
        pe__region_close(at, pe__region_clock_end_of(at->how));
}

int pe_region_leave_function(const void *address)
{
    struct pe__function *function = pe__function_at((uintptr_t)address);
    struct pe__region_path *at = pe__region_here.at;
    if (!function->wanted)
        return 1;
    if (__builtin_expect(at->how != 0, 0)) {
        leave_in_other_mode(at, function->site.key);
        return is_anything_open();
    }
    uint64_t end = pe__region_clock_counter_after();
    if (__builtin_expect(at->key == function->site.key && at->node != NULL, 1))
        pe__region_close_counted(at, end);
    else
        pe__region_leave_if_open(function->site.key, end);
    return is_anything_open();
}
