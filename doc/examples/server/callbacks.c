/*
 * callbacks.c: the same service as server.c in a program that is all libuv: handles and callbacks, no tasks.
 *
 *     callbacks [-p PORT] [-w WORKERS] [-t MILLISECONDS]
 *
 * The pool joins the program's loop by two calls: pe_pool_fd gives a descriptor to watch, and pe_pool_poll, when it is
 * readable, calls what was registered by pe_job_on_done. SIGTERM and SIGINT end the server at once.
 */
#include <parexec.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "answer.h"

#define REQUESTS_PER_CONNECTION 16 /* that are at work; no more is read meanwhile */

struct server {
    uv_tcp_t listener;
    uv_poll_t endings;
    uv_signal_t signals[2];
    pe_pool *pool;
    int64_t limit_ns;
    struct figures figures;
};

/* Gone when it is closed and no request of it is at work. */
struct connection {
    uv_tcp_t tcp; /* its data is the server */
    int requests, has_ended, is_too_long, is_closed;
    size_t bytes;
    char line[LINE_BYTES + 1];
};

struct request {
    uv_write_t write;
    struct connection *connection;
    pe_job *job;
    char text[LINE_BYTES + 1], answer[ANSWER_LINE_BYTES];
};

/* ---- connections ---- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *)handle;

    connection->is_closed = 1;
    if (connection->requests == 0)
        free(connection);
}

static void close_connection(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->tcp))
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void read_on(struct connection *connection);

static void end_request(struct request *request)
{
    struct connection *connection = request->connection;

    pe_job_free(request->job);
    free(request);
    connection->requests--;
    if (connection->is_closed && connection->requests == 0)
        free(connection);
    else if (!connection->is_closed)
        read_on(connection);
}

/* ---- requests ---- */

static void on_written(uv_write_t *write, int error)
{
    struct request *request = (struct request *)write;

    if (error < 0)
        close_connection(request->connection);
    end_request(request);
}

static void send_answer(struct request *request, size_t bytes)
{
    struct server *server = request->connection->tcp.data;
    uv_buf_t answer = uv_buf_init(request->answer, (unsigned)bytes);

    if (uv_is_closing((uv_handle_t *)&request->connection->tcp) ||
        uv_write(&request->write, (uv_stream_t *)&request->connection->tcp, &answer, 1, on_written) < 0) {
        server->figures.unanswered++;
        end_request(request);
    }
}

/* Called in pe_pool_poll, and for what is left in pe_pool_kill. */
static void on_done(pe_job *job, void *context)
{
    struct request *request = context;
    struct server *server = request->connection->tcp.data;
    pe_status status;

    pe_job_status(job, &status);
    send_answer(request, answer_ending(request->answer, request->text, job, &status, &server->figures));
}

static void begin_request(struct connection *connection, const char *text, size_t bytes)
{
    struct server *server = connection->tcp.data;
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL) {
        close_connection(connection);
        return;
    }
    request->connection = connection;
    connection->requests++;
    server->figures.requests++;
    memcpy(request->text, text, bytes);
    options.timeout_ns = server->limit_ns;
    int error = pe_pool_try_submit(server->pool, evaluate_line, request->text, bytes + 1, &options, &request->job);
    if (error == 0)
        error = pe_job_on_done(request->job, on_done, request);
    if (error < 0) {
        server->figures.lost++;
        send_answer(request, answer_error(request->answer, request->text, pe_strerror(error)));
    }
}

/* ---- reading ---- */

/* Begins a request for each line that is there, as far as there is room. */
static void begin_requests(struct connection *connection)
{
    char *end, text[LINE_BYTES + 1];

    while (connection->requests < REQUESTS_PER_CONNECTION && !uv_is_closing((uv_handle_t *)&connection->tcp) &&
           (end = memchr(connection->line, '\n', connection->bytes)) != NULL) {
        size_t bytes = (size_t)(end - connection->line);

        memcpy(text, connection->line, bytes);
        connection->bytes -= bytes + 1;
        memmove(connection->line, end + 1, connection->bytes);
        bytes -= bytes > 0 && text[bytes - 1] == '\r';
        if (bytes > 0 && memchr(text, '\0', bytes) == NULL)
            begin_request(connection, text, bytes);
    }
}

/* Is told so, and what follows is dropped till the peer ends. */
static void refuse_line(struct connection *connection)
{
    struct request *request = calloc(1, sizeof *request);

    connection->is_too_long = 1;
    connection->bytes = 0;
    if (request == NULL) {
        close_connection(connection);
        return;
    }
    request->connection = connection;
    connection->requests++;
    strcpy(request->answer, "line too long\n");
    send_answer(request, strlen(request->answer));
}

