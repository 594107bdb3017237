#ifndef PE__TEST_HARNESS_H
#define PE__TEST_HARNESS_H

/*
 * What every test program links beside Check: registration in one line, detectors for what a test leaves
 * behind, and calls that fail when told to.
 *
 *     #include "harness/harness.h"
 *
 *     PE_TEST(pool_answers_one_job)
 *     {
 *         harness_fail_nth(HARNESS_FORK, 1, EAGAIN);
 *         ck_assert_int_eq(pe_pool_new(NULL, &pool), PE_EAGAIN);
 *     }
 *
 *     HARNESS_MAIN("pool")
 *
 * Each PE_TEST is a test case of its own (in a process of its own unless CK_FORK=no). Before and after it the
 * open descriptors, the processes that came from it and the shared mappings are listed; a difference that
 * does not go away within two seconds fails the test. Time limits stand for a quick machine and are
 * multiplied by CK_TIMEOUT_MULTIPLIER, which Check reads.
 *
 * Check's assertions take a mutex of its own, also those that hold. Where one thread asserts while another forks, the
 * child may find it taken for ever: it asserts nothing, but tells by how it ends.
 */

#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define HARNESS_TIMEOUT_SECONDS 30

/* A test; the body follows. In a PE_TEST_LOOP the body runs once for each _i in first <= _i < last. */
#define PE_TEST(name)                   PE_TEST_FULL(name, HARNESS_TIMEOUT_SECONDS, 0, 1)
#define PE_TEST_SLOW(name, seconds)     PE_TEST_FULL(name, seconds, 0, 1)
#define PE_TEST_LOOP(name, first, last) PE_TEST_FULL(name, HARNESS_TIMEOUT_SECONDS, first, last)
#define PE_TEST_FULL(name, seconds, first, last) \
    static const TTest *name; \
    __attribute__((constructor)) static void name##_register(void) \
    { \
        harness_register(#name, name, seconds, first, last); \
    } \
    START_TEST(name)

/* main(): runs the registered tests; with arguments only those whose name holds one of them. */
#define HARNESS_MAIN(suite_name) \
    int main(int argc, char **argv) \
    { \
        return harness_main(suite_name, argc, argv); \
    }

/* Ends the test as skipped; the reason is a format with arguments. */
#define HARNESS_SKIP(...) \
    do { \
        harness_skipped(__func__, __VA_ARGS__); \
        return; \
    } while (0)

void harness_register(const char *name, const TTest *test, double seconds, int first, int last);
int harness_main(const char *suite_name, int argc, char **argv);

/* For programs that build their suite themselves: a case with time limit and detectors; runs a suite and
 * gives main()'s return value. */
TCase *harness_tcase(Suite *suite, const char *name, double seconds);
int harness_run(Suite *suite);
void harness_skipped(const char *function, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A size that no pool has: 2 to that power, or 2^30 where sizes have 32 bits. */
#define HARNESS_HUGE(power) ((size_t)1 << (sizeof(size_t) > 4 ? (power) : 30))
/* One that no pool has and that is not refused at once as an element's or an array's. */
#define HARNESS_LARGE(power) (HARNESS_HUGE(power) / 4 - 4096)

/* So many MiB, or a sixteenth where addresses have 32 bits, of which pools reserve that much less. */
#define HARNESS_MIB(count) (((size_t)(count) << 20) / (sizeof(size_t) > 4 ? 1 : 16))

/* How many times longer everything takes here than on a quick machine; 1 unless CK_TIMEOUT_MULTIPLIER says
 * more. */
double harness_slowness(void);
/* 1 when the long modes of tests are asked for (test/run --long). */
int harness_long(void);
/* How long a soak test goes on: as many seconds as PAREXEC_TEST_SOAK says (test/run --soak), ten minutes in long modes,
 * else as given. */
int64_t harness_soak_ns(int64_t quick_ns);
/* The next of the random numbers that follow from a seed, which is not 0. */
uint64_t harness_random(uint64_t *state);
/* 1 when each test runs in a process of its own. */
int harness_forks(void);
/* Under valgrind (test/run --valgrind), where some things cannot be tried. */
int harness_valgrind(void);

/* ---- leak.c: what a test leaves behind ---- */

/* How long the end of a test waits for what is about to go; 2 s. */
extern int64_t harness_patience_ns;

/* Takes what exists now as rightful, also in the middle of a test that leaves something on purpose. */
void harness_leaks_mark(void);
/* Compares with the last mark: the number of differences, described in text, one a line. Returns as soon as
 * there is none, and otherwise looks again until wait_ns have passed. */
int harness_leaks_find(int64_t wait_ns, char *text, size_t text_bytes);

/* ---- fail.c: calls from the library that fail when told to ---- */

enum harness_call {
    HARNESS_FORK,
    HARNESS_PIPE, /* pipe, pipe2 */
    HARNESS_SOCKETPAIR,
    HARNESS_EVENTFD,
    HARNESS_MMAP,
    HARNESS_MEMFD,  /* memfd_create, also by number through syscall */
    HARNESS_PIDFD,  /* pidfd_open, likewise */
    HARNESS_MALLOC, /* malloc, calloc, realloc, posix_memalign, aligned_alloc, strdup */
    HARNESS_CALL_COUNT
};

/* The nth call from now on (1: the next) fails with that errno, once; counted in this process and in all
 * forked from it, so that a fork of the keeper can be hit from the host. _here counts this process alone,
 * _from lets all calls from the nth on fail. */
void harness_fail_nth(enum harness_call which, uint64_t n, int error);
void harness_fail_nth_here(enum harness_call which, uint64_t n, int error);
void harness_fail_from(enum harness_call which, uint64_t n, int error);
/* No call fails any more, and all counts start at 0. Done before every test. */
void harness_fail_reset(void);
/* Calls seen since the last harness_fail_ call for this kind. */
uint64_t harness_fail_count(enum harness_call which);

/* What the library's calls are renamed to. */
pid_t harness_call_fork(void);
int harness_call_pipe(int fds[2]);
int harness_call_pipe2(int fds[2], int flags);
int harness_call_socketpair(int domain, int type, int protocol, int fds[2]);
int harness_call_eventfd(unsigned int count, int flags);
void *harness_call_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *harness_call_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int harness_call_memfd_create(const char *name, unsigned int flags);
int harness_call_pidfd_open(pid_t pid, unsigned int flags);
long harness_call_syscall(long number, ...);
void *harness_call_malloc(size_t bytes);
void *harness_call_calloc(size_t count, size_t bytes);
void *harness_call_realloc(void *memory, size_t bytes);
void *harness_call_aligned_alloc(size_t alignment, size_t bytes);
int harness_call_posix_memalign(void **ret_memory, size_t alignment, size_t bytes);
char *harness_call_strdup(const char *text);

#endif
