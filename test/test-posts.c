/*
 * Calls posted from other threads: each is made, in the order of its thread, on the loop's thread; a loop that sleeps
 * wakes for them; one that is closed meanwhile makes all that it accepted and refuses the rest.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <parexec.h>

#include "harness/async.h"

#define THREADS 4
#define POSTS 10000

struct sender {
    pthread_t thread;
    pe_loop *loop;
    int64_t accepted, refused;
    int64_t called;   /* on the loop's thread */
    int64_t last;     /* the number called last */
    pe_task *waiter;  /* ended by the last post; may be NULL */
    _Atomic int *gate;
};

struct message {
    struct sender *sender;
    int64_t number;
};

static pthread_t loop_thread;

static void receive(void *context)
{
    struct message *message = context;
    struct sender *sender = message->sender;

    ck_assert(pthread_equal(pthread_self(), loop_thread));
    ck_assert_int_gt(message->number, sender->last);
    sender->last = message->number;
    sender->called++;
    if (message->number == POSTS && sender->waiter != NULL)
        MUST(pe_wait_end(sender->waiter, 0), 0);
    free(message);
}

/* Asserts nothing: a refused post may only be told once the thread has ended. */
static void *send_all(void *context)
{
    struct sender *sender = context;

    while (sender->gate != NULL && atomic_load(sender->gate) == 0)
        continue;
    for (int64_t number = 1; number <= POSTS; number++) {
        struct message *message = malloc(sizeof *message);

        *message = (struct message){ sender, number };
        int result = pe_loop_post(sender->loop, receive, message);
        sender->accepted += result == 0;
        sender->refused += result == PE_ECLOSED;
        if (result < 0)
            free(message);
    }
    return NULL;
}

/* Waits until all of a thread's posts have come. */
static int wait_for_sender(pe_task *t, void *frame)
{
    struct sender *sender = *(struct sender **)frame;

    PE_BEGIN(t);
    sender->waiter = t;
    MUST(pthread_create(&sender->thread, NULL, send_all, sender), 0);
    PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL));
    ck_assert_int_eq(t->result, 0);
    PE_END(t);
}

PE_TEST(i12_four_threads_post_ten_thousand_calls_each)
{
    struct sender senders[THREADS] = { 0 };
    pe_loop *loop;

    loop_thread = pthread_self();
    MUST(pe_loop_new(NULL, &loop), 0);
    for (int i = 0; i < THREADS; i++) {
        struct sender *sender = &senders[i];
        sender->loop = loop;
        MUST(pe_spawn(loop, wait_for_sender, &sender, sizeof sender, NULL), 0);
    }
    MUST(pe_loop_run(loop), 0);
    for (int i = 0; i < THREADS; i++) {
        MUST(pthread_join(senders[i].thread, NULL), 0);
        ck_assert_int_eq(senders[i].accepted, POSTS);
        ck_assert_int_eq(senders[i].called, POSTS);
    }
    pe_loop_free(loop);
}

/* ---- a loop that sleeps ---- */

struct ping {
    pe_loop *loop;
    pe_task *task;
    _Atomic int64_t sent_ns;
};

static void pong(void *context)
{
    struct ping *ping = context;

    MUST(pe_wait_end(ping->task, 1), 0);
}

static void *send_ping(void *context)
{
    struct ping *ping = context;

    atomic_store(&ping->sent_ns, pe_now());
    (void)pe_loop_post(ping->loop, pong, ping);
    return NULL;
}

static int wait_for_ping(pe_task *t, void *frame)
{
    struct ping *ping = *(struct ping **)frame;

    PE_BEGIN(t);
    ping->task = t;
    PE_AWAIT(t, pe_wait_external(t, 0, NULL, NULL));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_sleeping_loop_wakes_for_a_post)
{
    struct ping ping = { 0 }, *frame = &ping;
    pthread_t thread;
    pe_task *task;

    MUST(pe_loop_new(NULL, &ping.loop), 0);
    MUST(pe_spawn(ping.loop, wait_for_ping, &frame, sizeof frame, &task), 0);
    while (pe_loop_poll(ping.loop) > 0)
        ;
    ck_assert_int_eq(pe_loop_next_ns(ping.loop), PE_FOREVER);
    MUST(pthread_create(&thread, NULL, send_ping, &ping), 0);
    MUST(pe_loop_run(ping.loop), 0);
    ck_assert_int_lt(pe_now() - atomic_load(&ping.sent_ns), PE_SECONDS(10));
    MUST(pe_task_result(task), 1);
    MUST(pthread_join(thread, NULL), 0);
    pe_task_free(task);
    pe_loop_free(ping.loop);
}

/* ---- what posts may do ---- */

struct chain {
    pe_loop *loop;
    int left, spawned;
};

static int count_run(pe_task *t, void *frame)
{
    (void)t;
    ++**(int **)frame;
    return 0;
}

static void post_next(void *context)
{
    struct chain *chain = context;
    int *spawned = &chain->spawned;

    MUST(pe_loop_run(chain->loop), PE_EINLOOP);
    MUST(pe_loop_close(chain->loop, NULL), PE_EINLOOP);
    MUST(pe_spawn(chain->loop, count_run, &spawned, sizeof spawned, NULL), 0);
    if (--chain->left > 0)
        MUST(pe_loop_post(chain->loop, post_next, chain), 0);
}

