/*
 * Workers killed between every two steps of the protocols (lib/base/step.h): claiming, running, replying, completing;
 * taking and stealing items; waking and going to sleep; starting and leaving; making places for regions. Whatever the
 * step, every job and item ends exactly once, what returned is right, no death is charged twice, and nothing stays
 * behind in the pool's books; and of regions no call is lost that had ended.
 */
#include "harness/harness.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>
#include <parexec/region.h>
#include <parexec/report.h>

#include "base/step.h"
#include "harness/books.h"
#include "pool/pool.h"
#include "region/mode.h"
#include "report/profile.h"

#define GUARD_NS  PE_SECONDS(20)
#define WORKERS   3
#define JOBS      24
#define ITEMS     48
#define UNTOUCHED UINT64_C(0xeeeeeeeeeeeeeeee)

#define NAME_OF(name) #name,
static const char *const names[] = { PE__STEP_LIST(NAME_OF) };

/* What ran, by the number of the job or item; seen also of those that died. */
struct shared {
    struct pe__step_plan plan;
    _Atomic uint32_t begun[ITEMS], ended[ITEMS];
    _Atomic uint32_t calls_begun, calls_ended, doomed;
    _Atomic uint32_t here; /* items that wait for each other */
};

struct scene {
    struct shared *shared;
    pe_pool *pool;
    uint32_t retries;
    int limited;
    uint64_t charged; /* deaths that a status tells of */
    int idles;        /* workers leave for want of work */
};

static struct shared *shared;

static void busy(int turns)
{
    for (volatile int i = 0; i < turns; i++)
        ;
}

/* Replies of all kinds: none, near, in the record, in a block, and in one that grows out of another. */
static const size_t reply_sizes[] = { 8, 40, 3000, 20000 };

static int job_replies(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t number = UINT64_MAX;

    if (arg_bytes < sizeof number)
        return -1;
    memcpy(&number, arg, sizeof number);
    atomic_fetch_add(&shared->begun[number], 1);
    busy((int)(number % 7) * 3000);
    uint64_t word = 2 * number + 1;
    for (size_t at = 0; at < reply_sizes[number % 4]; at += sizeof word)
        if (pe_reply_write(reply, &word, sizeof word) < 0)
            return -2;
    if (number % 3 == 2)
        printf("job %d", (int)number);
    atomic_fetch_add(&shared->ended[number], 1);
    if (number % 5 == 4)
        return pe_worker_fail(7, "number %d", (int)number);
    return 0;
}

/* The first lane's items take long, so the others come to steal them. */
static int item_triples(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();

    (void)context;
    atomic_fetch_add(&shared->begun[item], 1);
    busy(item < ITEMS / WORKERS ? 20000 : 100);
    *(uint64_t *)out = 3 * *(const uint64_t *)in + 1;
    if (item % 4 == 1)
        printf("item %d", (int)item);
    atomic_fetch_add(&shared->ended[item], 1);
    if (item % 16 == 15)
        return pe_worker_fail(7, "item %d", (int)item);
    return 0;
}

static void count_done(pe_job *job, void *context)
{
    (void)job;
    ++*(uint32_t *)context;
}

static void forget_ledger(void)
{
    for (int i = 0; i < ITEMS; i++) {
        atomic_store(&shared->begun[i], 0);
        atomic_store(&shared->ended[i], 0);
    }
}

static void assert_reply(const pe_job *job, uint64_t number)
{
    const void *data = NULL;
    size_t bytes = 0;
    uint64_t word;

    ck_assert_int_eq(pe_job_result(job, &data, &bytes), 0);
    ck_assert_uint_eq(bytes, reply_sizes[number % 4]);
    for (size_t at = 0; at < bytes; at += sizeof word) {
        memcpy(&word, (const char *)data + at, sizeof word);
        ck_assert_uint_eq(word, 2 * number + 1);
    }
}

/* Its own or, if it died, perhaps none. */
static void look_at_output(const pe_job *job, uint64_t item, const char *name, int number, int prints, int died)
{
    const char *text = NULL;
    char wanted[40];
    int result = pe_job_item_text(job, item, PE_TEXT_OUTPUT, &text, NULL);

    snprintf(wanted, sizeof wanted, "%s %d", name, number);
    if (result == 0)
        ck_assert_str_eq(text, wanted);
    ck_assert(prints || result == PE_ENODATA);
    ck_assert(!prints || died || result == 0);
}

