/*
 * A host whose surroundings are poor: little address space or data memory, no /proc, no /dev/shm, no /sys. Each of it
 * in a child of the test, since limits and mounts cannot be taken back.
 */

#include "harness/harness.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>

#include "harness/pool.h"
#include "harness/process.h"

#define SKIPPED 77
#define MIB     ((rlim_t)1 << 20)

static int add_one(const void *in, void *out, const void *context)
{
    (void)context;
    *(int *)out = *(const int *)in + 1;
    return 0;
}

/* Jobs, a crash, a map through shared memory: 0, or where it went wrong. */
static int use(pe_pool *pool)
{
    enum { COUNT = 5000 };
    static int in[COUNT], out[COUNT];

    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    pool_assert_usable(pool);
    if (pool_run(pool, job_segv, NULL, 0).kind != PE_CRASHED)
        return 1;
    if (pe_pool_map(pool, add_one, in, sizeof *in, out, sizeof *out, COUNT, NULL) != 0)
        return 2;
    for (int i = 0; i < COUNT; i++)
        if (out[i] != i + 1)
            return 3;
    pool_assert_usable(pool);
    return pe_pool_join(pool, PE_FOREVER) == 0 ? 0 : 4;
}

/* ---- little memory ---- */

static int limited_resource;
static rlim_t limited_bytes;
static uint32_t limited_flags;

/* A pool that works, or PE_ENOMEM, or no process, and nothing in between. 50: there was none. */
static int make_within_limit(void)
{
    struct rlimit limit = { limited_bytes, limited_bytes };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;
    int result;

    options.workers = 2;
    options.flags = limited_flags;
    if (limited_flags == PE_POOL_FROM_SEED && pe_init(NULL) < 0)
        return 9;
    if (setrlimit(limited_resource, &limit) < 0)
        return 10;
    result = pe_pool_new(&options, &pool);
    if (result == PE_ENOMEM || result == PE_EAGAIN)
        return pool == NULL ? 50 : 11;
    if (result != 0)
        return 12;
    result = use(pool);
    pe_pool_free(pool);
    return result;
}

/* From what lets nobody live up to what is enough: never a crash, a hang or a half-made pool. */
static void assert_some_limit_is_enough(int resource)
{
    int last = 50;

    limited_resource = resource;
    for (limited_bytes = MIB; limited_bytes <= 256 * MIB; limited_bytes *= 2) {
        last = process_in_child(make_within_limit);
        ck_assert_msg(last == 0 || last == 50, "%d with %lu MiB", last, (unsigned long)(limited_bytes / MIB));
    }
    ck_assert_int_eq(last, 0);
}

PE_TEST(limit_on_addresses)
{
    if (harness_slowness() > 1)
        HARNESS_SKIP("a tool that has most addresses itself");
    assert_some_limit_is_enough(RLIMIT_AS);
}
END_TEST

PE_TEST(limit_on_data_memory)
{
    if (harness_slowness() > 1)
        HARNESS_SKIP("a tool that has most memory itself");
    assert_some_limit_is_enough(RLIMIT_DATA);
}
END_TEST

/* A pool's memory is a file then, and its size is one that the limit would answer by a signal. */
PE_TEST(limit_on_file_sizes_with_a_seed)
{
    limited_flags = PE_POOL_FROM_SEED;
    assert_some_limit_is_enough(RLIMIT_FSIZE);
}
END_TEST

/* What is left when the limit comes after the pool: replacements and results fail or work, nothing hangs. */
static int limit_after_the_start(void)
{
    struct rlimit limit = { limited_bytes, limited_bytes };
    pe_pool *pool = pool_of(2);
    int crashed = 0, returned = 0;

    pool_assert_usable(pool);
    if (setrlimit(limited_resource, &limit) < 0)
        return 10;
    for (int i = 0; i < 20; i++) {
        pe_job *job;

        if (pe_pool_submit(pool, i % 5 == 0 ? job_segv : job_nothing, NULL, 0, NULL, &job) != 0)
            continue;
        if (pe_job_wait(job, pe_after(PE_SECONDS(20))) != 0)
            return 11;
        crashed += job_status(job).kind == PE_CRASHED;
        returned += job_status(job).kind == PE_RETURNED;
        pe_job_free(job);
    }
    pe_pool_free(pool);
    return crashed == 4 && returned == 16 ? 0 : 12;
}

/* Workers come from the keeper, which has no such limit. */
PE_TEST(limit_after_the_start_hits_no_worker)
{
    limited_resource = RLIMIT_DATA;
    limited_bytes = MIB;
    if (harness_slowness() > 1)
        HARNESS_SKIP("a tool that needs memory itself");
    ck_assert_int_eq(process_in_child(limit_after_the_start), 0);
}
END_TEST

/* ---- mounts ---- */

/* A mount namespace of its own, in which an empty directory lies over that one. */
static int hide(const char *path)
{
    return mount("none", path, "tmpfs", MS_RDONLY, "size=4k");
}

static int leave_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0;
}

static uint32_t pool_flags;

static int without_mounts(void)
{
    static const char *const hidden[] = { "/dev/shm", "/proc", "/sys", "/tmp", "/dev" };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;
    int result;

    if (!leave_mounts())
        return SKIPPED;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (access(hidden[i], F_OK) == 0 && hide(hidden[i]) != 0)
            return SKIPPED;
    if (access("/proc/self", F_OK) == 0 || access("/dev/null", F_OK) == 0)
        return 20;
    if (pool_flags != 0 && pe_init(NULL) != 0)
        return 21;
    options.workers = 2;
    options.flags = pool_flags;
    if (pe_pool_new(&options, &pool) != 0)
        return 22;
    result = use(pool);
    pe_pool_free(pool);
    return result;
}

PE_TEST_LOOP(container_without_proc_sys_and_shared_memory_files, 0, 2)
{
    int result;

    pool_flags = _i ? PE_POOL_FROM_SEED : 0;
    result = process_in_child(without_mounts);
    if (result == SKIPPED)
        HARNESS_SKIP("mounts of our own cannot be had");
    ck_assert_int_eq(result, 0);
}
END_TEST

HARNESS_MAIN("limits")
