/*
 * Semaphores, locks, events and conditions.
 */
#include "harness/harness.h"

#include <parexec.h>

#include "harness/async.h"
#include "harness/told.h"

#define TASKS 5

static pe_loop *loop;
static pe_sem *sem;
static pe_lock *lock, *other_lock;
static pe_event *event;
static pe_cond *cond;

/* In which order tasks were served. */
static int order[100], ordered;

static void begin(void)
{
    ordered = 0;
    MUST(pe_loop_new(NULL, &loop), 0);
    MUST(pe_sem_new(loop, 0, &sem), 0);
    MUST(pe_lock_new(loop, &lock), 0);
    MUST(pe_lock_new(loop, &other_lock), 0);
    MUST(pe_event_new(loop, &event), 0);
    MUST(pe_cond_new(loop, &cond), 0);
}

static void end(void)
{
    pe_sem_free(sem);
    pe_lock_free(lock);
    pe_lock_free(other_lock);
    pe_event_free(event);
    pe_cond_free(cond);
    pe_loop_free(loop);
}

/* A task of a test, and how far it is. */
struct actor {
    int number;
    int result; /* of the wait that the test is about */
    int step;   /* counts its waits that have ended */
    int yielded; /* how a yield after it ended */
};

static void note(struct actor *actor, int result)
{
    actor->result = result;
    actor->step++;
    order[ordered++] = actor->number;
}

static void assert_order(int count, const int *wanted)
{
    MUST(ordered, count);
    for (int i = 0; i < count; i++)
        MUST(order[i], wanted[i]);
    ordered = 0;
}

#define ORDER(...) assert_order(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), (const int[]){ __VA_ARGS__ })

#define ORDER_NONE() MUST(ordered, 0)

static pe_task *start(pe_task_fn *fn, struct actor *actor, int number)
{
    *actor = (struct actor){ .number = number, .result = 77 };
    pe_task *task = told_start(loop, fn, actor);
    told_settle(loop);
    return task;
}

static void cancel(pe_task *task)
{
    MUST(pe_task_cancel(task), 0);
    told_settle(loop);
}

/* Waits till told: by pe_wait_end. */
#define WAIT_TILL_TOLD(t) PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL))

static void tell(pe_task *task)
{
    told_end(task, 0);
    told_settle(loop);
}

/* ---- semaphores ---- */

static int take_unit(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sem_acquire(t, sem));
    note(a, t->result);
    PE_YIELD(t);
    a->yielded = t->result;
    PE_RETURN(t, a->result);
    PE_END(t);
}

static int take_unit_and_give_it_back(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sem_acquire(t, sem));
    note(a, t->result);
    if (t->result < 0)
        PE_RETURN(t, t->result);
    WAIT_TILL_TOLD(t);
    MUST(pe_sem_release(sem), 0);
    PE_END(t);
}

PE_TEST(i10_five_waiters_the_second_cancelled_while_the_first_releases)
{
    struct actor actors[TASKS];
    pe_task *tasks[TASKS];

    begin();
    MUST(pe_sem_release(sem), 0);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = start(take_unit_and_give_it_back, &actors[i], i);
    ORDER(0);
    told_end(tasks[0], 0); /* it releases in its next turn ... */
    MUST(pe_task_cancel(tasks[1]), 0);
    told_settle(loop);
    ORDER(1, 2); /* ... which serves the third */
    async_assert_ended(tasks[0], 0);
    async_assert_ended(tasks[1], PE_ECANCELED);
    for (int i = 2; i < TASKS; i++) {
        MUST(actors[i].result, 0);
        tell(tasks[i]);
        async_assert_ended(tasks[i], 0);
    }
    ORDER(3, 4);
    MUST(pe_sem_count(sem), 1);
    end();
}

/* The other way round: it is cancelled when it has got the unit, before its turn. */
PE_TEST(i10_a_waiter_that_is_cancelled_when_it_was_served_has_its_unit)
{
    struct actor actors[3];
    pe_task *tasks[3];

    begin();
    for (int i = 0; i < 3; i++)
        tasks[i] = start(take_unit, &actors[i], i);
    MUST(pe_sem_release(sem), 0);
    MUST(pe_task_cancel(tasks[0]), 0);
    told_settle(loop);
    MUST(actors[0].result, 0);
    MUST(actors[0].yielded, PE_ECANCELED); /* the request is seen by the next wait */
    MUST(actors[1].step, 0);
    MUST(pe_sem_release(sem), 0);
    MUST(pe_sem_release(sem), 0);
    MUST(pe_sem_release(sem), 0);
    told_settle(loop);
    ORDER(0, 1, 2);
    MUST(pe_sem_count(sem), 1);
    for (int i = 0; i < 3; i++)
        async_assert_ended(tasks[i], 0);
    end();
}

