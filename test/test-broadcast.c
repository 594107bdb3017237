/*
 * A function that every worker runs once: with jobs before and behind it, with workers that die in it, that have left
 * for want of work or that are taken away meanwhile, and when it is cut short. Row P19 of the list of features.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/death.h"
#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"

#define GUARD_NS PE_SECONDS(25)
#define MOST 8

/* What each worker did, by its number. */
struct book {
    _Atomic uint32_t begun[MOST], ended[MOST];
    _Atomic int32_t pid[MOST];
    _Atomic uint32_t dies, stays; /* number + 1 of one that does */
    _Atomic uint32_t all_stay;
    struct gate gate;
};

static struct book *book_of(const void *arg)
{
    struct book *book;

    memcpy(&book, arg, sizeof book);
    return book;
}

static int visit(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct book *book = book_of(arg);
    uint32_t number = (uint32_t)pe_worker_index();

    (void)arg_bytes, (void)reply;
    atomic_store(&book->pid[number], getpid());
    atomic_fetch_add(&book->begun[number], 1);
    if (atomic_load(&book->dies) == number + 1)
        die(WAY_KILL);
    while (atomic_load(&book->stays) == number + 1 || atomic_load(&book->all_stay) == 1)
        usleep(500);
    atomic_fetch_add(&book->ended[number], 1);
    return 0;
}

static int broadcast(pe_pool *pool, struct book *book, pe_status *statuses, int64_t deadline_ns)
{
    memset(statuses, 0xee, MOST * sizeof *statuses);
    return pe_pool_broadcast(pool, visit, &book, sizeof book, statuses, MOST, deadline_ns);
}

static void assert_visited(const struct book *book, const pe_status *statuses, uint32_t workers, uint32_t times)
{
    pe_status untouched;

    memset(&untouched, 0xee, sizeof untouched);
    for (uint32_t i = 0; i < MOST; i++) {
        ck_assert_uint_eq(book->begun[i], i < workers ? times : 0);
        ck_assert_uint_eq(book->ended[i], i < workers ? times : 0);
        if (i >= workers) {
            ck_assert_mem_eq(&statuses[i], &untouched, sizeof untouched);
            continue;
        }
        ck_assert_uint_eq(statuses[i].kind, PE_RETURNED);
        ck_assert_int_eq(statuses[i].code, 0);
        ck_assert_int_eq(statuses[i].worker, (int)i);
        ck_assert_int_eq(statuses[i].pid, book->pid[i]);
        ck_assert_uint_eq(statuses[i].attempts, 1);
    }
}

PE_TEST_LOOP(p19_every_worker_once, 1, 8)
{
    pe_pool *pool = pool_of((uint32_t)_i);
    struct book *book = pool_shared(pool, sizeof *book);
    pe_status statuses[MOST];

    for (uint32_t round = 1; round <= 50; round++) {
        ck_assert_int_eq(broadcast(pool, book, statuses, pe_after(GUARD_NS)), 0);
        assert_visited(book, statuses, (uint32_t)_i, round);
    }
    ck_assert_uint_eq(pool_stats(pool).submitted, 50 * (uint64_t)_i);
    ck_assert_uint_eq(pool_stats(pool).queued, 0);
    pe_pool_dealloc(pool, book);
    pool_end(pool);
}

/* Jobs and broadcasts neither hold each other up for good nor take each other's places. */
PE_TEST(p19_among_jobs)
{
    enum { JOBS = 300 };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_status statuses[MOST];
    pe_job *jobs[JOBS];

    options.workers = 3;
    options.queue_jobs = 20;
    pe_pool *pool = pool_with(options);
    struct book *book = pool_shared(pool, sizeof *book);
    for (uint64_t i = 0; i < JOBS; i++) {
        jobs[i] = pool_submit(pool, job_double, &i, sizeof i);
        if (i % 3 == 0)
            ck_assert_int_eq(broadcast(pool, book, statuses, pe_after(GUARD_NS)), 0);
    }
    assert_visited(book, statuses, 3, JOBS / 3);
    for (uint64_t i = 0; i < JOBS; i++)
        job_assert_reply(jobs[i], &(uint64_t){ 2 * i }, sizeof(uint64_t));
    pe_pool_dealloc(pool, book);
    pool_end(pool);
}

struct caller {
    pe_pool *pool;
    struct book *book;
    pe_status statuses[MOST];
    int64_t deadline_ns;
    int result;
    _Atomic int is_over;
};

static void *call_broadcast(void *context)
{
    struct caller *caller = context;

    caller->result = broadcast(caller->pool, caller->book, caller->statuses, caller->deadline_ns);
    atomic_store(&caller->is_over, 1);
    return NULL;
}

