/*
 * Every exported function in every situation in which a call can be out of place: no handle, a pool that is
 * closed, joined, killed or broken, a handle in a forked child or in a worker, a call in a callback. Each gives
 * what its header says, and one that is refused changes nothing. What is exported and has no row here fails;
 * wrong values of arguments are test-arguments.c's.
 */
#include "harness/harness.h"

#include <signal.h>
#include <stdatomic.h>

#include <parexec.h>

#include "harness/calls_pool.h"
#include "harness/exports.h"
#include "harness/items.h"
#include "harness/pool.h"
#include "harness/process.h"

#define GUARD_NS PE_SECONDS(20)

static const char *const situation_names[SITUATIONS] = { "no handle", "closed", "joined", "killed",
                                                         "broken",    "child",  "worker", "callback" };

static struct scene scene; /* a worker of a pool that is made later sees it */

static void begin_scene(enum situation situation)
{
    scene.situation = situation;
    scene.pool = pool_of(1);
    scene.flag = pool_shared(scene.pool, sizeof *scene.flag);
    scene.memory = pool_shared(scene.pool, 100);
    memset(scene.memory, 'm', 100);
    struct process_worker worker = { .keeper = 0 };
    if (situation == BROKEN)
        process_workers(scene.pool, 1, &worker);
    scene.keeper = worker.keeper;
    ck_assert_int_eq(
        pe_pool_stream(scene.pool, item_nothing, calls_source_of_nothing, NULL, 8, 8, NULL, &scene.stream), 0);
    uint64_t number = 4;
    scene.ended = pool_submit(scene.pool, job_double, &number, sizeof number);
    job_ended(scene.ended);
    scene.live = pool_submit(scene.pool, job_until_set, &scene.flag, sizeof scene.flag);
}

static void break_pool(void)
{
    int64_t guard = pe_after(GUARD_NS);
    int result;

    ck_assert_int_eq(kill(scene.keeper, SIGKILL), 0);
    while ((result = pe_pool_poll(scene.pool)) >= 0 && pe_now() < guard)
        ;
    ck_assert_int_eq(result, PE_EBROKEN);
}

static int call_it(const void *row)
{
    return ((const struct call_row *)row)->call(&scene);
}

struct request {
    const struct call_row *row;
    pe_pool *own;
};

static int job_calls(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct request request;
    struct scene of_worker = scene;

    (void)arg_bytes;
    memcpy(&request, arg, sizeof request);
    if (request.own != NULL)
        of_worker.pool = request.own;
    int64_t result = request.row->call(&of_worker);
    return pe_reply_write(reply, &result, sizeof result);
}

/* With the handles of an older pool, and with that of the worker's own. */
static int call_in_worker(const struct call_row *row)
{
    pe_pool *pool = pool_of(1);
    int result = 0;

    for (int own = 0; own < 2; own++) {
        struct request request = { row, own ? pool : NULL };
        pe_job *job = pool_submit(pool, job_calls, &request, sizeof request);
        job_assert_ended(job, PE_RETURNED, 0);
        int answer = (int)(int64_t)job_number(job);
        ck_assert(own == 0 || answer == result);
        result = answer;
        pe_job_free(job);
    }
    pool_assert_usable(pool);
    ck_assert_uint_eq(pool_stats(pool).restarts, 0);
    pool_end(pool);
    return result;
}

struct call {
    const struct call_row *row;
    int result, made;
};

static void call_in_callback(pe_job *job, void *context)
{
    struct call *call = context;

    (void)job;
    call->result = call->row->call(&scene);
    call->made++;
}

static int call_within_callback(const struct call_row *row)
{
    struct call call = { .row = row };

    ck_assert_int_eq(pe_job_on_done(scene.ended, call_in_callback, &call), 0);
    while (call.made == 0)
        pe_pool_poll(scene.pool);
    ck_assert_int_eq(call.made, 1);
    return call.result;
}

static int call_in_situation(const struct call_row *row)
{
    struct scene none = { .situation = NO_HANDLE };

    switch (scene.situation) {
    case NO_HANDLE: return row->call(&none);
    case CLOSED: ck_assert_int_eq(pe_pool_close(scene.pool), 0); break;
    case JOINED:
        atomic_store(scene.flag, 1);
        ck_assert_int_eq(pe_pool_join(scene.pool, pe_after(GUARD_NS)), 0);
        break;
    case KILLED: ck_assert_int_eq(pe_pool_kill(scene.pool, PE_NOW), 0); break;
    case BROKEN: break_pool(); break;
    case CHILD: return process_answer_of_child(call_it, row);
    case WORKER: return call_in_worker(row);
    default: return call_within_callback(row);
    }
    return row->call(&scene);
}

/* A call that is refused, or that is made where the pool is not, leaves everything as it was. */
static void assert_unchanged(const struct call_row *row, const pe_stats *before)
{
    pe_stats now = pool_stats(scene.pool);
    uint64_t number = job_number(scene.ended);

    ck_assert_msg(now.submitted == before->submitted && now.shared_bytes_used == before->shared_bytes_used,
                  "%s", row->name);
    ck_assert_uint_eq(number, 8);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(((char *)scene.memory)[i], 'm');
    if (scene.situation == NO_HANDLE || scene.situation == CHILD || scene.situation == WORKER) {
        ck_assert_uint_eq(job_status(scene.live).kind, PE_PENDING);
        atomic_store(scene.flag, 1);
        job_assert_ended(scene.live, PE_RETURNED, 7);
        pool_assert_usable(scene.pool);
    }
}

static void end_scene(void)
{
    pe_pool_kill(scene.pool, PE_NOW);
    pe_job_free(scene.live);
    pe_job_free(scene.ended);
    pe_stream_free(scene.stream);
    pe_pool_free(scene.pool);
}

PE_TEST_FULL(each_function_in_each_situation, 60, 0, SITUATIONS)
{
    for (size_t i = 0; i < call_row_count; i++) {
        const struct call_row *row = &call_rows[i];
        begin_scene((enum situation)_i);
        pe_stats before = pool_stats(scene.pool);
        int result = call_in_situation(row);
        ck_assert_msg(result == row->wanted[_i], "%s, %s: %d (%s)", row->name, situation_names[_i], result,
                      pe_err_name(result));
        if (result < 0 || _i == CHILD || _i == WORKER)
            assert_unchanged(row, &before);
        end_scene();
    }
}

PE_TEST(each_exported_function_has_a_row)
{
    exports_assert_rows(EXPORT_MAP, false, call_rows, sizeof *call_rows, call_row_count);
}

HARNESS_MAIN("situations")
