/*
 * The harness itself: each detector sees what it is there for and nothing else, and a call fails exactly when
 * told to. Run with HARNESS_LEAKY=1 the program leaks on purpose; one test runs it so and reads the verdicts.
 */

#include "harness/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/worker.h>

#include "harness/pool.h"
#include "harness/process.h"

#define SHORT_NS INT64_C(20000000)
#define LONG_NS  INT64_C(20000000000)

static char text[4096];

/* Forks a child that waits to be killed; orphan: through a child between that ends at once. */
static pid_t fork_sleeper(int orphan, int own_session)
{
    int fds[2];
    pid_t child, sleeper;

    ck_assert_int_eq(pipe(fds), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (orphan && fork() > 0)
            _exit(0);
        if (own_session)
            setsid();
        sleeper = getpid();
        if (write(fds[1], &sleeper, sizeof sleeper) < 0)
            _exit(1);
        close(fds[0]);
        close(fds[1]);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(fds[0], &sleeper, sizeof sleeper), sizeof sleeper);
    close(fds[0]);
    close(fds[1]);
    if (orphan)
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return sleeper;
}

static void assert_found(const char *what)
{
    ck_assert_int_eq(harness_leaks_find(SHORT_NS, text, sizeof text), 1);
    ck_assert_msg(strstr(text, what) != NULL, "found something else: %s", text);
}

static void assert_clean(void)
{
    int differences = harness_leaks_find(LONG_NS, text, sizeof text);

    ck_assert_msg(differences == 0, "found: %s", text);
}

PE_TEST(leaks_none_when_nothing_happened)
{
    free(malloc(100));
    assert_clean();
}

PE_TEST(leaks_an_open_descriptor)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_found("/dev/null");
    close(fd);
    assert_clean();
}

PE_TEST(leaks_a_closed_descriptor)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    harness_leaks_mark();
    close(fd);
    assert_found("gone: descriptor");
    harness_leaks_mark();
}

PE_TEST(leaks_a_swapped_descriptor)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    harness_leaks_mark();
    close(fd);
    ck_assert_int_eq(open("/dev/zero", O_RDONLY | O_CLOEXEC), fd);
    ck_assert_int_eq(harness_leaks_find(0, text, sizeof text), 2);
    close(fd);
    harness_leaks_mark();
}

PE_TEST(leaks_a_child)
{
    pid_t child = fork_sleeper(0, 0);

    assert_found("new: process");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_clean();
}

PE_TEST(leaks_an_unreaped_child)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    assert_found("new: process");
    waitpid(child, NULL, 0);
    assert_clean();
}

/* As the keeper is: not our child, in a session of its own. */
PE_TEST(leaks_a_detached_process)
{
    pid_t sleeper = fork_sleeper(1, 1);

    assert_found("new: process");
    kill(sleeper, SIGKILL);
    assert_clean();
}

PE_TEST(leaks_a_shared_mapping)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    assert_found("new: shared mapping");
    munmap(memory, 4096);
    assert_clean();
}

PE_TEST(leaks_no_private_mapping)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    assert_clean();
    munmap(memory, 4096);
}

PE_TEST(leaks_marked_are_rightful)
{
    pid_t sleeper = fork_sleeper(1, 1);

    harness_leaks_mark();
    assert_clean();
    kill(sleeper, SIGKILL);
}

