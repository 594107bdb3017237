/*
 * disposition.c - what the process does on signals that something of ours listens for.
 *
 * libuv shares signals among all of its loops: its handler is installed with the first handle for a signal, and the
 * default action, whatever there was before, with the last. So what there was is noted before our first handle of a
 * signal, and put back after our last, unless libuv's handler is still there, for handles of others, or the program has
 * set something else meanwhile. The signal is blocked while that is done, so that the calling thread at least never has
 * the default action.
 *
 * A forked child has libuv's handler and its list of handles, and would write to the pipes of the parent's loops. There
 * our handles are stopped, which touches nothing but the child's own memory, and what there was is put back.
 *
 * One mutex guards all of it. It is taken before a fork, so that the child finds the books in order, and before libuv's
 * lock of signals.
 */
#include "async/disposition.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include <parexec/error.h>

#define NUMBERS 65

struct disposition {
    uint32_t users;
    struct sigaction before; /* what there was */
    struct sigaction taken;  /* libuv's */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct pe__base_list users = PE__BASE_LIST_INIT(users);
static struct disposition dispositions[NUMBERS];
static bool is_told_of_forks;

static bool is_same(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_handler == b->sa_handler;
}

static void stop(struct pe__disposition_user *user)
{
    struct disposition *disposition = &dispositions[user->number];
    struct sigaction now, left;

    pe__base_list_remove(&user->link);
    sigaction(user->number, NULL, &now);
    uv_signal_stop(user->handle);
    if (--disposition->users > 0)
        return;
    sigaction(user->number, NULL, &left);
    if (!is_same(&now, &disposition->taken))
        sigaction(user->number, &now, NULL); /* the program's, set meanwhile */
    else if (!is_same(&left, &disposition->taken) && !is_same(&disposition->before, &disposition->taken))
        sigaction(user->number, &disposition->before, NULL);
}

/* ---- forks ---- */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

static void in_child(void)
{
    PE__BASE_LIST_EACH_SAFE(link, after, &users)
        stop(PE__BASE_LIST_ENTRY(link, struct pe__disposition_user, link));
    pthread_mutex_unlock(&mutex);
}

/* ---- users ---- */

static int start(struct pe__disposition_user *user, uv_signal_cb on_signal)
{
    struct disposition *disposition = &dispositions[user->number];

    if (!is_told_of_forks && pthread_atfork(before_fork, after_fork, in_child) != 0)
        return PE_ENOMEM;
    is_told_of_forks = true;
    if (disposition->users == 0)
        sigaction(user->number, NULL, &disposition->before);
    int result = uv_signal_start(user->handle, on_signal, user->number);
    if (result < 0)
        return result;
    if (disposition->users++ == 0)
        sigaction(user->number, NULL, &disposition->taken);
    pe__base_list_push_back(&users, &user->link);
    return 0;
}

int pe__disposition_take(struct pe__disposition_user *user, uv_signal_t *handle, int number, uv_signal_cb on_signal)
{
    if (number <= 0 || number >= NUMBERS)
        return PE_EINVAL;
    *user = (struct pe__disposition_user){ .handle = handle, .number = number };
    pthread_mutex_lock(&mutex);
    int result = start(user, on_signal);
    pthread_mutex_unlock(&mutex);
    return result;
}

void pe__disposition_give_back(struct pe__disposition_user *user)
{
    sigset_t blocked, before;

    sigemptyset(&blocked);
    sigaddset(&blocked, user->number);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    pthread_mutex_lock(&mutex);
    stop(user);
    pthread_mutex_unlock(&mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
