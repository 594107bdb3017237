/*
 * connection.c: reads lines and starts a request for each.
 *
 * The group of connections is cancelled when the server is to end. Then a connection reads no more, answers what it has
 * read, and closes; one whose peer takes no answers is given up after a while.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>

#define LAST_WORDS_NS PE_SECONDS(3)

static int open_connection(struct connection *f, pe_loop *loop)
{
    int error = pe_group_new(loop, PE_GROUP_KEEP, &f->requests);

    if (error == 0)
        error = pe_sem_new(loop, REQUESTS_PER_CONNECTION, &f->room);
    if (error == 0)
        error = pe_lock_new(loop, &f->writing);
    return error;
}

static void close_connection(struct connection *f)
{
    pe_group_free(f->requests);
    pe_sem_free(f->room);
    pe_lock_free(f->writing);
    pe_socket_free(f->socket);
}

/* Of a line of so many bytes with its end. 0, or an error; an empty line is no request. */
static int begin_request(struct connection *f, size_t bytes)
{
    struct request request = { .connection = f };

    bytes--;
    if (bytes > 0 && f->line[bytes - 1] == '\r')
        bytes--;
    f->line[bytes] = '\0';
    if (bytes == 0 || memchr(f->line, '\0', bytes) != NULL)
        return PE_EINVAL;
    memcpy(request.text, f->line, bytes + 1);
    int error = pe_group_spawn(f->requests, serve_request, &request, sizeof request, NULL);
    if (error == 0)
        f->server->figures.requests++;
    return error;
}

/* A part of the task: until the peer has no more lines, or the server ends. */
static int read_lines(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_TRY(t, pe_sem_acquire(t, f->room));
        PE_TRY(t, pe_socket_read_until(t, f->socket, f->line, sizeof f->line, "\n"));
        if (t->result == 0)
            PE_RETURN(t, 0);
        if (begin_request(f, (size_t)t->result) < 0)
            pe_sem_release(f->room);
    }
    PE_END(t);
}

/* A part of the task: all that was read is answered, and the peer has all answers before the connection ends. */
static int say_goodbye(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_group_wait(t, f->requests));
    if (f->is_too_long)
        PE_TRY(t, pe_socket_write(t, f->socket, "line too long\n", 14));
    (void)pe_socket_shutdown(f->socket);
    do
        PE_TRY(t, pe_socket_read(t, f->socket, f->line, sizeof f->line));
    while (t->result > 0);
    PE_END(t);
}

static int serve_connection(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    do
        PE_AWAIT(t, pe_accept(t, f->server->listener, &f->socket));
    while (t->result < 0 && t->result != PE_ECANCELED && t->result != PE_ECLOSED);
    if (t->result < 0)
        PE_RETURN(t, 0);
    f->server->figures.connections++;
    while (accept_connection(f->server) == PE_ENOMEM)
        PE_AWAIT(t, pe_sleep(t, PE_MS(100)));

    if (open_connection(f, pe_task_loop(t)) == 0) {
        PE_AWAIT(t, pe_call(t, &f->call, read_lines, f));
        f->is_too_long = t->result == PE_ETOOBIG;
        pe_shield_enter(t);
        PE_AWAIT_UNTIL(t, &f->limit, pe_after(LAST_WORDS_NS), pe_call(t, &f->call, say_goodbye, f));
        pe_shield_leave(t);
    }
    close_connection(f);
    PE_END(t);
}

int accept_connection(struct server *server)
{
    struct connection next = { .server = server };

    return pe_group_spawn(server->connections, serve_connection, &next, sizeof next, NULL);
}
