/*
 * Deaths of workers: what one costs, who hears of it, and that nothing is lost, doubled or blamed on the
 * wrong one, at whatever moment it comes. Scenarios of group B (b01 and so on) and rows P22 to P33 and P38 of
 * the list of features.
 *
 * What items and jobs did is written to ledgers in shared memory, so it is known also of those that died. The
 * wanted moment of a death is brought about by such words, never by sleeping; the torture at the end kills at
 * random moments and checks what holds at every moment.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#define GUARD_NS     PE_SECONDS(25)
#define UNTOUCHED    UINT64_C(0xeeeeeeeeeeeeeeee)
#define LIVES_MOST   16
#define MIB          ((size_t)1048576)
#define NO_SANITIZER __attribute__((no_sanitize("address", "undefined"), noinline))

/* ---- pools and jobs ---- */

static pe_pool *make_pool(const pe_pool_options *options)
{
    struct rlimit no_cores = { 0, 0 };
    pe_pool *pool = NULL;

    getrlimit(RLIMIT_CORE, &no_cores);
    no_cores.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &no_cores);
    ck_assert_int_eq(pe_pool_new(options, &pool), 0);
    return pool;
}

static pe_pool *make_workers(uint32_t workers)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    return make_pool(&options);
}

static void *shared_of(pe_pool *pool, size_t bytes)
{
    void *memory = NULL;

    ck_assert_int_eq(pe_pool_alloc(pool, bytes, &memory), 0);
    return memory;
}

static pe_job *submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, uint32_t retries)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *job = NULL;

    options.retries = retries;
    ck_assert_int_eq(pe_pool_submit(pool, fn, arg, arg_bytes, &options, &job), 0);
    return job;
}

/* Waits for the end and gives the handle back. */
static pe_status end_of(pe_job *job)
{
    pe_status status;

    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    pe_job_free(job);
    return status;
}

static pe_stats stats_of(const pe_pool *pool)
{
    pe_stats stats = PE_STATS_INIT;

    ck_assert_int_eq(pe_pool_stats(pool, &stats), 0);
    return stats;
}

/* The keeper counts a replacement after it has settled the death, so a job's end may be seen first. */
static void await_restarts(const pe_pool *pool, uint64_t restarts)
{
    int64_t guard = pe_after(GUARD_NS);

    while (stats_of(pool).restarts < restarts && pe_now() < guard)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(stats_of(pool).restarts, restarts);
}

static int give_pid(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int32_t pid = (int32_t)getpid();

    (void)arg;
    (void)arg_bytes;
    return pe_reply_write(reply, &pid, sizeof pid);
}

static int32_t worker_pid(pe_pool *pool)
{
    pe_job *job = submit(pool, give_pid, NULL, 0, 0);
    const void *data = NULL;
    size_t bytes = 0;
    int32_t pid;

    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof pid);
    memcpy(&pid, data, sizeof pid);
    pe_job_free(job);
    return pid;
}

static int twice(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t value;

    if (arg_bytes != sizeof value)
        return -1;
    memcpy(&value, arg, sizeof value);
    value *= 2;
    return pe_reply_write(reply, &value, sizeof value);
}

static void assert_twice(pe_job *job, uint64_t value)
{
    const void *data = NULL;
    size_t bytes = 0;
    uint64_t got;

    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, sizeof got);
    memcpy(&got, data, sizeof got);
    ck_assert_uint_eq(got, 2 * value);
    ck_assert_uint_eq(end_of(job).kind, PE_RETURNED);
}

static void assert_usable(pe_pool *pool)
{
    pe_job *jobs[10];

    for (uint64_t i = 0; i < 10; i++)
        jobs[i] = submit(pool, twice, &i, sizeof i, 0);
    for (uint64_t i = 0; i < 10; i++)
        assert_twice(jobs[i], i);
}

/* Sleeps on the descriptor until the pool says that it is broken. */
static void await_broken(pe_pool *pool)
{
    int64_t guard = pe_after(GUARD_NS);
    int result;

    while ((result = pe_pool_poll(pool)) != PE_EBROKEN && pe_now() < guard)
        if (result == 0)
            poll(&(struct pollfd){ .fd = pe_pool_fd(pool), .events = POLLIN }, 1, 10000);
    ck_assert_int_eq(result, PE_EBROKEN);
}

/* ---- ways to die ---- */

enum way {
    WAY_ABORT,
    WAY_NULL,
    WAY_STACK,
    WAY_KILL,
    WAY_DIVIDE,
    WAY_EXIT,
    WAY_QUICK_EXIT,
    WAY_EXIT_3,
    WAY_COUNT
};

static const struct {
    uint32_t kind;
    int32_t code;
} endings[WAY_COUNT] = {
    [WAY_ABORT] = { PE_CRASHED, SIGABRT }, [WAY_NULL] = { PE_CRASHED, SIGSEGV },
    [WAY_STACK] = { PE_CRASHED, SIGSEGV }, [WAY_KILL] = { PE_CRASHED, SIGKILL },
    [WAY_DIVIDE] = { PE_CRASHED, SIGFPE }, [WAY_EXIT] = { PE_EXITED, 0 },
    [WAY_QUICK_EXIT] = { PE_EXITED, 0 },   [WAY_EXIT_3] = { PE_EXITED, 3 },
};

static volatile int never;

NO_SANITIZER static int overflow_stack(int depth)
{
    volatile char frame[4096];

    frame[0] = (char)depth;
    if (!never)
        depth += overflow_stack(depth + 1);
    return depth + frame[0];
}

NO_SANITIZER static void die(enum way way)
{
    struct rlimit small = { MIB, MIB };
    int *volatile nothing = NULL;
    volatile int zero = 0;

    switch (way) {
    case WAY_ABORT:
        abort();
    case WAY_NULL:
        *(volatile int *)nothing = 1;
        break;
    case WAY_STACK:
        setrlimit(RLIMIT_STACK, &small);
        overflow_stack(0);
        break;
    case WAY_KILL:
        kill(getpid(), SIGKILL);
        break;
    case WAY_DIVIDE:
        zero = 1000 / zero;
        break;
    case WAY_EXIT:
        exit(0);
    case WAY_QUICK_EXIT:
        _exit(0);
    default:
        exit(3);
    }
}

static int job_dies(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    enum way way = WAY_KILL;

    (void)reply;
    if (arg_bytes == sizeof way)
        memcpy(&way, arg, sizeof way);
    die(way);
    return 0;
}

/* ---- maps whose items die by plan ---- */

struct entry {
    _Atomic uint32_t begun, ended;
    _Atomic int32_t pid;
    _Atomic int32_t worker;
};

/* Item i dies in its first `attempts` attempts when i % every == at. */
struct plan {
    struct entry *ledger;
    uint64_t count, every, at;
    uint32_t attempts;
    enum way way;
    int first_waits; /* item 0 ends only after item 1 has begun: somebody must steal it */
};

static int is_fatal(const struct plan *plan, uint64_t item)
{
    return plan->every != 0 && item % plan->every == plan->at;
}

