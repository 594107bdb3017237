#ifndef PE__BENCH_ASYNC_ECHO_H
#define PE__BENCH_ASYNC_ECHO_H

/* A TCP server that sends back what it gets, and what loads it: plan->workers connections over loopback, each of
 * which sends plan->bytes, waits until they are back and sends again. The client is the same for all; it has a CPU of
 * its own, where it never sleeps, and the server another. */

#include "table/row.h"

#include <sys/types.h>

#define ECHO_BYTES_MAX 65536
#define ECHO_BACKLOG   511

/* Runs in a process of its own, on one CPU: listens on a free port of loopback, tells it with echo_report and serves
 * until it is killed. Returns only when it failed. */
typedef void echo_fn(int report);

/* plan->ops is a pointer to an echo_fn *. Thousands of answers a second, and the server's CPU time for each. */
extern const struct driver echo_driver;

void echo_report(int report, uint16_t port);

echo_fn echo_epoll, echo_uv, echo_ours;

/* The client, for servers that are programs of their own too. 0, or -1 with the note filled. */
struct echo_client;
struct echo_client *echo_client_new(const struct plan *plan, uint16_t port);
int echo_client_run(struct echo_client *client, pid_t server, double *values);
void echo_client_free(struct echo_client *client);

/* Where the server runs, -1: anywhere, since there is one CPU only. */
int echo_server_cpu(void);

#endif
