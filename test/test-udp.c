/*
 * Datagrams: sent, received, cut off, waited for in order and stopped.
 */
#include "harness/harness.h"

#include <poll.h>
#include <sys/socket.h>

#include <parexec.h>

#include "harness/async.h"

static pe_loop *loop;
static char buffer[70000];

struct end {
    pe_udp *udp;
    struct sockaddr_storage address;
    size_t address_bytes;
};

static struct end end_of(const char *text)
{
    struct end end;
    struct sockaddr_storage address;
    size_t bytes;

    MUST(pe_address_parse(text, 0, &address, &bytes), 0);
    MUST(pe_udp_open(loop, (struct sockaddr *)&address, bytes, &end.udp), 0);
    MUST(pe_udp_local(end.udp, &end.address, &end.address_bytes), 0);
    return end;
}

/* ---- operations, each a task of its own ---- */

struct operation {
    int sends;
    pe_udp *udp;
    void *bytes;
    size_t count;
    const struct end *to;
    struct sockaddr_storage *ret_from;
    size_t *ret_bytes;
    int64_t deadline_ns; /* 0: none */
    pe_limit limit;
};

static int begin(pe_task *t, struct operation *o)
{
    if (!o->sends)
        return pe_udp_receive(t, o->udp, o->bytes, o->count, o->ret_from, o->ret_bytes);
    return pe_udp_send(t, o->udp, o->bytes, o->count, o->to ? (const struct sockaddr *)&o->to->address : NULL,
                       o->to ? o->to->address_bytes : 0);
}

static int operate(pe_task *t, void *frame)
{
    struct operation *o = frame;

    PE_BEGIN(t);
    if (o->deadline_ns != 0)
        PE_AWAIT_UNTIL(t, &o->limit, o->deadline_ns, begin(t, o));
    else
        PE_AWAIT(t, begin(t, o));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static pe_task *start(struct operation operation)
{
    pe_task *task;

    MUST(pe_spawn(loop, operate, &operation, sizeof operation, &task), 0);
    return task;
}

static void settle(void)
{
    while (pe_loop_poll(loop) > 0)
        ;
}

static int finish(pe_task *task)
{
    settle();
    while (!pe_task_has_ended(task)) {
        int64_t next_ns = pe_loop_next_ns(loop);

        poll(&(struct pollfd){ pe_loop_fd(loop), POLLIN, 0 }, 1, next_ns == PE_FOREVER ? -1 : (int)(next_ns / 1000000));
        settle();
    }
    int result = pe_task_result(task);
    pe_task_free(task);
    return result;
}

static int cancel(pe_task *task)
{
    MUST(pe_task_cancel(task), 0);
    return finish(task);
}

static pe_task *start_receive(const struct end *at, void *bytes, size_t count)
{
    return start((struct operation){ .udp = at->udp, .bytes = bytes, .count = count });
}

static int receive(const struct end *at, size_t count)
{
    return finish(start_receive(at, buffer, count));
}

static int send_to(const struct end *from, const struct end *to, const char *text)
{
    return finish(start((struct operation){ .sends = 1, .udp = from->udp, .bytes = (void *)(uintptr_t)text,
                                            .count = strlen(text), .to = to }));
}

/* ---- there and back ---- */

PE_TEST_LOOP(datagrams_go_both_ways, 0, 2)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1"), from = { .address_bytes = 0 };
    char text[2][PE_ADDRESS_TEXT_BYTES];

    for (int round = 0; round < 40; round++) {
        pe_task *receives = start((struct operation){ .udp = there.udp, .bytes = buffer, .count = sizeof buffer,
                                                      .ret_from = &from.address, .ret_bytes = &from.address_bytes });
        if (_i == 1)
            settle(); /* it waits already */
        MUST(send_to(&here, &there, "there"), 0);
        MUST(finish(receives), 5);
        ck_assert_int_eq(memcmp(buffer, "there", 5), 0);
        MUST(send_to(&there, &from, "back"), 0); /* to where it came from */
        MUST(receive(&here, sizeof buffer), 4);
    }
    MUST(pe_address_text((struct sockaddr *)&from.address, from.address_bytes, text[0], sizeof text[0]), 0);
    MUST(pe_address_text((struct sockaddr *)&here.address, here.address_bytes, text[1], sizeof text[1]), 0);
    ck_assert_str_eq(text[0], text[1]);
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_loop_free(loop);
}

