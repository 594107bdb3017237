/*
 * region.h: a stopwatch for regions of code, which also sees inside the workers.
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
 * names (fnmatch(3), with commas between; of C++ names as written or as linked): of functions that are excluded, or not
 * among the only ones, nothing is measured, and what they call belongs to their caller.
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
 * bounded: what finds no place any more (paths, names, events of the timeline) is counted as dropped; the time stays in
 * the region around it.
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

/* Kinds of sites. */
#define PE_SITE_REGION 0u  /* a region */
#define PE_SITE_LINE 1u    /* a source line, PE_LINE */
#define PE_SITE_COUNTER 2u /* PE_COUNT */
#define PE_SITE_MARK 3u    /* PE_MARK */

/*
 * A place in the source, one static object for each use of a macro. Bindings make their own, zeroed but for name, file,
 * line and kind; functions that take one must be given one, where they do not say what NULL means. It must stay where
 * it is for as long as it is used; the texts are copied when a process first uses it, and cut at 127 and 95 bytes.
 */
typedef struct pe_region_site {
    uint64_t key;     /* the library's; 0 at first */
    const char *name; /* NULL for a line */
    const char *file; /* may be NULL */
    uint32_t line;
    uint32_t kind;    /* PE_SITE_*; others count as PE_SITE_REGION */
    uint64_t reserved[2];
} pe_region_site;

/* How time is taken. */
#define PE_CLOCK_EXACT 0u
#define PE_CLOCK_QUICK 1u
#define PE_CLOCK_SAMPLED 2u

/* Flags of pe_region_options. */
#define PE_REGION_TIMELINE UINT64_C(1) /* keep each call's begin and end, the latest ones where the room is too small */
#define PE_REGION_CPU_TIME UINT64_C(2) /* take the thread's CPU time too: two system calls for each call of a region */

/*
 * How to measure; what is 0 has its default.
 */
typedef struct pe_region_options {
    size_t size;
    uint32_t clock;        /* PE_CLOCK_* */
    uint32_t sample_every; /* with PE_CLOCK_SAMPLED: one call in so many is timed, up to 65536; default 16 */
    uint64_t flags;        /* PE_REGION_* */
    uint32_t paths;        /* most paths of regions in each process, up to 65536; default 4096 */
    uint32_t names;        /* most different names in each process, up to 65536; default 1024 */
    uint64_t events;       /* most events of the timeline in each process, up to 2^24; default 65536 */
} pe_region_options;

#define PE_REGION_OPTIONS_INIT { sizeof(pe_region_options), 0, 0, 0, 0, 0, 0 }

/*
 * A region that is not bound to a thread's nesting: a request from its arrival to its answer, say. In the caller's
 * memory; its contents are the library's.
 */
typedef struct pe_region_span {
    uint64_t opaque[8];
} pe_region_span;

PE_BEGIN_DECLS

/* Not 0 while regions are measured; the macros test it. Only the library writes to it. */
#ifndef PE__REGION_ON_IS_DEFINED_HERE
PE_EXPORT extern const volatile uint32_t pe_region_on;
#endif

/*
 * Switches measuring on or off, in this process and in the workers of its pools, which see it before their next job.
 *
 * on   0: off. Else on.
 * Regions that are open then are closed as usual when they are left. What was counted stays.
 * Returns: 0. Errors: PE_ENOMEM: no memory for tables; nothing has changed.
 * Threads: any. Child: yes; in a worker it changes nothing but that worker, until the host switches again. Since: 1.0
 */
PE_EXPORT int pe_region_enable(int on);

/*
 * Says how to measure. Before the first region is measured in this process, and before pools are made.
 *
 * options   NULL: the defaults.
 * Returns: 0. Errors: PE_EINVAL: unknown values; PE_EALREADY: measuring has begun. Nothing has changed then.
 * Threads: any. Child: yes; in a worker PE_EALREADY. Since: 1.0
 */
PE_EXPORT int pe_region_setup(const pe_region_options *options);

