/*
 * Sockets: what reads and writes give, wherever they are stopped, and what is left for the next one; their ends; what a
 * socket can be made of.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <parexec.h>

#include "harness/sockets.h"

static char buffer[4096];

#define SAYS(text) ck_assert_int_eq(memcmp(buffer, text, sizeof(text) - 1), 0)

static int write_text(pe_socket *socket, const char *text)
{
    return operation_run(WRITE_OF(socket, text, strlen(text)));
}

/* ---- reading ---- */

PE_TEST_LOOP(bytes_go_both_ways, 0, TRANSPORTS)
{
    if (!transport_is_there((enum transport)_i))
        HARNESS_SKIP("no IPv6 here");
    sockets_begin();
    struct pair pair = pair_of((enum transport)_i);
    for (int round = 0; round < 40; round++) {
        pe_task *reads = operation_start(READ_OF(pair.there, buffer, sizeof buffer));

        if (round % 2)
            sockets_settle(); /* it waits already */
        MUST(write_text(pair.here, "there"), 0);
        ck_assert_int_eq(pe_socket_sent(pair.here), 5);
        MUST(operation_finish(reads), 5);
        SAYS("there");
        MUST(write_text(pair.there, "back"), 0);
        MUST(operation_run(READ_OF(pair.here, buffer, sizeof buffer)), 4);
        SAYS("back");
    }
    pair_free(&pair);
    sockets_end();
}

PE_TEST_LOOP(lines_come_one_by_one, 0, 2)
{
    sockets_begin();
    struct pair pair = pair_of(_i == 0 ? TCP : UNIX);
    MUST(write_text(pair.here, "first\r\nsecond line\r\n\r\nlast"), 0);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 32, "\r\n")), 7);
    SAYS("first\r\n");
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 32, "\r\n")), 13);
    SAYS("second line\r\n");
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 32, "\r\n")), 2);
    pe_task *reads = operation_start(UNTIL_OF(pair.there, buffer, 32, "\r\n"));
    sockets_settle();
    MUST(write_text(pair.here, "\r"), 0);
    sockets_settle();
    MUST(pe_task_has_ended(reads), 0);
    MUST(write_text(pair.here, "\n..."), 0);
    MUST(operation_finish(reads), 6);
    SAYS("last\r\n");
    MUST(operation_run(READ_OF(pair.there, buffer, sizeof buffer)), 3);
    pair_free(&pair);
    sockets_end();
}

PE_TEST(a_line_may_fill_the_buffer_and_not_more)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    MUST(write_text(pair.here, "1234567\n12345678\nrest"), 0);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 8, "\n")), 8);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 8, "\n")), PE_ETOOBIG);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 8, "\n")), PE_ETOOBIG);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 9, "\n")), 9);
    SAYS("12345678\n");
    MUST(operation_run(EXACTLY_OF(pair.there, buffer, 4)), 4);
    SAYS("rest");

    pe_task *reads = operation_start(UNTIL_OF(pair.there, buffer, 8, "\n"));
    sockets_settle(); /* now it comes while the read waits */
    MUST(write_text(pair.here, "abcdefghij"), 0);
    MUST(operation_finish(reads), PE_ETOOBIG);
    MUST(operation_run(EXACTLY_OF(pair.there, buffer, 10)), 10);
    SAYS("abcdefghij");
    pair_free(&pair);
    sockets_end();
}

PE_TEST(a_byte_of_zero_may_be_the_mark)
{
    sockets_begin();
    struct pair pair = pair_of(UNIX);
    MUST(operation_run(WRITE_OF(pair.here, "one\0two", 8)), 0);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 32, "")), 4);
    ck_assert_str_eq(buffer, "one");
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 32, "")), 4);
    ck_assert_str_eq(buffer, "two");
    pair_free(&pair);
    sockets_end();
}

PE_TEST(exactly_means_all_of_it)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    pe_task *reads = operation_start(EXACTLY_OF(pair.there, buffer, 10));

    sockets_settle();
    MUST(write_text(pair.here, "1234"), 0);
    sockets_settle();
    MUST(write_text(pair.here, "56789"), 0);
    sockets_settle();
    MUST(pe_task_has_ended(reads), 0);
    MUST(write_text(pair.here, "0abc"), 0);
    MUST(operation_finish(reads), 10);
    SAYS("1234567890");
    MUST(operation_run(READ_OF(pair.there, buffer, sizeof buffer)), 3);
    pair_free(&pair);
    sockets_end();
}

