#include "harness/calls_async.h"

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/async.h"
#include "harness/harness.h"
#include "harness/items.h"
#include "harness/pool.h"

int calls_return_nothing(pe_task *t, void *frame)
{
    (void)t, (void)frame;
    return 0;
}

static void post_nothing(void *context)
{
    (void)context;
}

/* Where there is no handle there is no function either. */
static pe_task_fn *task_fn(const struct scene *scene)
{
    return scene->situation == NO_HANDLE ? NULL : calls_return_nothing;
}

/* One that nobody is reached at. */
static const struct sockaddr *address_of(const struct scene *scene)
{
    static const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { INADDR_NONE }, .sin_port = 256 };

    return scene->situation == NO_HANDLE ? NULL : (const struct sockaddr *)&address;
}

/* Of this machine, with a port that is for nobody. */
static const struct sockaddr *loopback(const struct scene *scene)
{
    static struct sockaddr_in address = { .sin_family = AF_INET };

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return scene->situation == NO_HANDLE ? NULL : (const struct sockaddr *)&address;
}

static const pe_local_key key;
static pe_region_site site = PE_REGION_SITE("situation");

static int offload_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- one call of each function ---- */

#define CALL(name, result) \
    static int call_##name(struct scene *scene) \
    { \
        return (result); \
    }

CALL(pe_accept, pe_accept(scene->t, scene->listener, &scene->socket))
CALL(pe_address_text, pe_address_text(address_of(scene), sizeof(struct sockaddr_in), scene->bytes, 8))
CALL(pe_await, pe_await(scene->t, scene->other))
CALL(pe_await_job, pe_await_job(scene->t, scene->job, NULL))
CALL(pe_await_map, pe_await_map(scene->t, scene->pool, item_nothing, NULL, 0, NULL, 0, 1, NULL))
CALL(pe_call, pe_call(scene->t, &scene->link, task_fn(scene), NULL))
CALL(pe_fd_wait, pe_fd_wait(scene->t, scene->fd, PE_FD_READABLE))
/* What calls for files write to, which go on after the call. */
static char text[64], template[] = "/nowhere/XXXXXX";
static pe_file_info info = PE_FILE_INFO_INIT;
static pe_file_entry *entries;
static void *memory;
static size_t memory_bytes;
static struct addrinfo *addresses;
static struct sockaddr_in named = { .sin_family = AF_INET };

CALL(pe_file_open, pe_file_open(scene->t, "/nowhere/file", 0, 0))
CALL(pe_file_open_temporary, pe_file_open_temporary(scene->t, template))
CALL(pe_file_mkdir_temporary, pe_file_mkdir_temporary(scene->t, template))
CALL(pe_file_close, pe_file_close(scene->t, 999))
CALL(pe_file_read, pe_file_read(scene->t, scene->fd, NULL, 0, 0))
CALL(pe_file_write, pe_file_write(scene->t, scene->fd, NULL, 0, 0))
CALL(pe_file_sync, pe_file_sync(scene->t, scene->fd))
CALL(pe_file_sync_data, pe_file_sync_data(scene->t, scene->fd))
CALL(pe_file_truncate, pe_file_truncate(scene->t, scene->fd, 0))
CALL(pe_file_stat, pe_file_stat(scene->t, "/nowhere/file", 0, &info))
CALL(pe_file_stat_fd, pe_file_stat_fd(scene->t, scene->fd, &info))
CALL(pe_file_rename, pe_file_rename(scene->t, "/nowhere/file", "/nowhere/new"))
CALL(pe_file_unlink, pe_file_unlink(scene->t, "/nowhere/file"))
CALL(pe_file_mkdir, pe_file_mkdir(scene->t, "/nowhere/file", 0))
CALL(pe_file_rmdir, pe_file_rmdir(scene->t, "/nowhere/file"))
CALL(pe_file_link, pe_file_link(scene->t, "/nowhere/file", "/nowhere/new"))
CALL(pe_file_symlink, pe_file_symlink(scene->t, "nowhere", "/nowhere/new"))
CALL(pe_file_chmod, pe_file_chmod(scene->t, "/nowhere/file", 0))
CALL(pe_file_access, pe_file_access(scene->t, "/nowhere/file", 0))
CALL(pe_file_copy, pe_file_copy(scene->t, "/nowhere/file", "/nowhere/new", 0))
CALL(pe_file_read_link, pe_file_read_link(scene->t, "/nowhere/file", text, sizeof text))
CALL(pe_file_real_path, pe_file_real_path(scene->t, "/nowhere/file", text, sizeof text))
CALL(pe_file_list, pe_file_list(scene->t, "/nowhere/file", &entries))
CALL(pe_file_read_all, pe_file_read_all(scene->t, "/nowhere/file", &memory, &memory_bytes))
CALL(pe_file_write_all, pe_file_write_all(scene->t, "/nowhere/file", NULL, 0, 0))

