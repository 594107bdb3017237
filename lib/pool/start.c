/*
 * start.c - the start of a pool's processes: the socket and the pipe, the keeper, the wait for the first worker.
 *
 * Descriptors are made as in pool/descriptors.c. The keeper's ends are closed in the host as soon as it is forked.
 */
#include "pool/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/topology.h"
#include "keeper/keeper.h"
#include "keeper/message.h"
#include "keeper/seed.h"
#include "keeper/spawn.h"
#include "pool/death.h"
#include "pool/descriptors.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/wait.h"
#include "worker/scope.h"

/* The keeper's ends, while they are in the host. */
struct far_ends {
    int control, alive, host_pidfd;
};

static int make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    *ret_read = pe__base_fd_raise(ends[0]);
    *ret_write = pe__base_fd_raise(ends[1]);
    return *ret_read < 0 ? *ret_read : *ret_write < 0 ? *ret_write : 0;
}

static void close_far_ends(struct far_ends *far)
{
    pe__base_fd_close(far->control);
    pe__base_fd_close(far->alive);
    pe__base_fd_close(far->host_pidfd);
}

static int open_ends(pe_pool *pool, struct far_ends *ret)
{
    int ends[2];
    *ret = (struct far_ends){ -1, -1, -1 };
    int result = pe__base_socketpair(ends);
    if (result < 0)
        return result;
    pool->control = ends[0];
    ret->control = ends[1];
    result = make_pipe(&pool->alive, &ret->alive);
    if (result < 0)
        return result;
    ret->host_pidfd = pe__base_pidfd_open(getpid());
    if (ret->host_pidfd < 0)
        ret->host_pidfd = -1; /* an old kernel: the socket's end of file has to do */
    return pe__pool_watch(pool->epoll, pool->control);
}

static void sort(int32_t *fds, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        int32_t fd = fds[i];
        uint32_t at = i;
        for (; at > 0 && fds[at - 1] > fd; at--)
            fds[at] = fds[at - 1];
        fds[at] = fd;
    }
}

static void write_config(pe_pool *pool)
{
    const pe_pool_options *options = &pool->options;
    const struct pe__worker_scope *scope = pe__worker_scope_current();
    struct pe__config *config = pool->shared.config;
    config->magic = PE__MAPPING_MAGIC;
    config->layout = PE__MAPPING_LAYOUT;
    config->geometry = pool->shared.geometry;
    config->born = pool->born;
    config->workers = options->workers;
    config->flags = options->flags;
    config->cpus = (uint32_t)pe__base_cpu_affinity();
    config->max_deaths = options->max_deaths;
    config->keep_fd_count = (uint32_t)options->keep_fd_count;
    config->inner_threads = options->inner_threads;
    config->affinity = options->affinity;
    config->depth = scope != NULL ? scope->depth : 0;
    config->jobs_per_worker = options->jobs_per_worker;
    config->memory_limit_bytes = options->memory_limit_bytes;
    config->rss_limit_bytes = options->rss_limit_bytes;
    config->max_reply_bytes = options->max_reply_bytes;
    config->grace_ns = options->grace_ns;
    config->idle_ns = options->idle_ns;
    config->worker_init = options->worker_init;
    config->worker_exit = options->worker_exit;
    config->worker_context = options->worker_context;
    config->host_pid = getpid();
    config->host_cpu = -1;
    pthread_sigmask(SIG_SETMASK, NULL, &config->host_mask);
    for (size_t i = 0; i < options->keep_fd_count; i++)
        pool->shared.keep_fds[i] = options->keep_fds[i];
    sort(pool->shared.keep_fds, config->keep_fd_count);
    for (uint32_t i = 0; i < options->workers; i++)
        pool->shared.slots[i].hint = PE__SLOT_NO_RECORD;
}

