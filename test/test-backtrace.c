/*
 * Notes of a crash (lib/worker/crash.c): what is noted of which death, and that the death itself stays as it was whatever
 * happens meanwhile.
 */
#include "harness/harness.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/process.h"
#include "worker/crash.h"

#define NO_SANITIZER __attribute__((no_sanitize("address", "undefined"), noinline))

/* ---- a walk of the stack that goes wrong ---- */

enum walk { WALK_WELL, WALK_CRASHES, WALK_HANGS };

static enum walk walk;
static _Atomic int walking;
static volatile uintptr_t nowhere = 16;

NO_SANITIZER static void write_nowhere(void)
{
    *(volatile int *)nowhere = 1;
}

NO_SANITIZER int backtrace(void **frames, int count)
{
    static int (*real)(void **, int);

    if (real == NULL)
        real = (int (*)(void **, int))dlsym(RTLD_NEXT, "backtrace");
    walking = 1;
    if (walk == WALK_CRASHES)
        write_nowhere();
    while (walk == WALK_HANGS)
        pause();
    return real(frames, count);
}

/* ---- one process that dies ---- */

typedef void death_fn(void);

/* Its wait status; with `crash` NULL it dies without the handler. */
static int status_of(death_fn *death, struct pe__crash *crash, enum walk how)
{
    struct rlimit no_cores = { 0, 0 };
    int status = 0;
    pid_t pid;

    pe__worker_prepare_crashes();
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &no_cores);
        walk = how;
        if (crash != NULL)
            pe__worker_catch_crashes(crash, true);
        death();
        _exit(99);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (crash != NULL && crash->signal != 0)
        ck_assert_int_eq(crash->pid, pid);
    return status;
}

static struct pe__crash *crash_map(void)
{
    return process_shared(sizeof(struct pe__crash));
}

static void crash_unmap(struct pe__crash *crash)
{
    munmap(crash, sizeof *crash);
}

static int is_in(uint64_t address, death_fn *fn)
{
    return address >= (uintptr_t)fn && address < (uintptr_t)fn + 200;
}

static int is_listed(const struct pe__crash *crash, death_fn *fn)
{
    for (uint32_t i = 0; i < crash->frame_count; i++)
        if (is_in(crash->frames[i], fn))
            return 1;
    return 0;
}

/* What follows a call keeps it from being the function's end, which would leave no frame. */
static void go_on(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    walking = 0;
}

NO_SANITIZER static void writes_nowhere(void)
{
    *(volatile int *)nowhere = 1;
}

NO_SANITIZER static void calls_nothing(void)
{
    void (*volatile nothing)(void) = NULL;

    nothing();
    go_on();
}

NO_SANITIZER static void overflows(void)
{
    die(WAY_STACK);
    go_on();
}

NO_SANITIZER static void divides(void)
{
    volatile int zero = 0;

    zero = 1000 / zero;
}

NO_SANITIZER static void aborts(void)
{
    die(WAY_ABORT);
    go_on();
}

NO_SANITIZER static void is_sent_a_bus_error(void)
{
    kill(getpid(), SIGBUS);
    go_on();
}

NO_SANITIZER static void raises_sigill(void)
{
    raise(SIGILL);
    go_on();
}

NO_SANITIZER static void raises_sigtrap(void)
{
    raise(SIGTRAP);
    go_on();
}

NO_SANITIZER static void raises_sigsys(void)
{
    raise(SIGSYS);
    go_on();
}

static const struct {
    death_fn *death;
    int signal;
    int has_address;
    int has_place; /* the first frame is in that very function */
} deaths[] = {
    { writes_nowhere, SIGSEGV, 1, 1 },      { aborts, SIGABRT, 0, 0 },        { divides, SIGFPE, 0, 1 },
    { is_sent_a_bus_error, SIGBUS, 0, 0 },  { raises_sigill, SIGILL, 0, 0 },  { raises_sigtrap, SIGTRAP, 0, 0 },
    { raises_sigsys, SIGSYS, 0, 0 },
};

PE_TEST_LOOP(crash_is_noted, 0, (int)(sizeof deaths / sizeof *deaths))
{
    struct pe__crash *crash = crash_map();

#if !defined(__x86_64__) && !defined(__i386__)
    if (deaths[_i].death == divides)
        HARNESS_SKIP("integer division by zero does not trap here");
#endif
    ck_assert_int_eq(status_of(deaths[_i].death, crash, WALK_WELL), status_of(deaths[_i].death, NULL, WALK_WELL));
    ck_assert_int_eq(crash->signal, deaths[_i].signal);
    if (deaths[_i].has_address)
        ck_assert_uint_eq(crash->address, nowhere);
    ck_assert_uint_ge(crash->frame_count, 2);
    ck_assert(is_listed(crash, deaths[_i].death));
    if (deaths[_i].has_place)
        ck_assert(is_in(crash->frames[0], deaths[_i].death));
    crash_unmap(crash);
}

