/* request.c: a line becomes a job of the pool, and what becomes of the job is the answer. */
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "evaluate.h"

/* ---- in a process of the pool ---- */

static int evaluate_line(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int64_t value;
    const char *error = evaluate(arg, &value);

    (void)arg_bytes;
    return error != NULL ? pe_worker_fail(1, "%s", error) : pe_reply_write(reply, &value, sizeof value);
}

/* ---- in the server ---- */

static int submit(struct request *f)
{
    const struct server *server = f->connection->server;
    pe_job_options options = PE_JOB_OPTIONS_INIT;

    options.timeout_ns = server->limit_ns;
    return pe_pool_try_submit(server->pool, evaluate_line, f->text, strlen(f->text) + 1, &options, &f->job);
}

static void say(struct request *f, const char *what)
{
    f->answer_bytes = (size_t)snprintf(f->answer, sizeof f->answer, "%s: %.60s\n", f->text, what);
}

static void say_number(struct request *f, const char *what, int number)
{
    char text[60];

    snprintf(text, sizeof text, what, number);
    say(f, text);
}

static void say_returned(struct request *f, struct figures *figures)
{
    const void *reply;
    const char *error;
    size_t bytes;
    int64_t value;

    if (f->status.code == 0 && pe_job_result(f->job, &reply, &bytes) == 0 && bytes == sizeof value) {
        memcpy(&value, reply, sizeof value);
        f->answer_bytes = (size_t)snprintf(f->answer, sizeof f->answer, "%s = %" PRId64 "\n", f->text, value);
        figures->values++;
        return;
    }
    int is_told = pe_job_item_text(f->job, 0, PE_TEXT_MESSAGE, &error, &bytes) == 0;
    say(f, is_told ? error : "no value");
    figures->errors++;
}

static void say_ending(struct request *f)
{
    struct figures *figures = &f->connection->server->figures;

    switch (f->status.kind) {
    case PE_RETURNED:
        say_returned(f, figures);
        break;
    case PE_CRASHED:
        say_number(f, "killed by signal %d", f->status.code);
        figures->crashes++;
        break;
    case PE_EXITED:
        say_number(f, "ended with exit status %d", f->status.code);
        figures->exits++;
        break;
    case PE_TIMED_OUT:
        say(f, "took too long");
        figures->late++;
        break;
    default:
        say(f, "lost");
        figures->lost++;
        break;
    }
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
        say_ending(f);
    else
        say(f, pe_strerror(t->result));
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