/* Replies with how often the worker has been visited. */
static int count_visits(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint32_t visits = atomic_load(&book_of(arg)->ended[0]);

    (void)arg_bytes;
    return pe_reply_write(reply, &visits, sizeof visits);
}

PE_TEST(p19_after_the_job_in_hand_and_before_those_that_wait)
{
    pe_pool *pool = pool_of(1);
    struct caller caller = { .pool = pool, .book = pool_shared(pool, sizeof *caller.book), .deadline_ns = PE_FOREVER };
    pe_job *held = gate_submit(pool, gate_pass, &caller.book->gate);
    pthread_t thread;

    word_await(&caller.book->gate.arrived, 1);
    pe_job *waits = pool_submit(pool, count_visits, &caller.book, sizeof caller.book);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_broadcast, &caller), 0);
    while (atomic_load(&pool->shared.slots[0].order) == 0)
        sched_yield();
    ck_assert_uint_eq(caller.book->begun[0], 0);
    word_set(&caller.book->gate.open, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(caller.result, 0);
    job_assert_reply(waits, &(uint32_t){ 1 }, sizeof(uint32_t));
    job_finish(held);
    pe_pool_free(pool);
}

/* It has been run everywhere, so the call returns, whatever waits in front of it in the queue. */
PE_TEST(p19_does_not_wait_for_the_queue)
{
    pe_pool *pool = pool_of(1);
    struct caller caller = { .pool = pool, .deadline_ns = pe_after(GUARD_NS) };
    pe_job *jobs[3];
    pthread_t thread;

    caller.book = pool_shared(pool, sizeof *caller.book);
    for (int i = 0; i < 3; i++)
        jobs[i] = gate_submit(pool, gate_pass, &caller.book->gate);
    word_await(&caller.book->gate.arrived, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_broadcast, &caller), 0);
    while (atomic_load(&pool->shared.slots[0].order) == 0)
        sched_yield();
    word_set(&caller.book->gate.open, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(caller.result, 0);
    word_await(&caller.book->gate.arrived, 2);
    word_set(&caller.book->gate.open, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(job_finish(jobs[i]).kind, PE_RETURNED);
    pe_pool_free(pool);
}

PE_TEST(p19_a_death_is_told_and_not_repeated)
{
    pe_pool *pool = pool_of(4);
    struct book *book = pool_shared(pool, sizeof *book);
    pe_status statuses[MOST];

    for (uint32_t round = 1; round <= 10; round++) {
        uint32_t victim = round % 4;

        atomic_store(&book->dies, victim + 1);
        ck_assert_int_eq(broadcast(pool, book, statuses, pe_after(GUARD_NS)), PE_EITEMS);
        for (uint32_t i = 0; i < 4; i++) {
            ck_assert_uint_eq(statuses[i].kind, i == victim ? PE_CRASHED : PE_RETURNED);
            ck_assert_int_eq(statuses[i].code, i == victim ? SIGKILL : 0);
            ck_assert_int_eq(statuses[i].pid, book->pid[i]);
            ck_assert_uint_eq(book->begun[i], 2 * round - 1);
        }
        atomic_store(&book->dies, 0);
        ck_assert_int_eq(broadcast(pool, book, statuses, pe_after(GUARD_NS)), 0);
    }
    pool_await_restarts(pool, 10);
    pe_pool_dealloc(pool, book);
    pool_end(pool);
}

static int give_index(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    return pe_worker_index();
}

/* Room for fewer, for none. */
PE_TEST(p19_codes)
{
    pe_pool *pool = pool_of(3);
    pe_status statuses[3];

    memset(statuses, 0xee, sizeof statuses);
    ck_assert_int_eq(pe_pool_broadcast(pool, give_index, NULL, 0, statuses, 2, PE_FOREVER), PE_EITEMS);
    ck_assert_int_eq(statuses[0].code, 0);
    ck_assert_int_eq(statuses[1].code, 1);
    ck_assert_uint_eq(statuses[2].kind, 0xeeeeeeee);
    ck_assert_int_eq(pe_pool_broadcast(pool, give_index, NULL, 0, NULL, 5, PE_FOREVER), PE_EITEMS);
    pool_end(pool);
}

static int compare_pattern(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    unsigned char *wanted = pattern(arg_bytes, 5);
    int differs = memcmp(arg, wanted, arg_bytes) != 0;

    (void)reply;
    free(wanted);
    return differs;
}

PE_TEST(p19_large_arguments)
{
    static const size_t sizes[] = { 1, 8, 9, 64, 65, 300000 };
    pe_pool *pool = pool_of(3);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *arg = pattern(sizes[i], 5);

        ck_assert_int_eq(pe_pool_broadcast(pool, compare_pattern, arg, sizes[i], NULL, 0, pe_after(GUARD_NS)), 0);
        free(arg);
    }
    pool_end(pool);
}

