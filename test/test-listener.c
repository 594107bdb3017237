/*
 * Connections: how they are made and accepted, refused, given up and waited for; addresses.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <parexec.h>

#include "harness/sockets.h"

static char buffer[128];

static void is_connected(pe_socket *here, pe_socket *there)
{
    MUST(operation_run(WRITE_OF(here, "hello", 5)), 0);
    MUST(operation_run(READ_OF(there, buffer, sizeof buffer)), 5);
}

/* The descriptor that would be opened next. */
static int next_descriptor(void)
{
    int next = dup(STDERR_FILENO);

    close(next);
    return next;
}

/* ---- connecting ---- */

PE_TEST_LOOP(nobody_listens, 0, 2)
{
    pe_socket *made = NULL;
    struct sockaddr_storage address;
    size_t bytes;

    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    MUST(pe_listener_local(listener, &address, &bytes), 0);
    pe_listener_free(listener);
    int next = next_descriptor();
    if (_i == 0) {
        MUST(operation_run(CONNECT_OF(&address, bytes, &made)), PE_ECONNREFUSED);
    } else {
        MUST(operation_run(CONNECT_PATH_OF(sockets_path(), &made)), PE_ENOENT);
        close(open(sockets_path(), O_CREAT | O_CLOEXEC, 0600));
        MUST(operation_run(CONNECT_PATH_OF(sockets_path(), &made)), PE_ECONNREFUSED);
    }
    ck_assert_ptr_null(made);
    ck_assert_int_eq(next_descriptor(), next);
    sockets_end();
}

/* A listener that accepts nothing, whose queue is full: attempts to connect go on until they are given up. */
struct full {
    int listener;
    int waiting[2];
    struct sockaddr_storage address;
    socklen_t bytes;
};

static int try_to_connect(const struct full *full)
{
    int fd = socket(full->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)connect(fd, (const struct sockaddr *)&full->address, full->bytes);
    return fd;
}

static struct full full_listener(enum transport transport)
{
    struct full full = { .bytes = sizeof full.address };

    if (transport == TCP) {
        struct sockaddr_in *address = (void *)&full.address;

        *address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    } else {
        struct sockaddr_un *address = (void *)&full.address;

        address->sun_family = AF_UNIX;
        strcpy(address->sun_path, sockets_path());
    }
    full.listener = socket(full.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(bind(full.listener, (struct sockaddr *)&full.address,
              transport == TCP ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_un)), 0);
    MUST(listen(full.listener, 0), 0);
    MUST(getsockname(full.listener, (struct sockaddr *)&full.address, &full.bytes), 0);
    for (int i = 0; i < 2; i++)
        full.waiting[i] = try_to_connect(&full);
    return full;
}

static void full_end(struct full *full)
{
    close(full->listener);
    close(full->waiting[0]);
    close(full->waiting[1]);
}

static struct operation connect_to(const struct full *full, pe_socket **ret_socket)
{
    return full->address.ss_family == AF_UNIX ? CONNECT_PATH_OF(sockets_path(), ret_socket)
                                              : CONNECT_OF(&full->address, full->bytes, ret_socket);
}

PE_TEST_LOOP(an_attempt_to_connect_is_given_up, 0, 4)
{
    pe_socket *made = NULL;

    sockets_begin();
    struct full full = full_listener(_i / 2 ? UNIX : TCP);
    int next = next_descriptor();
    if (_i % 2) {
        int64_t begin_ns = pe_now();

        MUST(operation_run_until(connect_to(&full, &made), pe_after(PE_MS(30))), PE_ETIMEDOUT);
        ck_assert_int_ge(pe_now() - begin_ns, PE_MS(30));
    } else {
        pe_task *connects = operation_start(connect_to(&full, &made));

        sockets_settle();
        MUST(pe_task_has_ended(connects), 0);
        MUST(operation_cancel(connects), PE_ECANCELED);
    }
    ck_assert_ptr_null(made);
    ck_assert_int_eq(next_descriptor(), next);
    full_end(&full);
    sockets_end();
}

