#include "harness/harness.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/sockets.h"

#define GUARD_MS 20000

pe_loop *sockets_loop;

static char directory[64], path[80];

void sockets_begin(void)
{
    strcpy(directory, "/tmp/test-socket-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    sockets_loop = async_loop();
}

void sockets_end(void)
{
    pe_loop_free(sockets_loop);
    unlink(path);
    MUST(rmdir(directory), 0);
}

const char *sockets_path(void)
{
    return path;
}

/* ---- operations ---- */

static int begin(pe_task *t, const struct operation *o)
{
    void *to = (void *)(uintptr_t)o->data;

    switch (o->kind) {
    case READ: return pe_socket_read(t, o->socket, to, o->bytes);
    case READ_EXACTLY: return pe_socket_read_exactly(t, o->socket, to, o->bytes);
    case READ_UNTIL: return pe_socket_read_until(t, o->socket, to, o->bytes, o->delimiter);
    case WRITE: return pe_socket_write(t, o->socket, o->data, o->bytes);
    case WRITEV: return pe_socket_writev(t, o->socket, o->data, o->bytes);
    case ACCEPT: return pe_accept(t, o->listener, o->ret_socket);
    case CONNECT: return pe_tcp_connect(t, o->data, o->bytes, o->ret_socket);
    default: return pe_unix_connect(t, o->data, o->ret_socket);
    }
}

static int operate(pe_task *t, void *frame)
{
    struct operation *o = frame;

    PE_BEGIN(t);
    if (o->deadline_ns != 0)
        PE_AWAIT_UNTIL(t, &o->limit, o->deadline_ns, begin(t, o));
    else
        PE_AWAIT(t, begin(t, o));
    PE_RETURN(t, t->result);
    PE_END(t);
}

pe_task *operation_start(struct operation operation)
{
    pe_task *task;

    MUST(pe_spawn(sockets_loop, operate, &operation, sizeof operation, &task), 0);
    return task;
}

int operation_finish(pe_task *task)
{
    int64_t guard_ns = pe_after(PE_MS(GUARD_MS));

    sockets_settle();
    while (!pe_task_has_ended(task)) {
        ck_assert_msg(pe_now() < guard_ns, "an operation does not end");
        sockets_turn();
    }
    int result = pe_task_result(task);
    pe_task_free(task);
    return result;
}

int operation_cancel(pe_task *task)
{
    MUST(pe_task_cancel(task), 0);
    return operation_finish(task);
}

int operation_run(struct operation operation)
{
    return operation_finish(operation_start(operation));
}

int operation_run_until(struct operation operation, int64_t deadline_ns)
{
    operation.deadline_ns = deadline_ns;
    return operation_run(operation);
}

void sockets_settle(void)
{
    while (pe_loop_poll(sockets_loop) > 0)
        ;
}

void sockets_turn(void)
{
    int64_t next_ns = pe_loop_next_ns(sockets_loop);
    int milliseconds = next_ns < PE_MS(GUARD_MS) ? (int)((next_ns + 999999) / 1000000) : GUARD_MS;

    poll(&(struct pollfd){ pe_loop_fd(sockets_loop), POLLIN, 0 }, 1, milliseconds);
    sockets_settle();
}

/* ---- connections ---- */

int transport_is_there(enum transport transport)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    if (transport != TCP6)
        return 1;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    int is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_there;
}

pe_listener *listener_of(enum transport transport)
{
    struct sockaddr_storage address;
    pe_listener *listener;
    size_t bytes;

    if (transport == UNIX) {
        MUST(pe_unix_listen(sockets_loop, path, 0, &listener), 0);
        return listener;
    }
    MUST(pe_address_parse(transport == TCP ? "127.0.0.1" : "::1", 0, &address, &bytes), 0);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, &listener), 0);
    return listener;
}

pe_task *connection_start(const pe_listener *listener, pe_socket **ret_socket)
{
    static struct sockaddr_storage address; /* of any number of attempts to the same listener */
    size_t bytes;

    MUST(pe_listener_local(listener, &address, &bytes), 0);
    return operation_start(address.ss_family == AF_UNIX ? CONNECT_PATH_OF(path, ret_socket)
                                                        : CONNECT_OF(&address, bytes, ret_socket));
}

struct pair pair_of(enum transport transport)
{
    pe_listener *listener = listener_of(transport);
    struct pair pair;
    pe_task *connects = connection_start(listener, &pair.here);

    MUST(operation_run(ACCEPT_OF(listener, &pair.there)), 0);
    MUST(operation_finish(connects), 0);
    pe_listener_free(listener);
    return pair;
}

void pair_free(struct pair *pair)
{
    pe_socket_free(pair->here);
    pe_socket_free(pair->there);
}