static int call_pe_resolve_free(struct scene *scene)
{
    (void)scene;
    pe_resolve_free(NULL);
    return 0;
}

static int call_pe_file_list_free(struct scene *scene)
{
    (void)scene;
    pe_file_list_free(NULL);
    return 0;
}

CALL(pe_completed_next, pe_completed_next(scene->t, scene->completed, NULL))
CALL(pe_group_cancel, pe_group_cancel(scene->group))
CALL(pe_group_next, pe_group_next(scene->t, scene->group, &scene->next))
CALL(pe_group_spawn, pe_group_spawn(scene->group, calls_return_nothing, NULL, 0, NULL))
CALL(pe_group_wait, pe_group_wait(scene->t, scene->group))
CALL(pe_gather, pe_gather(scene->t, &scene->other, 1, 0))
CALL(pe_limit_enter, pe_limit_enter(scene->t, &scene->limit, PE_FOREVER))
CALL(pe_listener_fd, pe_listener_fd(scene->listener) >= 0 ? 0 : pe_listener_fd(scene->listener))
CALL(pe_listener_local, pe_listener_local(scene->listener, &scene->address, NULL))
CALL(pe_loop_close, pe_loop_close(scene->loop, NULL))
CALL(pe_loop_dump, pe_loop_dump(scene->loop, scene->nowhere))
CALL(pe_loop_fd, pe_loop_fd(scene->loop) >= 0 ? 0 : pe_loop_fd(scene->loop))
CALL(pe_loop_next_ns, pe_loop_next_ns(scene->loop) == PE_FOREVER ? 1 : (int)pe_loop_next_ns(scene->loop))
CALL(pe_loop_on_failure, pe_loop_on_failure(scene->loop, NULL, NULL))
CALL(pe_loop_on_slow, pe_loop_on_slow(scene->loop, 0, NULL, NULL))
CALL(pe_loop_poll, pe_loop_poll(scene->loop))
CALL(pe_loop_post, pe_loop_post(scene->loop, post_nothing, NULL))
CALL(pe_loop_set_grace, pe_loop_set_grace(scene->loop, PE_NOW))
CALL(pe_loop_stats, pe_loop_stats(scene->loop, &scene->figures))
CALL(pe_loop_stop, pe_loop_stop(scene->loop))
CALL(pe_loop_uv, pe_loop_uv(scene->loop) != NULL)
CALL(pe_pid_wait, pe_pid_wait(scene->t, scene->process != NULL ? pe_process_pid(scene->process) : 0, NULL, NULL))
CALL(pe_process_kill, pe_process_kill(scene->process, 0))
CALL(pe_process_pid, pe_process_pid(scene->process) > 0 ? 0 : pe_process_pid(scene->process))
CALL(pe_process_wait, pe_process_wait(scene->t, scene->process, NULL, NULL))
CALL(pe_resolve, pe_resolve(scene->t, "127.0.0.1", NULL, NULL, &addresses))
CALL(pe_resolve_name, pe_resolve_name(scene->t, (void *)&named, 0, NULL, 0, NULL, 0))
CALL(pe_run, pe_run(task_fn(scene), NULL, NULL))
CALL(pe_shield, pe_shield(scene->t, scene->other))
CALL(pe_shield_enter, pe_shield_enter(scene->t))
CALL(pe_loop_set_threads, pe_loop_set_threads(scene->loop, 5))
CALL(pe_offload, pe_offload(scene->t, scene->t != NULL ? offload_nothing : NULL, NULL, NULL))
CALL(pe_offload_cancelled, ((void)scene, pe_offload_cancelled()))
CALL(pe_shield_job, pe_shield_job(scene->t, scene->job, NULL))
CALL(pe_shield_leave, pe_shield_leave(scene->t))
CALL(pe_limit_is_to_blame, pe_limit_is_to_blame(scene->t, &scene->limit))
CALL(pe_signal_next, pe_signal_next(scene->t, scene->signal))
CALL(pe_signal_wait, pe_signal_wait(scene->t, SIGUSR1))
CALL(pe_sleep, pe_sleep(scene->t, PE_FOREVER))
CALL(pe_sleep_until, pe_sleep_until(scene->t, PE_FOREVER))
CALL(pe_socket_fd, pe_socket_fd(scene->socket) >= 0 ? 0 : pe_socket_fd(scene->socket))
CALL(pe_socket_local, pe_socket_local(scene->socket, &scene->address, NULL))
CALL(pe_socket_peer, pe_socket_peer(scene->socket, &scene->address, NULL))
CALL(pe_socket_read, pe_socket_read(scene->t, scene->socket, scene->bytes, 8))
CALL(pe_socket_read_exactly, pe_socket_read_exactly(scene->t, scene->socket, scene->bytes, 8))
CALL(pe_socket_read_until, pe_socket_read_until(scene->t, scene->socket, scene->bytes, 8, "\n"))
CALL(pe_socket_sent, (int)pe_socket_sent(scene->socket))
CALL(pe_socket_set_keepalive, pe_socket_set_keepalive(scene->socket, PE_SECONDS(1)))
CALL(pe_socket_set_nodelay, pe_socket_set_nodelay(scene->socket, 1))
CALL(pe_socket_shutdown, pe_socket_shutdown(scene->socket))
CALL(pe_socket_write, pe_socket_write(scene->t, scene->socket, "text", 4))
CALL(pe_socket_writev, pe_socket_writev(scene->t, scene->socket, NULL, 0))
CALL(pe_spawn, pe_spawn(scene->loop, calls_return_nothing, NULL, 0, NULL))
CALL(pe_task_cancel, pe_task_cancel(scene->other))
CALL(pe_task_cancels, pe_task_cancels(scene->other))
CALL(pe_task_frame, pe_task_frame(scene->other) != NULL)
CALL(pe_task_has_ended, pe_task_has_ended(scene->other))
CALL(pe_task_local, pe_task_local(scene->other, &key) != NULL)
CALL(pe_task_loop, pe_task_loop(scene->other) != NULL)
CALL(pe_task_name, *pe_task_name(scene->other) != '\0')
CALL(pe_task_region_enter, pe_task_region_enter(scene->t, &scene->region, &site))
CALL(pe_task_region_leave, pe_task_region_leave(scene->t, &scene->region))
CALL(pe_task_result, pe_task_result(scene->other))
CALL(pe_task_set_local, pe_task_set_local(scene->other, &key, scene))
CALL(pe_task_set_name, pe_task_set_name(scene->other, "name"))
CALL(pe_tcp_connect, pe_tcp_connect(scene->t, address_of(scene), sizeof(struct sockaddr_in), &scene->socket))
CALL(pe_timeout, pe_timeout(scene->t, &scene->limit, PE_FOREVER, scene->other))
CALL(pe_udp_connect, pe_udp_connect(scene->udp, loopback(scene), sizeof(struct sockaddr_in)))
CALL(pe_udp_fd, pe_udp_fd(scene->udp) >= 0 ? 0 : pe_udp_fd(scene->udp))
CALL(pe_udp_local, pe_udp_local(scene->udp, &scene->address, NULL))
CALL(pe_udp_receive, pe_udp_receive(scene->t, scene->udp, scene->bytes, 8, NULL, NULL))
CALL(pe_udp_send, pe_udp_send(scene->t, scene->udp, "text", 4, NULL, 0))
CALL(pe_unix_connect, pe_unix_connect(scene->t, "/no/such/socket", &scene->socket))
CALL(pe_unix_listen, pe_unix_listen(scene->loop, "/no/such/socket", 0, &scene->listener))
CALL(pe_wait_end, pe_wait_end(scene->t, 0))
CALL(pe_wait_external, pe_wait_external(scene->t, -7, NULL, NULL))
CALL(pe_cond_signal, pe_cond_signal(scene->cond))
CALL(pe_cond_signal_all, pe_cond_signal_all(scene->cond))
CALL(pe_cond_wait, pe_cond_wait(scene->t, scene->cond, scene->lock))
CALL(pe_event_clear, pe_event_clear(scene->event))
CALL(pe_event_is_set, pe_event_is_set(scene->event))
CALL(pe_event_set, pe_event_set(scene->event))
CALL(pe_event_wait, pe_event_wait(scene->t, scene->event))
CALL(pe_lock_acquire, pe_lock_acquire(scene->t, scene->lock))
CALL(pe_lock_release, pe_lock_release(scene->t, scene->lock))
CALL(pe_lock_try_acquire, pe_lock_try_acquire(scene->t, scene->lock))
CALL(pe_queue_close, pe_queue_close(scene->queue))
CALL(pe_queue_count, pe_queue_count(scene->queue))
CALL(pe_queue_get, pe_queue_get(scene->t, scene->queue, &scene->item))
CALL(pe_queue_put, pe_queue_put(scene->t, scene->queue, &scene->item))
CALL(pe_queue_try_get, pe_queue_try_get(scene->queue, &scene->item))
CALL(pe_queue_try_put, pe_queue_try_put(scene->queue, &scene->item))
CALL(pe_sem_acquire, pe_sem_acquire(scene->t, scene->sem))
CALL(pe_sem_count, pe_sem_count(scene->sem))
CALL(pe_sem_release, pe_sem_release(scene->sem))
CALL(pe_sem_try_acquire, pe_sem_try_acquire(scene->sem))
CALL(pe_wait_first, pe_wait_first(scene->t, &scene->other, 1, NULL))
CALL(pe_yield, pe_yield(scene->t))

