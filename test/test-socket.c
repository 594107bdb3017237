/*
 * Sockets: connecting, accepting, reading and writing, each as one operation of a task of its own, and many of them at
 * once. TCP on the loopback, UNIX sockets in a directory of the test's.
 */
#include "harness/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/async.h"

#define GUARD_MS 20000

/* ---- operations ---- */

/* What a task does, once; its result is the task's. */
enum what { READ, READ_EXACTLY, READ_UNTIL, WRITE, WRITEV, ACCEPT, CONNECT, CONNECT_PATH };

struct operation {
    enum what what;
    pe_socket *socket;
    pe_listener *listener;
    const void *data; /* or the buffer, the pieces, the address, the path */
    size_t bytes;
    const char *delimiter;
    pe_socket **ret_socket;
};

static int begin_operation(pe_task *t, const struct operation *o)
{
    switch (o->what) {
    case READ: return pe_socket_read(t, o->socket, (void *)(uintptr_t)o->data, o->bytes);
    case READ_EXACTLY: return pe_socket_read_exactly(t, o->socket, (void *)(uintptr_t)o->data, o->bytes);
    case READ_UNTIL: return pe_socket_read_until(t, o->socket, (void *)(uintptr_t)o->data, o->bytes, o->delimiter);
    case WRITE: return pe_socket_write(t, o->socket, o->data, o->bytes);
    case WRITEV: return pe_socket_writev(t, o->socket, o->data, o->bytes);
    case ACCEPT: return pe_accept(t, o->listener, o->ret_socket);
    case CONNECT: return pe_tcp_connect(t, o->data, o->bytes, o->ret_socket);
    default: return pe_unix_connect(t, o->data, o->ret_socket);
    }
}

