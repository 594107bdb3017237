/*
 * pe_init, and pools that come from the process it made. The seed lives as long as the host, so each test
 * takes what pe_init leaves as rightful, and needs a process of its own.
 */

#include "harness/harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>
#include <parexec/stream.h>

#include "harness/pool.h"
#include "harness/process.h"

#define NEEDS_OWN_PROCESS() \
    do { \
        if (!harness_forks()) \
            HARNESS_SKIP("pe_init is for the whole life of a process"); \
    } while (0)

static int number = 1;

static int tell_number(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return number;
}

static pe_pool *seeded_pool(uint32_t workers)
{
    return pool_with((pe_pool_options){ .workers = workers, .flags = PE_POOL_FROM_SEED });
}

PE_TEST(p48_seed_workers_see_memory_as_at_init)
{
    pe_pool *seeded, *forked;

    NEEDS_OWN_PROCESS();
    number = 42;
    process_start_seed();
    number = 43;
    seeded = seeded_pool(2);
    forked = pool_of(2); /* pe_init alone changes no pool's meaning */
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(pool_run(seeded, tell_number, NULL, 0).code, 42);
        ck_assert_int_eq(pool_run(forked, tell_number, NULL, 0).code, 43);
    }
    pe_pool_free(seeded);
    pe_pool_free(forked);
}
END_TEST

static int crash(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    kill(getpid(), SIGKILL);
    return 0;
}

PE_TEST(p48_seed_replaces_workers)
{
    pe_pool *pool;

    NEEDS_OWN_PROCESS();
    number = 42;
    process_start_seed();
    number = 43;
    pool = seeded_pool(2);
    for (int i = 0; i < 4; i++) {
        pe_status status = pool_run(pool, crash, NULL, 0);

        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGKILL);
        ck_assert_int_eq(pool_run(pool, tell_number, NULL, 0).code, 42);
    }
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}
END_TEST

static int add_one(const void *in, void *out, const void *context)
{
    *(int *)out = *(const int *)in + *(const int *)context;
    return 0;
}

PE_TEST(p48_seed_maps_private_and_shared_memory)
{
    enum { COUNT = 10000 };
    static int in[COUNT], out[COUNT];
    const int one = 1;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    void *memory;
    int *shared;
    pe_pool *pool;

    NEEDS_OWN_PROCESS();
    process_start_seed();
    options.context = &one;
    options.context_bytes = sizeof one;
    pool = seeded_pool(2);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    ck_assert_int_eq(pe_pool_map(pool, add_one, in, sizeof *in, out, sizeof *out, COUNT, &options), 0);
    ck_assert_int_eq(pe_pool_alloc(pool, sizeof in, &memory), 0);
    shared = memory;
    ck_assert_int_eq(pe_pool_map(pool, add_one, out, sizeof *out, shared, sizeof *shared, COUNT, &options),
                     0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(out[i], i + 1);
        ck_assert_int_eq(shared[i], i + 2);
    }
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p48_seed_makes_several_pools_at_once_and_in_turn)
{
    pe_pool *pools[6];

    NEEDS_OWN_PROCESS();
    process_start_seed();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 6; i++)
            pools[i] = seeded_pool(1);
        for (int i = 0; i < 6; i++)
            ck_assert_int_eq(pool_run(pools[i], tell_number, NULL, 0).code, 1);
        for (int i = round % 2; i < 6; i += 2)
            pe_pool_free(pools[i]);
        for (int i = 1 - round % 2; i < 6; i += 2)
            pe_pool_free(pools[i]);
    }
}
END_TEST

static int tell_byte(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    unsigned char byte;

    (void)arg_bytes;
    (void)reply;
    return pread(*(const int *)arg, &byte, 1, 0) == 1 ? byte : -1;
}

PE_TEST(p52_seed_hands_kept_descriptors_over_with_their_numbers)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int fds[4];
    int32_t kept[2];
    pe_pool *pool;

    NEEDS_OWN_PROCESS();
    process_start_seed();
    for (int i = 0; i < 4; i++) { /* opened after pe_init: the seed has never seen them */
        char name[16], byte = (char)(100 + i);
        int fd = (snprintf(name, sizeof name, "kept-%d", i), memfd_create(name, MFD_CLOEXEC));

        fds[i] = i == 3 ? fcntl(fd, F_DUPFD_CLOEXEC, 300) : fd;
        ck_assert_int_eq(write(fds[i], &byte, 1), 1);
        if (fds[i] != fd)
            close(fd);
    }
    kept[0] = fds[3];
    kept[1] = fds[1];
    options.workers = 1;
    options.flags = PE_POOL_FROM_SEED;
    options.keep_fds = kept;
    options.keep_fd_count = 2;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pool_run(pool, tell_byte, &fds[i], sizeof fds[i]).code, i % 2 ? 100 + i : -1);
    pe_pool_free(pool);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}
END_TEST

