/*
 * A host with threads: workers that are copies of it, made while others allocate, and what the log says about that.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/log.h>

#include "harness/pool.h"
#include "harness/process.h"

/* libc makes malloc whole again in a forked child; the sanitizer's own allocator may stay locked. */
#if defined(__SANITIZE_ADDRESS__)
#define FORK_KEEPS_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORK_KEEPS_MALLOC 0
#endif
#endif
#ifndef FORK_KEEPS_MALLOC
#define FORK_KEEPS_MALLOC 1
#endif

static _Atomic int churning;

/* Holds the locks of malloc and of stdio most of the time. */
static void *churn(void *unused)
{
    unsigned seed = 1;

    (void)unused;
    while (atomic_load(&churning)) {
        void *memory = malloc(16 + rand_r(&seed) % 5000);

        ck_assert_ptr_nonnull(memory);
        fputs("", stdout);
        free(memory);
        sched_yield();
    }
    return NULL;
}

static int allocate(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    char *memory[20];
    char text[64];

    (void)arg;
    (void)arg_bytes;
    for (int i = 0; i < 20; i++) {
        memory[i] = malloc(100 * (size_t)i + 1);
        if (!memory[i])
            return 1;
    }
    for (int i = 0; i < 20; i++)
        free(memory[i]);
    snprintf(text, sizeof text, "%d %f", getpid(), 1.5);
    return pe_reply_write(reply, text, strlen(text));
}

static int allocate_and_print(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    printf("worker %d %f\n", getpid(), 1.5);
    return allocate(arg, arg_bytes, reply);
}

static void start_threads(pthread_t *threads, int count)
{
    atomic_store(&churning, 1);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
}

