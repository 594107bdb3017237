/*
 * The library in a program that loads it by dlopen, uses it, frees its pools and unloads it: nothing of it stays, no
 * mapping, descriptor or process, however often.
 */

#include "harness/harness.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>

#include "harness/process.h"

#define ROUNDS 100

struct library {
    void *handle;
    int (*init)(const pe_init_options *);
    int (*pool_new)(const pe_pool_options *, pe_pool **);
    int (*submit)(pe_pool *, pe_job_fn *, const void *, size_t, const pe_job_options *, pe_job **);
    int (*wait)(pe_job *, int64_t);
    int (*result)(const pe_job *, const void **, size_t *);
    void (*job_free)(pe_job *);
    void (*pool_free)(pe_pool *);
    int (*write)(pe_reply *, const void *, size_t);
    int (*region_enable)(int);
    void (*region_enter)(const char *);
    void (*region_leave)(const char *);
};

static struct library library;

static void find(const char *name, void *ret_function)
{
    void *function = dlsym(library.handle, name);

    ck_assert_msg(function != NULL, "%s", dlerror());
    memcpy(ret_function, &function, sizeof function);
}

static void load_library(void)
{
    library.handle = dlopen(PAREXEC_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library.handle != NULL, "%s", dlerror());
    find("pe_init", &library.init);
    find("pe_pool_new", &library.pool_new);
    find("pe_pool_submit", &library.submit);
    find("pe_job_wait", &library.wait);
    find("pe_job_result", &library.result);
    find("pe_job_free", &library.job_free);
    find("pe_pool_free", &library.pool_free);
    find("pe_reply_write", &library.write);
    find("pe_region_enable", &library.region_enable);
    find("pe_region_enter", &library.region_enter);
    find("pe_region_leave", &library.region_leave);
}

static int is_loaded(void)
{
    void *handle = dlopen(PAREXEC_LIBRARY, RTLD_NOW | RTLD_NOLOAD);

    if (handle)
        dlclose(handle);
    return handle != NULL;
}

static int echo(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    return library.write(reply, arg, arg_bytes);
}

static int crash(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    abort();
}

static void *measure(void *name)
{
    library.region_enter(name);
    library.region_leave(name);
    return NULL;
}

/* In a thread that ends before the library is unloaded, and in this one. */
static void use_regions(void)
{
    pthread_t thread;

    ck_assert_int_eq(library.region_enable(1), 0);
    measure("here");
    ck_assert_int_eq(pthread_create(&thread, NULL, measure, "there"), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void use_library(uint32_t flags)
{
    pe_pool_options options = { PE_SIZED(pe_pool_options), .workers = 2, .flags = flags };
    const void *data;
    size_t bytes;
    pe_pool *pool;
    pe_job *jobs[2];

    if (flags & PE_POOL_FROM_SEED)
        ck_assert_int_eq(library.init(NULL), 0);
    ck_assert_int_eq(library.pool_new(&options, &pool), 0);
    ck_assert_int_eq(library.submit(pool, crash, NULL, 0, NULL, &jobs[0]), 0);
    ck_assert_int_eq(library.submit(pool, echo, "hello", 6, NULL, &jobs[1]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(library.wait(jobs[i], PE_FOREVER), 0);
    ck_assert_int_eq(library.result(jobs[1], &data, &bytes), 0);
    ck_assert_uint_eq(bytes, 6);
    ck_assert_str_eq(data, "hello");
    for (int i = 0; i < 2; i++)
        library.job_free(jobs[i]);
    library.pool_free(pool);
}

/* Mappings but for heap and stack, which malloc and the test itself may enlarge. */
struct mapped {
    int count;
    unsigned long long bytes;
};

static struct mapped mapped(void)
{
    struct mapped all = { 0, 0 };
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long long first, last;
    char *line = NULL;
    size_t line_bytes = 0;

    ck_assert_ptr_nonnull(maps);
    while (getline(&line, &line_bytes, maps) > 0) {
        if (sscanf(line, "%llx-%llx", &first, &last) == 2 && !strstr(line, "[heap]") && !strstr(line, "[stack]")) {
            all.count++;
            all.bytes += last - first;
        }
    }
    fclose(maps);
    free(line);
    return all;
}

/* By itself, and with a seed. */
PE_TEST_LOOP(loaded_used_and_unloaded_a_hundred_times, 0, 2)
{
    static char text[4096];
    struct mapped before = { 0, 0 }, after;

#ifndef __GLIBC__
    HARNESS_SKIP("this C library loads nothing late that has static memory of threads");
#endif
    for (int i = 0; i < ROUNDS; i++) {
        load_library();
        use_regions();
        use_library(_i ? PE_POOL_FROM_SEED : 0);
        ck_assert_int_eq(dlclose(library.handle), 0);
        ck_assert_int_eq(is_loaded(), 0);
        if (i == 1) /* malloc has what it needs */
            before = mapped();
    }
    after = mapped();
    if (harness_leaks_find((int64_t)(harness_slowness() * (double)PE_SECONDS(2)), text, sizeof text) != 0)
        ck_abort_msg("left behind: %s", text);
    if (harness_slowness() <= 1) { /* under tools the allocator maps as it likes */
        ck_assert_int_eq(after.count, before.count);
        ck_assert_uint_eq(after.bytes, before.bytes);
    }
}
END_TEST

HARNESS_MAIN("unload")
