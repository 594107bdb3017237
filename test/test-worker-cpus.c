/*
 * Which CPUs workers are bound to, and how many threads their libraries are told to start.
 * Rows P68 and P69 of the list of features.
 */

#include "harness/harness.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_OPENMP
#include <omp.h>
#endif

#include <parexec/cpu.h>
#include <parexec/pool.h>
#include <parexec/worker.h>

#include "harness/death.h"
#include "harness/pool.h"
#include "harness/process.h"

/* ---- threads of libraries ---- */

static const char *const thread_variables[] = { "OMP_NUM_THREADS",     "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS",
                                                "MKL_NUM_THREADS",     "BLIS_NUM_THREADS",     "VECLIB_MAXIMUM_THREADS",
                                                "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS",  "NUMBA_NUM_THREADS",
                                                "POLARS_MAX_THREADS",  "JULIA_NUM_THREADS",    "RAYON_NUM_THREADS",
                                                "GOMAXPROCS" };

/* What every one of the variables says; -1: they differ, 0: there are none. */
static int variables_say(void)
{
    int all = -2;

    for (size_t i = 0; i < sizeof thread_variables / sizeof *thread_variables; i++) {
        const char *text = getenv(thread_variables[i]);
        int one = text != NULL ? atoi(text) : 0;

        all = all == -2 || all == one ? one : -1;
    }
    return all;
}

static int said_in_initialiser;

static int look_at_variables(void *context)
{
    (void)context;
    said_in_initialiser = variables_say();
    return 0;
}

/* Both agree, and what else is in the environment is still there, the variables once. */
static int tell_variables(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int seen = 0;

    (void)arg, (void)arg_bytes, (void)reply;
    for (char **setting = environ; *setting != NULL; setting++)
        seen += strncmp(*setting, "OMP_NUM_THREADS=", sizeof "OMP_NUM_THREADS=" - 1) == 0;
    if (seen > 1 || said_in_initialiser != variables_say() || strcmp(getenv("PAREXEC_TEST_OTHER"), "kept") != 0)
        return -1;
    return variables_say();
}

static int threads_told(uint32_t workers, uint32_t inner_threads, uint32_t affinity)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = workers,
                                                 .inner_threads = inner_threads,
                                                 .affinity = affinity,
                                                 .worker_init = look_at_variables });
    pe_status status = pool_run(pool, tell_variables, NULL, 0);

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    pe_pool_free(pool);
    return status.code;
}

PE_TEST(p68_variables_are_set_before_the_initialiser)
{
    char *before = environ[0];

    setenv("PAREXEC_TEST_OTHER", "kept", 1);
    setenv("OMP_NUM_THREADS", "77", 1);
    ck_assert_int_eq(threads_told(2, 3, PE_PIN_NONE), 3);
    ck_assert_int_eq(threads_told(1, 65536, PE_PIN_NONE), 65536);
    ck_assert_str_eq(getenv("OMP_NUM_THREADS"), "77");
    ck_assert_ptr_null(getenv("GOMAXPROCS"));
    unsetenv("OMP_NUM_THREADS");
    ck_assert_int_eq(threads_told(2, 0, PE_PIN_NONE), 0);
    unsetenv("PAREXEC_TEST_OTHER");
    ck_assert_ptr_eq(environ[0], before);
}

PE_TEST(p68_share_of_the_cpus)
{
    uint32_t cpus = (uint32_t)pe_cpu_count();

    setenv("PAREXEC_TEST_OTHER", "kept", 1);
    ck_assert_int_eq(threads_told(1, PE_INNER_THREADS_SHARE, PE_PIN_NONE), (int)cpus);
    ck_assert_int_eq(threads_told(1, PE_INNER_THREADS_SHARE, PE_PIN_SPREAD), 1);
    ck_assert_int_eq(threads_told(0, PE_INNER_THREADS_SHARE, PE_PIN_NONE), 1);
    ck_assert_int_eq(threads_told(cpus + 1, PE_INNER_THREADS_SHARE, PE_PIN_NONE), 1);
    unsetenv("PAREXEC_TEST_OTHER");
}