PE_TEST(p19_workers_that_have_left_are_started)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_status statuses[MOST];

    options.workers = 4;
    options.idle_ns = PE_US(300);
    pe_pool *pool = pool_with(options);
    struct book *book = pool_shared(pool, sizeof *book);
    for (uint32_t round = 1; round <= 100; round++) {
        int64_t at_ns = pe_after(round % 50 * 20000);

        ck_assert_int_eq(broadcast(pool, book, statuses, pe_after(GUARD_NS)), 0);
        assert_visited(book, statuses, 4, round);
        while (pe_now() < at_ns)
            ;
    }
    ck_assert_uint_ge(pool_stats(pool).retired, 1);
    pe_pool_dealloc(pool, book);
    pool_end(pool);
}

/* The third one has run it once it sleeps again. 0 if the call was over before. */
static int await_begin(struct caller *caller, uint32_t stays, uint32_t third)
{
    while (atomic_load(&caller->book->begun[stays]) == 0 || atomic_load(&caller->book->begun[third]) == 0 ||
           (atomic_load(&caller->pool->shared.groups[0].sleepers) & pe__bell_bit(third)) == 0) {
        if (atomic_load(&caller->is_over))
            return 0;
        sched_yield();
    }
    return 1;
}

/* One worker is busy, one stays in it, one is done: taken back, stopped, told of. By a deadline after so long, or by an
 * interrupt if that is 0. 0 if it was over before they were so far. */
static int is_cut_short(int64_t patience_ns)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    struct caller caller = { .deadline_ns = PE_FOREVER };
    pthread_t thread;

    options.workers = 3;
    options.grace_ns = PE_NOW;
    pe_pool *pool = pool_with(options);
    caller.pool = pool;
    caller.book = pool_shared(pool, sizeof *caller.book);
    pe_job *held = gate_submit(pool, gate_pass, &caller.book->gate);
    word_await(&caller.book->gate.arrived, 1);
    while (pool_stats(pool).workers_alive < 3)
        sched_yield();
    uint32_t busy = 0, stays = 1;
    while (atomic_load(&pool->shared.slots[busy].hint) != held->record)
        busy++;
    stays = busy == 1 ? 2 : 1;
    uint32_t third = 3 - busy - stays;
    atomic_store(&caller.book->stays, stays + 1);
    if (patience_ns > 0)
        caller.deadline_ns = pe_after(patience_ns);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_broadcast, &caller), 0);
    int is_in_time = await_begin(&caller, stays, third);
    if (patience_ns == 0)
        pe_pool_interrupt(pool);
    pthread_join(thread, NULL);
    ck_assert_int_eq(caller.result, patience_ns > 0 ? PE_ETIMEDOUT : PE_EINTR);
    ck_assert_uint_eq(caller.statuses[busy].kind, PE_CANCELLED);
    ck_assert_uint_eq(caller.statuses[busy].attempts, 0);
    ck_assert_uint_eq(caller.statuses[stays].kind, PE_CANCELLED);
    if (is_in_time) {
        ck_assert_int_eq(caller.statuses[stays].stop_signal, SIGKILL);
        ck_assert_int_eq(kill(caller.book->pid[stays], 0), -1);
        ck_assert_uint_eq(caller.statuses[third].kind, PE_RETURNED);
    }
    word_set(&caller.book->gate.open, 1);
    ck_assert_uint_eq(job_finish(held).kind, PE_RETURNED);
    ck_assert_uint_eq(caller.book->begun[busy], 0);
    atomic_store(&caller.book->stays, 0);
    ck_assert_int_eq(broadcast(pool, caller.book, caller.statuses, pe_after(GUARD_NS)), 0);
    pe_pool_free(pool);
    return is_in_time;
}

PE_TEST(p19_cut_short_by_its_deadline)
{
    int64_t patience = PE_MS(100);

    while (!is_cut_short(patience))
        patience *= 2;
}

PE_TEST(p19_cut_short_by_an_interrupt)
{
    ck_assert(is_cut_short(0));
}

static void *resize_to_and_fro(void *context)
{
    struct caller *caller = context;

    for (uint32_t i = 0; i < 30; i++)
        ck_assert_int_eq(pe_pool_resize(caller->pool, 1 + i * 5 % MOST, pe_after(GUARD_NS)), 0);
    return NULL;
}