PE_TEST(leaks_wait_for_a_straggler)
{
    int fds[2];
    pid_t child;
    char byte;

    ck_assert_int_eq(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        close(fds[1]);
        if (fork() == 0) /* an orphan that ends when the pipe's other end is closed: below, after the look */
            _exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    ck_assert_int_eq(harness_leaks_find(0, text, sizeof text), 3);
    close(fds[0]);
    close(fds[1]);
    assert_clean();
}

PE_TEST(fail_hits_the_nth_call_once)
{
    void *memory[3];

    harness_fail_nth(HARNESS_MALLOC, 2, ENOMEM);
    memory[0] = harness_call_malloc(10);
    errno = 0;
    memory[1] = harness_call_calloc(1, 10);
    ck_assert_int_eq(errno, ENOMEM);
    memory[2] = harness_call_realloc(NULL, 10);
    ck_assert_ptr_nonnull(memory[0]);
    ck_assert_ptr_null(memory[1]);
    ck_assert_ptr_nonnull(memory[2]);
    ck_assert_uint_eq(harness_fail_count(HARNESS_MALLOC), 3);
    free(memory[0]);
    free(memory[2]);
}

PE_TEST(fail_from_hits_all_later_calls)
{
    int fds[2];

    harness_fail_from(HARNESS_PIPE, 1, EMFILE);
    ck_assert_int_eq(harness_call_pipe(fds), -1);
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_int_eq(harness_call_pipe2(fds, O_CLOEXEC), -1);
    harness_fail_reset();
    ck_assert_uint_eq(harness_fail_count(HARNESS_PIPE), 0);
    ck_assert_int_eq(harness_call_pipe(fds), 0);
    close(fds[0]);
    close(fds[1]);
}

PE_TEST(fail_every_kind)
{
    int fds[2];

    for (int which = 0; which < HARNESS_CALL_COUNT; which++)
        harness_fail_nth((enum harness_call)which, 1, EAGAIN);
    ck_assert_int_eq(harness_call_fork(), -1);
    ck_assert_int_eq(harness_call_pipe(fds), -1);
    ck_assert_int_eq(harness_call_socketpair(1, 1, 0, fds), -1);
    ck_assert_int_eq(harness_call_eventfd(0, 0), -1);
    ck_assert_ptr_eq(harness_call_mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                     MAP_FAILED);
    ck_assert_int_eq(harness_call_memfd_create("test", 0), -1);
    ck_assert_int_eq(harness_call_pidfd_open(getpid(), 0), -1);
    ck_assert_ptr_null(harness_call_malloc(1));
    ck_assert_int_eq(errno, EAGAIN);
}

PE_TEST(fail_counts_forked_processes)
{
    pid_t child;
    int status;

    harness_fail_nth(HARNESS_MALLOC, 2, ENOMEM);
    free(harness_call_malloc(1));
    child = fork();
    if (child == 0)
        _exit(harness_call_malloc(1) == NULL ? 0 : 1);
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(harness_fail_count(HARNESS_MALLOC), 2);
}

PE_TEST(fail_here_spares_forked_processes)
{
    pid_t child;
    int status;

    harness_fail_nth_here(HARNESS_MALLOC, 1, ENOMEM);
    child = fork();
    if (child == 0) {
        void *memory = harness_call_malloc(1);
        int failed = memory == NULL;

        free(memory);
        _exit(failed);
    }
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_null(harness_call_malloc(1));
}

PE_TEST_LOOP(loop_runs_each_index, 3, 5)
{
    ck_assert_int_ge(_i, 3);
    ck_assert_int_lt(_i, 5);
}

/* ---- the program that leaks on purpose, and what Check made of it ---- */

START_TEST(leaky_descriptor)
{
    ck_assert_int_ge(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
}
END_TEST

START_TEST(leaky_child)
{
    fork_sleeper(0, 0);
}
END_TEST

START_TEST(leaky_orphan)
{
    fork_sleeper(1, 0);
}
END_TEST

START_TEST(leaky_mapping)
{
    ck_assert_ptr_ne(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
}
END_TEST

START_TEST(leaky_skip)
{
    HARNESS_SKIP("no %s here", "reason");
}
END_TEST

START_TEST(leaky_not)
{
}
END_TEST

static int run_leaky(void)
{
    Suite *suite = suite_create("leaky");

    harness_patience_ns = SHORT_NS;
    tcase_add_test(harness_tcase(suite, "descriptor", 30), leaky_descriptor);
    tcase_add_test(harness_tcase(suite, "child", 30), leaky_child);
    tcase_add_test(harness_tcase(suite, "orphan", 30), leaky_orphan);
    tcase_add_test(harness_tcase(suite, "mapping", 30), leaky_mapping);
    tcase_add_test(harness_tcase(suite, "skip", 30), leaky_skip);
    tcase_add_test(harness_tcase(suite, "not", 30), leaky_not);
    return harness_run(suite);
}

static void assert_verdict(const char *output, const char *name, const char *verdict)
{
    char wanted[64];
    const char *line;

    snprintf(wanted, sizeof wanted, ":%s:", name);
    line = strstr(output, wanted);
    ck_assert_msg(line != NULL, "no %s in: %s", name, output);
    while (line > output && line[-1] != '\n')
        line--;
    ck_assert_msg(strncmp(line, verdict, strlen(verdict)) == 0, "not '%s': %.200s", verdict, line);
}

PE_TEST_SLOW(leaky_tests_fail, 60)
{
    static char output[16384];
    char command[600], self[500];
    ssize_t self_bytes = readlink("/proc/self/exe", self, sizeof self - 1);
    FILE *stream;
    size_t used;

    if (!harness_forks())
        HARNESS_SKIP("the leaking tests need processes of their own (CK_FORK=no)");
    ck_assert_int_gt(self_bytes, 0);
    self[self_bytes] = '\0';
    snprintf(command, sizeof command, "HARNESS_LEAKY=1 CK_TAP_LOG_FILE_NAME=- CK_VERBOSITY=silent '%s'",
             self);
    stream = popen(command, "re");
    ck_assert_ptr_nonnull(stream);
    used = fread(output, 1, sizeof output - 1, stream);
    output[used] = '\0';
    ck_assert_int_ne(pclose(stream), 0);
    assert_verdict(output, "leaky_descriptor", "not ok");
    assert_verdict(output, "leaky_child", "not ok");
    assert_verdict(output, "leaky_orphan", "not ok");
    assert_verdict(output, "leaky_mapping", "not ok");
    assert_verdict(output, "leaky_not", "ok");
    ck_assert_ptr_nonnull(strstr(output, "# SKIP leaky_skip: no reason here\n"));
}

static void look_at_nothing(void *out)
{
    (void)out;
}

static void die_in_the_first(void *out)
{
    (void)out;
    if (pe_worker_item() == 0)
        kill(getpid(), SIGKILL);
}

/* What workers of that pool write to standard error while they look. */
static const char *said_in_look(process_look_fn *look, uint32_t workers, int64_t guard_ns)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    pe_pool *pool;
    size_t bytes;

    ck_assert(file != NULL && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    pool = pool_of(2);
    ck_assert_int_eq(process_try_look(pool, workers, look, NULL, 0, guard_ns), PE_EITEMS);
    pool_end(pool);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return text;
}

/* Three that are to meet in two workers: one of them tells what it sees. */
PE_TEST(look_that_cannot_be_tells_the_state)
{
    const char *said = said_in_look(look_at_nothing, 3, pe_after(SHORT_NS));

    ck_assert_ptr_nonnull(strstr(said, "host "));
    ck_assert_ptr_nonnull(strstr(said, "keeper "));
    ck_assert_ptr_nonnull(strstr(said, "worker 1: life 2"));
    ck_assert_ptr_nonnull(strstr(said, "worker 1 is "));
    ck_assert_ptr_nonnull(strstr(said, ", ticket\n"));
    ck_assert_ptr_nonnull(strstr(said, "map 0, lane 1: "));
}

/* The other one does not wait until the guard, and so has nothing to tell. */
PE_TEST(look_ends_with_a_death)
{
    ck_assert_str_eq(said_in_look(die_in_the_first, 2, pe_after(LONG_NS)), "");
}

int main(int argc, char **argv)
{
    return getenv("HARNESS_LEAKY") ? run_leaky() : harness_main("harness", argc, argv);
}
