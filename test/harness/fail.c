/*
 * Calls that fail when told to. harness/redirect renames these calls inside a copy of the library, so calls
 * of Check and of the test itself are neither counted nor failed.
 *
 * The counters lie in memory shared with every process forked from the test: the keeper's forks count too,
 * and a plan made in the host after the keeper was forked reaches it. Everything here is atomic and safe in a
 * child of a threaded process.
 */

#include "harness/harness.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

struct plan {
    atomic_uint_fast64_t calls;
    atomic_uint_fast64_t fail_first, fail_last; /* the calls that fail, counted from 1; 0: none */
    atomic_int error;
    atomic_int only_pid; /* 0: every process */
};

static struct plan *plans;

/* Before main(), so that the mapping is there when the first test lists the mappings. */
__attribute__((constructor)) static void map_plans(void)
{
    void *memory = mmap(NULL, sizeof(struct plan) * HARNESS_CALL_COUNT, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    plans = memory;
}

static void set_plan(enum harness_call which, uint64_t first, uint64_t last, int error, int only_pid)
{
    struct plan *plan = &plans[which];

    atomic_store(&plan->fail_first, 0);
    atomic_store(&plan->fail_last, last);
    atomic_store(&plan->error, error);
    atomic_store(&plan->only_pid, only_pid);
    atomic_store(&plan->calls, 0);
    atomic_store(&plan->fail_first, first);
}

void harness_fail_nth(enum harness_call which, uint64_t n, int error)
{
    set_plan(which, n, n, error, 0);
}

void harness_fail_nth_here(enum harness_call which, uint64_t n, int error)
{
    set_plan(which, n, n, error, (int)getpid());
}

void harness_fail_from(enum harness_call which, uint64_t n, int error)
{
    set_plan(which, n, UINT64_MAX, error, 0);
}

void harness_fail_reset(void)
{
    for (int which = 0; which < HARNESS_CALL_COUNT; which++)
        set_plan((enum harness_call)which, 0, 0, 0, 0);
}

uint64_t harness_fail_count(enum harness_call which)
{
    return atomic_load(&plans[which].calls);
}

/* 0, or the errno with which this call fails. */
static int failure(enum harness_call which)
{
    struct plan *plan = &plans[which];
    int only_pid = atomic_load(&plan->only_pid);
    uint64_t call, first;

    if (only_pid && only_pid != (int)getpid())
        return 0;
    call = atomic_fetch_add(&plan->calls, 1) + 1;
    first = atomic_load(&plan->fail_first);
    if (first == 0 || call < first || call > atomic_load(&plan->fail_last))
        return 0;
    return atomic_load(&plan->error);
}

/* Sets errno when the call is to fail. */
static int fails(enum harness_call which)
{
    int error = failure(which);

    if (error)
        errno = error;
    return error != 0;
}

pid_t harness_call_fork(void)
{
    return fails(HARNESS_FORK) ? -1 : fork();
}

int harness_call_pipe(int fds[2])
{
    return fails(HARNESS_PIPE) ? -1 : pipe(fds);
}

int harness_call_pipe2(int fds[2], int flags)
{
    return fails(HARNESS_PIPE) ? -1 : pipe2(fds, flags);
}

int harness_call_socketpair(int domain, int type, int protocol, int fds[2])
{
    return fails(HARNESS_SOCKETPAIR) ? -1 : socketpair(domain, type, protocol, fds);
}

int harness_call_eventfd(unsigned int count, int flags)
{
    return fails(HARNESS_EVENTFD) ? -1 : eventfd(count, flags);
}

void *harness_call_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return fails(HARNESS_MMAP) ? MAP_FAILED : mmap(address, bytes, protection, flags, fd, offset);
}

void *harness_call_mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("harness_call_mmap")));

int harness_call_memfd_create(const char *name, unsigned int flags)
{
    return fails(HARNESS_MEMFD) ? -1 : memfd_create(name, flags);
}

int harness_call_pidfd_open(pid_t pid, unsigned int flags)
{
    return fails(HARNESS_PIDFD) ? -1 : (int)syscall(SYS_pidfd_open, pid, flags);
}

/* How many arguments the library gives. A call that is new there has to be told here. */
static int arguments_of(long number)
{
    switch (number) {
    case SYS_gettid:
        return 0;
    case SYS_timer_delete:
        return 1;
    case SYS_pidfd_open:
    case SYS_memfd_create:
        return 2;
    case SYS_tgkill:
    case SYS_timer_create:
    case SYS_getdents64:
    case SYS_close_range:
        return 3;
    case SYS_timer_settime:
    case SYS_rt_tgsigqueueinfo:
    case SYS_rseq:
    case SYS_pidfd_send_signal:
        return 4;
    case SYS_futex:
        return 6;
    default:
        abort();
    }
}

/* Newer calls are made by number where the C library may be too old to know them. */
long harness_call_syscall(long number, ...)
{
    long values[6] = { 0 };
    int count = arguments_of(number);
    va_list arguments;

    va_start(arguments, number);
    for (int i = 0; i < count; i++)
        values[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_pidfd_open && fails(HARNESS_PIDFD))
        return -1;
    if (number == SYS_memfd_create && fails(HARNESS_MEMFD))
        return -1;
    return syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

void *harness_call_malloc(size_t bytes)
{
    return fails(HARNESS_MALLOC) ? NULL : malloc(bytes);
}

void *harness_call_calloc(size_t count, size_t bytes)
{
    return fails(HARNESS_MALLOC) ? NULL : calloc(count, bytes);
}

void *harness_call_realloc(void *memory, size_t bytes)
{
    return fails(HARNESS_MALLOC) ? NULL : realloc(memory, bytes);
}

void *harness_call_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(HARNESS_MALLOC) ? NULL : aligned_alloc(alignment, bytes);
}

int harness_call_posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    int error = failure(HARNESS_MALLOC);

    return error ? error : posix_memalign(ret_memory, alignment, bytes);
}

char *harness_call_strdup(const char *text)
{
    return fails(HARNESS_MALLOC) ? NULL : strdup(text);
}
