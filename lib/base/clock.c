/*
 * Monotonic time and ticks.
 *
 * The counter is trusted only when the processor says that it runs at one rate through every sleep state
 * (invariant TSC) and the kernel itself keeps time by it; a kernel that found the counters of two sockets
 * apart has chosen another source, and then so do we. Without it ticks are nanoseconds.
 *
 * The rate is taken from two readings of both clocks: one when the library is loaded, one when a rate is
 * asked for. It is taken anew until the readings are a second apart (an error of 50 ns is 0.05 millionths
 * by then) and never after that: the monotonic clock stops while the machine is suspended, the counter
 * may not.
 *
 * All state is written by the constructor or is a single atomic word that any thread may overwrite with
 * an equally good value, so there is no lock that a fork could leave held.
 */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/options.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define NS_PER_SECOND INT64_C(1000000000)
#define RATE_SPAN_MIN_NS INT64_C(1000000)
#define TICKS_MAX (UINT64_C(1) << 62)

struct reading {
    uint64_t ticks;
    int64_t ns;
};

int pe__base_clock_tsc;

static int64_t load_ns;
static struct reading at_load;

int64_t pe__base_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

#if defined(__x86_64__)

static bool processor_counter_is_steady(void)
{
    unsigned a, b, c, d;
    int mode = 0;

    /* PR_TSC_SIGSEGV makes the instruction fatal in this process. */
    if (prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_SIGSEGV)
        return false;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8)) != 0;
}

static bool kernel_keeps_time_by_counter(void)
{
    static const char *const sources[] = { "tsc\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n" };
    char text[64];
    ssize_t bytes;
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    bytes = read(fd, text, sizeof text - 1);
    close(fd);
    if (bytes <= 0)
        return false;
    text[bytes] = '\0';
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(text, sources[i]) == 0)
            return true;
    return false;
}

static bool counter_usable(void)
{
    return processor_counter_is_steady() && kernel_keeps_time_by_counter();
}

#else

static bool counter_usable(void)
{
    return false;
}

#endif

/* Both clocks at one moment. Of a few tries the one that took least counts: a thread that loses its CPU
 * between the two reads would spoil the rate. */
static struct reading read_both(void)
{
    struct reading best = { 0, 0 };
    uint64_t best_width = UINT64_MAX;

    for (int i = 0; i < 4; i++) {
        uint64_t before = pe__base_ticks();
        int64_t ns = pe__base_now_ns();
        uint64_t width = pe__base_ticks() - before;

        if (width < best_width) {
            best_width = width;
            best.ticks = before + width / 2;
            best.ns = ns;
        }
    }
    return best;
}

/* Before the program's own constructors, which may already make a pool. */
__attribute__((constructor(101))) void pe__base_clock_init(void)
{
    int saved = errno;

    if (load_ns != 0)
        return;
    pe__base_clock_tsc = counter_usable();
    at_load = read_both();
    load_ns = at_load.ns;
    errno = saved;
}

#if defined(__x86_64__)

static _Atomic uint64_t rate;          /* nanoseconds per tick, 32 bits after the point; 0: not taken yet */
static _Atomic uint64_t rate_good_to;  /* ticks at which to take it anew */

__extension__ typedef unsigned __int128 wide;

static void sleep_until(int64_t ns)
{
    struct timespec until = { (time_t)(ns / NS_PER_SECOND), (long)(ns % NS_PER_SECOND) };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static uint64_t take_rate(void)
{
    struct reading now;
    uint64_t ticks, ns, taken;

    if (pe__base_now_ns() - at_load.ns < RATE_SPAN_MIN_NS)
        sleep_until(at_load.ns + RATE_SPAN_MIN_NS);
    now = read_both();
    ticks = now.ticks - at_load.ticks;
    ns = (uint64_t)(now.ns - at_load.ns);
    if (ticks == 0 || ticks > TICKS_MAX)  /* set back, by a resume from suspend: keep what there is */
        return atomic_load_explicit(&rate, memory_order_relaxed);
    taken = (uint64_t)(((wide)ns << 32) / ticks);
    atomic_store_explicit(&rate, taken, memory_order_relaxed);
    atomic_store_explicit(&rate_good_to, ns >= (uint64_t)NS_PER_SECOND ? UINT64_MAX : now.ticks + ticks,
                          memory_order_relaxed);
    return taken;
}

static int64_t counter_to_ns(uint64_t ticks_delta)
{
    uint64_t ns_per_tick = atomic_load_explicit(&rate, memory_order_relaxed);
    uint64_t good_to = atomic_load_explicit(&rate_good_to, memory_order_relaxed);
    wide ns;

    if (ns_per_tick == 0 || (good_to != UINT64_MAX && pe__base_ticks() >= good_to))
        ns_per_tick = take_rate();
    ns = ((wide)ticks_delta * ns_per_tick) >> 32;
    return ns > (wide)INT64_MAX ? 0 : (int64_t)ns;
}

#endif

int64_t pe__base_ticks_to_ns(uint64_t ticks_delta)
{
    if (ticks_delta > TICKS_MAX)
        return 0;
#if defined(__x86_64__)
    if (pe__base_clock_tsc)
        return counter_to_ns(ticks_delta);
#endif
    return (int64_t)ticks_delta;
}

int pe__base_deadline_check(int64_t deadline_ns)
{
    if (deadline_ns < 0 || (deadline_ns > 0 && deadline_ns < load_ns))
        return PE_EINVAL;
    return 0;
}

bool pe__base_deadline_passed(int64_t deadline_ns)
{
    if (deadline_ns == PE_FOREVER)
        return false;
    return deadline_ns <= 0 || pe__base_now_ns() >= deadline_ns;
}

int64_t pe__base_later(int64_t time_ns, int64_t by_ns)
{
    int64_t sum;

    return __builtin_add_overflow(time_ns, by_ns, &sum) ? PE_FOREVER : sum;
}

bool pe__base_deadline_left(int64_t deadline_ns, struct timespec *ret_left)
{
    int64_t left = 0;

    if (deadline_ns == PE_FOREVER)
        return false;
    if (deadline_ns > 0)
        left = deadline_ns - pe__base_now_ns();
    if (left < 0)
        left = 0;
    ret_left->tv_sec = (time_t)(left / NS_PER_SECOND);
    ret_left->tv_nsec = (long)(left % NS_PER_SECOND);
    return true;
}

int64_t pe_now(void)
{
    return pe__base_now_ns();
}

int64_t pe_after(int64_t duration_ns)
{
    int64_t now = pe__base_now_ns();

    if (duration_ns <= 0)
        return now;
    return duration_ns > PE_FOREVER - now ? PE_FOREVER : now + duration_ns;
}