/* True: it died for good. */
static int look_at_end(struct scene *scene, const pe_status *status, uint64_t number, int code)
{
    int died = status->kind == PE_CRASHED;

    if (died) {
        ck_assert_int_eq(status->code, SIGKILL);
        ck_assert_uint_eq(status->attempts, scene->retries + 1);
    } else {
        ck_assert_uint_eq(status->kind, PE_RETURNED);
        ck_assert_int_eq(status->code, code);
        ck_assert_uint_ge(atomic_load(&shared->ended[number]), 1);
    }
    if (status->attempts > 0)
        ck_assert_uint_le(atomic_load(&shared->begun[number]), status->attempts);
    scene->charged += status->attempts - !died;
    return died;
}

/* Far away: they are counted, and never over. */
static int64_t limit_of(const struct scene *scene)
{
    return scene->limited ? PE_SECONDS(1000) : 0;
}

static void run_jobs(struct scene *scene)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *jobs[JOBS];
    uint32_t done[JOBS] = { 0 };

    forget_ledger();
    options.retries = scene->retries;
    options.timeout_ns = limit_of(scene);
    for (uint64_t i = 0; i < JOBS; i++) {
        uint64_t arg[20] = { i };
        options.priority = (uint32_t)(i % PE__QUEUE_LEVELS);
        ck_assert_int_eq(pe_pool_submit(scene->pool, job_replies, arg, i % 3 == 0 ? sizeof arg : 8, &options,
                                        &jobs[i]),
                         0);
        ck_assert_int_eq(pe_job_on_done(jobs[i], count_done, &done[i]), 0);
    }
    ck_assert_int_eq(pe_pool_wait(scene->pool, pe_after(GUARD_NS)), 0);
    for (uint64_t i = 0; i < JOBS; i++) {
        pe_status status;
        ck_assert_int_eq(pe_job_status(jobs[i], &status), 0);
        int died = look_at_end(scene, &status, i, i % 5 == 4 ? 7 : 0);
        if (!died)
            assert_reply(jobs[i], i);
        look_at_output(jobs[i], 0, "job", (int)i, i % 3 == 2, died);
        ck_assert_uint_eq(done[i], 1);
        pe_job_free(jobs[i]);
    }
}

