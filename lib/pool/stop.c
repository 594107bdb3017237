/*
 * stop.c - how pools and jobs are made to end: close, join, cancel, kill, and what is done when the keeper is
 * gone.
 */
#include "pool/stop.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/message.h"
#include "pool/callback.h"
#include "pool/collect.h"
#include "pool/descriptors.h"
#include "pool/job.h"
#include "pool/listen.h"
#include "pool/map.h"
#include "pool/pool.h"
#include "pool/talk.h"
#include "pool/wait.h"

/* The keeper gives up waiting for workers that even SIGKILL does not end after two seconds. */
#define KILL_SLACK_NS PE_SECONDS(4)
#define DEATH_NS PE_SECONDS(2)
/* P_PIDFD, which older C libraries do not name. */
#define P_PIDFD_NUMBER 3

bool pe__pool_has_processes(const pe_pool *pool)
{
    return pool->control >= 0 && (pool->state == PE__POOL_OPEN || pool->state == PE__POOL_CLOSED);
}

/*
 * Nobody is to write to shared memory any more. A keeper that ends in order says so; one that was killed
 * takes its workers with it, and the end of file on a pipe that only they hold tells when (not at once, where
 * a process that a job has left behind holds it too).
 */
static void await_all_dead(const pe_pool *pool)
{
    if (pool->alive >= 0 && !pool->all_gone)
        pe__base_fd_wait(pool->alive, POLLIN, pe_after(DEATH_NS));
}

/*
 * The keeper's descriptors are closed a little before it has ended. In a host that adopts orphans (the first
 * process of a container, a subreaper) it is the host's child by now.
 */
static void reap_keeper(const pe_pool *pool)
{
    siginfo_t info;
    if (pool->keeper_pidfd >= 0 && pe__base_fd_wait(pool->keeper_pidfd, POLLIN, pe_after(DEATH_NS)) > 0)
        (void)waitid((idtype_t)P_PIDFD_NUMBER, (id_t)pool->keeper_pidfd, &info, WEXITED | WNOHANG | __WALL);
}

static void end(pe_pool *pool, enum pe__pool_state state, uint32_t kind)
{
    pool->state = state;
    await_all_dead(pool);
    reap_keeper(pool);
    pe__pool_settle_rest(pool, kind);
    pthread_cond_broadcast(&pool->changed);
    pe__pool_unwatch_keeper(pool);
    if (pe__pool_is_armed(pool))
        pe__bell_ring_host(pool->notice);
}

static void kill_keeper(const pe_pool *pool)
{
    shutdown(pool->control, SHUT_RDWR); /* it takes that for the host's end */
    if (pool->keeper_pidfd >= 0)
        pe__base_pidfd_send(pool->keeper_pidfd, SIGKILL); /* workers die with it */
}

void pe__pool_break(pe_pool *pool)
{
    if (!pe__pool_has_processes(pool))
        return;
    if (pool->killing || (pool->leaving && pool->all_gone)) {
        end(pool, PE__POOL_ENDED, PE_CANCELLED);
        return;
    }
    kill_keeper(pool);
    if (pool->failure == 0)
        pool->failure = PE_EBROKEN;
    pool->tell_broken = true;
    end(pool, PE__POOL_BROKEN, PE_LOST);
}

static bool has_no_processes(pe_pool *pool, void *unused)
{
    (void)unused;
    return !pe__pool_has_processes(pool);
}

/* The mutex is held. A second call while a first one waits only waits as well. */
int pe__pool_kill(pe_pool *pool, int64_t grace_ns)
{
    struct pe__message message = { .type = PE__MESSAGE_KILL, .grace_ns = grace_ns > 0 ? grace_ns : 0 };
    struct pe__wait wait = { .ready = has_no_processes,
                             .deadline_ns = pe_after(message.grace_ns),
                             .uninterruptible = true };
    if (pool->state == PE__POOL_OPEN || pool->state == PE__POOL_CLOSED) {
        pool->state = PE__POOL_CLOSED;
        if (pool->control < 0) {
            end(pool, PE__POOL_ENDED, PE_CANCELLED);
            return 0;
        }
    }
    if (!pe__pool_has_processes(pool))
        return 0;
    pool->leaving = pool->killing = true;
    pe__pool_tell_keeper(pool, &message);
    if (wait.deadline_ns != PE_FOREVER)
        wait.deadline_ns = wait.deadline_ns < PE_FOREVER - KILL_SLACK_NS ? wait.deadline_ns + KILL_SLACK_NS
                                                                         : PE_FOREVER;
    if (pe__pool_wait_for(pool, &wait) == PE_ETIMEDOUT && pe__pool_has_processes(pool)) {
        kill_keeper(pool);
        end(pool, PE__POOL_ENDED, PE_CANCELLED);
    }
    return 0;
}