/* One that posts the next is no endless turn: tasks come in between. */
PE_TEST(posts_may_start_tasks_and_post)
{
    struct chain chain = { .left = 100 };

    MUST(pe_loop_new(NULL, &chain.loop), 0);
    MUST(pe_loop_post(chain.loop, post_next, &chain), 0);
    while (chain.left > 0)
        ck_assert_int_ge(pe_loop_poll(chain.loop), 0);
    MUST(pe_loop_run(chain.loop), 0);
    MUST(chain.spawned, 100);
    pe_loop_free(chain.loop);
}

PE_TEST(what_was_posted_before_the_run_is_called_in_it)
{
    struct chain chain = { .left = 1 };

    MUST(pe_loop_new(NULL, &chain.loop), 0);
    MUST(pe_loop_post(chain.loop, post_next, &chain), 0);
    MUST(pe_loop_run(chain.loop), 0);
    MUST(chain.spawned, 1);
    pe_loop_free(chain.loop);
}

/* ---- racing with the end ---- */

PE_TEST(posts_are_called_while_the_loop_is_closed)
{
    struct sender sender = { .refused = 0 };

    loop_thread = pthread_self();
    MUST(pe_loop_new(NULL, &sender.loop), 0);
    send_all(&sender);
    ck_assert_int_eq(sender.accepted, POSTS);
    MUST(pe_loop_close(sender.loop, NULL), 0);
    ck_assert_int_eq(sender.called, POSTS);
    MUST(pe_loop_post(sender.loop, receive, NULL), PE_ECLOSED);
    pe_loop_free(sender.loop);
}

/* Accepted is called, and what is not called was refused. */
PE_TEST(posts_that_race_with_close_are_never_lost)
{
    int64_t refused = 0;

    loop_thread = pthread_self();
    for (int round = 0; round < 20; round++) {
        struct sender senders[THREADS] = { 0 };
        _Atomic int gate = 0;
        pe_loop *loop;

        MUST(pe_loop_new(NULL, &loop), 0);
        for (int i = 0; i < THREADS; i++) {
            senders[i].loop = loop;
            senders[i].gate = &gate;
            MUST(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
        }
        atomic_store(&gate, 1);
        for (int i = 0; i < round; i++)
            ck_assert_int_ge(pe_loop_poll(loop), 0);
        MUST(pe_loop_close(loop, NULL), 0);
        for (int i = 0; i < THREADS; i++) {
            MUST(pthread_join(senders[i].thread, NULL), 0);
            ck_assert_int_eq(senders[i].accepted + senders[i].refused, POSTS);
            ck_assert_int_eq(senders[i].called, senders[i].accepted);
            refused += senders[i].refused;
        }
        pe_loop_free(loop);
    }
    ck_assert_int_gt(refused, 0); /* it was a race */
}

PE_TEST(a_post_without_memory_is_refused)
{
    struct sender sender = { .refused = 0 };

    MUST(pe_loop_new(NULL, &sender.loop), 0);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_loop_post(sender.loop, receive, NULL), PE_ENOMEM);
    harness_fail_reset();
    pe_loop_free(sender.loop);
}

/* ---- several loops ---- */

struct worker {
    pthread_t thread;
    struct worker *next; /* whose loop it posts to */
    _Atomic(pe_loop *) loop;
    int64_t received;
    int value;
};

static void receive_in_loop(void *context)
{
    ((struct worker *)context)->received++;
}

static int pass_on(pe_task *t, void *frame)
{
    struct worker *worker = *(struct worker **)frame;

    PE_BEGIN(t);
    while (atomic_load(&worker->next->loop) == NULL)
        PE_TRY(t, pe_sleep(t, PE_US(100)));
    for (worker->value = 0; worker->value < 1000; worker->value++) {
        ck_assert_int_eq(pe_loop_post(atomic_load(&worker->next->loop), receive_in_loop, worker->next), 0);
        PE_YIELD(t);
    }
    while (worker->received < 1000)
        PE_TRY(t, pe_sleep(t, PE_US(100)));
    PE_END(t);
}

static pthread_barrier_t all_done;

static void *run_loop(void *context)
{
    struct worker *worker = context;
    pe_loop *loop = NULL;

    ck_assert_int_eq(pe_loop_new(NULL, &loop), 0);
    ck_assert_int_eq(pe_spawn(loop, pass_on, &worker, sizeof worker, NULL), 0);
    atomic_store(&worker->loop, loop);
    ck_assert_int_eq(pe_loop_run(loop), 0);
    pthread_barrier_wait(&all_done);
    pe_loop_free(loop);
    return NULL;
}

/* Each in its own thread, posting to the next one's in a ring. */
PE_TEST(eight_threads_run_loops_of_their_own)
{
    struct worker workers[8] = { 0 };

    pthread_barrier_init(&all_done, NULL, 8);
    for (int i = 0; i < 8; i++)
        workers[i].next = &workers[(i + 1) % 8];
    for (int i = 0; i < 8; i++)
        MUST(pthread_create(&workers[i].thread, NULL, run_loop, &workers[i]), 0);
    for (int i = 0; i < 8; i++) {
        MUST(pthread_join(workers[i].thread, NULL), 0);
        ck_assert_int_eq(workers[i].received, 1000);
    }
    pthread_barrier_destroy(&all_done);
}

HARNESS_MAIN("posts")
