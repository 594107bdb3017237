/*
 * How workers live: where they run, with how many threads, how much memory they may take, when they are replaced, and
 * what is told of those that keep dying.
 * Scenarios c03, g01 and g06 and rows P32, P34 to P36, P68 and P69 of the list of features.
 */

#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_OPENMP
#include <omp.h>
#endif

#include <parexec/cpu.h>
#include <parexec/error.h>
#include <parexec/log.h>
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

/* ---- replaced after so many jobs ---- */

struct census {
    _Atomic uint32_t lives, alive, most;
};

static int count_in(void *context)
{
    struct census *census = context;
    uint32_t alive = atomic_fetch_add(&census->alive, 1) + 1, most = atomic_load(&census->most);

    atomic_fetch_add(&census->lives, 1);
    while (alive > most && !atomic_compare_exchange_weak(&census->most, &most, alive))
        ;
    return 0;
}

static int count_out(void *context)
{
    atomic_fetch_sub(&((struct census *)context)->alive, 1);
    return 0;
}

PE_TEST(g01_a_new_worker_after_ten_jobs)
{
    struct census *census = process_shared(sizeof *census);
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 3,
                                                 .jobs_per_worker = 10,
                                                 .worker_init = count_in,
                                                 .worker_exit = count_out,
                                                 .worker_context = census });
    pe_job *jobs[100];
    int32_t pids[100];
    int seen = 0;

    for (uint64_t i = 0; i < 100; i++)
        jobs[i] = pool_submit(pool, job_double, &i, sizeof i);
    for (uint64_t i = 0; i < 100; i++) {
        int before = 0, same = 0;

        pids[i] = job_ended(jobs[i]).pid;
        for (uint64_t k = 0; k < i; k++) {
            before |= pids[k] == pids[i];
            same += pids[k] == pids[i];
        }
        seen += !before;
        ck_assert_int_lt(same, 10);
        job_assert_reply(jobs[i], &(uint64_t){ 2 * i }, sizeof(uint64_t));
    }
    ck_assert_int_ge(seen, 10);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    ck_assert_uint_eq(pool_stats(pool).recycled + 3, census->lives);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    ck_assert_uint_le(census->most, 3);
    ck_assert_uint_eq(census->alive, 0);
    pe_pool_free(pool);
    munmap(census, sizeof *census);
}

static int note_run_and_crash(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();
    _Atomic uint32_t *runs = *(_Atomic uint32_t *const *)context;

    atomic_fetch_add(&runs[item], 1);
    if (item % 10 == 9)
        raise(SIGKILL);
    *(uint64_t *)out = 2 * *(const uint64_t *)in;
    return 0;
}

/* What an earlier life has done of a map counts neither for the next one's life nor again in the figures. */
PE_TEST_LOOP(p35_lives_shorter_than_a_map, 0, 12)
{
    enum { ITEMS = 40 };
    static const uint64_t lives[] = { 1, 2, 7, 10, 19, 39 };
    uint64_t life = lives[_i / 2], in[ITEMS], out[ITEMS] = { 0 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_worker_stats stats = PE_WORKER_STATS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .jobs_per_worker = life });
    _Atomic uint32_t *runs = pool_shared(pool, ITEMS * sizeof *runs);

    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = _i % 2 != 0 ? ITEMS : PE_CHUNK_AUTO;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    options.retries = 1;
    ck_assert_int_eq(pe_pool_map(pool, note_run_and_crash, in, sizeof *in, out, sizeof *out, ITEMS, &options),
                     PE_EITEMS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        ck_assert_uint_eq(out[i], i % 10 == 9 ? 0 : 2 * i);
        ck_assert_uint_eq(runs[i], i % 10 == 9 ? 2 : 1);
    }
    ck_assert_int_eq(pe_pool_worker_stats(pool, 0, &stats), 0);
    ck_assert_uint_eq(stats.ended, ITEMS + 1);
    pe_pool_free(pool);
}

/* ---- replaced because they have grown ---- */

#define MIB ((size_t)1 << 20)
#define LEAK (10 * MIB)

