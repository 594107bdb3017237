/*
 * turn.c - turns of tasks: those that are ready are called one after the other; how a task ends.
 *
 * A step is one call of a task's function, and has to be quick: it is what a wait costs. While it goes on the task is
 * the loop's `current`; what begins a wait takes it away from there. What a function left open, calls, time limits and
 * regions, ends with the task.
 */
#include "async/failure.h"
#include "async/limit.h"
#include "async/local.h"
#include "async/region.h"
#include "async/slow.h"
#include "async/watch.h"
#include "base/clock.h"

#define STEPS_BETWEEN_LOOKS 16 /* at the clock, which costs more than a step */
#define STEPS_BETWEEN_LOOKS_MOST 256 /* more where they turn out to be short */

/* ---- ends ---- */

static void tell_watches(struct pe__task *task)
{
    struct pe__base_list *link;

    while ((link = task->watches) != NULL) {
        struct pe__task_watch *watch = PE__BASE_LIST_ENTRY(link, struct pe__task_watch, link);

        if (link->next == link)
            task->watches = NULL;
        else
            pe__watch_stop(task, watch);
        watch->ended(watch, task);
    }
}

static inline void end(struct pe__task *task, int value)
{
    pe_loop *loop = task->loop;

    loop->current = NULL;
    pe__base_list_remove(&task->all);
    task->wait = &pe__wait_ended;
    task->head.result = value;
    if (value < 0)
        pe__failure_note(task);
    if (task->limit != NULL)
        pe__limit_leave_open(task);
    if (task->more != NULL) {
        pe__task_regions_leave_all(task);
        pe__local_drop(task);
    }
    if (task->watches != NULL)
        tell_watches(task);
    pe__task_unref(task);
    if (--loop->live == 0)
        pe__loop_keep_alive(loop, false);
}

/* No function of the task is called any more. */
static int end_calls(struct pe__task *task, int value)
{
    while (task->call != NULL)
        pe__call_return(task, value);
    return value;
}

/* What is called of a task that has been given up. */
static int uncalled(pe_task *t, void *frame)
{
    (void)frame;
    return end_calls(pe__task_of(t), PE_ECANCELED);
}

void pe__task_give_up(struct pe__task *task)
{
    if (task->fn == uncalled)
        return;
    task->object = (void *)(uintptr_t)task->fn;
    task->fn = uncalled;
}

/* What is called of a task that has been broken off. */
static int broken_off(pe_task *t, void *frame)
{
    (void)frame;
    return end_calls(pe__task_of(t), PE_EINVAL);
}

void pe__task_break_off(struct pe__task *task)
{
    if (task->fn == uncalled)
        return;
    task->frame = (void *)(uintptr_t)task->fn; /* `object` is its wait's */
    task->fn = broken_off;
    pe__wait_abort(task);
}

static void *own_frame(const struct pe__task *task)
{
    return (size_t)task->block_steps * PE__SLAB_STEP > sizeof *task ? pe__task_of(&task->head) + 1 : NULL;
}

void pe__task_origin(const struct pe__task *task, pe_task_fn **ret_fn, void **ret_frame)
{
    pe__call_outermost(task, ret_fn, ret_frame);
    if (*ret_fn == uncalled) {
        *ret_fn = (pe_task_fn *)(uintptr_t)task->object;
    } else if (*ret_fn == broken_off) {
        *ret_fn = (pe_task_fn *)(uintptr_t)*ret_frame;
        *ret_frame = own_frame(task);
    }
}

/* ---- steps ---- */

/* It did not wait, or called something that did not: back to the caller, or to the end. Or it waits, and is in regions
 * which wait with it. */
static __attribute__((noinline)) void finish_step(struct pe__task *task, int value)
{
    while (value != PE_WAIT || task->wait == NULL) {
        if (__builtin_expect(task->wait != NULL, 0)) {
            pe__task_break_off(task);
            break;
        }
        if (value == PE_WAIT)
            value = PE_EINVAL;
        if (task->call == NULL) {
            end(task, value);
            return;
        }
        pe__call_return(task, value);
        value = task->fn(&task->head, task->frame);
    }
    if (pe__task_has_regions(task))
        pe__task_regions_wait(task);
}

static inline void step(pe_loop *loop, struct pe__task *task)
{
    loop->current = task;
    task->wait = NULL;
    if (pe__task_has_regions(task))
        pe__task_regions_resume(task);
    int value = task->fn(&task->head, task->frame);
    if (__builtin_expect(value != PE_WAIT || task->wait == NULL || pe__task_has_regions(task), 0))
        finish_step(task, value);
}

void pe__task_step(pe_loop *loop, struct pe__task *task)
{
    step(loop, task);
}

/* ---- turns ---- */

struct turn {
    uint64_t begin; /* ticks; 0: the clock has not been looked at */
    int64_t last_ns; /* from there to the last look */
    uint32_t steps_left; /* to the next look */
    uint32_t steps_between;
    uint64_t steps; /* till the last look */
};

static __attribute__((noinline)) bool is_over(struct turn *turn)
{
    int64_t now_ns = 0;

    turn->steps += turn->steps_between;
    if (turn->begin == 0)
        turn->begin = pe__base_ticks();
    else
        now_ns = pe__base_ticks_to_ns(pe__base_ticks() - turn->begin);
    if (now_ns - turn->last_ns < PE__TURN_NS / 16 && turn->steps_between < STEPS_BETWEEN_LOOKS_MOST)
        turn->steps_between *= 2;
    turn->last_ns = now_ns;
    turn->steps_left = turn->steps_between;
    return now_ns >= PE__TURN_NS;
}

/* What a pass has not come to is the first in the queue again. */
static void put_back(pe_loop *loop, struct pe__task *first, struct pe__task *last)
{
    if (first == NULL)
        return;
    last->in.next = loop->ready;
    if (loop->ready == NULL)
        loop->ready_last = last;
    loop->ready = first;
}

/* The queue as it is, taken out at once, so that the way from a task to the next does not lead through the loop. What
 * becomes ready meanwhile is for the next pass. False: the time is over. */
static inline bool pass(pe_loop *loop, struct turn *turn)
{
    struct pe__task *task = loop->ready, *last = loop->ready_last, *next;
    uint32_t steps_left = turn->steps_left;

    loop->ready = NULL;
    do {
        next = task->in.next;
        step(loop, task);
        if (__builtin_expect(--steps_left == 0, 0)) {
            if (is_over(turn)) {
                put_back(loop, next, last);
                return false;
            }
            steps_left = turn->steps_left;
        }
        task = next;
    } while (task != NULL);
    turn->steps_left = steps_left;
    return true;
}

void pe__task_run_ready(pe_loop *loop)
{
    struct turn turn = { .steps_left = STEPS_BETWEEN_LOOKS, .steps_between = STEPS_BETWEEN_LOOKS };

    if (__builtin_expect(loop->slow_ns > 0, 0)) {
        pe__slow_run_ready(loop);
        return;
    }
    while (loop->ready != NULL && pass(loop, &turn))
        continue;
    loop->current = NULL;
    loop->figures.steps += turn.steps + turn.steps_between - turn.steps_left;
}
