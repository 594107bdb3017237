/*
 * Functions as regions where more goes on than one thread: threads, workers, handlers of signals, coroutines, forks.
 * The functions are those of functions-sample.c; nothing in here is instrumented itself.
 */
#include "harness/harness.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#include "functions-sample.h"
#include "harness/recorded.h"
#include "harness/pool.h"
#include "harness/process.h"

static void *run_function(void *function)
{
    (*(void (**)(void))function)();
    return NULL;
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *call_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        sample_nest(2);
    return NULL;
}

PE_TEST(several_threads)
{
    struct recorded result;
    pthread_t threads[THREADS];

    recorded_begin();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest"), THREADS * ROUNDS);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper/inner_helper"), THREADS * ROUNDS * 4);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

/* In the pool's workers, of whose start this program knows nothing but by their tables. */
PE_TEST(workers)
{
    enum { ITEMS = 16 };
    struct recorded result;
    uint64_t out[ITEMS];
    pe_pool *pool;

    recorded_begin();
    pool = pool_of(2);
    ck_assert_int_eq(pe_pool_map(pool, sample_item, NULL, 0, out, sizeof *out, ITEMS, NULL), 0);
    pool_end(pool);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "pe.run/sample_item"), ITEMS);
    ck_assert_uint_eq(recorded_calls(&result, "pe.run/sample_item/sample_nest/outer_helper"), 2 * ITEMS);
    ck_assert_uint_eq(recorded_calls(&result, "pe.run/sample_item/sample_nest/outer_helper/inner_helper"), 4 * ITEMS);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static int item_crashes_inside(const void *in, void *out, const void *context)
{
    (void)in, (void)out, (void)context;
    sample_nest(1);
    sample_call((void (*)(void))abort);
    return 0;
}

PE_TEST(a_worker_crashes_in_a_function)
{
    struct recorded result;
    pe_pool *pool;

    recorded_begin();
    pool = pool_of(1);
    ck_assert_int_eq(pe_pool_map(pool, item_crashes_inside, NULL, 0, NULL, 0, 1, NULL), PE_EITEMS);
    pool_end(pool);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "pe.run/sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(recorded_find(&result, "pe.run/sample_call")->unfinished, 1);
    recorded_free(&result);
}

static volatile sig_atomic_t handled;

static void handle(int signal)
{
    (void)signal;
    sample_nest(1);
    handled++;
}

static void raise_one(void)
{
    raise(SIGUSR1);
}

PE_TEST(handlers)
{
    struct sigaction action = { .sa_handler = handle }, before;
    struct recorded result;

    sigaction(SIGUSR1, &action, &before);
    recorded_begin();
    sample_call(raise_one);
    sample_call(raise_one);
    recorded_end(&result);
    sigaction(SIGUSR1, &before, NULL);
    ck_assert_int_eq(handled, 2);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call/sample_nest/outer_helper"), 2);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

/* Whose alternate stack lies anywhere. */
PE_TEST_LOOP(handlers_on_another_stack, 0, 2)
{
    enum { STACK_BYTES = 65536 };
    char *heap = malloc(STACK_BYTES), own[STACK_BYTES];
    stack_t stack = { .ss_sp = _i ? own : heap, .ss_size = STACK_BYTES }, stack_before;
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK }, before;
    struct recorded result;

    ck_assert_int_eq(sigaltstack(&stack, &stack_before), 0);
    sigaction(SIGUSR1, &action, &before);
    recorded_begin();
    sample_call(raise_one);
    sample_nest(1);
    recorded_end(&result);
    sigaction(SIGUSR1, &before, NULL);
    sigaltstack(&stack_before, NULL);
    free(heap);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call/sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static sigjmp_buf back_out;

static void jump_out(void)
{
    siglongjmp(back_out, 1);
}

static void handle_and_jump(int signal)
{
    (void)signal;
    sample_call(jump_out);
}

/* Out of handlers, whose stack lies anywhere, into functions. */
PE_TEST_LOOP(longjmp_out_of_handlers, 0, 3)
{
    enum { STACK_BYTES = 65536, TIMES = 1000 };
    char *heap = malloc(STACK_BYTES), own[STACK_BYTES];
    stack_t stack = { .ss_sp = _i == 1 ? own : heap, .ss_size = STACK_BYTES }, stack_before;
    struct sigaction action = { .sa_handler = handle_and_jump, .sa_flags = _i < 2 ? SA_ONSTACK : 0 }, before;
    struct recorded result;

    if (_i == 1 && harness_valgrind()) {
        free(heap);
        HARNESS_SKIP("valgrind takes a jump off a stack inside a frame for the end of that frame");
    }
    ck_assert_int_eq(sigaltstack(&stack, &stack_before), 0);
    sigaction(SIGUSR1, &action, &before);
    recorded_begin();
    for (volatile int i = 0; i < TIMES; i++)
        if (sigsetjmp(back_out, 1) == 0)
            sample_call(raise_one);
    sample_nest(1);
    recorded_end(&result);
    sigaction(SIGUSR1, &before, NULL);
    sigaltstack(&stack_before, NULL);
    free(heap);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call"), TIMES);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call/sample_call"), TIMES);
    ck_assert_uint_eq(recorded_all_calls(&result, "sample_nest"), 1);
    ck_assert_uint_eq(recorded_all_calls(&result, "inner_helper"), 2);
    ck_assert_uint_eq(result.tree.count, 5);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

