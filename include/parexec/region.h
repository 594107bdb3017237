/**
 * @file region.h
 * A stopwatch for regions of code, which also sees inside the workers.
 *
 * A region is a named stretch of code. Each time it is entered and left, its thread's table counts a call and adds the
 * time; what was entered inside it becomes its child, so that the report (report.h) shows a tree with calls, own and
 * total time, shortest, longest and percentiles. What pool workers do is in the same report: their tables lie in memory
 * that the host shares with them, so nothing is sent, and what a worker had counted stays when it crashes.
 *
 *     #include <parexec.h>
 *
 *     static void solve(struct grid *grid)
 *     {
 *         PE_REGION_SCOPE("solve");
 *         for (int step = 0; step < 100; step++) {
 *             PE_REGION("relax") {
 *                 relax(grid);
 *             }
 *             PE_COUNT("cells", grid->cells);
 *         }
 *     }
 *
 *     int main(void)
 *     {
 *         pe_region_enable(1);
 *         ...
 *         pe_report(stdout, NULL);
 *     }
 *
 * Nothing is measured until pe_region_enable or PAREXEC_PROFILE in the environment asks for it (report.h); till then a
 * region costs one test of a word. With PE_REGION_DISABLE defined before this header is included, the macros are
 * nothing at all.
 *
 * Every function of a program can be a region without a change to its source: built with
 *
 *     cc program.c -o program $(pkg-config --cflags --libs parexec-functions)
 *
 * it calls hooks at the begin and end of each function (-finstrument-functions of gcc and clang), which do next to
 * nothing until measuring is on. Names are those of the symbols, static functions included; a stripped file's functions
 * are shown as file+0xplace. In the environment PAREXEC_PROFILE_EXCLUDE and PAREXEC_PROFILE_ONLY may hold patterns of
 * names (fnmatch(3), with commas between, 4,096 bytes at most; of C++ names as written or as linked): of functions that
 * are excluded, or not among the only ones, nothing is measured, and what they call belongs to their caller.
 *
 * Time is taken from the processor's time-stamp counter where that is steady and agrees between the CPUs, else from
 * CLOCK_MONOTONIC; the report says which, and what a pair of enter and leave costs on this machine. In the exact mode,
 * which is the default, the end of a region waits for what is in it to be done; the quick mode does not, and shows
 * bodies of less than about 100 ns too short; the sampled mode counts each call and times one in sixteen. What takes
 * less than about 20 ns is shown as less, down to 0: a part of it goes on while the counter is being read.
 *
 * Tasks (task.h) have regions of their own, which waits may be in: task_region.h.
 *
 * Wrong use is counted, shown in the report with the first place where it happened, and spoils nothing else: a leave
 * without an enter, ends that cross, regions still open when their thread ends, regions that longjmp has left in C,
 * which stay open until the one around them is left. pthread_exit and cancellation end the regions around them only in
 * code that is built with -fexceptions, as C++ is; in other C code these are open when their thread ends. Memory is
 * bounded: what finds no place any more (paths, names, events of the timeline, more than 256 threads at once, more than
 * 127 regions inside one another) is counted as dropped; the time stays in the region around it.
 *
 * Threads: every thread has a table of its own, and no call waits for another thread. The first use of a place on a
 * thread may allocate and lock, later ones never do. Forks: a child of the program starts empty, and its regions are in
 * no report but its own; that it leaves those which it was forked in is no wrong use. Workers of pools record for the
 * host. Signals: regions may be used in handlers; a first use of a place there that interrupts another first use is
 * dropped and counted.
 */
#ifndef PAREXEC_REGION_H
#define PAREXEC_REGION_H

#include <parexec/export.h>

/** @name Kinds of sites
 * @{ */
#define PE_SITE_REGION 0u  /**< a region */
#define PE_SITE_LINE 1u    /**< a source line, PE_LINE */
#define PE_SITE_COUNTER 2u /**< PE_COUNT */
#define PE_SITE_MARK 3u    /**< PE_MARK */
/** @} */

/**
 * A place in the source, one static object for each use of a macro. Bindings make their own, zeroed but for name, file,
 * line and kind; functions that take one must be given one, where they do not say what NULL means. It must stay where
 * it is for as long as it is used; the texts are copied when a process first uses it, and cut at 127 and 95 bytes.
 */
