/* What waking a thread and being woken by it costs at least when both sides sleep: an eventfd each way, the thread
 * blocks in a read, the host in epoll_wait as a loop does. */

#include "async/steps.h"
#include "pool/work.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STOP UINT64_MAX

struct event {
    int there, back, epoll;
    uint64_t word; /* of whoever was woken last */
    pthread_t thread;
};

static void wake(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) != sizeof(one))
        abort();
}

static void take(int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof(count)) != sizeof(count))
        abort();
}

static void *serve(void *context)
{
    struct event *event = context;
    for (;;) {
        take(event->there);
        if (event->word == STOP)
            return NULL;
        event->word = work_job(event->word);
        wake(event->back);
    }
}

static uint64_t run_trips(void *state, const struct plan *plan, uint64_t n)
{
    struct event *event = state;
    struct epoll_event ready;
    uint64_t sum = 0;
    (void)plan;
    for (uint64_t i = 0; i < n; i++) {
        event->word = i << 32;
        wake(event->there);
        if (epoll_wait(event->epoll, &ready, 1, -1) != 1)
            return 0;
        take(event->back);
        sum += event->word;
        trip_mark();
    }
    return sum;
}

static int open_event(const struct plan *plan, void **ret_state)
{
    struct event *event = calloc(1, sizeof(*event));
    (void)plan;
    event->there = eventfd(0, EFD_CLOEXEC);
    event->back = eventfd(0, EFD_CLOEXEC);
    event->epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(event->epoll, EPOLL_CTL_ADD, event->back, &(struct epoll_event){ .events = EPOLLIN });
    if (pthread_create(&event->thread, NULL, serve, event) != 0)
        abort();
    *ret_state = event;
    return 0;
}

static void close_event(void *state)
{
    struct event *event = state;
    event->word = STOP;
    wake(event->there);
    pthread_join(event->thread, NULL);
    close(event->there);
    close(event->back);
    close(event->epoll);
    free(event);
}

const struct steps event_trips = { open_event, run_trips, close_event };
