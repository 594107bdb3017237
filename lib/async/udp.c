/*
 * udp.c - datagrams.
 *
 * Both ways have a queue of tasks that wait. The system is asked for the first of them until it has nothing, or no
 * room; a task that comes to an empty queue is tried at once.
 */
#include <errno.h>
#include <stdlib.h>

#include <parexec/udp.h>

#include "async/address.h"
#include "async/descriptor.h"
#include "base/fd.h"

/* One datagram to receive or to send. */
struct datagram {
    void *bytes;
    size_t count;
    struct sockaddr_storage *ret_from;
    size_t *ret_bytes;
    const struct sockaddr *to;
    size_t to_bytes;
};

/* Of the loop's slab. */
struct waiter {
    struct pe__base_list link;
    struct pe__task *task;
    struct datagram datagram;
};

/* One of the two ways. */
struct way {
    struct pe__base_list waiters;
    int event; /* UV_READABLE or UV_WRITABLE */
    bool may_go; /* trying might do without waiting */
    int (*go)(int fd, const struct datagram *datagram); /* the result, or PE_WAIT */
};

struct pe_udp {
    struct pe__descriptor descriptor;
    struct way in;
    struct way out;
};

static pe_udp *of_descriptor(struct pe__descriptor *descriptor)
{
    return PE__BASE_LIST_ENTRY(descriptor, pe_udp, descriptor);
}

static struct pe__descriptor *descriptor_of(const pe_udp *udp)
{
    return (struct pe__descriptor *)(uintptr_t)udp;
}

static int result_of(ssize_t done)
{
    if (done >= 0)
        return (int)done;
    return errno == EAGAIN ? PE_WAIT : -errno;
}

/* With MSG_TRUNC the system tells how large it was. */
static int receive(int fd, const struct datagram *datagram)
{
    struct sockaddr_storage from = { 0 };
    socklen_t bytes = sizeof from;
    ssize_t got;

    do
        got = recvfrom(fd, datagram->bytes, datagram->count, MSG_TRUNC, (struct sockaddr *)&from, &bytes);
    while (got < 0 && errno == EINTR);
    if (got >= 0 && datagram->ret_from != NULL)
        *datagram->ret_from = from;
    if (got >= 0 && datagram->ret_bytes != NULL)
        *datagram->ret_bytes = bytes;
    return result_of(got);
}

static int send_out(int fd, const struct datagram *datagram)
{
    ssize_t sent;

    do
        sent = sendto(fd, datagram->bytes, datagram->count, MSG_NOSIGNAL, datagram->to, (socklen_t)datagram->to_bytes);
    while (sent < 0 && errno == EINTR);
    return result_of(sent < 0 ? sent : 0);
}

/* ---- waiting ---- */

static void end_first(pe_udp *udp, struct way *way, int result)
{
    struct waiter *waiter = PE__BASE_LIST_ENTRY(pe__base_list_pop_front(&way->waiters), struct waiter, link);
    struct pe__task *task = waiter->task;

    pe__slab_free(&udp->descriptor.loop->slab, waiter, sizeof *waiter);
    pe__wait_end(task, result);
}

static int go(pe_udp *udp, struct way *way, const struct datagram *datagram)
{
    int result = way->go(udp->descriptor.fd, datagram);

    way->may_go = result != PE_WAIT;
    return result;
}

/* Serves those who wait, in their order. Whether there were any. */
static bool serve(pe_udp *udp, struct way *way)
{
    bool is_wanted = !pe__base_list_empty(&way->waiters);

    while (!pe__base_list_empty(&way->waiters)) {
        struct waiter *first = PE__BASE_LIST_ENTRY(way->waiters.next, struct waiter, link);
        int result = go(udp, way, &first->datagram);

        if (result == PE_WAIT) {
            result = pe__descriptor_look_for(&udp->descriptor, way->event);
            if (result == 0)
                break;
        }
        end_first(udp, way, result);
    }
    if (!is_wanted)
        way->may_go = true;
    return is_wanted;
}

static int ready(struct pe__descriptor *descriptor, int events)
{
    pe_udp *udp = of_descriptor(descriptor);
    int unwanted = 0;

    if ((events & UV_READABLE) && !serve(udp, &udp->in))
        unwanted |= UV_READABLE;
    if ((events & UV_WRITABLE) && !serve(udp, &udp->out))
        unwanted |= UV_WRITABLE;
    return unwanted;
}

static void closing(struct pe__descriptor *descriptor)
{
    pe_udp *udp = of_descriptor(descriptor);

    while (!pe__base_list_empty(&udp->in.waiters))
        end_first(udp, &udp->in, PE_ECLOSED);
    while (!pe__base_list_empty(&udp->out.waiters))
        end_first(udp, &udp->out, PE_ECLOSED);
}

static const struct pe__descriptor_kind kind = { ready, closing, "datagrams" };

static void cancel(struct pe__task *task)
{
    struct waiter *waiter = task->object;

    pe__base_list_remove(&waiter->link);
    pe__slab_free(&task->loop->slab, waiter, sizeof *waiter);
    pe__wait_end(task, PE_ECANCELED);
}