PE_TEST(a_unix_listener_with_a_full_queue_is_tried_again)
{
    pe_socket *made = NULL;
    int accepted[4];

    sockets_begin();
    struct full full = full_listener(UNIX);
    pe_task *connects = operation_start(connect_to(&full, &made));
    for (int i = 0; i < 5; i++)
        sockets_turn(); /* it tries and tries */
    MUST(pe_task_has_ended(connects), 0);
    accepted[0] = accept(full.listener, NULL, NULL);
    MUST(operation_finish(connects), 0);
    MUST(operation_run(WRITE_OF(made, "hello", 5)), 0);
    accepted[1] = accept(full.listener, NULL, NULL);
    MUST((int)recv(accepted[1], buffer, sizeof buffer, 0), 5);
    close(accepted[0]);
    close(accepted[1]);
    pe_socket_free(made);
    full_end(&full);
    sockets_end();
}

/* What cannot wait does not even begin: nobody comes to the listener. */
PE_TEST_LOOP(after_its_time_a_connection_is_not_begun, 0, 2)
{
    pe_socket *made = NULL;

    sockets_begin();
    pe_listener *listener = listener_of(_i == 0 ? TCP : UNIX);
    struct sockaddr_storage address;
    size_t bytes;
    MUST(pe_listener_local(listener, &address, &bytes), 0);
    MUST(operation_run_until(_i == 0 ? CONNECT_OF(&address, bytes, &made) : CONNECT_PATH_OF(sockets_path(), &made),
                             pe_now()), PE_ETIMEDOUT);
    MUST(poll(&(struct pollfd){ pe_listener_fd(listener), POLLIN, 0 }, 1, 0), 0);
    MUST(operation_run_until(ACCEPT_OF(listener, &made), pe_now()), PE_ETIMEDOUT);
    ck_assert_ptr_null(made);
    pe_listener_free(listener);
    sockets_end();
}

PE_TEST(bad_arguments_change_nothing)
{
    struct sockaddr_storage address = { .ss_family = AF_UNIX };
    char long_path[200];
    pe_listener *listener = NULL;
    pe_socket *made = NULL;
    size_t bytes = sizeof address;

    sockets_begin();
    memset(long_path, 'x', sizeof long_path);
    long_path[108] = '\0';
    MUST(operation_run(CONNECT_OF(&address, bytes, &made)), PE_EINVAL);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, &listener), PE_EINVAL);
    MUST(operation_run(CONNECT_PATH_OF(long_path, &made)), PE_EINVAL);
    MUST(pe_unix_listen(sockets_loop, long_path, 0, &listener), PE_EINVAL);
    MUST(operation_run(CONNECT_PATH_OF("", &made)), PE_EINVAL);
    MUST(operation_run(CONNECT_PATH_OF(NULL, &made)), PE_EINVAL);
    MUST(pe_unix_listen(sockets_loop, "", 0, &listener), PE_EINVAL);
    MUST(pe_address_parse("127.0.0.1", 0, &address, &bytes), 0);
    MUST(operation_run(CONNECT_OF(NULL, bytes, &made)), PE_EINVAL);
    MUST(operation_run(CONNECT_OF(&address, 8, &made)), PE_EINVAL);
    MUST(operation_run(CONNECT_OF(&address, bytes, NULL)), PE_EINVAL);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, 8, 0, &listener), PE_EINVAL);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, -1, &listener), PE_EINVAL);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, NULL), PE_EINVAL);
    MUST(operation_run(ACCEPT_OF(NULL, &made)), PE_EINVAL);
    ck_assert(listener == NULL && made == NULL);
    sockets_end();
}

/* ---- accepting ---- */

