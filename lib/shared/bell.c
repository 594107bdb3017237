/* bell.c - futex bells for workers, an eventfd for the host; the protocol is argued in bell.h. */
#include "shared/bell.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of the kernel's headers, which some C libraries come without. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

/* Not FUTEX_PRIVATE_FLAG: the word is shared between processes. */
static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void pe__bell_ring_worker(struct pe__slot *slot)
{
    atomic_fetch_add_explicit(&slot->bell, 1, memory_order_release);
    futex_wake(&slot->bell);
}

void pe__bell_sleep(struct pe__slot *slot, uint32_t seen, int64_t timeout_ns)
{
    struct timespec timeout = { .tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000 };
    syscall(SYS_futex, &slot->bell, FUTEX_WAIT, seen, timeout_ns < 0 ? NULL : &timeout, NULL, 0);
}

static bool wake_in_group(struct pe__bell_group *group, struct pe__slot *slots, uint32_t workers)
{
    uint64_t sleepers = atomic_load_explicit(&group->sleepers, memory_order_seq_cst);
    while (sleepers != 0) {
        uint32_t lowest = (uint32_t)__builtin_ctzll(sleepers);
        uint64_t bit = UINT64_C(1) << lowest;
        if (lowest >= workers)
            return false;
        if (atomic_fetch_and_explicit(&group->sleepers, ~bit, memory_order_seq_cst) & bit) {
            pe__bell_ring_worker(&slots[lowest]);
            return true;
        }
        sleepers &= ~bit;
    }
    return false;
}

bool pe__bell_wake_one(struct pe__bell_group *groups, struct pe__slot *slots, uint32_t workers)
{
    PE__BELL_EACH_GROUP(first, workers)
        if (wake_in_group(pe__bell_group_of(groups, first), slots + first, workers - first))
            return true;
    return false;
}

void pe__bell_ring_all(struct pe__bell_group *groups, struct pe__slot *slots, uint32_t workers)
{
    for (uint32_t worker = 0; worker < workers; worker++) {
        atomic_fetch_and_explicit(&pe__bell_group_of(groups, worker)->sleepers, ~pe__bell_bit(worker),
                                  memory_order_seq_cst);
        pe__bell_ring_worker(&slots[worker]);
    }
}

static void ring(int fd)
{
    int saved = errno;
    uint64_t one = 1;
    /* A full counter is as good as a ring: the descriptor is readable. */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved;
}

void pe__bell_ring_host(int fd)
{
    ring(fd);
}

void pe__bell_ring_keeper(int fd)
{
    ring(fd);
}

bool pe__bell_drain(int fd)
{
    uint64_t rings;
    ssize_t got;
    do
        got = read(fd, &rings, sizeof rings);
    while (got < 0 && errno == EINTR);
    return got > 0;
}
