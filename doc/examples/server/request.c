/* request.c: the task of a request: hands its line to the pool, waits for the job, and writes the answer. */
#include "server.h"

#include <string.h>

static int submit(struct request *f)
{
    const struct server *server = f->connection->server;
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.timeout_ns = server->limit_ns;
    return pe_pool_try_submit(server->pool, evaluate_line, f->text, strlen(f->text) + 1, &options, &f->job);
}

int serve_request(pe_task *t, void *frame)
{
    struct request *f = frame;
    struct connection *connection = f->connection;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_sem_acquire(t, connection->server->room));
    if (t->result == 0) {
        t->result = submit(f);
        if (t->result == 0)
            PE_AWAIT(t, pe_await_job(t, f->job, &f->status));
        pe_sem_release(connection->server->room);
    }
    if (t->result == 0)
        f->answer_bytes = answer_ending(f->answer, f->text, f->job, &f->status, &connection->server->figures);
    else
        f->answer_bytes = answer_error(f->answer, f->text, pe_strerror(t->result));
    pe_job_free(f->job);
    PE_AWAIT(t, pe_lock_acquire(t, connection->writing));
    if (t->result == 0) {
        PE_AWAIT(t, pe_socket_write(t, connection->socket, f->answer, f->answer_bytes));
        pe_lock_release(t, connection->writing);
    }
    if (t->result < 0)
        connection->server->figures.unanswered++;
    pe_sem_release(connection->room);
    PE_END(t);
}