PE_TEST(a_newcomer_does_not_overtake)
{
    struct actor actors[2];
    pe_task *tasks[2];

    begin();
    MUST(pe_sem_try_acquire(sem), PE_EAGAIN);
    tasks[0] = start(take_unit, &actors[0], 0);
    MUST(pe_sem_release(sem), 0);
    MUST(pe_sem_try_acquire(sem), PE_EAGAIN); /* it has been handed over */
    tasks[1] = start(take_unit, &actors[1], 1);
    ORDER(0);
    MUST(pe_sem_release(sem), 0);
    told_settle(loop);
    MUST(pe_sem_release(sem), 0);
    MUST(pe_sem_try_acquire(sem), 0);
    MUST(pe_sem_count(sem), 0);
    ORDER(1);
    async_assert_ended(tasks[0], 0);
    async_assert_ended(tasks[1], 0);
    end();
}

static int take_unit_in_time(pe_task *t, void *frame)
{
    static pe_limit limit;
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &limit, pe_after(PE_MS(2)), pe_sem_acquire(t, sem));
    note(a, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_waiter_whose_time_is_over_takes_nothing)
{
    struct actor actors[2];

    begin();
    *actors = (struct actor){ .number = 0 };
    pe_task *late = told_start(loop, take_unit_in_time, &actors[0]);
    pe_task *next = start(take_unit, &actors[1], 1);
    while (pe_task_has_ended(late) == 0)
        pe_loop_poll(loop);
    async_assert_ended(late, PE_ETIMEDOUT);
    MUST(pe_sem_release(sem), 0);
    told_settle(loop);
    ORDER(0, 1);
    async_assert_ended(next, 0);
    end();
}

PE_TEST(the_most_units)
{
    pe_sem *full;

    begin();
    MUST(pe_sem_new(loop, INT32_MAX, &full), 0);
    MUST(pe_sem_release(full), PE_EINVAL);
    MUST(pe_sem_try_acquire(full), 0);
    MUST(pe_sem_count(full), INT32_MAX - 1);
    MUST(pe_sem_release(full), 0);
    MUST(pe_sem_release(full), PE_EINVAL);
    pe_sem_free(full);
    end();
}

/* ---- locks ---- */

/* Holds the lock till it is told. */
static int hold(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_lock_acquire(t, lock));
    note(a, t->result);
    if (t->result < 0)
        PE_RETURN(t, t->result);
    WAIT_TILL_TOLD(t);
    MUST(pe_lock_release(t, lock), 0);
    MUST(pe_lock_release(t, lock), PE_EPERM);
    PE_END(t);
}

/* Ends without giving it up. */
static int hold_to_the_end(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_lock_acquire(t, lock));
    note(frame, t->result);
    WAIT_TILL_TOLD(t);
    PE_RETURN(t, -5);
    PE_END(t);
}

static int try_lock(pe_task *t, void *frame)
{
    struct actor *a = frame;

    a->result = pe_lock_try_acquire(t, lock);
    if (a->result < 0) {
        MUST(pe_lock_release(t, lock), PE_EPERM);
        return a->result;
    }
    MUST(pe_lock_try_acquire(t, lock), PE_EDEADLK);
    MUST(pe_lock_acquire(t, lock), PE_EDEADLK);
    MUST(pe_lock_release(t, lock), 0);
    return 0;
}