/* ---- stopping reads ---- */

static struct operation read_of(int kind, pe_socket *socket)
{
    switch (kind) {
    case 0: return READ_OF(socket, buffer, 100);
    case 1: return EXACTLY_OF(socket, buffer, 100);
    default: return UNTIL_OF(socket, buffer, 100, "\n");
    }
}

/* Cancelled, or too late, with some of it there or nothing. */
PE_TEST_LOOP(a_read_that_is_stopped_loses_nothing, 0, 12)
{
    int kind = _i % 3, has_limit = _i / 3 % 2, has_some = _i / 6 && kind != 0;

    sockets_begin();
    struct pair pair = pair_of(TCP);
    struct operation operation = read_of(kind, pair.there);
    operation.deadline_ns = has_limit ? pe_after(PE_MS(30)) : 0;
    pe_task *reads = operation_start(operation);
    sockets_settle();
    if (has_some)
        MUST(write_text(pair.here, "begin "), 0);
    sockets_settle();
    MUST(has_limit ? operation_finish(reads) : operation_cancel(reads), has_limit ? PE_ETIMEDOUT : PE_ECANCELED);
    memset(buffer, '.', sizeof buffer); /* it is ours again */
    MUST(write_text(pair.here, "end\n"), 0);
    sockets_settle();
    ck_assert_int_eq(buffer[0], '.');
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 100, "\n")), has_some ? 10 : 4);
    if (has_some)
        SAYS("begin end\n");
    else
        SAYS("end\n");
    pair_free(&pair);
    sockets_end();
}

PE_TEST(what_is_there_is_taken_whatever_the_time_is)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    MUST(operation_run_until(READ_OF(pair.there, buffer, 100), pe_now()), PE_ETIMEDOUT);
    MUST(write_text(pair.here, "12\n3"), 0);
    MUST(operation_run_until(EXACTLY_OF(pair.there, buffer, 5), pe_now()), PE_ETIMEDOUT);
    MUST(operation_run_until(UNTIL_OF(pair.there, buffer, 100, "\n"), pe_now()), 3);
    MUST(operation_run_until(READ_OF(pair.there, buffer, 100), pe_now()), 1);
    SAYS("3");
    MUST(operation_run_until(WRITE_OF(pair.there, "4", 1), pe_now()), 0);
    MUST(operation_run_until(READ_OF(pair.here, buffer, 100), pe_now()), 1);
    SAYS("4");
    pair_free(&pair);
    sockets_end();
}

PE_TEST(one_reads_and_one_writes)
{
    static char data[8 << 20];

    sockets_begin();
    struct pair pair = pair_of(UNIX);
    pe_task *reads = operation_start(READ_OF(pair.here, buffer, 100));
    pe_task *writes = operation_start(WRITE_OF(pair.here, data, sizeof data));

    sockets_settle();
    MUST(pe_task_has_ended(writes), 0);
    MUST(operation_run(READ_OF(pair.here, buffer, 100)), PE_EBUSY);
    MUST(operation_run(EXACTLY_OF(pair.here, buffer, 100)), PE_EBUSY);
    MUST(operation_run(WRITE_OF(pair.here, "x", 1)), PE_EBUSY);
    MUST(pe_socket_shutdown(pair.here), PE_EBUSY);
    MUST(write_text(pair.there, "x"), 0);
    MUST(operation_finish(reads), 1);
    MUST(operation_run(EXACTLY_OF(pair.there, data, sizeof data)), sizeof data);
    MUST(operation_finish(writes), 0);
    ck_assert_int_eq(pe_socket_sent(pair.here), sizeof data);
    pair_free(&pair);
    sockets_end();
}

