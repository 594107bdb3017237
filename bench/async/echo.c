/* Echo servers written in C: a process each, which stays for all rounds, asleep unless it is its turn. */

#include "async/echo.h"
#include "machine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct echo {
    struct echo_client *client;
    pid_t server;
};

void echo_report(int report, uint16_t port)
{
    if (write(report, &port, sizeof(port)) != sizeof(port))
        _exit(1);
}

static void stop(pid_t server)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

/* The server's process, or -1; *ret_port is where it listens. */
static pid_t start(echo_fn *serve, uint16_t *ret_port)
{
    int report[2], cpu = echo_server_cpu();
    if (pipe(report) < 0)
        return -1;
    pid_t pid = machine_fork();
    if (pid == 0) {
        close(report[0]);
        if (cpu >= 0)
            machine_pin(cpu);
        serve(report[1]);
        _exit(1);
    }
    close(report[1]);
    ssize_t got = read(report[0], ret_port, sizeof(*ret_port));
    close(report[0]);
    if (got == sizeof(*ret_port))
        return pid;
    stop(pid);
    return -1;
}

static int open_echo(const struct plan *plan, void **ret_state)
{
    echo_fn *const *serve = plan->ops;
    struct echo *echo = malloc(sizeof(*echo));
    uint16_t port;
    echo->server = start(*serve, &port);
    if (echo->server < 0) {
        snprintf(plan->note, NOTE_BYTES, "the server does not listen");
        free(echo);
        return -1;
    }
    echo->client = echo_client_new(plan, port);
    *ret_state = echo;
    return 0;
}

static int run_echo(void *state, double *values)
{
    struct echo *echo = state;
    return echo_client_run(echo->client, echo->server, values);
}

static void close_echo(void *state)
{
    struct echo *echo = state;
    stop(echo->server);
    echo_client_free(echo->client);
    free(echo);
}

const struct driver echo_driver = { open_echo, run_echo, close_echo };