typedef struct pe_region_site {
    uint64_t key;         /**< the library's; 0 at first */
    const char *name;     /**< NULL for a line */
    const char *file;     /**< may be NULL */
    uint32_t line;        /**< in the file, from 1 on; 0: not known */
    uint32_t kind;        /**< PE_SITE_*; others count as PE_SITE_REGION */
    uint64_t reserved[2]; /**< 0 */
} pe_region_site;

/** @name How time is taken
 * @{ */
#define PE_CLOCK_EXACT 0u   /**< the end of a region waits for what is in it to be done: the default */
#define PE_CLOCK_QUICK 1u   /**< it does not: bodies below about 100 ns are shown too short */
#define PE_CLOCK_SAMPLED 2u /**< every call is counted, one in pe_region_options.sample_every is timed */
/** @} */

/** @name Flags of pe_region_options
 * @{ */
#define PE_REGION_TIMELINE UINT64_C(1) /**< keep each call's begin and end, the latest ones where the room is too
                                            small */
#define PE_REGION_CPU_TIME UINT64_C(2) /**< take the thread's CPU time too: two system calls for each call of a
                                            region */
/** @} */

/** How to measure; what is 0 has its default. */
typedef struct pe_region_options {
    size_t size;           /**< sizeof(pe_region_options) */
    uint32_t clock;        /**< PE_CLOCK_* */
    uint32_t sample_every; /**< with PE_CLOCK_SAMPLED: one call in so many is timed, up to 65536; default 16 */
    uint64_t flags;        /**< PE_REGION_* */
    uint32_t paths;        /**< most paths of regions in each process, up to 65536; default 4096 */
    uint32_t names;        /**< most different names in each process, up to 65536; default 1024 */
    uint64_t events;       /**< most events of the timeline in each process, up to 2^24; default 65536 */
} pe_region_options;

/** All defaults. */
#define PE_REGION_OPTIONS_INIT { sizeof(pe_region_options), 0, 0, 0, 0, 0, 0 }

/**
 * A region that is not bound to a thread's nesting: a request from its arrival to its answer, say. In the caller's
 * memory; its contents are the library's.
 */
typedef struct pe_region_span {
    uint64_t opaque[8]; /**< the library's */
} pe_region_span;

PE_BEGIN_DECLS

/** Not 0 while regions are measured; the macros test it. Only the library writes to it. */
#ifndef PE__REGION_ON_IS_DEFINED_HERE
PE_EXPORT extern const volatile uint32_t pe_region_on;
#endif

/**
 * Switches measuring on or off, in this process and in the workers of its pools, which see it before their next job.
 *
 * @param on   0: off. Else on.
 *
 * Regions that are open then are closed as usual when they are left. What was counted stays.
 *
 * @return 0.
 * @errors PE_ENOMEM: no memory for tables; nothing has changed.
 * @threads any. @child yes; in a worker it changes nothing but that worker, until the host switches again. @since 1.0
 */
PE_EXPORT int pe_region_enable(int on);

/**
 * Says how to measure. Before the first region is measured in this process, and before pools are made.
 *
 * @param options   NULL: the defaults.
 * @return 0.
 * @errors PE_EINVAL: unknown values, numbers out of range, a wrong size; PE_EALREADY: measuring has begun. Nothing has
 *         changed then.
 * @threads any. @child yes; in a worker PE_EALREADY. @since 1.0
 */
PE_EXPORT int pe_region_setup(const pe_region_options *options);

/**
 * Begins a region of this thread, while measuring is on. What PE_REGION and PE_REGION_SCOPE do, for bindings and for
 * places that macros do not fit.
 *
 * @param site   of kind PE_SITE_REGION.
 * @errors none; see the head of region.h.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_enter_site(pe_region_site *site);

/**
 * Ends a region of this thread, whether measuring is on or off. Leaving one that is open further out closes those
 * inside it, counted as crossed; leaving one that is not open is counted and does nothing else.
 *
 * @param site   that of the region; NULL: the innermost one, whichever that is.
 * @errors none; see the head of region.h.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_leave_site(pe_region_site *site);

/**
 * Begins a region by its name; slower than pe_region_enter_site, since names are compared.
 *
 * @param name   any text; copied at its first use and cut at 127 bytes, so the memory may change afterwards. NULL:
 *               nothing happens.
 * @errors none; see the head of region.h.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_enter(const char *name);

/**
 * Ends a region by its name, as pe_region_leave_site does.
 *
 * @param name   of the region; NULL: the innermost one.
 * @errors none; see the head of region.h.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_leave(const char *name);

/**
 * A source line begins: the time from here to the thread's next line mark, or to the end of the region around it,
 * belongs to this line. What PE_LINE does. A function that marks lines should open a region first, so that its lines
 * do not end those of its caller.
 *
 * @param site   of kind PE_SITE_LINE.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_line(pe_region_site *site);

/**
 * Adds to a counter. What PE_COUNT does.
 *
 * @param site     of kind PE_SITE_COUNTER.
 * @param amount   any; the report shows how many times, the sum, the smallest and the largest. A thread's sum, and the
 *                 sum of all threads', stays at INT64_MAX or INT64_MIN when it gets there.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_count(pe_region_site *site, int64_t amount);

/**
 * Something happened, now. What PE_MARK does: counted, and an instant in the timeline.
 *
 * @param site   of kind PE_SITE_MARK.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_mark(pe_region_site *site);

/**
 * Begins a span; until its end it may be said to wait and to go on, any number of times. Active and waiting time are
 * shown apart. Spans have no parent and no children.
 *
 * @param span   memory that lasts until the end; it is overwritten.
 * @param site   of kind PE_SITE_REGION.
 * @errors none; see the head of region.h.
 * @threads any thread may take each step, one at a time. @child yes, for spans that it began. @since 1.0
 */
