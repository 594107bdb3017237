/* waiters.c - what is too seldom, or called by address, to be inlined. */
#include "async/waiters.h"

void pe__waiters_end_all(struct pe__waiters *waiters, int result)
{
    while (pe__waiters_end_first(waiters, result))
        ;
}

void pe__waiters_cancel(struct pe__task *task)
{
    pe__waiters_remove(task);
    pe__wait_end(task, PE_ECANCELED);
}