static void run_map(struct scene *scene, uint32_t priority, int with_statuses, uint64_t chunk)
{
    uint64_t in[ITEMS], out[ITEMS], failed = 0;
    pe_status statuses[ITEMS];
    pe_map_summary summary = PE_MAP_SUMMARY_INIT;
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_job *job = NULL;

    forget_ledger();
    for (uint64_t i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = UNTOUCHED;
    }
    options.retries = scene->retries;
    options.chunk = chunk;
    options.priority = priority;
    options.timeout_ns = limit_of(scene);
    options.summary = &summary;
    options.statuses = with_statuses ? statuses : NULL;
    ck_assert_int_eq(pe_pool_start_map(scene->pool, item_triples, in, 8, out, 8, ITEMS, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    for (uint64_t i = 0; i < ITEMS; i++) {
        pe_status status;
        ck_assert_int_eq(pe_job_item_status(job, i, &status), 0);
        int died = look_at_end(scene, &status, i, i % 16 == 15 ? 7 : 0);
        look_at_output(job, i, "item", (int)i, i % 4 == 1, died);
        ck_assert_uint_eq(out[i], died || i % 16 == 15 ? UNTOUCHED : 3 * i + 1);
        failed += died || i % 16 == 15;
    }
    ck_assert_uint_eq(summary.failed, failed);
    ck_assert_uint_eq(summary.returned, ITEMS - failed);
    pe_job_free(job);
}

/* Exactly once in every worker, unless its worker dies in it. */
static int once_in_each(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int index = pe_worker_index();

    (void)arg, (void)arg_bytes, (void)reply;
    atomic_fetch_add(&shared->begun[index], 1);
    busy(1000);
    atomic_fetch_add(&shared->ended[index], 1);
    return 0;
}

static void run_broadcast(struct scene *scene)
{
    pe_status statuses[WORKERS];
    uint32_t well = 0;

    forget_ledger();
    int result = pe_pool_broadcast(scene->pool, once_in_each, NULL, 0, statuses, WORKERS, pe_after(GUARD_NS));
    for (uint32_t i = 0; i < WORKERS; i++) {
        int died = statuses[i].kind == PE_CRASHED;

        ck_assert(died || statuses[i].kind == PE_RETURNED);
        ck_assert_int_eq(statuses[i].worker, (int)i);
        ck_assert_uint_eq(statuses[i].attempts, 1);
        ck_assert_uint_le(atomic_load(&shared->begun[i]), 1);
        if (!died)
            ck_assert_uint_eq(atomic_load(&shared->ended[i]), 1);
        well += !died;
        scene->charged += (uint64_t)died;
    }
    ck_assert_int_eq(result, well == WORKERS ? 0 : PE_EITEMS);
}

static uint64_t bits_of(const pe_pool *pool)
{
    return atomic_load(&pool->shared.groups[0].sleepers) & atomic_load(&pool->shared.groups[0].present);
}

/* Asleep, or gone for want of work. */
static int is_at_rest(const struct scene *scene)
{
    uint64_t all = (1u << WORKERS) - 1;

    return (bits_of(scene->pool) | (scene->idles ? atomic_load(&scene->pool->shared.groups[0].vacant) : 0)) == all;
}

/* Until every worker is, or one has died trying. */
static void let_sleep(const struct scene *scene)
{
    int64_t guard = pe_after(GUARD_NS);
    uint32_t deaths = atomic_load(&shared->plan.deaths);

    while (!is_at_rest(scene) && atomic_load(&shared->plan.deaths) == deaths) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
}

/* One job at a time, of each priority one, each of which has to wake somebody. */
static void run_sleepers(struct scene *scene)
{
    for (uint64_t i = 0; i < 3; i++) {
        pe_job_options options = PE_JOB_OPTIONS_INIT;
        pe_status status;
        pe_job *job = NULL;

        let_sleep(scene);
        forget_ledger();
        options.retries = scene->retries;
        options.priority = (uint32_t)i;
        ck_assert_int_eq(pe_pool_submit(scene->pool, job_replies, &i, sizeof i, &options, &job), 0);
        ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
        ck_assert_int_eq(pe_job_status(job, &status), 0);
        if (!look_at_end(scene, &status, i, 0))
            assert_reply(job, i);
        pe_job_free(job);
    }
}

/* With stop_at, each of the workers stops there once. */
static struct scene begin_scene(uint64_t jobs_per_worker, int64_t idle_ns, int stop_at)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct rlimit no_cores = { 0, 0 };
    struct scene scene = { .idles = idle_ns > 0 };

    setrlimit(RLIMIT_CORE, &no_cores);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    atomic_store(&shared->plan.armed, stop_at);
    atomic_store(&shared->plan.signal, stop_at < 0 ? SIGKILL : SIGSTOP);
    atomic_store(&shared->plan.every, 1);
    atomic_store(&shared->plan.budget, WORKERS);
    pe__step_plan = &shared->plan;
    options.workers = WORKERS;
    options.max_deaths = UINT32_MAX;
    options.queue_jobs = 64;
    options.shared_bytes = UINT64_C(64) << 20;
    options.jobs_per_worker = jobs_per_worker;
    options.idle_ns = idle_ns;
    options.grace_ns = PE_MS(1);
    options.output_bytes = 4096;
    ck_assert_int_eq(pe_pool_new(&options, &scene.pool), 0);
    return scene;
}

static void end_scene(struct scene *scene)
{
    atomic_store(&shared->plan.armed, -1);
    books_assert_nothing_left(scene->pool);
    ck_assert_int_eq(pe_pool_join(scene->pool, pe_after(GUARD_NS)), 0);
    pe_pool_free(scene->pool);
    pe__step_plan = NULL;
    munmap(shared, sizeof *shared);
}

/* True: a pool whose workers serve for ever comes by that step only as a death has called for a new worker. */
static int is_birth(int step)
{
    return step <= PE__STEP_INHERITED || step == PE__STEP_RECOVERED;
}

static int needs_short_lives(int step)
{
    return is_birth(step) || step == PE__STEP_FORGOTTEN || step >= PE__STEP_RETIRING;
}

/* A worker that stays has no occasion for it. */
static int needs_idle_time(int step)
{
    return step == PE__STEP_VACANT || step == PE__STEP_ABSENT;
}

static int job_stays(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    for (;;)
        sched_yield();
    return 0;
}

static int item_stays(const void *in, void *out, const void *context)
{
    (void)context;
    while (*(const uint64_t *)in % 2)
        sched_yield();
    *(uint64_t *)out = 1;
    return 0;
}

/* Stopped or, for the step's sake, died before that. */
static void look_at_stop(struct scene *scene, const pe_status *status)
{
    if (status->kind == PE_CRASHED) {
        ck_assert_int_eq(status->code, SIGKILL);
        scene->charged += status->attempts;
    } else {
        ck_assert_uint_eq(status->kind, PE_TIMED_OUT);
        ck_assert_int_ne(status->stop_signal, 0);
        scene->charged += status->attempts - 1;
    }
}

static void overrun_job(struct scene *scene)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_status status;
    pe_job *job = NULL;

    options.retries = scene->retries;
    options.timeout_ns = PE_MS(1);
    ck_assert_int_eq(pe_pool_submit(scene->pool, job_stays, NULL, 0, &options, &job), 0);
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    ck_assert_int_eq(pe_job_status(job, &status), 0);
    look_at_stop(scene, &status);
    pe_job_free(job);
}

