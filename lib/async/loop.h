/*
 * loop.h - a loop: its queue of tasks that are ready, its timers, its libuv handles, and its phases.
 *
 *     OPEN -> GRACE -> FINAL -> CLOSED
 *
 * OPEN: tasks are started and run. GRACE: all tasks have been cancelled and clean up; nothing new is started from
 * outside. FINAL: the grace time is over, each wait ends at once. CLOSED: no task is left and the handles have been
 * closed. A loop's memory lives until the last task's memory has been given back.
 *
 * All of it is one thread's, but for what pe_loop_post does.
 */
#ifndef PE__ASYNC_LOOP_H
#define PE__ASYNC_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <parexec/debug.h>
#include <parexec/loop.h>

#include "async/fd.h"
#include "async/slab.h"
#include "async/timer.h"
#include "base/forked.h"
#include "base/list.h"

struct pe__task;
struct pe__post;
struct pe__offload;
struct pe__isolated_pool;

enum pe__loop_phase { PE__LOOP_OPEN, PE__LOOP_GRACE, PE__LOOP_FINAL, PE__LOOP_CLOSED };

/* What pe_loop_stats tells. */
struct pe__figures {
    uint64_t spawned;
    uint64_t steps;
    uint64_t turns;
    uint64_t turn_ticks;         /* of all turns */
    uint64_t turn_longest_ticks;
    uint64_t timers;
    int64_t lag_ns;              /* of all times that it woke for timers */
    int64_t lag_longest_ns;
};

struct pe_loop {
    uint64_t token;            /* of the process, see base/forked.h */
    struct pe__task *current;  /* the task that runs; NULL: none */
    struct pe__task *ready;    /* the next to run */
    struct pe__task *ready_last;
    bool is_idling;            /* the idle handle is started: there are tasks that are ready, or a pass goes on */
    bool owns_uv;
    bool is_stopped;           /* by pe_loop_stop */
    bool is_closing_handles;
    bool is_freed;             /* by the program; what is left goes when it can */
    enum pe__loop_phase phase;
    uint32_t handles;          /* of libuv, of this loop and its objects, that have not been closed */
    uint64_t live;             /* tasks that have not ended */
    uint64_t kept;             /* tasks and objects whose memory is in use, and calls that run the loop */
    struct pe__slab slab;
    struct pe__timers timers;
    struct pe__fd_table fds;
    struct pe__base_list tasks;   /* those that live, in the order of their start */
    struct pe__base_list failed;  /* those that have failed, whose handles are held and which nobody has looked at */
    struct pe__base_list signals; /* what signals are waited for, see signal.c */
    struct pe__base_list objects; /* struct pe__object */
    struct pe__base_list sources; /* struct pe__source, see source.h */
    struct pe__offload *offload;  /* its threads, see offload.h; NULL: none were needed */
    struct pe__isolated_pool *isolated_pool; /* the bridge's; NULL: none was needed */
    pe_failure_fn *on_failure;
    void *failure_context;
    struct pe__figures figures;
    int64_t slow_ns;           /* pe_loop_on_slow; 0: off */
    pe_slow_fn *on_slow;
    void *slow_context;
    int64_t grace_ns;
    struct pe__timer grace_timer;
    int64_t armed_ns;          /* what the libuv timer is set to; PE_FOREVER: not at all */
    pthread_mutex_t post_mutex;   /* of the next three, which any thread uses */
    struct pe__post *posted;
    struct pe__post *posted_last;
    bool takes_posts;
    uv_loop_t *uv;
    uv_loop_t own_uv;
    uv_idle_t idle;            /* runs the passes */
    uv_timer_t timer;
    uv_async_t async;          /* wakes the loop for posts; keeps the libuv loop alive while there are tasks */
};

/*
 * Something of the program's that holds libuv handles and that the program gives back by itself: a socket, say. While
 * it has open handles it is in its loop's list. A loop that is closed calls `close` once for each that is left, after
 * the last task has ended: it closes the handles, and the object is dead from then on but for being freed.
 */
struct pe__object {
    struct pe__base_list link;
    const char *name; /* for people: "signal" */
    pe_loop *loop; /* NULL: the loop has been closed */
    void (*close)(struct pe__object *object);
};

/* 0; PE_EINVAL, PE_EFORKED, PE_ECLOSED. For calls that are made outside tasks too. */
static inline int pe__loop_check(const pe_loop *loop)
{
    if (loop == NULL)
        return PE_EINVAL;
    if (__builtin_expect(pe__base_forked(loop->token), 0))
        return PE_EFORKED;
    return __builtin_expect(loop->phase == PE__LOOP_CLOSED, 0) ? PE_ECLOSED : 0;
}

void pe__object_open(pe_loop *loop, struct pe__object *object, const char *name,
                     void (*close)(struct pe__object *object));
void pe__object_close(struct pe__object *object); /* takes it off its loop; the handles are the caller's */

/* Each handle that is opened on the loop is counted from its init to its close callback: the loop is closed only once
 * there is none. After pe__handle_gone the loop may be gone too. */
static inline void pe__handle_opened(pe_loop *loop)
{
    loop->handles++;
}
void pe__handle_gone(pe_loop *loop);

/* Around calls of the program's code on the loop's thread, so that what it may not call there is refused. After
 * pe__loop_leave the loop's handles may be closing, and it goes with them unless it is held. */
pe_loop *pe__loop_enter(pe_loop *loop); /* returns what to leave with */
void pe__loop_leave(pe_loop *before);

/* Whether this thread is inside a task, a callback or a run of some loop of ours. */
bool pe__loop_is_inside(void);

/* Calls what other threads have posted. */
void pe__loop_run_posts(pe_loop *loop);
void pe__loop_end_posts(pe_loop *loop); /* the last ones; no more are taken */

/* A loop that has been freed by the program and whose tasks have all ended closes its handles. Called where no code of
 * the program's is running inside it. */
void pe__loop_close_if_done(pe_loop *loop);

/* Opens the handles; 0, or a code of libuv with none left open. */
int pe__loop_open_handles(pe_loop *loop);

/* Seen to by the idle handle: there are tasks that are ready. */
void pe__loop_wake(pe_loop *loop);

/* The libuv timer follows the timers. After timers have been started or stopped outside a pass. */
void pe__loop_arm(pe_loop *loop);

/* Whether the libuv loop goes on though nothing else holds it: while tasks live. */
void pe__loop_keep_alive(pe_loop *loop, bool on);

/* The memory of the last task or object that there was has been given back. */
void pe__loop_unused(pe_loop *loop);

/* Its memory stays in between, though the program may free the loop. */
static inline void pe__loop_hold(pe_loop *loop)
{
    loop->kept++;
}

static inline void pe__loop_let_go(pe_loop *loop)
{
    if (--loop->kept == 0)
        pe__loop_unused(loop);
}

/* Memory of an object that the program gives back by itself, maybe after the loop. NULL: there is none. */
static inline void *pe__loop_alloc(pe_loop *loop, size_t bytes)
{
    void *block = pe__slab_new(&loop->slab, bytes);

    if (block != NULL)
        loop->kept++;
    return block;
}

static inline void pe__loop_dealloc(pe_loop *loop, void *block, size_t bytes)
{
    pe__slab_free(&loop->slab, block, bytes);
    if (--loop->kept == 0)
        pe__loop_unused(loop);
}

#endif
