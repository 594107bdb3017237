/*
 * Backtraces. First the notes of a crash (lib/worker/crash.c): what is noted of which death, and that the death itself
 * stays as it was whatever happens meanwhile. Then what a pool makes of them.
 */
#include "harness/harness.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"
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
        walking = 0;
        if (crash != NULL)
            pe__worker_catch_crashes(crash, true);
        death();
        _exit(99);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
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

/* Where it crashed is known before the stack is walked, on processors whose registers the library can read. */
static void assert_place_alone(const struct pe__crash *crash, int signal)
{
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
    ck_assert_uint_eq(crash->frame_count, 1);
    ck_assert(signal != SIGSEGV || is_in(crash->frames[0], writes_nowhere));
#else
    ck_assert_uint_eq(crash->frame_count, 0);
#endif
}

PE_TEST_LOOP(crash_of_the_walk_keeps_the_signal, 0, 2)
{
    struct pe__crash *crash = crash_map();
    int signal = _i == 0 ? SIGABRT : SIGSEGV;

    ck_assert_int_eq(WTERMSIG(status_of(_i == 0 ? aborts : writes_nowhere, crash, WALK_CRASHES)), signal);
    ck_assert_int_eq(crash->signal, signal);
    assert_place_alone(crash, signal);
    crash_unmap(crash);
}

PE_TEST_LOOP(walk_that_hangs_is_ended, 0, 2)
{
    struct pe__crash *crash = crash_map();
    int signal = _i == 0 ? SIGABRT : SIGSEGV;

    ck_assert_int_eq(WTERMSIG(status_of(_i == 0 ? aborts : writes_nowhere, crash, WALK_HANGS)), signal);
    ck_assert_int_eq(crash->signal, signal);
    assert_place_alone(crash, signal);
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

/* ---- in pools ---- */

static pe_pool *backtrace_pool(uint32_t workers, uint32_t flags)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    options.flags = PE_POOL_BACKTRACE | flags;
    return pool_with(options);
}

/* NULL: there is none. */
static const char *backtrace_of(const pe_job *job, uint64_t item)
{
    const char *text = NULL;
    size_t bytes = 0;
    int result = pe_job_item_text(job, item, PE_TEXT_BACKTRACE, &text, &bytes);

    ck_assert(result == 0 || result == PE_ENODATA);
    ck_assert(result == 0 ? bytes == strlen(text) : text == NULL);
    return text;
}

/* Exported by this program, so that the loader knows its name. */
int job_writes_nowhere(const void *arg, size_t arg_bytes, pe_reply *reply);

NO_SANITIZER int job_writes_nowhere(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    write_nowhere();
    go_on();
    return 0;
}

NO_SANITIZER static int item_crashes(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    if (pe_worker_item() % 3 == 1)
        write_nowhere();
    if (pe_worker_item() % 3 == 2)
        return pe_worker_fail(7, "seven");
    go_on();
    return 0;
}

static void assert_frame(const char *text, uintptr_t fn, const char *name)
{
    static const char first[] = "signal 11 (SIGSEGV), address 0x10\n#0  ";
    uintptr_t address;
    Dl_info info;

    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strncmp(text, first, sizeof first - 1) == 0, "%s", text);
    address = strtoull(text + sizeof first - 1, NULL, 16);
    ck_assert_msg(address >= fn && address < fn + 200, "%s", text);
    /* What is in brackets leads back to the function. */
    ck_assert_int_ne(dladdr((void *)fn, &info), 0);
    const char *module = strstr(text, basename(info.dli_fname));
    ck_assert_ptr_nonnull(module);
    ck_assert_uint_eq(strtoull(strchr(module, '+') + 1, NULL, 16), address - (uintptr_t)info.dli_fbase);
    if (name != NULL)
        ck_assert_ptr_nonnull(strstr(text, name));
}

PE_TEST(p37_job_leaves_its_backtrace)
{
    pe_pool *pool = backtrace_pool(1, 0);
    pe_job *job = pool_submit(pool, job_writes_nowhere, NULL, 0), *other;

    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    assert_frame(backtrace_of(job, 0), (uintptr_t)write_nowhere, "job_writes_nowhere+0x");
    ck_assert_ptr_eq(backtrace_of(job, 0), backtrace_of(job, 0)); /* made once */
    other = pool_submit(pool, job_nothing, NULL, 0);
    job_assert_ended(other, PE_RETURNED, 0);
    ck_assert_ptr_null(backtrace_of(other, 0));
    pe_job_free(other);
    pe_pool_free(pool);
    assert_frame(backtrace_of(job, 0), (uintptr_t)write_nowhere, NULL);
    pe_job_free(job);
}

