/*
 * crash.c - a handler for the signals of a crash, on a stack of its own.
 *
 * It changes nothing of the death: the disposition goes back to the default, what is wanted is noted in shared
 * memory, and the same signal with the same information is queued again, so that it comes anew at the instruction where
 * it came first: status, core dump and what a debugger sees are those of a process without a handler.
 *
 * The process may be broken in any way. So the handler takes no lock and allocates nothing, and whatever goes wrong
 * in it ends the process all the same, by the signal that came first:
 *
 *  - A crash inside it, or in another thread meanwhile, finds `dying_of` set and ends the process.
 *  - The unwinder of an old libc may wait for the dynamic loader's lock, which the crashed code may hold. A timer ends
 *    the process then: the signal is open, with its default disposition, while the stack is walked.
 *
 * A process that the job has forked has a copy of the handler, which notes nothing there. Only the worker's first
 * thread has the stack for it; in others an overflow of the stack ends the process without a note.
 */
#include "worker/crash.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#endif

#include "worker/memory.h"

/* Without what the kernel pushes, which grows with the processor's registers; touched only by a crash. */
#define STACK_BYTES ((size_t)256 * 1024)
#define GUARD_BYTES ((size_t)65536)
/* Frames of the handler itself, which are left out. */
#define OWN_FRAMES 8
#define WALK_SECONDS 1

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };

static struct {
    struct pe__crash *place;
    pid_t pid;
    bool with_frames;
} catcher;

static _Atomic int dying_of;

static void set_blocked(int number, int how)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(how, &one, NULL);
}

static void set_default(int number)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigaction(number, &action, NULL);
}

static void die_at_once(int number)
{
    set_default(number);
    set_blocked(number, SIG_UNBLOCK);
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), number);
}

/* Where the thread was, and what a call to there has left as the place to return to. False: not known for this
 * processor. */
static bool read_context(const ucontext_t *context, uintptr_t *ret_place, const uintptr_t **ret_caller)
{
#if defined(__x86_64__)
    *ret_place = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *ret_caller = (const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
    return true;
#elif defined(__i386__)
    *ret_place = (uintptr_t)context->uc_mcontext.gregs[REG_EIP];
    *ret_caller = (const uintptr_t *)context->uc_mcontext.gregs[REG_ESP];
    return true;
#elif defined(__aarch64__)
    *ret_place = (uintptr_t)context->uc_mcontext.pc;
    *ret_caller = (const uintptr_t *)&context->uc_mcontext.regs[30];
    return true;
#else
    (void)context, (void)ret_place, (void)ret_caller;
    return false;
#endif
}

static void note_count(struct pe__crash *crash, uint32_t count)
{
    atomic_store_explicit(&crash->frame_count, count, memory_order_release);
}

#ifdef HAS_BACKTRACE

void pe__worker_prepare_crashes(void)
{
    void *frame[1];
    backtrace(frame, 1); /* loads the unwinder */
}

static void note_frames(struct pe__crash *crash, const ucontext_t *context)
{
    void *walked[PE__CRASH_FRAMES_MAX + OWN_FRAMES];
    uintptr_t place;
    const uintptr_t *caller;
    bool known = read_context(context, &place, &caller);
    if (known) { /* the walk may not survive a stack that was overwritten */
        crash->frames[0] = place;
        note_count(crash, 1);
    }
    int count = backtrace(walked, PE__CRASH_FRAMES_MAX + OWN_FRAMES), first = 0;
    while (known && first < count && (uintptr_t)walked[first] != place)
        first++;
    uint32_t noted = 0;
    for (int i = first; i < count && noted < PE__CRASH_FRAMES_MAX; i++)
        crash->frames[noted++] = (uintptr_t)walked[i];
    if (noted > 0) {
        note_count(crash, noted);
    } else if (known) { /* no frame belongs to an address without code: a pointer to no function was called */
        crash->frames[1] = *caller;
        note_count(crash, 2);
    }
}

#else

void pe__worker_prepare_crashes(void)
{
}

/* The innermost alone. */
static void note_frames(struct pe__crash *crash, const ucontext_t *context)
{
    uintptr_t place;
    const uintptr_t *caller;
    if (!read_context(context, &place, &caller))
        return;
    crash->frames[0] = place;
    note_count(crash, 1);
}

#endif

/* By the kernel's own calls: libc's may allocate. False: there is none. */
static bool start_timer(int number, int *ret_timer)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
    struct itimerspec after = { .it_value.tv_sec = WALK_SECONDS };
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, ret_timer) < 0)
        return false;
    syscall(SYS_timer_settime, *ret_timer, 0, &after, NULL);
    return true;
}

static void walk_stack(int number, const ucontext_t *context)
{
    int timer;
    bool timed = start_timer(number, &timer);
    set_blocked(number, SIG_UNBLOCK);
    note_frames(catcher.place, context);
    set_blocked(number, SIG_BLOCK);
    if (timed)
        syscall(SYS_timer_delete, timer);
}

static void note(int number, const siginfo_t *info, const ucontext_t *context, int error)
{
    struct pe__crash *crash = catcher.place;
    bool has_address = info->si_code > 0 && number != SIGABRT && number != SIGSYS;
    crash->code = info->si_code;
    atomic_store_explicit(&crash->out_of_memory, pe__worker_memory_is_used_up(error), memory_order_relaxed);
    crash->address = has_address ? (uintptr_t)info->si_addr : 0;
    atomic_store_explicit(&crash->frame_count, 0, memory_order_relaxed);
    atomic_store_explicit(&crash->signal, number, memory_order_release);
    if (catcher.with_frames)
        walk_stack(number, context);
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    int first = 0, error = errno;
    pid_t self = getpid();
    if (self == catcher.pid && !atomic_compare_exchange_strong(&dying_of, &first, number)) {
        die_at_once(first);
        return;
    }
    set_default(number);
    if (self == catcher.pid)
        note(number, info, context, error);
    /* It is blocked until the handler returns, and comes then. */
    if (syscall(SYS_rt_tgsigqueueinfo, self, (pid_t)syscall(SYS_gettid), number, info) < 0)
        syscall(SYS_tgkill, self, (pid_t)syscall(SYS_gettid), number);
}

void pe__worker_note_exit(int error)
{
    if (catcher.place == NULL || catcher.pid != getpid() || !pe__worker_memory_is_used_up(error))
        return;
    atomic_store_explicit(&catcher.place->out_of_memory, 1, memory_order_release);
}

/* With a page below it that nothing may touch; where there is no memory, there is no stack. */
static int use_stack(void)
{
    size_t bytes = GUARD_BYTES + STACK_BYTES;
    char *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 0;
    stack_t stack = { .ss_sp = memory + GUARD_BYTES, .ss_size = STACK_BYTES };
    if (mprotect(stack.ss_sp, STACK_BYTES, PROT_READ | PROT_WRITE) == 0 && sigaltstack(&stack, NULL) == 0)
        return SA_ONSTACK;
    munmap(memory, bytes);
    return 0;
}

void pe__worker_catch_crashes(struct pe__crash *crash, bool with_frames)
{
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | use_stack() };
    catcher.place = crash;
    catcher.pid = getpid();
    catcher.with_frames = with_frames;
    atomic_store(&dying_of, 0);
    atomic_store_explicit(&crash->signal, 0, memory_order_relaxed);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++) {
        struct sigaction now;
        if (sigaction(crash_signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(crash_signals[i], &action, NULL);
    }
}