#ifdef HAVE_UCONTEXT
#include <ucontext.h>

/* What is open on another stack stays open, wherever that lies. */
static ucontext_t main_context, other_context;

static void go_back(void)
{
    swapcontext(&other_context, &main_context);
}

static void begin_there(void)
{
    sample_call(go_back);
    swapcontext(&other_context, &main_context);
}

static void go_there_and_back(void)
{
    swapcontext(&main_context, &other_context);
    sample_nest(1);
    swapcontext(&main_context, &other_context);
}

PE_TEST_LOOP(coroutines, 0, 2)
{
    enum { STACK_BYTES = 65536 };
    char *heap = malloc(STACK_BYTES);
    struct recorded result;
    pthread_t thread;
    void (*function)(void) = go_there_and_back;

    getcontext(&other_context);
    other_context.uc_stack = (stack_t){ .ss_sp = heap, .ss_size = STACK_BYTES };
    makecontext(&other_context, begin_there, 0);
    recorded_begin();
    if (_i == 0) {
        sample_call(go_there_and_back);
    } else {
        ck_assert_int_eq(pthread_create(&thread, NULL, run_function, &function), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    recorded_end(&result);
    free(heap);
    ck_assert_uint_eq(
        recorded_calls(&result, _i == 0 ? "sample_call/sample_call/sample_nest" : "sample_call/sample_nest"), 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}
#endif

static void fork_and_look(void)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        struct recorded result;

        sample_nest(1);
        recorded_take(&result);
        _exit(recorded_calls(&result, "sample_nest/outer_helper") == 1 &&
                      recorded_calls(&result, "sample_call") == 0
                  ? 7 : 8);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

PE_TEST(forked_in_a_function)
{
    struct recorded result;

    recorded_begin();
    sample_nest(1);
    sample_call(fork_and_look);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_calls(&result, "sample_call"), 1);
    ck_assert_uint_eq(recorded_calls(&result, "sample_nest/outer_helper"), 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

static void *exit_in_function(void *unused)
{
    (void)unused;
    sample_call((void (*)(void))pthread_exit);
    return NULL;
}

/* A thread that ends in the depth leaves its functions unfinished. */
PE_TEST(a_thread_ends_in_a_function)
{
    struct recorded result;
    pthread_t thread;

    recorded_begin();
    ck_assert_int_eq(pthread_create(&thread, NULL, exit_in_function, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    recorded_end(&result);
    ck_assert_uint_eq(recorded_find(&result, "sample_call")->unfinished, 1);
    ck_assert_uint_eq(recorded_wrong_uses(&result), 0);
    recorded_free(&result);
}

HARNESS_MAIN("functions-elsewhere")