PE_TEST_LOOP(p37_items_leave_theirs, 0, 3)
{
    enum { COUNT = 12 };
    pe_pool *pool = backtrace_pool(2, 0);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[COUNT];
    pe_job *job = NULL;
    const char *text;

    options.statuses = _i == 1 ? statuses : NULL;
    options.retries = _i == 2 ? 2 : 0;
    ck_assert_int_eq(pe_pool_start_map(pool, item_crashes, NULL, 0, NULL, 0, COUNT, &options, &job), 0);
    job_assert_ended(job, PE_RETURNED, PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        text = backtrace_of(job, i);
        if (i % 3 == 1)
            assert_frame(text, (uintptr_t)write_nowhere, "write_nowhere+0x"); /* a static function */
        else
            ck_assert_ptr_null(text);
        ck_assert_int_eq(pe_job_item_text(job, i, PE_TEXT_MESSAGE, &text, NULL), i % 3 == 2 ? 0 : PE_ENODATA);
    }
    ck_assert_int_eq(pe_job_item_text(job, COUNT, PE_TEXT_BACKTRACE, &text, NULL), PE_EINVAL);
    pe_job_free(job);
    pool_end(pool);
}

/* Every signal of a crash; what is no crash leaves nothing. */
PE_TEST_LOOP(b02_each_death_leaves_what_it_has, WAY_ABORT, WAY_COUNT)
{
    pe_pool *pool = backtrace_pool(1, 0);
    enum death_way way = (enum death_way)_i;
    pe_job *job = pool_submit(pool, job_dies, &way, sizeof way);
    char wanted[64];

#if !defined(__x86_64__) && !defined(__i386__)
    if (_i == WAY_DIVIDE)
        HARNESS_SKIP("integer division by zero does not trap here");
#endif
    job_assert_ended(job, death_endings[_i].kind, death_endings[_i].code);
    if (death_endings[_i].kind == PE_CRASHED && way != WAY_KILL) {
        snprintf(wanted, sizeof wanted, "signal %d (SIG", (int)death_endings[_i].code);
        ck_assert_ptr_nonnull(backtrace_of(job, 0));
        ck_assert_int_eq(strncmp(backtrace_of(job, 0), wanted, strlen(wanted)), 0);
    } else {
        ck_assert_ptr_null(backtrace_of(job, 0));
    }
    pe_job_free(job);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

struct attempts {
    _Atomic uint32_t begun;
    uint32_t returns; /* in that attempt; 0: in none */
};

NO_SANITIZER static int job_attempts(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct attempts *attempts;

    (void)arg_bytes, (void)reply;
    memcpy(&attempts, arg, sizeof attempts);
    uint32_t attempt = atomic_fetch_add(&attempts->begun, 1) + 1;
    if (attempt == attempts->returns)
        return pe_worker_fail(7, "at last");
    if (attempt % 2 == 1)
        write_nowhere();
    abort();
}

PE_TEST_LOOP(the_last_attempt_counts, 0, 3)
{
    pe_pool *pool = backtrace_pool(1, 0);
    struct attempts *attempts = pool_shared(pool, sizeof *attempts);
    const char *text = NULL;

    attempts->returns = _i == 2 ? 3 : 0;
    pe_job *job = pool_submit_retried(pool, job_attempts, &attempts, sizeof attempts, 1 + (uint32_t)_i);
    if (_i == 2) {
        job_assert_ended(job, PE_RETURNED, 7);
        ck_assert_ptr_null(backtrace_of(job, 0));
        ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &text, NULL), 0);
    } else {
        job_assert_ended(job, PE_CRASHED, _i == 0 ? SIGABRT : SIGSEGV);
        text = backtrace_of(job, 0);
        ck_assert_ptr_nonnull(text);
        ck_assert_int_eq(strncmp(text, _i == 0 ? "signal 6 " : "signal 11", 9), 0);
    }
    pe_job_free(job);
    pe_pool_free(pool);
}

/* Notes by hand, and a death that did not make them. */
struct false_notes {
    struct pe__crash *place;
    int32_t signal, death;
    uint32_t frame_count;
};

static int job_notes_by_hand(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct false_notes notes;

    (void)arg_bytes, (void)reply;
    memcpy(&notes, arg, sizeof notes);
    notes.place->signal = notes.signal;
    notes.place->frame_count = notes.frame_count;
    signal(SIGSEGV, SIG_DFL);
    raise(notes.death);
    return 0;
}

