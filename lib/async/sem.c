/* sem.c - semaphores. There is a free unit only while nobody waits. */
#include <parexec/sync.h>

#include "async/waiters.h"

struct pe_sem {
    pe_loop *loop;
    int32_t count;
    struct pe__waiters waiters;
};

static const struct pe__wait_kind kind = { .name = "a semaphore", .cancel = pe__waiters_cancel };

static int check(const pe_sem *sem)
{
    return sem == NULL ? PE_EINVAL : pe__loop_check(sem->loop);
}

int pe_sem_new(pe_loop *loop, uint32_t count, pe_sem **ret_sem)
{
    int result = pe__loop_check(loop);

    if (result == 0 && (ret_sem == NULL || count > INT32_MAX))
        result = PE_EINVAL;
    if (result < 0)
        return result;
    struct pe_sem *sem = pe__loop_alloc(loop, sizeof *sem);
    if (sem == NULL)
        return PE_ENOMEM;
    *sem = (struct pe_sem){ .loop = loop, .count = (int32_t)count };
    pe__waiters_init(&sem->waiters);
    *ret_sem = sem;
    return 0;
}

int pe_sem_acquire(pe_task *t, pe_sem *sem)
{
    int result = pe__waiters_check(t, sem == NULL ? NULL : sem->loop);

    if (result != 0)
        return result;
    if (sem->count == 0)
        return pe__waiters_wait(&sem->waiters, t, &kind, sem, NULL);
    sem->count--;
    return 0;
}

int pe_sem_try_acquire(pe_sem *sem)
{
    int result = check(sem);

    if (result == 0 && sem->count == 0)
        result = PE_EAGAIN;
    if (result == 0)
        sem->count--;
    return result;
}

int pe_sem_release(pe_sem *sem)
{
    int result = check(sem);

    if (result == 0 && sem->count == INT32_MAX)
        result = PE_EINVAL;
    if (result == 0 && !pe__waiters_end_first(&sem->waiters, 0))
        sem->count++;
    return result;
}

int pe_sem_count(const pe_sem *sem)
{
    int result = check(sem);

    return result < 0 ? result : sem->count;
}

void pe_sem_free(pe_sem *sem)
{
    if (sem == NULL || pe__base_forked(sem->loop->token))
        return;
    pe__waiters_end_all(&sem->waiters, PE_ECLOSED);
    pe__loop_dealloc(sem->loop, sem, sizeof *sem);
}