int pe_pool_kill(pe_pool *pool, int64_t grace_ns)
{
    if (grace_ns < PE_NOW)
        return PE_EINVAL;
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (grace_ns == 0)
        grace_ns = pool->options.grace_ns;
    result = pe__pool_in_callback(pool) ? PE_EDEADLK : pe__pool_kill(pool, grace_ns);
    if (result == 0)
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

int pe_pool_close(pe_pool *pool)
{
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (pool->state == PE__POOL_OPEN)
        pool->state = PE__POOL_CLOSED;
    pe__listeners_wake(pool);
    pe__pool_leave(pool);
    return 0;
}

/* All jobs have ended: let the workers leave by themselves. */
static void send_home(pe_pool *pool)
{
    struct pe__message message = { .type = PE__MESSAGE_LEAVE };
    const struct pe__shared *shared = &pool->shared;
    if (pool->leaving)
        return;
    pool->leaving = true;
    pe__pool_tell_keeper(pool, &message);
    atomic_store_explicit(&shared->config->stop, 1, memory_order_seq_cst);
    pe__bell_ring_all(shared->groups, shared->slots, pool->numbers);
}

static int join(pe_pool *pool, int64_t deadline_ns)
{
    struct pe__wait wait = { .ready = pe__pool_none_live, .target = pe__pool_newest_busy, .deadline_ns = deadline_ns };
    if (pool->state == PE__POOL_OPEN)
        pool->state = PE__POOL_CLOSED;
    int result = pe__pool_wait_for(pool, &wait);
    if (result < 0)
        return result;
    if (pe__pool_has_processes(pool)) {
        send_home(pool);
        wait.ready = has_no_processes;
        result = pe__pool_wait_for(pool, &wait);
    } else if (pool->state == PE__POOL_CLOSED) {
        pool->state = PE__POOL_ENDED;
    }
    if (result < 0)
        return result;
    return pool->state == PE__POOL_BROKEN ? PE_EBROKEN : 0;
}

int pe_pool_join(pe_pool *pool, int64_t deadline_ns)
{
    int result = pe__base_deadline_check(deadline_ns);
    if (result == 0)
        result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    result = pe__pool_in_callback(pool) ? PE_EDEADLK : join(pool, deadline_ns);
    if (result != PE_EDEADLK)
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return result;
}

/* A queued record is the host's to cancel. False: a worker was quicker. */
bool pe__pool_cancel_if_queued(pe_pool *pool, uint32_t index)
{
    uint64_t sequence = pool->entries[index].sequence;
    uint64_t queued = pe__pool_queued_word(&pool->entries[index]);
    uint64_t cancelled = pe__record_word(sequence, 0, PE__RECORD_CANCELLED);
    if (!pe__record_swap(&pool->shared.records[index], queued, cancelled))
        return false;
    pe__pool_end_unclaimed(pool, index, PE_CANCELLED);
    if (pool->leader)
        pe__bell_ring_host(pool->bell); /* it may sleep for this very record, which no worker will ring for now */
    return true;
}

/* One that runs is the keeper's. */
void pe__pool_stop_record(pe_pool *pool, uint32_t index, int64_t grace_ns)
{
    if (pe__pool_cancel_if_queued(pool, index))
        return;
    struct pe__message message = { .type = PE__MESSAGE_STOP_JOB,
                                   .record = index,
                                   .sequence = pool->entries[index].sequence,
                                   .grace_ns = grace_ns,
                                   .phase = PE__RECORD_CANCELLED };
    pool->entries[index].stop_asked = pool->entries[index].more_used = true;
    pe__limit_ask(&pool->shared.records_more[index].asked, message.sequence);
    pe__pool_tell_keeper(pool, &message);
}

static void cancel_queued_jobs(pe_pool *pool, struct pe__level *level)
{
    PE__BASE_LIST_EACH_SAFE(link, after, &level->busy) {
        uint32_t record = pe__pool_record_of(pool, link);
        pe_job *job = pool->entries[record].job;
        if (!job->is_map)
            pe__pool_cancel_if_queued(pool, record);
    }
}

int pe_pool_cancel_queued(pe_pool *pool)
{
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    PE__POOL_EACH_LEVEL(level, pool)
        cancel_queued_jobs(pool, level);
    PE__BASE_LIST_EACH_SAFE(link, after, &pool->maps)
        pe__map_cancel_if_queued(pool, pe__job_of_map(link));
    if (!pe__pool_in_callback(pool))
        pe__job_run_callbacks(pool);
    pe__pool_leave(pool);
    return 0;
}
