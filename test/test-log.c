/* The log: levels, the hook, messages that are too long, and threads that change the hook. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include <parexec/error.h>
#include <parexec/log.h>

#include "base/log.h"
#include "harness/harness.h"

struct heard {
    int count, level;
    char text[1024];
};

static void hear(int level, const char *message, void *context)
{
    struct heard *heard = context;

    heard->count++;
    heard->level = level;
    snprintf(heard->text, sizeof heard->text, "%s", message);
    errno = 1;
}

PE_TEST(log_reaches_the_hook_and_keeps_errno)
{
    struct heard first = { 0, 0, "" }, second = { 0, 0, "" };

    pe__base_log(PE_LOG_ERROR, "nobody hears %d", 1);
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    errno = 1234;
    pe__base_log(PE_LOG_WARNING, "%s %d", "seven", 7);
    ck_assert_int_eq(errno, 1234);
    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(first.level, PE_LOG_WARNING);
    ck_assert_str_eq(first.text, "seven 7");
    ck_assert_int_eq(pe_set_log(hear, &second), 0);
    pe__base_log(PE_LOG_INFO, "two");
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    pe__base_log(PE_LOG_INFO, "three");
    ck_assert_int_eq(pe_set_log(NULL, &second), 0);
    pe__base_log(PE_LOG_INFO, "four");
    ck_assert_int_eq(first.count, 2);
    ck_assert_int_eq(second.count, 1);
    ck_assert_str_eq(second.text, "two");
    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    pe__base_log_off();
    pe__base_log(PE_LOG_INFO, "five");
    ck_assert_int_eq(first.count, 2);
}
END_TEST

PE_TEST(log_cuts_long_messages)
{
    struct heard heard = { 0, 0, "" };
    char text[2000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    pe__base_log(PE_LOG_INFO, "%s", text);
    ck_assert_uint_eq(strlen(heard.text), 511);
    pe_set_log(NULL, NULL);
}
END_TEST

PE_TEST(log_without_memory_keeps_the_former_hook)
{
    struct heard first = { 0, 0, "" }, second = { 0, 0, "" };

    ck_assert_int_eq(pe_set_log(hear, &first), 0);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe_set_log(hear, &second), PE_ENOMEM);
    pe__base_log(PE_LOG_INFO, "one");
    ck_assert_int_eq(first.count, 1);
    ck_assert_int_eq(pe_set_log(NULL, NULL), 0);
    ck_assert_int_eq(pe_set_log(hear, &first), 0);  /* known already: needs no memory */
    pe_set_log(NULL, NULL);
}
END_TEST

static int torn;

static void hear_a(int level, const char *message, void *context)
{
    (void)level;
    (void)message;
    if (*(const char *)context != 'a')
        __atomic_store_n(&torn, 1, __ATOMIC_RELAXED);
}

static void hear_b(int level, const char *message, void *context)
{
    (void)level;
    (void)message;
    if (*(const char *)context != 'b')
        __atomic_store_n(&torn, 1, __ATOMIC_RELAXED);
}

static void *change_hooks(void *argument)
{
    static char a = 'a', b = 'b';

    (void)argument;
    for (int i = 0; i < 20000; i++)
        pe_set_log(i % 2 ? hear_a : hear_b, i % 2 ? &a : &b);
    return NULL;
}

PE_TEST(log_function_and_context_change_together)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, change_hooks, NULL), 0);
    for (int i = 0; i < 20000; i++)
        pe__base_log(PE_LOG_INFO, "x");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pe_set_log(NULL, NULL);
    ck_assert_int_eq(torn, 0);
}
END_TEST

HARNESS_MAIN("log")
