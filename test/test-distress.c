/*
 * Bad days of a host with jobs and maps in flight: its keeper is killed, signals and interrupts come every
 * millisecond, it is stopped for seconds. Whatever happens, each job ends once and nothing stays behind.
 */
#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/books.h"
#include "harness/gate.h"
#include "harness/items.h"
#include "harness/load.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(20)
#define WORKERS  3
#define ALL      (LOAD_JOBS + LOAD_MAPS * LOAD_ITEMS)

static pe_pool *pool_in_distress(void)
{
    return pool_with((pe_pool_options){ .workers = WORKERS,
                                        .max_deaths = UINT32_MAX,
                                        .shared_bytes = UINT64_C(64) << 20,
                                        .grace_ns = PE_MS(1) });
}

static int64_t end_of_test(double quick_seconds)
{
    return pe_after(harness_long() ? PE_SECONDS(60) : (int64_t)(quick_seconds * 1e9));
}

static void wait_busily(int64_t ns)
{
    for (int64_t until = pe_after(ns); pe_now() < until;)
        sched_yield();
}

/* ---- the keeper is killed ---- */

static uint32_t end_broken(struct load *load, pe_pool *pool)
{
    int64_t guard = pe_after(GUARD_NS);
    struct load_ends ends = load_end(load);
    int result;

    ck_assert_uint_eq(ends.by_kind[PE_RETURNED] + ends.by_kind[PE_CRASHED] + ends.by_kind[PE_LOST], ALL);
    while ((result = pe_pool_poll(pool)) >= 0 && pe_now() < guard)
        ;
    ck_assert_int_eq(result, PE_EBROKEN);
    ck_assert_int_eq(pe_pool_submit(pool, job_nothing, NULL, 0, NULL, NULL), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), PE_EBROKEN);
    books_assert_nothing_left(pool);
    pe_pool_free(pool);
    return ends.by_kind[PE_LOST];
}

PE_TEST_SLOW(keeper_killed_in_flight, 100)
{
    int64_t until = end_of_test(1.5);
    uint64_t random = 88172645463325252u, lost = 0, rounds = 0;
    struct process_worker workers[WORKERS];
    struct load *load = load_new();

    do {
        pe_pool *pool = pool_in_distress();
        process_workers(pool, WORKERS, workers);
        load->with_deaths = rounds % 2;
        load_begin(load, pool);
        random = random * 6364136223846793005u + 1442695040888963407u;
        wait_busily((int64_t)(random >> 33) % PE_MS(6));
        ck_assert_int_eq(kill(workers[0].keeper, SIGKILL), 0);
        lost += end_broken(load, pool);
        rounds++;
    } while (pe_now() < until || lost == 0);
    if (harness_long())
        printf("# %ju keepers killed, %ju jobs and items of %ju lost\n", (uintmax_t)rounds, (uintmax_t)lost,
               (uintmax_t)rounds * ALL);
    load_free(load);
}

static int kill_keeper(void *unused)
{
    (void)unused;
    kill(getppid(), SIGKILL);
    return 0;
}

/* Killed while nothing is in flight, just before the workers are sent home, and just after. */
PE_TEST_LOOP(join_tells_of_a_keeper_that_was_killed, 0, 2)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .worker_exit = _i ? kill_keeper : NULL });
    struct process_worker worker;

    process_workers(pool, 1, &worker);
    if (_i == 0) {
        int keeper = process_open(worker.keeper);
        ck_assert_int_eq(kill(worker.keeper, SIGKILL), 0);
        process_await_end(keeper);
    }
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), PE_EBROKEN);
    ck_assert_int_eq(pe_pool_join(pool, 0), PE_EBROKEN);
    pe_pool_free(pool);
}

static void on_term(int number)
{
    (void)number;
    kill(getppid(), SIGKILL);
}

static int job_takes_keeper_along(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int32_t *pid;

    (void)reply, (void)arg_bytes;
    memcpy(&pid, arg, sizeof pid);
    signal(SIGTERM, on_term);
    atomic_store(pid, (int32_t)getpid());
    for (;;)
        pause();
    return 0;
}

/* A pool that is killed has ended, whatever its keeper came to meanwhile. */
PE_TEST(kill_minds_no_killed_keeper)
{
    pe_pool *pool = pool_of(1);
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job = pool_submit(pool, job_takes_keeper_along, &pid, sizeof pid);

    job_await_pid(pid);
    ck_assert_int_eq(pe_pool_kill(pool, PE_SECONDS(10)), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    ck_assert_int_eq(pe_pool_join(pool, PE_FOREVER), 0);
    pe_pool_free(pool);
}

/* ---- a signal every millisecond ---- */

static volatile sig_atomic_t alarms;
static pe_pool *interrupted;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
    pe_pool_interrupt(interrupted);
}