/* Nothing of it is taken out of the system, and nobody is woken for it again and again. */
PE_TEST(what_nobody_reads_stays_with_the_peer)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    int fd = pe_socket_fd(pair.there);
    size_t sent = 0;
    ssize_t count;

    pe_task *reads = operation_start(READ_OF(pair.here, buffer, 1));
    sockets_settle();
    while ((count = send(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        sent += (size_t)count;
        sockets_settle();
    }
    MUST(operation_finish(reads), 1);
    ck_assert_uint_lt(sent, 64 << 20); /* where the system's limit is, it stops */
    MUST(poll(&(struct pollfd){ pe_loop_fd(sockets_loop), POLLIN, 0 }, 1, 0), 0);
    for (size_t got = 1; got < sent; got += (size_t)count) {
        count = operation_run(READ_OF(pair.here, buffer, sizeof buffer));
        ck_assert_int_gt(count, 0);
    }
    pair_free(&pair);
    sockets_end();
}

/* ---- the end ---- */

PE_TEST_LOOP(the_end_is_told_by_zero_and_stays, 0, 2)
{
    sockets_begin();
    struct pair pair = pair_of(_i == 0 ? TCP : UNIX);
    pe_task *reads = operation_start(READ_OF(pair.there, buffer, 100));
    sockets_settle();
    MUST(pe_socket_shutdown(pair.here), 0);
    MUST(operation_finish(reads), 0);
    for (int i = 0; i < 40; i++) {
        MUST(operation_run(READ_OF(pair.there, buffer, 100)), 0);
        MUST(operation_run(EXACTLY_OF(pair.there, buffer, 100)), 0);
        MUST(operation_run(UNTIL_OF(pair.there, buffer, 100, "\n")), 0);
    }
    MUST(write_text(pair.here, "more"), PE_EPIPE);
    MUST(write_text(pair.there, "still"), 0); /* the other way is open */
    MUST(operation_run(READ_OF(pair.here, buffer, 100)), 5);
    pe_socket_free(pair.there);
    MUST(operation_run(READ_OF(pair.here, buffer, 100)), 0);
    pe_socket_free(pair.here);
    sockets_end();
}

PE_TEST_LOOP(an_end_in_between_leaves_what_has_come, 0, 4)
{
    struct operation operation;

    sockets_begin();
    struct pair pair = pair_of(TCP);
    operation = _i % 2 ? UNTIL_OF(pair.there, buffer, 100, "\n") : EXACTLY_OF(pair.there, buffer, 100);
    pe_task *reads = operation_start(operation);
    if (_i / 2)
        sockets_settle();
    MUST(write_text(pair.here, "beginning"), 0);
    MUST(pe_socket_shutdown(pair.here), 0);
    MUST(operation_finish(reads), PE_ENODATA);
    MUST(operation_run(operation), PE_ENODATA);
    MUST(operation_run(READ_OF(pair.there, buffer, 100)), 9);
    SAYS("beginning");
    MUST(operation_run(operation), 0);
    pair_free(&pair);
    sockets_end();
}

static void reset(pe_socket *socket)
{
    struct linger linger = { 1, 0 };

    MUST(setsockopt(pe_socket_fd(socket), SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    pe_socket_free(socket);
}

PE_TEST_LOOP(a_reset_is_told_to_all_and_stays, 0, 2)
{
    static char data[16 << 20];

    sockets_begin();
    struct pair pair = pair_of(TCP);
    pe_task *reads = operation_start(EXACTLY_OF(pair.here, buffer, 100));
    pe_task *writes = operation_start(WRITE_OF(pair.here, data, sizeof data));
    if (_i == 1)
        MUST(write_text(pair.there, "some"), 0);
    sockets_settle();
    reset(pair.there);
    int read = operation_finish(reads), written = operation_finish(writes);
    ck_assert(read == PE_ECONNRESET);
    ck_assert(written == PE_ECONNRESET || written == PE_EPIPE);
    if (_i == 1) {
        MUST(operation_run(READ_OF(pair.here, buffer, 100)), 4);
        SAYS("some");
    }
    for (int i = 0; i < 3; i++)
        MUST(operation_run(READ_OF(pair.here, buffer, 100)), PE_ECONNRESET);
    MUST(write_text(pair.here, "x"), PE_EBROKEN);
    pe_socket_free(pair.here);
    sockets_end();
}

PE_TEST_LOOP(whoever_waits_for_a_socket_that_is_freed_is_told, 0, 2)
{
    static char data[8 << 20];

    sockets_begin();
    struct pair pair = pair_of(_i == 0 ? TCP : UNIX);
    pe_task *reads = operation_start(READ_OF(pair.here, buffer, 100));
    pe_task *writes = operation_start(WRITE_OF(pair.here, data, sizeof data));

    sockets_settle();
    pe_socket_free(pair.here);
    MUST(pe_task_has_ended(reads), 0); /* never inside the call */
    MUST(operation_finish(reads), PE_ECLOSED);
    MUST(operation_finish(writes), PE_ECLOSED);
    pe_socket_free(pair.there);
    sockets_end();
}

/* ---- writing ---- */

/* Fills what the system has room for; the peer gets as much. */
static size_t fill(pe_socket *socket)
{
    size_t sent = 0;
    ssize_t count;

    memset(buffer, 'f', sizeof buffer);
    while ((count = send(pe_socket_fd(socket), buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
        sent += (size_t)count;
    return sent;
}

/* How many bytes of the buffer's first are this one. */
static size_t leading(char wanted, size_t count)
{
    size_t same = 0;

    while (same < count && buffer[same] == wanted)
        same++;
    return same;
}

static size_t drain(pe_socket *socket, char wanted)
{
    size_t got = 0;
    ssize_t count;

    while ((count = recv(pe_socket_fd(socket), buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        ck_assert_uint_eq(leading(wanted, (size_t)count), count);
        got += (size_t)count;
    }
    return got;
}

PE_TEST_LOOP(a_write_that_is_stopped_tells_how_far_it_came, 0, 4)
{
    static char data[8 << 20];
    int has_limit = _i % 2;

    sockets_begin();
    struct pair pair = pair_of(_i / 2 ? TCP : UNIX);
    memset(data, 'd', sizeof data);
    struct operation operation = WRITE_OF(pair.here, data, sizeof data);
    operation.deadline_ns = has_limit ? pe_after(PE_MS(30)) : 0;
    pe_task *writes = operation_start(operation);
    sockets_settle();
    MUST(has_limit ? operation_finish(writes) : operation_cancel(writes), has_limit ? PE_ETIMEDOUT : PE_ECANCELED);
    memset(data, 'x', sizeof data); /* it is ours again */
    int64_t sent = pe_socket_sent(pair.here);
    ck_assert_int_gt(sent, 0);
    ck_assert_int_lt(sent, sizeof data);
    MUST(write_text(pair.here, "more"), PE_EBROKEN);
    MUST(write_text(pair.here, ""), PE_EBROKEN);
    ck_assert_int_eq(pe_socket_sent(pair.here), sent);
    MUST(pe_socket_shutdown(pair.here), 0);
    for (int64_t got = 0; got < sent;) {
        int count = operation_run(READ_OF(pair.there, buffer, sizeof buffer));

        ck_assert_int_gt(count, 0);
        ck_assert_uint_eq(leading('d', (size_t)count), count);
        got += count;
        ck_assert_int_le(got, sent);
    }
    MUST(operation_run(READ_OF(pair.there, buffer, sizeof buffer)), 0);
    MUST(write_text(pair.there, "back"), 0); /* the other way is whole */
    MUST(operation_run(READ_OF(pair.here, buffer, 100)), 4);
    pair_free(&pair);
    sockets_end();
}

PE_TEST_LOOP(a_write_that_is_stopped_before_its_begin_breaks_nothing, 0, 3)
{
    sockets_begin();
    struct pair pair = pair_of(UNIX);
    size_t filled = fill(pair.here);
    if (_i == 2) {
        MUST(operation_run_until(WRITE_OF(pair.here, "data", 4), pe_now()), PE_ETIMEDOUT);
    } else {
        pe_task *writes = operation_start(WRITE_OF(pair.here, "data", 4));

        if (_i == 1)
            sockets_settle();
        MUST(operation_cancel(writes), PE_ECANCELED);
    }
    ck_assert_int_eq(pe_socket_sent(pair.here), 0);
    ck_assert_uint_eq(drain(pair.there, 'f'), filled);
    MUST(write_text(pair.here, "data"), 0);
    MUST(operation_run(READ_OF(pair.there, buffer, 100)), 4);
    pair_free(&pair);
    sockets_end();
}

PE_TEST(pieces_are_written_in_their_order)
{
    enum { COUNT = 100, BYTES = 70000 };
    static char data[COUNT * BYTES], got[COUNT * BYTES];
    struct iovec pieces[COUNT * 2];

    sockets_begin();
    struct pair pair = pair_of(TCP);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < COUNT; i++) {
        pieces[2 * i] = (struct iovec){ NULL, 0 };
        pieces[2 * i + 1] = (struct iovec){ data + i * BYTES, BYTES };
    }
    pe_task *writes = operation_start(WRITEV_OF(pair.here, pieces, COUNT * 2));
    sockets_settle();
    MUST(pe_task_has_ended(writes), 0);
    MUST(operation_run(EXACTLY_OF(pair.there, got, sizeof got)), sizeof got);
    MUST(operation_finish(writes), 0);
    ck_assert_int_eq(memcmp(data, got, sizeof got), 0);
    MUST(operation_run(WRITEV_OF(pair.here, pieces, 1)), 0); /* nothing at all */
    MUST(operation_run(WRITEV_OF(pair.here, NULL, 0)), 0);
    MUST(write_text(pair.here, ""), 0);
    MUST(operation_run_until(READ_OF(pair.there, buffer, 100), pe_now()), PE_ETIMEDOUT);
    pair_free(&pair);
    sockets_end();
}

PE_TEST(no_write_raises_a_signal)
{
    static char data[8 << 20];

    signal(SIGPIPE, SIG_DFL);
    sockets_begin();
    struct pair pair = pair_of(UNIX);
    pe_task *writes = operation_start(WRITE_OF(pair.here, data, sizeof data));
    sockets_settle();
    pe_socket_free(pair.there);
    MUST(operation_finish(writes), PE_EPIPE);
    pe_socket_free(pair.here);
    pair = pair_of(UNIX);
    pe_socket_free(pair.there);
    MUST(write_text(pair.here, "x"), PE_EPIPE);
    MUST(operation_run(WRITEV_OF(pair.here, ((struct iovec[]){ { data, 9 }, { data, 9 } }), 2)), PE_EPIPE);
    pe_socket_free(pair.here);
    sockets_end();
}

struct refused {
    pe_socket *socket;
    int result;
};

static int write_when_stopped(pe_task *t, void *frame)
{
    struct refused *f = frame;

    PE_BEGIN(t);
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_socket_write(t, f->socket, "data", 4));
    f->result = t->result;
    PE_END(t);
}

PE_TEST_LOOP(a_write_that_is_not_begun_has_sent_nothing, 0, 2)
{
    static char data[8 << 20];

    sockets_begin();
    struct pair pair = pair_of(UNIX);
    struct refused refused = { pair.here, 0 };
    pe_task *writes = NULL;
    MUST(write_text(pair.here, "hello"), 0);
    if (_i == 1) { /* another one goes on, and that stays the latest */
        writes = operation_start(WRITE_OF(pair.here, data, sizeof data));
        sockets_settle();
    }
    int64_t before = pe_socket_sent(pair.here);
    ck_assert_int_gt(before, 0);
    async_start(sockets_loop, write_when_stopped, &refused, NULL);
    sockets_settle();
    MUST(refused.result, PE_ECANCELED);
    ck_assert_int_eq(pe_socket_sent(pair.here), _i == 1 ? before : 0);
    if (writes != NULL)
        MUST(operation_cancel(writes), PE_ECANCELED);
    pair_free(&pair);
    sockets_end();
}

/* ---- pipes, and what else there is ---- */

static pe_socket *socket_of(int fd)
{
    pe_socket *socket;

    MUST(pe_socket_open(sockets_loop, fd, &socket), 0);
    return socket;
}

PE_TEST(ends_of_a_pipe_are_sockets_too)
{
    static char data[1 << 20], got[1 << 20];
    int ends[2];

    sockets_begin();
    MUST(pipe(ends), 0);
    pe_socket *from = socket_of(ends[0]), *to = socket_of(ends[1]);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 5 + i / 509);
    pe_task *writes = operation_start(WRITE_OF(to, data, sizeof data));
    MUST(operation_run(EXACTLY_OF(from, got, sizeof got)), sizeof got);
    MUST(operation_finish(writes), 0);
    ck_assert_int_eq(memcmp(data, got, sizeof got), 0);
    MUST(pe_socket_shutdown(to), PE_ENOTSOCK);
    MUST(pe_socket_peer(to, &(struct sockaddr_storage){ 0 }, NULL), PE_ENOTSOCK);
    MUST(operation_run(READ_OF(to, buffer, 1)), PE_EBADF); /* it is the other end */
    pe_task *reads = operation_start(READ_OF(from, buffer, 1));
    sockets_settle();
    pe_socket_free(to);
    MUST(operation_finish(reads), 0);
    pe_socket_free(from);
    sockets_end();
}

/* A signal that was there before stays. */
PE_TEST_LOOP(a_pipe_that_nobody_reads_raises_no_signal, 0, 4)
{
    static char data[1 << 20];
    sigset_t pipe_signal, pending;
    int ends[2];

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sockets_begin();
    MUST(pipe(ends), 0);
    pe_socket *to = socket_of(ends[1]);
    if (_i > 0)
        sigprocmask(SIG_BLOCK, &pipe_signal, NULL);
    if (_i == 2)
        raise(SIGPIPE);
    if (_i == 3) {
        pe_task *writes = operation_start(WRITE_OF(to, data, sizeof data));

        sockets_settle();
        close(ends[0]);
        MUST(operation_finish(writes), PE_EPIPE);
    } else {
        close(ends[0]);
        MUST(write_text(to, "x"), PE_EPIPE);
    }
    MUST(sigpending(&pending), 0);
    MUST(sigismember(&pending, SIGPIPE), _i == 2);
    signal(SIGPIPE, SIG_IGN); /* what is pending goes */
    sigprocmask(SIG_UNBLOCK, &pipe_signal, NULL);
    pe_socket_free(to);
    sockets_end();
}

PE_TEST(what_is_no_stream_is_refused)
{
    pe_socket *socket_ = NULL;
    int both[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    sockets_begin();
    MUST(pe_socket_open(sockets_loop, file, &socket_), PE_EPERM);
    MUST(pe_socket_open(sockets_loop, -1, &socket_), PE_EBADF);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, both), 0);
    MUST(pe_socket_open(sockets_loop, both[0], &socket_), PE_EINVAL);
    close(both[0]);
    close(both[1]);
    pe_listener *listener = listener_of(TCP);
    MUST(pe_socket_open(sockets_loop, pe_listener_fd(listener), &socket_), PE_EINVAL);
    pe_listener_free(listener);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    pe_socket *first = socket_of(both[0]);
    pe_task *reads = operation_start(READ_OF(first, buffer, 1));
    sockets_settle();
    MUST(pe_socket_open(sockets_loop, both[0], &socket_), PE_EEXIST);
    ck_assert_ptr_null(socket_);
    pe_socket_free(first);
    MUST(operation_finish(reads), PE_ECLOSED);
    MUST(fcntl(both[0], F_GETFD), -1); /* it was the socket's */
    MUST(fcntl(both[1], F_GETFL) & O_NONBLOCK, 0);
    close(both[1]);
    close(file);
    sockets_end();
}

/* 0, 1 and 2 stay open, and a file that others share is as it was. */
PE_TEST_LOOP(what_was_there_before_is_left_as_it_was, 0, 2)
{
    int ends[2], number = _i == 0 ? STDIN_FILENO : 100;

    sockets_begin();
    MUST(pipe(ends), 0);
    int before = dup(STDIN_FILENO), kept = dup(ends[0]);
    MUST(dup2(ends[0], number), number);
    close(ends[0]);
    pe_socket *from = socket_of(number);
    ck_assert_int_ne(fcntl(kept, F_GETFL) & O_NONBLOCK, 0);
    MUST((int)write(ends[1], "text", 4), 4);
    MUST(operation_run(READ_OF(from, buffer, 100)), 4);
    pe_socket_free(from);
    MUST(fcntl(kept, F_GETFL) & O_NONBLOCK, 0);
    MUST(fcntl(number, F_GETFD) >= 0, _i == 0);
    if (_i == 0)
        dup2(before, STDIN_FILENO);
    close(before);
    close(kept);
    close(ends[1]);
    sockets_end();
}

PE_TEST(options_of_tcp)
{
    int value;
    socklen_t bytes = sizeof value;

    sockets_begin();
    struct pair pair = pair_of(TCP);
    pe_socket *ends[2] = { pair.here, pair.there };
    for (int i = 0; i < 2; i++) {
        int fd = pe_socket_fd(ends[i]);

        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &bytes);
        ck_assert_int_ne(value, 0);
        MUST(pe_socket_set_nodelay(ends[i], 0), 0);
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &bytes);
        MUST(value, 0);
        MUST(pe_socket_set_keepalive(ends[i], PE_MS(29001)), 0);
        getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &bytes);
        MUST(value, 30);
        getsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, &bytes);
        MUST(value, 10);
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &bytes);
        ck_assert_int_ne(value, 0);
        MUST(pe_socket_set_keepalive(ends[i], 0), 0);
        getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &bytes);
        MUST(value, 0);
        MUST(pe_socket_set_keepalive(ends[i], PE_MS(999)), PE_EINVAL);
        MUST(pe_socket_set_keepalive(ends[i], -1), PE_EINVAL);
        MUST(pe_socket_set_keepalive(ends[i], PE_SECONDS(32768)), PE_EINVAL);
        MUST(pe_socket_set_keepalive(ends[i], PE_FOREVER), PE_EINVAL);
    }
    pair_free(&pair);
    sockets_end();
}