#ifdef HAVE_OPENMP
static int count_threads(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int threads = 0;

    (void)arg, (void)arg_bytes, (void)reply;
#pragma omp parallel
    {
#pragma omp atomic
        threads++;
    }
    return threads;
}

/* A worker that may use one thread does not miss those that its fork has not copied. */
PE_TEST(p68_openmp_is_told)
{
    pe_pool *pool;

    omp_set_num_threads(2);
    ck_assert_int_eq(count_threads(NULL, 0, NULL), 2);
    pool = pool_with((pe_pool_options){ .workers = 2, .inner_threads = 1 });
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(pool_run(pool, count_threads, NULL, 0).code, 1);
    pe_pool_free(pool);
}
#endif

/* ---- CPUs ---- */

struct mask {
    int worker, count, first;
};

static void look_at_mask(void *out)
{
    struct mask *mask = out;
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    mask->worker = pe_worker_index();
    mask->count = CPU_COUNT(&set);
    for (mask->first = 0; !CPU_ISSET(mask->first, &set); mask->first++)
        ;
}

#define PINNED 5

static void assert_pins(pe_pool *pool, int pins[PINNED])
{
    struct mask masks[PINNED];

    process_look(pool, PINNED, look_at_mask, masks, sizeof *masks);
    for (int i = 0; i < PINNED; i++) {
        ck_assert_int_eq(masks[i].count, 1);
        if (pins[masks[i].worker] < 0)
            pins[masks[i].worker] = masks[i].first;
        ck_assert_int_eq(pins[masks[i].worker], masks[i].first);
    }
}

/* Each has one CPU, as many in a row as there are have different ones, and then it begins anew. */
PE_TEST_LOOP(p69_each_worker_has_its_cpu, PE_PIN_SPREAD, PE_PIN_COMPACT + 1)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = PINNED, .affinity = (uint32_t)_i });
    int pins[PINNED] = { -1, -1, -1, -1, -1 };
    cpu_set_t set;
    int cpus;

    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    cpus = CPU_COUNT(&set);
    assert_pins(pool, pins);
    for (int i = 0; i < PINNED; i++) {
        ck_assert(CPU_ISSET(pins[i], &set));
        for (int k = 0; k < i; k++)
            ck_assert_int_eq(pins[i] == pins[k], (i - k) % cpus == 0);
    }
    for (uint64_t i = 1; i <= 3 * PINNED; i++) {
        ck_assert_uint_eq(pool_run(pool, job_dies, NULL, 0).kind, PE_CRASHED);
        pool_await_restarts(pool, i);
        pool_assert_usable(pool);
    }
    assert_pins(pool, pins);
    pe_pool_free(pool);
}

/* The mask of the thread that makes the pool is what there is; without pins it is left alone. */
PE_TEST(p69_within_the_mask_of_the_program)
{
    cpu_set_t former, one;
    int pins[PINNED], last = CPU_SETSIZE - 1;
    pe_pool *pool;

    ck_assert_int_eq(sched_getaffinity(0, sizeof former, &former), 0);
    while (!CPU_ISSET(last, &former))
        last--;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    for (int i = 0; i < PINNED; i++)
        pins[i] = last;
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    pool = pool_with((pe_pool_options){ .workers = PINNED, .affinity = PE_PIN_SPREAD });
    assert_pins(pool, pins);
    pe_pool_free(pool);
    pool = pool_with((pe_pool_options){ .workers = PINNED });
    assert_pins(pool, pins);
    ck_assert_int_eq(sched_setaffinity(0, sizeof former, &former), 0);
    pe_pool_free(pool);
}

HARNESS_MAIN("worker-cpus")
