/**
 * @file worker.h
 * What a function may ask about itself while it runs in a worker.
 *
 * These calls are for the functions that a pool runs (jobs, items of maps, blocks of reduces, initialisers),
 * not for the program that owns the pool. They tell which worker this is, which item is in hand, whether
 * somebody wants it to stop, and they take a message for the caller.
 *
 *     static int convert(const void *in, void *out, const void *context)
 *     {
 *         const struct image *image = in;
 *
 *         for (uint32_t row = 0; row < image->rows; row++) {
 *             if (pe_worker_cancelled())
 *                 return 1;
 *             if (convert_row(image, row, out, context) < 0)
 *                 return pe_worker_fail(2, "%s: row %u is damaged", image->name, row);
 *         }
 *         return 0;
 *     }
 *
 * Threads: a worker has one thread. If a function starts others, they may call everything here but
 * pe_worker_fail, and must have ended when the function returns. Forks: a process that the function forks
 * gets the answers of its worker, and can write no reply. It is not the worker: if it comes back from the function,
 * because exec has failed for example, it ends, with what the function gave back as its exit status (PE_POOL_INLINE: it
 * is a copy of the program, and goes on as that). Signals: all but pe_worker_fail may be called in signal handlers. In
 * a pool made with PE_POOL_INLINE the answers hold for the calling thread.
 */
#ifndef PAREXEC_WORKER_H
#define PAREXEC_WORKER_H

#include <parexec/export.h>

PE_BEGIN_DECLS

/**
 * Runs once in a worker: worker_init of pe_pool_options before its first job, worker_exit when it leaves by itself (the
 * pool was joined, jobs_per_worker is used up, it has grown beyond rss_limit_bytes, its output_bytes have met a limit
 * on file sizes, there was nothing to do for idle_ns, or there were too many after pe_pool_resize). In a pool made with
 * PE_POOL_INLINE neither is run. A worker that is killed or crashes does not run worker_exit, nor does one whose pool
 * is killed or freed without a join.
 *
 * @param context   worker_context of the options: the same address, in memory as the worker sees it.
 * @return worker_init 0, or anything else for a failure: the worker ends. To exit is a failure too. While no worker has
 *         begun to serve yet, pe_pool_new then returns PE_EINIT; later it counts as a death and the worker is replaced.
 *         What worker_exit returns means nothing.
 *
 * It may call pe_worker_index; nobody asks it to stop (pe_worker_cancelled), and a message of pe_worker_fail goes
 * nowhere. It must return or end the process.
 */
typedef int pe_worker_fn(void *context);

/**
 * The number of this worker. A replacement has the number of the worker that it replaces.
 *
 * @return 0 to workers - 1; in a pool made with PE_POOL_INLINE 0.
 * @errors PE_EPERM: not called from a function that a pool runs.
 * @threads any. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT int pe_worker_index(void);

/**
 * Whether the running job or item was asked to stop: because its time limit or deadline is over, by pe_job_cancel,
 * because the map, reduce or broadcast that it is a part of was cut short or its stream was freed, or, in a map,
 * because as many items have failed as on_error allows. What runs next in the same worker is not asked for that. A
 * function that runs long asks now and then and returns early; one that does not is ended by signals when the pool's
 * grace is over. A killed pool does not ask, it sends SIGTERM at once, or SIGKILL.
 *
 * @return 1 or 0; outside a worker, and in a pool made with PE_POOL_INLINE, always 0.
 * @errors none. It costs a load from memory.
 * @threads any. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT int pe_worker_cancelled(void);

/**
 * The index of the item in hand.
 *
 * @return 0 to count - 1 in a map; in a stream the item's place in the input, from 0 on; UINT64_MAX elsewhere, in a
 *         block of a reduce too.
 * @errors none.
 * @threads any. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT uint64_t pe_worker_item(void);

/**
 * Leaves a message for whoever asks pe_job_item_text, and gives `code` back, so that a failing function can
 * end with `return pe_worker_fail(7, "...")`. It does not end the function. Of several messages the last one
 * stands. A message is lost when the function crashes afterwards, and in a map also when the item returns 0
 * or when the map's messages are more than min(count, 1024) KiB together.
 *
 * @param code     what to return, usually not 0.
 * @param format   as for printf; NULL leaves no message. More than PE_TEXT_BYTES_MAX - 1 bytes are cut, and then end in
 *                 "...".
 * @param ...      what the format asks for.
 * @return code.
 * @errors none. errno stays as it was.
 * @ownership the text is copied.
 * @threads the one that runs the function.
 * @child yes, that is what it is for; elsewhere it only returns code.
 * @since 1.0
 */
PE_EXPORT int pe_worker_fail(int code, const char *format, ...) PE_FORMAT(2, 3);

PE_END_DECLS

#endif