/* Written by way of a volatile pointer, so that it is really there. */
static void touch(void *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 4096)
        ((volatile char *)memory)[at] = 1;
}

static void leak(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    touch(memory, bytes);
}

static int leak_and_double(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    leak(LEAK);
    return job_double(arg, arg_bytes, reply);
}

/* What the pool's processes write to stderr goes to a file meanwhile. */
PE_TEST(g06_a_leaking_worker_is_replaced)
{
    enum { JOBS = 60 };
    FILE *errors = tmpfile();
    int former = dup(2);
    int32_t pid = 0;
    int lives = 0, jobs = 0;
    pe_stats stats;
    pe_pool *pool;

    dup2(fileno(errors), 2);
    pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 100 * MIB });
    dup2(former, 2);
    close(former);
    for (uint64_t i = 0; i < JOBS; i++) {
        pe_job *job = pool_submit(pool, leak_and_double, &i, sizeof i);
        pe_status status = job_ended(job);

        lives += status.pid != pid;
        jobs = status.pid != pid ? 1 : jobs + 1;
        pid = status.pid;
        ck_assert_int_le(jobs, 20);
        job_assert_reply(job, &(uint64_t){ 2 * i }, sizeof(uint64_t));
    }
    ck_assert_int_ge(lives, JOBS / 20);
    ck_assert_int_le(lives, JOBS / 10 + 1);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    stats = pool_stats(pool);
    ck_assert_uint_ge(stats.recycled + 1, (unsigned)lives);
    ck_assert_uint_eq(stats.restarts, 0);
    ck_assert_uint_eq(stats.crashed, 0);
    pe_pool_free(pool);
    fseek(errors, 0, SEEK_END);
    ck_assert_int_eq(ftell(errors), 0);
    fclose(errors);
}

static int leak_item(const void *in, void *out, const void *context)
{
    _Atomic uint32_t *runs;

    memcpy(&runs, context, sizeof runs);
    atomic_fetch_add(&runs[*(const uint64_t *)in], 1);
    leak(LEAK);
    *(uint64_t *)out = 2 * *(const uint64_t *)in;
    return 0;
}

/* A worker leaves in the middle of a chunk, and the next one goes on there; the same with statuses. */
PE_TEST_LOOP(p36_between_items_of_a_chunk, 0, 2)
{
    enum { ITEMS = 40 };
    uint64_t in[ITEMS], out[ITEMS] = { 0 };
    pe_status statuses[ITEMS];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 50 * MIB });
    _Atomic uint32_t *runs = pool_shared(pool, ITEMS * sizeof *runs);
    pe_stats stats;

    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = ITEMS;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    options.statuses = _i != 0 ? statuses : NULL;
    ck_assert_int_eq(pe_pool_map(pool, leak_item, in, sizeof *in, out, sizeof *out, ITEMS, &options), 0);
    for (uint64_t i = 0; i < ITEMS; i++) {
        ck_assert_uint_eq(out[i], 2 * i);
        ck_assert_uint_eq(runs[i], 1);
        if (_i != 0)
            ck_assert_uint_eq(statuses[i].attempts, 1);
    }
    stats = pool_stats(pool);
    ck_assert_uint_ge(stats.recycled, ITEMS / 10 - 1);
    ck_assert_uint_le(stats.recycled, ITEMS / 5);
    ck_assert_uint_eq(stats.restarts, 0);
    pe_pool_free(pool);
}

/* A map that is stopped when its worker leaves ends as one that is stopped. */
static int leak_and_fail(const void *in, void *out, const void *context)
{
    leak_item(in, out, context);
    return 1;
}

PE_TEST(p36_a_stopped_map_ends)
{
    uint64_t in[20] = { 0 }, out[20];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = LEAK / 2 });
    _Atomic uint32_t *runs = pool_shared(pool, sizeof *runs);

    options.chunk = 20;
    options.on_error = 1;
    options.context = &runs;
    options.context_bytes = sizeof runs;
    ck_assert_int_eq(pe_pool_map(pool, leak_and_fail, in, sizeof *in, out, sizeof *out, 20, &options), PE_EITEMS);
    ck_assert_uint_eq(*runs, 1);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