PE_TEST(a_lock_goes_from_one_to_the_next)
{
    struct actor actors[4], trying;
    pe_task *tasks[4];

    begin();
    async_assert_ended(start(try_lock, &trying, 9), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = start(hold, &actors[i], i);
    async_assert_ended(start(try_lock, &trying, 9), PE_EAGAIN);
    ORDER(0);
    cancel(tasks[2]);
    ORDER(2);
    async_assert_ended(tasks[2], PE_ECANCELED);
    told_end(tasks[0], 0);
    told_settle(loop);
    ORDER(1);
    tell(tasks[1]);
    ORDER(3);
    tell(tasks[3]);
    async_assert_ended(start(try_lock, &trying, 9), 0);
    async_assert_ended(tasks[0], 0);
    async_assert_ended(tasks[1], 0);
    async_assert_ended(tasks[3], 0);
    end();
}

PE_TEST(a_task_that_ends_gives_up_its_lock)
{
    struct actor actors[2];

    async_failures = 0;
    begin();
    MUST(pe_loop_on_failure(loop, async_count_failure, NULL), 0);
    pe_task *first = start(hold_to_the_end, &actors[0], 0), *second = start(hold, &actors[1], 1);
    ORDER(0);
    tell(first);
    ORDER(1);
    MUST(actors[1].result, 0);
    pe_task_free(first);
    MUST(async_failures, 1); /* to have waited for its lock is not to have looked at its failure */
    tell(second);
    async_assert_ended(second, 0);
    end();
}

/* Takes two locks, one after the other when it is told. */
struct pair {
    struct actor actor;
    pe_lock *first, *second;
};

static int take_both(pe_task *t, void *frame)
{
    struct pair *p = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, p->first));
    WAIT_TILL_TOLD(t);
    PE_AWAIT(t, pe_lock_acquire(t, p->second));
    note(&p->actor, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_ring_of_locks_is_refused)
{
    begin();
    struct pair pairs[2] = { { { .number = 0 }, lock, other_lock }, { { .number = 1 }, other_lock, lock } };
    pe_task *tasks[2] = { told_start(loop, take_both, &pairs[0]), told_start(loop, take_both, &pairs[1]) };
    told_settle(loop);
    tell(tasks[0]);
    tell(tasks[1]); /* which gives up its lock by ending */
    ORDER(1, 0);
    async_assert_ended(tasks[1], PE_EDEADLK);
    async_assert_ended(tasks[0], 0);
    end();
}

/* ---- events ---- */

static int wait_for_event(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_event_wait(t, event));
    note(a, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(an_event_wakes_all_that_wait_and_stays)
{
    struct actor actors[4];
    pe_task *tasks[4];

    begin();
    MUST(pe_event_is_set(event), 0);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(wait_for_event, &actors[i], i);
    cancel(tasks[1]);
    MUST(pe_event_set(event), 0);
    MUST(pe_event_set(event), 0);
    MUST(pe_event_clear(event), 0); /* they have been woken all the same */
    MUST(pe_event_is_set(event), 0);
    told_settle(loop);
    ORDER(1, 0, 2);
    tasks[3] = start(wait_for_event, &actors[3], 3);
    MUST(actors[3].step, 0);
    MUST(pe_event_set(event), 0);
    MUST(pe_event_is_set(event), 1);
    told_settle(loop);
    async_assert_ended(tasks[3], 0);
    tasks[3] = start(wait_for_event, &actors[3], 3);
    async_assert_ended(tasks[3], 0);
    async_assert_ended(tasks[0], 0);
    async_assert_ended(tasks[1], PE_ECANCELED);
    async_assert_ended(tasks[2], 0);
    end();
}

/* ---- conditions ---- */

/* Waits for the condition, and holds the lock then till it is told. */
static int wait_for_cond(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, lock));
    PE_AWAIT(t, pe_cond_wait(t, cond, lock));
    note(a, t->result);
    MUST(pe_lock_try_acquire(t, lock), PE_EDEADLK); /* it has it */
    WAIT_TILL_TOLD(t);
    MUST(pe_lock_release(t, lock), 0);
    PE_RETURN(t, a->result);
    PE_END(t);
}

PE_TEST(signals_wake_the_first_and_the_lock_is_taken_again)
{
    struct actor actors[4], holder;
    pe_task *tasks[4];

    begin();
    MUST(pe_cond_signal(cond), 0); /* nobody waits: it is gone */
    for (int i = 0; i < 4; i++)
        tasks[i] = start(wait_for_cond, &actors[i], i);
    ORDER_NONE();
    MUST(pe_cond_signal(cond), 0);
    told_settle(loop);
    ORDER(0);
    MUST(pe_cond_signal_all(cond), 0);
    told_settle(loop);
    ORDER_NONE();
    pe_task *held = start(hold, &holder, 9); /* comes after them */
    tell(tasks[0]);
    ORDER(1);
    tell(tasks[1]);
    ORDER(2);
    tell(tasks[2]);
    ORDER(3);
    tell(tasks[3]);
    ORDER(9);
    tell(held);
    for (int i = 0; i < 4; i++)
        async_assert_ended(tasks[i], 0);
    async_assert_ended(held, 0);
    end();
}

