#include "harness/harness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "harness/async.h"

__attribute__((constructor)) static void open_what_libuv_keeps(void)
{
    uv_loop_t loop;

    if (uv_loop_init(&loop) == 0)
        uv_loop_close(&loop);
}

void diary_add(struct diary *diary, const char *format, ...)
{
    size_t room = sizeof diary->text - diary->bytes;
    va_list arguments;

    va_start(arguments, format);
    int blank = diary->bytes > 0 ? snprintf(diary->text + diary->bytes, room, " ") : 0;
    int word = vsnprintf(diary->text + diary->bytes + blank, room - (size_t)blank, format, arguments);
    va_end(arguments);
    ck_assert_int_lt(blank + word, (int)room);
    diary->bytes += (size_t)(blank + word);
}

pe_loop *async_loop(void)
{
    pe_loop *loop = NULL;

    MUST(pe_loop_new(NULL, &loop), 0);
    return loop;
}

void async_start(pe_loop *loop, pe_task_fn *fn, void *frame, pe_task **ret_task)
{
    MUST(pe_spawn(loop, fn, frame, 0, ret_task), 0);
}

void async_finish(pe_loop *loop)
{
    MUST(pe_loop_run(loop), 0);
    pe_loop_free(loop);
}

void async_settle(pe_loop *loop)
{
    while (pe_loop_poll(loop) > 0)
        ;
}

void async_assert_ended(pe_task *task, int result)
{
    MUST(pe_task_has_ended(task), 1);
    MUST(pe_task_result(task), result);
    pe_task_free(task);
}

int async_failures;

void async_count_failure(pe_loop *loop, const char *task_name, int error, void *context)
{
    (void)loop, (void)task_name, (void)error, (void)context;
    async_failures++;
}

char async_letter(int result)
{
    return result == PE_ECANCELED ? 'C' : result == PE_ETIMEDOUT ? 'T' : result >= 0 ? (char)('0' + result % 10) : '?';
}

int async_sleep_for_ever(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_RETURN(t, t->result);
    PE_END(t);
}

int async_await_other(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, pe_await(t, *(pe_task **)frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

void async_use_memory_up(pe_loop *loop)
{
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    while (pe_spawn(loop, async_sleep_for_ever, NULL, 0, NULL) == 0)
        ;
    harness_fail_reset();
}

int async_refusals(pe_task_fn *fn, void *frame, const int *result)
{
    bool has_failed = true;
    int refusals = 0;

    for (uint64_t nth = 1; has_failed; nth++) {
        pe_loop *loop = async_loop();

        async_start(loop, fn, frame, NULL);
        async_use_memory_up(loop);
        harness_fail_nth(HARNESS_MALLOC, nth, ENOMEM);
        async_settle(loop);
        has_failed = harness_fail_count(HARNESS_MALLOC) >= nth;
        harness_fail_reset();
        ck_assert_msg(*result == PE_WAIT || *result == PE_ENOMEM, "%d", *result);
        refusals += *result == PE_ENOMEM;
        pe_loop_free(loop);
    }
    return refusals;
}
