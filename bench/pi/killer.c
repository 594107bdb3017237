/* The killer's thread. It takes a process id out of its slot before it kills, and a worker puts it in anew
 * for each piece of work, so no process is killed twice; a worker that has just left its work may die
 * idle, which is allowed. Workers end only after the killer has been stopped, so an id is never somebody
 * else's. */

#include "pi/killer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct pi_victims {
    uint32_t count;
    _Atomic int32_t pid[];
};

struct pi_killer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    pi_victims *victims;
    int64_t every_ns;
    uint64_t random;
    uint64_t kills;         /* the thread's until it has been joined */
    int stop;               /* under mutex */
};

size_t pi_victims_bytes(uint32_t workers)
{
    return sizeof(pi_victims) + workers * sizeof(_Atomic int32_t);
}

void pi_victims_init(pi_victims *victims, uint32_t workers)
{
    victims->count = workers;
    for (uint32_t i = 0; i < workers; i++)
        atomic_init(&victims->pid[i], 0);
}

void pi_victims_enter(pi_victims *victims, int worker)
{
    if (worker >= 0 && (uint32_t)worker < victims->count)
        atomic_store(&victims->pid[worker], (int32_t)getpid());
}

void pi_victims_leave(pi_victims *victims, int worker)
{
    if (worker >= 0 && (uint32_t)worker < victims->count)
        atomic_store(&victims->pid[worker], 0);
}

static void kill_one(pi_killer *killer)
{
    pi_victims *victims = killer->victims;

    killer->random ^= killer->random << 13;
    killer->random ^= killer->random >> 7;
    killer->random ^= killer->random << 17;
    for (uint32_t i = 0; i < victims->count; i++) {
        uint32_t slot = (uint32_t)((killer->random + i) % victims->count);
        int32_t pid = atomic_exchange(&victims->pid[slot], 0);

        if (pid > 1 && kill(pid, SIGKILL) == 0) {
            killer->kills++;
            return;
        }
    }
}

static void *run(void *context)
{
    pi_killer *killer = context;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&killer->mutex);
    while (!killer->stop) {
        int64_t ns = next.tv_nsec + killer->every_ns;
        next.tv_sec += (time_t)(ns / 1000000000);
        next.tv_nsec = (long)(ns % 1000000000);
        while (!killer->stop
               && pthread_cond_timedwait(&killer->stopped, &killer->mutex, &next) != ETIMEDOUT)
            continue;
        if (!killer->stop)
            kill_one(killer);
    }
    pthread_mutex_unlock(&killer->mutex);
    return NULL;
}

int pi_killer_start(pi_victims *victims, int64_t every_ns, uint64_t seed, pi_killer **ret_killer)
{
    pi_killer *killer = calloc(1, sizeof(*killer));
    pthread_condattr_t attributes;
    int error;

    if (killer == NULL)
        return -ENOMEM;
    killer->victims = victims;
    killer->every_ns = every_ns;
    killer->random = seed | UINT64_C(1) << 63;
    pthread_mutex_init(&killer->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&killer->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    error = pthread_create(&killer->thread, NULL, run, killer);
    if (error != 0) {
        free(killer);
        return -error;
    }
    *ret_killer = killer;
    return 0;
}

uint64_t pi_killer_stop(pi_killer *killer)
{
    uint64_t kills;

    if (killer == NULL)
        return 0;
    pthread_mutex_lock(&killer->mutex);
    killer->stop = 1;
    pthread_cond_signal(&killer->stopped);
    pthread_mutex_unlock(&killer->mutex);
    pthread_join(killer->thread, NULL);
    kills = killer->kills;
    pthread_cond_destroy(&killer->stopped);
    pthread_mutex_destroy(&killer->mutex);
    free(killer);
    return kills;
}
