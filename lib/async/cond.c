/*
 * cond.c - conditions. A task that waits in one has lent its lock, noted as its place in the list; however it is woken,
 * the lock decides when its wait ends.
 */
#include "async/lock.h"

struct pe_cond {
    pe_loop *loop;
    struct pe__waiters waiters;
};

static void cancel(struct pe__task *task)
{
    pe__waiters_remove(task);
    pe__lock_return(task->in.waiter.place, task, PE_ECANCELED);
}

static const struct pe__wait_kind kind = { .name = "a condition", .cancel = cancel };

static int check(const pe_cond *cond)
{
    return cond == NULL ? PE_EINVAL : pe__loop_check(cond->loop);
}

/* False: nobody waits. */
static bool wake_first(struct pe_cond *cond, int result)
{
    struct pe__task *task = pe__waiters_take(&cond->waiters);

    if (task != NULL)
        pe__lock_return(task->in.waiter.place, task, result);
    return task != NULL;
}

int pe_cond_new(pe_loop *loop, pe_cond **ret_cond)
{
    int result = pe__loop_check(loop);

    if (result == 0 && ret_cond == NULL)
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_cond *cond = pe__loop_alloc(loop, sizeof *cond);
    if (cond == NULL)
        return PE_ENOMEM;
    *cond = (struct pe_cond){ .loop = loop };
    pe__waiters_init(&cond->waiters);
    *ret_cond = cond;
    return 0;
}

int pe_cond_wait(pe_task *t, pe_cond *cond, pe_lock *lock)
{
    int result = pe__waiters_check(t, cond == NULL ? NULL : cond->loop);

    if (result == 0 && (lock == NULL || lock->loop != cond->loop))
        result = PE_EINVAL;
    if (result == 0 && lock->owner != pe__task_of(t))
        result = PE_EPERM;
    if (result != 0)
        return result;
    result = pe__waiters_wait(&cond->waiters, t, &kind, cond, lock);
    if (result == PE_WAIT)
        pe__lock_lend(lock);
    return result;
}

int pe_cond_signal(pe_cond *cond)
{
    int result = check(cond);

    if (result == 0)
        (void)wake_first(cond, 0);
    return result;
}

int pe_cond_signal_all(pe_cond *cond)
{
    int result = check(cond);

    while (result == 0 && wake_first(cond, 0))
        ;
    return result;
}

void pe_cond_free(pe_cond *cond)
{
    if (cond == NULL || pe__base_forked(cond->loop->token))
        return;
    while (wake_first(cond, PE_ECLOSED))
        ;
    pe__loop_dealloc(cond->loop, cond, sizeof *cond);
}
