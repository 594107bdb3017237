/* limit.h - time limits of a task: a chain from the innermost to the outermost, each in the program's memory. */
#ifndef PE__ASYNC_LIMIT_H
#define PE__ASYNC_LIMIT_H

#include <stdbool.h>

#include <parexec/limit.h>

#include "async/task.h"

struct __attribute__((may_alias)) pe__limit {
    struct pe__limit *outer;
    struct pe__task *task;     /* NULL: it has been left */
    struct pe_call_link *call; /* the call of pe_call that it was entered in; NULL: none */
    struct pe__timer timer;
    uint8_t has_fired;
    uint8_t is_answered;       /* a wait has ended since then, for it or for something more urgent */
    uint8_t is_to_blame;       /* a wait has ended with PE_ETIMEDOUT for it */
    uint8_t shield;            /* depth of the section that it was entered in: it is held back in deeper ones */
};

_Static_assert(sizeof(struct pe__limit) <= sizeof(pe_limit), "a limit's contents fit");

/* Whether one of the task's has fired, has not been answered, and is not held back. */
bool pe__limit_is_due(const struct pe__task *task);

/* A wait ends, which answers all that have fired; with PE_ETIMEDOUT the outermost of these is to blame. */
void pe__limit_answered(struct pe__task *task, int result);

/* The innermost one of its task. 1: it is to blame. */
int pe__limit_leave(struct pe__limit *limit);

/* The innermost call of the task, or the task itself, ends, whatever limits it has left open. */
void pe__limit_leave_open(struct pe__task *task);

#endif
