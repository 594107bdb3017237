/* A server and its clients in one program: what three clients send comes back. */
#include <parexec.h>
#include <stdio.h>
#include <string.h>

/* ---- the server ---- */

struct echo {
    pe_socket *socket;
    char bytes[1024];
};

static int echo(pe_task *t, void *frame)
{
    struct echo *f = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_AWAIT(t, pe_socket_read(t, f->socket, f->bytes, sizeof f->bytes));
        if (t->result <= 0)
            break;
        PE_AWAIT(t, pe_socket_write(t, f->socket, f->bytes, (size_t)t->result));
        if (t->result < 0)
            break;
    }
    pe_socket_free(f->socket);
    PE_END(t);
}

struct serve {
    pe_listener *listener;
    struct echo next;
};

static int serve(pe_task *t, void *frame)
{
    struct serve *f = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_TRY(t, pe_accept(t, f->listener, &f->next.socket));
        if (pe_spawn(pe_task_loop(t), echo, &f->next, sizeof f->next, NULL) < 0)
            pe_socket_free(f->next.socket);
    }
    PE_END(t);
}

/* ---- the clients ---- */

struct client {
    struct sockaddr_storage address;
    size_t address_bytes;
    const char *line;
    pe_socket *socket;
    char answer[100];
};

static int client(pe_task *t, void *frame)
{
    struct client *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_tcp_connect(t, (const struct sockaddr *)&f->address, f->address_bytes, &f->socket));
    PE_AWAIT(t, pe_socket_write(t, f->socket, f->line, strlen(f->line)));
    PE_AWAIT(t, pe_socket_read_until(t, f->socket, f->answer, sizeof f->answer, "\n"));
    pe_socket_free(f->socket);
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- both ---- */

struct both {
    struct serve serve;
    struct client client;
    pe_task *server, *clients[3];
};

static int both(pe_task *t, void *frame)
{
    static const char *const lines[3] = { "one\n", "two\n", "three\n" };
    struct both *f = frame;
    struct sockaddr_storage address;
    size_t bytes;

    PE_BEGIN(t);
    pe_address_parse("127.0.0.1", 0, &address, &bytes); /* port 0: one that is free */
    int error = pe_tcp_listen(pe_task_loop(t), (const struct sockaddr *)&address, bytes, 0, &f->serve.listener);
    if (error < 0)
        PE_RETURN(t, error);
    pe_listener_local(f->serve.listener, &f->client.address, &f->client.address_bytes);
    pe_spawn(pe_task_loop(t), serve, &f->serve, sizeof f->serve, &f->server);
    for (int i = 0; i < 3; i++) {
        f->client.line = lines[i];
        pe_spawn(pe_task_loop(t), client, &f->client, sizeof f->client, &f->clients[i]);
    }
    PE_AWAIT(t, pe_gather(t, f->clients, 3, PE_GATHER_ALL));
    for (int i = 0; i < 3; i++) {
        const struct client *one = pe_task_frame(f->clients[i]);
        if (pe_task_result(f->clients[i]) > 0)
            printf("%.*s", pe_task_result(f->clients[i]), one->answer);
        pe_task_free(f->clients[i]);
    }
    pe_task_cancel(f->server);
    PE_AWAIT(t, pe_await(t, f->server));
    pe_task_free(f->server);
    pe_listener_free(f->serve.listener);
    PE_END(t);
}

int main(void)
{
    static struct both f;
    int error = pe_run(both, &f, NULL);
    if (error < 0)
        fprintf(stderr, "%s\n", pe_strerror(error));
    return error < 0;
}