PE_TEST(p52_seed_and_its_workers_gather_no_descriptors)
{
    static struct process_listing first, last;
    struct process_worker worker;
    char command[100], seed_first[2000] = "", seed_last[2000] = "";
    pe_pool *pool = NULL;

    NEEDS_OWN_PROCESS();
    process_start_seed();
    for (int i = 0; i < 20; i++) {
        FILE *listing;

        pool = seeded_pool(1);
        process_look(pool, 1, process_list_descriptors, i ? &last : &first, sizeof first);
        process_workers(pool, 1, &worker);
        snprintf(command, sizeof command, "ls /proc/%d/fd", (int)process_parent(worker.keeper));
        listing = popen(command, "re");
        ck_assert_uint_gt(fread(i ? seed_last : seed_first, 1, 1999, listing), 0);
        pclose(listing);
        pe_pool_free(pool);
    }
    ck_assert_int_eq(first.count, last.count);
    ck_assert_str_eq(seed_first, seed_last);
}
END_TEST

PE_TEST(p48_seed_is_made_once)
{
    pe_pool *pool;

    NEEDS_OWN_PROCESS();
    process_start_seed();
    ck_assert_int_eq(pe_init(NULL), PE_EALREADY);
    pool = seeded_pool(1);
    pe_pool_free(pool);
}
END_TEST

PE_TEST(p48_seed_missing_or_misused_is_told)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_init_options wrong = PE_INIT_OPTIONS_INIT;
    pe_pool *pool;

    NEEDS_OWN_PROCESS();
    options.workers = 1;
    options.flags = PE_POOL_FROM_SEED;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINVAL);
    wrong.flags = 1;
    ck_assert_int_eq(pe_init(&wrong), PE_EINVAL);
    process_start_seed();
    options.flags = PE_POOL_FROM_SEED | PE_POOL_KEEP_FDS;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINVAL);
}
END_TEST

PE_TEST(p57_seed_killed_gives_an_error_and_no_sigpipe)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct process_worker worker;
    pe_pool *pool, *second;
    int seed;

    NEEDS_OWN_PROCESS();
    signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(pe_init(NULL), 0);
    pool = seeded_pool(1);
    process_workers(pool, 1, &worker);
    seed = process_open(process_parent(worker.keeper));
    ck_assert_int_eq(kill(process_parent(worker.keeper), SIGKILL), 0);
    process_await_end(seed);
    options.workers = 1;
    options.flags = PE_POOL_FROM_SEED;
    ck_assert_int_eq(pe_pool_new(&options, &second), PE_EBROKEN);
    /* The keeper does not need it any more. */
    ck_assert_int_eq(pool_run(pool, tell_number, NULL, 0).code, number);
    process_pool_free(pool);
    pe_pool_free(pool_of(1));
    harness_leaks_mark();
}
END_TEST

/* Some of what the host sends it finds no number for. */
PE_TEST(a_seed_without_descriptors_says_so)
{
    struct rlimit few, before;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct process_worker worker;
    pe_pool *pool, *second = NULL;
    pid_t seed;

    NEEDS_OWN_PROCESS();
    ck_assert_int_eq(pe_init(NULL), 0);
    pool = seeded_pool(1);
    process_workers(pool, 1, &worker);
    seed = process_parent(worker.keeper);
    ck_assert_int_eq(prlimit(seed, RLIMIT_NOFILE, NULL, &before), 0);
    few = (struct rlimit){ .rlim_cur = 6, .rlim_max = before.rlim_max };
    ck_assert_int_eq(prlimit(seed, RLIMIT_NOFILE, &few, NULL), 0);
    options.workers = 1;
    options.flags = PE_POOL_FROM_SEED;
    ck_assert_int_eq(pe_pool_new(&options, &second), PE_EMFILE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(prlimit(seed, RLIMIT_NOFILE, &before, NULL), 0);
    process_pool_free(seeded_pool(1));
    process_pool_free(pool);
    harness_leaks_mark();
}
END_TEST

/* Of some of these no whole part is left once it is aligned: nothing else of the program is taken instead. */
PE_TEST_LOOP(a_reserve_too_small_for_a_pool_says_so, 0, 5)
{
    static const uint64_t reserves[] = { 1, 4096, 65535, 65536, 300000 };
    pe_init_options reserve = PE_INIT_OPTIONS_INIT;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    NEEDS_OWN_PROCESS();
    reserve.reserve_bytes = reserves[_i];
    ck_assert_int_eq(pe_init(&reserve), 0);
    options.workers = 1;
    options.queue_jobs = 1;
    options.shared_bytes = 1;
    options.flags = PE_POOL_FROM_SEED;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_ENOMEM);
    ck_assert_ptr_null(pool);
    harness_leaks_mark();
}
END_TEST

static _Atomic int is_over;

static void *make_pools(void *made)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 1;
    options.flags = PE_POOL_FROM_SEED;
    while (!is_over && pe_pool_new(&options, &pool) == 0) {
        pe_pool_free(pool);
        ++*(_Atomic int *)made;
    }
    return NULL;
}

/* A child is forked at any instant of another thread's calls, in some of which that thread holds a lock. */
PE_TEST(a_child_makes_its_own_seed_whatever_other_threads_did)
{
    _Atomic int made = 0;
    pthread_t thread;

    NEEDS_OWN_PROCESS();
    process_start_seed();
    ck_assert_int_eq(pthread_create(&thread, NULL, make_pools, (void *)&made), 0);
    for (int i = 0; i < 100; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(pe_init(NULL) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    ck_assert_int_gt(made, 0);
    harness_leaks_mark();
}
END_TEST

HARNESS_MAIN("seed")
