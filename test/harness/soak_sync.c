/* soak_sync.c - acts with what tasks share: a queue, a semaphore, a lock, an event, a condition. */
#include "harness/soak.h"

#include <stdlib.h>

#define UNITS 2
#define QUEUE_ITEMS 4

struct soak_sync {
    pe_sem *sem;
    pe_lock *lock;
    pe_event *event;
    pe_cond *cond;
    pe_queue *queue;
    uint32_t units, holders; /* that are taken; of the lock */
    uint64_t put, got;       /* sums of items */
};

struct share {
    struct soak_head head;
    pe_limit limit;
    uint64_t item;
    int result;
};

static struct soak_sync *sync_of(const struct share *f)
{
    return f->head.soak->sync;
}

/* Its own time is over: nobody did the other half. */
static int without_own_limit(int result)
{
    return result == PE_ETIMEDOUT ? 0 : result;
}

static int use_sem(pe_task *t, void *frame)
{
    struct share *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sem_acquire(t, sync_of(f)->sem));
    SOAK_MUST(t, 0);
    if (t->result == 0) {
        ck_assert_uint_le(++sync_of(f)->units, UNITS);
        PE_AWAIT(t, pe_sleep(t, soak_time(&f->head, 50)));
        sync_of(f)->units--;
        ck_assert_int_eq(pe_sem_release(sync_of(f)->sem), 0);
    }
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int use_lock(pe_task *t, void *frame)
{
    struct share *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_lock_acquire(t, sync_of(f)->lock));
    SOAK_MUST(t, 0);
    if (t->result == 0) {
        ck_assert_uint_eq(++sync_of(f)->holders, 1);
        PE_AWAIT(t, pe_sleep(t, soak_time(&f->head, 20)));
        sync_of(f)->holders--;
        ck_assert_int_eq(pe_lock_release(t, sync_of(f)->lock), 0);
    }
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int use_queue(pe_task *t, void *frame)
{
    struct share *f = frame;

    PE_BEGIN(t);
    f->item = 1 + soak_random(&f->head, 1000);
    if (soak_random(&f->head, 2)) {
        PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(1)), pe_queue_put(t, sync_of(f)->queue, &f->item));
        sync_of(f)->put += t->result == 0 ? f->item : 0;
    } else {
        PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(1)), pe_queue_get(t, sync_of(f)->queue, &f->item));
        sync_of(f)->got += t->result == 0 ? f->item : 0;
    }
    SOAK_MUST(t, 0);
    PE_RETURN(t, without_own_limit(t->result));
    PE_END(t);
}

static int use_event(pe_task *t, void *frame)
{
    struct share *f = frame;

    PE_BEGIN(t);
    if (soak_random(&f->head, 2)) {
        ck_assert_int_eq(pe_event_set(sync_of(f)->event), 0);
        PE_TRY(t, pe_sleep(t, soak_time(&f->head, 500)));
        ck_assert_int_eq(pe_event_clear(sync_of(f)->event), 0);
    } else {
        PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(1)), pe_event_wait(t, sync_of(f)->event));
        SOAK_MUST(t, 0);
    }
    PE_RETURN(t, without_own_limit(t->result));
    PE_END(t);
}

static int use_cond(pe_task *t, void *frame)
{
    struct share *f = frame;

    PE_BEGIN(t);
    ck_assert_int_eq(soak_random(&f->head, 4) ? pe_cond_signal(sync_of(f)->cond) : pe_cond_signal_all(sync_of(f)->cond),
                     0);
    PE_TRY(t, pe_lock_acquire(t, sync_of(f)->lock));
    PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(1)), pe_cond_wait(t, sync_of(f)->cond, sync_of(f)->lock));
    SOAK_MUST(t, 0);
    ck_assert_uint_eq(sync_of(f)->holders, 0);
    ck_assert_int_eq(pe_lock_release(t, sync_of(f)->lock), 0);
    PE_RETURN(t, without_own_limit(t->result));
    PE_END(t);
}

/* ---- begin and end ---- */

void soak_sync_open(struct soak *soak)
{
    struct soak_sync *sync = calloc(1, sizeof *sync);

    ck_assert_ptr_nonnull(sync);
    ck_assert_int_eq(pe_sem_new(soak->loop, UNITS, &sync->sem), 0);
    ck_assert_int_eq(pe_lock_new(soak->loop, &sync->lock), 0);
    ck_assert_int_eq(pe_event_new(soak->loop, &sync->event), 0);
    ck_assert_int_eq(pe_cond_new(soak->loop, &sync->cond), 0);
    ck_assert_int_eq(pe_queue_new(soak->loop, sizeof(uint64_t), QUEUE_ITEMS, &sync->queue), 0);
    soak->sync = sync;
}

void soak_sync_free(struct soak *soak)
{
    struct soak_sync *sync = soak->sync;
    uint64_t item;

    while (pe_queue_try_get(sync->queue, &item) == 0)
        sync->got += item;
    ck_assert_uint_eq(sync->put, sync->got);
    ck_assert_int_eq(pe_sem_count(sync->sem), UNITS);
    ck_assert_uint_eq(sync->units + sync->holders, 0);
    pe_sem_free(sync->sem);
    pe_lock_free(sync->lock);
    pe_event_free(sync->event);
    pe_cond_free(sync->cond);
    pe_queue_free(sync->queue);
    free(sync);
}

const struct soak_act soak_sync_acts[] = {
    { "semaphore", use_sem, 2 }, { "lock", use_lock, 2 },      { "queue", use_queue, 4 },
    { "event", use_event, 1 },   { "condition", use_cond, 1 }, { NULL, NULL, 0 },
};