static int call_pe_completed_new(struct scene *scene)
{
    pe_completed *completed = NULL;
    int result = pe_completed_new(scene->loop, &scene->other, scene->other != NULL, &completed);

    ck_assert((result == 0) == (completed != NULL));
    pe_completed_free(completed);
    return result;
}

static int call_pe_completed_free(struct scene *scene)
{
    pe_completed_free(scene->completed);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->completed = NULL;
    return 0;
}

static int call_pe_group_new(struct scene *scene)
{
    pe_group *group = NULL;
    int result = pe_group_new(scene->loop, 0, scene->situation == NO_HANDLE ? NULL : &group);

    ck_assert((result == 0) == (group != NULL));
    pe_group_free(group);
    return result;
}

static int call_pe_group_free(struct scene *scene)
{
    pe_group_free(scene->group);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->group = NULL;
    return 0;
}

char *calls_program[] = { "sleep", "1000", NULL };

static int call_pe_process_spawn(struct scene *scene)
{
    pe_process_options options = PE_PROCESS_OPTIONS_INIT;
    pe_process *made = NULL;

    options.argv = calls_program;
    int result = pe_process_spawn(scene->loop, &options, &made);
    ck_assert((result == 0) == (made != NULL));
    pe_process_kill(made, SIGKILL);
    pe_process_free(made);
    return result;
}