/* The unwinder has no frame for the place, but the caller left its address. */
PE_TEST(call_of_no_function_names_the_caller)
{
    struct pe__crash *crash = crash_map();

    ck_assert_int_eq(WTERMSIG(status_of(calls_nothing, crash, WALK_WELL)), SIGSEGV);
    ck_assert_uint_eq(crash->frame_count, 2);
    ck_assert_uint_eq(crash->frames[0], 0);
    ck_assert(is_in(crash->frames[1], calls_nothing));
    crash_unmap(crash);
}

PE_TEST(overflow_of_the_stack_is_noted)
{
    struct pe__crash *crash = crash_map();

    ck_assert_int_eq(WTERMSIG(status_of(overflows, crash, WALK_WELL)), SIGSEGV);
    ck_assert_int_eq(crash->signal, SIGSEGV);
    ck_assert_uint_eq(crash->frame_count, PE__CRASH_FRAMES_MAX);
    ck_assert_uint_ne(crash->address, 0);
    crash_unmap(crash);
}

/* ---- what goes wrong meanwhile ---- */

PE_TEST_LOOP(crash_of_the_walk_keeps_the_signal, 0, 2)
{
    struct pe__crash *crash = crash_map();
    int signal = _i == 0 ? SIGABRT : SIGSEGV;

    ck_assert_int_eq(WTERMSIG(status_of(_i == 0 ? aborts : writes_nowhere, crash, WALK_CRASHES)), signal);
    ck_assert_int_eq(crash->signal, signal);
    ck_assert_uint_eq(crash->frame_count, 0);
    crash_unmap(crash);
}

PE_TEST_LOOP(walk_that_hangs_is_ended, 0, 2)
{
    struct pe__crash *crash = crash_map();
    int signal = _i == 0 ? SIGABRT : SIGSEGV;

    ck_assert_int_eq(WTERMSIG(status_of(_i == 0 ? aborts : writes_nowhere, crash, WALK_HANGS)), signal);
    ck_assert_int_eq(crash->signal, signal);
    ck_assert_uint_eq(crash->frame_count, 0);
    crash_unmap(crash);
}

static void *crashes_meanwhile(void *unused)
{
    (void)unused;
    while (!walking)
        sched_yield();
    abort();
}

static void two_crash(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, crashes_meanwhile, NULL) == 0)
        writes_nowhere();
}

/* The first one's walk would go on for ever; the other's crash does not wait for it. */
PE_TEST(crash_of_a_second_thread_ends_the_process)
{
    struct pe__crash *crash = crash_map();

    ck_assert_int_eq(WTERMSIG(status_of(two_crash, crash, WALK_HANGS)), SIGSEGV);
    ck_assert_int_eq(crash->signal, SIGSEGV);
    crash_unmap(crash);
}

static void leaves(int number)
{
    _exit(number);
}

static void has_handler(void)
{
    signal(SIGSEGV, leaves);
    writes_nowhere();
}

PE_TEST(handler_of_the_job_comes_first)
{
    struct pe__crash *crash = crash_map();

    ck_assert_int_eq(WEXITSTATUS(status_of(has_handler, crash, WALK_WELL)), SIGSEGV);
    ck_assert_int_eq(crash->signal, 0);
    crash_unmap(crash);
}

static void keep_ignored(void)
{
    raise(SIGSYS);
}

PE_TEST(ignored_signals_and_handlers_of_the_host_stay)
{
    struct pe__crash *crash = crash_map();

    signal(SIGSYS, SIG_IGN);
    ck_assert_int_eq(WEXITSTATUS(status_of(keep_ignored, crash, WALK_WELL)), 99);
    signal(SIGSYS, leaves);
    ck_assert_int_eq(WEXITSTATUS(status_of(keep_ignored, crash, WALK_WELL)), SIGSYS);
    signal(SIGSYS, SIG_DFL);
    ck_assert_int_eq(crash->signal, 0);
    crash_unmap(crash);
}

/* A process that a job forks dies for itself, and a later crash of the worker is noted all the same. */
static void child_crashes_first(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        writes_nowhere();
    if (waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGSEGV)
        aborts();
}

PE_TEST(crash_of_a_child_is_not_the_workers)
{
    struct pe__crash *crash = crash_map();

    ck_assert_int_eq(WTERMSIG(status_of(child_crashes_first, crash, WALK_WELL)), SIGABRT);
    ck_assert_int_eq(crash->signal, SIGABRT);
    ck_assert(is_listed(crash, aborts));
    crash_unmap(crash);
}

HARNESS_MAIN("backtrace")
