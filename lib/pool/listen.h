/*
 * listen.h - loops outside that are told which of the jobs they wait for have ended.
 *
 * A listener belongs to a loop, which runs in one thread; a pool may have several. A watch belongs to somebody who
 * waits for a job on that loop, and lies in his memory: nothing is allocated for it. When the job is taken over, by
 * whatever thread, its watches move to their listeners' lists of those that have ended. The loop takes them from there
 * in its own thread, by pe__listener_look.
 *
 *     look:          took something: go on, look again before the loop sleeps
 *                    nothing: the listener is asleep; the loop may sleep on a copy of the pool's descriptor
 *     any thread:    a watch of a sleeping listener has moved: it is awake, and `wake` is called once
 *                    the pool has been closed or freed: `wake` is called, asleep or not
 *
 * A listener that is asleep has workers ring for the next end, whoever else leaves the pool (pool/wait.c, keep_armed).
 * What a ring was for is collected by the thread that takes it, and told; so none is lost, whoever is quicker.
 *
 * A listener holds a reference to its pool: the memory outlives pe_pool_free until the loop has noticed.
 */
#ifndef PE__POOL_LISTEN_H
#define PE__POOL_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/pool.h>

#include "base/list.h"

/* All under the pool's mutex but for what is marked. */
struct pe__listener {
    struct pe__base_list link;  /* of the pool's */
    struct pe__base_list ended; /* watches whose jobs have ended */
    pe_pool *pool;              /* constant */
    void (*wake)(struct pe__listener *listener); /* any thread, with the mutex held; constant */
    bool is_dozing;             /* counts as asleep for the pool */
    bool is_asleep;             /* is to be woken */
    bool wants_room;            /* the loop's own: claims are worth a ring too, from the next sleep on */
    bool dozes_for_room;        /* it wanted that when it went to sleep */
    int64_t spin_ns;            /* the loop's own: how long the next spin may be */
};

struct pe__job_watch {
    struct pe__base_list link; /* of its job's, then of its listener's `ended` */
    struct pe__listener *listener;
};

/* What is set besides `wake` is set here. 0, PE_EINVAL, PE_EFORKED, PE_ECLOSED: the pool has been freed. */
int pe__listener_start(struct pe__listener *listener, pe_pool *pool);

/* No watch of it is left. The pool may be gone afterwards. */
void pe__listener_stop(struct pe__listener *listener);

/* 1: the job is watched. 0: it has ended, there is nothing to watch. PE_EFORKED. */
int pe__listener_watch(struct pe__listener *listener, struct pe__job_watch *watch, pe_job *job);

/* True: the job is no longer watched. False: it has ended, and the watch is for the next look to take. */
bool pe__listener_unwatch(struct pe__job_watch *watch, pe_job *job);

enum pe__listen {
    PE__LISTEN_QUICK, /* without a system call, and without going to sleep */
    PE__LISTEN_ARM,
    PE__LISTEN_SPIN   /* and before that, for a short while that shrinks when it is in vain, it looks whether a job in
                         flight ends, if there are CPUs to spare for that */
};

/* Takes over what has ended in the pool, calls callbacks, and appends the listener's watches that have ended to
 * ret_ended. 1: there were some, or there may be more at once. 0: none, and unless it was a quick one the listener is
 * asleep. PE_ECLOSED: the pool has been freed, nothing more will come. */
int pe__listener_look(struct pe__listener *listener, enum pe__listen how, struct pe__base_list *ret_ended);

/* No longer asleep, without a look. */
void pe__listener_rouse(struct pe__listener *listener);

/* Whether the pool takes jobs, and its workers have that function besides the job's: 0, or what the submission of one
 * gives. */
int pe__listener_check_fn(pe_pool *pool, uintptr_t fn);

/* ---- for the rest of the pool, with the mutex held ---- */

/* The watches of a job that ends. */
void pe__listeners_tell(pe_pool *pool, struct pe__base_list **watches);

/* The pool's state has changed: `wake` of all, also of those that are not asleep because they wait for nothing. */
void pe__listeners_wake(pe_pool *pool);

#endif