static int item_by_plan(const void *in, void *out, const void *context)
{
    const struct plan *plan = context;
    uint64_t item = pe_worker_item();
    struct entry *entry = &plan->ledger[item];
    uint32_t attempt = atomic_fetch_add(&entry->begun, 1) + 1;

    atomic_store(&entry->pid, (int32_t)getpid());
    atomic_store(&entry->worker, pe_worker_index());
    while (plan->first_waits && item == 0 && atomic_load(&plan->ledger[1].begun) == 0)
        sched_yield();
    if (is_fatal(plan, item) && attempt <= plan->attempts)
        die(plan->way);
    *(uint64_t *)out = 3 * *(const uint64_t *)in + 1;
    atomic_fetch_add(&entry->ended, 1);
    return 0;
}

static void assert_item(const struct plan *plan, uint64_t item, uint32_t retries, const pe_status *status,
                        uint64_t out)
{
    const struct entry *entry = &plan->ledger[item];
    int dies = is_fatal(plan, item) && plan->attempts > retries;
    uint32_t attempts = !is_fatal(plan, item) ? 1 : dies ? retries + 1 : plan->attempts + 1;

    ck_assert_uint_eq(status->item, item);
    ck_assert_uint_eq(status->kind, dies ? endings[plan->way].kind : PE_RETURNED);
    ck_assert_int_eq(status->code, dies ? endings[plan->way].code : 0);
    ck_assert_uint_eq(status->attempts, attempts);
    ck_assert_int_eq(status->pid, entry->pid);
    ck_assert_int_eq(status->worker, entry->worker);
    ck_assert_uint_eq(entry->begun, attempts);
    ck_assert_uint_eq(entry->ended, !dies);
    ck_assert_uint_eq(out, dies ? UNTOUCHED : 3 * (item + 7) + 1);
}

/* Runs a map by plan and looks at every item; returns how many died for good. */
static uint64_t run_plan(pe_pool *pool, struct plan *plan, uint64_t chunk, uint32_t retries)
{
    uint64_t *in = malloc(plan->count * sizeof *in), *out = malloc(plan->count * sizeof *out);
    pe_status *statuses = calloc(plan->count, sizeof *statuses);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t died = 0;

    plan->ledger = shared_of(pool, plan->count * sizeof *plan->ledger);
    for (uint64_t i = 0; i < plan->count; i++) {
        in[i] = i + 7;
        out[i] = UNTOUCHED;
        died += is_fatal(plan, i) && plan->attempts > retries;
    }
    options.chunk = chunk;
    options.retries = retries;
    options.context = plan;
    options.context_bytes = sizeof *plan;
    options.statuses = statuses;
    options.summary = &summary;
    ck_assert_int_eq(pe_pool_map(pool, item_by_plan, in, sizeof *in, out, sizeof *out, plan->count, &options),
                     died > 0 ? PE_EITEMS : 0);
    for (uint64_t i = 0; i < plan->count; i++)
        assert_item(plan, i, retries, &statuses[i], out[i]);
    ck_assert_uint_eq(summary.returned, plan->count - died);
    ck_assert_uint_eq(summary.failed, died);
    ck_assert_uint_eq(summary.cancelled + summary.lost, 0);
    ck_assert_uint_eq(summary.first_failed, died > 0 ? plan->at : UINT64_MAX);
    pe_pool_dealloc(pool, plan->ledger);
    free(in);
    free(out);
    free(statuses);
    return died;
}

/* ---- group B ---- */

PE_TEST(b01_abort_costs_one_item)
{
    struct plan plan = { .count = 100, .every = 100, .at = 17, .attempts = 1, .way = WAY_ABORT };
    pe_pool *pool = make_workers(4);

    ck_assert_uint_eq(run_plan(pool, &plan, 0, 0), 1);
    assert_usable(pool);
    await_restarts(pool, 1);
    pe_pool_free(pool);
}

/* Item and job; and not a byte on the host's stdout and stderr. */
PE_TEST_LOOP(b02_each_way_to_die, WAY_ABORT, WAY_EXIT)
{
    struct plan plan = { .count = 100, .every = 100, .at = 17, .attempts = 1, .way = (enum way)_i };
    char name[] = "/tmp/test-crash-XXXXXX";
    int file = mkstemp(name), saved[2] = { dup(1), dup(2) };
    pe_pool *pool;
    pe_status status;
    off_t printed;

#if !defined(__x86_64__) && !defined(__i386__)
    if (_i == WAY_DIVIDE)
        HARNESS_SKIP("integer division by zero does not trap here");
#endif
    unlink(name);
    dup2(file, 1);
    dup2(file, 2);
    pool = make_workers(4);
    run_plan(pool, &plan, 0, 0);
    status = end_of(submit(pool, job_dies, &plan.way, sizeof plan.way, 0));
    assert_usable(pool);
    pe_pool_free(pool);
    printed = lseek(file, 0, SEEK_END);
    for (int fd = 1; fd <= 2; fd++) {
        dup2(saved[fd - 1], fd);
        close(saved[fd - 1]);
    }
    close(file);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, endings[_i].code);
    ck_assert_int_eq((int)printed, 0);
}

static char state_of(pid_t pid)
{
    char path[64], text[256] = "";
    const char *end;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return '-';
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '-';
}

static void await_asleep(pid_t pid)
{
    int64_t guard = pe_after(GUARD_NS);

    while (state_of(pid) != 'S' && pe_now() < guard)
        poll(NULL, 0, 1);
    ck_assert_int_eq(state_of(pid), 'S');
}

/* The one that ran the last job is killed asleep; what follows must not notice. */
PE_TEST(b05_killed_while_idle)
{
    pe_pool *pool = make_workers(2);

    for (uint64_t round = 1; round <= 30; round++) {
        int32_t pid = worker_pid(pool);

        await_asleep(pid);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        assert_usable(pool);
        await_restarts(pool, round);
    }
    ck_assert_uint_eq(stats_of(pool).crashed, 0);
    pe_pool_free(pool);
}

struct half {
    size_t reserve, touch;
    int good;
};

static int dies_half_written(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct half half;
    char *place;

    if (arg_bytes != sizeof half)
        return -1;
    memcpy(&half, arg, sizeof half);
    if (pe_reply_write(reply, "first a small one", 17) < 0)
        return -2;
    place = pe_reply_reserve(reply, half.reserve);
    if (place == NULL)
        return -3;
    for (size_t at = 0; at < half.touch; at += 4096)
        place[at] = 'x';
    if (!half.good)
        die(WAY_KILL);
    return 0;
}