static void on_room_wanted(uv_handle_t *handle, size_t bytes, uv_buf_t *ret_room)
{
    struct connection *connection = (struct connection *)handle;

    (void)bytes;
    *ret_room = uv_buf_init(connection->line + connection->bytes,
                            (unsigned)(sizeof connection->line - connection->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *room)
{
    struct connection *connection = (struct connection *)stream;

    (void)room;
    if (got > 0)
        connection->bytes += connection->is_too_long ? 0 : (size_t)got;
    else if (got < 0)
        connection->has_ended = 1;
    read_on(connection);
}

/* Called whenever something has changed. */
static void read_on(struct connection *connection)
{
    begin_requests(connection);
    if (connection->requests < REQUESTS_PER_CONNECTION && connection->bytes == sizeof connection->line)
        refuse_line(connection);
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    if (connection->requests == REQUESTS_PER_CONNECTION || connection->has_ended)
        uv_read_stop((uv_stream_t *)&connection->tcp);
    else
        uv_read_start((uv_stream_t *)&connection->tcp, on_room_wanted, on_read);
    if (connection->has_ended && connection->requests == 0)
        close_connection(connection);
}

/* ---- the server ---- */

static void on_connection(uv_stream_t *listener, int error)
{
    struct server *server = listener->data;
    struct connection *connection = error < 0 ? NULL : calloc(1, sizeof *connection);

    if (connection == NULL)
        return;
    uv_tcp_init(listener->loop, &connection->tcp);
    connection->tcp.data = server;
    server->figures.connections++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0)
        close_connection(connection);
    else
        read_on(connection);
}

static void close_one(uv_handle_t *handle, void *unused)
{
    struct server *server = handle->data;
    int is_connection = handle->type == UV_TCP && handle != (uv_handle_t *)&server->listener;

    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, is_connection ? on_closed : NULL);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    uv_walk(signal->loop, close_one, NULL);
}

static void on_endings(uv_poll_t *endings, int error, int events)
{
    struct server *server = endings->data;

    (void)error;
    (void)events;
    int ended;
    do
        ended = pe_pool_poll(server->pool);
    while (ended > 0);
    if (ended == PE_EBROKEN)
        uv_walk(endings->loop, close_one, NULL);
}

static int listen_at(struct server *server, uv_loop_t *loop, int port)
{
    struct sockaddr_in address;
    int bytes = sizeof address;

    uv_ip4_addr("127.0.0.1", port, &address);
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    int error = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&server->listener, 128, on_connection);
    if (error == 0)
        error = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &bytes);
    if (error == 0)
        printf("listening at 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return error;
}

/* Errors of libuv and of the library are both negative errno where the system has failed. */
static int serve(struct server *server, uv_loop_t *loop, int port)
{
    static const int numbers[2] = { SIGTERM, SIGINT };

    signal(SIGPIPE, SIG_IGN); /* libuv leaves that to the program: a peer may be gone when it is written to */
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &server->signals[i]);
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    int error = uv_poll_init(loop, &server->endings, pe_pool_fd(server->pool));
    server->endings.data = server;
    if (error == 0)
        error = uv_poll_start(&server->endings, UV_READABLE, on_endings);
    if (error == 0)
        error = listen_at(server, loop, port);
    if (error == 0)
        on_endings(&server->endings, 0, 0); /* the descriptor tells of what ends from now on */
    else
        uv_walk(loop, close_one, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return error;
}

int main(int argc, char **argv)
{
    struct server server = { .limit_ns = PE_MS(200) };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int port = 0;

    options.max_deaths = UINT32_MAX;
    options.grace_ns = PE_NOW;
    for (int option; (option = getopt(argc, argv, "p:w:t:")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'w': options.workers = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 't': server.limit_ns = PE_MS(atoi(optarg)); break;
        default: return 2;
        }
    }
    int error = pe_pool_new(&options, &server.pool);
    if (error == 0)
        error = serve(&server, uv_default_loop(), port);
    (void)pe_pool_kill(server.pool, PE_NOW); /* on_done is called for what was at work */
    if (error < 0)
        fprintf(stderr, "%s: %s\n", argv[0], pe_strerror(error));
    else
        figures_print(&server.figures, server.pool);
    pe_pool_free(server.pool);
    return error < 0;
}
