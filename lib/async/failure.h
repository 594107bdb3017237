/* failure.h - tasks that have failed and that nobody has looked at. */
#ifndef PE__ASYNC_FAILURE_H
#define PE__ASYNC_FAILURE_H

#include "async/task.h"

/* The task has ended with an error. */
void pe__failure_note(struct pe__task *task);

/* Nobody can look any more: its last handle is gone. */
void pe__failure_forgotten(struct pe__task *task);

/* The loop is closed: what nobody has looked at is reported now. */
void pe__failure_report_all(pe_loop *loop);

#endif
