/*
 * wait.h - how a task waits: the one way in, the one way out.
 *
 * An awaitable is a function that
 *
 *     1. calls pe__wait_check, and returns what that gives unless it is 0: wrong use, or a request to stop;
 *     2. checks its arguments, and returns at once what is there already;
 *     3. calls pe__wait_begin, and returns what that gives unless it is PE_WAIT: a time limit that is over already;
 *     4. starts what it waits for, noting the task (in `object` and `in`), and returns PE_WAIT.
 *
 * Where starting can fail, that comes between 2 and 3 if it can be undone; or it fails in 4 with nothing noted, and
 * pe__wait_undo takes 3 back; else the failure is told by pe__wait_end.
 * Whatever ends the wait calls pe__wait_end exactly once, on the loop's thread, never inside the function that began
 * it (but for the failure above). The task runs in a later pass; nothing of the wait is looked at any more.
 *
 * A request to stop calls the kind's `cancel` once for each wait. It ends the wait by pe__wait_end with PE_ECANCELED at
 * once, or sees to it that the operation comes to its end soon, or does nothing where that cannot be hastened. Memory
 * that the operation uses is the task's, so the wait must not end before the operation has. pe__wait_end makes of
 * PE_ECANCELED what was asked for, PE_ECANCELED or PE_ETIMEDOUT; a wait that ends otherwise leaves the request for the
 * next one.
 */
#ifndef PE__ASYNC_WAIT_H
#define PE__ASYNC_WAIT_H

#include "async/task.h"
#include "base/forked.h"

struct pe__wait_kind {
    const char *name;                       /* for people: "sleep" */
    void (*cancel)(struct pe__task *task);  /* NULL: there is nothing to stop */
    /* The task that this one waits for, where it is one; NULL as a whole: it is none. */
    struct pe__task *(*target)(const struct pe__task *task);
    /* In the loop's last phase, where a cancel might not have an end: ends the wait by pe__wait_end. NULL: `cancel`. */
    void (*abandon)(struct pe__task *task);
    /* For people, where there are several: one after the other of the tasks that it waits for. `place` begins as 0 and
     * is the kind's. NULL: no more. */
    struct pe__task *(*next_target)(const struct pe__task *task, uintptr_t *place);
    bool has_timer; /* in.timer is when it ends, if it is started */
};

extern const struct pe__wait_kind pe__wait_ready __attribute__((visibility("hidden")));
extern const struct pe__wait_kind pe__wait_new __attribute__((visibility("hidden")));
extern const struct pe__wait_kind pe__wait_ended __attribute__((visibility("hidden")));

/* For pe__wait_check, where there are requests. */
int pe__wait_refusal(struct pe__task *task);

/* For pe__wait_begin: a time limit has fired. PE_ETIMEDOUT, or 0: it is held back. */
int pe__wait_limit(struct pe__task *task);

/* Both, for waits that can go on at once only where there is nothing to stop for. */
int pe__wait_refusal_or_limit(struct pe__task *task);

/* For pe__wait_end, where there are requests: what the wait has ended with, by which some may have been answered. */
int pe__wait_settle(struct pe__task *task, int result);

/* The task has something to stop for: its wait is asked to end, unless it has been asked, or is shielded. */
void pe__wait_stop(struct pe__task *task);

/* Whether the wait's cancel is to be called for that, which the caller does then. */
bool pe__wait_ask(struct pe__task *task);

/* Nothing will go on after the wait: it is asked to end, whatever shields it. */
void pe__wait_abort(struct pe__task *task);

/* Every wait of the loop is asked to end, whatever shields it. */
void pe__wait_stop_all(pe_loop *loop);

/* For pe__wait_is_for: goes along those that the waiter waits for. */
bool pe__wait_leads_to(const struct pe__task *waiter, const struct pe__task *task);

/* Does the waiter wait, through others or not at all, for `task`, which waits for none itself? Mostly nobody does, and
 * chains can be long. */
static inline bool pe__wait_is_for(const struct pe__task *waiter, const struct pe__task *task)
{
    return task->watches == NULL ? waiter == task : pe__wait_leads_to(waiter, task);
}

/* That t is the task which runs, and has not begun to wait. 0, PE_EINVAL, PE_EFORKED. */
static inline int pe__wait_check_running(const pe_task *t)
{
    const struct pe__task *task = pe__task_of(t);

    if (t == NULL)
        return PE_EINVAL;
    if (__builtin_expect(pe__base_forked(task->loop->token), 0))
        return PE_EFORKED;
    return __builtin_expect(task->loop->current != task, 0) ? PE_EINVAL : 0;
}

static inline int pe__wait_check(const pe_task *t)
{
    struct pe__task *task = pe__task_of(t);
    int result = pe__wait_check_running(t);

    if (result < 0)
        return result;
    if (__builtin_expect(task->stop != 0, 0))
        return pe__wait_refusal(task);
    return 0;
}

/* For functions that have to be quick: pe__wait_check would give 0. With the way on as a last call where it would not,
 * nothing has to be saved on the stack. */
static inline bool pe__wait_is_plain(const pe_task *t)
{
    const struct pe__task *task = pe__task_of(t);

    return __builtin_expect(t != NULL && !pe__base_forked(task->loop->token) && task->loop->current == task &&
                                task->stop == 0, 1);
}

static inline int pe__wait_begin(pe_task *t, const struct pe__wait_kind *kind, void *object)
{
    struct pe__task *task = pe__task_of(t);

    if (__builtin_expect(task->stop & PE__STOP_LIMIT, 0)) {
        int result = pe__wait_limit(task);

        if (result < 0)
            return result;
    }
    task->loop->current = NULL;
    task->wait = kind;
    task->object = object;
    return PE_WAIT;
}

/* What it has begun to wait for could not be started, and this is why. */
static inline int pe__wait_undo(struct pe__task *task, int result)
{
    task->loop->current = task;
    task->wait = NULL;
    return result;
}

/* For waits that are begun even if they are to be stopped, because what they wait for must be stopped with them: asks
 * at once. Called when `in` has been filled. */
static inline int pe__wait_begin_anyway(pe_task *t, const struct pe__wait_kind *kind, void *object)
{
    struct pe__task *task = pe__task_of(t);

    task->loop->current = NULL;
    task->wait = kind;
    task->object = object;
    if (__builtin_expect(task->stop != 0, 0))
        pe__wait_stop(task);
    return PE_WAIT;
}

/* To the end of the ready queue. While a turn goes on that is all; else pe__wait_ready_up sees to a turn. */
static inline void pe__wait_push(pe_loop *loop, struct pe__task *task)
{
    task->wait = &pe__wait_ready;
    task->in.next = NULL;
    if (loop->ready != NULL)
        loop->ready_last->in.next = task;
    else
        loop->ready = task;
    loop->ready_last = task;
}

/* The task is in no other place. */
static inline void pe__wait_ready_up(struct pe__task *task)
{
    pe_loop *loop = task->loop;

    pe__wait_push(loop, task);
    if (__builtin_expect(!loop->is_idling, 0))
        pe__loop_wake(loop);
}

static inline void pe__wait_end(struct pe__task *task, int result)
{
    if (__builtin_expect(task->stop != 0, 0))
        result = pe__wait_settle(task, result);
    task->head.result = result;
    pe__wait_ready_up(task);
}

#endif
