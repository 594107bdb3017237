/*
 * client.c: puts the server under load and checks every answer.
 *
 *     client [-c CONNECTIONS] [-n REQUESTS] [-f IN-FLIGHT] [-s SEED] [-x CRASHES] [-e EXITS] [-h HANGS] PORT
 *
 * Each connection sends so many requests, with at most so many unanswered. Of a thousand requests so many crash, exit
 * and hang. Ends with 0 if each request got the answer that it had to get, once.
 */
#include <inttypes.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "question.h"

#define IN_FLIGHT_MOST 64

struct settings {
    uint64_t connections, requests, in_flight, seed;
    struct question_mix mix;
    struct sockaddr_storage server;
    size_t server_bytes;
};

/* Of all connections. */
struct outcome {
    uint64_t right, wrong, missing, failed, kinds[QUESTION_KINDS];
    int64_t *times_ns; /* of the answers to requests that do no harm */
    size_t times;
};

/* ---- one connection: a task that asks and, beside it, one that hears ---- */

struct place {
    int is_taken;
    int64_t asked_ns;
    struct question question;
};

struct connection {
    const struct settings *settings;
    struct outcome *outcome;
    uint64_t number;
    pe_socket *socket;
    pe_sem *room;
    pe_task *hearer;
    pe_call_link call;
    pe_rng rng;
    uint64_t asked;
    struct place places[IN_FLIGHT_MOST];
    char line[QUESTION_BYTES + 1];
    char answer[ANSWER_BYTES];
};

/* The request that this line answers; NULL: none that is at work. */
static struct place *place_of(struct connection *f, const char *answer)
{
    for (size_t i = 0; i < IN_FLIGHT_MOST; i++) {
        const char *text = f->places[i].question.text;
        size_t length = strlen(text);

        if (f->places[i].is_taken && strncmp(answer, text, length) == 0 &&
            (answer[length] == ':' || strncmp(answer + length, " =", 2) == 0))
            return &f->places[i];
    }
    return NULL;
}

static void check(struct connection *f)
{
    struct outcome *outcome = f->outcome;
    struct place *place = place_of(f, f->answer);

    if (place == NULL || strcmp(place->question.answer, f->answer) != 0) {
        fprintf(stderr, "connection %" PRIu64 ": wrong: %s\n", f->number, f->answer);
        outcome->wrong++;
        return;
    }
    outcome->right++;
    outcome->kinds[place->question.kind]++;
    if (place->question.kind == QUESTION_VALUE)
        outcome->times_ns[outcome->times++] = pe_now() - place->asked_ns;
    place->is_taken = 0;
    pe_sem_release(f->room);
}

static int hear(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_AWAIT(t, pe_socket_read_until(t, f->socket, f->answer, sizeof f->answer, "\n"));
        if (t->result <= 0)
            PE_RETURN(t, t->result);
        f->answer[t->result - 1] = '\0';
        check(f);
    }
    PE_END(t);
}

/* Writes the next request to `line`, and keeps what the answer has to be. */
static void think_of_one(struct connection *f)
{
    struct place *place = f->places;

    while (place->is_taken)
        place++;
    question_make(&place->question, &f->rng, &f->settings->mix, 1000000 + f->asked++);
    snprintf(f->line, sizeof f->line, "%s\n", place->question.text);
    place->is_taken = 1;
    place->asked_ns = pe_now();
}

/* A part of the task: asks everything, and hears the last answer. */
static int ask(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    while (f->asked < f->settings->requests) {
        PE_TRY(t, pe_sem_acquire(t, f->room));
        think_of_one(f);
        PE_TRY(t, pe_socket_write(t, f->socket, f->line, strlen(f->line)));
    }
    (void)pe_socket_shutdown(f->socket);
    PE_TRY(t, pe_await(t, f->hearer));
    PE_END(t);
}

static int open_connection(struct connection *f, pe_task *t)
{
    int error = pe_sem_new(pe_task_loop(t), (uint32_t)f->settings->in_flight, &f->room);

    pe_rng_init(&f->rng, f->settings->seed, f->number);
    return error < 0 ? error : pe_spawn(pe_task_loop(t), hear, f, 0, &f->hearer);
}

static int converse(pe_task *t, void *frame)
{
    struct connection *f = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_tcp_connect(t, (const struct sockaddr *)&f->settings->server, f->settings->server_bytes,
                               &f->socket));
    if (t->result == 0)
        t->result = open_connection(f, t);
    if (t->result == 0)
        PE_AWAIT(t, pe_call(t, &f->call, ask, f));
    if (t->result < 0) {
        fprintf(stderr, "connection %" PRIu64 ": %s\n", f->number, pe_strerror(t->result));
        f->outcome->failed++;
    }
    for (size_t i = 0; i < IN_FLIGHT_MOST; i++)
        f->outcome->missing += (uint64_t)f->places[i].is_taken;
    pe_socket_free(f->socket);
    PE_AWAIT(t, pe_await(t, f->hearer)); /* it has nothing to hear any more */
    pe_task_free(f->hearer);
    pe_sem_free(f->room);
    PE_END(t);
}