PE_EXPORT void pe_region_span_begin(pe_region_span *span, pe_region_site *site);

/**
 * A span waits from now on. Out of turn, and of what is not begun, it does nothing but is counted as wrong use.
 *
 * @param span   the span.
 * @errors none; see the head of region.h.
 * @threads any thread may take each step, one at a time. @child yes, for spans that it began. @since 1.0
 */
PE_EXPORT void pe_region_span_wait(pe_region_span *span);

/**
 * A span goes on. Out of turn, and of what is not begun, it does nothing but is counted as wrong use.
 *
 * @param span   the span.
 * @errors none; see the head of region.h.
 * @threads any thread may take each step, one at a time. @child yes, for spans that it began. @since 1.0
 */
PE_EXPORT void pe_region_span_resume(pe_region_span *span);

/**
 * Ends a span. Of what is not begun it does nothing but is counted as wrong use.
 *
 * @param span   the span.
 * @errors none; see the head of region.h.
 * @threads any thread may take each step, one at a time. @child yes, for spans that it began. @since 1.0
 */
PE_EXPORT void pe_region_span_end(pe_region_span *span);

/**
 * A function of the program begins, as a region with its symbol for a name. What the hooks of programs that are built
 * with -finstrument-functions call, which `pkg-config parexec-functions` links (see the head of region.h). Functions
 * that a longjmp has left are closed, as caller, frame and place show, when the next one begins on the same stack, and
 * at the latest with what is around them.
 *
 * @param function   its first byte.
 * @param caller     where it returns to, in its caller.
 * @param frame      its stack pointer; NULL: not known.
 * @param place      where in the code it says so; one that is inlined has a place in each function that it is inlined
 *                   in.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_region_enter_function(const void *function, const void *caller, const void *frame,
                                        const void *place);

/**
 * A function of the program ends, see pe_region_enter_function. Unlike regions by hand the two need not match: leaving
 * what is not open does nothing and is not counted, for it began before measuring did.
 *
 * @param function   its first byte.
 * @return 0: no region is open on this thread. Else there may be some.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_region_leave_function(const void *function);

/**
 * Leaves a region: what the compiler calls at the end of PE_REGION and PE_REGION_SCOPE.
 *
 * @param scope   its site; where that is NULL nothing happens.
 * @errors none; see the head of region.h.
 * @threads any. @child yes. @since 1.0
 */
#if defined(__GNUC__) && !defined(PE__REGION_SCOPE_END_IS_DEFINED_HERE)
PE_EXPORT extern inline __attribute__((gnu_inline, always_inline, no_instrument_function)) void
pe_region_scope_end(pe_region_site **scope)
{
    if (*scope)
        pe_region_leave_site(*scope);
}
#else
PE_EXPORT void pe_region_scope_end(pe_region_site **scope);
#endif

PE_END_DECLS

/**
 * A site for places that the macros do not fit: static pe_region_site site = PE_REGION_SITE("name");
 *
 * @param name   a string literal or another constant expression.
 */
#define PE_REGION_SITE(name) PE__SITE(PE_SITE_REGION, name)
#define PE__SITE(kind, name) { 0, name, __FILE__, __LINE__, kind, { 0, 0 } }

/** @name The macros
 * Nothing at all with PE_REGION_DISABLE defined.
 * @{ */