PE_TEST(bad_arguments_change_nothing)
{
    sockets_begin();
    struct pair pair = pair_of(UNIX);
    MUST(write_text(pair.here, "text\n"), 0);
    MUST(operation_run(READ_OF(NULL, buffer, 1)), PE_EINVAL);
    MUST(operation_run(READ_OF(pair.there, NULL, 1)), PE_EINVAL);
    MUST(operation_run(READ_OF(pair.there, buffer, 0)), PE_EINVAL);
    MUST(operation_run(EXACTLY_OF(pair.there, buffer, 0)), PE_EINVAL);
    MUST(operation_run(EXACTLY_OF(pair.there, buffer, (size_t)1 << 31)), PE_EINVAL);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, (size_t)1 << 31, "\n")), PE_EINVAL);
    MUST(operation_run(UNTIL_OF(pair.there, buffer, 10, NULL)), PE_EINVAL);
    MUST(operation_run(WRITE_OF(pair.there, NULL, 1)), PE_EINVAL);
    MUST(operation_run(WRITEV_OF(pair.there, NULL, 1)), PE_EINVAL);
    MUST(pe_socket_local(pair.there, NULL, NULL), PE_EINVAL);
    MUST(pe_socket_open(sockets_loop, pe_socket_fd(pair.here), NULL), PE_EINVAL);
    MUST(operation_run(READ_OF(pair.there, buffer, sizeof buffer)), 5);
    SAYS("text\n");
    pair_free(&pair);
    sockets_end();
}

