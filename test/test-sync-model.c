/*
 * Semaphores, locks, events, conditions and queues against a model of plain arrays: random operations by tasks and from
 * outside, with cancels at any time and time limits that are over. Several things happen before the tasks have their
 * turns, so that most of them meet in the same turn. The model knows the order of turns, and so every result.
 */
#include "harness/harness.h"

#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

#define ACTORS 12
#define LOCKS 2
#define QUEUES 3
#define CAPACITY(queue) ((queue) == 0 ? 0 : (queue) == 1 ? 1 : 3)

enum op { SEM_ACQUIRE, LOCK_ACQUIRE, LOCK_RELEASE, LOCK_TRY, COND_WAIT, EVENT_WAIT, QUEUE_PUT, QUEUE_GET, QUIT, OPS };

/* ---- the tasks ---- */

struct actor {
    enum op op;
    int which; /* lock or queue */
    int has_limit;
    int item;
    int result;
    int done; /* operations */
    int idle_cancels;
    pe_limit limit;
    pe_task *task;
};

static pe_loop *loop;
static pe_sem *sem;
static pe_lock *locks[LOCKS];
static pe_event *event;
static pe_cond *cond;
static pe_queue *queues[QUEUES];
static struct actor actors[ACTORS];

static int start_op(pe_task *t, struct actor *a)
{
    switch (a->op) {
    case SEM_ACQUIRE: return pe_sem_acquire(t, sem);
    case LOCK_ACQUIRE: return pe_lock_acquire(t, locks[a->which]);
    case LOCK_RELEASE: return pe_lock_release(t, locks[a->which]);
    case LOCK_TRY: return pe_lock_try_acquire(t, locks[a->which]);
    case COND_WAIT: return pe_cond_wait(t, cond, locks[a->which]);
    case EVENT_WAIT: return pe_event_wait(t, event);
    case QUEUE_PUT: return pe_queue_put(t, queues[a->which], &a->item);
    case QUEUE_GET: return pe_queue_get(t, queues[a->which], &a->item);
    default: return 0;
    }
}

static void stop_idling(pe_task *t, void *object)
{
    (void)object;
    MUST(pe_wait_end(t, PE_ECANCELED), 0);
}

static int act(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_AWAIT(t, pe_wait_external(t, 0, stop_idling, NULL));
        if (t->result == PE_ECANCELED) {
            a->idle_cancels++;
            continue;
        }
        if (a->op == QUIT)
            PE_RETURN(t, 0);
        if (a->has_limit)
            MUST(pe_limit_enter(t, &a->limit, 0), 0);
        PE_AWAIT(t, start_op(t, a));
        if (a->has_limit)
            pe_limit_leave(t, &a->limit);
        a->result = t->result;
        a->done++;
    }
    PE_END(t);
}

/* ---- the model ---- */

enum state { IDLE, HAS_COMMAND, HAS_RESULT, IDLE_CANCEL, WAITS, WAITS_FOR_LOCK, WAITS_AGAIN, GONE };

struct list {
    int count;
    int at[ACTORS + 4];
};

static struct model {
    enum state state;
    struct list *list; /* that it waits in */
    int lock;          /* that it waits for, or has lent */
    int flag;          /* a request to stop that no wait has seen */
    int next_result;
    int result, done, idle_cancels, item;
    struct list held;  /* locks, in the order of taking */
} models[ACTORS];

static int model_sem, model_event, owners[LOCKS];
static struct list ready, sem_waiters, event_waiters, cond_waiters, lock_waiters[LOCKS];
static struct {
    int is_closed;
    struct list items, getters, putters;
} model_queues[QUEUES];

static void push(struct list *list, int value)
{
    list->at[list->count++] = value;
}

static void take_out(struct list *list, int value)
{
    int i = 0;

    while (list->at[i] != value)
        i++;
    memmove(list->at + i, list->at + i + 1, (size_t)(--list->count - i) * sizeof(int));
}

static int pop(struct list *list)
{
    int value = list->count > 0 ? list->at[0] : -1;

    if (value >= 0)
        take_out(list, value);
    return value;
}

static void model_ready(int i, enum state state)
{
    models[i].state = state;
    push(&ready, i);
}

static void model_end_wait(int i, int result)
{
    models[i].next_result = result;
    model_ready(i, HAS_RESULT);
}

static int model_wait(int i, struct list *list, enum state state)
{
    if (actors[i].has_limit)
        return PE_ETIMEDOUT;
    models[i].state = state;
    models[i].list = list;
    push(list, i);
    return PE_WAIT;
}

