/*
 * Everything of a pool dies with its host. The host is a child of the test that is killed; that its pool's
 * processes have ended is seen through pidfds opened before.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>

#include "harness/pool.h"
#include "harness/process.h"

#define WORKERS 3

/* What the host tells the test, in shared memory. */
struct scene {
    struct process_worker workers[WORKERS];
    pid_t child;
    pid_t seed;
    _Atomic int running; /* jobs that have begun */
    _Atomic int ready;
};

enum {
    BUSY = 1,      /* jobs run that never end and listen to no signal */
    CHILD = 2,     /* the host has another child, which holds copies of all descriptors and lives on */
    THREAD = 4,    /* the pool was made in a thread that has ended */
    SEED = 8,
    TERMINAL = 16, /* ended by Ctrl-C instead of SIGKILL */
};

static struct scene *scene;
static pe_pool *pool;
static int flags;

static int never_end(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    sigset_t all;

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    atomic_fetch_add(&scene->running, 1);
    while (sigsuspend(&all) < 0)
        ;
    return 0;
}

static void *make_pool(void *unused)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    (void)unused;
    options.workers = WORKERS;
    options.flags = flags & SEED ? PE_POOL_FROM_SEED : 0;
    if (pe_pool_new(&options, &pool) != 0)
        _exit(1);
    return NULL;
}

static pid_t fork_child(void)
{
    pid_t child = fork();

    if (child == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    return child;
}

static void be_host(void)
{
    pthread_t thread;

    signal(SIGINT, SIG_DFL); /* Check has handlers of its own */
    signal(SIGALRM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
    if (setpgid(0, 0) < 0 || (flags & SEED && pe_init(NULL) != 0))
        _exit(1);
    if (flags & THREAD) {
        if (pthread_create(&thread, NULL, make_pool, NULL) != 0 || pthread_join(thread, NULL) != 0)
            _exit(1);
    } else {
        make_pool(NULL);
    }
    process_workers(pool, WORKERS, scene->workers);
    if (flags & SEED)
        scene->seed = process_parent(scene->workers[0].keeper);
    for (int i = 0; flags & BUSY && i < WORKERS; i++) {
        if (pe_pool_submit(pool, never_end, NULL, 0, NULL, NULL) != 0)
            _exit(1);
    }
    while (flags & BUSY && atomic_load(&scene->running) < WORKERS)
        sched_yield();
    if (flags & CHILD)
        scene->child = fork_child();
    atomic_store(&scene->ready, 1);
    for (;;)
        pause();
}

static void assert_nothing_outlives(int how)
{
    int pidfds[WORKERS + 2], count = 0, child = -1;
    pid_t host;

    flags = how;
    scene = process_shared(sizeof *scene);
    host = fork();
    ck_assert_int_ge(host, 0);
    if (host == 0)
        be_host();
    while (!atomic_load(&scene->ready)) {
        ck_assert_int_eq(waitpid(host, NULL, WNOHANG), 0);
        sched_yield();
    }
    for (int i = 0; i < WORKERS; i++)
        pidfds[count++] = process_open(scene->workers[i].pid);
    pidfds[count++] = process_open(scene->workers[0].keeper);
    if (how & SEED)
        pidfds[count++] = process_open(scene->seed);
    if (how & CHILD)
        child = process_open(scene->child);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(process_has_ended(pidfds[i]), 0);
    ck_assert_int_eq(how & TERMINAL ? kill(-host, SIGINT) : kill(host, SIGKILL), 0);
    ck_assert_int_eq(waitpid(host, NULL, 0), host);
    for (int i = 0; i < count; i++)
        process_await_end(pidfds[i]);
    if (how & CHILD) {
        ck_assert_int_eq(process_has_ended(child), 0);
        kill(scene->child, SIGKILL);
        process_await_end(child);
    }
    munmap(scene, sizeof *scene);
}

/* A child of the host holds the host's end of their sockets: only a pidfd tells. */
#define NEEDS_PIDFDS() \
    do { \
        if (harness_valgrind()) \
            HARNESS_SKIP("valgrind may not know pidfds"); \
    } while (0)

PE_TEST(f04_idle_workers_die_with_the_host)
{
    assert_nothing_outlives(0);
}
END_TEST

PE_TEST(f04_idle_workers_die_while_a_child_of_the_host_lives_on)
{
    NEEDS_PIDFDS();
    assert_nothing_outlives(CHILD);
}
END_TEST

PE_TEST(p53_busy_workers_die_with_the_host)
{
    assert_nothing_outlives(BUSY);
}
END_TEST

PE_TEST(p53_busy_workers_die_while_a_child_of_the_host_lives_on)
{
    NEEDS_PIDFDS();
    assert_nothing_outlives(BUSY | CHILD);
}
END_TEST

PE_TEST(p53_pool_of_an_ended_thread_dies_with_the_host)
{
    assert_nothing_outlives(BUSY | THREAD);
}
END_TEST

PE_TEST(p53_pool_from_the_seed_and_the_seed_die_with_the_host)
{
    NEEDS_PIDFDS();
    assert_nothing_outlives(SEED);
    assert_nothing_outlives(SEED | BUSY | CHILD);
}
END_TEST

PE_TEST(p54_control_c_without_handler_leaves_nothing)
{
    assert_nothing_outlives(TERMINAL | BUSY);
}
END_TEST

static int answer(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return 7;
}

/* The thread that made the pool is gone; the pool works on. */
PE_TEST(p53_pool_of_an_ended_thread_works)
{
    pthread_t thread;

    flags = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_pool, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(pool_run(pool, answer, NULL, 0).code, 7);
    pe_pool_free(pool);
}
END_TEST

/* One dead keeper breaks one pool: no worker is left of it, and the other pool does not notice. */
PE_TEST(p53_keeper_killed_takes_its_workers_and_no_others)
{
    struct process_worker workers[WORKERS];
    int pidfds[WORKERS], result;
    pe_pool *broken;
    pe_job *job;

    flags = 0;
    make_pool(NULL);
    broken = pool;
    make_pool(NULL);
    process_workers(broken, WORKERS, workers);
    for (int i = 0; i < WORKERS; i++)
        pidfds[i] = process_open(workers[i].pid);
    ck_assert_int_eq(kill(workers[0].keeper, SIGKILL), 0);
    for (int i = 0; i < WORKERS; i++)
        process_await_end(pidfds[i]);
    while ((result = pe_pool_poll(broken)) > 0)
        ;
    ck_assert_int_eq(result, PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(broken, PE_FOREVER), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_submit(broken, answer, NULL, 0, NULL, &job), PE_EBROKEN);
    pe_pool_free(broken);
    ck_assert_int_eq(pool_run(pool, answer, NULL, 0).code, 7);
    pe_pool_free(pool);
}
END_TEST

HARNESS_MAIN("orphans")
