/*
 * Names and addresses, of this machine alone.
 */
#include "harness/harness.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

/* ---- a C library that answers as the test likes ---- */

static sem_t is_looking, may_answer;

/* libuv calls this one. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static const struct {
        const char *node;
        int error;
    } answers[] = { { "again", EAI_AGAIN }, { "fail", EAI_FAIL }, { "memory", EAI_MEMORY }, { "flags", EAI_BADFLAGS } };
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    for (size_t i = 0; node != NULL && i < sizeof answers / sizeof *answers; i++)
        if (strcmp(node, answers[i].node) == 0)
            return answers[i].error;
    if (node != NULL && strcmp(node, "slow") == 0) {
        sem_post(&is_looking);
        while (sem_wait(&may_answer) != 0)
            ;
        node = "127.0.0.1";
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, found);
}

/* ---- one lookup ---- */

struct lookup {
    const char *node, *service;
    const struct addrinfo *hints;
    struct addrinfo *found;
    int result;
};

static int look_up(pe_task *t, void *frame)
{
    struct lookup *l = frame;

    PE_BEGIN(t);
    l->result = PE_WAIT;
    PE_AWAIT(t, pe_resolve(t, l->node, l->service, l->hints, &l->found));
    l->result = t->result;
    PE_RETURN(t, 0);
    PE_END(t);
}

static struct lookup looked_up(const char *node, const char *service, const struct addrinfo *hints)
{
    struct lookup lookup = { .node = node, .service = service, .hints = hints };

    MUST(pe_run(look_up, &lookup, NULL), 0);
    ck_assert((lookup.result == 0) == (lookup.found != NULL));
    return lookup;
}

static const struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };

