#ifndef PE__TEST_HARNESS_SOCKETS_H
#define PE__TEST_HARNESS_SOCKETS_H

/* For tests of sockets: single operations, each a task of its own, and connections to try them on, by TCP on the
 * loopback and by UNIX sockets in a directory of the test's. One loop for each test. */

#include <sys/socket.h>

#include <parexec/async.h>

#include "harness/async.h"

extern pe_loop *sockets_loop;

void sockets_begin(void);
void sockets_end(void); /* nothing is left of it */

/* A name in the test's directory, removed at the end. */
const char *sockets_path(void);

/* ---- operations ---- */

enum operation_kind { READ, READ_EXACTLY, READ_UNTIL, WRITE, WRITEV, ACCEPT, CONNECT, CONNECT_PATH };

/* One call, with its arguments as far as it takes them. */
struct operation {
    enum operation_kind kind;
    pe_socket *socket;
    pe_listener *listener;
    const void *data; /* or the buffer, the pieces, the address, the path */
    size_t bytes;
    const char *delimiter;
    pe_socket **ret_socket;
    int64_t deadline_ns; /* 0: none */
    pe_limit limit;
};

#define OPERATION(...) ((struct operation){ __VA_ARGS__ })
#define READ_OF(of, to, count) OPERATION(.kind = READ, .socket = of, .data = to, .bytes = count)
#define EXACTLY_OF(of, to, count) OPERATION(.kind = READ_EXACTLY, .socket = of, .data = to, .bytes = count)
#define UNTIL_OF(of, to, count, mark) \
    OPERATION(.kind = READ_UNTIL, .socket = of, .data = to, .bytes = count, .delimiter = mark)
#define WRITE_OF(of, from, count) OPERATION(.kind = WRITE, .socket = of, .data = from, .bytes = count)
#define WRITEV_OF(of, pieces, count) OPERATION(.kind = WRITEV, .socket = of, .data = pieces, .bytes = count)
#define ACCEPT_OF(of, ret) OPERATION(.kind = ACCEPT, .listener = of, .ret_socket = ret)
#define CONNECT_OF(address, count, ret) OPERATION(.kind = CONNECT, .data = address, .bytes = count, .ret_socket = ret)
#define CONNECT_PATH_OF(to, ret) OPERATION(.kind = CONNECT_PATH, .data = to, .ret_socket = ret)

/* A task of the loop that does it once, and returns what it gave. */
pe_task *operation_start(struct operation operation);
/* Its result, when it has ended; the handle is given back. */
int operation_finish(pe_task *task);
/* The same, for one that is cancelled now. */
int operation_cancel(pe_task *task);
int operation_run(struct operation operation);
int operation_run_until(struct operation operation, int64_t deadline_ns);

/* Till nothing more happens by itself. */
void sockets_settle(void);
/* Sleeps until the loop has something to do, and does it. */
void sockets_turn(void);

/* ---- connections ---- */

enum transport { TCP, TCP6, UNIX, TRANSPORTS };

/* 0: the system has no such thing. */
int transport_is_there(enum transport transport);
pe_listener *listener_of(enum transport transport);
/* Connects to it; the handle is the caller's. */
pe_task *connection_start(const pe_listener *listener, pe_socket **ret_socket);

/* Two ends of a connection. */
struct pair {
    pe_socket *here;
    pe_socket *there;
};

struct pair pair_of(enum transport transport);
void pair_free(struct pair *pair);

#endif
