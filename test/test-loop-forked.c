/*
 * Processes that fork while they have loops: in the child nothing of the parent's is touched and every call says so, it
 * may run loops of its own wherever it was forked, and the parent's go on as if nothing had happened, descriptors that
 * they wait for included.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/pool.h"

/* What a child finds out: 0, or the number of the line where it found something else. */
#define CHILD_MUST(call, wanted) \
    do { \
        if ((call) != (wanted)) \
            _exit(1 + __LINE__ % 250); \
    } while (0)

/* A parent with a task that waits for a descriptor, and one that wakes again and again. */
struct parent {
    pe_loop *loop;
    int pipe[2];
    pe_task *reader, *ticker;
    int ticks;
};

static int wait_for_byte(pe_task *t, void *frame)
{
    struct parent *parent = *(struct parent **)frame;
    char byte;

    PE_BEGIN(t);
    PE_TRY(t, pe_fd_wait(t, parent->pipe[0], PE_FD_READABLE));
    PE_RETURN(t, (int)read(parent->pipe[0], &byte, 1));
    PE_END(t);
}

static int tick(pe_task *t, void *frame)
{
    struct parent *parent = *(struct parent **)frame;

    PE_BEGIN(t);
    while (parent->ticks < 20) {
        PE_TRY(t, pe_sleep(t, PE_MS(1)));
        parent->ticks++;
    }
    PE_END(t);
}

static void parent_begin(struct parent *parent, uv_loop_t *uv)
{
    *parent = (struct parent){ .ticks = 0 };
    MUST(pipe2(parent->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    MUST(pe_loop_new(uv, &parent->loop), 0);
    MUST(pe_spawn(parent->loop, wait_for_byte, &parent, sizeof parent, &parent->reader), 0);
    MUST(pe_spawn(parent->loop, tick, &parent, sizeof parent, &parent->ticker), 0);
}

/* Everything that it waited for still comes. */
static void parent_end(struct parent *parent)
{
    MUST(pe_task_has_ended(parent->reader), 0);
    MUST((int)write(parent->pipe[1], "x", 1), 1);
    MUST(pe_loop_run(parent->loop), 0);
    MUST(pe_task_result(parent->reader), 1);
    MUST(pe_task_result(parent->ticker), 0);
    MUST(parent->ticks, 20);
    MUST(pe_loop_close(parent->loop, NULL), 0);
    pe_loop_free(parent->loop);
    pe_task_free(parent->reader);
    pe_task_free(parent->ticker);
    close(parent->pipe[0]);
    close(parent->pipe[1]);
}

static int return_nine(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, PE_MS(1)));
    PE_RETURN(t, 9);
    PE_END(t);
}

static void ignore_post(void *context)
{
    (void)context;
}

/* In a child, wherever it was forked: with a loop, tasks and descriptors of its own. */
static void use_own_loop(void)
{
    struct parent own, *frame = &own;
    int value = 0;

    CHILD_MUST(pe_run(return_nine, NULL, &value), 0);
    CHILD_MUST(value, 9);
    own = (struct parent){ .ticks = 0 };
    CHILD_MUST(pipe2(own.pipe, O_CLOEXEC | O_NONBLOCK), 0);
    CHILD_MUST(pe_loop_new(NULL, &own.loop), 0);
    CHILD_MUST(pe_spawn(own.loop, wait_for_byte, &frame, sizeof frame, &own.reader), 0);
    CHILD_MUST(pe_loop_post(own.loop, ignore_post, NULL), 0);
    CHILD_MUST(pe_loop_poll(own.loop) >= 0, 1);
    CHILD_MUST((int)write(own.pipe[1], "y", 1), 1);
    CHILD_MUST(pe_loop_run(own.loop), 0);
    CHILD_MUST(pe_task_result(own.reader), 1);
    CHILD_MUST(pe_loop_close(own.loop, NULL), 0);
    pe_task_free(own.reader);
    pe_loop_free(own.loop);
}

/* Everything of the parent's is refused, and giving it back does nothing. */
static void touch_parent(const struct parent *parent)
{
    CHILD_MUST(pe_loop_run(parent->loop), PE_EFORKED);
    CHILD_MUST(pe_loop_poll(parent->loop), PE_EFORKED);
    CHILD_MUST(pe_loop_next_ns(parent->loop), PE_EFORKED);
    CHILD_MUST(pe_loop_fd(parent->loop), PE_EFORKED);
    CHILD_MUST(pe_loop_post(parent->loop, ignore_post, NULL), PE_EFORKED);
    CHILD_MUST(pe_spawn(parent->loop, return_nine, NULL, 0, NULL), PE_EFORKED);
    CHILD_MUST(pe_task_cancel(parent->reader), PE_EFORKED);
    CHILD_MUST(pe_loop_close(parent->loop, NULL), PE_EFORKED);
    pe_task_free(parent->reader);
    pe_task_free(parent->ticker);
    pe_loop_free(parent->loop);
}

static void run_child(const struct parent *parent)
{
    use_own_loop();
    touch_parent(parent);
    use_own_loop();
    _exit(0);
}

