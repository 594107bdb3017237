/*
 * server.c: arithmetic over TCP, each line evaluated in a process of a pool, with a time limit. A request that crashes
 * or never ends costs itself.
 *
 *     server [-p PORT] [-w WORKERS] [-t MILLISECONDS]
 *
 * It prints the port that it listens on (0, the default: one that is free), serves until SIGTERM or SIGINT, answers
 * what it has read by then, and prints its figures. The protocol is in server.h.
 */
#include "server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct settings {
    uint16_t port;
    uint32_t workers; /* 0: as many as there are CPUs */
    int64_t limit_ns;
};

/* ---- the main task ---- */

static int listen_at(pe_loop *loop, struct server *server, uint16_t port)
{
    struct sockaddr_storage address;
    char text[PE_ADDRESS_TEXT_BYTES];
    size_t bytes;

    int error = pe_address_parse("127.0.0.1", port, &address, &bytes);
    if (error == 0)
        error = pe_tcp_listen(loop, (const struct sockaddr *)&address, bytes, 0, &server->listener);
    if (error < 0)
        return error;
    pe_listener_local(server->listener, &address, &bytes);
    pe_address_text((const struct sockaddr *)&address, bytes, text, sizeof text);
    printf("listening at %s\n", text);
    fflush(stdout);
    return 0;
}

enum { SIGNALS = 2 };

struct serve {
    struct server *server;
    const struct settings *settings;
    pe_signal *signals[SIGNALS];
    pe_task *hearers[SIGNALS];
};

static int hear(pe_task *t, void *frame)
{
    pe_signal **signal = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_signal_next(t, *signal));
    PE_RETURN(t, t->result);
    PE_END(t);
}

/* From now on none is missed. */
static int listen_to_signals(pe_loop *loop, struct serve *f)
{
    static const int numbers[SIGNALS] = { SIGTERM, SIGINT };
    int error = 0;

    for (int i = 0; i < SIGNALS && error == 0; i++) {
        error = pe_signal_new(loop, numbers[i], &f->signals[i]);
        if (error == 0)
            error = pe_spawn(loop, hear, &f->signals[i], sizeof f->signals[i], &f->hearers[i]);
    }
    return error;
}

static void end_signals(struct serve *f)
{
    for (int i = 0; i < SIGNALS; i++) {
        pe_signal_free(f->signals[i]);
        pe_task_free(f->hearers[i]);
    }
}

static int open_server(pe_loop *loop, struct serve *f)
{
    int error = pe_group_new(loop, PE_GROUP_KEEP, &f->server->connections);

    if (error == 0)
        error = pe_sem_new(loop, REQUESTS, &f->server->room);
    if (error == 0)
        error = listen_to_signals(loop, f);
    if (error == 0)
        error = listen_at(loop, f->server, f->settings->port);
    return error < 0 ? error : accept_connection(f->server);
}

static int serve(pe_task *t, void *frame)
{
    struct serve *f = frame;
    struct server *server = f->server;

    PE_BEGIN(t);
    int error = open_server(pe_task_loop(t), f);
    if (error < 0) {
        end_signals(f);
        PE_RETURN(t, error);
    }
    PE_AWAIT(t, pe_wait_first(t, f->hearers, SIGNALS, NULL));
    end_signals(f);
    pe_listener_free(server->listener);
    pe_group_cancel(server->connections);
    PE_TRY(t, pe_group_wait(t, server->connections));
    PE_END(t);
}

/* ---- the program ---- */

static int parse(int argc, char **argv, struct settings *settings)
{
    for (int option; (option = getopt(argc, argv, "p:w:t:")) != -1;) {
        long number = optarg != NULL ? strtol(optarg, NULL, 10) : 0;

        if (option == 'p' && number >= 0 && number <= UINT16_MAX)
            settings->port = (uint16_t)number;
        else if (option == 'w' && number > 0 && number <= PE_WORKERS_MAX)
            settings->workers = (uint32_t)number;
        else if (option == 't' && number > 0)
            settings->limit_ns = PE_MS(number);
        else
            return -1;
    }
    return optind == argc ? 0 : -1;
}

static int make_pool(const struct settings *settings, pe_pool **ret_pool)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = settings->workers;
    options.max_deaths = UINT32_MAX; /* whoever sends nothing but crashes does not end the server */
    options.grace_ns = PE_NOW;       /* what hangs is not asked */
    return pe_pool_new(&options, ret_pool);
}

int main(int argc, char **argv)
{
    struct settings settings = { .limit_ns = PE_MS(200) };
    struct server server = { 0 };
    struct serve f = { .server = &server, .settings = &settings };

    if (parse(argc, argv, &settings) < 0) {
        fprintf(stderr, "usage: %s [-p PORT] [-w WORKERS] [-t MILLISECONDS]\n", argv[0]);
        return 2;
    }
    server.limit_ns = settings.limit_ns;
    int error = make_pool(&settings, &server.pool);
    if (error == 0)
        error = pe_run(serve, &f, NULL);
    if (error < 0)
        fprintf(stderr, "%s: %s\n", argv[0], pe_strerror(error));
    else
        figures_print(&server.figures, server.pool);
    pe_group_free(server.connections);
    pe_sem_free(server.room);
    pe_pool_free(server.pool);
    return error < 0;
}