struct buffers {
    void *inherited, *shared;
    size_t bytes;
};

static int touch_both(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct buffers buffers;

    (void)arg_bytes;
    memcpy(&buffers, arg, sizeof buffers);
    touch(buffers.inherited, buffers.bytes);
    touch(buffers.shared, buffers.bytes);
    return job_pid(NULL, 0, reply);
}

static int load_much(void *context)
{
    (void)context;
    leak(60 * MIB);
    return 0;
}

/* Not what the worker inherits, not what all share, and not what its initialiser took. */
PE_TEST(p36_what_does_not_count)
{
    struct buffers buffers = { .bytes = 100 * MIB };
    pe_pool *pool;
    int32_t pid = 0;

    buffers.inherited = mmap(NULL, buffers.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch(buffers.inherited, buffers.bytes);
    pool = pool_with((pe_pool_options){ .workers = 1, .rss_limit_bytes = 20 * MIB,
                                         .shared_bytes = 2 * buffers.bytes, .worker_init = load_much });
    buffers.shared = pool_shared(pool, buffers.bytes);
    for (int i = 0; i < 5; i++) {
        pe_status status = pool_run(pool, touch_both, &buffers, sizeof buffers);

        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert(pid == 0 || pid == status.pid);
        pid = status.pid;
    }
    ck_assert_uint_eq(pool_stats(pool).recycled, 0);
    pe_pool_free(pool);
    munmap(buffers.inherited, buffers.bytes);
}

/* ---- a limit on memory ---- */

#define LIMIT (64 * MIB)

enum hunger {
    HUNGER_NULL,   /* writes where malloc returned NULL */
    HUNGER_ABORT,  /* aborts, as C++ does when nobody catches what new throws */
    HUNGER_GROW,   /* grows bit by bit; errno says nothing when it aborts */
    HUNGER_EXIT,   /* exits with a failure, as programs do that check */
    HUNGER_RETURN, /* returns an error */
    SATED_NULL,    /* writes through NULL for no reason */
    SATED_ABORT,
    SATED_EXIT,
    SATED_KILL,
    HUNGER_WAYS
};

static const struct death_ending hunger_ends[HUNGER_WAYS] = {
    [HUNGER_NULL] = { PE_OUT_OF_MEMORY, SIGSEGV },  [HUNGER_ABORT] = { PE_OUT_OF_MEMORY, SIGABRT },
    [HUNGER_GROW] = { PE_OUT_OF_MEMORY, SIGABRT },  [HUNGER_EXIT] = { PE_OUT_OF_MEMORY, 0 },
    [HUNGER_RETURN] = { PE_RETURNED, 12 },          [SATED_NULL] = { PE_CRASHED, SIGSEGV },
    [SATED_ABORT] = { PE_CRASHED, SIGABRT },        [SATED_EXIT] = { PE_EXITED, DEATH_EXIT_CODE(3) },
    [SATED_KILL] = { PE_CRASHED, SIGKILL },
};

/* False under tools that take the place of the kernel in this and let mmap go on. */
static bool limits_hold(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        setrlimit(RLIMIT_DATA, &(struct rlimit){ 0, 0 });
        _exit(mmap(NULL, LIMIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 1;
}

static void *volatile kept;
static char *volatile nowhere;

/* A sanitizer would end it in its own way. */
static __attribute__((no_sanitize("address", "undefined"), noinline)) void write_at(volatile char *place)
{
    *place = 1;
}

static void grow_until_nothing_is_left(void)
{
    while ((kept = malloc(100000)) != NULL)
        memset(kept, 1, 100000);
    errno = 0;
    abort();
}

static int be_hungry(enum hunger how)
{
    kept = malloc(how < SATED_NULL && how != HUNGER_GROW ? 2 * LIMIT : 1000);
    switch (how) {
    case HUNGER_NULL: write_at(kept); break;
    case HUNGER_GROW: grow_until_nothing_is_left(); break;
    case HUNGER_EXIT: exit(kept == NULL ? 3 : 0);
    case HUNGER_RETURN: return kept == NULL ? 12 : 0;
    case SATED_NULL: write_at(nowhere); break;
    case SATED_EXIT: exit(3);
    case SATED_KILL: raise(SIGKILL); break;
    default: abort();
    }
    return 0;
}

static int job_hungry(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes, (void)reply;
    return be_hungry(*(const enum hunger *)arg);
}

static pe_pool *limited_pool(uint32_t workers)
{
    return pool_with((pe_pool_options){ .workers = workers, .memory_limit_bytes = LIMIT });
}

PE_TEST_LOOP(p34_how_a_job_ends, 0, HUNGER_WAYS)
{
    enum hunger how = (enum hunger)_i, before = HUNGER_RETURN;
    bool starved = hunger_ends[how].kind == PE_OUT_OF_MEMORY;
    pe_pool *pool;

    if (!limits_hold())
        return;
    pool = limited_pool(1);
    /* What failed in an earlier job says nothing of this one. */
    ck_assert_int_eq(pool_run(pool, job_hungry, &before, sizeof before).code, 12);
    for (int round = 0; round < 3; round++) {
        pe_status status = pool_run(pool, job_hungry, &how, sizeof how);

        ck_assert_uint_eq(status.kind, hunger_ends[how].kind);
        ck_assert_int_eq(status.code, hunger_ends[how].code);
        pool_assert_usable(pool);
    }
    ck_assert_uint_eq(pool_stats(pool).out_of_memory, starved ? 3 : 0);
    ck_assert_uint_eq(pool_stats(pool).crashed, starved || how == HUNGER_RETURN ? 0 : 3);
    pe_pool_free(pool);
}

PE_TEST(p34_retries_and_deaths_count)
{
    enum hunger how = HUNGER_NULL;
    pe_status status;
    pe_pool *pool;

    if (!limits_hold())
        return;
    pool = pool_with((pe_pool_options){ .workers = 1, .memory_limit_bytes = LIMIT, .max_deaths = 5 });
    status = job_finish(pool_submit_retried(pool, job_hungry, &how, sizeof how, 2));
    ck_assert_uint_eq(status.kind, PE_OUT_OF_MEMORY);
    ck_assert_uint_eq(status.attempts, 3);
    ck_assert_uint_eq(job_finish(pool_submit_retried(pool, job_hungry, &how, sizeof how, 100)).kind, PE_LOST);
    pe_pool_free(pool);
}

/* One item in ten ends in one of the ways; the others of its chunk are well. */
static int item_hungry(const void *in, void *out, const void *context)
{
    uint64_t item = *(const uint64_t *)in;

    (void)context;
    if (item % 10 == 5 && be_hungry((enum hunger)(item / 10 % HUNGER_WAYS)) != 0)
        return 12;
    *(uint64_t *)out = 2 * item;
    return 0;
}

PE_TEST_LOOP(p34_items_of_a_map, 0, 2)
{
    enum { ITEMS = 180 };
    uint64_t in[ITEMS], out[ITEMS] = { 0 };
    pe_status statuses[ITEMS];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;
    pe_job *map;

    if (!limits_hold())
        return;
    pool = limited_pool(2);
    for (uint64_t i = 0; i < ITEMS; i++)
        in[i] = i;
    options.chunk = 50;
    options.statuses = _i != 0 ? statuses : NULL;
    ck_assert_int_eq(
        pe_pool_start_map(pool, item_hungry, in, sizeof *in, out, sizeof *out, ITEMS, &options, &map), 0);
    ck_assert_int_eq(job_ended(map).code, PE_EITEMS);
    for (uint64_t i = 0; i < ITEMS; i++) {
        const struct death_ending *wanted = &hunger_ends[i / 10 % HUNGER_WAYS];
        pe_status status;

        ck_assert_int_eq(pe_job_item_status(map, i, &status), 0);
        ck_assert_uint_eq(status.kind, i % 10 == 5 ? wanted->kind : PE_RETURNED);
        ck_assert_int_eq(status.code, i % 10 == 5 ? wanted->code : 0);
        ck_assert_uint_eq(out[i], i % 10 == 5 ? 0 : 2 * i);
    }
    pe_job_free(map);
    pool_assert_usable(pool);
    pe_pool_free(pool);
}

static int fold_hungry(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    if (first <= 500 && last > 500)
        be_hungry(HUNGER_ABORT);
    *(uint64_t *)acc += last - first;
    return 0;
}

static int combine_sums(void *acc, const void *part, const void *context)
{
    (void)context;
    *(uint64_t *)acc += *(const uint64_t *)part;
    return 0;
}

PE_TEST(p34_a_block_of_a_reduce)
{
    uint64_t sum = 0;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool;

    if (!limits_hold())
        return;
    pool = limited_pool(2);
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_reduce(pool, fold_hungry, combine_sums, 0, 1000, &sum, sizeof sum, &options), PE_EITEMS);
    ck_assert_uint_eq(summary.first_failed, 500);
    ck_assert_uint_eq(summary.first.kind, PE_OUT_OF_MEMORY);
    ck_assert_uint_eq(sum, 0);
    pe_pool_free(pool);
}

/* arg: megabytes to allocate and touch. Returns 12 when there are not so many. */
static int job_take(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    size_t bytes = (size_t)*(const int *)arg * MIB;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg_bytes, (void)reply;
    if (memory == MAP_FAILED)
        return 12;
    touch(memory, bytes);
    munmap(memory, bytes);
    return 0;
}

static int touch_and_reply(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct buffers buffers;

    (void)arg_bytes;
    memcpy(&buffers, arg, sizeof buffers);
    touch(buffers.inherited, buffers.bytes);
    touch(buffers.shared, buffers.bytes);
    return pe_reply_reserve(reply, HARNESS_MIB(128)) != NULL ? 0 : 1;
}

/* The host has more than that already, and is not limited itself; shared memory and replies do not count. */
PE_TEST(p34_what_the_limit_is_on)
{
    struct buffers buffers = { .bytes = 2 * LIMIT };
    pe_pool *pool;
    void *more;

    if (!limits_hold())
        return;
    buffers.inherited = malloc(buffers.bytes);
    touch(buffers.inherited, buffers.bytes);
    pool = pool_with((pe_pool_options){ .workers = 2, .memory_limit_bytes = LIMIT,
                                         .shared_bytes = 2 * buffers.bytes });
    buffers.shared = pool_shared(pool, buffers.bytes);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pool_run(pool, job_take, &(int){ 50 }, sizeof(int)).code, 0);
        ck_assert_int_eq(pool_run(pool, job_take, &(int){ 70 }, sizeof(int)).code, 12);
        ck_assert_int_eq(pool_run(pool, touch_and_reply, &buffers, sizeof buffers).code, 0);
    }
    more = malloc(2 * LIMIT);
    ck_assert_ptr_nonnull(more);
    free(more);
    pe_pool_free(pool);
    free(buffers.inherited);
}

