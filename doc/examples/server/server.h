/*
 * server.h: what the parts of the server share.
 *
 * The protocol. A connection sends lines, each an expression of at most LINE_BYTES bytes. Each is answered by a line of
 * its own that begins with it, as soon as the answer is there, so answers need not be in the order of the requests:
 *
 *     (1+2)*3             (1+2)*3 = 9
 *     1/0                 1/0: division by zero
 *     crash               crash: killed by signal 11
 *     exit                exit: ended with exit status 3
 *     hang                hang: took too long
 *
 * Empty lines are not answered. A line that is too long is told so, and the connection ends.
 */
#ifndef SERVER_H
#define SERVER_H

#include <parexec.h>

#include "answer.h"

#define REQUESTS_PER_CONNECTION 16 /* that are at work; the next one is not even read */
#define REQUESTS 1024              /* of all connections: fewer than the pool's queue takes */

struct server {
    pe_pool *pool;
    pe_listener *listener;
    pe_group *connections;
    pe_sem *room;        /* for requests at work */
    int64_t limit_ns;    /* of each request */
    struct figures figures;
};

/* Accepts one connection and serves it: a task of the group, whose frame this is. */
struct connection {
    struct server *server;
    pe_socket *socket;
    pe_group *requests;
    pe_sem *room;
    pe_lock *writing; /* one request writes its answer at a time */
    pe_call_link call;
    pe_limit limit;
    int is_too_long;
    char line[LINE_BYTES + 1];
};

/* Starts such a task, which starts the next one when it has its connection. So no connection is ever on its way between
 * two tasks, and lost if one of them is cancelled. */
int accept_connection(struct server *server);

/* A task: answers one line of a connection. Gives back a place of the connection's room. */
struct request {
    struct connection *connection;
    pe_job *job;
    pe_status status;
    char text[LINE_BYTES + 1];
    char answer[ANSWER_LINE_BYTES];
    size_t answer_bytes;
};

int serve_request(pe_task *t, void *frame);

#endif
