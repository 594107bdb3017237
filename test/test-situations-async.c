/*
 * Every exported function of async.h in every situation in which a call can be out of place: no handle, a task that
 * does not run, inside a task, a loop that has been closed, a handle in a forked child or in a worker, a task's handle
 * that has outlived its loop. Each gives what its header says, and one that is refused changes nothing. What is
 * exported and has no row here fails.
 */
#include "harness/harness.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/async.h"
#include "harness/calls_async.h"
#include "harness/exports.h"
#include "harness/pool.h"
#include "harness/process.h"

static const char *const situation_names[SITUATIONS] = { "no handle", "a task that does not run", "inside a task",
                                                         "closed",    "child",                    "worker",
                                                         "freed" };

static struct scene scene; /* a worker of a pool that is made later sees it */

static pe_task *sleeper(pe_loop *loop)
{
    pe_task *task;

    MUST(pe_spawn(loop, async_sleep_for_ever, NULL, 8, &task), 0);
    return task;
}

static void open_sockets(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int both[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    scene.peer = both[1];
    MUST(pe_socket_open(scene.loop, both[0], &scene.socket), 0);
    MUST(pe_tcp_listen(scene.loop, (struct sockaddr *)&address, sizeof address, 0, &scene.listener), 0);
    MUST(pe_udp_open(scene.loop, (struct sockaddr *)&address, sizeof address, &scene.udp), 0);
    scene.listening = dup(pe_listener_fd(scene.listener));
}

static void close_sockets(void)
{
    pe_socket_free(scene.socket);
    pe_listener_free(scene.listener);
    pe_udp_free(scene.udp);
    close(scene.peer);
    close(scene.listening);
}

static void begin_scene(enum situation situation)
{
    scene = (struct scene){ .situation = situation, .fd = eventfd(0, EFD_CLOEXEC) };
    MUST(pe_loop_new(NULL, &scene.loop), 0);
    scene.figures = (pe_loop_figures)PE_LOOP_FIGURES_INIT;
    scene.nowhere = fopen("/dev/null", "w");
    open_sockets();
    scene.t = sleeper(scene.loop);
    scene.other = sleeper(scene.loop);
    MUST(pe_completed_new(scene.loop, &scene.other, 1, &scene.completed), 0);
    MUST(pe_group_new(scene.loop, PE_GROUP_COLLECT, &scene.group), 0);
    MUST(pe_group_spawn(scene.group, async_sleep_for_ever, NULL, 8, NULL), 0);
    MUST(pe_process_spawn(scene.loop, &(pe_process_options){ PE_SIZED(pe_process_options), .argv = calls_program },
                          &scene.process), 0);
    MUST(pe_signal_new(scene.loop, SIGUSR1, &scene.signal), 0);
    MUST(pe_sem_new(scene.loop, 0, &scene.sem), 0);
    MUST(pe_lock_new(scene.loop, &scene.lock), 0);
    MUST(pe_event_new(scene.loop, &scene.event), 0);
    MUST(pe_cond_new(scene.loop, &scene.cond), 0);
    MUST(pe_queue_new(scene.loop, sizeof(int), 1, &scene.queue), 0);
    async_settle(scene.loop);
    scene.pool = pool_with((pe_pool_options){ .flags = PE_POOL_INLINE });
    scene.job = pool_submit(scene.pool, job_nothing, NULL, 0);
}

static void end_scene(void)
{
    pe_job_free(scene.job);
    pool_end(scene.pool);
    pe_loop_free(scene.loop);
    pe_loop_free(scene.made);
    pe_completed_free(scene.completed);
    pe_group_free(scene.group);
    pe_sem_free(scene.sem);
    pe_lock_free(scene.lock);
    pe_event_free(scene.event);
    pe_cond_free(scene.cond);
    pe_queue_free(scene.queue);
    pe_task_free(scene.t);
    pe_task_free(scene.other);
    pe_process_kill(scene.process, SIGKILL);
    pe_process_free(scene.process);
    pe_signal_free(scene.signal);
    while (waitpid(-1, NULL, 0) > 0) /* what outlived the loop */
        ;
    close(scene.fd);
    fclose(scene.nowhere);
    close_sockets();
}

/* A task that makes the call in its first turn. */
struct caller {
    const struct call_row *row;
    int result;
    int has_called;
};

static int make_the_call(pe_task *t, void *frame)
{
    struct caller *caller = frame;

    if (caller->has_called)
        return 0;
    caller->has_called = 1;
    scene.t = t;
    caller->result = caller->row->call(&scene);
    return caller->result == PE_WAIT ? PE_WAIT : 0;
}

static int call_inside(const struct call_row *row)
{
    static struct caller caller; /* the task may wait on till the loop is closed */

    caller = (struct caller){ .row = row };
    pe_task_free(scene.t);
    MUST(pe_spawn(scene.loop, make_the_call, &caller, 0, &scene.t), 0);
    pe_task *held = scene.t;
    async_settle(scene.loop);
    scene.t = held;
    ck_assert(caller.has_called);
    return caller.result;
}

static int call_it(const void *row)
{
    return ((const struct call_row *)row)->call(&scene);
}

static int job_calls(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    const struct call_row *row;

    (void)arg_bytes;
    memcpy(&row, arg, sizeof row);
    int64_t result = row->call(&scene);
    return pe_reply_write(reply, &result, sizeof result);
}

static int call_in_worker(const struct call_row *row)
{
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, job_calls, &row, sizeof row);

    job_assert_ended(job, PE_RETURNED, 0);
    int result = (int)(int64_t)job_number(job);
    pe_job_free(job);
    pool_end(pool);
    return result;
}

