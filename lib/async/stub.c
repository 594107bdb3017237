/*
 * stub.c - the functions on tasks and loops in a library that is built without libuv: each says that it is not there,
 * but for the one that is about workers too.
 */
#include <parexec/async.h>
#include <parexec/worker.h>

/* ---- fd.h ---- */

int pe_fd_wait(pe_task *t, int fd, int events)
{
    (void)t, (void)fd, (void)events;
    return PE_ENOSYS;
}

/* ---- file.h ---- */

int pe_file_open(pe_task *t, const char *path, int flags, int mode)
{
    (void)t, (void)path, (void)flags, (void)mode;
    return PE_ENOSYS;
}

int pe_file_open_temporary(pe_task *t, char *path)
{
    (void)t, (void)path;
    return PE_ENOSYS;
}

int pe_file_mkdir_temporary(pe_task *t, char *path)
{
    (void)t, (void)path;
    return PE_ENOSYS;
}

int pe_file_close(pe_task *t, int fd)
{
    (void)t, (void)fd;
    return PE_ENOSYS;
}

int pe_file_read(pe_task *t, int fd, void *memory, size_t bytes, int64_t offset)
{
    (void)t, (void)fd, (void)memory, (void)bytes, (void)offset;
    return PE_ENOSYS;
}

int pe_file_write(pe_task *t, int fd, const void *memory, size_t bytes, int64_t offset)
{
    (void)t, (void)fd, (void)memory, (void)bytes, (void)offset;
    return PE_ENOSYS;
}

int pe_file_sync(pe_task *t, int fd)
{
    (void)t, (void)fd;
    return PE_ENOSYS;
}

int pe_file_sync_data(pe_task *t, int fd)
{
    (void)t, (void)fd;
    return PE_ENOSYS;
}

int pe_file_truncate(pe_task *t, int fd, int64_t bytes)
{
    (void)t, (void)fd, (void)bytes;
    return PE_ENOSYS;
}

int pe_file_stat(pe_task *t, const char *path, uint32_t flags, pe_file_info *ret_info)
{
    (void)t, (void)path, (void)flags, (void)ret_info;
    return PE_ENOSYS;
}

int pe_file_stat_fd(pe_task *t, int fd, pe_file_info *ret_info)
{
    (void)t, (void)fd, (void)ret_info;
    return PE_ENOSYS;
}

int pe_file_rename(pe_task *t, const char *path, const char *new_path)
{
    (void)t, (void)path, (void)new_path;
    return PE_ENOSYS;
}

int pe_file_unlink(pe_task *t, const char *path)
{
    (void)t, (void)path;
    return PE_ENOSYS;
}

int pe_file_mkdir(pe_task *t, const char *path, int mode)
{
    (void)t, (void)path, (void)mode;
    return PE_ENOSYS;
}

int pe_file_rmdir(pe_task *t, const char *path)
{
    (void)t, (void)path;
    return PE_ENOSYS;
}

int pe_file_link(pe_task *t, const char *path, const char *new_path)
{
    (void)t, (void)path, (void)new_path;
    return PE_ENOSYS;
}

int pe_file_symlink(pe_task *t, const char *text, const char *new_path)
{
    (void)t, (void)text, (void)new_path;
    return PE_ENOSYS;
}

int pe_file_chmod(pe_task *t, const char *path, int mode)
{
    (void)t, (void)path, (void)mode;
    return PE_ENOSYS;
}

int pe_file_access(pe_task *t, const char *path, int mode)
{
    (void)t, (void)path, (void)mode;
    return PE_ENOSYS;
}

int pe_file_copy(pe_task *t, const char *path, const char *new_path, uint32_t flags)
{
    (void)t, (void)path, (void)new_path, (void)flags;
    return PE_ENOSYS;
}

int pe_file_read_link(pe_task *t, const char *path, char *ret_text, size_t bytes)
{
    (void)t, (void)path, (void)ret_text, (void)bytes;
    return PE_ENOSYS;
}

int pe_file_real_path(pe_task *t, const char *path, char *ret_text, size_t bytes)
{
    (void)t, (void)path, (void)ret_text, (void)bytes;
    return PE_ENOSYS;
}

int pe_file_list(pe_task *t, const char *path, pe_file_entry **ret_entries)
{
    (void)t, (void)path, (void)ret_entries;
    return PE_ENOSYS;
}

void pe_file_list_free(pe_file_entry *entries)
{
    (void)entries;
}