/* ---- all of them ---- */

struct load {
    const struct settings *settings;
    struct outcome *outcome;
    pe_group *connections;
};

static int put_under_load(pe_task *t, void *frame)
{
    struct load *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_group_new(pe_task_loop(t), PE_GROUP_KEEP, &f->connections));
    for (uint64_t i = 0; i < f->settings->connections; i++) {
        struct connection one = { .settings = f->settings, .outcome = f->outcome, .number = i };
        int error = pe_group_spawn(f->connections, converse, &one, sizeof one, NULL);
        if (error < 0)
            PE_RETURN(t, error);
    }
    PE_AWAIT(t, pe_group_wait(t, f->connections));
    pe_group_free(f->connections);
    PE_END(t);
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

static double milliseconds(const struct outcome *outcome, size_t per_thousand)
{
    return outcome->times == 0 ? 0 : (double)outcome->times_ns[(outcome->times - 1) * per_thousand / 1000] / 1e6;
}

static void print_outcome(struct outcome *outcome, int64_t took_ns)
{
    qsort(outcome->times_ns, outcome->times, sizeof *outcome->times_ns, compare);
    printf("answers right %" PRIu64 ", wrong %" PRIu64 ", missing %" PRIu64 "; connections that failed %" PRIu64 "\n",
           outcome->right, outcome->wrong, outcome->missing, outcome->failed);
    printf("values %" PRIu64 ", errors %" PRIu64 ", exits %" PRIu64 ", crashes %" PRIu64 ", hangs %" PRIu64 "\n",
           outcome->kinds[QUESTION_VALUE], outcome->kinds[QUESTION_WRONG], outcome->kinds[QUESTION_EXIT],
           outcome->kinds[QUESTION_CRASH], outcome->kinds[QUESTION_HANG]);
    printf("%.0f answers a second; values after %.3f ms (half), %.3f ms (99 %%), %.3f ms (the last)\n",
           (double)outcome->right * 1e9 / (double)took_ns, milliseconds(outcome, 500), milliseconds(outcome, 990),
           milliseconds(outcome, 1000));
}

/* ---- the program ---- */

static int parse(int argc, char **argv, struct settings *settings)
{
    for (int option; (option = getopt(argc, argv, "c:n:f:s:x:e:h:")) != -1;) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;

        switch (option) {
        case 'c': settings->connections = number; break;
        case 'n': settings->requests = number; break;
        case 'f': settings->in_flight = number; break;
        case 's': settings->seed = number; break;
        case 'x': settings->mix.crashes = number; break;
        case 'e': settings->mix.exits = number; break;
        case 'h': settings->mix.hangs = number; break;
        default: return -1;
        }
    }
    unsigned long port = optind + 1 == argc ? strtoul(argv[optind], NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX || settings->in_flight == 0 || settings->in_flight > IN_FLIGHT_MOST)
        return -1;
    return pe_address_parse("127.0.0.1", (uint16_t)port, &settings->server, &settings->server_bytes);
}

int main(int argc, char **argv)
{
    struct settings settings = { .connections = 50, .requests = 200, .in_flight = 8, .seed = 1,
                                 .mix = { .exits = 5, .crashes = 10, .hangs = 2 } };
    struct outcome outcome = { 0 };
    struct load f = { .settings = &settings, .outcome = &outcome };

    if (parse(argc, argv, &settings) < 0) {
        fprintf(stderr, "usage: %s [-c CONNECTIONS] [-n REQUESTS] [-f IN-FLIGHT] [-s SEED] [-x CRASHES] [-e EXITS] "
                        "[-h HANGS] PORT\n", argv[0]);
        return 2;
    }
    outcome.times_ns = calloc(settings.connections * settings.requests + 1, sizeof *outcome.times_ns);
    if (outcome.times_ns == NULL)
        return 1;
    int64_t begin_ns = pe_now();
    int error = pe_run(put_under_load, &f, NULL);
    if (error < 0)
        fprintf(stderr, "%s: %s\n", argv[0], pe_strerror(error));
    print_outcome(&outcome, pe_now() - begin_ns);
    free(outcome.times_ns);
    return error < 0 || outcome.right != settings.connections * settings.requests;
}