PE_TEST(b07_crash_while_sending_600_mib)
{
    struct half half = { .reserve = 600 * MIB, .touch = 300 * MIB };
    pe_pool *pool;
    pe_job *bad, *good[20];
    pe_status status;
    const void *data;
    size_t bytes;

    if (sysconf(_SC_AVPHYS_PAGES) < (long)(1200 * MIB / 4096))
        HARNESS_SKIP("less than 1.2 GiB of memory free");
    pool = make_workers(3);
    bad = submit(pool, dies_half_written, &half, sizeof half, 0);
    for (uint64_t i = 0; i < 20; i++)
        good[i] = submit(pool, twice, &i, sizeof i, 0);
    for (uint64_t i = 0; i < 20; i++)
        assert_twice(good[i], i);
    ck_assert_int_eq(pe_job_wait(bad, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_result(bad, &data, &bytes), PE_ENODATA);
    status = end_of(bad);
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGKILL);
    assert_usable(pool);
    pe_pool_free(pool);
}

/* Counts its attempts by the bytes of a file. */
static int dies_twice(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int file = open(arg, O_WRONLY | O_APPEND | O_CLOEXEC);
    off_t attempts;

    (void)arg_bytes;
    if (file < 0 || write(file, "x", 1) != 1)
        return -1;
    attempts = lseek(file, 0, SEEK_END);
    close(file);
    if (attempts <= 2)
        die(WAY_NULL);
    return pe_reply_write(reply, &attempts, sizeof attempts);
}

PE_TEST(b09_third_attempt_returns)
{
    pe_pool *pool = make_workers(2);

    for (uint32_t retries = 1; retries <= 2; retries++) {
        char name[] = "/tmp/test-crash-XXXXXX";
        int file = mkstemp(name);
        pe_job *job = submit(pool, dies_twice, name, sizeof name, retries);
        off_t attempts = 0;
        const void *data = NULL;
        size_t bytes = 0;
        pe_status status;
        int result;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        result = pe_job_result(job, &data, &bytes);
        if (result == 0)
            memcpy(&attempts, data, sizeof attempts);
        status = end_of(job);
        ck_assert_int_eq((int)lseek(file, 0, SEEK_END), (int)retries + 1);
        close(file);
        unlink(name);
        ck_assert_int_eq(result, retries == 2 ? 0 : PE_ENODATA);
        ck_assert_int_eq((int)attempts, retries == 2 ? 3 : 0);
        ck_assert_uint_eq(status.kind, retries == 2 ? PE_RETURNED : PE_CRASHED);
        ck_assert_int_eq(status.code, retries == 2 ? 0 : SIGSEGV);
        ck_assert_uint_eq(status.attempts, retries + 1);
    }
    pe_pool_free(pool);
}

PE_TEST(b09_third_attempt_of_an_item_returns)
{
    struct plan plan = { .count = 40, .every = 40, .at = 5, .attempts = 2, .way = WAY_NULL };
    pe_pool *pool = make_workers(2);

    ck_assert_uint_eq(run_plan(pool, &plan, 0, 2), 0);
    ck_assert_uint_eq(run_plan(pool, &plan, 0, 1), 1);
    pe_pool_free(pool);
}

static void die_in_handler(int number)
{
    (void)number;
    _exit(9);
}

static int registers_handler(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    signal(SIGUSR1, die_in_handler);
    return give_pid(arg, arg_bytes, reply);
}

PE_TEST(b11_death_after_the_return)
{
    pe_pool *pool = make_workers(1);

    for (uint64_t round = 1; round <= 20; round++) {
        pe_job *job = submit(pool, registers_handler, NULL, 0, 0);
        const void *data = NULL;
        int32_t pid;
        pe_status status;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
        memcpy(&pid, data, sizeof pid);
        ck_assert_int_eq(kill(pid, SIGUSR1), 0);
        await_restarts(pool, round);
        ck_assert_int_eq(pe_job_result(job, &data, NULL), 0);
        ck_assert_int_eq(memcmp(data, &pid, sizeof pid), 0);
        status = end_of(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.pid, pid);
        ck_assert_int_ne(worker_pid(pool), pid);
    }
    pe_pool_free(pool);
}

/* ---- what is known of each life: filled in by the initialiser ---- */

struct lives {
    _Atomic int32_t pid[LIVES_MOST];
    _Atomic uint32_t starts;
    _Atomic int64_t start_ns[4096];
    _Atomic uint32_t good_starts; /* later ones fail; 0: none does */
    _Atomic uint32_t crash;       /* they crash instead of saying so */
};

static int note_life(void *context)
{
    struct lives *lives = context;
    uint32_t start = atomic_fetch_add(&lives->starts, 1);

    atomic_store(&lives->start_ns[start % 4096], pe_now());
    if (atomic_load(&lives->good_starts) != 0 && start >= atomic_load(&lives->good_starts)) {
        if (atomic_load(&lives->crash))
            abort();
        return 5;
    }
    atomic_store(&lives->pid[pe_worker_index()], (int32_t)getpid());
    return 0;
}

static struct lives *map_lives(void)
{
    struct lives *lives =
        mmap(NULL, sizeof *lives, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(lives, MAP_FAILED);
    return lives;
}

static pe_pool *make_noted(struct lives *lives, uint32_t workers, uint32_t max_deaths)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    options.worker_init = note_life;
    options.worker_context = lives;
    options.max_deaths = max_deaths;
    return make_pool(&options);
}

/* Jobs that had their turn crashed, the rest is lost with the pool; and the deaths came slower and slower. */
PE_TEST(b12_every_job_crashes)
{
    enum { JOBS = 100, MOST = 25 };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 1, MOST);
    uint32_t crashed = 0, lost = 0, forks = 0;
    pe_job *jobs[JOBS];

    for (int i = 0; i < JOBS; i++)
        jobs[i] = submit(pool, job_dies, NULL, 0, 0);
    for (int i = 0; i < JOBS; i++) {
        pe_status status = end_of(jobs[i]);

        crashed += status.kind == PE_CRASHED && status.code == SIGKILL;
        lost += status.kind == PE_LOST;
    }
    ck_assert_uint_eq(crashed, MOST);
    ck_assert_uint_eq(lost, JOBS - MOST);
    ck_assert_int_eq(pe_pool_submit(pool, job_dies, NULL, 0, NULL, NULL), PE_EBROKEN);
    for (uint32_t i = 0; i < lives->starts; i++)
        forks += lives->start_ns[i] < lives->start_ns[0] + PE_SECONDS(1);
    ck_assert_uint_le(forks, 20);
    ck_assert_uint_eq(lives->starts, MOST);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* ---- features ---- */

static int waits_for_ever(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int32_t *pid;

    (void)reply;
    if (arg_bytes != sizeof pid)
        return -1;
    memcpy(&pid, arg, sizeof pid);
    atomic_store(pid, (int32_t)getpid());
    for (;;)
        pause();
}

static int32_t await_pid(_Atomic int32_t *pid)
{
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(pid) == 0 && pe_now() < guard)
        sched_yield();
    ck_assert_int_ne(atomic_load(pid), 0);
    return atomic_load(pid);
}