/* ---- without memory ---- */

PE_TEST(without_memory_a_socket_cannot_be_made)
{
    pe_socket *made = NULL;
    int both[2];

    sockets_begin();
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_socket_open(sockets_loop, both[0], &made), PE_ENOMEM);
    ck_assert_ptr_null(made);
    made = socket_of(both[0]);
    pe_socket_free(made);
    close(both[1]);
    sockets_end();
}

/* What cannot be kept is not lost in silence: every read from there on tells. */
PE_TEST_LOOP(without_memory_to_keep_it_the_input_is_broken, 0, 3)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    if (_i == 0) { /* a line comes, what follows it cannot be kept */
        MUST(write_text(pair.here, "line\nmore\n"), 0);
        pe_task *reads = operation_start(UNTIL_OF(pair.there, buffer, 100, "\n"));
        harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
        MUST(operation_finish(reads), 5);
    } else {
        pe_task *reads = operation_start(EXACTLY_OF(pair.there, buffer, 100));
        sockets_settle();
        MUST(write_text(pair.here, "some"), 0);
        sockets_settle();
        harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
        if (_i == 1) {
            MUST(operation_cancel(reads), PE_ECANCELED);
        } else {
            MUST(pe_socket_shutdown(pair.here), 0);
            MUST(operation_finish(reads), PE_ENOMEM);
        }
    }
    for (int i = 0; i < 3; i++)
        MUST(operation_run(READ_OF(pair.there, buffer, 100)), PE_ENOMEM);
    pair_free(&pair);
    sockets_end();
}