static void overrun_items(struct scene *scene)
{
    enum { COUNT = 8 };
    uint64_t in[COUNT], out[COUNT];
    pe_status statuses[COUNT];
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    for (uint64_t i = 0; i < COUNT; i++) {
        in[i] = i / 3;
        out[i] = UNTOUCHED;
    }
    options.retries = scene->retries;
    options.timeout_ns = PE_MS(1);
    options.statuses = statuses;
    ck_assert_int_eq(pe_pool_map(scene->pool, item_stays, in, 8, out, 8, COUNT, &options), PE_EITEMS);
    for (uint64_t i = 0; i < COUNT; i++) {
        int good = statuses[i].kind == PE_RETURNED;
        ck_assert_uint_eq(out[i], good ? 1 : UNTOUCHED);
        ck_assert(!good || in[i] % 2 == 0);
        if (good)
            scene->charged += statuses[i].attempts - 1;
        else
            look_at_stop(scene, &statuses[i]); /* of a quick one: it was not quick enough */
    }
}

/* Their deadline has passed: whatever happens to the worker that finds that out, none of them is begun. */
static void run_late(struct scene *scene)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    pe_job *jobs[JOBS];

    forget_ledger();
    options.retries = scene->retries;
    options.deadline_ns = pe_now();
    for (uint64_t i = 0; i < JOBS; i++)
        ck_assert_int_eq(pe_pool_submit(scene->pool, job_replies, &i, sizeof i, &options, &jobs[i]), 0);
    ck_assert_int_eq(pe_pool_wait(scene->pool, pe_after(GUARD_NS)), 0);
    for (uint64_t i = 0; i < JOBS; i++) {
        pe_status status;
        ck_assert_int_eq(pe_job_status(jobs[i], &status), 0);
        ck_assert_uint_eq(atomic_load(&shared->begun[i]), 0);
        ck_assert_uint_eq(status.kind, status.attempts > 0 ? PE_CRASHED : PE_TIMED_OUT);
        ck_assert_uint_le(status.attempts, 1);
        scene->charged += status.attempts;
        pe_job_free(jobs[i]);
    }
}

static void one_round(struct scene *scene, uint32_t round)
{
    scene->limited = round / 2 % 2 == 0;
    run_late(scene);
    overrun_job(scene);
    overrun_items(scene);
    run_jobs(scene);
    run_map(scene, round % PE__QUEUE_LEVELS, round % 2, round % 3 == 0 ? 0 : round % 3);
    run_sleepers(scene);
    run_broadcast(scene);
}

