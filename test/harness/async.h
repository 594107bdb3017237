#ifndef PE__TEST_HARNESS_ASYNC_H
#define PE__TEST_HARNESS_ASYNC_H

/* For tests of tasks and loops: linked to each of them. Before main it makes libuv open what it keeps open for as long
 * as a process lives, so that the leak detectors do not take it for a leak. */

#include <parexec/async.h>

/* Fails the test unless the call gives this. */
#define MUST(call, wanted) ck_assert_int_eq((call), (wanted))

/* What happened, in order: words with blanks between them. */
struct diary {
    char text[4096];
    size_t bytes;
};

void diary_add(struct diary *diary, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define DIARY_MUST_BE(diary, wanted) ck_assert_str_eq((diary)->text, (wanted))

/* A loop of its own, or the test fails. */
pe_loop *async_loop(void);
/* A task of it with this frame itself; with a handle if `ret_task` is not NULL. */
void async_start(pe_loop *loop, pe_task_fn *fn, void *frame, pe_task **ret_task);
/* Runs the loop till no task is left, and frees it. */
void async_finish(pe_loop *loop);

/* Polls till all tasks wait. */
void async_settle(pe_loop *loop);

/* The task has ended with this; gives it back. */
void async_assert_ended(pe_task *task, int result);

int async_sleep_for_ever(pe_task *t, void *frame);
/* Waits for a task, and ends as it has; the frame is the address of its handle. */
int async_await_other(pe_task *t, void *frame);

/* Counts the failures of tasks that nobody has looked at: for pe_loop_on_failure. */
extern int async_failures;
void async_count_failure(pe_loop *loop, const char *task_name, int error, void *context);

/* For diaries: C cancelled, T timed out, ? another error, else the last digit. */
char async_letter(int result);

/* Starts tasks that sleep until the loop has no memory at hand, so that what is wanted next has to be allocated. */
void async_use_memory_up(pe_loop *loop);

/* Runs a task again and again until it waits, each time on a loop of its own without memory at hand, the first, second
 * and so on of its allocations failing. `result` is what its wait gave: PE_WAIT, or it must be PE_ENOMEM. Returns how
 * often it was that. */
int async_refusals(pe_task_fn *fn, void *frame, const int *result);

#endif