int pe_file_read_all(pe_task *t, const char *path, void **ret_memory, size_t *ret_bytes)
{
    (void)t, (void)path, (void)ret_memory, (void)ret_bytes;
    return PE_ENOSYS;
}

int pe_file_write_all(pe_task *t, const char *path, const void *memory, size_t bytes, int mode)
{
    (void)t, (void)path, (void)memory, (void)bytes, (void)mode;
    return PE_ENOSYS;
}

/* ---- process.h ---- */

int pe_process_spawn(pe_loop *loop, const pe_process_options *options, pe_process **ret_process)
{
    (void)loop, (void)options, (void)ret_process;
    return PE_ENOSYS;
}

int pe_process_wait(pe_task *t, pe_process *process, int *ret_exit_code, int *ret_signal)
{
    (void)t, (void)process, (void)ret_exit_code, (void)ret_signal;
    return PE_ENOSYS;
}

int pe_process_kill(pe_process *process, int number)
{
    (void)process, (void)number;
    return PE_ENOSYS;
}

int pe_process_pid(const pe_process *process)
{
    (void)process;
    return PE_ENOSYS;
}

void pe_process_free(pe_process *process)
{
    (void)process;
}

int pe_pid_wait(pe_task *t, int pid, int *ret_exit_code, int *ret_signal)
{
    (void)t, (void)pid, (void)ret_exit_code, (void)ret_signal;
    return PE_ENOSYS;
}

/* ---- resolve.h ---- */

int pe_resolve(pe_task *t, const char *node, const char *service, const struct addrinfo *hints,
               struct addrinfo **ret_addresses)
{
    (void)t, (void)node, (void)service, (void)hints, (void)ret_addresses;
    return PE_ENOSYS;
}

void pe_resolve_free(struct addrinfo *addresses)
{
    (void)addresses;
}

int pe_resolve_name(pe_task *t, const struct sockaddr *address, int flags, char *ret_node, size_t node_bytes,
                    char *ret_service, size_t service_bytes)
{
    (void)t, (void)address, (void)flags, (void)ret_node, (void)node_bytes, (void)ret_service, (void)service_bytes;
    return PE_ENOSYS;
}

/* ---- signal.h ---- */

int pe_signal_wait(pe_task *t, int number)
{
    (void)t, (void)number;
    return PE_ENOSYS;
}

int pe_signal_new(pe_loop *loop, int number, pe_signal **ret_signal)
{
    (void)loop, (void)number, (void)ret_signal;
    return PE_ENOSYS;
}

int pe_signal_next(pe_task *t, pe_signal *signal)
{
    (void)t, (void)signal;
    return PE_ENOSYS;
}

void pe_signal_free(pe_signal *signal)
{
    (void)signal;
}

/* ---- task.h ---- */

int pe_spawn(pe_loop *loop, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task)
{
    (void)loop, (void)fn, (void)frame, (void)frame_bytes, (void)ret_task;
    return PE_ENOSYS;
}

void pe_task_free(pe_task *task)
{
    (void)task;
}

pe_task *pe_task_ref(pe_task *task)
{
    (void)task;
    return NULL;
}

void *pe_task_frame(pe_task *task)
{
    (void)task;
    return NULL;
}

int pe_task_result(const pe_task *task)
{
    (void)task;
    return PE_ENOSYS;
}

int pe_task_has_ended(const pe_task *task)
{
    (void)task;
    return PE_ENOSYS;
}

int pe_task_cancel(pe_task *task)
{
    (void)task;
    return PE_ENOSYS;
}

int pe_task_cancels(const pe_task *task)
{
    (void)task;
    return PE_ENOSYS;
}

pe_loop *pe_task_loop(const pe_task *task)
{
    (void)task;
    return NULL;
}

int pe_task_set_name(pe_task *task, const char *name)
{
    (void)task, (void)name;
    return PE_ENOSYS;
}

const char *pe_task_name(const pe_task *task)
{
    (void)task;
    return "";
}

int pe_task_set_local(pe_task *task, const pe_local_key *key, void *value)
{
    (void)task, (void)key, (void)value;
    return PE_ENOSYS;
}

void *pe_task_local(const pe_task *task, const pe_local_key *key)
{
    (void)task, (void)key;
    return NULL;
}

int pe_yield(pe_task *t)
{
    (void)t;
    return PE_ENOSYS;
}

int pe_sleep(pe_task *t, int64_t duration_ns)
{
    (void)t, (void)duration_ns;
    return PE_ENOSYS;
}

