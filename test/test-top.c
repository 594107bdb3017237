/*
 * parexec-top, run on this very program: what it shows is so, what it cannot show it says, and memory that holds
 * nonsense does not mislead it into anything but nonsense.
 */
#include "harness/harness.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/error.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "pool/pool.h"

#define GUARD_NS PE_SECONDS(20)
#define NOBODY   65534

struct shown {
    char text[8192];
    int status;
};

/* Runs it with these arguments, "PID" being this process, and takes what it prints. */
static struct shown run(const char *arguments)
{
    static struct shown shown;
    char command[600];
    FILE *out;

    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* where Yama asks for it */
    snprintf(command, sizeof command, "PID=%d; '%s' %s 2>&1", (int)getpid(), TOP, arguments);
    out = popen(command, "r");
    ck_assert_ptr_nonnull(out);
    shown.text[fread(shown.text, 1, sizeof shown.text - 1, out)] = '\0';
    shown.status = WEXITSTATUS(pclose(out));
    return shown;
}

static struct shown run_once(void)
{
    return run("--once --interval 20 $PID");
}

/* In some containers nobody may. */
#define NEEDS_PERMISSION() \
    do { \
        if (run_once().status == 3) \
            HARNESS_SKIP("no process may read another one's memory here"); \
    } while (0)

static void assert_shows(const struct shown *shown, const char *text)
{
    if (strstr(shown->text, text) == NULL)
        ck_abort_msg("no '%s' in:\n%s", text, shown->text);
}

/* The line of a worker: its number, its pid, its state. */
static const char *line_of(const struct shown *shown, uint32_t worker, int32_t pid, const char *state)
{
    char wanted[80];
    const char *line;

    snprintf(wanted, sizeof wanted, "\n%6" PRIu32 " %8" PRId32 "  %-8s", worker, pid, state);
    line = strstr(shown->text, wanted);
    if (line == NULL)
        ck_abort_msg("no '%s' in:\n%s", wanted, shown->text);
    return line + strlen(wanted);
}

static pe_worker_stats await_state(const pe_pool *pool, uint32_t worker, uint32_t state)
{
    int64_t guard = pe_after(GUARD_NS);
    pe_worker_stats stats = PE_WORKER_STATS_INIT;

    do {
        ck_assert_int_lt(pe_now(), guard);
        ck_assert_int_eq(pe_pool_worker_stats(pool, worker, &stats), 0);
    } while (stats.state != state && sched_yield() == 0);
    return stats;
}

PE_TEST(workers_and_what_waits)
{
    NEEDS_PERMISSION();
    pe_pool *pool = pool_of(2), *other = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_job *holders[2], *jobs[3];
    struct shown shown;
    double age, memory, busy, ended_each;
    unsigned long ended, lives;
    char unit;

    for (int i = 0; i < 2; i++)
        await_state(pool, (uint32_t)i, PE_WORKER_IDLE);
    pe_worker_stats idle = await_state(other, 0, PE_WORKER_IDLE);
    for (int i = 0; i < 2; i++)
        holders[i] = gate_submit(pool, gate_pass, gate);
    word_await(&gate->arrived, 2);
    for (int i = 0; i < 3; i++)
        jobs[i] = gate_submit(pool, gate_count, gate);
    shown = run_once();
    ck_assert_int_eq(shown.status, 0);
    assert_shows(&shown, ": 2 workers, 2 running, 0.0/s\nwaiting, about: 0 high, 3 normal, 0 low\n");
    assert_shows(&shown, ": 1 workers, 0 running, 0.0/s\nwaiting, about: 0 high, 0 normal, 0 low\n");
    for (uint32_t i = 0; i < 2; i++) {
        pe_worker_stats stats = await_state(pool, i, PE_WORKER_RUNNING);
        ck_assert_int_eq(sscanf(line_of(&shown, i, stats.pid, "running"),
                                " %lf %c - %lu %lf %lf %% %lf MiB %lu", &age, &unit, &ended, &ended_each, &busy,
                                &memory, &lives),
                         7);
        ck_assert(age >= 0.02);
        ck_assert(busy == 100);
        ck_assert(memory > 0);
        ck_assert_uint_eq(ended, 0);
        ck_assert_uint_eq(lives, 1);
    }
    line_of(&shown, 0, idle.pid, "idle");
    word_set(&gate->open, 2);
    for (int i = 0; i < 2; i++)
        job_finish(holders[i]);
    for (int i = 0; i < 3; i++)
        job_finish(jobs[i]);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
    pool_end(other);
}

static int item_passes(const void *in, void *out, const void *context)
{
    (void)in, (void)out;
    if (pe_worker_item() == 5)
        gate_pass(context, 0, NULL);
    return 0;
}

PE_TEST(the_item_of_a_map)
{
    NEEDS_PERMISSION();
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;
    struct shown shown;
    unsigned long item;
    double age;

    options.context = &gate;
    options.context_bytes = sizeof gate;
    ck_assert_int_eq(pe_pool_start_map(pool, item_passes, NULL, 0, NULL, 0, 9, &options, &job), 0);
    word_await(&gate->arrived, 1);
    shown = run_once();
    pe_worker_stats stats = await_state(pool, 0, PE_WORKER_RUNNING);
    ck_assert_int_eq(sscanf(line_of(&shown, 0, stats.pid, "running"), " %lf s %lu", &age, &item), 2);
    ck_assert_uint_eq(item, 5);
    word_set(&gate->open, 1);
    job_finish(job);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
}