static int take_too_much(void *context)
{
    (void)context;
    kept = malloc(2 * LIMIT);
    return kept == NULL;
}

PE_TEST(p34_the_initialiser_is_limited_too)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    if (!limits_hold())
        return;
    options.memory_limit_bytes = LIMIT;
    options.worker_init = take_too_much;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_null(pool);
}

/* ---- what is told of workers that keep dying ---- */

static char last_message[512];

static void keep_message(int level, const char *message, void *context)
{
    (void)context;
    if (level == PE_LOG_ERROR)
        snprintf(last_message, sizeof last_message, "%s", message);
}

/* Sleeps on the descriptor until the pool says that it is broken. */
static void await_broken(pe_pool *pool)
{
    int64_t guard = pe_after(PE_SECONDS(25));
    int result;

    while ((result = pe_pool_poll(pool)) != PE_EBROKEN && pe_now() < guard)
        if (result == 0)
            poll(&(struct pollfd){ .fd = pe_pool_fd(pool), .events = POLLIN }, 1, 10000);
    ck_assert_int_eq(result, PE_EBROKEN);
}

PE_TEST(p32_the_last_death_is_told)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .max_deaths = 3 });
    pe_status death, job;
    char wanted[64];

    pe_set_log(keep_message, NULL);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, PE_PENDING);
    ck_assert_int_eq(death.worker, -1);
    for (int i = 0; i < 3; i++)
        job = pool_run(pool, job_dies, NULL, 0);
    await_broken(pool);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, PE_CRASHED);
    ck_assert_int_eq(death.code, SIGKILL);
    ck_assert_int_eq(death.pid, job.pid);
    ck_assert_int_eq(death.worker, 0);
    snprintf(wanted, sizeof wanted, "pid %d: it was killed by signal 9", (int)job.pid);
    ck_assert_ptr_nonnull(strstr(last_message, wanted));
    pe_pool_free(pool);
    pe_set_log(NULL, NULL);
}