int pe_sleep_until(pe_task *t, int64_t deadline_ns)
{
    (void)t, (void)deadline_ns;
    return PE_ENOSYS;
}

int pe_await(pe_task *t, pe_task *task)
{
    (void)t, (void)task;
    return PE_ENOSYS;
}

int pe_shield(pe_task *t, pe_task *task)
{
    (void)t, (void)task;
    return PE_ENOSYS;
}

int pe_call(pe_task *t, pe_call_link *call, pe_task_fn *fn, void *frame)
{
    (void)t, (void)call, (void)fn, (void)frame;
    return PE_ENOSYS;
}

int pe_shield_enter(pe_task *t)
{
    (void)t;
    return PE_ENOSYS;
}

int pe_shield_leave(pe_task *t)
{
    (void)t;
    return PE_ENOSYS;
}

int pe_wait_external(pe_task *t, int started, pe_cancel_fn *cancel, void *object)
{
    (void)t, (void)started, (void)cancel, (void)object;
    return PE_ENOSYS;
}

int pe_wait_end(pe_task *t, int result)
{
    (void)t, (void)result;
    return PE_ENOSYS;
}

/* ---- task_region.h ---- */

int pe_task_region_enter(pe_task *t, pe_task_region *region, pe_region_site *site)
{
    (void)t, (void)region, (void)site;
    return PE_ENOSYS;
}

int pe_task_region_leave(pe_task *t, pe_task_region *region)
{
    (void)t, (void)region;
    return PE_ENOSYS;
}

/* ---- await.h ---- */

int pe_await_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    (void)t, (void)job, (void)ret_status;
    return PE_ENOSYS;
}

int pe_await_submit(pe_task *t, pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                    const pe_job_options *options, pe_job **ret_job)
{
    (void)t, (void)pool, (void)fn, (void)arg, (void)arg_bytes, (void)options, (void)ret_job;
    return PE_ENOSYS;
}

int pe_await_map(pe_task *t, pe_pool *pool, pe_map_fn *fn, const void *in, size_t in_bytes, void *out,
                 size_t out_bytes, size_t count, const pe_map_options *options)
{
    (void)t, (void)pool, (void)fn, (void)in, (void)in_bytes, (void)out, (void)out_bytes, (void)count, (void)options;
    return PE_ENOSYS;
}

int pe_offload(pe_task *t, pe_offload_fn *fn, void *arg, const pe_offload_options *options)
{
    (void)t, (void)fn, (void)arg, (void)options;
    return PE_ENOSYS;
}

/* No thread runs anything for it, but a worker may ask. */
int pe_offload_cancelled(void)
{
    return pe_worker_cancelled();
}

int pe_loop_set_threads(pe_loop *loop, uint32_t threads)
{
    (void)loop, (void)threads;
    return PE_ENOSYS;
}

int pe_shield_job(pe_task *t, pe_job *job, pe_status *ret_status)
{
    (void)t, (void)job, (void)ret_status;
    return PE_ENOSYS;
}

/* ---- limit.h ---- */

int pe_limit_enter(pe_task *t, pe_limit *limit, int64_t deadline_ns)
{
    (void)t, (void)limit, (void)deadline_ns;
    return PE_ENOSYS;
}

int pe_limit_move(pe_task *t, pe_limit *limit, int64_t deadline_ns)
{
    (void)t, (void)limit, (void)deadline_ns;
    return PE_ENOSYS;
}

int pe_limit_leave(pe_task *t, pe_limit *limit)
{
    (void)t, (void)limit;
    return PE_ENOSYS;
}

int pe_limit_is_to_blame(const pe_task *t, const pe_limit *limit)
{
    (void)t, (void)limit;
    return PE_ENOSYS;
}

int pe_timeout(pe_task *t, pe_limit *limit, int64_t deadline_ns, pe_task *task)
{
    (void)t, (void)limit, (void)deadline_ns, (void)task;
    return PE_ENOSYS;
}

/* ---- loop.h ---- */

int pe_run(pe_task_fn *main, void *frame, int *ret_value)
{
    (void)main, (void)frame, (void)ret_value;
    return PE_ENOSYS;
}

int pe_loop_new(struct uv_loop_s *attach_or_null, pe_loop **ret_loop)
{
    (void)attach_or_null, (void)ret_loop;
    return PE_ENOSYS;
}

int pe_loop_run(pe_loop *loop)
{
    (void)loop;
    return PE_ENOSYS;
}

int pe_loop_stop(pe_loop *loop)
{
    (void)loop;
    return PE_ENOSYS;
}