static void begin_alarms(struct sigaction *before)
{
    struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } };

    alarms = 0;
    interrupted = NULL;
    ck_assert_int_eq(sigaction(SIGALRM, &action, before), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

/* One that is still due (valgrind delivers late) is not for the handler before: Check's kills its process group. */
static void end_alarms(const struct sigaction *before)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };

    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN);
    sigaction(SIGALRM, before, NULL);
}

/* A wait with a deadline lasts until then, however often it is woken; a cancelled job ends. */
static void wait_in_vain(pe_pool *pool)
{
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);
    pe_job *job = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    int64_t deadline = pe_after(PE_MS(10));

    ck_assert_int_eq(pe_job_wait(job, deadline), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    pe_pool_dealloc(pool, pid);
}

PE_TEST_SLOW(signals_every_millisecond, 100)
{
    struct load *load = load_new();
    struct sigaction before;
    int64_t until = end_of_test(1);
    uint64_t rounds = 0;

    begin_alarms(&before);
    do {
        pe_pool *pool = pool_in_distress();
        for (int i = 0; i < 6; i++, rounds++) {
            load->with_deaths = i % 3 == 2;
            load_run(load, pool);
        }
        wait_in_vain(pool);
        books_assert_nothing_left(pool);
        pool_end(pool);
    } while (pe_now() < until || alarms <= 50);
    end_alarms(&before);
    if (harness_long())
        printf("# %ju rounds of %d jobs and items, %d signals\n", (uintmax_t)rounds, ALL, (int)alarms);
    load_free(load);
}

PE_TEST_SLOW(interrupts_every_millisecond, 100)
{
    struct load *load = load_new();
    struct sigaction before;
    int64_t until = end_of_test(1);
    pe_pool *pool = pool_in_distress();
    uint64_t in[2000] = { 0 }, out[2000];
    uint32_t cut = 0;
    int result;

    begin_alarms(&before);
    interrupted = pool;
    do {
        pe_map_summary summary = PE_MAP_SUMMARY_INIT;
        pe_map_options options = PE_MAP_OPTIONS_INIT;

        load->with_deaths = !load->with_deaths;
        load_run(load, pool);
        options.summary = &summary;
        result = pe_pool_map(pool, item_nothing, in, 8, out, 8, 2000, &options);
        ck_assert(result == 0 || result == PE_EINTR);
        ck_assert_uint_eq(summary.returned + summary.cancelled, 2000);
        cut += result == PE_EINTR;
    } while (pe_now() < until);
    interrupted = NULL;
    end_alarms(&before);
    if (harness_long())
        printf("# %d interrupts, %u maps cut short\n", (int)alarms, cut);
    books_assert_nothing_left(pool);
    while ((result = pe_pool_join(pool, PE_FOREVER)) == PE_EINTR)
        ; /* one was left over */
    ck_assert_int_eq(result, 0);
    pe_pool_free(pool);
    load_free(load);
}

/* ---- the host is stopped ---- */

struct stage {
    _Atomic uint32_t scene; /* how far the host is; a futex */
    _Atomic uint32_t go;    /* the job may return; a futex */
    _Atomic int32_t stubborn, obedient; /* pids of jobs */
    _Atomic int32_t keeper;
    struct load *load; /* of the test, whose book is shared */
};

static struct stage *stage;

/* Waits for the flag, says so, and then for leave to return. */
static int job_obeys(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    atomic_store(&stage->obedient, (int32_t)getpid());
    while (!pe_worker_cancelled())
        usleep(100);
    word_set(&stage->scene, 3);
    word_await(&stage->go, 1);
    return 7;
}

static int job_stays(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    atomic_store(&stage->stubborn, (int32_t)getpid());
    for (;;)
        pause();
    return 0;
}

static int64_t long_grace_ns(void)
{
    return (int64_t)(harness_slowness() * (double)PE_SECONDS(1));
}

