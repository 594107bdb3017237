/* waiters.c - see waiters.h. */
#include "async/waiters.h"

void pe__waiters_cancel(struct pe__task *task)
{
    pe__waiters_remove(task);
    pe__wait_end(task, PE_ECANCELED);
}
