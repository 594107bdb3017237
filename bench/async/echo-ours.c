/* Our echo server: a task for each connection, which reads and writes as if it were alone. */

#include "async/echo.h"

#include <arpa/inet.h>
#include <parexec.h>

#define BUFFER_BYTES 4096

struct talk {
    pe_socket *socket;
    char bytes[BUFFER_BYTES];
};

static int talk(pe_task *t, void *frame)
{
    struct talk *f = frame;
    PE_BEGIN(t);
    for (;;) {
        PE_AWAIT(t, pe_socket_read(t, f->socket, f->bytes, sizeof(f->bytes)));
        if (t->result <= 0)
            break;
        PE_AWAIT(t, pe_socket_write(t, f->socket, f->bytes, (size_t)t->result));
        if (t->result < 0)
            break;
    }
    pe_socket_free(f->socket);
    PE_END(t);
}

struct welcome {
    pe_listener *listener;
    pe_socket *socket;
};

static int start_talk(pe_task *t, pe_socket *socket)
{
    pe_task *task;
    int r = pe_spawn(pe_task_loop(t), talk, NULL, sizeof(struct talk), &task);
    if (r < 0)
        return r;
    ((struct talk *)pe_task_frame(task))->socket = socket;
    pe_task_free(task);
    return 0;
}

static int welcome(pe_task *t, void *frame)
{
    struct welcome *f = frame;
    PE_BEGIN(t);
    for (;;) {
        PE_TRY(t, pe_accept(t, f->listener, &f->socket));
        PE_TRY(t, start_talk(t, f->socket));
    }
    PE_END(t);
}

static int listen_anywhere(pe_loop *loop, int report, pe_listener **ret_listener)
{
    struct sockaddr_storage address;
    size_t bytes;
    int r = pe_address_parse("127.0.0.1", 0, &address, &bytes);
    if (r == 0)
        r = pe_tcp_listen(loop, (const struct sockaddr *)&address, bytes, ECHO_BACKLOG, ret_listener);
    if (r == 0)
        r = pe_listener_local(*ret_listener, &address, &bytes);
    if (r == 0)
        echo_report(report, ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port));
    return r;
}

void echo_ours(int report)
{
    struct welcome f = { 0 };
    pe_loop *loop;
    if (pe_loop_new(NULL, &loop) < 0)
        return;
    if (listen_anywhere(loop, report, &f.listener) == 0 &&
        pe_spawn(loop, welcome, &f, sizeof(f), NULL) == 0)
        pe_loop_run(loop);
}
