/*
 * write_signals.c - the two signals are blocked, and what has come is taken away again before they are unblocked. Both
 * are raised in the thread that writes. Only a thread that had one blocked can have it pending from before.
 */
#include "base/write_signals.h"

#include <errno.h>
#include <time.h>

static const int signals[PE__BASE_WRITE_SIGNALS] = { SIGPIPE, SIGXFSZ };

void pe__base_write_signals_hold(struct pe__base_write_signals *ret)
{
    sigset_t both, pending;

    sigemptyset(&both);
    for (int i = 0; i < PE__BASE_WRITE_SIGNALS; i++)
        sigaddset(&both, signals[i]);
    pthread_sigmask(SIG_BLOCK, &both, &ret->mask);
    sigemptyset(&pending);
    if (sigismember(&ret->mask, SIGPIPE) == 1 || sigismember(&ret->mask, SIGXFSZ) == 1)
        sigpending(&pending);
    for (int i = 0; i < PE__BASE_WRITE_SIGNALS; i++)
        ret->was_pending[i] = sigismember(&pending, signals[i]) == 1;
}

static void take_away(int number)
{
    static const struct timespec at_once = { 0, 0 };
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, number);
    while (sigtimedwait(&one, NULL, &at_once) < 0 && errno == EINTR)
        ;
}

void pe__base_write_signals_release(const struct pe__base_write_signals *held, bool may_have_come)
{
    int saved = errno;

    for (int i = 0; i < PE__BASE_WRITE_SIGNALS && may_have_come; i++)
        if (!held->was_pending[i])
            take_away(signals[i]);
    pthread_sigmask(SIG_SETMASK, &held->mask, NULL);
    errno = saved;
}