int pe_loop_close(pe_loop *loop, uint64_t *ret_cancelled)
{
    (void)loop, (void)ret_cancelled;
    return PE_ENOSYS;
}

void pe_loop_free(pe_loop *loop)
{
    (void)loop;
}

int pe_loop_on_failure(pe_loop *loop, pe_failure_fn *fn, void *context)
{
    (void)loop, (void)fn, (void)context;
    return PE_ENOSYS;
}

int pe_loop_set_grace(pe_loop *loop, int64_t grace_ns)
{
    (void)loop, (void)grace_ns;
    return PE_ENOSYS;
}

int pe_loop_post(pe_loop *loop, pe_post_fn *fn, void *context)
{
    (void)loop, (void)fn, (void)context;
    return PE_ENOSYS;
}

int pe_loop_fd(const pe_loop *loop)
{
    (void)loop;
    return PE_ENOSYS;
}

int64_t pe_loop_next_ns(const pe_loop *loop)
{
    (void)loop;
    return PE_ENOSYS;
}

int pe_loop_poll(pe_loop *loop)
{
    (void)loop;
    return PE_ENOSYS;
}

struct uv_loop_s *pe_loop_uv(const pe_loop *loop)
{
    (void)loop;
    return NULL;
}

/* ---- group.h ---- */

int pe_gather(pe_task *t, pe_task *const *tasks, size_t count, uint32_t flags)
{
    (void)t, (void)tasks, (void)count, (void)flags;
    return PE_ENOSYS;
}

int pe_wait_first(pe_task *t, pe_task *const *tasks, size_t count, size_t *ret_index)
{
    (void)t, (void)tasks, (void)count, (void)ret_index;
    return PE_ENOSYS;
}

int pe_completed_new(pe_loop *loop, pe_task *const *tasks, size_t count, pe_completed **ret_completed)
{
    (void)loop, (void)tasks, (void)count, (void)ret_completed;
    return PE_ENOSYS;
}

int pe_completed_next(pe_task *t, pe_completed *completed, size_t *ret_index)
{
    (void)t, (void)completed, (void)ret_index;
    return PE_ENOSYS;
}

void pe_completed_free(pe_completed *completed)
{
    (void)completed;
}

int pe_group_new(pe_loop *loop, uint32_t flags, pe_group **ret_group)
{
    (void)loop, (void)flags, (void)ret_group;
    return PE_ENOSYS;
}

int pe_group_spawn(pe_group *group, pe_task_fn *fn, const void *frame, size_t frame_bytes, pe_task **ret_task)
{
    (void)group, (void)fn, (void)frame, (void)frame_bytes, (void)ret_task;
    return PE_ENOSYS;
}

int pe_group_wait(pe_task *t, pe_group *group)
{
    (void)t, (void)group;
    return PE_ENOSYS;
}

int pe_group_next(pe_task *t, pe_group *group, pe_task **ret_task)
{
    (void)t, (void)group, (void)ret_task;
    return PE_ENOSYS;
}

int pe_group_cancel(pe_group *group)
{
    (void)group;
    return PE_ENOSYS;
}

void pe_group_free(pe_group *group)
{
    (void)group;
}

/* ---- udp.h ---- */

int pe_udp_open(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, pe_udp **ret_udp)
{
    (void)loop, (void)address, (void)address_bytes, (void)ret_udp;
    return PE_ENOSYS;
}

int pe_udp_connect(pe_udp *udp, const struct sockaddr *address, size_t address_bytes)
{
    (void)udp, (void)address, (void)address_bytes;
    return PE_ENOSYS;
}

void pe_udp_free(pe_udp *udp)
{
    (void)udp;
}

int pe_udp_receive(pe_task *t, pe_udp *udp, void *buffer, size_t bytes, struct sockaddr_storage *ret_from,
                   size_t *ret_bytes)
{
    (void)t, (void)udp, (void)buffer, (void)bytes, (void)ret_from, (void)ret_bytes;
    return PE_ENOSYS;
}

int pe_udp_send(pe_task *t, pe_udp *udp, const void *data, size_t bytes, const struct sockaddr *to, size_t to_bytes)
{
    (void)t, (void)udp, (void)data, (void)bytes, (void)to, (void)to_bytes;
    return PE_ENOSYS;
}

int pe_udp_fd(const pe_udp *udp)
{
    (void)udp;
    return PE_ENOSYS;
}