PE_TEST(a_wait_that_is_cancelled_takes_the_lock_again_and_no_signal)
{
    struct actor actors[2], holder;

    begin();
    pe_task *first = start(wait_for_cond, &actors[0], 0), *second = start(wait_for_cond, &actors[1], 1);
    pe_task *held = start(hold, &holder, 9);
    ORDER(9);
    cancel(first);
    ORDER_NONE(); /* it waits for the lock */
    MUST(pe_cond_signal(cond), 0);
    told_settle(loop);
    tell(held);
    ORDER(0);
    MUST(actors[0].result, PE_ECANCELED);
    MUST(pe_task_cancels(first), 1);
    tell(first);
    ORDER(1);
    MUST(actors[1].result, 0);
    tell(second);
    async_assert_ended(first, PE_ECANCELED);
    async_assert_ended(second, 0);
    async_assert_ended(held, 0);
    end();
}

/* It has its signal; the request is for its next wait. */
static int wait_for_cond_and_yield(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, lock));
    PE_AWAIT(t, pe_cond_wait(t, cond, lock));
    note(a, t->result);
    PE_YIELD(t);
    a->yielded = t->result;
    PE_RETURN(t, a->result);
    PE_END(t);
}

PE_TEST(a_cancel_after_the_signal_loses_neither)
{
    struct actor actor, holder;

    begin();
    pe_task *waiter = start(wait_for_cond_and_yield, &actor, 0);
    pe_task *held = start(hold, &holder, 9);
    MUST(pe_cond_signal(cond), 0);
    cancel(waiter);
    ORDER(9);
    tell(held);
    ORDER(0);
    async_assert_ended(waiter, 0);
    MUST(actor.yielded, PE_ECANCELED);
    async_assert_ended(held, 0);
    end();
}

static int wait_for_cond_in_time(pe_task *t, void *frame)
{
    static pe_limit limit;
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, lock));
    PE_AWAIT_UNTIL(t, &limit, pe_after(PE_MS(2)), pe_cond_wait(t, cond, lock));
    note(a, t->result);
    MUST(pe_lock_release(t, lock), 0);
    PE_RETURN(t, a->result);
    PE_END(t);
}

PE_TEST(a_condition_with_a_time_limit)
{
    struct actor actor, holder;

    begin();
    actor = (struct actor){ .number = 0 };
    pe_task *waiter = told_start(loop, wait_for_cond_in_time, &actor);
    pe_task *held = start(hold, &holder, 9);
    int64_t end_ns = pe_after(PE_MS(4));
    while (pe_now() < end_ns)
        pe_loop_poll(loop);
    MUST(pe_task_has_ended(waiter), 0);
    tell(held);
    async_assert_ended(waiter, PE_ETIMEDOUT);
    async_assert_ended(held, 0);
    ORDER(9, 0);
    end();
}

/* The one that waits in the condition holds another lock, for which the one that gets its first one waits. */
static int hold_another_in_cond(pe_task *t, void *frame)
{
    struct actor *a = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, other_lock));
    PE_TRY(t, pe_lock_acquire(t, lock));
    PE_AWAIT(t, pe_cond_wait(t, cond, lock));
    note(a, t->result);
    PE_RETURN(t, a->result);
    PE_END(t);
}

PE_TEST(a_ring_of_locks_through_a_condition_is_found)
{
    struct actor actor;

    begin();
    struct pair pair = { { .number = 1 }, lock, other_lock };
    pe_task *waiter = start(hold_another_in_cond, &actor, 0);
    pe_task *other = told_start(loop, take_both, &pair);
    told_settle(loop);
    tell(other);
    MUST(pe_cond_signal(cond), 0);
    told_settle(loop);
    async_assert_ended(waiter, PE_EDEADLK);
    async_assert_ended(other, 0);
    ORDER(0, 1);
    end();
}

/* ---- ends ---- */