/* ---- the loop ---- */

static void close_with_all_open(void)
{
    struct pair pair = pair_of(TCP);
    pe_listener *listener = listener_of(UNIX);
    pe_task *reads = operation_start(READ_OF(pair.here, buffer, 100));
    pe_task *accepts = operation_start(ACCEPT_OF(listener, &pair.there));
    uint64_t cancelled;

    sockets_settle();
    MUST(pe_loop_close(sockets_loop, &cancelled), 0);
    ck_assert_uint_eq(cancelled, 2);
    MUST(pe_task_result(reads), PE_ECANCELED);
    MUST(pe_task_result(accepts), PE_ECANCELED);
    pe_task_free(reads);
    pe_task_free(accepts);
    MUST(pe_socket_fd(pair.here), PE_ECLOSED);
    MUST(pe_socket_shutdown(pair.there), PE_ECLOSED);
    MUST(pe_listener_fd(listener), PE_ECLOSED);
    pair_free(&pair);
    pe_listener_free(listener);
}

PE_TEST(a_loop_is_closed_with_everything_open)
{
    sockets_begin();
    close_with_all_open();
    sockets_end();
}

/* The handles outlive even the loop. */
PE_TEST(sockets_may_be_freed_after_their_loop)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    pe_listener *listener = listener_of(UNIX);

    sockets_end();
    MUST(pe_socket_fd(pair.here), PE_ECLOSED);
    pair_free(&pair);
    pe_listener_free(listener);
}

