/*
 * jump.c - which functions have been left without a word, judged by the stack when the next one begins.
 *
 * Stacks grow down, and a function is called with less of the stack than its caller has. So an open function whose
 * frame lies no higher than that of one that begins is over, with these exceptions:
 *
 *   - Inlined functions share stack and caller with the one around them. Of two with the same caller the outer one is
 *     over only if its place in the code is passed again.
 *   - gcc lets arguments of a former call lie on the stack while an inlined function begins, and takes them away before
 *     that one calls another. So the other one's frame may be no lower by a little. It is called from the code that the
 *     place of the inlined one is in.
 *   - Other stacks lie anywhere, those of signal handlers and of coroutines. Frames that differ are compared where both
 *     are on the thread's own stack.
 *
 * On a stack that is not the thread's own a frame is stored as 0, not known, where it is higher than that of the
 * function around: so what begins next comes here too.
 *
 * What cannot be seen: a function that has been left, and took less of the stack than the one that begins, looks like
 * the caller of that one.
 *
 * When in doubt a function counts as open, until its place is passed again on the same stack or the function around it
 * ends. So jumping back in a loop does not lead deeper and deeper.
 */
#include "region/jump.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/symbol.h"
#include "region/close.h"
#include "region/leave.h"
#include "region/path.h"
#include "region/track.h"

/* The kernel maps nothing else so close to the begin of a process's first stack. */
#define FIRST_STACK_BYTES ((uintptr_t)128 << 20)
/* What threads have by default; libc keeps their variables at its begin. */
#define THREAD_STACK_BYTES ((uintptr_t)8 << 20)
#define ARGUMENTS_BYTES 256

struct stack {
    uintptr_t low, bytes;
};

static bool has(const struct stack *stack, uintptr_t address)
{
    return address - stack->low < stack->bytes;
}

/* In the child that a thread has forked it is neither. */
static struct stack find_own_stack(void)
{
    if (syscall(SYS_gettid) == getpid())
        return (struct stack){ (uintptr_t)getauxval(AT_RANDOM) - FIRST_STACK_BYTES, FIRST_STACK_BYTES };
    return (struct stack){ (uintptr_t)&pe__region_here - THREAD_STACK_BYTES, THREAD_STACK_BYTES };
}

/* The present frame, and that of an open function. The kernel tells whether a handler runs on a stack of its own. */
static bool is_on_own_stack(uintptr_t open, uintptr_t frame)
{
    struct stack own = find_own_stack();
    stack_t signals;
    return has(&own, open) && has(&own, frame) &&
           (sigaltstack(NULL, &signals) != 0 || (signals.ss_flags & SS_ONSTACK) == 0);
}

static bool are_in_one_function(uintptr_t place, uintptr_t other)
{
    struct pe__symbol a, b;
    return pe__symbol_of(place - 1, &a) && pe__symbol_of(other - 1, &b) && a.name != NULL &&
           place - a.offset == other - b.offset;
}

/* `open` is a function's. */
static bool is_over(const struct pe__region_path *open, uintptr_t caller, uintptr_t frame, uintptr_t place)
{
    if (open->frame > frame)
        return false;
    if (open->place != place) {
        if (open->caller == caller)
            return false;
        if (frame - open->frame < ARGUMENTS_BYTES && are_in_one_function(open->place, caller))
            return false;
    }
    return open->frame == frame || is_on_own_stack(open->frame, frame);
}

/* The outermost function that is over, among those that are open without one in between that is not; NULL: none. */
static struct pe__region_path *find_over(struct pe__region_path *at, uintptr_t caller, uintptr_t frame, uintptr_t place)
{
    struct pe__region_path *over = NULL;
    for (; at->parent != NULL && at->frame <= frame; at = at->parent)
        if (at->kind == PE__KIND_FUNCTION && is_over(at, caller, frame, place))
            over = at;
    return over;
}

static bool begins_higher(const struct pe__region_path *at, uintptr_t frame)
{
    while (at->parent != NULL && at->kind != PE__KIND_FUNCTION)
        at = at->parent;
    return at->frame < frame;
}

uintptr_t pe__region_close_jumped(uintptr_t caller, uintptr_t frame, uintptr_t place)
{
    struct pe__region_thread *thread = pe__region_here.thread;
    struct pe__region_path *at = pe__region_here.at, *over;
    if (thread == NULL || !thread->live)
        return frame;
    if (at == &thread->skip)
        at = thread->below;
    over = find_over(at, caller, frame, place);
    if (over != NULL) {
        pe__region_track_unskip_all(thread);
        pe__region_leave_until(over);
    } else if (begins_higher(at, frame) && !is_on_own_stack(frame, frame)) {
        return 0;
    }
    return frame;
}
