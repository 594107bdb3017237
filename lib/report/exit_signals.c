/*
 * exit_signals.c - a report although a signal ends the program.
 *
 * A report allocates and uses stdio; a signal handler can do neither, for the thread that it interrupts may be in the
 * middle of malloc and hold its lock. A fork in the handler inherits that lock. So the handler only posts a semaphore,
 * which is safe, and returns; a thread that has waited for that since the start writes the report while the
 * interrupted thread goes on and so gives back whatever it holds. Then that thread ends the program by the same signal
 * with its default action, so that whoever waits for the program sees what it would have seen without us. The price is
 * a thread in the program, which is why this is done on request only, and a program that runs some milliseconds longer.
 *
 * Only a signal with the default action gets a handler, so what nohup or a shell ignores stays ignored; a program that
 * sets its own later takes ours away. The handler holds for one delivery (SA_RESETHAND): a second signal ends the
 * program at once. Two different ones: the second finds that the first was taken, and raises itself again.
 *
 * A forked child has the handler, but not the thread: there the handler raises the signal again, which has its default
 * action by then.
 */
#include "report/exit_signals.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/forked.h"

#define NOT_STARTED 0
#define WAITING (-1)
#define STOPPED (-2)

static const int watched[2] = { SIGINT, SIGTERM };

/* One of the above, or the signal that came first; leaves WAITING once. */
static _Atomic int state = NOT_STARTED;
static uint64_t token;
static sem_t changed;
static pthread_t thread;
static void (*act_before)(void);

static bool leave_waiting(int next)
{
    int waiting = WAITING;

    return atomic_compare_exchange_strong(&state, &waiting, next);
}

static void handle(int number)
{
    int saved = errno;

    if (!pe__base_forked(token) && leave_waiting(number))
        sem_post(&changed);
    else
        raise(number);
    errno = saved;
}

static void end_by(int number)
{
    sigset_t one;

    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
}

static void *wait_for_signal(void *unused)
{
    int number;

    while (sem_wait(&changed) != 0)
        ;
    number = atomic_load(&state);
    if (number > 0) {
        act_before();
        end_by(number); /* returns in the first process of a container */
    }
    return unused;
}

static int start_thread(void)
{
    sigset_t all, former;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    error = pthread_create(&thread, NULL, wait_for_signal, NULL);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (!error)
        pthread_setname_np(thread, "pe-exit-report");
    return -error;
}

int pe__exit_signals_start(void (*before)(void))
{
    struct sigaction ours = { .sa_flags = SA_RESTART | SA_RESETHAND }, former;
    int error = pe__base_forked_token(&token);

    if (error)
        return error;
    act_before = before;
    sem_init(&changed, 0, 0);
    error = start_thread();
    if (error)
        return error;
    atomic_store(&state, WAITING);
    ours.sa_handler = handle;
    sigemptyset(&ours.sa_mask);
    for (int i = 0; i < 2; i++)
        if (sigaction(watched[i], NULL, &former) == 0 && former.sa_handler == SIG_DFL)
            sigaction(watched[i], &ours, NULL);
    return 0;
}

bool pe__exit_signals_stop(void)
{
    struct sigaction current;
    bool came;

    if (atomic_load(&state) == NOT_STARTED)
        return true;
    came = !leave_waiting(STOPPED);
    if (!came)
        sem_post(&changed);
    for (int i = 0; i < 2; i++)
        if (sigaction(watched[i], NULL, &current) == 0 && current.sa_handler == handle)
            signal(watched[i], SIG_DFL);
    pthread_join(thread, NULL);
    return !came;
}
