/*
 * Tasks: how they begin, wait, are awaited, cancelled and end.
 */
#include "harness/harness.h"

#include <parexec.h>

static int return_seven(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(10)));
    PE_RETURN(t, t->result == 0 ? 7 : t->result);
    PE_END(t);
}

PE_TEST(i01_main_task_sleeps_and_returns_seven)
{
    int64_t begin_ns = pe_now();
    int value = 0;

    ck_assert_int_eq(pe_run(return_seven, NULL, &value), 0);
    ck_assert_int_eq(value, 7);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(10));
}

/* PE_TRY would end the task with anything below 0. */
static int try_turns(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_yield(t));
    PE_TRY(t, pe_sleep(t, 0));
    PE_RETURN(t, t->result == 0 ? 3 : -1);
    PE_END(t);
}

PE_TEST(a_turn_ends_with_zero)
{
    int value = 0;

    ck_assert_int_eq(pe_run(try_turns, NULL, &value), 0);
    ck_assert_int_eq(value, 3);
}

HARNESS_MAIN("task")