PE_TEST_LOOP(those_who_accept_are_served_in_their_order, 0, 2)
{
    enum { COUNT = 5 };
    pe_socket *accepted[COUNT] = { NULL }, *connected[COUNT];
    pe_task *accepts[COUNT];

    sockets_begin();
    pe_listener *listener = listener_of(_i == 0 ? TCP : UNIX);
    for (int i = 0; i < COUNT; i++)
        accepts[i] = operation_start(ACCEPT_OF(listener, &accepted[i]));
    sockets_settle();
    for (int i = 0; i < COUNT; i++) {
        MUST(operation_finish(connection_start(listener, &connected[i])), 0);
        MUST(operation_finish(accepts[i]), 0);
        for (int j = 0; j < COUNT; j++)
            ck_assert((accepted[j] != NULL) == (j <= i));
        is_connected(connected[i], accepted[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        pe_socket_free(accepted[i]);
        pe_socket_free(connected[i]);
    }
    pe_listener_free(listener);
    sockets_end();
}

PE_TEST(one_that_stops_accepting_does_not_hold_the_others)
{
    enum { COUNT = 3 };
    pe_socket *accepted[COUNT] = { NULL }, *connected[COUNT - 1];
    pe_task *accepts[COUNT];

    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    for (int i = 0; i < COUNT; i++)
        accepts[i] = operation_start(ACCEPT_OF(listener, &accepted[i]));
    sockets_settle();
    MUST(operation_cancel(accepts[1]), PE_ECANCELED);
    for (int i = 0; i < COUNT - 1; i++)
        MUST(operation_finish(connection_start(listener, &connected[i])), 0);
    MUST(operation_finish(accepts[0]), 0);
    MUST(operation_finish(accepts[2]), 0);
    ck_assert(accepted[0] != NULL && accepted[1] == NULL && accepted[2] != NULL);
    is_connected(connected[0], accepted[0]);
    is_connected(connected[1], accepted[2]);
    for (int i = 0; i < COUNT; i++)
        pe_socket_free(accepted[i]);
    pe_socket_free(connected[0]);
    pe_socket_free(connected[1]);
    pe_listener_free(listener);
    sockets_end();
}

/* It stays where it was, and the loop is not woken for it again and again. */
PE_TEST(a_connection_that_nobody_accepts_waits)
{
    pe_socket *accepted, *connected;

    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    MUST(operation_cancel(operation_start(ACCEPT_OF(listener, &accepted))), PE_ECANCELED);
    pe_task *accepts = operation_start(ACCEPT_OF(listener, &accepted));
    sockets_settle();
    MUST(operation_cancel(accepts), PE_ECANCELED);
    MUST(operation_finish(connection_start(listener, &connected)), 0);
    sockets_settle();
    MUST(poll(&(struct pollfd){ pe_loop_fd(sockets_loop), POLLIN, 0 }, 1, 0), 0);
    MUST(operation_run_until(ACCEPT_OF(listener, &accepted), pe_now()), 0);
    is_connected(accepted, connected);
    pe_socket_free(accepted);
    pe_socket_free(connected);
    pe_listener_free(listener);
    sockets_end();
}

PE_TEST(whoever_accepts_from_a_listener_that_is_freed_is_told)
{
    pe_socket *accepted = NULL;
    pe_task *accepts[2];

    sockets_begin();
    pe_listener *listener = listener_of(UNIX);
    for (int i = 0; i < 2; i++)
        accepts[i] = operation_start(ACCEPT_OF(listener, &accepted));
    sockets_settle();
    pe_listener_free(listener);
    for (int i = 0; i < 2; i++)
        MUST(operation_finish(accepts[i]), PE_ECLOSED);
    ck_assert_ptr_null(accepted);
    sockets_end();
}

/* ---- without means ---- */

/* Sets the limit so that no descriptor can be opened; what it was before. */
static rlim_t no_more_descriptors(void)
{
    struct rlimit limit;

    MUST(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)next_descriptor();
    MUST(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static void set_limit(rlim_t count)
{
    struct rlimit limit;

    MUST(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    MUST(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* valgrind keeps to that limit by itself: it accepts, closes the connection, and says that there was no room. */
static int limit_is_the_systems(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded == NULL || strstr(preloaded, "vgpreload") == NULL;
}

/* A connection that waits in the system's queue, made by the system alone. */
static int come_to(const pe_listener *listener)
{
    struct sockaddr_storage address;
    size_t bytes;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    MUST(pe_listener_local(listener, &address, &bytes), 0);
    MUST(connect(fd, (struct sockaddr *)&address, (socklen_t)bytes), 0);
    return fd;
}

/* How often the loop had something to do until the task ended. */
static int turns_of(pe_task *task)
{
    int turns = 0;

    sockets_settle();
    for (; !pe_task_has_ended(task); turns++)
        sockets_turn();
    return turns;
}

/* Tasks that wait for a connection again and again are told, and do not spin; the connection is not lost. */
PE_TEST(without_descriptors_a_listener_pauses)
{
    pe_socket *accepted = NULL;

    if (!limit_is_the_systems())
        HARNESS_SKIP("valgrind loses connections here");
    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    int fd = come_to(listener);
    rlim_t before = no_more_descriptors();
    for (int i = 0; i < 2; i++) {
        int64_t begin_ns = pe_now();
        pe_task *accepts = operation_start(ACCEPT_OF(listener, &accepted));

        ck_assert_int_le(turns_of(accepts), 3);
        MUST(operation_finish(accepts), PE_EMFILE);
        ck_assert_int_ge(pe_now() - begin_ns, PE_MS(100));
    }
    pe_task *accepts = operation_start(ACCEPT_OF(listener, &accepted));
    sockets_settle();
    set_limit(before);
    MUST(operation_finish(accepts), 0);
    MUST((int)send(fd, "hello", 5, 0), 5);
    MUST(operation_run(READ_OF(accepted, buffer, sizeof buffer)), 5);
    pe_socket_free(accepted);
    pe_listener_free(listener);
    close(fd);
    sockets_end();
}

/* Of those who wait one is told at a time, and each can be stopped meanwhile. */
PE_TEST(a_pause_can_be_left)
{
    pe_socket *accepted = NULL;
    pe_task *accepts[3];

    if (!limit_is_the_systems())
        HARNESS_SKIP("valgrind loses connections here");
    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    int fd = come_to(listener);
    rlim_t before = no_more_descriptors();
    int64_t begin_ns = pe_now();
    for (int i = 0; i < 3; i++)
        accepts[i] = operation_start(ACCEPT_OF(listener, &accepted));
    MUST(operation_finish(accepts[0]), PE_EMFILE);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(100));
    MUST(pe_task_has_ended(accepts[1]), 0);
    MUST(operation_finish(accepts[1]), PE_EMFILE);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(200));
    MUST(operation_cancel(accepts[2]), PE_ECANCELED);
    MUST(pe_loop_next_ns(sockets_loop) == PE_FOREVER, 1); /* no pause goes on for nobody */
    accepts[0] = operation_start(ACCEPT_OF(listener, &accepted));
    sockets_settle();
    pe_listener_free(listener);
    MUST(operation_finish(accepts[0]), PE_ECLOSED);
    set_limit(before);
    close(fd);
    sockets_end();
}

PE_TEST_LOOP(without_memory_nothing_is_made, 1, 4)
{
    struct sockaddr_storage address;
    pe_listener *listener, *none = NULL;
    pe_socket *made = NULL;
    size_t bytes;

    sockets_begin();
    MUST(pe_address_parse("127.0.0.1", 0, &address, &bytes), 0);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, &none), PE_ENOMEM);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_unix_listen(sockets_loop, sockets_path(), 0, &none), PE_ENOMEM);
    MUST(access(sockets_path(), F_OK), -1);
    listener = listener_of(TCP);
    if (_i == 1) { /* connecting */
        pe_task *connects = connection_start(listener, &made);

        harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
        MUST(operation_finish(connects), PE_ENOMEM);
    } else { /* accepting, one that is there and one that comes */
        int fd = _i == 2 ? come_to(listener) : -1;
        pe_task *accepts = operation_start(ACCEPT_OF(listener, &made));

        if (_i == 3) {
            sockets_settle();
            fd = come_to(listener);
        }
        harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
        MUST(operation_cancel(accepts), PE_ECANCELED);
        harness_fail_reset();
        close(fd);
    }
    ck_assert(none == NULL && made == NULL);
    pe_listener_free(listener);
    sockets_end();
}

/* ---- what is left ---- */

PE_TEST(the_file_of_a_unix_listener)
{
    pe_listener *second = NULL;
    struct stat is;

    sockets_begin();
    pe_listener *listener = listener_of(UNIX);
    MUST(pe_unix_listen(sockets_loop, sockets_path(), 0, &second), PE_EADDRINUSE);
    ck_assert_ptr_null(second);
    MUST(stat(sockets_path(), &is), 0);
    ck_assert(S_ISSOCK(is.st_mode));
    pe_listener_free(listener);
    MUST(stat(sockets_path(), &is), -1);

    listener = listener_of(UNIX);
    unlink(sockets_path());
    second = listener_of(UNIX); /* another one in its place */
    pe_listener_free(listener);
    MUST(stat(sockets_path(), &is), 0);
    pe_listener_free(second);
    MUST(stat(sockets_path(), &is), -1);
    sockets_end();
}

PE_TEST(an_address_can_be_listened_on_again_at_once)
{
    struct sockaddr_storage address;
    pe_listener *second = NULL;
    pe_socket *accepted, *connected;
    size_t bytes;

    sockets_begin();
    pe_listener *listener = listener_of(TCP);
    MUST(pe_listener_local(listener, &address, &bytes), 0);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, &second), PE_EADDRINUSE);
    pe_task *connects = connection_start(listener, &connected);
    MUST(operation_run(ACCEPT_OF(listener, &accepted)), 0);
    MUST(operation_finish(connects), 0);
    pe_socket_free(accepted); /* this end closes first, and its port is kept by the system for a while */
    MUST(operation_run(READ_OF(connected, buffer, 1)), 0);
    pe_socket_free(connected);
    pe_listener_free(listener);
    MUST(pe_tcp_listen(sockets_loop, (struct sockaddr *)&address, bytes, 0, &second), 0);
    pe_listener_free(second);
    sockets_end();
}

