/*
 * listen.c - loops outside that wait for jobs; the rules are in listen.h.
 *
 * A look goes the way of pe_pool_poll: collect; with nothing, announce the sleep and collect again. Callbacks of the
 * program run in between, without the mutex, so that the list of what has ended is looked at last, and the listener is
 * to be woken only from then on; for the pool it counts as asleep from before the announcement, so that a thread which
 * meanwhile takes a ring announces again.
 */
#include "pool/listen.h"

#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/job.h"
#include "pool/poll.h"
#include "pool/pool.h"
#include "pool/submit.h"
#include "pool/wait.h"
#include "shared/spin.h"

static struct pe__job_watch *of_link(struct pe__base_list *link)
{
    return PE__BASE_LIST_ENTRY(link, struct pe__job_watch, link);
}

static bool is_freed(const pe_pool *pool)
{
    return pool->bell < 0;
}

int pe__listener_start(struct pe__listener *listener, pe_pool *pool)
{
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (is_freed(pool)) {
        pe__pool_leave(pool);
        return PE_ECLOSED;
    }
    listener->pool = pool;
    listener->is_dozing = listener->is_asleep = listener->wants_room = false;
    listener->spin_ns = PE__SPIN_NS_MOST;
    pe__base_list_init(&listener->ended);
    pe__base_list_push_back(&pool->listeners, &listener->link);
    pool->refs++;
    pe__pool_leave(pool);
    return 0;
}

/* ---- asleep and awake ---- */

static void doze(pe_pool *pool, struct pe__listener *listener)
{
    listener->is_dozing = true;
    listener->dozes_for_room = listener->wants_room;
    pool->dozing++;
    pool->claim_waiters += listener->dozes_for_room;
}

static void rouse(pe_pool *pool, struct pe__listener *listener)
{
    listener->is_asleep = false;
    if (!listener->is_dozing)
        return;
    listener->is_dozing = false;
    pool->dozing--;
    pool->claim_waiters -= listener->dozes_for_room;
}

static void wake(pe_pool *pool, struct pe__listener *listener)
{
    if (!listener->is_asleep)
        return;
    rouse(pool, listener);
    listener->wake(listener);
}

void pe__listeners_wake(pe_pool *pool)
{
    PE__BASE_LIST_EACH(link, &pool->listeners) {
        struct pe__listener *listener = PE__BASE_LIST_ENTRY(link, struct pe__listener, link);
        rouse(pool, listener);
        listener->wake(listener);
    }
}

void pe__listener_rouse(struct pe__listener *listener)
{
    pthread_mutex_lock(&listener->pool->mutex);
    rouse(listener->pool, listener);
    pe__pool_leave(listener->pool);
}

void pe__listener_stop(struct pe__listener *listener)
{
    pe_pool *pool = listener->pool;
    pthread_mutex_lock(&pool->mutex);
    rouse(pool, listener);
    pe__base_list_remove(&listener->link);
    pe__pool_unref(pool);
}

int pe__listener_check_fn(pe_pool *pool, uintptr_t fn)
{
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__pool_check_open(pool);
    if (result == 0 && !pe__pool_has_loaded(pool, fn))
        result = PE_ENOTLOADED;
    pe__pool_leave(pool);
    return result;
}

/* ---- watches ---- */

static struct pe__base_list **watches_of(const pe_job *job)
{
    return job->is_map ? &job->more->watches : &job->pool->entries[job->record].watches;
}

static void add(struct pe__base_list **watches, struct pe__base_list *link)
{
    pe__base_list_init(link);
    if (*watches == NULL)
        *watches = link;
    else
        pe__base_list_push_back(*watches, link);
}

int pe__listener_watch(struct pe__listener *listener, struct pe__job_watch *watch, pe_job *job)
{
    int result = pe__pool_enter(job->pool);
    if (result < 0)
        return result;
    bool is_live = !pe__job_has_ended(job);
    if (is_live) {
        watch->listener = listener;
        add(watches_of(job), &watch->link);
    }
    pe__pool_leave(job->pool);
    return is_live;
}

bool pe__listener_unwatch(struct pe__job_watch *watch, pe_job *job)
{
    pe_pool *pool = job->pool;
    pthread_mutex_lock(&pool->mutex);
    bool is_live = !pe__job_has_ended(job);
    if (is_live) {
        struct pe__base_list **watches = watches_of(job);
        if (*watches == &watch->link)
            *watches = watch->link.next == &watch->link ? NULL : watch->link.next;
        pe__base_list_remove(&watch->link);
    }
    pe__pool_leave(pool);
    return is_live;
}

void pe__listeners_tell(pe_pool *pool, struct pe__base_list **watches)
{
    struct pe__base_list *first = *watches, *link = first;
    *watches = NULL;
    while (link != NULL) {
        struct pe__base_list *next = link->next != first ? link->next : NULL;
        struct pe__listener *listener = of_link(link)->listener;
        pe__base_list_push_back(&listener->ended, link);
        wake(pool, listener);
        link = next;
    }
}

/* ---- a look ---- */

/* True: there was something, or there may be more. Nothing of it is a system call. */
static bool collect_quickly(pe_pool *pool, const struct pe__listener *listener)
{
    return pe__pool_collect_all(pool, PE__POLL_MOST) >= PE__POLL_MOST || !pe__base_list_empty(&listener->ended);
}

static bool spin(pe_pool *pool, struct pe__listener *listener)
{
    if (pool->in_flight > 0 && pool->shared.config->cpus > 1)
        pe__pool_spin(pool, PE__BELL_ANY, &listener->spin_ns, false);
    return !pe__base_list_empty(&listener->ended);
}

static bool arm(pe_pool *pool, struct pe__listener *listener)
{
    doze(pool, listener);
    pe__pool_arm(pool);
    bool is_full = pe__pool_collect_some(pool) >= PE__POLL_MOST;
    listener->is_asleep = !is_full && pe__base_list_empty(&listener->ended);
    return !listener->is_asleep;
}

static bool found(pe_pool *pool, struct pe__listener *listener, enum pe__listen how)
{
    if (collect_quickly(pool, listener))
        return true;
    if (how == PE__LISTEN_SPIN && spin(pool, listener))
        return true;
    return how != PE__LISTEN_QUICK && arm(pool, listener);
}

static int look(pe_pool *pool, struct pe__listener *listener, enum pe__listen how)
{
    rouse(pool, listener);
    if (is_freed(pool))
        return PE_ECLOSED;
    if (!found(pool, listener, how))
        return 0;
    rouse(pool, listener);
    pe__pool_keep_armed(pool);
    pe__job_run_callbacks(pool);
    return 1;
}

int pe__listener_look(struct pe__listener *listener, enum pe__listen how, struct pe__base_list *ret_ended)
{
    pe_pool *pool = listener->pool;
    struct pe__base_list *link;
    pthread_mutex_lock(&pool->mutex);
    int result = look(pool, listener, how);
    while ((link = pe__base_list_pop_front(&listener->ended)) != NULL)
        pe__base_list_push_back(ret_ended, link);
    pe__pool_leave(pool);
    return result;
}