/*
 * Begins a region of this thread, and ends one. What PE_REGION and PE_REGION_SCOPE do, for bindings and for places that
 * macros do not fit.
 *
 * site   of kind PE_SITE_REGION. To leave: the same one, or NULL for the innermost region, whichever that is.
 * Leaving one that is open further out closes those inside it, counted as crossed; leaving one that is not open is
 * counted and does nothing else. Enter does nothing while measuring is off; leave ends what was entered, on or off.
 * Errors: none; see the head of this file.
 * Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_enter_site(pe_region_site *site);
PE_EXPORT void pe_region_leave_site(pe_region_site *site);

/*
 * The same by name; slower, since names are compared.
 *
 * name   any text; copied at its first use and cut at 127 bytes, so the memory may change afterwards. NULL to enter:
 *        nothing happens. NULL to leave: the innermost region.
 * Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_enter(const char *name);
PE_EXPORT void pe_region_leave(const char *name);

/*
 * A source line begins: the time from here to the thread's next line mark, or to the end of the region around it,
 * belongs to this line. What PE_LINE does. A function that marks lines should open a region first, so that its lines
 * do not end those of its caller.
 *
 * site   of kind PE_SITE_LINE.
 * Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_line(pe_region_site *site);

/*
 * Adds to a counter. What PE_COUNT does.
 *
 * site     of kind PE_SITE_COUNTER.
 * amount   any; the report shows how many times, the sum, the smallest and the largest. A thread's sum, and the sum of
 *          all threads', stays at INT64_MAX or INT64_MIN when it gets there.
 * Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_count(pe_region_site *site, int64_t amount);

/*
 * Something happened, now. What PE_MARK does: counted, and an instant in the timeline.
 *
 * site   of kind PE_SITE_MARK.
 * Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_mark(pe_region_site *site);

/*
 * Begins a span, and ends it; between the two it may be said to wait and to go on, any number of times. Active and
 * waiting time are shown apart. Spans have no parent and no children.
 *
 * span   memory that lasts until the end; begin overwrites it.
 * site   of kind PE_SITE_REGION.
 * Wait, resume and end of what is not begun, or out of turn, do nothing but are counted as wrong use.
 * Threads: any thread may take each step, one at a time. Child: yes, for spans that it began. Since: 1.0
 */
PE_EXPORT void pe_region_span_begin(pe_region_span *span, pe_region_site *site);
PE_EXPORT void pe_region_span_wait(pe_region_span *span);
PE_EXPORT void pe_region_span_resume(pe_region_span *span);
PE_EXPORT void pe_region_span_end(pe_region_span *span);

/*
 * A function of the program begins, and ends, as a region with its symbol for a name. What the hooks of programs that
 * are built with -finstrument-functions call, which `pkg-config parexec-functions` links (see the head of this file).
 *
 * function   its first byte.
 * caller     where it returns to, in its caller.
 * frame      the stack pointer of the function that begins; NULL: not known.
 * place      where in the code it says so; one that is inlined has a place in each function that it is inlined in.
 * Unlike regions by hand they need not match: leaving what is not open does nothing and is not counted, for it began
 * before measuring did. Functions that a longjmp has left are closed, as caller, frame and place show, when the next
 * one begins on the same stack, and at the latest with what is around them.
 * Returns: to leave: not 0 while regions are open on this thread.
 * Errors: none. Threads: any. Child: yes. Since: 1.0
 */
PE_EXPORT void pe_region_enter_function(const void *function, const void *caller, const void *frame,
                                        const void *place);
PE_EXPORT int pe_region_leave_function(const void *function);

/* Leaves *scope unless that is NULL: what the compiler calls at the end of PE_REGION and PE_REGION_SCOPE. Threads: any.
 * Child: yes. Since: 1.0 */
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

/* A site for places that the macros do not fit: static pe_region_site site = PE_REGION_SITE("name"); */
#define PE_REGION_SITE(name) PE__SITE(PE_SITE_REGION, name)
#define PE__SITE(kind, name) { 0, name, __FILE__, __LINE__, kind, { 0, 0 } }

/*
 * The macros. `name` must be a string literal or another constant expression.
 *
 * PE_REGION("name") { ... }   the block is a region. break and continue in it end the block, as they end a loop; return
 *                             and goto out of it are fine with gcc and clang.
 * PE_REGION_SCOPE("name");    from here to the end of the enclosing block (gcc and clang only).
 * PE_LINE();                  here a source line begins.
 * PE_COUNT("name", n);        adds n to a counter; n is evaluated only while measuring is on.
 * PE_MARK("name");            an instant.
 */
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
