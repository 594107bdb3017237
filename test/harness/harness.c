/*
 * Registration and the run of a test program. The detectors stand in leak.c, the failing calls in fail.c.
 *
 * The detectors are checked fixtures: with CK_FORK=yes they run in the test's own process, so that a test
 * which leaves something does not disturb the next one. They are added to a case before any other fixture;
 * Check runs tear-downs in reverse order, so they see what the other tear-downs left.
 */

#include "harness/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/options.h>

#define TESTS_MAX 1024

struct registered {
    const char *name;
    const TTest *test;
    double seconds;
    int first, last;
};

int64_t harness_patience_ns = INT64_C(2000000000);

static struct registered tests[TESTS_MAX];
static size_t test_count;

void harness_register(const char *name, const TTest *test, double seconds, int first, int last)
{
    if (test_count == TESTS_MAX) {
        fprintf(stderr, "harness: more than %d tests in one program\n", TESTS_MAX);
        abort();
    }
    tests[test_count++] = (struct registered){ name, test, seconds, first, last };
}

double harness_slowness(void)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    double factor = text ? strtod(text, NULL) : 1.0;

    return factor > 1.0 ? factor : 1.0;
}

uint64_t harness_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

int harness_forks(void)
{
    const char *text = getenv("CK_FORK");

    return !text || strcmp(text, "no") != 0;
}

int harness_valgrind(void)
{
    const char *text = getenv("PAREXEC_TEST_TOOL");

    return text && strcmp(text, "valgrind") == 0;
}

int harness_long(void)
{
    return getenv("PAREXEC_TEST_LONG") != NULL;
}

int64_t harness_soak_ns(int64_t quick_ns)
{
    const char *seconds = getenv("PAREXEC_TEST_SOAK");

    if (seconds != NULL)
        return PE_SECONDS(strtoll(seconds, NULL, 10));
    return harness_long() ? PE_SECONDS(600) : quick_ns;
}

static void before_test(void)
{
    harness_fail_reset();
    harness_leaks_mark();
}

static void after_test(void)
{
    static char text[4096];
    int64_t wait_ns = (int64_t)(harness_slowness() * (double)harness_patience_ns);

    harness_fail_reset();
    if (harness_leaks_find(wait_ns, text, sizeof text) > 0)
        ck_abort_msg("left behind: %s", text);
}

TCase *harness_tcase(Suite *suite, const char *name, double seconds)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, seconds);
    tcase_add_checked_fixture(tcase, before_test, after_test);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int harness_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]))
            return 1;
    }
    return argc < 2;
}

int harness_main(const char *suite_name, int argc, char **argv)
{
    Suite *suite = suite_create(suite_name);

    for (size_t i = 0; i < test_count; i++) {
        const struct registered *test = &tests[i];

        if (is_wanted(test->name, argc, argv)) {
            TCase *tcase = harness_tcase(suite, test->name, test->seconds);
            tcase_add_loop_test(tcase, test->test, test->first, test->last);
        }
    }
    return harness_run(suite);
}

/* Check's TAP output knows no skipped tests: a line of its own beside "ok" says it, and test/run counts it.
 */
void harness_skipped(const char *function, const char *format, ...)
{
    char line[512];
    int name_bytes = (int)strlen(function);
    int used;
    va_list arguments;

    if (name_bytes > 3 && strcmp(function + name_bytes - 3, "_fn") == 0)
        name_bytes -= 3; /* Check's name for the function of a test */
    used = snprintf(line, sizeof line, "# SKIP %.*s: ", name_bytes, function);
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    if (write(STDOUT_FILENO, line, strlen(line)) < 0)
        ck_abort_msg("cannot report that the test is skipped");
}