static void be_stopped_in_flight(void)
{
    pe_pool *pool = pool_in_distress();
    pe_job *job = pool_submit(pool, job_stays, NULL, 0), *waited;
    int64_t deadline;
    _Atomic int32_t *pid = pool_shared(pool, sizeof *pid);

    job_await_pid(&stage->stubborn);
    word_set(&stage->scene, 1);
    word_await(&stage->go, 1);
    stage->load->with_deaths = 1;
    load_begin(stage->load, pool);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    word_set(&stage->scene, 2);
    struct load_ends ends = load_end(stage->load);
    ck_assert_uint_eq(ends.by_kind[PE_RETURNED], ALL);
    ck_assert_uint_eq(job_finish(job).kind, PE_CANCELLED);
    waited = pool_submit(pool, job_for_ever, &pid, sizeof pid);
    deadline = pe_after(PE_MS(300));
    word_set(&stage->scene, 3);
    ck_assert_int_eq(pe_job_wait(waited, deadline), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now(), deadline);
    ck_assert_int_eq(pe_job_cancel(waited), 0);
    ck_assert_uint_eq(job_finish(waited).kind, PE_CANCELLED);
    pe_pool_dealloc(pool, pid);
    books_assert_nothing_left(pool);
    pool_end(pool);
}

/* With its keeper and worker: a limit does not run while the keeper is stopped too. */
static void be_stopped_in_all(void)
{
    pe_pool *pool = pool_with((pe_pool_options){ .workers = 1, .grace_ns = long_grace_ns() });
    struct process_worker worker;
    pe_job *job;

    process_workers(pool, 1, &worker);
    atomic_store(&stage->keeper, (int32_t)worker.keeper);
    job = pool_submit(pool, job_obeys, NULL, 0);
    job_await_pid(&stage->obedient);
    ck_assert_int_eq(pe_job_cancel(job), 0);
    pe_status status = job_finish(job);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 7);
    pool_end(pool);
}

static pid_t fork_host(void (*be)(void))
{
    stage = process_shared(sizeof *stage);
    stage->load = load_new();
    pid_t host = fork();
    ck_assert_int_ge(host, 0);
    if (host == 0) {
        be();
        _exit(0);
    }
    return host;
}

/* Waits until the host is that far. */
static void await_scene(pid_t host, uint32_t scene)
{
    siginfo_t info = { .si_pid = 0 };

    while (atomic_load(&stage->scene) < scene) {
        waitid(P_PID, (id_t)host, &info, WEXITED | WNOHANG | WNOWAIT);
        ck_assert_int_eq(info.si_pid, 0);
        sched_yield();
    }
}

static void stop(pid_t host)
{
    siginfo_t info = { .si_pid = 0 };

    ck_assert_int_eq(kill(host, SIGSTOP), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)host, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(info.si_code, CLD_STOPPED);
}

static void assert_host_ends_well(pid_t host)
{
    int status;

    ck_assert_int_eq(waitpid(host, &status, 0), host);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    load_free(stage->load);
    munmap(stage, sizeof *stage);
}

static void hold_ns(int64_t since, int64_t ns)
{
    while (pe_now() < since + ns)
        poll(NULL, 0, 10);
}

/* Everything ends meanwhile, also what has to be killed for it. */
PE_TEST_SLOW(host_stopped_in_flight, 60)
{
    pid_t host = fork_host(be_stopped_in_flight);

    await_scene(host, 1);
    int stubborn = process_open(atomic_load(&stage->stubborn));
    word_set(&stage->go, 1);
    await_scene(host, 2);
    stop(host);
    int64_t since = pe_now();
    word_await(&stage->load->book->all_ended, ALL);
    process_await_end(stubborn);
    hold_ns(since, PE_MS(harness_long() ? 5000 : 1500));
    kill(host, SIGCONT);
    await_scene(host, 3);
    stop(host);
    hold_ns(pe_now(), PE_MS(harness_long() ? 3000 : 600));
    kill(host, SIGCONT);
    assert_host_ends_well(host);
}

PE_TEST_SLOW(host_keeper_and_worker_stopped, 60)
{
    pid_t host = fork_host(be_stopped_in_all), worker, keeper;

    await_scene(host, 3);
    worker = atomic_load(&stage->obedient);
    keeper = atomic_load(&stage->keeper);
    ck_assert_int_eq(kill(keeper, SIGSTOP), 0);
    ck_assert_int_eq(kill(worker, SIGSTOP), 0);
    stop(host);
    hold_ns(pe_now(), 2 * long_grace_ns());
    kill(host, SIGCONT);
    kill(keeper, SIGCONT);
    word_set(&stage->go, 1);
    kill(worker, SIGCONT);
    assert_host_ends_well(host);
}

HARNESS_MAIN("distress")
