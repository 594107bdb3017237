/*
 * Megabytes through sockets, both ways at once, in pieces of any size, by reads of every kind that are stopped at any
 * point: each byte comes once and in its place. And nobody else is kept waiting.
 */
#include "harness/harness.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <parexec.h>

#include "harness/sockets.h"

#define TOTAL ((size_t)2 << 20)
#define PIECE_MOST 20000

/* ---- a stream of bytes that each end knows ---- */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Of 16 different ones, so that two given ones in a row are not rare. */
static char byte_at(uint64_t seed, size_t at)
{
    return "\r\nabcdefghijklmn"[mixed(seed * TOTAL + at / 16) >> (at % 16 * 4) & 15];
}

static void bytes_at(uint64_t seed, size_t at, char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = byte_at(seed, at + i);
}

struct end {
    pe_socket *socket;
    uint64_t seed;    /* of what comes or goes */
    uint64_t random;
    size_t at;        /* so much has come or gone */
    size_t asked;
    int kind;
    uint64_t stopped; /* times */
    uint64_t done;
    pe_limit limit;
    char bytes[PIECE_MOST];
};

static size_t random_below(struct end *end, size_t most)
{
    return mixed(++end->random) % most;
}

/* Sizes of all orders of magnitude. */
static size_t random_size(struct end *end)
{
    size_t most = (size_t)1 << random_below(end, 15);

    return 1 + random_below(end, most < PIECE_MOST ? most : PIECE_MOST);
}

/* ---- the writer ---- */

static int write_all(pe_task *t, void *frame)
{
    struct end *end = frame;

    PE_BEGIN(t);
    while (end->at < TOTAL) {
        end->asked = random_size(end);
        if (end->asked > TOTAL - end->at)
            end->asked = TOTAL - end->at;
        bytes_at(end->seed, end->at, end->bytes, end->asked);
        PE_TRY(t, pe_socket_write(t, end->socket, end->bytes, end->asked));
        ck_assert_int_eq(pe_socket_sent(end->socket), (int64_t)end->asked);
        end->at += end->asked;
    }
    PE_RETURN(t, pe_socket_shutdown(end->socket));
    PE_END(t);
}

/* ---- the reader ---- */

static int begin_read(pe_task *t, struct end *end)
{
    end->asked = random_size(end);
    end->kind = (int)random_below(end, 4);
    switch (end->kind) {
    case 0: return pe_socket_read(t, end->socket, end->bytes, end->asked);
    case 1: return pe_socket_read_until(t, end->socket, end->bytes, end->asked, "\n");
    case 2: return pe_socket_read_until(t, end->socket, end->bytes, end->asked, "\r\n");
    default: return pe_socket_read_exactly(t, end->socket, end->bytes, end->asked);
    }
}

/* Where the first mark ends; 0: there is none. */
static size_t mark_in(const struct end *end, size_t count)
{
    const char *mark = end->kind == 1 ? "\n" : "\r\n";
    const char *found = memmem(end->bytes, count, mark, strlen(mark));

    return found ? (size_t)(found - end->bytes) + strlen(mark) : 0;
}

static void take(struct end *end, size_t count)
{
    ck_assert_uint_le(count, end->asked);
    for (size_t i = 0; i < count; i++) {
        if (end->bytes[i] != byte_at(end->seed, end->at + i))
            ck_abort_msg("another byte at %zu", end->at + i);
    }
    if (end->kind == 3)
        ck_assert_uint_eq(count, end->asked);
    if (end->kind == 1 || end->kind == 2)
        ck_assert_uint_eq(mark_in(end, count), count);
    end->at += count;
    end->done++;
}

/* It ended otherwise; what it may have been. */
static void note(struct end *end, int result)
{
    if (result == PE_ECANCELED || result == PE_ETIMEDOUT)
        end->stopped++;
    else if (result == PE_ENODATA) /* the end is near */
        ck_assert(end->kind != 0);
    else
        ck_assert_msg(result == PE_ETOOBIG && (end->kind == 1 || end->kind == 2), "%s", pe_err_name(result));
}

static int read_all(pe_task *t, void *frame)
{
    struct end *end = frame;

    PE_BEGIN(t);
    for (;;) {
        if (random_below(end, 4) == 0)
            PE_AWAIT_UNTIL(t, &end->limit, pe_after((int64_t)random_below(end, 50000)), begin_read(t, end));
        else
            PE_AWAIT(t, begin_read(t, end));
        if (t->result == 0)
            break;
        if (t->result > 0)
            take(end, (size_t)t->result);
        else
            note(end, t->result);
    }
    PE_RETURN(t, 0);
    PE_END(t);
}

