/*
 * bridge.h - one pool on one loop: from its first wait until the loop is closed or the pool is freed.
 *
 * The loop's side is a source (async/source.h): it is asked at the end of each pass while somebody waits. The pool's
 * side is a listener (pool/listen.h). Before the loop sleeps it watches a copy of the pool's descriptor; a copy, so
 * that the pool may be freed, by any thread, while the loop still watches. What another thread finds it tells by the
 * loop's own wake-up, with the pool's mutex held: to take the listener out of the pool takes that mutex too, and comes
 * before the loop's handles are closed, so nobody wakes a loop that is gone. The flag is set before the wake-up is sent
 * and taken back before the look, so none is missed.
 */
#ifndef PE__BRIDGE_BRIDGE_H
#define PE__BRIDGE_BRIDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "async/source.h"
#include "async/task.h"
#include "async/wait.h"
#include "pool/listen.h"

/* What there may be no room for in a pool: jobs of each priority, and maps. */
#define PE__ROOM_MAP (PE_PRIORITY_LOW + 1)
#define PE__ROOMS (PE__ROOM_MAP + 1)

struct pe__bridge {
    struct pe__source source;
    struct pe__object object;
    struct pe__listener listener;
    pe_loop *loop;
    uint64_t waits;        /* tasks that wait for something of the pool */
    _Atomic bool is_woken; /* by another thread, maybe */
    bool is_watching;      /* the poll handle is started */
    int fd;                /* copy of the pool's */
    uv_poll_t poll;
    struct pe__base_list rooms[PE__ROOMS]; /* struct pe__room, those that came first in front */
};

/* How a task waits for a job; in the task's `in`. Its object is the job. */
struct pe__job_wait {
    struct pe__job_watch watch;
    union {
        pe_status *ret_status;           /* NULL: nobody wants it */
        struct pe__isolated *isolated;   /* the job's purpose is a call of pe_offload */
    };
    struct pe__bridge *bridge;
};

_Static_assert(sizeof(struct pe__job_wait) <= sizeof(((struct pe__task *)0)->in), "a wait lies in its task");

static inline struct pe__job_wait *pe__job_wait_of(struct pe__task *task)
{
    return (struct pe__job_wait *)(void *)&task->in;
}

static inline struct pe__task *pe__job_waiter(struct pe__base_list *link)
{
    struct pe__job_wait *wait = PE__BASE_LIST_ENTRY(link, struct pe__job_wait, watch.link);
    return (struct pe__task *)(void *)((char *)wait - offsetof(struct pe__task, in));
}

/* As pe__wait_check, for what is not begun for a task that is to stop. */
static inline int pe__bridge_check_start(const pe_task *t)
{
    int result = pe__wait_check(t);

    return result == 0 && (pe__task_of(t)->stop & PE__STOP_LIMIT) ? pe__wait_limit(pe__task_of(t)) : result;
}

/* The one of this loop and pool; NULL: there is none. */
struct pe__bridge *pe__bridge_find(pe_loop *loop, const pe_pool *pool);

/* The one of this loop and pool; made when there is none. 0; PE_ENOMEM, PE_EMFILE and others. */
int pe__bridge_of(pe_loop *loop, pe_pool *pool, struct pe__bridge **ret_bridge);

struct pe__isolated;

/* A wait for a job that belongs to the wait. */
struct pe__job_purpose {
    struct pe__wait_kind kind;
    int (*finish)(struct pe__job_wait *wait, pe_job *job); /* gives the job back; the result of the wait */
    /* There was no room for the job, or no pool; NULL: nothing is to be given back. Returns the result of the wait. */
    int (*refused)(struct pe__task *task, struct pe__isolated *isolated, int result);
};

extern const struct pe__job_purpose pe__map_purpose __attribute__((visibility("hidden")));

/* For their kinds. */
void pe__await_cancel_job(struct pe__task *task);

/* A job has ended that the task waits for. */
void pe__await_job_ended(struct pe__task *task);

/* The task that runs waits for a job of its own, whatever it is to stop for: PE_WAIT, or a result. What the purpose
 * needs besides is in the wait. */
int pe__await_own_job(struct pe__bridge *bridge, struct pe__task *task, const struct pe__job_purpose *purpose,
                      pe_job *job);

/* The same for one that waits already, for room. */
void pe__await_started_job(struct pe__bridge *bridge, struct pe__task *task, const struct pe__job_purpose *purpose,
                           pe_job *job);

#endif