/* A host that sleeps on the descriptor alone, with no time of its own, is woken. */
PE_TEST(p23_crash_wakes_the_descriptor)
{
    pe_pool *pool = make_workers(2);
    _Atomic int32_t *pid = shared_of(pool, sizeof *pid);

    for (int round = 0; round < 10; round++) {
        struct pollfd door = { .fd = pe_pool_fd(pool), .events = POLLIN };
        int64_t guard = pe_after(GUARD_NS);
        pe_job *job = submit(pool, waits_for_ever, &pid, sizeof pid, 0);
        pe_status status = { 0 };
        int32_t running = await_pid(pid);

        while (pe_pool_poll(pool) > 0)
            ;
        ck_assert_int_eq(kill(running, SIGKILL), 0);
        do {
            ck_assert_int_eq(poll(&door, 1, 10000), 1);
            while (pe_pool_poll(pool) > 0)
                ;
            ck_assert_int_eq(pe_job_status(job, &status), 0);
        } while (status.kind == PE_PENDING && pe_now() < guard);
        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGKILL);
        ck_assert_int_eq(status.pid, running);
        pe_job_free(job);
        atomic_store(pid, 0);
    }
    pe_pool_free(pool);
}

PE_TEST_LOOP(p24_status_names_the_death, WAY_ABORT, WAY_COUNT)
{
    pe_pool *pool = make_workers(1);
    enum way way = (enum way)_i;
    int32_t pid = worker_pid(pool);
    pe_status status = end_of(submit(pool, job_dies, &way, sizeof way, 0));

    ck_assert_uint_eq(status.kind, endings[way].kind);
    ck_assert_int_eq(status.code, endings[way].code);
    ck_assert_int_eq(status.pid, pid);
    ck_assert_int_eq(status.worker, 0);
    ck_assert_uint_eq(status.attempts, 1);
    ck_assert_int_eq(status.stop_signal, 0);
    ck_assert_uint_eq(status.item, 0);
    ck_assert_int_ge(status.run_ns, 0);
    ck_assert_uint_eq(stats_of(pool).crashed, 1);
    pe_pool_free(pool);
}

PE_TEST_LOOP(p25_exit_is_an_error, WAY_EXIT, WAY_COUNT)
{
    struct plan plan = { .count = 100, .every = 30, .at = 3, .attempts = 1, .way = (enum way)_i };
    pe_pool *pool = make_workers(2);

    ck_assert_uint_eq(run_plan(pool, &plan, 10, 0), 4);
    assert_usable(pool);
    pe_pool_free(pool);
}

PE_TEST_LOOP(p26_crash_inside_a_chunk_costs_one_item, 0, 4)
{
    static const uint64_t chunks[] = { 0, 1, 10, 1000 };
    struct plan plan = { .count = 4000, .every = 37, .at = 5, .attempts = 1, .way = WAY_KILL };
    pe_pool *pool = make_workers(2);

    ck_assert_uint_eq(run_plan(pool, &plan, chunks[_i], 0), 108);
    assert_usable(pool);
    pe_pool_free(pool);
}

/* The owner of the first range stands still until all behind its first item has been stolen. */
PE_TEST(p26_crash_of_a_thief_costs_one_item)
{
    struct plan plan = {
        .count = 400, .every = 9, .at = 4, .attempts = 1, .way = WAY_KILL, .first_waits = 1
    };
    pe_pool *pool = make_workers(2);

    for (int round = 0; round < 5; round++)
        ck_assert_uint_eq(run_plan(pool, &plan, 1, 0), 44);
    pe_pool_free(pool);
}

/* Neighbours that die one after the other, first and last of a range among them. */
PE_TEST(p26_all_items_of_a_chunk_crash)
{
    struct plan plan = { .count = 60, .every = 1, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 2, UINT32_MAX);

    plan.count = 12;
    ck_assert_uint_eq(run_plan(pool, &plan, 6, 0), 12);
    assert_usable(pool);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* Shared memory does not run out: each reply is so large that a few dozen lost ones would be all there is. */
static void crash_often_half_written(size_t reserve, int times)
{
    struct half bad = { .reserve = reserve, .touch = 8192 },
                good = { .reserve = reserve, .touch = 1, .good = 1 };
    pe_pool *pool = make_workers(1);

    for (int i = 0; i < times; i++) {
        pe_status status = end_of(submit(pool, dies_half_written, &bad, sizeof bad, 1));

        ck_assert_uint_eq(status.kind, PE_CRASHED);
        ck_assert_int_eq(status.code, SIGKILL);
        status = end_of(submit(pool, dies_half_written, &good, sizeof good, 0));
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, 0);
    }
    pe_pool_free(pool);
}

PE_TEST(p27_half_written_replies_are_freed)
{
    crash_often_half_written(64 * MIB, 300);
}

PE_TEST(p27_half_written_huge_replies_are_freed)
{
    crash_often_half_written((size_t)sysconf(_SC_PHYS_PAGES) * 4096 / 10, 50);
}

PE_TEST_LOOP(p28_retries_then_gives_up, 0, 4)
{
    struct plan plan = { .count = 300, .every = 50, .at = 7, .attempts = 2, .way = WAY_ABORT };
    pe_pool *pool = make_workers(2);

    ck_assert_uint_eq(run_plan(pool, &plan, 10, (uint32_t)_i), _i < 2 ? 6 : 0);
    pe_pool_free(pool);
}

struct counted {
    struct entry *entry;
    uint32_t fatal_attempts;
};

static int job_counted(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct counted counted;
    uint32_t attempt;

    if (arg_bytes != sizeof counted)
        return -1;
    memcpy(&counted, arg, sizeof counted);
    attempt = atomic_fetch_add(&counted.entry->begun, 1) + 1;
    if (pe_reply_write(reply, &attempt, sizeof attempt) < 0)
        return -2;
    if (attempt <= counted.fatal_attempts)
        die(WAY_KILL);
    atomic_fetch_add(&counted.entry->ended, 1);
    return 0;
}

static void count_done(pe_job *job, void *context)
{
    (void)job;
    ++*(uint32_t *)context;
}

/* In the second life the way back to the item is long, and death comes on that way. */
enum { LONG_HAND = 4000000 };

struct second_life {
    _Atomic uint32_t lives, begun;
};

static void die_by_timer(int number)
{
    (void)number;
    kill(getpid(), SIGKILL);
}

static int arm_timer(void *context)
{
    struct itimerval soon = { .it_value = { .tv_usec = 400 } };
    struct second_life *second = context;
    uint32_t life = atomic_fetch_add(&second->lives, 1);

    if (life >= 1 && life <= 3) {
        signal(SIGALRM, die_by_timer);
        setitimer(ITIMER_REAL, &soon, NULL);
    }
    return 0;
}

static int last_item_dies_once(const void *in, void *out, const void *context)
{
    struct second_life *const *second = context;
    struct itimerval none = { .it_value = { .tv_usec = 0 } };

    (void)in;
    (void)out;
    if (pe_worker_item() < LONG_HAND - 1)
        return 0;
    setitimer(ITIMER_REAL, &none, NULL);
    if (atomic_fetch_add(&(*second)->begun, 1) == 0)
        die(WAY_KILL);
    return 0;
}