int pe_udp_local(const pe_udp *udp, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    (void)udp, (void)ret_address, (void)ret_bytes;
    return PE_ENOSYS;
}

/* ---- socket.h ---- */

int pe_address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    (void)text, (void)port, (void)ret_address, (void)ret_bytes;
    return PE_ENOSYS;
}

int pe_address_text(const struct sockaddr *address, size_t address_bytes, char *ret_text, size_t bytes)
{
    (void)address, (void)address_bytes, (void)ret_text, (void)bytes;
    return PE_ENOSYS;
}

int pe_tcp_connect(pe_task *t, const struct sockaddr *address, size_t address_bytes, pe_socket **ret_socket)
{
    (void)t, (void)address, (void)address_bytes, (void)ret_socket;
    return PE_ENOSYS;
}

int pe_unix_connect(pe_task *t, const char *path, pe_socket **ret_socket)
{
    (void)t, (void)path, (void)ret_socket;
    return PE_ENOSYS;
}

int pe_socket_open(pe_loop *loop, int fd, pe_socket **ret_socket)
{
    (void)loop, (void)fd, (void)ret_socket;
    return PE_ENOSYS;
}

void pe_socket_free(pe_socket *socket)
{
    (void)socket;
}

int pe_socket_read(pe_task *t, pe_socket *socket, void *buffer, size_t bytes)
{
    (void)t, (void)socket, (void)buffer, (void)bytes;
    return PE_ENOSYS;
}

int pe_socket_read_exactly(pe_task *t, pe_socket *socket, void *buffer, size_t bytes)
{
    (void)t, (void)socket, (void)buffer, (void)bytes;
    return PE_ENOSYS;
}

int pe_socket_read_until(pe_task *t, pe_socket *socket, void *buffer, size_t capacity, const char *delimiter)
{
    (void)t, (void)socket, (void)buffer, (void)capacity, (void)delimiter;
    return PE_ENOSYS;
}

int pe_socket_write(pe_task *t, pe_socket *socket, const void *data, size_t bytes)
{
    (void)t, (void)socket, (void)data, (void)bytes;
    return PE_ENOSYS;
}

int pe_socket_writev(pe_task *t, pe_socket *socket, const struct iovec *pieces, size_t count)
{
    (void)t, (void)socket, (void)pieces, (void)count;
    return PE_ENOSYS;
}

int64_t pe_socket_sent(const pe_socket *socket)
{
    (void)socket;
    return PE_ENOSYS;
}

int pe_socket_shutdown(pe_socket *socket)
{
    (void)socket;
    return PE_ENOSYS;
}

int pe_socket_fd(const pe_socket *socket)
{
    (void)socket;
    return PE_ENOSYS;
}

int pe_socket_local(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    (void)socket, (void)ret_address, (void)ret_bytes;
    return PE_ENOSYS;
}

int pe_socket_peer(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    (void)socket, (void)ret_address, (void)ret_bytes;
    return PE_ENOSYS;
}

int pe_socket_set_nodelay(pe_socket *socket, int on)
{
    (void)socket, (void)on;
    return PE_ENOSYS;
}

int pe_socket_set_keepalive(pe_socket *socket, int64_t idle_ns)
{
    (void)socket, (void)idle_ns;
    return PE_ENOSYS;
}

int pe_tcp_listen(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, int backlog,
                  pe_listener **ret_listener)
{
    (void)loop, (void)address, (void)address_bytes, (void)backlog, (void)ret_listener;
    return PE_ENOSYS;
}

int pe_unix_listen(pe_loop *loop, const char *path, int backlog, pe_listener **ret_listener)
{
    (void)loop, (void)path, (void)backlog, (void)ret_listener;
    return PE_ENOSYS;
}

int pe_listener_open(pe_loop *loop, int fd, pe_listener **ret_listener)
{
    (void)loop, (void)fd, (void)ret_listener;
    return PE_ENOSYS;
}

int pe_accept(pe_task *t, pe_listener *listener, pe_socket **ret_socket)
{
    (void)t, (void)listener, (void)ret_socket;
    return PE_ENOSYS;
}

void pe_listener_free(pe_listener *listener)
{
    (void)listener;
}

int pe_listener_fd(const pe_listener *listener)
{
    (void)listener;
    return PE_ENOSYS;
}

int pe_listener_local(const pe_listener *listener, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    (void)listener, (void)ret_address, (void)ret_bytes;
    return PE_ENOSYS;
}

/* ---- sync.h ---- */

