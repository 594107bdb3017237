/* region.h - regions of a task: a chain from the innermost to the outermost, each in the program's memory. */
#ifndef PE__ASYNC_REGION_H
#define PE__ASYNC_REGION_H

#include <parexec/task_region.h>

#include "async/task.h"

struct pe__task_region {
    struct pe__task_region *outer;
    pe_call_link *call; /* of the function that entered it, see pe_call; NULL: the task's own */
    uint64_t unmeasured; /* see region.c */
    pe_region_span span;
};

_Static_assert(sizeof(struct pe__task_region) <= offsetof(pe_task_region, turn), "a region's contents fit");

/* For those below, which are called only then: most tasks pay for this test alone. */
static inline bool pe__task_has_regions(const struct pe__task *task)
{
    return __builtin_expect(task->more != NULL, 0) && task->more->regions != NULL;
}

/* A turn of the task begins, and ends with a wait. */
void pe__task_regions_resume(struct pe__task *task);
void pe__task_regions_wait(struct pe__task *task);

/* The innermost call of pe_call returns, or the task ends, whatever regions are left open. */
void pe__task_regions_leave_call(struct pe__task *task);
void pe__task_regions_leave_all(struct pe__task *task);

#endif
