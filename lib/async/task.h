/*
 * task.h - what the library knows of a task.
 *
 * `wait` is the state: NULL while the task runs, &pe__wait_ready while it is in the ready queue (&pe__wait_new for the
 * first time), else what it waits for; after its end &pe__wait_ended. A task that waits is referred to by exactly one
 * thing that will end its wait: a list of waiters, a timer, a request of libuv's.
 */
#ifndef PE__ASYNC_TASK_H
#define PE__ASYNC_TASK_H

#include <stdint.h>

#include <parexec/task.h>

#include "async/fd.h"
#include "async/loop.h"
#include "async/timer.h"
#include "base/list.h"

struct pe__task;
struct pe__limit;
struct pe__wait_kind;

/* Requests to stop that have not been answered. */
#define PE__STOP_CANCEL 1u /* by pe_task_cancel */
#define PE__STOP_LIMIT 2u  /* a time limit has fired */
#define PE__STOP_ASKED 4u  /* the wait's cancel has been called for them */
#define PE__STOP_FINAL 8u  /* the loop's last phase: every wait ends at once */
#define PE__STOP_TOLD 16u  /* the last wait has ended for a request; while the task is ready, more count as the same */

/* Called when the task that is watched has ended: takes the watch out of its list before the call. */
struct pe__task_watch {
    struct pe__base_list link;
    void (*ended)(struct pe__task_watch *watch, struct pe__task *task);
};

/* One that waits for an object of the program's, see waiters.h. */
struct pe__waiter {
    struct pe__base_list link;
    void *place; /* the kind's, as the next */
    int result;
};

/* A wait for the end of a process. */
struct pe__process_wait {
    struct pe__base_list link;
    int *ret_exit_code; /* NULL: not wanted, as the next */
    int *ret_signal;
};

/* What few tasks have; from the loop's slab, zeroed. */
struct pe__task_more {
    char *name;                /* malloc'ed; NULL: that of the function */
    struct pe__locals *locals; /* NULL: none */
    struct pe__task_region *regions;
};

struct pe__task {
    pe_task head;
    pe_task_fn *fn;
    void *frame;
    pe_loop *loop;
    const struct pe__wait_kind *wait;
    void *object;              /* what it waits for, the kind's */
    union {
        struct pe__task *next; /* in the ready queue */
        struct pe__base_list link;
        struct pe__waiter waiter;
        struct pe__task_watch watch;
        struct pe__timer timer;
        struct pe__fd_watch fd;
        struct {
            struct pe__base_list link;
            struct pe_socket **ret_socket;
        } accept;
        struct pe__process_wait process;
        pe_cancel_fn *cancel;
        void *words[5];        /* of kinds in other rooms */
    } in;                      /* how it waits, the kind's */
    struct pe__base_list all;  /* in the loop's tasks, or failed */
    struct pe__base_list *watches; /* the first of a ring without a head; NULL: none */
    struct pe__task_more *more;
    struct pe_call_link *call; /* innermost call of pe_call that goes on; NULL: none */
    struct pe__limit *limit;   /* innermost time limit */
    uint16_t block_steps;      /* size of the block of task and frame, in PE__SLAB_STEP; UINT16_MAX: or above */
    uint16_t refs;             /* handles, and one for the loop while it lives */
    uint8_t cancels;           /* requests by pe_task_cancel so far; UINT8_MAX stays */
    uint8_t stop;              /* PE__STOP_* */
    uint8_t shield;            /* depth of pe_shield_enter */
    uint8_t unused;
};

_Static_assert(sizeof(struct pe__task) == 144, "a task takes 144 bytes beside its frame");

/* A wait's `cancel` where its target is to be cancelled: chains of these, however long, take no stack. */
void pe__task_cancel_target(struct pe__task *task);

/* Calls tasks that are ready, in their order, till there are none or the time of a turn is over. */
void pe__task_run_ready(pe_loop *loop);

/* Calls one, which is in no queue. The loop's `current` is not reset, and the task may be gone afterwards. */
void pe__task_step(pe_loop *loop, struct pe__task *task);

#define PE__TURN_NS 50000 /* after which the loop looks at timers and descriptors */

/* It is in the ready queue, or will be next: its function is not called any more, and it ends with PE_ECANCELED. */
void pe__task_give_up(struct pe__task *task);

/* Its function has returned in the middle of a wait: that is stopped, and then the task ends with PE_EINVAL. */
void pe__task_break_off(struct pe__task *task);

/* Zeroed when it is new; NULL: no memory. */
struct pe__task_more *pe__task_more(struct pe__task *task);

/* The innermost call of pe_call has returned this. */
void pe__call_return(struct pe__task *task, int value);

/* The outermost of its calls. */
void pe__call_outermost(const struct pe__task *task, pe_task_fn **ret_fn, void **ret_frame);

/* What the task was started with, also after the two above; a frame that is not its own is NULL after the second. */
void pe__task_origin(const struct pe__task *task, pe_task_fn **ret_fn, void **ret_frame);

void pe__task_last_unref(struct pe__task *task);

static inline void pe__task_unref(struct pe__task *task)
{
    if (--task->refs == 0)
        pe__task_last_unref(task);
}

static inline struct pe__task *pe__task_of(const pe_task *t)
{
    return (struct pe__task *)(uintptr_t)t;
}

#endif