static void stop_threads(const pthread_t *threads, int count)
{
    atomic_store(&churning, 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static int count_lines(int fd)
{
    char text[4096];
    ssize_t bytes;
    int lines = 0;

    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    while ((bytes = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < bytes; i++)
            lines += text[i] == '\n';
    }
    return lines;
}

enum { BEFORE_THE_THREADS, FROM_THE_SEED, AMONG_THE_THREADS, KINDS_OF_HOST };

static pe_pool *pool_beside_threads(int kind, pthread_t *threads)
{
    pe_pool_options options = { .workers = 2, .jobs_per_worker = 1 };
    pe_pool *pool;

    if (kind != BEFORE_THE_THREADS) {
        options.flags = kind == FROM_THE_SEED ? PE_POOL_FROM_SEED : 0;
        start_threads(threads, 8);
        return pool_with(options);
    }
    pool = pool_with(options);
    start_threads(threads, 8);
    return pool;
}

/* Every job costs a worker: by turns it is replaced after its job, and crashes. Returns how many printed. */
static int replace_workers(pe_pool *pool, int times)
{
    int printed = 0, wrong = 0;

    for (int i = 0; i < times; i++) {
        pe_status status = pool_run(pool, i % 2 ? job_segv : allocate_and_print, NULL, 0);

        printed += status.kind == PE_RETURNED && status.code == 0;
        wrong += i % 2 && status.kind != PE_CRASHED;
    }
    ck_assert_int_eq(wrong, 0);
    return printed;
}

PE_TEST_LOOP(p48_workers_replaced_while_eight_threads_allocate, 0, KINDS_OF_HOST)
{
    const int times = _i == AMONG_THE_THREADS ? 200 : 1000;
    int out, saved, printed;
    pthread_t threads[8];
    pe_pool *pool;

    if (_i == AMONG_THE_THREADS && !FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer's allocator does not survive a fork beside threads");
    if (_i == FROM_THE_SEED && !harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    fflush(stdout);
    out = memfd_create("out", MFD_CLOEXEC);
    saved = dup(1);
    ck_assert_int_eq(dup2(out, 1), 1);
    if (_i == FROM_THE_SEED)
        process_start_seed();
    pool = pool_beside_threads(_i, threads);
    printed = replace_workers(pool, times);
    pool_await_restarts(pool, (uint64_t)times / 2);
    ck_assert_uint_ge(pool_stats(pool).recycled, (uint64_t)times / 2 - 2);
    pool_end(pool);
    stop_threads(threads, 8);
    dup2(saved, 1);
    close(saved);
    ck_assert_int_eq(printed, times / 2);
    ck_assert_int_eq(count_lines(out), times / 2);
    close(out);
    if (_i == FROM_THE_SEED)
        harness_leaks_mark();
}
END_TEST

PE_TEST(p48_pools_made_while_eight_threads_allocate)
{
    pthread_t threads[8];

    if (!FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer's allocator does not survive a fork beside threads");
    start_threads(threads, 8);
    for (int i = 0; i < 10; i++) {
        pe_pool *pool = pool_of(2);

        ck_assert_int_eq(pool_run(pool, allocate, NULL, 0).code, 0);
        pool_assert_crash_is_told(pool);
        ck_assert_int_eq(pool_run(pool, allocate, NULL, 0).code, 0);
        pe_pool_free(pool);
    }
    stop_threads(threads, 8);
}
END_TEST

#ifdef HAVE_OPENMP
static uint64_t sum_in_parallel(uint64_t count)
{
    uint64_t sum = 0;

#pragma omp parallel for num_threads(4) reduction(+ : sum)
    for (uint64_t i = 0; i < count; i++)
        sum += i;
    return sum;
}

static int sum_job(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t count, sum;

    (void)arg_bytes;
    memcpy(&count, arg, sizeof count);
    sum = sum_in_parallel(count);
    return pe_reply_write(reply, &sum, sizeof sum);
}

/* The host's threads of OpenMP are from after pe_init: jobs may use OpenMP as well. */
PE_TEST(p48_jobs_and_host_use_openmp)
{
    const uint64_t count = 10000, sum = count * (count - 1) / 2;
    pe_pool *pool;

    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    ck_assert_uint_eq(sum_in_parallel(count), sum);
    pool = pool_with((pe_pool_options){ .workers = 2, .flags = PE_POOL_FROM_SEED });
    for (int i = 0; i < 20; i++) {
        job_assert_reply(pool_submit(pool, sum_job, &count, sizeof count), &sum, sizeof sum);
        ck_assert_uint_eq(sum_in_parallel(count), sum);
        if (i % 5 == 0)
            pool_assert_crash_is_told(pool);
    }
    pool_end(pool);
}
END_TEST
#endif

/* ---- small stacks ---- */

#define SMALL_STACK_BYTES ((size_t)64 << 10)

static int use_half_a_mebibyte(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    volatile char big[512 << 10];

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    for (size_t i = 0; i < sizeof big; i += 4096)
        big[i] = 1;
    return big[0] + big[sizeof big - 4096];
}

static int recurse(volatile int *depth)
{
    volatile char page[4096];

    page[0] = (char)++*depth;
    return *depth < 0 ? 0 : recurse(depth) + page[0];
}

static int overflow(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    volatile int depth = 0;

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return recurse(&depth);
}

/* Jobs have room whatever is left to whoever makes the pool, and an end of it. */
static void use_pool_on_small_stack(void)
{
    pe_pool *pool = pool_of(2);
    pe_status status;

    ck_assert_int_eq(pool_run(pool, use_half_a_mebibyte, NULL, 0).code, 2);
    status = pool_run(pool, overflow, NULL, 0);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGSEGV);
    pool_end(pool);
}

static void *thread_with_small_stack(void *unused)
{
    (void)unused;
    use_pool_on_small_stack();
    return NULL;
}

PE_TEST(pool_made_in_a_thread_with_a_small_stack)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (!FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer needs more stack than that");
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, SMALL_STACK_BYTES), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, thread_with_small_stack, NULL), 0);
    pthread_attr_destroy(&attributes);
    pthread_join(thread, NULL);
}
END_TEST

#ifdef HAVE_UCONTEXT
#include <ucontext.h>

static size_t count_spoilt(const unsigned char *memory, size_t bytes)
{
    size_t spoilt = 0;

    for (size_t i = 0; i < bytes; i++)
        spoilt += memory[i] != 's';
    return spoilt;
}

static void run_coroutine(unsigned char *stack)
{
    static ucontext_t here, there;

    ck_assert_int_eq(getcontext(&there), 0);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = SMALL_STACK_BYTES;
    there.uc_link = &here;
    makecontext(&there, use_pool_on_small_stack, 0);
    ck_assert_int_eq(swapcontext(&here, &there), 0);
}

PE_TEST(pool_made_in_a_coroutine)
{
    /* What lies below the stack must stay as it is. */
    const size_t bytes = 4 * SMALL_STACK_BYTES;
    unsigned char *memory = malloc(bytes);

    if (!FORK_KEEPS_MALLOC)
        HARNESS_SKIP("the sanitizer knows nothing of such stacks");
    memset(memory, 's', bytes);
    run_coroutine(memory + bytes - SMALL_STACK_BYTES);
    ck_assert_uint_eq(count_spoilt(memory, bytes - SMALL_STACK_BYTES), 0);
    free(memory);
}
END_TEST
#endif

struct heard {
    int warnings;
    char text[512];
};

static void hear(int level, const char *message, void *context)
{
    struct heard *heard = context;

    if (level > PE_LOG_WARNING)
        return;
    heard->warnings++;
    snprintf(heard->text, sizeof heard->text, "%s", message);
}

PE_TEST(p49_log_tells_of_a_fork_with_threads)
{
    struct heard heard = { 0, "" };
    pthread_t thread;

    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    pe_pool_free(pool_of(1));
    ck_assert_int_eq(heard.warnings, 0);
    start_threads(&thread, 1);
    pe_pool_free(pool_of(1));
    ck_assert_int_eq(heard.warnings, 1);
    ck_assert_ptr_nonnull(strstr(heard.text, "thread"));
    stop_threads(&thread, 1);
    pe_set_log(NULL, NULL);
}
END_TEST

PE_TEST(p49_log_is_silent_for_a_pool_from_the_seed)
{
    struct heard heard = { 0, "" };
    pthread_t thread;
    pe_pool *pool;

    if (!harness_forks())
        HARNESS_SKIP("the seed would outlive the test");
    process_start_seed();
    ck_assert_int_eq(pe_set_log(hear, &heard), 0);
    start_threads(&thread, 1);
    pool = pool_with((pe_pool_options){ .workers = 1, .flags = PE_POOL_FROM_SEED });
    pe_pool_free(pool);
    stop_threads(&thread, 1);
    ck_assert_int_eq(heard.warnings, 0);
    pe_set_log(NULL, NULL);
}
END_TEST

HARNESS_MAIN("threads")