PE_TEST(addresses_are_found)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct lookup lookup = looked_up("127.0.0.1", "8080", &numeric);
    const struct sockaddr_in *address = (void *)lookup.found->ai_addr;

    MUST(lookup.result, 0);
    MUST(address->sin_family, AF_INET);
    MUST(ntohs(address->sin_port), 8080);
    MUST((int)ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
    pe_resolve_free(lookup.found);
    lookup = looked_up("localhost", NULL, &hints);
    address = (void *)lookup.found->ai_addr;
    MUST((int)ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
    pe_resolve_free(lookup.found);
    lookup = looked_up("::1", "1", &numeric);
    MUST(lookup.found->ai_family, AF_INET6);
    pe_resolve_free(lookup.found);
    lookup = looked_up(NULL, "1", &numeric);
    MUST(lookup.result, 0);
    pe_resolve_free(lookup.found);
    pe_resolve_free(NULL);
}

PE_TEST(why_there_is_no_address_is_told)
{
    struct addrinfo wrong = { .ai_family = 12345 };

    MUST(looked_up("no-number", NULL, &numeric).result, PE_ENOENT);
    MUST(looked_up("127.0.0.1", "no-number", &numeric).result, PE_ENOENT);
    MUST(looked_up("again", NULL, NULL).result, PE_EAGAIN);
    MUST(looked_up("fail", NULL, NULL).result, -EIO);
    MUST(looked_up("memory", NULL, NULL).result, PE_ENOMEM);
    MUST(looked_up("flags", NULL, NULL).result, PE_EINVAL);
    MUST(looked_up("127.0.0.1", NULL, &wrong).result, PE_EINVAL);
    MUST(looked_up(NULL, NULL, NULL).result, PE_EINVAL);
}

/* ---- names ---- */

struct naming {
    struct sockaddr_in address;
    int flags, result;
    char node[NI_MAXHOST], service[NI_MAXSERV];
    size_t node_bytes;
};

static int find_name(pe_task *t, void *frame)
{
    struct naming *n = frame;

    PE_BEGIN(t);
    PE_AWAIT(t, pe_resolve_name(t, (void *)&n->address, n->flags, n->node_bytes > 0 ? n->node : NULL, n->node_bytes,
                                n->service, sizeof n->service));
    n->result = t->result;
    PE_END(t);
}

static struct naming named(int family, int flags, size_t node_bytes)
{
    struct naming naming = { .flags = flags, .node = "untouched", .node_bytes = node_bytes };

    naming.address.sin_family = (sa_family_t)family;
    naming.address.sin_port = htons(8080);
    naming.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(pe_run(find_name, &naming, NULL), 0);
    return naming;
}

PE_TEST(names_are_found)
{
    struct naming naming = named(AF_INET, NI_NUMERICHOST | NI_NUMERICSERV, NI_MAXHOST);

    MUST(naming.result, 0);
    ck_assert_str_eq(naming.node, "127.0.0.1");
    ck_assert_str_eq(naming.service, "8080");
    naming = named(AF_INET, NI_NUMERICSERV, NI_MAXHOST);
    MUST(naming.result, 0);
    ck_assert_str_eq(naming.node, "localhost");
    naming = named(AF_INET, NI_NUMERICHOST | NI_NUMERICSERV, 0);
    MUST(naming.result, 0);
    ck_assert_str_eq(naming.service, "8080");
    naming = named(AF_INET, NI_NUMERICHOST | NI_NUMERICSERV, 9);
    MUST(naming.result, -ENOSPC);
    ck_assert_str_eq(naming.node, "untouched");
    ck_assert_str_eq(naming.service, "");
    MUST(named(AF_UNIX, 0, 10).result, PE_EINVAL);
}

/* ---- stopping ---- */

static pe_task *start_slow(pe_loop *loop, struct lookup *lookup)
{
    pe_task *task;

    MUST(sem_init(&is_looking, 0, 0), 0);
    MUST(sem_init(&may_answer, 0, 0), 0);
    *lookup = (struct lookup){ .node = "slow" };
    async_start(loop, look_up, lookup, &task);
    while (pe_loop_poll(loop) > 0)
        ;
    while (sem_wait(&is_looking) != 0)
        ;
    return task;
}

/* The name server may take its time. */
PE_TEST(a_wait_is_stopped_though_the_lookup_goes_on)
{
    pe_loop *loop = async_loop();
    struct lookup lookup;
    pe_task *task = start_slow(loop, &lookup);

    MUST(lookup.result, PE_WAIT);
    MUST(pe_task_cancel(task), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(lookup.result, PE_ECANCELED);
    sem_post(&may_answer);
    pe_task_free(task);
    pe_loop_free(loop);
    ck_assert_ptr_null(lookup.found);
}

struct limited {
    pe_limit limit;
    struct addrinfo *found;
};

static int look_up_limited(pe_task *t, void *frame)
{
    struct limited *l = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &l->limit, pe_after(PE_MS(5)), pe_resolve(t, "slow", NULL, NULL, &l->found));
    MUST(t->result, PE_ETIMEDOUT);
    PE_AWAIT_UNTIL(t, &l->limit, 0, pe_resolve(t, "slow", NULL, NULL, &l->found));
    sem_post(&may_answer);
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(a_time_limit_ends_the_wait)
{
    struct limited limited = { .found = NULL };

    MUST(sem_init(&is_looking, 0, 0), 0);
    MUST(sem_init(&may_answer, 0, 0), 0);
    MUST(pe_run(look_up_limited, &limited, NULL), PE_ETIMEDOUT);
    ck_assert_ptr_null(limited.found);
}

static void *answer(void *context)
{
    (void)context;
    sem_post(&may_answer);
    return NULL;
}

PE_TEST_LOOP(a_loop_is_closed_while_a_thread_looks, 0, 2)
{
    struct lookup lookup;
    pthread_t thread;
    uv_loop_t host;
    pe_loop *loop;
    pe_task *task;

    MUST(uv_loop_init(&host), 0);
    MUST(sem_init(&is_looking, 0, 0), 0);
    MUST(sem_init(&may_answer, 0, 0), 0);
    MUST(pe_loop_new(_i == 1 ? &host : NULL, &loop), 0);
    lookup = (struct lookup){ .node = "slow" };
    async_start(loop, look_up, &lookup, &task);
    for (int i = 0; i < 2; i++)
        uv_run(pe_loop_uv(loop), UV_RUN_NOWAIT);
    while (sem_wait(&is_looking) != 0)
        ;
    MUST(pthread_create(&thread, NULL, answer, NULL), 0);
    pe_loop_free(loop);
    uv_run(&host, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&host), 0);
    MUST(pthread_join(thread, NULL), 0);
    MUST(lookup.result, PE_ECANCELED);
    ck_assert_ptr_null(lookup.found);
    pe_task_free(task);
}

/* ---- bad days ---- */

PE_TEST(a_forked_child_leaves_it_alone)
{
    pe_loop *loop = async_loop();
    struct lookup lookup;
    pe_task *task = start_slow(loop, &lookup);
    int status;

    pid_t child = fork();
    if (child == 0) {
        if (pe_resolve(task, "127.0.0.1", NULL, NULL, &lookup.found) == PE_EFORKED)
            raise(SIGKILL);
        abort();
    }
    MUST(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    sem_post(&may_answer);
    MUST(pe_loop_run(loop), 0);
    MUST(lookup.result, 0);
    pe_resolve_free(lookup.found);
    pe_task_free(task);
    pe_loop_free(loop);
}

/* Ours fails, and then libuv's. */
PE_TEST(without_memory_a_lookup_fails)
{
    int refused = 0;

    uv_replace_allocator(harness_call_malloc, harness_call_realloc, harness_call_calloc, free);
    for (uint64_t n = 1;; n++) {
        struct lookup lookup = { .node = "127.0.0.1", .hints = &numeric };
        pe_loop *loop = async_loop();
        pe_task *task;

        async_start(loop, look_up, &lookup, &task);
        async_use_memory_up(loop);
        harness_fail_nth(HARNESS_MALLOC, n, ENOMEM);
        while (!pe_task_has_ended(task))
            pe_loop_poll(loop);
        int done = harness_fail_count(HARNESS_MALLOC) < n;
        harness_fail_reset();
        MUST(lookup.result, done ? 0 : PE_ENOMEM);
        refused += !done;
        pe_resolve_free(lookup.found);
        pe_task_free(task);
        pe_loop_free(loop);
        if (done)
            break;
    }
    ck_assert_int_gt(refused, 1);
}

HARNESS_MAIN("resolve")