PE_TEST(p28_death_before_the_retry_is_no_attempt)
{
    struct second_life *second =
        mmap(NULL, sizeof *second, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pe_pool_options pool_options = PE_POOL_OPTIONS_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;
    pe_status status;
    pe_pool *pool;

    ck_assert_ptr_ne(second, MAP_FAILED);
    pool_options.workers = 1;
    pool_options.worker_init = arm_timer;
    pool_options.worker_context = second;
    pool = make_pool(&pool_options);
    options.chunk = LONG_HAND;
    options.retries = 2;
    options.context = &second;
    options.context_bytes = sizeof second;
    ck_assert_int_eq(
        pe_pool_start_map(pool, last_item_dies_once, NULL, 0, NULL, 0, LONG_HAND, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_item_status(job, LONG_HAND - 1, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_uint_eq(status.attempts, second->begun);
    pe_job_free(job);
    pe_pool_free(pool);
    munmap(second, sizeof *second);
}

PE_TEST(p28_jobs_retry_then_give_up)
{
    pe_pool *pool = make_workers(2);
    struct entry *ledger = shared_of(pool, 64 * sizeof *ledger);

    for (uint32_t i = 0; i < 16; i++) {
        struct counted counted = { &ledger[i], i / 4 };
        uint32_t retries = i % 4, done = 0, attempt = 0,
                 expected = i / 4 <= retries ? i / 4 + 1 : retries + 1;
        pe_job *job = submit(pool, job_counted, &counted, sizeof counted, retries);
        int returns = i / 4 <= retries;
        const void *data = NULL;
        size_t bytes = 0;
        pe_status status;

        ck_assert_int_eq(pe_job_on_done(job, count_done, &done), 0);
        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_job_result(job, &data, &bytes), returns ? 0 : PE_ENODATA);
        if (returns) {
            ck_assert_uint_eq(bytes, sizeof attempt); /* nothing of an earlier attempt in it */
            memcpy(&attempt, data, sizeof attempt);
            ck_assert_uint_eq(attempt, expected);
        }
        status = end_of(job);
        ck_assert_uint_eq(status.kind, returns ? PE_RETURNED : PE_CRASHED);
        ck_assert_uint_eq(status.attempts, expected);
        ck_assert_uint_eq(ledger[i].begun, expected);
        ck_assert_uint_eq(ledger[i].ended, returns);
        ck_assert_uint_eq(done, 1);
    }
    pe_pool_free(pool);
}

/* Half of all items die once: each has one status, one value, and ran exactly as often as it says. */
PE_TEST_LOOP(p29_retried_items_are_delivered_once, 0, 3)
{
    static const uint64_t chunks[] = { 0, 1, 50 };
    struct plan plan = { .count = 99, .every = 2, .at = 1, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 4, UINT32_MAX);

    plan.first_waits = 1;
    ck_assert_uint_eq(run_plan(pool, &plan, 1, 3), 0);
    plan.first_waits = 0;
    ck_assert_uint_eq(run_plan(pool, &plan, chunks[_i], 3), 0);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

static int set_by_init;

static int set_to_42(void *context)
{
    (void)context;
    set_by_init = 42;
    return 0;
}

static int give_global(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    return set_by_init;
}

PE_TEST(p30_replacement_runs_the_initialiser)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 1;
    options.worker_init = set_to_42;
    pool = make_pool(&options);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(end_of(submit(pool, give_global, NULL, 0, 0)).code, 42);
        ck_assert_uint_eq(end_of(submit(pool, job_dies, NULL, 0, 0)).kind, PE_CRASHED);
    }
    pe_pool_free(pool);
}

static int fails_at_once(void *context)
{
    struct lives *lives = context;

    atomic_fetch_add(&lives->starts, 1);
    if (atomic_load(&lives->crash))
        abort();
    return 5;
}

/* Fails or crashes from the first start on: told once, by pe_pool_new, and nobody is started again. */
PE_TEST_LOOP(p31_failing_initialiser_gives_no_pool, 0, 2)
{
    struct lives *lives = map_lives();
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = (pe_pool *)&options;

    lives->crash = (uint32_t)_i;
    options.workers = 3;
    options.worker_init = fails_at_once;
    options.worker_context = lives;
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EINIT);
    ck_assert_ptr_eq(pool, &options);
    ck_assert_uint_ge(lives->starts, 1);
    ck_assert_uint_le(lives->starts, 3);
    munmap(lives, sizeof *lives);
}

/* Only replacements fail: as many as max_deaths, then the pool is broken and says so. */
PE_TEST_LOOP(p31_failing_later_breaks_the_pool, 0, 2)
{
    enum { MOST = 8 };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 2, MOST);
    int64_t guard = pe_after(GUARD_NS);
    pe_stats stats;

    do {
        worker_pid(pool);
        stats = stats_of(pool);
    } while (stats.workers_alive < 2 && pe_now() < guard);
    lives->good_starts = 2;
    lives->crash = (uint32_t)_i;
    end_of(submit(pool, job_dies, NULL, 0, 0));
    await_broken(pool);
    ck_assert_int_eq(pe_pool_submit(pool, twice, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_uint_eq(lives->starts, 2 + MOST - 1);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* One success between two deaths, and they are not in a row. */
PE_TEST(p32_a_success_ends_the_row)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    options.workers = 1;
    options.max_deaths = 2;
    pool = make_pool(&options);
    for (uint64_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(end_of(submit(pool, job_dies, NULL, 0, 0)).kind, PE_CRASHED);
        assert_twice(submit(pool, twice, &i, sizeof i, 0), i);
    }
    ck_assert_uint_eq(end_of(submit(pool, job_dies, NULL, 0, 0)).kind, PE_CRASHED);
    ck_assert_uint_eq(end_of(submit(pool, job_dies, NULL, 0, 0)).kind, PE_CRASHED);
    ck_assert_int_eq(pe_pool_wait(pool, pe_after(GUARD_NS)), 0);
    await_broken(pool);
    ck_assert_int_eq(pe_pool_submit(pool, twice, NULL, 0, NULL, NULL), PE_EBROKEN);
    pe_pool_free(pool);
}

/* Items that returned between two deaths count although their chunk has not ended. */
PE_TEST(p32_a_good_item_in_the_chunk_ends_the_row)
{
    struct plan plan = { .count = 2000, .every = 25, .at = 5, .attempts = 1, .way = WAY_KILL };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 1, 3);

    ck_assert_uint_eq(run_plan(pool, &plan, 2000, 0), 80);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* But an item that is retried for ever is no success, whatever returned before it. */
PE_TEST(p32_an_item_that_always_crashes_breaks_the_pool)
{
    enum { MOST = 7 };
    uint64_t in[20] = { 0 }, out[20];
    pe_status statuses[20];
    struct plan plan = { .count = 20, .every = 20, .at = 10, .attempts = UINT32_MAX, .way = WAY_KILL };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 1, MOST);
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    plan.ledger = shared_of(pool, plan.count * sizeof *plan.ledger);
    options.chunk = 20;
    options.retries = 1000;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_map(pool, item_by_plan, in, 8, out, 8, 20, &options), PE_EBROKEN);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(statuses[i].kind, i < 10 ? PE_RETURNED : PE_LOST);
    ck_assert_uint_le(plan.ledger[10].begun, MOST);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

/* ---- fork fails; the first fork of a pool makes the keeper, the next ones its workers ---- */

PE_TEST(p33_no_keeper)
{
    pe_pool *pool = NULL;

    harness_fail_nth(HARNESS_FORK, 1, EAGAIN);
    ck_assert_int_eq(pe_pool_new(NULL, &pool), PE_EAGAIN);
    ck_assert_ptr_null(pool);
}

PE_TEST(p33_no_worker_at_all)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 3;
    harness_fail_from(HARNESS_FORK, 2, ENOMEM);
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_ENOMEM);
    ck_assert_ptr_null(pool);
}