/* A worker that leaves, or is stopped, or whose pool is killed, has not died. */
PE_TEST(p32_ends_that_are_no_deaths)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .jobs_per_worker = 1, .grace_ns = PE_NOW });
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job;

    for (int i = 0; i < 3; i++)
        pool_run(pool, job_nothing, NULL, 0);
    job = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    job_await_pid(pid);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    pool_assert_usable(pool);
    ck_assert_uint_ge(pool_stats(pool).restarts, 1);
    ck_assert_uint_eq(pool_stats(pool).last_death.kind, PE_PENDING);
    ck_assert_int_eq(pe_pool_kill(pool, PE_NOW), 0);
    ck_assert_uint_eq(pool_stats(pool).last_death.kind, PE_PENDING);
    pe_pool_free(pool);
}

/* It fails in replacements, by a code or by a crash. */
PE_TEST_LOOP(p32_what_an_initialiser_did_is_told, 0, 2)
{
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, 3);
    pe_status death;

    lives->good_starts = 1;
    lives->crash = (uint32_t)_i;
    pool_run(pool, job_dies, NULL, 0);
    await_broken(pool);
    death = pool_stats(pool).last_death;
    ck_assert_uint_eq(death.kind, _i != 0 ? PE_CRASHED : PE_RETURNED);
    ck_assert_int_eq(death.code, _i != 0 ? SIGABRT : 5);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