/* Each of those that are told to have returned has run it, nobody twice. */
PE_TEST(p19_several_threads_and_a_resize)
{
    struct caller callers[3];
    pthread_t threads[3], resizer;
    pe_pool *pool = pool_of(4);
    struct caller resizing = { .pool = pool };

    ck_assert_int_eq(pthread_create(&resizer, NULL, resize_to_and_fro, &resizing), 0);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 3; i++) {
            callers[i] = (struct caller){ .pool = pool, .deadline_ns = pe_after(GUARD_NS) };
            callers[i].book = pool_shared(pool, sizeof *callers[i].book);
            ck_assert_int_eq(pthread_create(&threads[i], NULL, call_broadcast, &callers[i]), 0);
        }
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
            ck_assert(callers[i].result == 0 || callers[i].result == PE_EITEMS);
            for (int worker = 0; worker < MOST; worker++) {
                uint32_t kind = callers[i].statuses[worker].kind;

                ck_assert_uint_eq(callers[i].book->begun[worker], kind == PE_RETURNED);
                ck_assert(kind == PE_RETURNED || kind == PE_CANCELLED || kind == 0xeeeeeeee);
            }
            pe_pool_dealloc(pool, callers[i].book);
        }
    }
    pthread_join(resizer, NULL);
    pool_end(pool);
}

/* What only its own worker may run has not overtaken what waits in front of it, whether it waits as well or, if
 * `opened` is 1, runs in one of the two: a host that sleeps for so long that it looks at the order finds nothing wrong.
 * 0 if the call was over before they were so far. */
static int is_in_order(uint32_t opened, int64_t patience_ns)
{
    pe_pool *pool = pool_of(2);
    struct caller caller = { .pool = pool, .deadline_ns = pe_after(patience_ns) };
    pe_job *held[2];

    caller.book = pool_shared(pool, sizeof *caller.book);
    atomic_store(&caller.book->all_stay, 1);
    for (int i = 0; i < 2; i++)
        held[i] = gate_submit(pool, gate_pass, &caller.book->gate);
    word_await(&caller.book->gate.arrived, 2);
    pe_job *waits = pool_submit(pool, job_nothing, NULL, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_broadcast, &caller), 0);
    while ((atomic_load(&pool->shared.slots[0].order) == 0 || atomic_load(&pool->shared.slots[1].order) == 0) &&
           !atomic_load(&caller.is_over))
        sched_yield();
    word_set(&caller.book->gate.open, opened); /* one of them goes on to what is for it */
    pthread_join(thread, NULL);
    ck_assert_int_eq(caller.result, PE_ETIMEDOUT);
    uint32_t begun = caller.book->begun[0] + caller.book->begun[1];
    ck_assert_uint_le(begun, opened);
    word_set(&caller.book->gate.open, 2);
    ck_assert_uint_eq(job_finish(waits).kind, PE_RETURNED);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(job_finish(held[i]).kind, PE_RETURNED);
    pe_pool_free(pool);
    return begun == opened;
}

PE_TEST_LOOP(p19_a_long_wait_behind_jobs_is_in_order, 0, 2)
{
    int64_t patience = PE_MS(1500);

    while (!is_in_order((uint32_t)_i, patience))
        patience *= 2;
}

/* The order is wiped out, as by a worker that writes where it should not. */
PE_TEST(p19_a_waiting_host_gives_the_order_again)
{
    pe_pool *pool = pool_of(1);
    struct caller caller = { .pool = pool, .book = pool_shared(pool, sizeof *caller.book), .deadline_ns = PE_FOREVER };
    pe_job *held = gate_submit(pool, gate_pass, &caller.book->gate);
    pthread_t thread;

    word_await(&caller.book->gate.arrived, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_broadcast, &caller), 0);
    while (atomic_exchange(&pool->shared.slots[0].order, 0) == 0)
        sched_yield();
    word_set(&caller.book->gate.open, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(caller.result, 0);
    ck_assert_uint_eq(caller.book->ended[0], 1);
    job_finish(held);
    pe_pool_free(pool);
}

PE_TEST(p19_what_is_refused)
{
    pe_pool *pool = pool_of(1);

    ck_assert_int_eq(pe_pool_broadcast(NULL, give_index, NULL, 0, NULL, 0, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_broadcast(pool, NULL, NULL, 0, NULL, 0, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_broadcast(pool, give_index, NULL, 1, NULL, 0, 0), PE_EINVAL);
    ck_assert_int_eq(pe_pool_broadcast(pool, give_index, NULL, 0, NULL, 0, -1), PE_EINVAL);
    ck_assert_uint_eq(pool_stats(pool).submitted, 0);
    pool_end(pool);
}

PE_TEST(p19_inline_is_one_worker)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_status statuses[2];

    memset(statuses, 0xee, sizeof statuses);
    options.flags = PE_POOL_INLINE;
    options.workers = 2;
    pe_pool *pool = pool_with(options);
    ck_assert_int_eq(pe_pool_broadcast(pool, give_index, NULL, 0, statuses, 2, PE_FOREVER), 0);
    ck_assert_uint_eq(statuses[0].kind, PE_RETURNED);
    ck_assert_int_eq(statuses[0].pid, getpid());
    ck_assert_uint_eq(statuses[1].kind, 0xeeeeeeee);
    pool_end(pool);
}

HARNESS_MAIN("broadcast")
