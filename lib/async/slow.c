/*
 * slow.c - what holds the loop up. Where nobody asks there is one test for each turn and post; where somebody does,
 * turns are made here, a step at a time. Names are noted before a step, since the task may be gone after it.
 */
#include "async/slow.h"

#include <string.h>

#include "async/name.h"
#include "async/task.h"
#include "base/clock.h"
#include "base/log.h"

int pe_loop_on_slow(pe_loop *loop, int64_t threshold_ns, pe_slow_fn *fn, void *context)
{
    int result = pe__loop_check(loop);

    if (result == 0 && threshold_ns < 0)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    loop->slow_ns = threshold_ns;
    loop->on_slow = fn;
    loop->slow_context = context;
    return 0;
}

static void report(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns)
{
    static const char *const texts[] = { "", "task ", "post ", "a turn of tasks" };

    if (loop->on_slow != NULL)
        loop->on_slow(loop, what, name, duration_ns, loop->slow_context);
    else
        pe__base_log(PE_LOG_WARNING, "%s%s held its loop up for %lld ms", texts[what], name,
                     (long long)(duration_ns / 1000000));
}

/* False: it was quick, or nobody asks any more. */
static bool report_if_slow(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns)
{
    if (loop->slow_ns == 0 || duration_ns < loop->slow_ns)
        return false;
    report(loop, what, name, duration_ns);
    return true;
}

void pe__slow_call_post(pe_loop *loop, pe_post_fn *fn, void *context)
{
    int64_t begin_ns = pe__base_now_ns();

    fn(context);
    report_if_slow(loop, PE_SLOW_POST, pe__name_of_function((uintptr_t)fn, "post"), pe__base_now_ns() - begin_ns);
}

struct noted_name {
    char given[PE__NAME_BYTES];
    pe_task_fn *fn; /* where no name was given */
};

static void note_name(struct noted_name *noted, const struct pe__task *task)
{
    void *frame;

    noted->fn = NULL;
    if (task->more != NULL && task->more->name != NULL)
        strcpy(noted->given, task->more->name);
    else
        pe__task_origin(task, &noted->fn, &frame);
}

static const char *text_of(const struct noted_name *noted)
{
    return noted->fn == NULL ? noted->given : pe__name_of_function((uintptr_t)noted->fn, "task");
}

/* Nanoseconds; what it was is reported. */
static int64_t timed_step(pe_loop *loop, struct pe__task *task, int64_t begin_ns, bool *ret_is_reported)
{
    struct noted_name name;

    note_name(&name, task);
    pe__task_step(loop, task);
    loop->current = NULL;
    loop->figures.steps++;
    int64_t duration_ns = pe__base_now_ns() - begin_ns;
    if (loop->slow_ns > 0 && duration_ns >= loop->slow_ns)
        *ret_is_reported = report_if_slow(loop, PE_SLOW_STEP, text_of(&name), duration_ns);
    return duration_ns;
}

void pe__slow_run_ready(pe_loop *loop)
{
    int64_t turn_ns = 0;
    bool is_reported = false;

    while (loop->ready != NULL && turn_ns < PE__TURN_NS) {
        struct pe__task *task = loop->ready;

        loop->ready = task->in.next;
        turn_ns += timed_step(loop, task, pe__base_now_ns(), &is_reported);
    }
    if (!is_reported)
        report_if_slow(loop, PE_SLOW_TURN, "", turn_ns);
}