/* With and without retries, at a frequent and a rare passage, until enough have died there. */
static void torture_step(int step, uint32_t wanted)
{
    struct scene scene = begin_scene(needs_short_lives(step) ? 40 : 0, needs_idle_time(step) ? PE_US(300) : 0, -1);
    int64_t guard = pe_after((int64_t)(harness_slowness() * (double)PE_SECONDS(harness_long() ? 80 : 10)));
    int64_t start = pe_now();
    uint32_t round = 0;

    do {
        uint64_t charged = scene.charged;
        uint32_t before = atomic_load(&shared->plan.deaths);
        atomic_store(&shared->plan.every, 1 + round / 2 * 5 % 17); /* each way once with all that come by */
        atomic_store(&shared->plan.budget, harness_long() ? 20 : WORKERS + 1);
        atomic_store(&shared->plan.armed, step);
        scene.retries = round % 2 ? 1000 : 0;
        one_round(&scene, round++);
        uint32_t died = atomic_load(&shared->plan.deaths) - before;
        if (scene.charged - charged > died)
            ck_abort_msg("%s: %ju charged, %u died", names[step], (uintmax_t)(scene.charged - charged), died);
    } while (atomic_load(&shared->plan.deaths) < wanted && pe_now() < guard);
    uint32_t deaths = atomic_load(&shared->plan.deaths);
    if (harness_long())
        printf("# %s: %u deaths in %u rounds of %jd ms in all, %ju charged\n", names[step], deaths, round,
               (intmax_t)(pe_now() - start) / 1000000, (uintmax_t)scene.charged);
    if (deaths == 0)
        ck_abort_msg("%s: nobody came by in %u rounds (%u passages)", names[step], round,
                     atomic_load(&shared->plan.seen[step]));
    end_scene(&scene);
}

/* ---- regions ---- */

/* Where addresses have 32 bits tables are small. */
enum { MARKS = 300, DOOMED = 8, NAMES = sizeof(void *) > 4 ? INT_MAX : 24 };

/* A name that no job had, or not many, a region that all have, a timeline that needs more room; some die with a region
 * open. */
static int job_measures(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint64_t number = 0;
    char name[32];

    (void)reply;
    memcpy(&number, arg, arg_bytes < sizeof number ? arg_bytes : sizeof number);
    snprintf(name, sizeof name, "job %d", (int)(number % NAMES));
    pe_region_enter(name);
    atomic_fetch_add(&shared->calls_begun, 1);
    PE_REGION("each")
        PE_COUNT("amount", 1);
    atomic_fetch_add(&shared->calls_ended, 1);
    for (int i = 0; i < MARKS; i++)
        PE_MARK("mark");
    if (number % DOOMED == DOOMED - 1)
        PE_REGION("doomed") {
            atomic_fetch_add(&shared->doomed, 1);
            raise(SIGKILL);
        }
    pe_region_leave(name);
    return 0;
}

/* Of all workers: calls and unfinished ones of a region; of a counter the sum. */
static uint64_t measured(const char *name, uint64_t *ret_unfinished)
{
    struct pe__profile profile;
    uint64_t calls = 0;

    *ret_unfinished = 0;
    ck_assert_int_eq(pe__profile_take(&profile), 0);
    for (uint32_t i = 0; i < profile.node_count; i++) {
        const struct pe__profile_node *node = &profile.nodes[i];
        const struct pe__profile_label *label = &profile.labels[node->label];
        if (strcmp(label->name, name) != 0)
            continue;
        calls += label->kind == PE_SITE_COUNTER ? (uint64_t)node->sum : node->calls;
        *ret_unfinished += node->unfinished;
    }
    pe__profile_free(&profile);
    return calls;
}

static void report_to_nowhere(void)
{
    for (uint32_t format = PE_REPORT_TEXT; format <= PE_REPORT_TRACE; format++)
        ck_assert_int_eq(pe_report_write("/dev/null", format), 0);
}