static void await_child(pid_t child)
{
    int ended;

    ck_assert_int_gt(child, 0);
    MUST(waitpid(child, &ended, 0), child);
    ck_assert_msg(WIFEXITED(ended) && WEXITSTATUS(ended) == 0, "the child ended with %d", ended);
}

static void fork_child(const struct parent *parent)
{
    pid_t child = fork();

    if (child == 0)
        run_child(parent);
    await_child(child);
}

PE_TEST(a24_child_of_a_process_with_a_loop)
{
    struct parent parent;

    parent_begin(&parent, NULL);
    fork_child(&parent); /* before it has run */
    while (parent.ticks < 3)
        ck_assert_int_ge(pe_loop_poll(parent.loop), 0);
    fork_child(&parent);
    while (parent.ticks < 10)
        ck_assert_int_ge(pe_loop_poll(parent.loop), 0);
    fork_child(&parent);
    parent_end(&parent);
}

static int fork_inside(pe_task *t, void *frame)
{
    struct parent *parent = *(struct parent **)frame;
    pid_t child;

    PE_BEGIN(t);
    while (parent->ticks < 5)
        PE_TRY(t, pe_sleep(t, PE_MS(1)));
    child = fork();
    if (child == 0) {
        CHILD_MUST(pe_yield(t), PE_EFORKED);
        CHILD_MUST(pe_sleep(t, PE_MS(1)), PE_EFORKED);
        CHILD_MUST(pe_await(t, parent->reader), PE_EFORKED);
        CHILD_MUST(pe_task_loop(t) == NULL, 1);
        run_child(parent);
    }
    await_child(child);
    PE_TRY(t, pe_sleep(t, PE_MS(1)));
    PE_RETURN(t, 4);
    PE_END(t);
}

PE_TEST(a24_child_that_is_forked_inside_a_task)
{
    struct parent parent, *frame = &parent;
    pe_task *task;

    parent_begin(&parent, NULL);
    MUST(pe_spawn(parent.loop, fork_inside, &frame, sizeof frame, &task), 0);
    while (pe_task_has_ended(task) == 0)
        ck_assert_int_ge(pe_loop_poll(parent.loop), 0);
    MUST(pe_task_result(task), 4);
    pe_task_free(task);
    parent_end(&parent);
}

static void fork_in_post(void *context)
{
    fork_child(context);
}

PE_TEST(a24_child_that_is_forked_in_a_post)
{
    struct parent parent;

    parent_begin(&parent, NULL);
    MUST(pe_loop_post(parent.loop, fork_in_post, &parent), 0);
    while (parent.ticks < 10)
        ck_assert_int_ge(pe_loop_poll(parent.loop), 0);
    parent_end(&parent);
}

/* Outside, and inside a task, of a loop that is the host's. */
PE_TEST(a24_child_of_a_host_with_an_attached_loop)
{
    uv_loop_t uv;
    struct parent parent, *frame = &parent;
    pe_task *task;

    MUST(uv_loop_init(&uv), 0);
    parent_begin(&parent, &uv);
    fork_child(&parent);
    MUST(pe_spawn(parent.loop, fork_inside, &frame, sizeof frame, &task), 0);
    while (pe_task_has_ended(task) == 0)
        uv_run(&uv, UV_RUN_ONCE);
    MUST(pe_task_result(task), 4);
    pe_task_free(task);
    fork_child(&parent);
    parent_end(&parent);
    MUST(uv_loop_close(&uv), 0);
}

/* A child of a child has neither's. */
PE_TEST(a24_grandchild)
{
    struct parent parent;

    parent_begin(&parent, NULL);
    while (parent.ticks < 3)
        ck_assert_int_ge(pe_loop_poll(parent.loop), 0);
    pid_t child = fork();
    if (child == 0) {
        struct parent own;
        int ended;

        use_own_loop();
        parent_begin(&own, NULL);
        CHILD_MUST(pe_loop_poll(own.loop) >= 0, 1);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            touch_parent(&parent);
            run_child(&own);
        }
        CHILD_MUST(waitpid(grandchild, &ended, 0), grandchild);
        CHILD_MUST(ended, 0);
        parent_end(&own);
        touch_parent(&parent);
        _exit(0);
    }
    await_child(child);
    parent_end(&parent);
}

static int job_runs_a_loop(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int value = 0;
    int result = pe_run(return_nine, NULL, &value);

    (void)arg, (void)arg_bytes, (void)reply;
    return result < 0 ? result : value;
}

static int use_pool(pe_task *t, void *frame)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, job_runs_a_loop, NULL, 0);

    (void)t, (void)frame;
    job_assert_ended(job, PE_RETURNED, 9);
    pe_job_free(job);
    pool_end(pool);
    return 0;
}

/* The pool's processes are forked inside the task. */
PE_TEST(workers_of_a_pool_that_a_task_makes_run_loops)
{
    MUST(pe_run(use_pool, NULL, NULL), 0);
}

HARNESS_MAIN("loop-forked")