PE_TEST(a_listener_can_be_inherited)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    pe_listener *listener = NULL;
    pe_socket *accepted;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sockets_begin();
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    MUST(pe_listener_open(sockets_loop, fd, &listener), PE_EINVAL); /* it does not listen */
    MUST(listen(fd, 4), 0);
    MUST(pe_listener_open(sockets_loop, fd, NULL), PE_EINVAL);
    MUST(pe_listener_open(sockets_loop, STDERR_FILENO, &listener), PE_ENOTSOCK);
    MUST(pe_listener_open(sockets_loop, -1, &listener), PE_EBADF);
    ck_assert_ptr_null(listener);
    MUST(pe_listener_open(sockets_loop, fd, &listener), 0);
    int client = come_to(listener);
    MUST(operation_run(ACCEPT_OF(listener, &accepted)), 0);
    pe_socket_free(accepted);
    pe_listener_free(listener);
    close(client);
    MUST(fcntl(fd, F_GETFD), -1);
    sockets_end();
}

/* ---- addresses ---- */

PE_TEST(texts_of_addresses)
{
    static const struct {
        const char *text;
        const char *wanted; /* NULL: no address */
    } rows[] = {
        { "127.0.0.1", "127.0.0.1:80" }, { "*", "0.0.0.0:80" }, { "::", "[::]:80" }, { "::1", "[::1]:80" },
        { "fe80::1%lo", "[fe80::1%lo]:80" }, { "::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80" },
        { "fe80::1%999999", "[fe80::1%999999]:80" },
        { "", NULL }, { "localhost", NULL }, { "1.2.3", NULL }, { "1.2.3.256", NULL }, { ":::", NULL },
        { "fe80::1%", NULL }, { "fe80::1%no-such", NULL }, { "fe80::1%1x", NULL }, { "127.0.0.1 ", NULL },
        { "fe80::1%-1", NULL }, { "fe80::1% 1", NULL }, { "fe80::1%4294967297", NULL },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
    };
    struct sockaddr_storage address;
    char text[PE_ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = 77;
        int result = pe_address_parse(rows[i].text, 80, &address, &bytes);

        ck_assert_msg(result == (rows[i].wanted != NULL ? 0 : PE_EINVAL), "%s: %d", rows[i].text, result);
        if (rows[i].wanted == NULL) {
            ck_assert_uint_eq(bytes, 77);
            continue;
        }
        MUST(pe_address_text((struct sockaddr *)&address, bytes, text, sizeof text), 0);
        ck_assert_str_eq(text, rows[i].wanted);
    }
    MUST(pe_address_text((struct sockaddr *)&address, 3, text, sizeof text), PE_EINVAL);
    MUST(pe_address_text((struct sockaddr *)&address, sizeof address, text, 0), PE_EINVAL);
    MUST(pe_address_parse("::1", 80, &address, NULL), PE_EINVAL);
    MUST(pe_address_parse("10.20.30.40", 65535, &address, &(size_t){ 0 }), 0);
    MUST(pe_address_text((struct sockaddr *)&address, sizeof(struct sockaddr_in), text, 8), 0);
    ck_assert_str_eq(text, "10.20.3");
}