static void run_measured(struct scene *scene, uint64_t *number)
{
    pe_job *jobs[JOBS];

    for (int i = 0; i < JOBS; i++, ++*number)
        ck_assert_int_eq(pe_pool_submit(scene->pool, job_measures, number, sizeof *number, NULL, &jobs[i]), 0);
    ck_assert_int_eq(pe_pool_wait(scene->pool, pe_after(GUARD_NS)), 0);
    for (int i = 0; i < JOBS; i++) {
        pe_status status;
        ck_assert_int_eq(pe_job_status(jobs[i], &status), 0);
        ck_assert_uint_eq(status.kind, status.code == 0 ? PE_RETURNED : PE_CRASHED);
        ck_assert(status.code == 0 || status.code == SIGKILL);
        scene->charged += status.kind == PE_CRASHED;
        pe_job_free(jobs[i]);
    }
}

/* What had ended is counted, what had not begun is not. */
static void look_at_counts(void)
{
    uint64_t ended = atomic_load(&shared->calls_ended), begun = atomic_load(&shared->calls_begun);
    uint64_t doomed = atomic_load(&shared->doomed), deaths = atomic_load(&shared->plan.deaths), unfinished, calls;

    calls = measured("each", &unfinished);
    ck_assert_uint_ge(calls, ended);
    ck_assert_uint_le(calls + unfinished, begun);
    calls = measured("amount", &unfinished);
    ck_assert_uint_ge(calls, ended);
    ck_assert_uint_le(calls, begun);
    calls = measured("doomed", &unfinished);
    ck_assert_uint_ge(calls + unfinished + deaths, doomed);
    ck_assert_uint_le(calls + unfinished, doomed + deaths);
}

/* The workers measure, the host does not: it would die as well. */
static struct scene begin_measured(int step)
{
    pe_region_options options = PE_REGION_OPTIONS_INIT;
    struct scene scene;

