/* A death is real: signals, faults and exits, of which the sanitizers are not to hear. */

#include "harness/death.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/worker.h>

#include "harness/harness.h"
#include "harness/items.h"
#include "harness/pool.h"

#define NO_SANITIZER __attribute__((no_sanitize("address", "undefined"), noinline))

const struct death_ending death_endings[WAY_COUNT] = {
    [WAY_ABORT] = { PE_CRASHED, SIGABRT }, [WAY_NULL] = { PE_CRASHED, SIGSEGV },
    [WAY_STACK] = { PE_CRASHED, SIGSEGV }, [WAY_KILL] = { PE_CRASHED, SIGKILL },
    [WAY_DIVIDE] = { PE_CRASHED, SIGFPE }, [WAY_EXIT] = { PE_EXITED, DEATH_EXIT_CODE(0) },
    [WAY_QUICK_EXIT] = { PE_EXITED, 0 },   [WAY_EXIT_3] = { PE_EXITED, DEATH_EXIT_CODE(3) },
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

NO_SANITIZER void die(enum death_way way)
{
    struct rlimit small = { 1 << 20, 1 << 20 };
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

int job_dies(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    enum death_way way = WAY_KILL;

    (void)reply;
    if (arg_bytes == sizeof way)
        memcpy(&way, arg, sizeof way);
    die(way);
    return 0;
}

int job_counted(const void *arg, size_t arg_bytes, pe_reply *reply)
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

static int is_fatal(const struct plan *plan, uint64_t item)
{
    return plan->every != 0 && item % plan->every == plan->at;
}

int item_by_plan(const void *in, void *out, const void *context)
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
    ck_assert_uint_eq(status->kind, dies ? death_endings[plan->way].kind : PE_RETURNED);
    ck_assert_int_eq(status->code, dies ? death_endings[plan->way].code : 0);
    ck_assert_uint_eq(status->attempts, attempts);
    ck_assert_int_eq(status->pid, entry->pid);
    ck_assert_int_eq(status->worker, entry->worker);
    ck_assert_uint_eq(entry->begun, attempts);
    ck_assert_uint_eq(entry->ended, !dies);
    ck_assert_uint_eq(out, dies ? UNTOUCHED : 3 * (item + 7) + 1);
}

/* Runs a map by plan and looks at every item; returns how many died for good. */
uint64_t plan_run(pe_pool *pool, struct plan *plan, uint64_t chunk, uint32_t retries)
{
    uint64_t *in = malloc(plan->count * sizeof *in), *out = malloc(plan->count * sizeof *out);
    pe_status *statuses = calloc(plan->count, sizeof *statuses);
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t died = 0;

    plan->ledger = pool_shared(pool, plan->count * sizeof *plan->ledger);
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

struct lives *lives_map(void)
{
    struct lives *lives =
        mmap(NULL, sizeof *lives, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(lives, MAP_FAILED);
    return lives;
}

pe_pool *lives_pool(struct lives *lives, uint32_t workers, uint32_t max_deaths)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    options.worker_init = note_life;
    options.worker_context = lives;
    options.max_deaths = max_deaths;
    return pool_with(options);
}