PE_TEST(what_does_not_fit_is_told)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1");
    static char large[65507];

    memset(buffer, '.', sizeof buffer);
    MUST(send_to(&here, &there, "1234567890"), 0);
    MUST(receive(&there, 4), 10);
    ck_assert_int_eq(memcmp(buffer, "1234.", 5), 0);
    MUST(send_to(&here, &there, "x"), 0);
    MUST(finish(start_receive(&there, NULL, 0)), 1);
    MUST(send_to(&here, &there, ""), 0);
    MUST(receive(&there, 4), 0);
    MUST(finish(start((struct operation){ 1, here.udp, large, sizeof large, &there, NULL, NULL, 0, { { 0 } } })), 0);
    MUST(receive(&there, sizeof buffer), sizeof large);
    MUST(finish(start((struct operation){ 1, here.udp, buffer, 65508, &there, NULL, NULL, 0, { { 0 } } })), -EMSGSIZE);
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_loop_free(loop);
}

/* ---- waiting ---- */

PE_TEST(those_who_receive_are_served_in_their_order)
{
    enum { COUNT = 5 };
    pe_task *receives[COUNT];
    char got[COUNT] = "";

    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1");
    for (int i = 0; i < COUNT; i++)
        receives[i] = start_receive(&there, &got[i], 1);
    settle();
    MUST(cancel(receives[1]), PE_ECANCELED);
    for (int i = 0; i < COUNT - 1; i++)
        MUST(send_to(&here, &there, (const char *[]){ "a", "b", "c", "d" }[i]), 0);
    for (int i = 0; i < COUNT; i++) {
        if (i != 1)
            MUST(finish(receives[i]), 1);
    }
    ck_assert(got[0] == 'a' && got[1] == '\0' && got[2] == 'b' && got[3] == 'c' && got[4] == 'd');
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_loop_free(loop);
}

PE_TEST(a_wait_that_is_stopped_takes_nothing)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1");
    struct operation limited = { .udp = there.udp, .bytes = buffer, .count = 100 };
    int64_t begin_ns = pe_now();

    limited.deadline_ns = pe_after(PE_MS(20));
    MUST(finish(start(limited)), PE_ETIMEDOUT);
    ck_assert_int_ge(pe_now() - begin_ns, PE_MS(20));
    limited.deadline_ns = pe_now();
    MUST(finish(start(limited)), PE_ETIMEDOUT);
    MUST(send_to(&here, &there, "text"), 0);
    MUST(poll(&(struct pollfd){ pe_udp_fd(there.udp), POLLIN, 0 }, 1, 0), 1);
    settle();
    MUST(poll(&(struct pollfd){ pe_loop_fd(loop), POLLIN, 0 }, 1, 0), 0); /* nobody is woken for it */
    MUST(finish(start(limited)), 4); /* what is there is taken whatever the time is */
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_loop_free(loop);
}

/* Room is scarce where the system's buffer is small; a sender waits for it, in its turn. */
PE_TEST(senders_wait_for_room)
{
    enum { COUNT = 64 };
    static char data[60000];
    pe_task *sends[COUNT];
    int small = 1;

    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1");
    MUST(setsockopt(pe_udp_fd(here.udp), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (int i = 0; i < COUNT; i++)
        sends[i] = start((struct operation){ .sends = 1, .udp = here.udp, .bytes = data, .count = 1000, .to = &there });
    settle();
    for (int i = 0; i < COUNT; i++)
        MUST(finish(sends[i]), 0);
    int got = 0;
    while (recv(pe_udp_fd(there.udp), data, sizeof data, MSG_DONTWAIT) == 1000)
        got++;
    ck_assert_int_eq(got, COUNT);
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_loop_free(loop);
}

PE_TEST(whoever_waits_for_one_that_is_freed_is_told)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1");
    pe_task *receives[2] = { start_receive(&here, buffer, 1), start_receive(&here, buffer, 1) };

    settle();
    pe_udp_free(here.udp);
    MUST(finish(receives[0]), PE_ECLOSED);
    MUST(finish(receives[1]), PE_ECLOSED);
    pe_loop_free(loop);
}

PE_TEST(a_loop_is_closed_with_one_open)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1");
    pe_task *receives = start_receive(&here, buffer, 1);

    settle();
    pe_loop_free(loop);
    MUST(pe_task_result(receives), PE_ECANCELED);
    MUST(pe_udp_fd(here.udp), PE_ECLOSED);
    pe_task_free(receives);
    pe_udp_free(here.udp);
}

