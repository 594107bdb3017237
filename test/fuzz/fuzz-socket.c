/*
 * fuzz-socket.c - what tasks read from pipes and sockets.
 *
 * A task writes bytes of the input into one end, as they fit, another one reads at the other end in every way and is
 * stopped in between. Each byte comes once and in its place, up to the mark, and a read that fails has taken nothing.
 */
#include "fuzz.h"

#include <sys/socket.h>

#include <parexec/limit.h>
#include <parexec/loop.h>
#include <parexec/socket.h>

#include "expect.h"
#include "input.h"

#define SENT_MOST 4096
#define ROOM_MOST 300

static const char *const marks[] = { "\n", "\r\n", "", "aab" };

static struct input input;
static char sent[SENT_MOST];
static size_t sent_bytes, read_bytes;
static int far_end;

/* What is asked for; `mark` NULL: none. */
struct wish {
    size_t room;
    bool exactly;
    const char *mark;
    char *buffer; /* exactly as long */
    pe_limit limit;
};

/* Often so little that marks come in pieces. */
static void send_some(void)
{
    size_t count = (size_t)input_take(&input, 1);

    if (count < 192)
        count %= 4;
    if (count > SENT_MOST - sent_bytes)
        count = SENT_MOST - sent_bytes;
    for (size_t i = 0; i < count; i++)
        sent[sent_bytes + i] = "a\nb\r"[input_take(&input, 1) % 5];
    ssize_t done = send(far_end, sent + sent_bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    sent_bytes += done > 0 ? (size_t)done : 0;
}

static int write_all(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    while (!input_is_over(&input)) {
        send_some();
        PE_YIELD(t);
    }
    close(far_end);
    PE_RETURN(t, 0);
    PE_END(t);
}

static int begin_read(pe_task *t, pe_socket *socket, struct wish *wish)
{
    uint64_t how = input_take(&input, 1);

    wish->room = 1 + (size_t)input_take(&input, 2) % ROOM_MOST;
    wish->exactly = how % 8 == 1;
    wish->mark = how % 8 > 1 ? marks[how / 8 % 4] : NULL;
    free(wish->buffer);
    wish->buffer = malloc(wish->room);
    demand(wish->buffer != NULL);
    if (wish->mark != NULL)
        return pe_socket_read_until(t, socket, wish->buffer, wish->room, wish->mark);
    return wish->exactly ? pe_socket_read_exactly(t, socket, wish->buffer, wish->room)
                         : pe_socket_read(t, socket, wish->buffer, wish->room);
}

/* Where the first mark ends; 0: there is none. */
static size_t mark_in(const char *bytes, size_t count, const char *mark)
{
    size_t length = *mark != '\0' ? strlen(mark) : 1;
    const char *found = memmem(bytes, count, mark, length);

    return found != NULL ? (size_t)(found - bytes) + length : 0;
}

static void check_read(const struct wish *wish, size_t count)
{
    demand(count <= wish->room && count <= sent_bytes - read_bytes);
    demand(memcmp(wish->buffer, sent + read_bytes, count) == 0);
    demand(!wish->exactly || count == wish->room);
    demand(wish->mark == NULL || mark_in(wish->buffer, count, wish->mark) == count);
    read_bytes += count;
}

static void check_failed(const struct wish *wish, int result)
{
    size_t left = sent_bytes - read_bytes;

    if (result == PE_ETOOBIG)
        demand(wish->mark != NULL && left >= wish->room && mark_in(sent + read_bytes, wish->room, wish->mark) == 0);
    else if (result == PE_ENODATA)
        demand((wish->mark != NULL && mark_in(sent + read_bytes, left, wish->mark) == 0) ||
               (wish->exactly && left < wish->room));
    else
        demand(result == PE_ETIMEDOUT);
}

/* At the end what is left comes by a plain read. */
static int read_all(pe_task *t, void *frame)
{
    static struct wish wish;
    pe_socket *socket = frame;

    PE_BEGIN(t);
    wish = (struct wish){ .room = 0 };
    do {
        if (input_take(&input, 1) % 4 == 3)
            PE_AWAIT_UNTIL(t, &wish.limit, 0, begin_read(t, socket, &wish));
        else
            PE_AWAIT(t, begin_read(t, socket, &wish));
        if (t->result > 0)
            check_read(&wish, (size_t)t->result);
        else if (t->result < 0)
            check_failed(&wish, t->result);
    } while (t->result != 0);
    demand(read_bytes == sent_bytes);
    free(wish.buffer);
    PE_RETURN(t, 0);
    PE_END(t);
}

/* The first loop opens what libuv keeps. */
__attribute__((constructor)) static void open_what_stays(void)
{
    pe_loop *first;

    demand(pe_loop_new(NULL, &first) == 0);
    pe_loop_free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds(), ends[2];
    pe_loop *loop;
    pe_socket *socket = NULL;

    input = (struct input){ bytes, bytes + count };
    sent_bytes = read_bytes = 0;
    demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    far_end = ends[1];
    demand(pe_loop_new(NULL, &loop) == 0);
    demand(pe_socket_open(loop, ends[0], &socket) == 0);
    demand(pe_spawn(loop, read_all, socket, 0, NULL) == 0 && pe_spawn(loop, write_all, NULL, 0, NULL) == 0);
    demand(pe_loop_run(loop) == 0);
    pe_socket_free(socket);
    pe_loop_free(loop);
    demand(open_fds() == fds);
    return 0;
}
