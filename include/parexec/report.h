/**
 * @file report.h
 * What the regions (region.h) have measured, as text, as files for viewers, as a picture.
 *
 * A report sums up all threads of the program and all workers of all its pools, those that have ended and crashed
 * included. It can be made at any time, from any thread, while everything goes on; a call that ends meanwhile may or
 * may not be in it.
 *
 *     pe_region_enable(1);
 *     work();
 *     pe_report(stdout, NULL);
 *     pe_report_write("work.html", PE_REPORT_HTML);
 *
 * Without touching the program, by the environment: PAREXEC_PROFILE, a list of words with commas between, makes any
 * program that links the library measure from its start and write reports when it returns from main or calls exit.
 *
 *     text, lines             to standard error; text:FILE and lines:FILE to a file
 *     json, csv, folded,      to parexec-PID.json, .csv, .folded, .trace.json and .html where the program began;
 *     trace, html             json:FILE and so on to a file. trace and html turn the timeline on
 *     signals                 reports also when SIGINT or SIGTERM ends the program
 *     quick, sampled          the clock (region.h)
 *     cpu, timeline           CPU time; a timeline for other formats
 *     paths=N, names=N,       room for so many (region.h)
 *     events=N
 *     tree, processes,        text: PE_REPORT_TREE, _PER_PROCESS, _PER_THREAD
 *     threads
 *     net                     PE_REPORT_SUBTRACT_COST
 *     sort=KEY, rows=N,       text: KEY is cumulative, own, calls, percall or name; N rows in each table; only names
 *     match=PATTERN           that match
 *
 * Without a format it is text. FILE is taken from the directory in which the program began; %p in it is the number of
 * the process. There may be 16 reports. One more, a word that means nothing, and a file that cannot be written, give a
 * line on standard error; the exit status is the program's own in any case. Programs that run with more rights than
 * their user has (setuid) ignore the variable. Nothing is written when a program ends by _exit, quick_exit, abort, exec
 * or another signal. Standard error gets a report only if it is still the one that the program was started with, or is
 * open for appending.
 *
 * For `signals` the library starts a thread, which does the writing: handlers may not. It sets a handler for each of
 * the two signals that has its default action then; the program may replace it by its own. After the report the same
 * signal ends the program; a second one ends it at once. The program goes on for the milliseconds that the report
 * takes.
 *
 * The line report shows source text that it finds under the name that the compiler was given, or below one of the
 * directories that PAREXEC_SOURCE_PATH lists with colons between.
 *
 * What pools do is in it too, under names of the library's own:
 *
 *     pe.queue        in a worker: a job's time from its submission until the worker began it; a part of a map likewise
 *     pe.idle         in a worker: the time between what it has done and what it begins next
 *     pe.run          in a worker: a job, or the worker's part of a map; the program's regions are inside. With
 *                     PE_POOL_INLINE in the thread that calls
 *     pe.init         in a worker: its initialiser
 *     pe.bytes in, pe.bytes out   counters, beside pe.run: of arguments and inputs, of replies and outputs
 *     pe.crash: crashed, exited, timed out, cancelled, out of memory   marks: a worker has died, and this is the next
 *                     process of its number; what was open in it is unfinished
 *     pe.start        in the program: pe_pool_new
 *     pe.submit       in the program: handing over a job, or a map that is not waited for; an arrow in the timeline
 *                     leads from there, or from pe.map, to each pe.run
 *     pe.map          in the program: a map from its call to its return
 *     pe.copy         in the program: copying arguments, inputs and results into and out of shared memory
 *     pe.wait         in the program: waiting for jobs, maps, room in a queue, the end of a pool
 *
 * A pool that a worker makes is that worker's own: its workers are in the reports that this worker makes, if it does.
 *
 * Threads: any thread may make reports, several at once too. Forks: a child of the program reports its own regions
 * alone, and writes nothing at its exit unless the name has %p and it has measured anything. Signals: not in handlers.
 */
#ifndef PAREXEC_REPORT_H
#define PAREXEC_REPORT_H

#include <stdio.h>

#include <parexec/export.h>

/** @name Formats
 * @{ */