/* Also when it has been freed. */
static int call_pe_process_free(struct scene *scene)
{
    pe_process_kill(scene->process, SIGKILL);
    pe_process_free(scene->process);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->process = NULL;
    return 0;
}

static int call_pe_signal_new(struct scene *scene)
{
    pe_signal *made = NULL;
    int result = pe_signal_new(scene->loop, SIGUSR1, &made);

    ck_assert((result == 0) == (made != NULL));
    pe_signal_free(made);
    return result;
}

static int call_pe_signal_free(struct scene *scene)
{
    pe_signal_free(scene->signal);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->signal = NULL;
    return 0;
}

static int call_pe_address_parse(struct scene *scene)
{
    size_t bytes;

    return pe_address_parse(scene->situation == NO_HANDLE ? NULL : "::1", 0, &scene->address, &bytes);
}

static int call_pe_listener_free(struct scene *scene)
{
    pe_listener_free(scene->listener);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->listener = NULL;
    return 0;
}

static int call_pe_listener_open(struct scene *scene)
{
    pe_listener *made = NULL;
    int fd = dup(scene->listening);
    int result = pe_listener_open(scene->loop, fd, &made);

    if (result < 0)
        close(fd);
    pe_listener_free(made);
    return result;
}

static int call_pe_tcp_listen(struct scene *scene)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    pe_listener *made = NULL;
    int result = pe_tcp_listen(scene->loop, (struct sockaddr *)&address, sizeof address, 0, &made);

    pe_listener_free(made);
    return result;
}