int pe_sem_new(pe_loop *loop, uint32_t count, pe_sem **ret_sem)
{
    (void)loop, (void)count, (void)ret_sem;
    return PE_ENOSYS;
}

int pe_sem_acquire(pe_task *t, pe_sem *sem)
{
    (void)t, (void)sem;
    return PE_ENOSYS;
}

int pe_sem_try_acquire(pe_sem *sem)
{
    (void)sem;
    return PE_ENOSYS;
}

int pe_sem_release(pe_sem *sem)
{
    (void)sem;
    return PE_ENOSYS;
}

int pe_sem_count(const pe_sem *sem)
{
    (void)sem;
    return PE_ENOSYS;
}

void pe_sem_free(pe_sem *sem)
{
    (void)sem;
}

int pe_lock_new(pe_loop *loop, pe_lock **ret_lock)
{
    (void)loop, (void)ret_lock;
    return PE_ENOSYS;
}

int pe_lock_acquire(pe_task *t, pe_lock *lock)
{
    (void)t, (void)lock;
    return PE_ENOSYS;
}

int pe_lock_try_acquire(pe_task *t, pe_lock *lock)
{
    (void)t, (void)lock;
    return PE_ENOSYS;
}

int pe_lock_release(pe_task *t, pe_lock *lock)
{
    (void)t, (void)lock;
    return PE_ENOSYS;
}

void pe_lock_free(pe_lock *lock)
{
    (void)lock;
}

int pe_event_new(pe_loop *loop, pe_event **ret_event)
{
    (void)loop, (void)ret_event;
    return PE_ENOSYS;
}

int pe_event_wait(pe_task *t, pe_event *event)
{
    (void)t, (void)event;
    return PE_ENOSYS;
}

int pe_event_set(pe_event *event)
{
    (void)event;
    return PE_ENOSYS;
}

int pe_event_clear(pe_event *event)
{
    (void)event;
    return PE_ENOSYS;
}

int pe_event_is_set(const pe_event *event)
{
    (void)event;
    return PE_ENOSYS;
}

void pe_event_free(pe_event *event)
{
    (void)event;
}

int pe_cond_new(pe_loop *loop, pe_cond **ret_cond)
{
    (void)loop, (void)ret_cond;
    return PE_ENOSYS;
}

int pe_cond_wait(pe_task *t, pe_cond *cond, pe_lock *lock)
{
    (void)t, (void)cond, (void)lock;
    return PE_ENOSYS;
}

int pe_cond_signal(pe_cond *cond)
{
    (void)cond;
    return PE_ENOSYS;
}

int pe_cond_signal_all(pe_cond *cond)
{
    (void)cond;
    return PE_ENOSYS;
}

void pe_cond_free(pe_cond *cond)
{
    (void)cond;
}

int pe_queue_new(pe_loop *loop, size_t item_bytes, size_t capacity, pe_queue **ret_queue)
{
    (void)loop, (void)item_bytes, (void)capacity, (void)ret_queue;
    return PE_ENOSYS;
}

int pe_queue_put(pe_task *t, pe_queue *queue, const void *item)
{
    (void)t, (void)queue, (void)item;
    return PE_ENOSYS;
}

int pe_queue_get(pe_task *t, pe_queue *queue, void *ret_item)
{
    (void)t, (void)queue, (void)ret_item;
    return PE_ENOSYS;
}

int pe_queue_try_put(pe_queue *queue, const void *item)
{
    (void)queue, (void)item;
    return PE_ENOSYS;
}

int pe_queue_try_get(pe_queue *queue, void *ret_item)
{
    (void)queue, (void)ret_item;
    return PE_ENOSYS;
}

int pe_queue_close(pe_queue *queue)
{
    (void)queue;
    return PE_ENOSYS;
}

int pe_queue_count(const pe_queue *queue)
{
    (void)queue;
    return PE_ENOSYS;
}

void pe_queue_free(pe_queue *queue)
{
    (void)queue;
}
/* ---- debug.h ---- */

int pe_loop_on_slow(pe_loop *loop, int64_t threshold_ns, pe_slow_fn *fn, void *context)
{
    (void)loop, (void)threshold_ns, (void)fn, (void)context;
    return PE_ENOSYS;
}

int pe_loop_stats(const pe_loop *loop, pe_loop_figures *figures)
{
    (void)loop, (void)figures;
    return PE_ENOSYS;
}

int pe_loop_dump(const pe_loop *loop, FILE *file)
{
    (void)loop, (void)file;
    return PE_ENOSYS;
}