/* ---- one peer ---- */

PE_TEST(one_that_is_connected_hears_that_nobody_is_there)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1"), there = end_of("127.0.0.1"), other = end_of("127.0.0.1");

    MUST(send_to(&here, NULL, "text"), -EDESTADDRREQ);
    MUST(pe_udp_connect(here.udp, (struct sockaddr *)&there.address, there.address_bytes), 0);
    MUST(send_to(&here, NULL, "text"), 0);
    MUST(receive(&there, 100), 4);
    MUST(send_to(&other, &here, "not for it"), 0);
    MUST(send_to(&there, &here, "for it"), 0);
    MUST(receive(&here, 100), 6);
    pe_task *receives[2] = { start_receive(&here, buffer, 100), start_receive(&here, buffer, 100) };
    settle();
    pe_udp_free(there.udp);
    MUST(send_to(&here, NULL, "text"), 0);
    MUST(finish(receives[0]), PE_ECONNREFUSED);
    settle();
    MUST(pe_udp_open(loop, (struct sockaddr *)&there.address, there.address_bytes, &there.udp), 0);
    MUST(send_to(&there, &here, "again"), 0); /* it is heard after the error too */
    MUST(finish(receives[1]), 5);
    receives[0] = start_receive(&here, buffer, 100);
    settle();
    MUST(send_to(&there, &here, "and again"), 0);
    MUST(finish(receives[0]), 9);
    pe_udp_free(here.udp);
    pe_udp_free(there.udp);
    pe_udp_free(other.udp);
    pe_loop_free(loop);
}

/* ---- bad days ---- */

PE_TEST(bad_arguments_change_nothing)
{
    loop = async_loop();
    struct end here = end_of("127.0.0.1"), unix_end = here;
    pe_udp *made = NULL;

    unix_end.address.ss_family = AF_UNIX;
    MUST(pe_udp_open(loop, NULL, 0, &made), PE_EINVAL);
    MUST(pe_udp_open(loop, (struct sockaddr *)&unix_end.address, sizeof unix_end.address, &made), PE_EINVAL);
    MUST(pe_udp_open(loop, (struct sockaddr *)&here.address, here.address_bytes, NULL), PE_EINVAL);
    MUST(pe_udp_open(loop, (struct sockaddr *)&here.address, here.address_bytes, &made), PE_EADDRINUSE);
    harness_fail_nth(HARNESS_MALLOC, 1, ENOMEM);
    MUST(pe_udp_open(loop, (struct sockaddr *)&here.address, here.address_bytes, &made), PE_ENOMEM);
    ck_assert_ptr_null(made);
    MUST(pe_udp_connect(here.udp, NULL, 0), PE_EINVAL);
    MUST(finish(start_receive(&here, NULL, 1)), PE_EINVAL);
    MUST(send_to(&here, &unix_end, "x"), PE_EINVAL);
    MUST(finish(start((struct operation){ .sends = 1, .udp = here.udp, .count = 1, .to = &here })), PE_EINVAL);
    MUST(send_to(&here, &here, "self"), 0);
    MUST(receive(&here, 100), 4);
    pe_udp_free(here.udp);
    pe_loop_free(loop);
}

PE_TEST(without_memory_nobody_waits)
{
    enum { COUNT = 4 }; /* some bytes may be left over */
    pe_task *receives[COUNT];

    loop = async_loop();
    struct end here = end_of("127.0.0.1");
    for (int i = 0; i < COUNT; i++)
        receives[i] = start_receive(&here, buffer, 100);
    async_use_memory_up(loop);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    settle();
    harness_fail_reset();
    MUST(finish(receives[COUNT - 1]), PE_ENOMEM);
    for (int i = 0; i < COUNT - 1; i++)
        pe_task_free(receives[i]);
    pe_udp_free(here.udp);
    pe_loop_free(loop);
}

HARNESS_MAIN("udp")