/* It goes on until there is nothing to look at any more. */
PE_TEST(it_watches_until_the_pool_is_gone)
{
    NEEDS_PERMISSION();
    pe_pool *pool = pool_of(1);
    char command[600], line[200];
    int tables = 0;
    FILE *out;

    snprintf(command, sizeof command, "exec '%s' --interval 10 %d", TOP, (int)getpid());
    out = popen(command, "r");
    ck_assert_ptr_nonnull(out);
    while (tables < 3 && fgets(line, sizeof line, out) != NULL)
        tables += strstr(line, ": 1 workers") != NULL;
    ck_assert_int_eq(tables, 3);
    pool_end(pool);
    while (fgets(line, sizeof line, out) != NULL)
        ;
    ck_assert_int_eq(pclose(out), 0);
}

/* ---- what it cannot show ---- */

PE_TEST(wrong_arguments)
{
    static const char *const wrong[] = { "",       "--once",           "x",           "0",    "-5",
                                         "$PID 1", "--interval $PID",  "--interval 0 $PID",   "--interval x $PID",
                                         "99999999999999999999", "--twice $PID" };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct shown shown = run(wrong[i]);
        if (shown.status != 2)
            ck_abort_msg("status %d for '%s'", shown.status, wrong[i]);
        assert_shows(&shown, "usage: parexec-top");
    }
    struct shown help = run("--help");
    ck_assert_int_eq(help.status, 0);
    assert_shows(&help, "usage: parexec-top");
}

PE_TEST(nothing_to_show)
{
    NEEDS_PERMISSION();
    struct shown shown = run_once();
    pid_t child;

    ck_assert_int_eq(shown.status, 1);
    assert_shows(&shown, "has no pool\n");
    child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    char arguments[40];
    snprintf(arguments, sizeof arguments, "--once %d", (int)child);
    shown = run(arguments);
    ck_assert_int_eq(shown.status, 1);
    assert_shows(&shown, "there is none\n");
}

PE_TEST(another_users_program)
{
    pe_pool *pool;

    if (getuid() != 0)
        HARNESS_SKIP("only root can become another user");
    pool = pool_of(1);
    char arguments[700];
    snprintf(arguments, sizeof arguments, "--help >/dev/null; exec setpriv --reuid %d --clear-groups '%s' --once $PID",
             NOBODY, TOP);
    struct shown shown = run(arguments);
    if (shown.status == 126 || shown.status == 127)
        HARNESS_SKIP("another user cannot run it: %s", shown.text);
    ck_assert_int_eq(shown.status, 3);
    assert_shows(&shown, "may not be read");
    pool_end(pool);
}

/* ---- nonsense in shared memory ---- */

static void assert_found_out(pe_pool *pool, const struct pe__config *right, const struct pe__config *wrong,
                             const char *says)
{
    *pool->shared.config = *wrong;
    struct shown shown = run_once();
    *pool->shared.config = *right;
    ck_assert_int_eq(shown.status, 1);
    assert_shows(&shown, says);
}

/* Other sizes that fill the same memory. */
static void make_fit(struct pe__geometry *geometry, size_t bytes)
{
    struct pe__shared plan;

    pe__mapping_plan(&plan, geometry);
    geometry->heap_bytes -= plan.bytes - bytes;
    pe__mapping_plan(&plan, geometry);
    ck_assert_uint_eq(plan.bytes, bytes);
}

PE_TEST(what_does_not_look_like_a_pool)
{
    NEEDS_PERMISSION();
    pe_pool *pool = pool_of(1);
    struct pe__config right = *pool->shared.config, wrong;

    wrong = right, wrong.magic++;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.layout++;
    assert_found_out(pool, &right, &wrong, "of this version of the library, but of another one\n");
    wrong = right, wrong.host_pid++;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.workers_most = 0;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.workers_most = UINT32_MAX;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.records = 0;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.records *= 2;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.records = UINT32_C(1) << 31;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.heap_bytes = UINT64_MAX;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.reply_bytes = UINT64_MAX;
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    wrong = right, wrong.geometry.workers_most = 4 * PE_WORKERS_MAX;
    make_fit(&wrong.geometry, pool->shared.bytes);
    assert_found_out(pool, &right, &wrong, "has no pool\n");
    ck_assert_int_eq(run_once().status, 0);
    pool_end(pool);
}

/* While it runs a map: every word that is shown, and those by which they are found. */
PE_TEST_LOOP(nonsense_is_shown_as_it_is, 0, 4)
{
    NEEDS_PERMISSION();
    static const uint64_t values[] = { 0, UINT64_C(1) << 44, INT64_MAX, UINT64_MAX };
    pe_pool *pool = pool_of(1);
    struct gate *gate = pool_shared(pool, sizeof *gate);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t value = values[_i];
    pe_job *job = NULL;

    options.context = &gate;
    options.context_bytes = sizeof gate;
    ck_assert_int_eq(pe_pool_start_map(pool, item_passes, NULL, 0, NULL, 0, 9, &options, &job), 0);
    word_await(&gate->arrived, 1);
    struct pe__slot *slot = &pool->shared.slots[0];
    struct pe__record *record = &pool->shared.records[atomic_load(&slot->hint)];
    uint32_t hint = atomic_load(&slot->hint);
    int32_t pid = atomic_load(&slot->pid);
    uint16_t map = record->map, lane = record->lane;

    record->map = (uint16_t)value;
    record->lane = (uint16_t)value;
    atomic_store(&slot->run, value);
    atomic_store(&slot->past, value);
    atomic_store(&slot->pid, (int32_t)value);
    ck_assert_int_eq(run_once().status, 0);
    atomic_store(&slot->hint, (uint32_t)value);
    ck_assert_int_eq(run_once().status, 0);
    record->map = map;
    record->lane = lane;
    atomic_store(&slot->hint, hint);
    atomic_store(&slot->pid, pid);
    word_set(&gate->open, 1);
    job_finish(job);
    pe_pool_dealloc(pool, gate);
    pool_end(pool);
}

HARNESS_MAIN("top")