static int reads_that_are_in_vain(pe_task *t, void *frame)
{
    pe_socket *socket = *(pe_socket **)frame;

    PE_BEGIN(t);
    for (;;)
        PE_AWAIT(t, pe_socket_read(t, socket, buffer, sizeof buffer));
    PE_END(t);
}

PE_TEST(a_task_that_never_gives_up_does_not_hold_its_loop)
{
    sockets_begin();
    struct pair pair = pair_of(TCP);
    MUST(write_text(pair.there, "text"), 0);
    MUST(pe_loop_set_grace(sockets_loop, PE_MS(20)), 0);
    MUST(pe_spawn(sockets_loop, reads_that_are_in_vain, &pair.here, sizeof pair.here, NULL), 0);
    sockets_settle();
    MUST(pe_loop_close(sockets_loop, NULL), 0);
    pair_free(&pair);
    sockets_end();
}

/* It waits for tasks, not for sockets; and it is not run for their handles when they have gone. */
PE_TEST(sockets_do_not_keep_a_loop_of_the_programs_running)
{
    uv_loop_t uv;

    sockets_begin();
    pe_loop *own = sockets_loop;
    MUST(uv_loop_init(&uv), 0);
    MUST(pe_loop_new(&uv, &sockets_loop), 0);
    int both[2];
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, both), 0);
    pe_socket *one = socket_of(both[0]), *other = socket_of(both[1]);
    pe_task *reads = operation_start(READ_OF(one, buffer, 100));
    pe_task *writes = operation_start(WRITE_OF(other, "text", 4));
    MUST(uv_run(&uv, UV_RUN_DEFAULT), 0);
    MUST(pe_task_result(reads), 4);
    MUST(pe_task_result(writes), 0);
    pe_task_free(reads);
    pe_task_free(writes);
    pe_socket_free(one);
    pe_loop_free(sockets_loop); /* with the other one open */
    MUST(uv_run(&uv, UV_RUN_DEFAULT), 0);
    MUST(pe_socket_fd(other), PE_ECLOSED);
    pe_socket_free(other);
    MUST(uv_loop_close(&uv), 0);
    sockets_loop = own;
    sockets_end();
}

PE_TEST(a_child_touches_nothing)
{
    int ended;

    sockets_begin();
    struct pair pair = pair_of(TCP);
    pe_task *reads = operation_start(READ_OF(pair.there, buffer, 100));
    sockets_settle();
    pid_t child = fork();
    if (child == 0) {
        int good = pe_socket_fd(pair.here) == PE_EFORKED && pe_socket_shutdown(pair.here) == PE_EFORKED;

        pair_free(&pair);
        raise(good ? SIGKILL : SIGTERM);
    }
    MUST(waitpid(child, &ended, 0), child);
    MUST(WTERMSIG(ended), SIGKILL);
    MUST(write_text(pair.here, "text"), 0);
    MUST(operation_finish(reads), 4);
    pair_free(&pair);
    sockets_end();
}

HARNESS_MAIN("socket")