PE_TEST(notes_that_do_not_fit_the_death_are_dropped)
{
    static const struct false_notes cases[] = {
        { NULL, SIGSEGV, SIGSEGV, PE__CRASH_FRAMES_MAX }, /* these do */
        { NULL, SIGSEGV, SIGKILL, 1 },
        { NULL, SIGABRT, SIGSEGV, 1 },
        { NULL, 0, SIGSEGV, 1 },
        { NULL, SIGSEGV, SIGSEGV, 0 },
        { NULL, SIGSEGV, SIGSEGV, PE__CRASH_FRAMES_MAX + 1 },
        { NULL, SIGSEGV, SIGSEGV, UINT32_MAX },
    };
    pe_pool *pool = backtrace_pool(1, 0);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct false_notes notes = cases[i];
        notes.place = &pool->shared.crashes[0];
        pe_job *job = pool_submit(pool, job_notes_by_hand, &notes, sizeof notes);
        job_assert_ended(job, PE_CRASHED, notes.death);
        ck_assert_int_eq(backtrace_of(job, 0) != NULL, i == 0);
        pe_job_free(job);
        pool_assert_usable(pool);
    }
    pe_pool_free(pool);
}

PE_TEST(without_the_flag_there_is_none)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, job_writes_nowhere, NULL, 0);

    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    ck_assert_ptr_null(backtrace_of(job, 0));
    pe_job_free(job);
    pe_pool_free(pool);
}

PE_TEST(workers_of_the_seed_leave_theirs)
{
    process_start_seed();
    pe_pool *pool = backtrace_pool(1, PE_POOL_FROM_SEED);
    pe_job *job = pool_submit(pool, job_writes_nowhere, NULL, 0);

    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    assert_frame(backtrace_of(job, 0), (uintptr_t)write_nowhere, NULL);
    pe_job_free(job);
    pe_pool_free(pool);
}

/* The library lies where the host has nothing, or something else. */
static int crashes_in_own_library(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    void *library = dlopen(LATE_LIBRARY, RTLD_NOW);
    int (*late)(const void *, size_t, pe_reply *) =
        library != NULL ? (int (*)(const void *, size_t, pe_reply *))dlsym(library, "late_crashes") : NULL;

    return late != NULL ? late(arg, arg_bytes, reply) : -1;
}

PE_TEST(library_of_a_job_stays_a_number)
{
    pe_pool *pool = backtrace_pool(1, 0);
    pe_job *job = pool_submit(pool, crashes_in_own_library, NULL, 0);
    const char *text, *end;

    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    text = backtrace_of(job, 0);
    ck_assert_ptr_nonnull(text);
    text = strstr(text, "\n#0  0x");
    ck_assert_ptr_nonnull(text);
    end = strchr(text + 1, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq((int)(end - text - 7), 16);
    ck_assert_ptr_null(strstr(text, "late"));
    ck_assert_ptr_nonnull(strstr(text, "\n#1  0x"));
    pe_job_free(job);
    pe_pool_free(pool);
}

struct asker {
    pthread_t thread;
    const pe_job *job;
    const char *text;
};

static void *asks(void *context)
{
    struct asker *asker = context;

    asker->text = backtrace_of(asker->job, 0);
    return NULL;
}

PE_TEST(threads_that_ask_at_once_get_one_text)
{
    struct asker askers[4];
    pe_pool *pool = backtrace_pool(1, 0);

    for (int round = 0; round < 20; round++) {
        pe_job *job = pool_submit(pool, job_writes_nowhere, NULL, 0);
        job_assert_ended(job, PE_CRASHED, SIGSEGV);
        for (int i = 0; i < 4; i++) {
            askers[i].job = job;
            ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, asks, &askers[i]), 0);
        }
        for (int i = 0; i < 4; i++)
            pthread_join(askers[i].thread, NULL);
        for (int i = 0; i < 4; i++)
            ck_assert_ptr_eq(askers[i].text, askers[0].text);
        assert_frame(askers[0].text, (uintptr_t)write_nowhere, NULL);
        pe_job_free(job);
    }
    pe_pool_free(pool);
}

PE_TEST(no_memory_for_the_text)
{
    pe_pool *pool = backtrace_pool(1, 0);
    pe_job *job = pool_submit(pool, job_writes_nowhere, NULL, 0);
    const char *text = NULL;

    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, NULL), PE_ENOMEM);
    harness_fail_reset();
    ck_assert_ptr_null(text);
    assert_frame(backtrace_of(job, 0), (uintptr_t)write_nowhere, NULL);
    pe_job_free(job);
    pe_pool_free(pool);
}

HARNESS_MAIN("backtrace")