static int call_in_situation(const struct call_row *row)
{
    struct scene none = { .situation = NO_HANDLE };

    switch (scene.situation) {
    case NO_HANDLE: return row->call(&none);
    case IN_A_TASK: return call_inside(row);
    case CHILD: return process_answer_of_child(call_it, row);
    case WORKER: return call_in_worker(row);
    case CLOSED: MUST(pe_loop_close(scene.loop, NULL), 0); break;
    case FREED:
        pe_loop_free(scene.loop);
        scene.loop = NULL;
        break;
    default: break;
    }
    return row->call(&scene);
}

/* The loop goes on, and all tasks still wait for ever. */
static void assert_unchanged(const struct call_row *row)
{
    uint64_t cancelled;
    pe_task *task;

    MUST(pe_spawn(scene.loop, calls_return_nothing, NULL, 0, &task), 0);
    async_settle(scene.loop);
    MUST(pe_task_result(task), 0);
    pe_task_free(task);
    MUST(pe_task_result(scene.t), PE_EAGAIN);
    MUST(pe_task_result(scene.other), PE_EAGAIN);
    MUST(pe_task_cancels(scene.other), 0);
    MUST(pe_loop_close(scene.loop, &cancelled), 0);
    ck_assert_msg(cancelled == 3, "%s", row->name);
    MUST(pe_task_result(scene.t), PE_ECANCELED);
    MUST(pe_task_result(scene.other), PE_ECANCELED);
}

PE_TEST_FULL(each_function_in_each_situation, 60, 0, SITUATIONS)
{
    for (size_t i = 0; i < call_row_count; i++) {
        const struct call_row *row = &call_rows[i];
        if (row->wanted[_i] == NO_CALL)
            continue;
        begin_scene((enum situation)_i);
        int result = call_in_situation(row);
        ck_assert_msg(result == row->wanted[_i], "%s, %s: %d (%s)", row->name, situation_names[_i], result,
                      pe_err_name(result));
        if (_i == NO_HANDLE || _i == CHILD || _i == WORKER || (_i == NO_TURN && result == PE_EINVAL))
            assert_unchanged(row);
        end_scene();
    }
}

PE_TEST(each_exported_function_has_a_row)
{
    exports_assert_rows(EXPORT_MAP, true, call_rows, sizeof *call_rows, call_row_count);
}

HARNESS_MAIN("situations-async")