/* ---- who stops the readers ---- */

struct stopper {
    struct end *ends;
    pe_task *readers[2];
};

static int stop_readers(pe_task *t, void *frame)
{
    struct stopper *stopper = frame;

    PE_BEGIN(t);
    while (!pe_task_has_ended(stopper->readers[0]) || !pe_task_has_ended(stopper->readers[1])) {
        for (int i = 0; i < 2; i++) {
            if (random_below(&stopper->ends[i], 4) == 0)
                (void)pe_task_cancel(stopper->readers[i]);
        }
        PE_YIELD(t);
    }
    PE_END(t);
}

static void make_buffer_small(const pe_socket *socket)
{
    int bytes = 4096;

    MUST(setsockopt(pe_socket_fd(socket), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

PE_TEST_LOOP(each_byte_comes_once_and_in_its_place, 0, 4)
{
    struct end *ends = calloc(4, sizeof *ends); /* two that read, two that write */
    struct stopper stopper = { .ends = ends };

    sockets_begin();
    struct pair pair = pair_of(_i % 2 ? UNIX : TCP);
    if (_i / 2) {
        make_buffer_small(pair.here);
        make_buffer_small(pair.there);
    }
    for (int i = 0; i < 4; i++) {
        ends[i].socket = i % 2 ? pair.here : pair.there;
        ends[i].seed = i == 0 || i == 3 ? 1 : 2;
        ends[i].random = (uint64_t)(_i * 4 + i) << 32;
    }
    for (int i = 0; i < 2; i++) {
        async_start(sockets_loop, read_all, &ends[i], &stopper.readers[i]);
        async_start(sockets_loop, write_all, &ends[2 + i], NULL);
    }
    async_start(sockets_loop, stop_readers, &stopper, NULL);
    MUST(pe_loop_run(sockets_loop), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(ends[i].at, TOTAL);
        ck_assert_uint_eq(ends[2 + i].at, TOTAL);
        ck_assert_uint_gt(ends[i].stopped, 50);
        MUST(pe_task_result(stopper.readers[i]), 0);
        pe_task_free(stopper.readers[i]);
    }
    pair_free(&pair);
    sockets_end();
    free(ends);
}

/* ---- the others' turns ---- */

struct greedy {
    pe_socket *socket;
    char byte;
    int count;
    int others_turns;
    int has_ended;
};

static int read_bytes(pe_task *t, void *frame)
{
    struct greedy *greedy = frame;

    PE_BEGIN(t);
    for (; greedy->count > 0; greedy->count--)
        PE_TRY(t, pe_socket_read(t, greedy->socket, &greedy->byte, 1));
    greedy->has_ended = 1;
    PE_END(t);
}

static int write_bytes(pe_task *t, void *frame)
{
    struct greedy *greedy = frame;

    PE_BEGIN(t);
    for (; greedy->count > 0; greedy->count--)
        PE_TRY(t, pe_socket_write(t, greedy->socket, "x", 1));
    greedy->has_ended = 1;
    PE_END(t);
}

static int count_turns(pe_task *t, void *frame)
{
    struct greedy *greedy = frame;

    PE_BEGIN(t);
    while (!greedy->has_ended) {
        greedy->others_turns++;
        PE_YIELD(t);
    }
    PE_END(t);
}

/* One that never has to wait lets others have their turns. */
PE_TEST_LOOP(whoever_need_not_wait_does_not_hold_the_others, 0, 2)
{
    enum { COUNT = 1600 };
    static char bytes[COUNT];

    sockets_begin();
    struct pair pair = pair_of(TCP);
    struct greedy greedy = { .socket = pair.here, .count = COUNT };
    MUST(operation_run(WRITE_OF(pair.there, bytes, COUNT)), 0);
    async_start(sockets_loop, _i == 0 ? read_bytes : write_bytes, &greedy, NULL);
    async_start(sockets_loop, count_turns, &greedy, NULL);
    MUST(pe_loop_run(sockets_loop), 0);
    ck_assert(greedy.has_ended);
    ck_assert_int_ge(greedy.others_turns, COUNT / 16 - 1);
    pair_free(&pair);
    sockets_end();
}

HARNESS_MAIN("socket-data")