static const struct pe__wait_kind receive_kind = { .name = "a datagram", .cancel = cancel };
static const struct pe__wait_kind send_kind = { .name = "room for a datagram", .cancel = cancel };

static int wait_for(pe_task *t, pe_udp *udp, struct way *way, const struct datagram *datagram)
{
    struct pe__task *task = pe__task_of(t);
    struct waiter *waiter = pe__slab_new(&task->loop->slab, sizeof *waiter);

    if (waiter == NULL)
        return PE_ENOMEM;
    int result = pe__wait_begin(t, way == &udp->in ? &receive_kind : &send_kind, waiter);
    if (result == PE_WAIT) {
        int looked = pe__descriptor_look_for(&udp->descriptor, way->event);

        if (looked == 0) {
            *waiter = (struct waiter){ .task = task, .datagram = *datagram };
            pe__base_list_push_back(&way->waiters, &waiter->link);
            udp->descriptor.at_once = 0;
            return PE_WAIT;
        }
        result = pe__wait_undo(task, looked);
    }
    pe__slab_free(&task->loop->slab, waiter, sizeof *waiter);
    return result;
}

static int begin(pe_task *t, pe_udp *udp, struct way *way, const struct datagram *datagram)
{
    if (pe__base_list_empty(&way->waiters) && (way->may_go || pe__task_of(t)->stop != 0)) {
        int result = go(udp, way, datagram);

        if (result != PE_WAIT)
            return pe__descriptor_at_once(&udp->descriptor, pe__task_of(t), result);
    }
    return wait_for(t, udp, way, datagram);
}

int pe_udp_receive(pe_task *t, pe_udp *udp, void *buffer, size_t bytes, struct sockaddr_storage *ret_from,
                   size_t *ret_bytes)
{
    struct datagram datagram = { .bytes = buffer, .count = bytes, .ret_from = ret_from, .ret_bytes = ret_bytes };
    int result = pe__descriptor_wait_check(t, descriptor_of(udp));

    if (result == 0 && buffer == NULL && bytes > 0)
        result = PE_EINVAL;
    return result != 0 ? result : begin(t, udp, &udp->in, &datagram);
}

int pe_udp_send(pe_task *t, pe_udp *udp, const void *data, size_t bytes, const struct sockaddr *to, size_t to_bytes)
{
    struct datagram datagram = { .bytes = (void *)(uintptr_t)data, .count = bytes, .to = to, .to_bytes = to_bytes };
    int result = pe__descriptor_wait_check(t, descriptor_of(udp));

    if (result == 0 && data == NULL && bytes > 0)
        result = PE_EINVAL;
    if (result == 0 && to != NULL)
        result = pe__address_check(to, to_bytes);
    if (result != 0)
        return result;
    if (to == NULL)
        datagram.to_bytes = 0;
    return begin(t, udp, &udp->out, &datagram);
}

/* ---- life ---- */

/* One that has no address yet. */
static int open_udp(pe_loop *loop, int family, pe_udp **ret_udp)
{
    pe_udp *udp = pe__descriptor_new(sizeof *udp);
    int fd = udp != NULL ? pe__base_fd_raise(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) : PE_ENOMEM;
    int result = fd < 0 ? fd : pe__descriptor_open(&udp->descriptor, loop, fd, &kind);

    if (result < 0) {
        if (fd >= 0)
            pe__base_fd_close(fd);
        free(udp);
        return result;
    }
    udp->in = (struct way){ .event = UV_READABLE, .go = receive };
    udp->out = (struct way){ .event = UV_WRITABLE, .may_go = true, .go = send_out };
    pe__base_list_init(&udp->in.waiters);
    pe__base_list_init(&udp->out.waiters);
    *ret_udp = udp;
    return 0;
}

int pe_udp_open(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, pe_udp **ret_udp)
{
    int result = pe__descriptor_loop_check(loop);
    pe_udp *udp = NULL;

    if (result == 0)
        result = ret_udp != NULL ? pe__address_check(address, address_bytes) : PE_EINVAL;
    if (result == 0)
        result = open_udp(loop, address->sa_family, &udp);
    if (result != 0)
        return result;
    if (bind(udp->descriptor.fd, address, (socklen_t)address_bytes) < 0) {
        result = -errno;
        pe__descriptor_free(&udp->descriptor);
        return result;
    }
    *ret_udp = udp;
    return 0;
}

int pe_udp_connect(pe_udp *udp, const struct sockaddr *address, size_t address_bytes)
{
    int result = pe__descriptor_check(descriptor_of(udp));

    if (result == 0)
        result = pe__address_check(address, address_bytes);
    if (result < 0)
        return result;
    return connect(udp->descriptor.fd, address, (socklen_t)address_bytes) < 0 ? -errno : 0;
}

void pe_udp_free(pe_udp *udp)
{
    pe__descriptor_give_back(descriptor_of(udp));
}

int pe_udp_fd(const pe_udp *udp)
{
    return pe__descriptor_fd(descriptor_of(udp));
}

int pe_udp_local(const pe_udp *udp, struct sockaddr_storage *ret_address, size_t *ret_bytes)
{
    return pe__descriptor_local(descriptor_of(udp), ret_address, ret_bytes);
}