/* Out of the CPUs that the calling thread may use. */
static int choose_pins(pe_pool *pool)
{
    const pe_pool_options *options = &pool->options;
    int32_t *cpus;
    if (options->affinity == PE_PIN_NONE)
        return 0;
    size_t count = pe__base_cpu_list(&cpus);
    if (count == 0)
        return PE_ENOMEM;
    int result = pe__base_topology_deal("", cpus, count, options->affinity == PE_PIN_SPREAD,
                                        pool->shared.geometry.workers_most, pool->shared.pins);
    free(cpus);
    return result;
}

static void run_keeper(void *start)
{
    pe__keeper_run(start);
}

static int fork_keeper(pe_pool *pool, const struct far_ends *far)
{
    struct pe__keeper_start start = { .shared = pool->shared,
                                      .control = far->control,
                                      .host_bell = pool->bell,
                                      .alive = far->alive,
                                      .host_pidfd = far->host_pidfd,
                                      .may_keep_fds = (pool->options.flags & PE_POOL_KEEP_FDS) != 0,
                                      .close_fds = { pool->control, pool->alive } };
    return pool->from_seed ? pe__seed_fork_keeper(&start) : pe__keeper_spawn(run_keeper, &start);
}

/* The number could be another process's by now, unless the keeper lives on after the descriptor was
 * opened. */
static void open_keeper_pidfd(pe_pool *pool, pid_t keeper)
{
    struct pollfd alive = { .fd = pool->alive };
    int pidfd = pe__base_pidfd_open(keeper);
    if (pidfd < 0)
        return;
    poll(&alive, 1, 0);
    if ((alive.revents & POLLHUP) != 0) {
        pe__base_fd_close(pidfd);
        return;
    }
    pool->keeper_pidfd = pidfd;
    pe__pool_watch(pool->epoll, pidfd);
}

static int await_hello(pe_pool *pool)
{
    struct pe__message hello;
    int result = pe__base_fd_wait(pool->control, POLLIN, PE_FOREVER);
    if (result < 0)
        return result;
    if (recv(pool->control, &hello, sizeof hello, 0) != (ssize_t)sizeof hello || hello.type != PE__MESSAGE_HELLO)
        return PE_EBROKEN;
    if (hello.value < 0)
        return hello.value;
    pool->keeper_pid = hello.value;
    open_keeper_pidfd(pool, hello.value);
    return 0;
}

/* One that has left again for want of work has served too. */
static bool has_worker_or_failed(pe_pool *pool, void *unused)
{
    (void)unused;
    if (pool->state == PE__POOL_BROKEN)
        return true;
    PE__BELL_EACH_GROUP(first, pool->numbers) {
        const struct pe__bell_group *group = pe__bell_group_of(pool->shared.groups, first);
        if ((atomic_load(&group->present) | atomic_load(&group->vacant)) != 0)
            return pool->failure == 0;
    }
    return false;
}

static void tell_death(const pe_pool *pool)
{
    char death[PE__DEATH_TEXT_BYTES];
    pe__pool_describe_death(pool, death);
    pe__base_log(PE_LOG_ERROR, "pe_pool_new: no worker came through its initialiser%s", death);
}

static int await_first_worker(pe_pool *pool)
{
    struct pe__wait wait = { .ready = has_worker_or_failed, .deadline_ns = PE_FOREVER, .uninterruptible = true };
    pthread_mutex_lock(&pool->mutex);
    int result = pe__pool_wait_for(pool, &wait);
    if (pool->state == PE__POOL_BROKEN)
        result = pool->failure != 0 ? pool->failure : PE_EBROKEN;
    pool->tell_broken = false; /* pe_pool_new returns it */
    pthread_mutex_unlock(&pool->mutex);
    if (result == PE_EINIT)
        tell_death(pool);
    return result;
}

int pe__pool_start_processes(pe_pool *pool)
{
    struct far_ends far;
    int result = open_ends(pool, &far);
    if (result == 0)
        result = choose_pins(pool);
    if (result == 0) {
        write_config(pool);
        pe__pool_begin_regions(pool);
        result = fork_keeper(pool, &far);
    }
    close_far_ends(&far);
    if (result == 0)
        result = await_hello(pool);
    return result == 0 ? await_first_worker(pool) : result;
}
