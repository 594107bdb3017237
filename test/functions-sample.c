#include "functions-sample.h"

#include <setjmp.h>

#include <parexec/region.h>

#if defined(__clang__)
#define KEPT __attribute__((noinline))
#else
#define KEPT __attribute__((noinline, noclone))
#endif

static _Thread_local volatile int sink;

KEPT static int inner_helper(int number)
{
    sink = number;
    return number + 1;
}

KEPT static int outer_helper(int number)
{
    return inner_helper(number) + inner_helper(number + 1);
}

KEPT int sample_nest(int times)
{
    int sum = 0;

    for (int i = 0; i < times; i++)
        sum += outer_helper(i);
    return sum;
}

KEPT int sample_recurse(int times, void (*at_bottom)(void))
{
    if (times > 0)
        return sample_recurse(times - 1, at_bottom) + 1;
    if (at_bottom)
        at_bottom();
    return 0;
}

static jmp_buf back;

KEPT static void jumps(void)
{
    longjmp(back, 1);
}

KEPT static void calls_one_that_jumps(int number)
{
    sink = number;
    jumps();
}

KEPT int sample_jump(int times)
{
    volatile int done = 0;

    if (setjmp(back) != 0)
        done++;
    if (done < times)
        calls_one_that_jumps(done);
    return inner_helper(done);
}

/* Takes as much of the stack as calls_one_that_jumps. */
KEPT static void jumps_at_once(int number)
{
    sink = number;
    longjmp(back, 1);
}

KEPT int sample_jump_by_turns(int times)
{
    volatile int done = 0;

    if (setjmp(back) != 0)
        done++;
    if (done < times && done % 2 == 0)
        calls_one_that_jumps(done);
    else if (done < times)
        jumps_at_once(done);
    return inner_helper(done);
}

KEPT int sample_jump_from(int depth, int times)
{
    volatile int done = 0;

    if (setjmp(back) != 0)
        inner_helper(done++);
    if (done < times)
        sample_recurse(depth, jumps);
    return done;
}

KEPT static int take_many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j)
{
    sink = a + b + c + d + e + f + g + h + i + j;
    return a;
}

static inline __attribute__((always_inline)) int inlined_inner(int number)
{
    int sum = 0;

    for (int i = 0; i < number; i++)
        sum += inner_helper(i);
    return sum;
}

static inline __attribute__((always_inline)) int inlined_outer(int number)
{
    return outer_helper(number) + inlined_inner(number) + inlined_inner(number + 1) + outer_helper(number);
}

KEPT int sample_inline(int number)
{
    int sum = inlined_outer(take_many(number, 1, 2, 3, 4, 5, 6, 7, 8, 9));

    take_many(sum, 1, 2, 3, 4, 5, 6, 7, 8, number);
    return inlined_inner(number);
}

KEPT void sample_call(void (*then)(void))
{
    then();
    sink = 1;
}

KEPT int sample_item(const void *in, void *out, const void *context)
{
    (void)in, (void)context;
    *(uint64_t *)out = (uint64_t)sample_nest(2);
    return 0;
}

#define ONE(n) \
    KEPT static void many_##n(void) \
    { \
        sink = __COUNTER__; \
    }
#define FOUR(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3)
#define SIXTEEN(n) FOUR(n##0) FOUR(n##1) FOUR(n##2) FOUR(n##3)
#define SIXTY_FOUR(n) SIXTEEN(n##0) SIXTEEN(n##1) SIXTEEN(n##2) SIXTEEN(n##3)
SIXTY_FOUR(0)
SIXTY_FOUR(1)
SIXTY_FOUR(2)
SIXTY_FOUR(3)
#undef ONE
#define ONE(n) many_##n();

KEPT void sample_call_many(void)
{
    SIXTY_FOUR(0)
    SIXTY_FOUR(1)
    SIXTY_FOUR(2)
    SIXTY_FOUR(3)
}

KEPT void sample_region(void)
{
    PE_REGION("by hand") {
        inner_helper(1);
    }
    inner_helper(2);
}