/** @def PE_REGION
 * The block that follows is a region: PE_REGION("name") { ... }. break and continue in it end the block, as they end a
 * loop; return and goto out of it are fine with gcc and clang.
 *
 * @param name   a string literal or another constant expression.
 */
/** @def PE_REGION_SCOPE
 * A region from here to the end of the enclosing block (gcc and clang only).
 *
 * @param name   a string literal or another constant expression.
 */
/** @def PE_LINE
 * Here a source line begins. */
/** @def PE_COUNT
 * Adds to a counter.
 *
 * @param name   a string literal or another constant expression.
 * @param n      what to add; evaluated only while measuring is on.
 */
/** @def PE_MARK
 * An instant: something happened, now.
 *
 * @param name   a string literal or another constant expression.
 */

/** @} */

#define PE__JOIN_(a, b) a##b
#define PE__JOIN(a, b) PE__JOIN_(a, b)

#if defined(PE_REGION_DISABLE)

#if defined(__GNUC__)
#define PE__ONCE_NUMBER __COUNTER__
#else
#define PE__ONCE_NUMBER __LINE__
#endif
#define PE__ONCE(once) for (int once = 1; once; once = 0)
#define PE__ONCE_NUMBERED(number) PE__ONCE(PE__JOIN(pe__once_, number))
#define PE_REGION(name) PE__ONCE_NUMBERED(PE__ONCE_NUMBER)
#define PE_REGION_SCOPE(name) ((void)0)
#define PE_LINE() ((void)0)
#define PE_COUNT(name, n) ((void)0)
#define PE_MARK(name) ((void)0)

#elif defined(__GNUC__)

/* Value: the site if it was entered, else NULL. */
#define PE__REGION_ENTER(site_name) \
    (__extension__({ \
        static pe_region_site pe__site = PE__SITE(PE_SITE_REGION, site_name); \
        pe_region_on ? (pe_region_enter_site(&pe__site), &pe__site) : (pe_region_site *)0; \
    }))

/*
 * What resumes a function in the middle by a case label must not stand inside a region: the region would be left
 * without having been entered. C++ and clang refuse such a label by themselves. For gcc's C each region declares
 * pe__region_around, a pointer, which is a type of one byte wherever there is no region, so PE__IS_INSIDE_REGION tells
 * at compile time. That these hide each other is no reason for a warning.
 */
#if defined(__cplusplus)
#define PE__REGION_AROUND(number)
#else
typedef char pe__region_around;
#define PE__IS_INSIDE_REGION() (sizeof(pe__region_around) != 1)
#define PE__REGION_AROUND(number) \
    , *PE__JOIN(pe__quiet_, number) __attribute__((unused)) = (__extension__({ \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"") \
        (pe_region_site *)0; \
    })), *pe__region_around __attribute__((unused)) = (__extension__({ \
        _Pragma("GCC diagnostic pop") \
        (pe_region_site *)0; \
    }))
#endif

#define PE__REGION_SCOPE(name, number) \
    pe_region_site *PE__JOIN(pe__scope_, number) __attribute__((cleanup(pe_region_scope_end), unused)) = \
        PE__REGION_ENTER(name) PE__REGION_AROUND(number)
#define PE__REGION(name, number) \
    for (PE__REGION_SCOPE(name, number), *PE__JOIN(pe__once_, number) = (pe_region_site *)1; \
         PE__JOIN(pe__once_, number); PE__JOIN(pe__once_, number) = (pe_region_site *)0)
#define PE_REGION(name) PE__REGION(name, __COUNTER__)
#define PE_REGION_SCOPE(name) PE__REGION_SCOPE(name, __COUNTER__)

#else

#define PE_REGION(name) for (int PE__JOIN(pe__once_, __LINE__) = (pe_region_enter(name), 1); \
                             PE__JOIN(pe__once_, __LINE__); \
                             PE__JOIN(pe__once_, __LINE__) = (pe_region_leave(name), 0))

#endif

#if !defined(PE_REGION_DISABLE)

#define PE__AT(site_kind, site_name, call) \
    do { \
        static pe_region_site pe__site = PE__SITE(site_kind, site_name); \
        if (pe_region_on) \
            call; \
    } while (0)
#define PE_LINE() PE__AT(PE_SITE_LINE, (const char *)0, pe_region_line(&pe__site))
#define PE_COUNT(name, n) PE__AT(PE_SITE_COUNTER, name, pe_region_count(&pe__site, (n)))
#define PE_MARK(name) PE__AT(PE_SITE_MARK, name, pe_region_mark(&pe__site))

#endif

#endif