    options.flags = PE_REGION_TIMELINE;
    options.names = options.paths = harness_long() ? 32768 : 1024;
    options.events = harness_long() ? UINT64_C(1) << 20 : sizeof(void *) > 4 ? 0 : 4096;
    if (harness_forks())
        ck_assert_int_eq(pe_region_setup(&options), 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
    scene = begin_scene(step < PE__STEP_LABEL_TAKEN ? 5 : 0, 0, -1);
    ck_assert_int_eq(pe_region_enable(0), 0);
    atomic_store(&scene.pool->shared.config->region_mode, pe__region_mode());
    return scene;
}

/* After the last death the next calls are all there. */
static void look_at_successors(struct scene *scene, uint64_t *number)
{
    uint64_t ended = atomic_load(&shared->calls_ended), before_unfinished, unfinished;
    uint64_t before = measured("each", &before_unfinished), calls;

    run_measured(scene, number);
    ck_assert_uint_eq(atomic_load(&shared->calls_ended), ended + JOBS);
    calls = measured("each", &unfinished);
    ck_assert_uint_eq(calls + unfinished, before + before_unfinished + JOBS);
    look_at_counts();
}

static void torture_regions(int step, uint32_t wanted)
{
    struct scene scene = begin_measured(step);
    int64_t guard = pe_after((int64_t)(harness_slowness() * (double)PE_SECONDS(harness_long() ? 80 : 10)));
    int64_t start = pe_now();
    uint32_t round = 0, deaths;
    uint64_t number = 0;

    do {
        atomic_store(&shared->plan.every, 1 + round++ % 3);
        atomic_store(&shared->plan.budget, harness_long() ? 20 : WORKERS + 1);
        atomic_store(&shared->plan.armed, step);
        run_measured(&scene, &number);
        look_at_counts();
    } while (atomic_load(&shared->plan.deaths) < wanted && pe_now() < guard);
    atomic_store(&shared->plan.armed, -1);
    look_at_successors(&scene, &number);
    report_to_nowhere();
    deaths = atomic_load(&shared->plan.deaths);
    if (harness_long())
        printf("# %s: %u deaths in %u rounds of %jd ms in all\n", names[step], deaths, round,
               (intmax_t)(pe_now() - start) / 1000000);
    if (deaths == 0)
        ck_abort_msg("%s: nobody came by in %u rounds", names[step], round);
    ck_assert_uint_le(scene.charged, deaths + atomic_load(&shared->doomed));
    end_scene(&scene);
}

static void torture(int step)
{
    if (step >= PE__STEP_TABLE_BEGUN)
        torture_regions(step, harness_long() ? 1500 : 2 * WORKERS);
    else
        torture_step(step, !harness_long() ? 2 * WORKERS : needs_short_lives(step) ? 50 : 1500);
}

/* A worker is born once for each that has died: those deaths take long. */
#define TEST_OF(name) \
    PE_TEST_SLOW(killed_at_##name, 100) \
    { \
        torture(PE__STEP_##name); \
    }
PE__STEP_LIST(TEST_OF)

/* All three are stopped on their way out, a job is submitted, they go on: it is run, although the host does nothing. */
static void submit_during(enum pe__step step)
{
    struct scene scene = begin_scene(0, PE_US(300), step);
    int64_t guard = pe_after(GUARD_NS);
    uint64_t number = 3;
    pe_job *job = NULL;

    while (atomic_load(&shared->plan.deaths) < WORKERS) {
        ck_assert_int_lt(pe_now(), guard);
        sched_yield();
    }
    atomic_store(&shared->plan.armed, -1);
    ck_assert_int_eq(pe_pool_submit(scene.pool, job_replies, &number, sizeof number, NULL, &job), 0);
    /* More than once: a process has said that it stops a little before it does. */
    while (atomic_load(&shared->ended[number]) == 0) {
        ck_assert_int_lt(pe_now(), guard);
        for (int i = 0; i < WORKERS; i++)
            if (atomic_load(&shared->plan.pids[i]) != 0)
                kill(atomic_load(&shared->plan.pids[i]), SIGCONT);
        usleep(1000);
    }
    ck_assert_int_eq(pe_job_wait(job, pe_after(GUARD_NS)), 0);
    assert_reply(job, number);
    pe_job_free(job);
    end_scene(&scene);
}

PE_TEST(submitted_while_the_workers_leave)
{
    submit_during(PE__STEP_VACANT);
    submit_during(PE__STEP_ABSENT);
    submit_during(PE__STEP_RETIRING);
    submit_during(PE__STEP_LEFT);
}

static int item_meets(const void *in, void *out, const void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(&shared->here, 1);
    while (atomic_load(&shared->here) < WORKERS)
        sched_yield();
    return 0;
}

/* Lets the stopped thief go on once a ticket more than there are lanes was queued; 1: one was. */
static void *continue_thief(void *context)
{
    const pe_pool *pool = context;
    int64_t guard = pe_after(GUARD_NS);

    while (atomic_load(&pool->shared.tails[PE_PRIORITY_NORMAL].tail) <= WORKERS && pe_now() < guard)
        usleep(1000);
    uint64_t tickets = atomic_load(&pool->shared.tails[PE_PRIORITY_NORMAL].tail);
    do {
        if (atomic_load(&shared->plan.pids[0]) != 0)
            kill(atomic_load(&shared->plan.pids[0]), SIGCONT);
        usleep(1000);
    } while (atomic_load(&shared->here) < WORKERS && pe_now() < guard);
    atomic_store(&shared->here, WORKERS); /* should one not have come */
    return tickets > WORKERS ? &shared->here : NULL;
}

/*
 * Items that wait for each other. One worker is in the first, the next one is stopped on its way to the last, and what
 * is left for the third cannot be had meanwhile: it must not leave it to those who are busy.
 */
PE_TEST(item_waits_for_a_thief_and_not_for_its_busy_owner)
{
    struct scene scene = begin_scene(0, 0, PE__STEP_SHRUNK);
    void *queued_again = NULL;
    pthread_t helper;

    atomic_store(&shared->plan.budget, 1);
    ck_assert_int_eq(pthread_create(&helper, NULL, continue_thief, scene.pool), 0);
    ck_assert_int_eq(pe_pool_map(scene.pool, item_meets, NULL, 0, NULL, 0, WORKERS, NULL), 0);
    ck_assert_int_eq(pthread_join(helper, &queued_again), 0);
    ck_assert_uint_eq(atomic_load(&shared->plan.deaths), 1);
    ck_assert_ptr_nonnull(queued_again);
    end_scene(&scene);
}

HARNESS_MAIN("steps")
