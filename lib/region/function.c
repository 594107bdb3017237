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
#include "region/leave.h"
#include "region/path.h"
#include "region/track.h"

void pe_region_enter_function(const void *address)
{
    struct pe__function *function = pe__function_at((uintptr_t)address);
    struct pe__region_path *child = pe__region_here.at->last;
    if (!function->wanted)
        return;
    if (__builtin_expect(child != NULL && child->key == function->site.key && pe_region_on, 1))
        pe__region_open(child);
    else
        pe_region_enter_site(&function->site);
}

static bool is_anything_open(void)
{
    const struct pe__region_here *here = &pe__region_here;
    return here->at->parent != NULL || (here->thread != NULL && here->at == &here->thread->skip);
}

int pe_region_leave_function(const void *address)
{
    struct pe__function *function = pe__function_at((uintptr_t)address);
    struct pe__region_path *at = pe__region_here.at;
    if (!function->wanted)
        return 1;
    uint64_t end = pe__region_end_of(at);
    if (__builtin_expect(at->key == function->site.key && at->node != NULL, 1))
        pe__region_close(at, end);
    else
        pe__region_leave_if_open(function->site.key, end);
    return is_anything_open();
}