static int operate(pe_task *t, void *frame)
{
    PE_BEGIN(t);
    PE_AWAIT(t, begin_operation(t, frame));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static pe_loop *loop; /* of the test */

static pe_task *start(struct operation operation)
{
    pe_task *task;

    MUST(pe_spawn(loop, operate, &operation, sizeof operation, &task), 0);
    return task;
}

/* One pass of the loop, or more; sleeps till there is something to do. */
static void turn(void)
{
    while (pe_loop_poll(loop) > 0)
        ;
    int64_t next_ns = pe_loop_next_ns(loop);
    int milliseconds = next_ns < PE_MS(GUARD_MS) ? (int)(next_ns / 1000000) + 1 : GUARD_MS;

    poll(&(struct pollfd){ pe_loop_fd(loop), POLLIN, 0 }, 1, milliseconds);
}

/* Till nothing more happens by itself. */
static void settle(void)
{
    while (pe_loop_poll(loop) > 0)
        ;
}

/* The task's result; its handle is given back. */
static int finish(pe_task *task)
{
    int64_t guard_ns = pe_after(PE_MS(GUARD_MS));

    while (!pe_task_has_ended(task)) {
        ck_assert_msg(pe_now() < guard_ns, "a task does not end");
        settle();
        if (!pe_task_has_ended(task))
            turn();
    }
    int result = pe_task_result(task);
    pe_task_free(task);
    return result;
}

static int run(struct operation operation)
{
    return finish(start(operation));
}

#define READ_OF(socket, buffer, bytes) ((struct operation){ READ, socket, NULL, buffer, bytes, NULL, NULL })
#define EXACTLY_OF(socket, buffer, bytes) ((struct operation){ READ_EXACTLY, socket, NULL, buffer, bytes, NULL, NULL })
#define UNTIL_OF(socket, buffer, bytes, mark) \
    ((struct operation){ READ_UNTIL, socket, NULL, buffer, bytes, mark, NULL })
#define WRITE_OF(socket, data, bytes) ((struct operation){ WRITE, socket, NULL, data, bytes, NULL, NULL })
#define WRITEV_OF(socket, pieces, count) ((struct operation){ WRITEV, socket, NULL, pieces, count, NULL, NULL })
#define ACCEPT_OF(listener, ret_socket) ((struct operation){ ACCEPT, NULL, listener, NULL, 0, NULL, ret_socket })
#define CONNECT_OF(address, bytes, ret_socket) \
    ((struct operation){ CONNECT, NULL, NULL, address, bytes, NULL, ret_socket })
#define CONNECT_PATH_OF(path, ret_socket) \
    ((struct operation){ CONNECT_PATH, NULL, NULL, path, 0, NULL, ret_socket })

/* ---- pairs ---- */

enum kind { TCP, TCP6, UNIX, KINDS };

static char directory[64], path[80];

static void begin(void)
{
    strcpy(directory, "/tmp/test-socket-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    MUST(pe_loop_new(NULL, &loop), 0);
}

static void end(void)
{
    pe_loop_free(loop);
    unlink(path);
    MUST(rmdir(directory), 0);
}

static int ip6_is_there(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return is_there;
}

static pe_listener *listener_of(enum kind kind)
{
    struct sockaddr_storage address;
    pe_listener *listener;
    size_t bytes;

    if (kind == UNIX) {
        MUST(pe_unix_listen(loop, path, 0, &listener), 0);
        return listener;
    }
    MUST(pe_address_parse(kind == TCP ? "127.0.0.1" : "::1", 0, &address, &bytes), 0);
    MUST(pe_tcp_listen(loop, (struct sockaddr *)&address, bytes, 0, &listener), 0);
    return listener;
}

static pe_task *connect_to(const pe_listener *listener, pe_socket **ret_socket)
{
    static struct sockaddr_storage address; /* of any number of attempts to the same one */
    size_t bytes;

    MUST(pe_listener_local(listener, &address, &bytes), 0);
    return start(address.ss_family == AF_UNIX ? CONNECT_PATH_OF(path, ret_socket)
                                              : CONNECT_OF(&address, bytes, ret_socket));
}

/* Two ends of a connection. */
struct pair {
    pe_socket *here;
    pe_socket *there;
};

static struct pair pair_of(enum kind kind)
{
    pe_listener *listener = listener_of(kind);
    struct pair pair;
    pe_task *connects = connect_to(listener, &pair.here);

    MUST(run(ACCEPT_OF(listener, &pair.there)), 0);
    MUST(finish(connects), 0);
    pe_listener_free(listener);
    return pair;
}

static void part(struct pair *pair)
{
    pe_socket_free(pair->here);
    pe_socket_free(pair->there);
}

/* ---- there and back ---- */

PE_TEST_LOOP(bytes_go_both_ways, 0, KINDS)
{
    char buffer[100];

    if (_i == TCP6 && !ip6_is_there())
        HARNESS_SKIP("no IPv6 here");
    begin();
    struct pair pair = pair_of((enum kind)_i);
    for (int round = 0; round < 40; round++) {
        pe_task *reads = start(READ_OF(pair.there, buffer, sizeof buffer));

        if (round % 2)
            settle(); /* it waits already */
        MUST(run(WRITE_OF(pair.here, "there", 5)), 0);
        ck_assert_uint_eq(pe_socket_sent(pair.here), 5);
        MUST(finish(reads), 5);
        ck_assert_int_eq(memcmp(buffer, "there", 5), 0);
        MUST(run(WRITE_OF(pair.there, "back", 4)), 0);
        MUST(run(READ_OF(pair.here, buffer, sizeof buffer)), 4);
        ck_assert_int_eq(memcmp(buffer, "back", 4), 0);
    }
    part(&pair);
    end();
}

PE_TEST_LOOP(lines_come_one_by_one, 0, 2)
{
    static const char text[] = "first\r\nsecond line\r\n\r\nlast";
    char buffer[32];

    begin();
    struct pair pair = pair_of(_i == 0 ? TCP : UNIX);
    MUST(run(WRITE_OF(pair.here, text, sizeof text - 1)), 0);
    MUST(run(UNTIL_OF(pair.there, buffer, sizeof buffer, "\r\n")), 7);
    ck_assert_int_eq(memcmp(buffer, "first\r\n", 7), 0);
    MUST(run(UNTIL_OF(pair.there, buffer, sizeof buffer, "\r\n")), 13);
    ck_assert_int_eq(memcmp(buffer, "second line\r\n", 13), 0);
    MUST(run(UNTIL_OF(pair.there, buffer, sizeof buffer, "\r\n")), 2);
    pe_task *reads = start(UNTIL_OF(pair.there, buffer, sizeof buffer, "\r\n"));
    settle();
    MUST(pe_task_has_ended(reads), 0);
    MUST(run(WRITE_OF(pair.here, "\r", 1)), 0);
    settle();
    MUST(pe_task_has_ended(reads), 0);
    MUST(run(WRITE_OF(pair.here, "\n...", 4)), 0);
    MUST(finish(reads), 6);
    ck_assert_int_eq(memcmp(buffer, "last\r\n", 6), 0);
    MUST(run(READ_OF(pair.there, buffer, sizeof buffer)), 3);
    part(&pair);
    end();
}

PE_TEST(nobody_listens)
{
    begin();
    pe_listener *listener = listener_of(TCP);
    pe_socket *socket = NULL;
    struct sockaddr_storage address;
    size_t bytes;

    MUST(pe_listener_local(listener, &address, &bytes), 0);
    pe_listener_free(listener);
    MUST(run(CONNECT_OF(&address, bytes, &socket)), PE_ECONNREFUSED);
    MUST(run(CONNECT_PATH_OF(path, &socket)), PE_ENOENT);
    ck_assert_ptr_null(socket);
    end();
}

PE_TEST_LOOP(those_who_accept_are_served_in_their_order, 0, 2)
{
    enum { COUNT = 5 };
    pe_socket *accepted[COUNT] = { NULL }, *connected[COUNT];
    pe_task *accepts[COUNT];

    begin();
    pe_listener *listener = listener_of(_i == 0 ? TCP : UNIX);
    for (int i = 0; i < COUNT; i++)
        accepts[i] = start(ACCEPT_OF(listener, &accepted[i]));
    settle();
    for (int i = 0; i < COUNT; i++) {
        MUST(finish(connect_to(listener, &connected[i])), 0);
        MUST(finish(accepts[i]), 0);
        for (int j = 0; j < COUNT; j++)
            ck_assert((accepted[j] != NULL) == (j <= i));
    }
    for (int i = 0; i < COUNT; i++) {
        pe_socket_free(accepted[i]);
        pe_socket_free(connected[i]);
    }
    pe_listener_free(listener);
    end();
}

HARNESS_MAIN("socket")
