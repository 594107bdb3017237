/*
 * spawn.c - fork without becoming a parent.
 *
 * A short-lived helper process forks the wanted one and leaves, so that the wanted one is inherited by init.
 * Two things are unusual about the helper:
 *
 *  - It is made by clone with no exit signal, so the host gets no SIGCHLD for it, a host that reaps everything
 *    (short of __WALL) cannot take it away, and SIGCHLD being ignored does not matter: only a wait with __WALL sees it.
 *  - It shares the host's memory (as vfork does, the calling thread waits until it has left). So the fork that counts
 *    is libc's own fork() over the memory of the whole host: libc and its at-fork handlers take malloc's locks first,
 *    and page tables are copied once instead of twice.
 *
 * How the fork went is told twice: by the helper's exit status, which somebody else in the host might take, and in
 * the shared memory, which is none under tools that turn every clone into a fork (valgrind), and where we fork
 * ourselves (the thread sanitizer).
 *
 * The helper's stack lies inside the caller's frame. The wanted process goes on from there, deep in a copy of
 * the caller's own stack, with its usual limit and guard page. Where not enough of that stack is left for what
 * jobs may want (a thread with a small one, a coroutine), helper and process run on a new stack instead. clone
 * marks the end of the stack for unwinders, so no exception thrown in the new process can reach a handler of the host.
 *
 * The kernel forgets a restartable-sequence area in a process that shares memory, and so in what that forks:
 * libc would go on reading the CPU number that stood there at the fork. The new process registers it again.
 *
 * All signals are blocked meanwhile: a handler of the host must run neither in the helper, where it would
 * change the host's memory, nor in the new process.
 */
#include "keeper/spawn.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAS_RSEQ 1
#endif

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

/* Enough for libc's fork and the at-fork handlers of the host's libraries. */
#define HELPER_STACK_BYTES ((size_t)128 << 10)
/* What is left of the caller's stack at least, to be used. */
#define CALLER_STACK_BYTES ((size_t)1 << 20)
#define NEW_STACK_BYTES ((size_t)8 << 20)
#define GUARD_BYTES ((size_t)64 << 10)

struct spawn {
    pe__spawn_fn *fn;
    void *context;
    volatile int result; /* written by the helper: 0 or an error */
};

static void register_rseq_again(void)
{
#ifdef HAS_RSEQ
    if (__rseq_size > 0) {
        struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
        area->cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
        syscall(SYS_rseq, area, sizeof *area, 0, RSEQ_SIG);
    }
#endif
}

static int helper(void *argument)
{
    struct spawn *spawn = argument;
    pid_t pid = fork();
    if (pid == 0) {
        register_rseq_again();
        spawn->fn(spawn->context);
        _exit(1);
    }
    int error = pid > 0 ? 0 : errno;
    spawn->result = -error;
    _exit(error);
}

/* It has left already. A host that waits with __WALL may have been quicker. */
static int reap_helper(pid_t helper_pid, const struct spawn *spawn)
{
    int status;
    pid_t reaped;
    do
        reaped = waitpid(helper_pid, &status, __WALL);
    while (reaped < 0 && errno == EINTR);
    return reaped == helper_pid && WIFEXITED(status) ? -WEXITSTATUS(status) : spawn->result;
}

/* The thread sanitizer keeps its books of a thread in that thread's own memory. A fork in a helper that shares it
 * leaves them wrong: from then on it takes no notice of the calling thread's locks. */
static pid_t start_helper(struct spawn *spawn, unsigned char *stack_end)
{
#if THREAD_SANITIZER
    (void)stack_end;
    pid_t pid = fork();
    if (pid == 0)
        helper(spawn);
    return pid;
#else
    return clone(helper, stack_end, CLONE_VM | CLONE_VFORK, spawn);
#endif
}

static int run_helper(struct spawn *spawn, unsigned char *stack_end)
{
    pid_t pid = start_helper(spawn, stack_end);
    return pid < 0 ? -errno : reap_helper(pid, spawn);
}

__attribute__((noinline)) static int run_on_callers_stack(struct spawn *spawn)
{
    _Alignas(64) unsigned char stack[HELPER_STACK_BYTES];
    int result = run_helper(spawn, stack + sizeof stack);
    __asm__ volatile("" : : "r"(stack) : "memory"); /* the frame must outlive the helper */
    return result;
}

static int run_on_new_stack(struct spawn *spawn)
{
    unsigned char *stack = mmap(NULL, NEW_STACK_BYTES, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    int result = mprotect(stack, GUARD_BYTES, PROT_NONE) == 0 ? run_helper(spawn, stack + NEW_STACK_BYTES) : -errno;
    munmap(stack, NEW_STACK_BYTES);
    return result;
}

/* From the end of the stack of a thread, whatever stack we are on. */
static size_t left_of_thread(uintptr_t here)
{
    pthread_attr_t attributes;
    void *start = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return 0;
    pthread_attr_getstack(&attributes, &start, &bytes);
    pthread_attr_destroy(&attributes);
    return here > (uintptr_t)start && here - (uintptr_t)start < bytes ? here - (uintptr_t)start : 0;
}

#ifdef __GLIBC__
extern void *__libc_stack_end;

/* For the first thread libc would read a file of /proc. */
static size_t left_of_first_thread(uintptr_t here)
{
    uintptr_t end = (uintptr_t)__libc_stack_end;
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || here > end || end - here >= limit.rlim_cur)
        return 0;
    return limit.rlim_cur - (end - here) < NEW_STACK_BYTES ? limit.rlim_cur - (end - here) : NEW_STACK_BYTES;
}
#else
#define left_of_first_thread left_of_thread
#endif

/* Bytes of the stack that we are on; 0: it is not the thread's own. */
static size_t stack_left(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return gettid() == getpid() ? left_of_first_thread(here) : left_of_thread(here);
}

int pe__keeper_spawn(pe__spawn_fn *fn, void *context)
{
    struct spawn spawn = { .fn = fn, .context = context, .result = -ECHILD };
    bool enough = stack_left() >= HELPER_STACK_BYTES + CALLER_STACK_BYTES;
    sigset_t all, before;
    sigfillset(&all);
    int blocked = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (blocked != 0)
        return -blocked;
    int result = enough ? run_on_callers_stack(&spawn) : run_on_new_stack(&spawn);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}
