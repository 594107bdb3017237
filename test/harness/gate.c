/* Futexes without the private flag: the words are shared between processes. */

#include "harness/gate.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/pool.h"

void word_await(_Atomic uint32_t *word, uint32_t least)
{
    uint32_t now;

    while ((now = atomic_load(word)) < least)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void word_set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store(word, value);
    wake_all(word);
}

uint32_t word_add(_Atomic uint32_t *word)
{
    uint32_t now = atomic_fetch_add(word, 1) + 1;

    wake_all(word);
    return now;
}

pe_job *gate_submit(pe_pool *pool, pe_job_fn *fn, struct gate *gate)
{
    return pool_submit(pool, fn, &gate, sizeof gate);
}

struct gate *gate_of(const void *arg)
{
    struct gate *gate;

    memcpy(&gate, arg, sizeof gate);
    return gate;
}

int gate_pass(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct gate *gate = gate_of(arg);
    uint64_t place = word_add(&gate->arrived);

    (void)arg_bytes;
    word_await(&gate->open, (uint32_t)place);
    return pe_reply_write(reply, &place, sizeof place);
}

int gate_count(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes, (void)reply;
    word_add(&gate_of(arg)->arrived);
    return 0;
}
