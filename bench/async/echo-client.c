/* The load of the echo rows. It looks again at once when nothing has come: a client that sleeps would make the server
 * pay for waking it. */

#include "async/echo.h"
#include "harness.h"
#include "machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128 };

#define SILENT_NS INT64_C(10000000000)

struct connection {
    int fd;
    size_t missing; /* bytes of the answer */
    uint64_t sent;  /* the number at the head of what was sent */
};

struct echo_client {
    struct plan plan;
    uint16_t port;
    int epoll;
    uint64_t to_send, to_come;
    struct connection *connections;
    uint64_t *out, *in;
};

static int fail(const struct echo_client *client, const char *what)
{
    snprintf(client->plan.note, NOTE_BYTES, "%s: %s", what, strerror(errno));
    return -1;
}

static int cpu_at(int place)
{
    static int cpus[2];
    return machine_cpus(cpus, 2) == 2 ? cpus[place] : -1;
}

int echo_server_cpu(void)
{
    return cpu_at(0);
}

static int send_next(struct echo_client *client, struct connection *connection)
{
    if (client->to_send == 0)
        return 0;
    client->out[0] = connection->sent = client->to_send--;
    connection->missing = client->plan.bytes;
    ssize_t sent = send(connection->fd, client->out, client->plan.bytes, 0);
    return sent == (ssize_t)client->plan.bytes ? 0 : fail(client, "send");
}

static int receive(struct echo_client *client, struct connection *connection)
{
    ssize_t got = recv(connection->fd, client->in, connection->missing, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? 0 : fail(client, "recv");
    if (connection->missing == client->plan.bytes && client->in[0] != connection->sent) {
        snprintf(client->plan.note, NOTE_BYTES, "the answer is another");
        return -1;
    }
    connection->missing -= (size_t)got;
    if (connection->missing > 0)
        return 0;
    client->to_come--;
    return send_next(client, connection);
}

static int look(struct echo_client *client, int64_t *silent_since_ns)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(client->epoll, events, EVENTS, 0);
    if (count < 0)
        return fail(client, "epoll_wait");
    for (int i = 0; i < count; i++)
        if (receive(client, events[i].data.ptr) < 0)
            return -1;
    if (count > 0)
        *silent_since_ns = 0;
    else if (*silent_since_ns == 0)
        *silent_since_ns = bench_now_ns();
    else if (bench_now_ns() - *silent_since_ns > SILENT_NS)
        return errno = ETIMEDOUT, fail(client, "no answer");
    return 0;
}

/* n requests; nanoseconds, or -1. */
static int64_t load(struct echo_client *client, uint64_t n)
{
    int64_t silent_since_ns = 0, start_ns = bench_now_ns();
    client->to_send = client->to_come = n;
    for (uint32_t i = 0; i < client->plan.workers; i++)
        if (send_next(client, &client->connections[i]) < 0)
            return -1;
    while (client->to_come > 0)
        if (look(client, &silent_since_ns) < 0)
            return -1;
    return bench_now_ns() - start_ns;
}

static int join(struct echo_client *client, struct connection *connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(client->port) };
    struct epoll_event interest = { .events = EPOLLIN, .data.ptr = connection };
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return fail(client, "connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return epoll_ctl(client->epoll, EPOLL_CTL_ADD, connection->fd, &interest) < 0 ? fail(client, "epoll_ctl") : 0;
}

static int join_all(struct echo_client *client)
{
    for (uint32_t i = 0; i < client->plan.workers; i++)
        if (join(client, &client->connections[i]) < 0)
            return -1;
    return 0;
}

static void part(struct echo_client *client)
{
    for (uint32_t i = 0; i < client->plan.workers; i++) {
        if (client->connections[i].fd >= 0)
            close(client->connections[i].fd);
        client->connections[i].fd = -1;
    }
}

static int measure(struct echo_client *client, pid_t server, double *values)
{
    uint64_t n = client->plan.n;
    if (join_all(client) < 0 || load(client, n / 10 + 1) < 0)
        return -1;
    int64_t cpu_ns = machine_cpu_ns(server), took_ns = load(client, n);
    cpu_ns = machine_cpu_ns(server) - cpu_ns;
    if (took_ns < 0)
        return -1;
    values[0] = (double)n * 1e6 / (double)took_ns;
    values[1] = (double)cpu_ns / (double)n / 1e3;
    return 0;
}

int echo_client_run(struct echo_client *client, pid_t server, double *values)
{
    int cpu = cpu_at(1);
    if (cpu >= 0)
        machine_pin(cpu);
    int r = measure(client, server, values);
    part(client);
    if (cpu >= 0)
        machine_unpin();
    return r;
}

struct echo_client *echo_client_new(const struct plan *plan, uint16_t port)
{
    struct echo_client *client = malloc(sizeof(*client));
    *client = (struct echo_client){ .plan = *plan, .port = port, .epoll = epoll_create1(EPOLL_CLOEXEC) };
    client->connections = calloc(plan->workers, sizeof(*client->connections));
    for (uint32_t i = 0; i < plan->workers; i++)
        client->connections[i].fd = -1;
    client->out = calloc(1, ECHO_BYTES_MAX);
    client->in = calloc(1, ECHO_BYTES_MAX);
    return client;
}

void echo_client_free(struct echo_client *client)
{
    close(client->epoll);
    free(client->connections);
    free(client->out);
    free(client->in);
    free(client);
}