static void model_take(int lock, int i)
{
    owners[lock] = i;
    push(&models[i].held, lock);
}

/* With the lock: a request that woke it is answered now. */
static void model_have_lock(int i, int result)
{
    if (result == PE_ECANCELED)
        models[i].flag = 0;
    model_end_wait(i, result);
}

static void model_give(int lock)
{
    int next = pop(&lock_waiters[lock]);

    take_out(&models[owners[lock]].held, lock);
    owners[lock] = -1;
    if (next < 0)
        return;
    model_take(lock, next);
    model_have_lock(next, models[next].next_result);
}

static int model_leads_to(int i, int wanted)
{
    while (models[i].state == WAITS_FOR_LOCK || models[i].state == WAITS_AGAIN)
        i = owners[models[i].lock];
    return i == wanted;
}

static void model_leave_cond(int i, int result)
{
    int lock = models[i].lock;

    if (owners[lock] < 0) {
        model_take(lock, i);
        model_have_lock(i, result);
    } else if (model_leads_to(owners[lock], i)) {
        model_end_wait(i, PE_EDEADLK);
    } else {
        models[i].next_result = result;
        models[i].state = WAITS_AGAIN;
        push(&lock_waiters[lock], i);
    }
}

static int model_signal(void)
{
    int i = pop(&cond_waiters);

    if (i >= 0)
        model_leave_cond(i, 0);
    return i >= 0;
}

static void model_end_all(struct list *list, int result)
{
    int i;

    while ((i = pop(list)) >= 0)
        model_end_wait(i, result);
}

static int model_put(int q, int item)
{
    if (model_queues[q].is_closed)
        return PE_ECLOSED;
    int getter = pop(&model_queues[q].getters);
    if (getter >= 0) {
        models[getter].item = item;
        model_end_wait(getter, 0);
        return 0;
    }
    if (model_queues[q].items.count == CAPACITY(q))
        return PE_EAGAIN;
    push(&model_queues[q].items, item);
    return 0;
}

static int model_get(int q, int *ret_item)
{
    struct list *items = &model_queues[q].items;
    int putter = pop(&model_queues[q].putters);

    if (putter >= 0)
        push(items, models[putter].item); /* one too many, for a moment */
    if (items->count == 0)
        return model_queues[q].is_closed ? PE_ECLOSED : PE_EAGAIN;
    *ret_item = items->at[0];
    memmove(items->at, items->at + 1, (size_t)--items->count * sizeof(int));
    if (putter >= 0)
        model_end_wait(putter, 0);
    return 0;
}

static int model_lock_op(int i)
{
    int lock = actors[i].which, owner = owners[lock];

    if (actors[i].op == LOCK_RELEASE) {
        if (owner == i)
            model_give(lock);
        return owner == i ? 0 : PE_EPERM;
    }
    if (owner >= 0 && actors[i].op == LOCK_TRY)
        return owner == i ? PE_EDEADLK : PE_EAGAIN;
    if (owner >= 0 && model_leads_to(owner, i))
        return PE_EDEADLK;
    models[i].lock = lock;
    models[i].next_result = 0;
    if (owner >= 0)
        return model_wait(i, &lock_waiters[lock], WAITS_FOR_LOCK);
    model_take(lock, i);
    return 0;
}

static int model_cond_wait(int i)
{
    if (owners[actors[i].which] != i)
        return PE_EPERM;
    models[i].lock = actors[i].which;
    int result = model_wait(i, &cond_waiters, WAITS);
    if (result == PE_WAIT)
        model_give(models[i].lock);
    return result;
}

static int model_queue_op(int i)
{
    int q = actors[i].which, is_put = actors[i].op == QUEUE_PUT;
    int result = is_put ? model_put(q, models[i].item) : model_get(q, &models[i].item);

    if (result != PE_EAGAIN)
        return result;
    return model_wait(i, is_put ? &model_queues[q].putters : &model_queues[q].getters, WAITS);
}

static int model_op(int i)
{
    enum op op = actors[i].op;

    if (models[i].flag && op != LOCK_RELEASE && op != LOCK_TRY) {
        models[i].flag = 0;
        return PE_ECANCELED;
    }
    switch (op) {
    case SEM_ACQUIRE:
        if (model_sem == 0)
            return model_wait(i, &sem_waiters, WAITS);
        model_sem--;
        return 0;
    case EVENT_WAIT: return model_event ? 0 : model_wait(i, &event_waiters, WAITS);
    case COND_WAIT: return model_cond_wait(i);
    case QUEUE_PUT:
    case QUEUE_GET: return model_queue_op(i);
    default: return model_lock_op(i);
    }
}

