/**
 * @file map.h
 * Types and options of maps and reduces. The calls themselves are in pool.h.
 *
 * A map calls a function for each element of an array, on all workers, and puts what it makes of element i
 * into element i of another array. An element is called an item. An item that crashes, exits or is killed
 * costs that item and nothing else: the others run, and its place in the output stays as it was.
 *
 *     static int square(const void *in, void *out, const void *context)
 *     {
 *         double x = *(const double *)in;
 *
 *         (void)context;
 *         *(double *)out = x * x;
 *         return 0;
 *     }
 *
 *     double in[1000], out[1000];
 *     pe_map_summary summary = PE_MAP_SUMMARY_INIT;
 *     pe_map_options options = PE_MAP_OPTIONS_INIT;
 *
 *     options.summary = &summary;
 *     int error = pe_pool_map(pool, square, in, sizeof in[0], out, sizeof out[0], 1000, &options);
 *
 *     if (error == PE_EITEMS)
 *         printf("%" PRIu64 " failed, the first is %" PRIu64 "\n", summary.failed, summary.first_failed);
 *
 * A reduce calls a function for parts of a range of integers and combines what the parts have made, in the
 * order of the range: the result has the same bits for any number of workers, also with floating point.
 *
 * Items are divided among the workers beforehand; a worker that is through takes half of what another one
 * has left. So items may run in any order, and no two workers ever run the same one.
 *
 * Threads, forks: the functions run in workers (see pe_job_fn in job.h), but for pe_combine_fn and
 * pe_progress_fn, which run in the thread of the caller.
 */
#ifndef PAREXEC_MAP_H
#define PAREXEC_MAP_H

#include <parexec/export.h>
#include <parexec/job.h>

PE_BEGIN_DECLS

/**
 * An item's function, in a worker.
 *
 * @param in        element to work on: in_bytes long, read only. In memory of pe_pool_alloc it is the caller's own
 *                  element, with PE_MAP_INHERITED what the worker has at that address, else a copy. NULL only when the
 *                  map has no input.
 * @param out       where its result goes: out_bytes long. In memory of pe_pool_alloc it is the caller's own element,
 *                  with what it held before; else the bytes are arbitrary at first, and reach the caller only if the
 *                  item returns 0. NULL only when the map has no output.
 * @param context   copy of the bytes in the options (with PE_MAP_INHERITED, and in a pool made with PE_POOL_INLINE, the
 *                  address in the options); NULL when there are none. Read only; it is shared by all.
 * @return 0, or the item's own error code, which is any other int: the item has failed then. It is not run again for
 *         that.
 *
 * Copies of arrays and of the context start at a multiple of 64 bytes. What else it may do: see pe_job_fn.
 */
typedef int pe_map_fn(const void *in, void *out, const void *context);

/**
 * A block's function of a reduce, in a worker.
 *
 * @param first, last   the numbers from first to last - 1; at least one.
 * @param acc           copy of the neutral element, aligned to 16 bytes, to which the block is added.
 * @param context       as for pe_map_fn.
 * @return 0, or an error code, which ends the reduce with PE_EITEMS.
 */
typedef int pe_range_fn(uint64_t first, uint64_t last, void *acc, const void *context);

/**
 * Adds one part of a reduce to what has been combined so far. Called in the calling thread, in the order of
 * the range.
 *
 * @param acc       the sum so far, aligned for any type; private to the reduce until it ends.
 * @param part      what a block has made of the neutral element, aligned to 16 bytes. It comes out of another process:
 *                  any bytes must be accepted without harm.
 * @param context   the caller's own bytes of the options, not a copy.
 * @return 0, or anything else to end the reduce with PE_EITEMS.
 *
 * It must return (no longjmp, no exception) and not use the pool.
 */
typedef int pe_combine_fn(void *acc, const void *part, const void *context);

/**
 * Hears how far a map or reduce is, about every 100 ms while a thread waits in the pool, and once at the end.
 *
 * @param done      items that have ended, of a reduce blocks. At the end: without the cancelled and lost ones. Of a
 *                  stream those that were handed out.
 * @param failed    of those, the ones that did not return 0.
 * @param total     all; of a stream 0, for nobody knows.
 * @param context   progress_context of the options.
 *
 * It runs in a thread that is inside the pool, under the rules of pe_done_fn (job.h). A reduce calls it in
 * the calling thread and not at all for an empty range; a stream inside pe_stream_next, and at the end only if
 * that end is reached there. In a pool made with PE_POOL_INLINE a map calls it at its end alone.
 */
typedef void pe_progress_fn(uint64_t done, uint64_t failed, uint64_t total, void *context);

/** @name Values of pe_map_options
 * @{ */
#define PE_CHUNK_AUTO 0        /**< chunk: by measured time */
#define PE_ON_ERROR_CONTINUE 0 /**< on_error: run all items, whatever becomes of others */
#define PE_ON_ERROR_STOP 1     /**< on_error: stop at the first failure; any k: once k items have failed */
/** @} */

/**
 * @name Flags of pe_map_options
 * @{
 */

/**
 * Of a stream: results are handed out in the order of the input, not as they come. One that takes long holds back those
 * behind it, which go on counting as in flight. Elsewhere PE_EINVAL.
 */