static int call_pe_udp_free(struct scene *scene)
{
    pe_udp_free(scene->udp);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->udp = NULL;
    return 0;
}

static int call_pe_udp_open(struct scene *scene)
{
    pe_udp *made = NULL;
    int result = pe_udp_open(scene->loop, loopback(scene), sizeof(struct sockaddr_in), &made);

    pe_udp_free(made);
    return result;
}

static int call_pe_socket_free(struct scene *scene)
{
    pe_socket_free(scene->socket);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->socket = NULL;
    return 0;
}

static int call_pe_socket_open(struct scene *scene)
{
    pe_socket *made = NULL;
    int fd = dup(scene->peer);
    int result = pe_socket_open(scene->loop, fd, &made);

    if (result < 0)
        close(fd);
    pe_socket_free(made);
    return result;
}

static int call_pe_await_submit(struct scene *scene)
{
    pe_job *job = NULL;
    int result = pe_await_submit(scene->t, scene->pool, job_nothing, NULL, 0, NULL, &job);

    ck_assert((result == 0) == (job != NULL));
    pe_job_free(job);
    return result;
}

#define NEW_AND_FREE(noun, ...) \
    static int call_pe_##noun##_new(struct scene *scene) \
    { \
        pe_##noun *made = NULL; \
        int result = pe_##noun##_new(scene->loop, __VA_ARGS__); \
        ck_assert((result == 0) == (made != NULL)); \
        pe_##noun##_free(made); \
        return result; \
    } \
    static int call_pe_##noun##_free(struct scene *scene) \
    { \
        pe_##noun##_free(scene->noun); \
        if (scene->situation != CHILD && scene->situation != WORKER) \
            scene->noun = NULL; \
        return 0; \
    }
NEW_AND_FREE(sem, 1, &made)
NEW_AND_FREE(lock, &made)
NEW_AND_FREE(event, &made)
NEW_AND_FREE(cond, &made)
NEW_AND_FREE(queue, sizeof(int), 1, &made)

static int call_pe_limit_leave(struct scene *scene)
{
    int entered = pe_limit_enter(scene->t, &scene->limit, PE_FOREVER);

    return scene->situation == IN_A_TASK ? entered + pe_limit_leave(scene->t, &scene->limit)
                                         : pe_limit_leave(scene->t, &scene->limit);
}

static int call_pe_limit_move(struct scene *scene)
{
    (void)pe_limit_enter(scene->t, &scene->limit, PE_FOREVER);
    return pe_limit_move(scene->t, &scene->limit, PE_FOREVER);
}

static int call_pe_loop_free(struct scene *scene)
{
    pe_loop_free(scene->loop);
    if (scene->situation == NO_TURN || scene->situation == CLOSED)
        scene->loop = NULL;
    return 0;
}

static int call_pe_loop_new(struct scene *scene)
{
    pe_loop *loop = NULL;
    int result = pe_loop_new(NULL, scene->situation == NO_HANDLE ? NULL : &loop);

    ck_assert((result == 0) == (loop != NULL));
    if (scene->situation == IN_A_TASK)
        scene->made = loop;
    else if (loop != NULL)
        MUST(pe_loop_run(loop), 0);
    if (scene->made == NULL)
        pe_loop_free(loop);
    return result;
}

/* Ends because there is no task, or because it is stopped; the tasks of the scene never end by themselves. */
static int call_pe_loop_run(struct scene *scene)
{
    pe_loop_stop(scene->loop);
    return pe_loop_run(scene->loop);
}

static int call_pe_task_free(struct scene *scene)
{
    pe_task_free(scene->other);
    if (scene->situation != CHILD && scene->situation != WORKER)
        scene->other = NULL;
    return 0;
}

static int call_pe_task_ref(struct scene *scene)
{
    pe_task *task = pe_task_ref(scene->other);

    pe_task_free(task);
    return task != NULL;
}

/* ---- what each gives ---- */