static void model_idle(int i)
{
    models[i].state = IDLE;
    if (models[i].flag)
        model_ready(i, IDLE_CANCEL);
    models[i].flag = 0;
}

static void model_done(int i, int result)
{
    models[i].result = result;
    models[i].done++;
    model_idle(i);
}

static void model_turn(int i)
{
    int result;

    switch (models[i].state) {
    case IDLE_CANCEL:
        models[i].idle_cancels++;
        model_idle(i);
        break;
    case HAS_RESULT: model_done(i, models[i].next_result); break;
    default:
        if (actors[i].op == QUIT) {
            models[i].state = GONE;
            while (models[i].held.count > 0)
                model_give(models[i].held.at[0]);
            return;
        }
        if ((result = model_op(i)) != PE_WAIT)
            model_done(i, result);
    }
}

static void model_cancel(int i)
{
    enum state state = models[i].state;

    if (state == IDLE_CANCEL || (state == HAS_RESULT && models[i].next_result == PE_ECANCELED))
        return; /* it is about to hear of one */
    if (state == WAITS || state == WAITS_FOR_LOCK) {
        take_out(models[i].list, i);
        if (models[i].list != &cond_waiters) {
            model_end_wait(i, PE_ECANCELED);
            return;
        }
        models[i].flag = 1; /* till it has the lock */
        model_leave_cond(i, PE_ECANCELED);
    } else if (state == IDLE) {
        model_ready(i, IDLE_CANCEL);
    } else {
        models[i].flag = 1;
    }
}

/* ---- both ---- */

static unsigned seed;

static int random_below(int limit)
{
    seed = seed * 1664525 + 1013904223;
    return (int)((seed >> 8) % (unsigned)limit);
}

static void command(int i)
{
    struct actor *a = &actors[i];

    if (models[i].state != IDLE)
        return;
    a->op = (enum op)random_below(random_below(20) == 0 ? OPS : QUIT);
    a->which = random_below(a->op == QUEUE_PUT || a->op == QUEUE_GET ? QUEUES : LOCKS);
    a->has_limit = random_below(8) == 0;
    a->item = models[i].item = random_below(1000);
    model_ready(i, HAS_COMMAND);
    told_end(a->task, 0);
}

static void renew(void)
{
    pe_sem_free(sem);
    MUST(pe_sem_new(loop, 1, &sem), 0);
    model_end_all(&sem_waiters, PE_ECLOSED);
    model_sem = 1;
    pe_event_free(event);
    MUST(pe_event_new(loop, &event), 0);
    model_end_all(&event_waiters, PE_ECLOSED);
    model_event = 0;
    pe_cond_free(cond);
    MUST(pe_cond_new(loop, &cond), 0);
    for (int i; (i = pop(&cond_waiters)) >= 0;)
        model_leave_cond(i, PE_ECLOSED);
}

static void renew_queue(int q)
{
    pe_queue_free(queues[q]);
    MUST(pe_queue_new(loop, sizeof(int), (size_t)CAPACITY(q), &queues[q]), 0);
    model_end_all(&model_queues[q].getters, PE_ECLOSED);
    model_end_all(&model_queues[q].putters, PE_ECLOSED);
    model_queues[q].items.count = model_queues[q].is_closed = 0;
}

static void close_queue(int q)
{
    MUST(pe_queue_close(queues[q]), 0);
    model_end_all(&model_queues[q].getters, PE_ECLOSED);
    model_end_all(&model_queues[q].putters, PE_ECLOSED);
    model_queues[q].is_closed = 1;
}

static void use_queue(int q)
{
    int item = random_below(1000), got = -1, model_got = -1;

    if (random_below(2)) {
        MUST(pe_queue_try_put(queues[q], &item), model_put(q, item));
        return;
    }
    MUST(pe_queue_try_get(queues[q], &got), model_get(q, &model_got));
    MUST(got, model_got);
}

static void set_event(void)
{
    MUST(pe_event_set(event), 0);
    model_event = 1;
    model_end_all(&event_waiters, 0);
}

static void clear_event(void)
{
    MUST(pe_event_clear(event), 0);
    model_event = 0;
}

static void release_unit(void)
{
    int waiter = pop(&sem_waiters);

    MUST(pe_sem_release(sem), 0);
    if (waiter >= 0)
        model_end_wait(waiter, 0);
    else
        model_sem++;
}

static void cancel(int i)
{
    MUST(pe_task_cancel(actors[i].task), 0);
    model_cancel(i);
}