#define PE_REPORT_TEXT 0u   /**< a table in the manner of cProfile */
#define PE_REPORT_LINES 1u  /**< a table of source lines in the manner of line_profiler */
#define PE_REPORT_JSON 2u   /**< everything but the timeline; pe_report_merge reads it */
#define PE_REPORT_CSV 3u    /**< one row for each path of each thread */
#define PE_REPORT_FOLDED 4u /**< folded stacks with own time in nanoseconds, for flame graph tools */
#define PE_REPORT_TRACE 5u  /**< the timeline, Chrome's trace format, for Perfetto, speedscope and chrome://tracing */
#define PE_REPORT_HTML 6u   /**< a page with flame graph, timeline and tables, for any browser: one file that loads
                                 nothing else, of some megabytes at most, which can be read and printed without
                                 scripts */
/** @} */

/** @name Orders of the rows of PE_REPORT_TEXT
 * Largest first but for names.
 * @{ */
#define PE_SORT_CUMULATIVE 0u /**< total time, with what was called */
#define PE_SORT_OWN 1u        /**< time without what was called */
#define PE_SORT_CALLS 2u      /**< number of calls */
#define PE_SORT_PER_CALL 3u   /**< total time of a call */
#define PE_SORT_NAME 4u       /**< the alphabet */
/** @} */

/** @name Flags of pe_report_options
 * @{ */
#define PE_REPORT_TREE UINT64_C(1)          /**< text: the call tree instead of one row for each name */
#define PE_REPORT_PER_PROCESS UINT64_C(2)   /**< text: a table for the host and each worker besides the sum */
#define PE_REPORT_PER_THREAD UINT64_C(4)    /**< text: a table for each thread besides the sum */
#define PE_REPORT_SUBTRACT_COST UINT64_C(8) /**< total and own times without what measuring them has cost here */
/** @} */

/** How a report looks; what is 0 has its default. */
typedef struct pe_report_options {
    size_t size;       /**< sizeof(pe_report_options) */
    uint32_t format;   /**< PE_REPORT_* */
    uint32_t sort;     /**< PE_SORT_* */
    uint64_t flags;    /**< PE_REPORT_*; 0: none */
    uint64_t rows;     /**< text: at most so many in each table; default: all */
    const char *match; /**< text: only names that match this pattern of fnmatch(3); NULL: all. The caller's */
} pe_report_options;

/** All defaults. */
#define PE_REPORT_OPTIONS_INIT { sizeof(pe_report_options), 0, 0, 0, 0, NULL }

PE_BEGIN_DECLS

/**
 * Writes a report of everything measured so far.
 *
 * @param file      open for writing; stays open, is not flushed: an error in what its buffer holds comes with the next
 *                  flush. A broken pipe raises SIGPIPE, as whatever is written to it does.
 * @param options   NULL: the text, sorted by cumulative time.
 *
 * A report is written in one piece, however many threads write to the file.
 *
 * @return 0.
 * @errors PE_EINVAL: file is NULL, unknown options; PE_ENOMEM; another negative errno: writing failed.
 * @threads any. @child yes; a child has its own. @since 1.0
 */
PE_EXPORT int pe_report(FILE *file, const pe_report_options *options);

/**
 * The same into a file, which is made or replaced as a whole: on an error an older one stays. Devices and pipes are
 * written in place; /dev/stdout, /dev/stderr and /dev/fd/N mean the descriptor itself. A broken pipe or a limit on file
 * sizes gives an error and no signal.
 *
 * @param path     of the file. A new one has the mode that fopen would give, a replaced one keeps its own; a symbolic
 *                 link stays and its target is replaced.
 * @param format   PE_REPORT_*.
 * @return 0.
 * @errors as pe_report, and what opening and renaming files can give, such as -ENOENT.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_report_write(const char *path, uint32_t format);

/**
 * Sums up the reports of several runs.
 *
 * @param paths     of files written as PE_REPORT_JSON.
 * @param count     of paths, at least 1.
 * @param file      open for writing.
 * @param options   as of pe_report; PE_REPORT_TRACE has no timeline to show: PE_EINVAL.
 *
 * Regions with the same path of names, from the same places in the source, are added up; threads and workers with the
 * same number are too.
 *
 * @return 0.
 * @errors PE_EINVAL: bad arguments, or a file is no such report; PE_ENOMEM; another negative errno: a file could not be
 *         read or written. Nothing is written when a file could not be read.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_report_merge(const char *const *paths, size_t count, FILE *file, const pe_report_options *options);

PE_END_DECLS

#endif