#define ALWAYS(result) { result, result, result, result, result, result, result }
/* Called with the task that runs: what that gives. */
#define IN_TASK(inside) { PE_EINVAL, PE_EINVAL, inside, PE_EINVAL, PE_EFORKED, PE_EFORKED, PE_EINVAL }
/* Called with a loop: what it gives outside its tasks, inside, and where it is closed. */
#define ON_LOOP(outside, inside, closed) \
    { PE_EINVAL, outside, inside, closed, PE_EFORKED, PE_EFORKED, NO_CALL }
/* Called with an object of a loop, also one that has outlived it. */
#define ON_OBJECT(result) { PE_EINVAL, result, result, PE_ECLOSED, PE_EFORKED, PE_EFORKED, PE_ECLOSED }
/* Called with a task's handle: what it gives while it lives and afterwards. */
#define ON_HANDLE(lives, ended) { PE_EINVAL, lives, lives, ended, PE_EFORKED, PE_EFORKED, ended }
/* Called with a socket or a listener: what it gives while its loop is open. */
#define ON_SOCKET(open) { PE_EINVAL, open, open, PE_ECLOSED, PE_EFORKED, PE_EFORKED, PE_ECLOSED }
/* The same, where pointers or texts are given. */
#define GIVES(lives, ended, freed) { 0, lives, lives, ended, 0, 0, freed }

#define ROW(name, ...) { #name, call_##name, __VA_ARGS__ }