PE_TEST(texts_of_unix_addresses)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t head = offsetof(struct sockaddr_un, sun_path);
    char text[PE_ADDRESS_TEXT_BYTES];

    MUST(pe_address_text((struct sockaddr *)&address, head, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    memset(address.sun_path, 'p', sizeof address.sun_path); /* without a 0 at its end */
    MUST(pe_address_text((struct sockaddr *)&address, sizeof address, text, sizeof text), 0);
    ck_assert_uint_eq(strlen(text), sizeof address.sun_path);
    address.sun_path[0] = '\0';
    MUST(pe_address_text((struct sockaddr *)&address, head + 4, text, sizeof text), 0);
    ck_assert_str_eq(text, "@ppp");
    MUST(pe_address_text((struct sockaddr *)&address, sizeof address + 1, text, sizeof text), PE_EINVAL);
}

PE_TEST_LOOP(each_end_knows_both_addresses, 0, TRANSPORTS)
{
    struct sockaddr_storage local, peer;
    char text[2][PE_ADDRESS_TEXT_BYTES];
    size_t bytes[2];

    if (!transport_is_there((enum transport)_i))
        HARNESS_SKIP("no IPv6 here");
    sockets_begin();
    struct pair pair = pair_of((enum transport)_i);
    for (int i = 0; i < 2; i++) {
        MUST(pe_socket_local(i ? pair.here : pair.there, &local, &bytes[0]), 0);
        MUST(pe_socket_peer(i ? pair.there : pair.here, &peer, &bytes[1]), 0);
        MUST(pe_address_text((struct sockaddr *)&local, bytes[0], text[0], sizeof text[0]), 0);
        MUST(pe_address_text((struct sockaddr *)&peer, bytes[1], text[1], sizeof text[1]), 0);
        ck_assert_str_eq(text[0], text[1]);
    }
    pair_free(&pair);
    sockets_end();
}

HARNESS_MAIN("listener")