#define PE_MAP_ORDERED (UINT32_C(1) << 0)

/**
 * Nothing is copied on the way in: workers read input and context at the same addresses in the memory that they have
 * had since they were forked, with what was there then. For large arrays, or structures full of pointers, that are
 * ready before pe_pool_new (with PE_POOL_FROM_SEED: before pe_init) and do not change; a change made later is not seen.
 * Of a reduce and a stream it concerns the context. Memory that is younger than the workers must not be passed. Where
 * nothing was mapped at the fork the call is refused with PE_EFAULT, if the system lets the library look; where
 * something else was, items read that.
 */
#define PE_MAP_INHERITED (UINT32_C(1) << 1)
/** @} */

/** The most blocks that a reduce has. */
#define PE_REDUCE_BLOCKS_MAX 1024

/**
 * What became of a map, in figures. Filled in at its end, through pe_map_options.summary.
 *
 * Of a reduce the blocks are counted: returned those that were combined, failed 1 for the group of blocks (see chunk)
 * that ended the reduce, first_failed the first block of that group; where combine returned an error, that is
 * first.code. Of a stream the items that were made; it is filled in when pe_stream_next tells the end, or else by
 * pe_stream_free.
 */
typedef struct pe_map_summary {
    size_t size;            /**< sizeof(pe_map_summary), set by the caller */
    uint64_t returned;      /**< items that returned 0 */
    uint64_t failed;        /**< items that ended otherwise, cancelled and lost ones apart */
    uint64_t cancelled;     /**< items that never started, or were stopped */
    uint64_t lost;          /**< items that had not ended when the pool broke */
    uint64_t first_failed;  /**< lowest index of a failed item; UINT64_MAX: none */
    pe_status first;        /**< how that one ended */
    int64_t wall_ns;        /**< nanoseconds from the call to the end */
} pe_map_summary;

/** To be filled in. */
#define PE_MAP_SUMMARY_INIT \
    { sizeof(pe_map_summary), 0, 0, 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0 } }, 0 }

/** How a map, reduce or stream is to run. What is pointed to, but for context, must live until it has ended. */
typedef struct pe_map_options {
    size_t size;                 /**< sizeof(pe_map_options) */
    uint64_t chunk;              /**< most items that a worker takes at once; what it has taken nobody else can take
                                      over. PE_CHUNK_AUTO (0): so many as take about 20 us. From 2^24 items on they are
                                      counted in groups (of 2, of 3 with twice as many, and so on), and no less than one
                                      is taken. Of a reduce: blocks in one job; 0: 1. Of a stream any value: items are
                                      taken singly */
    const void *context;         /**< bytes that every item may read; copied in the call, but for PE_MAP_INHERITED.
                                      NULL: none */
    size_t context_bytes;        /**< their number */
    pe_status *statuses;         /**< count entries, all filled in at the end of the map; NULL: not asked for. Items are
                                      timed one by one only if it is there. Of a reduce or stream: NULL */
    pe_map_summary *summary;     /**< filled in at the end, its size set before; NULL: not asked for */
    uint32_t on_error;           /**< stop once so many items have failed: no further one is started, those in hand go
                                      on to their end. PE_ON_ERROR_CONTINUE (0): never. A reduce always stops at the
                                      first. Of a stream: once so many failures were handed out no more items are asked
                                      for; what is in flight goes on */
    uint32_t retries;            /**< times to run an item (of a reduce: a group of blocks) again after its worker died
                                      of it; 0: never */
    int64_t timeout_ns;          /**< how long one item may run (of a reduce: one group of blocks); 0: for ever. It
                                      costs the item that overruns it and no other: that one is stopped like a job
                                      (job.h), is PE_TIMED_OUT and counts as failed, and is not run again. With a limit
                                      each item takes about 80 ns longer */
    int64_t deadline_ns;         /**< when the map is to be over, a point in time as of pe_after; 0: never. Then no
                                      further item is started, and those that run are stopped like jobs; all of them are
                                      PE_CANCELLED. pe_pool_map and pe_pool_reduce return PE_ETIMEDOUT; a map of
                                      pe_pool_start_map is PE_TIMED_OUT, whatever the program does meanwhile. For a
                                      stream: pe_stream_next waits no longer */
    uint64_t max_inflight;       /**< of a stream: items that were made and not handed out, at most. 0: 64 for each
                                      worker, 4 when input and result are 16 KiB or more. Elsewhere 0 */
    uint64_t inflight_bytes;     /**< of a stream: bytes of inputs and results that it holds, the one handed out last
                                      included; at most, but for two items, which it always may hold. Each item counts
                                      as the lines of 64 bytes that it lies in, with 16 bytes of the library's own; an
                                      input or result of 64 bytes and more has lines to itself. 0: what max_inflight
                                      allows. Elsewhere 0 */
    pe_progress_fn *progress;    /**< told how far it is; NULL: nobody is */
    void *progress_context;      /**< handed to it */
    uint32_t flags;              /**< PE_MAP_*; 0: none */
    uint32_t priority;           /**< PE_PRIORITY_* (job.h): when workers that are free begin with it */
} pe_map_options;

/** All defaults. */
#define PE_MAP_OPTIONS_INIT { sizeof(pe_map_options), 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0 }

PE_END_DECLS

#endif