static void outside(void)
{
    switch (random_below(20)) {
    case 0: renew(); break;
    case 1: renew_queue(random_below(QUEUES)); break;
    case 2: close_queue(random_below(QUEUES)); break;
    case 3: set_event(); break;
    case 4: clear_event(); break;
    case 5:
        MUST(pe_sem_try_acquire(sem), model_sem > 0 ? 0 : PE_EAGAIN);
        model_sem -= model_sem > 0;
        break;
    case 6:
        MUST(pe_cond_signal_all(cond), 0);
        while (model_signal())
            ;
        break;
    case 7:
    case 8:
    case 9:
        MUST(pe_cond_signal(cond), 0);
        (void)model_signal();
        break;
    case 10:
    case 11:
    case 12: release_unit(); break;
    default: use_queue(random_below(QUEUES));
    }
}

static void revive(int i)
{
    MUST(pe_task_has_ended(actors[i].task), 1);
    pe_task_free(actors[i].task);
    actors[i].task = told_start(loop, act, &actors[i]);
    models[i].flag = 0;
    models[i].state = IDLE;
}

static void settle_both(void)
{
    int is_any_gone = 0;

    told_settle(loop);
    for (int i; (i = pop(&ready)) >= 0;)
        model_turn(i);
    for (int i = 0; i < ACTORS; i++) {
        if (models[i].state == GONE) {
            revive(i);
            is_any_gone = 1;
        }
    }
    if (is_any_gone)
        told_settle(loop);
}

static void compare(int step)
{
    for (int i = 0; i < ACTORS; i++) {
        const struct actor *a = &actors[i];
        const struct model *m = &models[i];

        if (a->done != m->done || a->result != m->result || a->idle_cancels != m->idle_cancels)
            ck_abort_msg("step %d, actor %d, operation %d of %d: done %d (%d), result %d (%d), cancels %d (%d)", step,
                         i, a->op, a->which, a->done, m->done, a->result, m->result, a->idle_cancels, m->idle_cancels);
        if (m->state == IDLE)
            MUST(a->item, m->item);
    }
    MUST(pe_sem_count(sem), model_sem);
    MUST(pe_event_is_set(event), model_event);
    for (int q = 0; q < QUEUES; q++)
        MUST(pe_queue_count(queues[q]), model_queues[q].items.count);
}

static void begin(void)
{
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_sem_new(loop, 1, &sem), 0);
    MUST(pe_event_new(loop, &event), 0);
    MUST(pe_cond_new(loop, &cond), 0);
    memset(models, 0, sizeof models);
    memset(actors, 0, sizeof actors);
    memset(model_queues, 0, sizeof model_queues);
    ready.count = sem_waiters.count = event_waiters.count = cond_waiters.count = 0;
    model_sem = 1;
    model_event = 0;
    for (int i = 0; i < LOCKS; i++) {
        MUST(pe_lock_new(loop, &locks[i]), 0);
        owners[i] = -1;
        lock_waiters[i].count = 0;
    }
    for (int q = 0; q < QUEUES; q++)
        MUST(pe_queue_new(loop, sizeof(int), (size_t)CAPACITY(q), &queues[q]), 0);
    for (int i = 0; i < ACTORS; i++)
        actors[i].task = told_start(loop, act, &actors[i]);
    told_settle(loop);
}

/* In the order that the seed says: before or after the loop, with waits and locks as they are. */
static void end(void)
{
    int is_loop_first = random_below(2);

    MUST(pe_loop_set_grace(loop, PE_NOW), 0);
    if (is_loop_first)
        pe_loop_free(loop);
    pe_sem_free(sem);
    pe_event_free(event);
    for (int i = 0; i < LOCKS; i++)
        pe_lock_free(locks[i]);
    pe_cond_free(cond);
    for (int q = 0; q < QUEUES; q++)
        pe_queue_free(queues[q]);
    if (!is_loop_first)
        pe_loop_free(loop);
    for (int i = 0; i < ACTORS; i++)
        pe_task_free(actors[i].task);
}

PE_TEST_LOOP(random_operations_give_what_the_model_says, 0, 8)
{
    int steps = harness_long() ? 1000000 : 8000;

    seed = (unsigned)_i * 7919 + 1;
    begin();
    for (int step = 0; step < steps; step++) {
        for (int i = random_below(6); i >= 0; i--) {
            int what = random_below(10);

            if (what < 5)
                command(random_below(ACTORS));
            else if (what < 7)
                cancel(random_below(ACTORS));
            else
                outside();
        }
        settle_both();
        compare(step);
    }
    end();
}

HARNESS_MAIN("sync-model")