static int return_5(void *context)
{
    (void)context;
    return 5;
}

static int abort_at_once(void *context)
{
    (void)context;
    abort();
}

PE_TEST_LOOP(c03_why_there_is_no_pool_is_told, 0, 2)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    setrlimit(RLIMIT_CORE, &no_cores);
    options.workers = 1;
    options.worker_init = _i != 0 ? abort_at_once : return_5;
    pe_set_log(keep_message, NULL);
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_nonnull(strstr(last_message, _i != 0 ? "it was killed by signal 6" : "its initialiser returned 5"));
    pe_set_log(NULL, NULL);
}

/* Replacements that fail for ever in a pool that never breaks are not started over and over, and can be freed. */
PE_TEST(c03_freed_while_replacements_fail)
{
    struct lives *lives = lives_map();
    pe_pool *pool = lives_pool(lives, 1, UINT32_MAX);
    int64_t began = pe_now();

    lives->good_starts = 1;
    pool_run(pool, job_dies, NULL, 0);
    while (pool_stats(pool).restarts < 8 && pe_now() < began + PE_SECONDS(25))
        sched_yield();
    ck_assert_uint_ge(pool_stats(pool).restarts, 8);
    ck_assert_int_ge(pe_now() - began, PE_MS(200)); /* the first five at once, the others 100 ms after each other */
    began = pe_now();
    pe_pool_free(pool);
    ck_assert_int_lt(pe_now() - began, PE_SECONDS(5));
    munmap(lives, sizeof *lives);
}

HARNESS_MAIN("life")
