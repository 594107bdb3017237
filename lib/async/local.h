/* local.h - values that tasks carry. */
#ifndef PE__ASYNC_LOCAL_H
#define PE__ASYNC_LOCAL_H

#include "async/task.h"

/* The new task starts with its parent's values. False: no memory. */
bool pe__local_inherit(struct pe__task *task, const struct pe__task *parent);

/* The task ends. */
void pe__local_drop(struct pe__task *task);

#endif
