/* soak_world.c - acts with the system: descriptors, connections to a server of the soak's own, signals. */
#include "harness/soak.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a pipe, into which a child writes ---- */

struct pipes {
    struct soak_head head;
    int ends[2];
    pe_task *writer;
    int result;
};

struct writer {
    int fd;
    int64_t sleep_ns;
};

static int write_a_byte(pe_task *t, void *frame)
{
    struct writer *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, f->sleep_ns));
    ck_assert_int_eq(write(f->fd, "x", 1), 1);
    PE_END(t);
}

static int pipes(pe_task *t, void *frame)
{
    struct pipes *f = frame;

    PE_BEGIN(t);
    ck_assert_int_eq(pipe2(f->ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct writer writer = { f->ends[1], soak_time(&f->head, 1000) };
    ck_assert_int_eq(pe_spawn(f->head.soak->loop, write_a_byte, &writer, sizeof writer, &f->writer), 0);
    PE_AWAIT(t, pe_fd_wait(t, f->ends[0], PE_FD_READABLE));
    SOAK_MUST(t, PE_FD_READABLE);
    f->result = t->result;
    (void)pe_task_cancel(f->writer);
    pe_shield_enter(t);
    PE_AWAIT(t, pe_await(t, f->writer));
    pe_shield_leave(t);
    pe_task_free(f->writer);
    close(f->ends[0]);
    close(f->ends[1]);
    PE_RETURN(t, f->result < 0 ? f->result : 0);
    PE_END(t);
}

/* ---- connections ---- */

#define ECHO_BYTES 16384

struct echo {
    pe_socket *socket;
    char bytes[1024];
};

static int echo(pe_task *t, void *frame)
{
    struct echo *f = frame;

    PE_BEGIN(t);
    do {
        PE_AWAIT(t, pe_socket_read(t, f->socket, f->bytes, sizeof f->bytes));
        if (t->result > 0)
            PE_AWAIT(t, pe_socket_write(t, f->socket, f->bytes, (size_t)t->result));
        else if (t->result == 0)
            t->result = PE_ENODATA;
    } while (t->result >= 0);
    pe_socket_free(f->socket);
    PE_END(t);
}

static int serve(pe_task *t, void *frame)
{
    struct soak *soak = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_TRY(t, pe_accept(t, soak->listener, &soak->accepted));
        struct echo one = { .socket = soak->accepted };
        ck_assert_int_eq(pe_spawn(soak->loop, echo, &one, sizeof one, NULL), 0);
    }
    PE_END(t);
}

struct conversation {
    struct soak_head head;
    pe_socket *socket;
    char *sent, *received; /* ECHO_BYTES each */
    size_t bytes;
};

/* A part of `converse`, which gives back what this leaves. */
static int send_and_receive(pe_task *t, void *frame)
{
    struct conversation *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_tcp_connect(t, (const struct sockaddr *)&f->head.soak->address, f->head.soak->address_bytes,
                             &f->socket));
    PE_TRY(t, pe_socket_write(t, f->socket, f->sent, f->bytes));
    PE_TRY(t, pe_socket_read_exactly(t, f->socket, f->received, f->bytes));
    ck_assert_int_eq(memcmp(f->sent, f->received, f->bytes), 0);
    PE_RETURN(t, 0);
    PE_END(t);
}

struct converse {
    struct conversation conversation;
    pe_call_link call;
};

static int converse(pe_task *t, void *frame)
{
    struct converse *f = frame;

    PE_BEGIN(t);
    f->conversation.sent = malloc(ECHO_BYTES);
    f->conversation.received = malloc(ECHO_BYTES);
    f->conversation.bytes = 1 + (size_t)soak_random(&f->conversation.head, ECHO_BYTES);
    pe_rng_fill(f->conversation.head.rng, f->conversation.sent, f->conversation.bytes);
    PE_AWAIT(t, pe_call(t, &f->call, send_and_receive, &f->conversation));
    SOAK_MUST(t, 0);
    pe_socket_free(f->conversation.socket);
    free(f->conversation.sent);
    free(f->conversation.received);
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* ---- signals: the program ignores this one, so that none does harm between two waits ---- */

struct hear {
    struct soak_head head;
    pe_signal *signal;
};

static int hear(pe_task *t, void *frame)
{
    struct hear *f = frame;

    PE_BEGIN(t);
    ck_assert_int_eq(pe_signal_new(f->head.soak->loop, SIGUSR1, &f->signal), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    PE_AWAIT(t, pe_signal_next(t, f->signal));
    ck_assert(t->result > 0 || soak_is_stopped(t->result));
    pe_signal_free(f->signal);
    PE_RETURN(t, t->result > 0 ? 0 : t->result);
    PE_END(t);
}

/* ---- begin and end ---- */

void soak_world_open(struct soak *soak)
{
    signal(SIGUSR1, SIG_IGN);
    ck_assert_int_eq(pe_address_parse("127.0.0.1", 0, &soak->address, &soak->address_bytes), 0);
    ck_assert_int_eq(pe_tcp_listen(soak->loop, (const struct sockaddr *)&soak->address, soak->address_bytes, 0,
                                   &soak->listener), 0);
    ck_assert_int_eq(pe_listener_local(soak->listener, &soak->address, &soak->address_bytes), 0);
    ck_assert_int_eq(pe_spawn(soak->loop, serve, soak, 0, &soak->server), 0);
}

void soak_world_close(struct soak *soak)
{
    ck_assert_int_eq(pe_task_cancel(soak->server), 0);
    pe_task_free(soak->server);
}

void soak_world_free(struct soak *soak)
{
    pe_listener_free(soak->listener);
}

_Static_assert(sizeof(struct converse) <= SOAK_FRAME_BYTES, "frames of acts are as large as that");

const struct soak_act soak_world_acts[] = {
    { "pipe", pipes, 2 },
    { "connection", converse, 3 },
    { "signal", hear, 1 },
    { NULL, NULL, 0 },
};