static int take_lock(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_lock_acquire(t, lock));
    note(frame, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int wait_for_cond_to_the_end(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_TRY(t, pe_lock_acquire(t, lock));
    PE_AWAIT(t, pe_cond_wait(t, cond, lock));
    note(frame, t->result);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(objects_that_are_freed_end_their_waits)
{
    struct actor actors[6];
    pe_task *tasks[6];

    begin();
    tasks[0] = start(take_unit, &actors[0], 0);
    tasks[1] = start(wait_for_event, &actors[1], 1);
    tasks[2] = start(wait_for_cond_to_the_end, &actors[2], 2);
    tasks[3] = start(hold_to_the_end, &actors[3], 3);
    tasks[4] = start(take_lock, &actors[4], 4);
    ordered = 0;
    pe_sem_free(sem);
    pe_event_free(event);
    pe_cond_free(cond); /* waits for the lock now, behind the other */
    sem = NULL, event = NULL, cond = NULL;
    told_settle(loop);
    ORDER(0, 1);
    pe_lock_free(lock);
    lock = NULL;
    told_settle(loop);
    ORDER(4, 2);
    tell(tasks[3]);
    for (int i = 0; i < 5; i++)
        async_assert_ended(tasks[i], i == 3 ? -5 : PE_ECLOSED);
    end();
}

PE_TEST(a_lock_that_is_freed_while_a_condition_has_it)
{
    struct actor actors[2];

    begin();
    pe_task *first = start(wait_for_cond_to_the_end, &actors[0], 0);
    pe_task *second = start(wait_for_cond_to_the_end, &actors[1], 1);
    pe_lock_free(lock);
    lock = NULL;
    told_settle(loop);
    ORDER_NONE();
    MUST(pe_cond_signal(cond), 0);
    told_settle(loop);
    cancel(second);
    ORDER(0, 1);
    async_assert_ended(first, PE_ECLOSED);
    async_assert_ended(second, PE_ECLOSED);
    end();
}

PE_TEST_LOOP(a_loop_is_closed_with_all_kinds_of_waits, 0, 2)
{
    struct actor actors[6];
    pe_task *tasks[6];

    begin();
    MUST(pe_loop_set_grace(loop, _i ? PE_NOW : PE_MS(1)), 0);
    tasks[0] = start(take_unit, &actors[0], 0);
    tasks[1] = start(wait_for_event, &actors[1], 1);
    tasks[2] = start(wait_for_cond_to_the_end, &actors[2], 2);
    tasks[3] = start(wait_for_cond_to_the_end, &actors[3], 3);
    tasks[4] = start(hold_to_the_end, &actors[4], 4);
    MUST(pe_cond_signal(cond), 0);
    tasks[5] = start(take_lock, &actors[5], 5);
    told_end(tasks[4], 0);
    pe_loop_free(loop);
    loop = NULL;
    async_assert_ended(tasks[0], PE_ECANCELED);
    async_assert_ended(tasks[1], PE_ECANCELED);
    for (int i = 2; i < 6; i++) {
        MUST(pe_task_has_ended(tasks[i]), 1);
        pe_task_free(tasks[i]);
    }
    ordered = 0;
    end();
}

/* ---- wrong use ---- */

static int misuse(pe_task *t, void *frame)
{
    pe_loop *other_loop = frame;
    pe_sem *far_sem;
    pe_lock *far_lock;
    pe_event *far_event;
    pe_cond *far_cond;

    MUST(pe_sem_new(other_loop, 1, &far_sem), 0);
    MUST(pe_lock_new(other_loop, &far_lock), 0);
    MUST(pe_event_new(other_loop, &far_event), 0);
    MUST(pe_cond_new(other_loop, &far_cond), 0);
    MUST(pe_sem_acquire(t, NULL), PE_EINVAL);
    MUST(pe_sem_acquire(t, far_sem), PE_EINVAL);
    MUST(pe_event_wait(t, NULL), PE_EINVAL);
    MUST(pe_event_wait(t, far_event), PE_EINVAL);
    MUST(pe_lock_acquire(t, NULL), PE_EINVAL);
    MUST(pe_lock_acquire(t, far_lock), PE_EINVAL);
    MUST(pe_lock_try_acquire(t, NULL), PE_EINVAL);
    MUST(pe_lock_try_acquire(t, far_lock), PE_EINVAL);
    MUST(pe_lock_release(t, NULL), PE_EINVAL);
    MUST(pe_lock_release(t, far_lock), PE_EINVAL);
    MUST(pe_cond_wait(t, cond, lock), PE_EPERM);
    MUST(pe_cond_wait(t, NULL, lock), PE_EINVAL);
    MUST(pe_cond_wait(t, cond, NULL), PE_EINVAL);
    MUST(pe_cond_wait(t, far_cond, far_lock), PE_EINVAL);
    MUST(pe_cond_wait(t, cond, far_lock), PE_EINVAL);
    pe_sem_free(far_sem);
    pe_lock_free(far_lock);
    pe_event_free(far_event);
    pe_cond_free(far_cond);
    return 0;
}

PE_TEST(wrong_use_is_refused)
{
    pe_loop *other_loop;
    pe_sem *none = NULL;

    begin();
    MUST(pe_loop_new(NULL, &other_loop), 0);
    pe_task *task = told_start(loop, misuse, other_loop);
    told_settle(loop);
    async_assert_ended(task, 0);
    MUST(pe_sem_new(loop, UINT32_C(1) << 31, &none), PE_EINVAL);
    ck_assert_ptr_null(none);
    pe_loop_free(other_loop);
    end();
}

HARNESS_MAIN("sync")
