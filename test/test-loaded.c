/*
 * Functions that the workers do not have, or have something else in the place of: libraries loaded after the fork,
 * another library at the address of one that was unloaded, code generated after the fork. Each is told at once, and
 * what was there before the fork goes on working.
 */

#include "harness/harness.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <parexec/error.h>
#include <parexec/init.h>
#include <parexec/stream.h>

#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define FIRST LIBRARY_FIRST
#define OTHER LIBRARY_OTHER

struct late {
    void *handle;
    pe_job_fn *job;
    pe_map_fn *item;
    pe_range_fn *range;
    pe_combine_fn *combine;
};

static void find(void *handle, const char *name, void *ret_function)
{
    void *function = dlsym(handle, name);

    ck_assert_msg(function != NULL, "%s", dlerror());
    memcpy(ret_function, &function, sizeof function);
}

static struct late load(const char *path)
{
    struct late late = { .handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) };

    ck_assert_msg(late.handle != NULL, "%s", dlerror());
    find(late.handle, "late_job", &late.job);
    find(late.handle, "late_item", &late.item);
    find(late.handle, "late_range", &late.range);
    find(late.handle, "late_combine", &late.combine);
    return late;
}

static int source_of_nothing(void *item, void *context)
{
    (void)item, (void)context;
    return 0;
}

static void assert_not_loaded(pe_pool *pool, const struct late *late)
{
    uint64_t sum = 0;
    pe_stream *stream;
    pe_job *job;

    ck_assert_int_eq(pe_pool_submit(pool, late->job, NULL, 0, NULL, &job), PE_ENOTLOADED);
    ck_assert_int_eq(pe_pool_try_submit(pool, late->job, NULL, 0, NULL, &job), PE_ENOTLOADED);
    ck_assert_int_eq(pe_pool_map(pool, late->item, NULL, 0, NULL, 0, 1, NULL), PE_ENOTLOADED);
    ck_assert_int_eq(pe_pool_start_map(pool, late->item, NULL, 0, NULL, 0, 1, NULL, &job), PE_ENOTLOADED);
    ck_assert_int_eq(pe_pool_stream(pool, late->item, source_of_nothing, NULL, 8, 8, NULL, &stream), PE_ENOTLOADED);
    ck_assert_int_eq(pe_pool_reduce(pool, late->range, late->combine, 0, 10, &sum, sizeof sum, NULL),
                     PE_ENOTLOADED);
    pool_assert_usable(pool);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
}

static void assert_loaded(pe_pool *pool, const struct late *late, int answer)
{
    uint64_t sum = 0;

    ck_assert_int_eq(pool_run(pool, late->job, NULL, 0).code, answer);
    ck_assert_int_eq(pe_pool_map(pool, late->item, NULL, 0, NULL, 0, 1, NULL), 0);
    ck_assert_int_eq(pe_pool_reduce(pool, late->range, late->combine, 0, 10, &sum, sizeof sum, NULL), 0);
    ck_assert_uint_eq(sum, 10);
}

PE_TEST(p48_function_loaded_after_the_fork_is_found_out)
{
    pe_pool *before = pool_of(1), *after;
    struct late late = load(FIRST);

    assert_not_loaded(before, &late);
    after = pool_of(1);
    assert_loaded(after, &late, 7);
    pool_end(before);
    pool_end(after);
    dlclose(late.handle);
}
END_TEST

PE_TEST(p48_function_loaded_after_init_is_found_out)
{
    struct late late;
    pe_pool *pool;

    if (!harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    process_start_seed();
    late = load(FIRST);
    pool = pool_with((pe_pool_options){ .workers = 1, .flags = PE_POOL_FROM_SEED }); /* later, but from the seed */
    assert_not_loaded(pool, &late);
    pool_end(pool);
    dlclose(late.handle);
}
END_TEST

PE_TEST(p48_combine_may_be_loaded_later)
{
    pe_pool *pool = pool_of(1);
    struct late late = load(FIRST);
    uint64_t sum = 0;

    ck_assert_int_eq(pe_pool_reduce(pool, range_nothing, late.combine, 0, 10, &sum, sizeof sum, NULL), 0);
    pool_end(pool);
    dlclose(late.handle);
}
END_TEST

/* The workers still have it, also while the program has not. */
PE_TEST(p48_library_unloaded_and_loaded_again_is_there)
{
    struct late late = load(FIRST), again;
    pe_pool *pool = pool_of(1);

    assert_loaded(pool, &late, 7);
    for (int i = 0; i < 3; i++) {
        dlclose(late.handle);
        pool_assert_usable(pool);
        again = load(FIRST);
        if (again.job == late.job)
            assert_loaded(pool, &again, 7);
        else
            assert_not_loaded(pool, &again);
        late = again;
    }
    pool_end(pool);
    dlclose(late.handle);
}
END_TEST

PE_TEST(p48_another_library_at_the_same_address_is_found_out)
{
    struct late late = load(FIRST), other;
    pe_pool *pool = pool_of(1), *after;

    assert_loaded(pool, &late, 7);
    dlclose(late.handle);
    other = load(OTHER);
    if (other.job != late.job) {
        pool_end(pool);
        HARNESS_SKIP("the second library has another address than the first");
    }
    assert_not_loaded(pool, &other);
    after = pool_of(1);
    assert_loaded(after, &other, 8);
    dlclose(other.handle);
    late = load(FIRST);
    if (late.job == other.job) {
        assert_loaded(pool, &late, 7);
        assert_not_loaded(after, &late);
    }
    dlclose(late.handle);
    pool_end(pool);
    pool_end(after);
}
END_TEST

/* ---- code in no library ---- */

#if defined(__x86_64__) || defined(__i386__)
static const unsigned char return_7[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
static const unsigned char return_7[] = { 0xe0, 0, 0x80, 0x52, 0xc0, 3, 0x5f, 0xd6 };
#else
static const unsigned char return_7[] = { 0 };
#endif
#define CODE_BYTES 4096

static pe_job_fn *generate_code(void)
{
    void *code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pe_job_fn *fn = NULL;

    ck_assert_ptr_ne(code, MAP_FAILED);
    memcpy(code, return_7, sizeof return_7);
    if (sizeof return_7 > 1 && mprotect(code, CODE_BYTES, PROT_READ | PROT_EXEC) == 0)
        memcpy(&fn, &code, sizeof fn);
    return fn;
}

static void drop_code(pe_job_fn *fn)
{
    void *code;

    memcpy(&code, &fn, sizeof code);
    munmap(code, CODE_BYTES);
}

PE_TEST(p48_generated_code_from_before_the_fork_only)
{
    pe_job_fn *early = generate_code(), *late;
    pe_job *job;

    if (!early)
        HARNESS_SKIP("no code can be made here");
    pe_pool *pool = pool_of(1);
    late = generate_code();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pool_run(pool, early, NULL, 0).code, 7);
        ck_assert_int_eq(pe_pool_submit(pool, late, NULL, 0, NULL, &job), PE_ENOTLOADED);
    }
    pool_end(pool);
    drop_code(early);
    drop_code(late);
}
END_TEST

HARNESS_MAIN("loaded")