PE_TEST_LOOP(p33_works_with_the_workers_there_are, 2, 5)
{
    struct plan plan = { .count = 100, .every = 40, .at = 7, .attempts = 1, .way = WAY_KILL };
    pe_pool *pool;

    harness_fail_nth(HARNESS_FORK, (uint64_t)_i, EAGAIN);
    pool = make_workers(3);
    assert_usable(pool);
    ck_assert_uint_eq(run_plan(pool, &plan, 0, 0), 3);
    pe_pool_free(pool);
}

PE_TEST(p33_works_with_one_worker)
{
    struct plan plan = { .count = 100 };
    pe_pool *pool;

    harness_fail_from(HARNESS_FORK, 3, EAGAIN);
    pool = make_workers(3);
    assert_usable(pool);
    ck_assert_uint_eq(run_plan(pool, &plan, 0, 0), 0);
    ck_assert_uint_eq(stats_of(pool).workers_alive, 1);
    pe_pool_free(pool);
}

/* No replacement can be had: a job that was to be retried ends as crashed, an item's range goes on elsewhere.
 */
PE_TEST(p33_no_replacement)
{
    struct plan plan = {
        .count = 100, .every = 100, .at = 0, .attempts = 1, .way = WAY_KILL, .first_waits = 1
    };
    pe_pool *pool = make_workers(2);
    struct entry *entry = shared_of(pool, sizeof *entry);
    struct counted counted = { entry, 1 };
    int64_t guard = pe_after(GUARD_NS);
    pe_status status;

    while (stats_of(pool).workers_alive < 2 && pe_now() < guard)
        sched_yield();
    harness_fail_from(HARNESS_FORK, 1, EAGAIN);
    ck_assert_uint_eq(run_plan(pool, &plan, 1, 0), 1);
    assert_usable(pool);
    ck_assert_uint_eq(stats_of(pool).workers_alive, 1);
    status = end_of(submit(pool, job_counted, &counted, sizeof counted, 5));
    ck_assert_uint_eq(status.kind, PE_CRASHED);
    ck_assert_int_eq(status.code, SIGKILL);
    ck_assert_uint_eq(status.attempts, 1);
    harness_fail_reset();
    assert_usable(pool);
    pe_pool_free(pool);
}

/* Nobody left, for good: no hang. */
PE_TEST(p33_no_worker_left)
{
    pe_pool *pool = make_workers(1);
    pe_job *job;

    harness_fail_from(HARNESS_FORK, 1, EAGAIN);
    end_of(submit(pool, job_dies, NULL, 0, 0));
    job = submit(pool, give_pid, NULL, 0, 0);
    ck_assert_uint_eq(end_of(job).kind, PE_LOST);
    ck_assert_int_eq(pe_pool_submit(pool, give_pid, NULL, 0, NULL, NULL), PE_EBROKEN);
    pe_pool_free(pool);
}

/* ---- codes and messages ---- */

static int says_why(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int code = 0;

    (void)reply;
    if (arg_bytes == sizeof code)
        memcpy(&code, arg, sizeof code);
    return code == 0 ? 0 : pe_worker_fail(code, "job said %d of %s", code, "itself");
}

static int item_says_why(const void *in, void *out, const void *context)
{
    int item = *(const int *)in;

    (void)out;
    (void)context;
    return item % 10 == 3 ? pe_worker_fail(item + 1, "item %d, %s", item, "bad input") : 0;
}

PE_TEST(p38_job_returns_code_and_message)
{
    static const int codes[] = { 0, 1, 7, -7, INT32_MAX, INT32_MIN };
    pe_pool *pool = make_workers(2);

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        pe_job *job = submit(pool, says_why, &codes[i], sizeof codes[i], 3);
        char expected[64];
        const char *message = NULL;
        size_t bytes = 0;
        pe_status status;

        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        if (codes[i] == 0) {
            ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &message, &bytes), PE_ENODATA);
        } else {
            snprintf(expected, sizeof expected, "job said %d of itself", codes[i]);
            ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_MESSAGE, &message, &bytes), 0);
            ck_assert_str_eq(message, expected);
            ck_assert_uint_eq(bytes, strlen(expected));
        }
        status = end_of(job);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, codes[i]);
        ck_assert_uint_eq(status.attempts, 1); /* an error that was returned is not retried */
    }
    ck_assert_uint_eq(stats_of(pool).restarts, 0);
    pe_pool_free(pool);
}