const struct call_row call_rows[] = {
    ROW(pe_accept, IN_TASK(PE_WAIT)),
    ROW(pe_address_parse, { PE_EINVAL, 0, 0, 0, 0, 0, 0 }),
    ROW(pe_address_text, { PE_EINVAL, 0, 0, 0, 0, 0, 0 }),
    ROW(pe_await, IN_TASK(PE_WAIT)),
    ROW(pe_await_job, IN_TASK(0)),
    ROW(pe_await_map, IN_TASK(0)),
    ROW(pe_await_submit, IN_TASK(0)),
    ROW(pe_call, IN_TASK(0)),
    ROW(pe_fd_wait, IN_TASK(PE_WAIT)),
    ROW(pe_completed_free, ALWAYS(0)),
    ROW(pe_completed_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_completed_next, IN_TASK(PE_WAIT)),
    ROW(pe_group_cancel, ON_OBJECT(0)),
    ROW(pe_group_free, ALWAYS(0)),
    ROW(pe_group_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_group_next, IN_TASK(PE_WAIT)),
    ROW(pe_group_spawn, ON_OBJECT(0)),
    ROW(pe_group_wait, IN_TASK(PE_WAIT)),
    ROW(pe_gather, IN_TASK(PE_WAIT)),
    ROW(pe_file_access, IN_TASK(PE_WAIT)),
    ROW(pe_file_chmod, IN_TASK(PE_WAIT)),
    ROW(pe_file_close, IN_TASK(PE_WAIT)),
    ROW(pe_file_copy, IN_TASK(PE_WAIT)),
    ROW(pe_file_link, IN_TASK(PE_WAIT)),
    ROW(pe_file_list, IN_TASK(PE_WAIT)),
    ROW(pe_file_list_free, ALWAYS(0)),
    ROW(pe_file_mkdir, IN_TASK(PE_WAIT)),
    ROW(pe_file_mkdir_temporary, IN_TASK(PE_WAIT)),
    ROW(pe_file_open, IN_TASK(PE_WAIT)),
    ROW(pe_file_open_temporary, IN_TASK(PE_WAIT)),
    ROW(pe_file_read, IN_TASK(PE_WAIT)),
    ROW(pe_file_read_all, IN_TASK(PE_WAIT)),
    ROW(pe_file_read_link, IN_TASK(PE_WAIT)),
    ROW(pe_file_real_path, IN_TASK(PE_WAIT)),
    ROW(pe_file_rename, IN_TASK(PE_WAIT)),
    ROW(pe_file_rmdir, IN_TASK(PE_WAIT)),
    ROW(pe_file_stat, IN_TASK(PE_WAIT)),
    ROW(pe_file_stat_fd, IN_TASK(PE_WAIT)),
    ROW(pe_file_symlink, IN_TASK(PE_WAIT)),
    ROW(pe_file_sync, IN_TASK(PE_WAIT)),
    ROW(pe_file_sync_data, IN_TASK(PE_WAIT)),
    ROW(pe_file_truncate, IN_TASK(PE_WAIT)),
    ROW(pe_file_unlink, IN_TASK(PE_WAIT)),
    ROW(pe_file_write, IN_TASK(PE_WAIT)),
    ROW(pe_file_write_all, IN_TASK(PE_WAIT)),
    ROW(pe_limit_enter, IN_TASK(0)),
    ROW(pe_limit_is_to_blame, IN_TASK(0)),
    ROW(pe_limit_leave, IN_TASK(0)),
    ROW(pe_limit_move, IN_TASK(0)),
    ROW(pe_listener_fd, ON_SOCKET(0)),
    ROW(pe_listener_free, ALWAYS(0)),
    ROW(pe_listener_local, ON_SOCKET(0)),
    ROW(pe_listener_open, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_close, ON_LOOP(0, PE_EINLOOP, 0)),
    ROW(pe_loop_dump, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_fd, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_free, { 0, 0, 0, 0, 0, 0, NO_CALL }),
    ROW(pe_loop_new, { PE_EINVAL, 0, 0, 0, 0, 0, 0 }),
    ROW(pe_loop_next_ns, ON_LOOP(1, 0, PE_ECLOSED)),
    ROW(pe_loop_on_failure, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_on_slow, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_poll, ON_LOOP(0, PE_EINLOOP, PE_ECLOSED)),
    ROW(pe_loop_post, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_run, ON_LOOP(0, PE_EINLOOP, PE_ECLOSED)),
    ROW(pe_loop_set_grace, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_stats, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_stop, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_loop_uv, { 0, 1, 1, 0, 0, 0, NO_CALL }),
    ROW(pe_pid_wait, IN_TASK(PE_WAIT)),
    ROW(pe_process_free, ALWAYS(0)),
    ROW(pe_process_kill, { PE_EINVAL, 0, 0, 0, PE_EFORKED, PE_EFORKED, 0 }),
    ROW(pe_process_pid, { PE_EINVAL, 0, 0, 0, PE_EFORKED, PE_EFORKED, 0 }),
    ROW(pe_process_spawn, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_process_wait, IN_TASK(PE_WAIT)),
    ROW(pe_resolve, IN_TASK(PE_WAIT)),
    ROW(pe_resolve_free, ALWAYS(0)),
    ROW(pe_resolve_name, IN_TASK(PE_WAIT)),
    ROW(pe_run, { PE_EINVAL, 0, PE_EINLOOP, 0, 0, 0, 0 }),
    ROW(pe_shield, IN_TASK(PE_WAIT)),
    ROW(pe_shield_enter, IN_TASK(0)),
    ROW(pe_loop_set_threads, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_offload, IN_TASK(PE_WAIT)),
    ROW(pe_offload_cancelled, ALWAYS(0)),
    ROW(pe_shield_job, IN_TASK(0)),
    ROW(pe_shield_leave, IN_TASK(PE_EINVAL)), /* it has entered no section */
    ROW(pe_signal_free, ALWAYS(0)),
    ROW(pe_signal_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_signal_next, IN_TASK(PE_WAIT)),
    ROW(pe_signal_wait, IN_TASK(PE_WAIT)),
    ROW(pe_sleep, IN_TASK(PE_WAIT)),
    ROW(pe_sleep_until, IN_TASK(PE_WAIT)),
    ROW(pe_socket_fd, ON_SOCKET(0)),
    ROW(pe_socket_free, ALWAYS(0)),
    ROW(pe_socket_local, ON_SOCKET(0)),
    ROW(pe_socket_open, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_socket_peer, ON_SOCKET(0)),
    ROW(pe_socket_read, IN_TASK(PE_WAIT)),
    ROW(pe_socket_read_exactly, IN_TASK(PE_WAIT)),
    ROW(pe_socket_read_until, IN_TASK(PE_WAIT)),
    ROW(pe_socket_sent, { PE_EINVAL, 0, 0, 0, PE_EFORKED, PE_EFORKED, 0 }),
    ROW(pe_socket_set_keepalive, ON_SOCKET(-EOPNOTSUPP)), /* not by TCP */
    ROW(pe_socket_set_nodelay, ON_SOCKET(-EOPNOTSUPP)),
    ROW(pe_socket_shutdown, ON_SOCKET(0)),
    ROW(pe_socket_write, IN_TASK(0)),
    ROW(pe_socket_writev, IN_TASK(0)),
    ROW(pe_spawn, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_task_cancel, ON_HANDLE(0, PE_EALREADY)),
    ROW(pe_task_cancels, { PE_EINVAL, 0, 0, 1, PE_EFORKED, PE_EFORKED, 1 }),
    ROW(pe_task_frame, GIVES(1, 1, 1)),
    ROW(pe_task_free, ALWAYS(0)),
    ROW(pe_task_has_ended, ON_HANDLE(0, 1)),
    ROW(pe_task_local, GIVES(0, 0, 0)),
    ROW(pe_task_loop, GIVES(1, 1, 0)),
    ROW(pe_task_name, GIVES(1, 1, 1)),
    ROW(pe_task_ref, GIVES(1, 1, 1)),
    ROW(pe_task_region_enter, IN_TASK(0)),
    ROW(pe_task_region_leave, IN_TASK(PE_EINVAL)), /* it has entered none */
    ROW(pe_task_result, ON_HANDLE(PE_EAGAIN, PE_ECANCELED)),
    ROW(pe_task_set_local, ON_HANDLE(0, PE_EALREADY)),
    ROW(pe_task_set_name, ON_HANDLE(0, 0)),
    ROW(pe_tcp_connect, IN_TASK(-ENETUNREACH)),
    ROW(pe_tcp_listen, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_timeout, IN_TASK(PE_WAIT)),
    ROW(pe_udp_connect, ON_SOCKET(0)),
    ROW(pe_udp_fd, ON_SOCKET(0)),
    ROW(pe_udp_free, ALWAYS(0)),
    ROW(pe_udp_local, ON_SOCKET(0)),
    ROW(pe_udp_open, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_udp_receive, IN_TASK(PE_WAIT)),
    ROW(pe_udp_send, IN_TASK(-EDESTADDRREQ)),
    ROW(pe_unix_connect, IN_TASK(PE_ENOENT)),
    ROW(pe_unix_listen, ON_LOOP(PE_ENOENT, PE_ENOENT, PE_ECLOSED)),
    ROW(pe_wait_end, IN_TASK(PE_EINVAL)),
    ROW(pe_wait_external, IN_TASK(-7)),
    ROW(pe_sem_free, ALWAYS(0)),
    ROW(pe_sem_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_lock_free, ALWAYS(0)),
    ROW(pe_lock_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_event_free, ALWAYS(0)),
    ROW(pe_event_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_cond_free, ALWAYS(0)),
    ROW(pe_cond_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_queue_free, ALWAYS(0)),
    ROW(pe_queue_new, ON_LOOP(0, 0, PE_ECLOSED)),
    ROW(pe_cond_signal, ON_OBJECT(0)),
    ROW(pe_cond_signal_all, ON_OBJECT(0)),
    ROW(pe_cond_wait, IN_TASK(PE_EPERM)), /* it does not hold the lock */
    ROW(pe_event_clear, ON_OBJECT(0)),
    ROW(pe_event_is_set, ON_OBJECT(0)),
    ROW(pe_event_set, ON_OBJECT(0)),
    ROW(pe_event_wait, IN_TASK(PE_WAIT)),
    ROW(pe_lock_acquire, IN_TASK(0)),
    ROW(pe_lock_release, IN_TASK(PE_EPERM)),
    ROW(pe_lock_try_acquire, IN_TASK(0)),
    ROW(pe_queue_close, ON_OBJECT(0)),
    ROW(pe_queue_count, ON_OBJECT(0)),
    ROW(pe_queue_get, IN_TASK(PE_WAIT)),
    ROW(pe_queue_put, IN_TASK(0)),
    ROW(pe_queue_try_get, ON_OBJECT(PE_EAGAIN)),
    ROW(pe_queue_try_put, ON_OBJECT(0)),
    ROW(pe_sem_acquire, IN_TASK(PE_WAIT)),
    ROW(pe_sem_count, ON_OBJECT(0)),
    ROW(pe_sem_release, ON_OBJECT(0)),
    ROW(pe_sem_try_acquire, ON_OBJECT(PE_EAGAIN)),
    ROW(pe_wait_first, IN_TASK(PE_WAIT)),
    ROW(pe_yield, IN_TASK(PE_WAIT)),
};

const size_t call_row_count = sizeof call_rows / sizeof *call_rows;