PE_TEST(p38_item_returns_code_and_message)
{
    enum { COUNT = 100 };
    pe_pool *pool = make_workers(2);
    pe_job *job = NULL;
    int in[COUNT];

    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    ck_assert_int_eq(pe_pool_start_map(pool, item_says_why, in, sizeof *in, NULL, 0, COUNT, NULL, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    for (int i = 0; i < COUNT; i++) {
        char expected[64];
        const char *message = NULL;
        size_t bytes = 0;
        pe_status status;
        int bad = i % 10 == 3;

        ck_assert_int_eq(pe_job_item_status(job, (uint64_t)i, &status), 0);
        ck_assert_uint_eq(status.kind, PE_RETURNED);
        ck_assert_int_eq(status.code, bad ? i + 1 : 0);
        ck_assert_int_eq(pe_job_item_text(job, (uint64_t)i, PE_TEXT_MESSAGE, &message, &bytes),
                         bad ? 0 : PE_ENODATA);
        snprintf(expected, sizeof expected, "item %d, bad input", i);
        if (bad)
            ck_assert_str_eq(message, expected);
    }
    pe_job_free(job);
    pe_pool_free(pool);
}

/* ---- the keeper itself ---- */

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = "";
    const char *end;
    int parent = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    end = strrchr(text, ')');
    return end != NULL && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* The harness sees to it that no process is left. */
PE_TEST(keeper_killed_breaks_the_pool)
{
    pe_pool *pool = make_workers(2), *other = make_workers(1);
    _Atomic int32_t *pids = shared_of(pool, 2 * sizeof *pids);
    pe_job *running[2], *queued[5];
    pid_t keeper;
    int64_t before;

    for (int i = 0; i < 2; i++) {
        _Atomic int32_t *pid = &pids[i];
        running[i] = submit(pool, waits_for_ever, &pid, sizeof pid, 3);
    }
    for (int i = 0; i < 5; i++)
        queued[i] = submit(pool, give_pid, NULL, 0, 3);
    keeper = parent_of(await_pid(&pids[0]));
    ck_assert_int_gt(keeper, 1);
    ck_assert_int_eq(keeper, parent_of(await_pid(&pids[1])));
    ck_assert_int_eq(kill(keeper, SIGKILL), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(end_of(running[i]).kind, PE_LOST);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(end_of(queued[i]).kind, PE_LOST);
    ck_assert_int_eq(pe_pool_submit(pool, give_pid, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(pool, pe_after(GUARD_NS)), PE_EBROKEN);
    before = pe_now();
    pe_pool_free(pool);
    ck_assert_int_lt(pe_now() - before, PE_SECONDS(5));
    assert_usable(other);
    pe_pool_free(other);
}

PE_TEST(keeper_killed_during_a_map)
{
    enum { COUNT = 1000 };
    uint64_t in[COUNT] = { 0 }, out[COUNT];
    struct plan plan = { .count = COUNT, .first_waits = 1 };
    pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_pool *pool = make_workers(2);
    _Atomic int32_t *pid = shared_of(pool, sizeof *pid);
    pe_job *job = NULL;

    /* One worker is kept busy, so nobody can steal item 1 and the map stands at its first item. */
    pe_job *blocker = submit(pool, waits_for_ever, &pid, sizeof pid, 0);
    await_pid(pid);
    plan.ledger = shared_of(pool, COUNT * sizeof *plan.ledger);
    options.chunk = 1;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    options.statuses = statuses;
    for (int i = 0; i < COUNT; i++)
        out[i] = UNTOUCHED;
    ck_assert_int_eq(pe_pool_start_map(pool, item_by_plan, in, 8, out, 8, COUNT, &options, &job), 0);
    await_pid(&plan.ledger[0].pid);
    ck_assert_int_eq(kill(parent_of(await_pid(pid)), SIGKILL), 0);
    ck_assert_uint_eq(end_of(job).kind, PE_LOST);
    ck_assert_uint_eq(end_of(blocker).kind, PE_LOST);
    ck_assert_uint_eq(statuses[0].kind, PE_LOST);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(statuses[i].kind == PE_LOST || (statuses[i].kind == PE_RETURNED && statuses[i].code == 0));
        ck_assert_uint_eq(out[i], statuses[i].kind == PE_RETURNED ? 1 : UNTOUCHED);
    }
    pe_pool_free(pool);
}

/* ---- SIGKILL at random moments ---- */

struct killer {
    struct lives *lives;
    uint32_t workers;
    int32_t killed[LIVES_MOST]; /* the last of each number, so that none is killed twice */
    uint64_t kills;
    uint64_t random;
};

static uint64_t next_random(struct killer *killer, uint64_t below)
{
    killer->random ^= killer->random << 13;
    killer->random ^= killer->random >> 7;
    killer->random ^= killer->random << 17;
    return killer->random % below;
}

static void kill_one(struct killer *killer)
{
    uint32_t index = (uint32_t)next_random(killer, killer->workers);
    int32_t pid = atomic_load(&killer->lives->pid[index]);

    if (pid == 0 || pid == killer->killed[index] || kill(pid, SIGKILL) < 0)
        return;
    killer->killed[index] = pid;
    killer->kills++;
}

struct spin_plan {
    struct entry *ledger;
    uint32_t turns;
};

static int item_spins(const void *in, void *out, const void *context)
{
    const struct spin_plan *plan = context;
    struct entry *entry = &plan->ledger[pe_worker_item()];
    volatile uint32_t turn = 0;

    atomic_fetch_add(&entry->begun, 1);
    while (turn < plan->turns)
        turn++;
    *(uint64_t *)out = 3 * *(const uint64_t *)in + 1;
    atomic_fetch_add(&entry->ended, 1);
    return 0;
}

struct killed_map {
    uint32_t workers, retries;
    uint64_t chunk, count;
    int statuses;
};

/* Every item has ended once, ran no more often than it was blamed for, and has its own value. */
static void assert_killed_map(const struct killed_map *test, const struct spin_plan *plan, pe_job *job,
                              const pe_status *statuses, const uint64_t *out, uint64_t kills)
{
    uint64_t crashed = 0, extra = 0, sum = 0, expected = 0;

    for (uint64_t i = 0; i < test->count; i++) {
        const struct entry *entry = &plan->ledger[i];
        pe_status status;

        if (test->statuses)
            status = statuses[i];
        else
            ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        int died = status.kind == PE_CRASHED && status.code == SIGKILL;
        if (!died && (status.kind != PE_RETURNED || status.code != 0))
            ck_abort_msg("item %ju: kind %u code %d", (uintmax_t)i, status.kind, status.code);
        if (out[i] != (died ? UNTOUCHED : 3 * i + 1))
            ck_abort_msg("item %ju: wrong value", (uintmax_t)i);
        if (entry->begun > status.attempts || status.attempts > test->retries + 1)
            ck_abort_msg("item %ju: began %u, attempts %u", (uintmax_t)i, entry->begun, status.attempts);
        extra += status.attempts - !died;
        if (!died && entry->ended == 0)
            ck_abort_msg("item %ju: never ended", (uintmax_t)i);
        if (test->retries == 0 && entry->begun > 1)
            ck_abort_msg("item %ju: ran twice", (uintmax_t)i);
        crashed += died;
        sum += out[i];
        expected += 3 * i + 1;
    }
    ck_assert_uint_le(crashed, kills);
    ck_assert_uint_le(extra, kills);
    if (test->retries > 0)
        ck_assert_uint_eq(sum, expected);
}

static void run_killed_map(const struct killed_map *test)
{
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, test->workers, UINT32_MAX);
    struct killer killer = { .lives = lives,
                             .workers = test->workers,
                             .random = 88172645463325252u + test->chunk };
    struct spin_plan plan = { .turns = 2000 };
    uint64_t *in = malloc(test->count * sizeof *in), *out = malloc(test->count * sizeof *out);
    pe_status *statuses = test->statuses ? calloc(test->count, sizeof *statuses) : NULL;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_job *job = NULL;
    int64_t guard = pe_after(GUARD_NS);

    for (uint64_t i = 0; i < test->count; i++) {
        in[i] = i;
        out[i] = UNTOUCHED;
    }
    plan.ledger = shared_of(pool, test->count * sizeof *plan.ledger);
    options.chunk = test->chunk;
    options.retries = test->retries;
    options.statuses = statuses;
    options.summary = &summary;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    ck_assert_int_eq(pe_pool_start_map(pool, item_spins, in, 8, out, 8, test->count, &options, &job), 0);
    while (pe_job_wait(job, pe_after((int64_t)next_random(&killer, 1000000))) == PE_ETIMEDOUT
           && pe_now() < guard)
        kill_one(&killer);
    ck_assert_int_eq(pe_job_wait(job, 0), 0);
    ck_assert_uint_eq(summary.returned + summary.failed, test->count);
    assert_killed_map(test, &plan, job, statuses, out, killer.kills);
    ck_assert_uint_ge(killer.kills, harness_slowness() > 1 ? 1 : 10);
    pe_job_free(job);
    assert_usable(pool);
    pe_pool_free(pool);
    free(in);
    free(out);
    free(statuses);
    munmap(lives, sizeof *lives);
}

static const struct killed_map killed_maps[] = {
    { 2, 0, 0, 200000, 1 },    { 2, 1000, 0, 200000, 1 }, { 4, 0, 1, 200000, 0 },
    { 4, 1000, 1, 200000, 0 }, { 3, 0, 1000, 200000, 1 }, { 3, 1000, 1000, 200000, 0 },
};

PE_TEST_LOOP(killed_at_random_during_maps, 0, (int)(sizeof killed_maps / sizeof *killed_maps))
{
    struct killed_map test = killed_maps[_i];

    test.count = (uint64_t)((double)test.count / harness_slowness());
    run_killed_map(&test);
}

/* Maps so small and uneven that workers steal all the time: deaths fall between the steps of a steal, too. */
PE_TEST_SLOW(killed_at_random_during_steals, 100)
{
    enum { COUNT = 400 };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 4, UINT32_MAX);
    struct killer killer = { .lives = lives, .workers = 4, .random = 362436069u };
    struct killed_map test = { .workers = 4, .count = COUNT, .statuses = 1 };
    struct spin_plan plan = { .ledger = shared_of(pool, COUNT * sizeof *plan.ledger), .turns = 20 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    int64_t until = pe_after(PE_SECONDS(harness_long() ? 60 : 3)), next_kill = 0;
    pe_status statuses[COUNT];
    uint64_t in[COUNT], out[COUNT];

    options.chunk = 1;
    options.statuses = statuses;
    options.context = &plan;
    options.context_bytes = sizeof plan;
    do {
        uint64_t before = killer.kills;
        pe_job *job = NULL;

        memset(plan.ledger, 0, COUNT * sizeof *plan.ledger);
        for (uint64_t i = 0; i < COUNT; i++) {
            in[i] = i;
            out[i] = UNTOUCHED;
        }
        test.retries = options.retries = test.retries ? 0 : 1000;
        ck_assert_int_eq(pe_pool_start_map(pool, item_spins, in, 8, out, 8, COUNT, &options, &job), 0);
        for (int64_t start = pe_now(), wait = (int64_t)next_random(&killer, 50000); pe_now() < start + wait;)
            ;
        if (pe_now() >= next_kill) {
            kill_one(&killer);
            next_kill = pe_after(PE_US(500));
        }
        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        /* The death may have come in the map before, or may come in the next. */
        assert_killed_map(&test, &plan, job, statuses, out, killer.kills - before + test.workers);
        pe_job_free(job);
    } while (pe_now() < until);
    ck_assert_uint_gt(killer.kills, 50);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

struct tagged {
    struct entry *entry;
    uint64_t tag;
    size_t bytes;
};

/* A reply whose every byte tells whose it is, written piece by piece. */
static int job_tagged(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct tagged tagged;
    unsigned char piece[1000];

    if (arg_bytes != sizeof tagged)
        return -1;
    memcpy(&tagged, arg, sizeof tagged);
    atomic_fetch_add(&tagged.entry->begun, 1);
    memset(piece, (int)(tagged.tag % 251), sizeof piece);
    for (size_t at = 0; at < tagged.bytes; at += sizeof piece) {
        size_t left = tagged.bytes - at;

        if (pe_reply_write(reply, piece, left < sizeof piece ? left : sizeof piece) < 0)
            return -2;
    }
    atomic_fetch_add(&tagged.entry->ended, 1);
    return 0;
}

static void assert_tagged(pe_job *job, const struct tagged *tagged, uint32_t retries, uint64_t *died)
{
    const unsigned char *bytes = NULL;
    const void *data = NULL;
    size_t count = 0;
    pe_status status;

    ck_assert_int_eq(pe_job_status(job, &status), 0);
    ck_assert_uint_le(tagged->entry->begun, status.attempts);
    if (status.kind == PE_CRASHED) {
        ck_assert_int_eq(status.code, SIGKILL);
        ck_assert_uint_eq(status.attempts, retries + 1);
        ck_assert_int_eq(pe_job_result(job, &data, &count), PE_ENODATA);
        *died += status.attempts;
        return;
    }
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 0);
    ck_assert_uint_ge(tagged->entry->ended, 1);
    ck_assert_int_eq(pe_job_result(job, &data, &count), 0);
    ck_assert_uint_eq(count, tagged->bytes);
    bytes = data;
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != tagged->tag % 251)
            ck_abort_msg("job %ju: byte %zu is another's", (uintmax_t)tagged->tag, i);
    *died += status.attempts - 1;
}

/* Batches of jobs with replies of all sizes, with and without retries, while workers are killed. */
PE_TEST_SLOW(killed_at_random_during_jobs, 100)
{
    enum { BATCH = 200 };
    static const size_t sizes[] = { 1, 64, 65, 3000, 40000, 1, 8, 400000 };
    struct lives *lives = map_lives();
    pe_pool *pool = make_noted(lives, 4, UINT32_MAX);
    struct killer killer = { .lives = lives, .workers = 4, .random = 2463534242u };
    struct entry *ledger = shared_of(pool, BATCH * sizeof *ledger);
    int64_t until = pe_after(PE_SECONDS(harness_long() ? 60 : 4));
    uint64_t died = 0, serial = 0, batches = 0;

    do {
        struct tagged tagged[BATCH];
        pe_job *jobs[BATCH];
        uint32_t done[BATCH] = { 0 }, retries = batches++ % 2 ? 1000 : 0;
        uint64_t batch_most = killer.kills + 40;

        memset(ledger, 0, BATCH * sizeof *ledger);
        for (int i = 0; i < BATCH; i++) {
            tagged[i] = (struct tagged){ &ledger[i], serial, sizes[serial % 8] };
            serial++;
            jobs[i] = submit(pool, job_tagged, &tagged[i], sizeof tagged[i], retries);
            ck_assert_int_eq(pe_job_on_done(jobs[i], count_done, &done[i]), 0);
            if (next_random(&killer, 40) == 0)
                kill_one(&killer);
        }
        /* Not so many that nothing gets done on a slow machine. */
        while (pe_pool_wait(pool, pe_after((int64_t)next_random(&killer, 600000))) == PE_ETIMEDOUT)
            if (killer.kills < batch_most)
                kill_one(&killer);
        for (int i = 0; i < BATCH; i++) {
            assert_tagged(jobs[i], &tagged[i], retries, &died);
            ck_assert_uint_eq(done[i], 1);
            pe_job_free(jobs[i]);
        }
        ck_assert_uint_le(died, killer.kills);
    } while (pe_now() < until);
    ck_assert_uint_gt(killer.kills, 50);
    pe_pool_free(pool);
    munmap(lives, sizeof *lives);
}

HARNESS_MAIN("crash")
