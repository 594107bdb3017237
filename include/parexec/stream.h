/**
 * @file stream.h
 * Maps over input that comes bit by bit, with results handed out one by one.
 *
 * A stream is a map whose input no array holds: a function of the program, the source, makes one item after
 * the other, and pe_stream_next hands the results out as they come. Only so many items are in flight at once,
 * so memory stays the same however long the input is; it may be endless.
 *
 *     static int read_piece(void *item, void *context)
 *     {
 *         struct piece *piece = item;
 *         ssize_t got = read(*(int *)context, piece->bytes, sizeof piece->bytes);
 *
 *         if (got <= 0)
 *             return got < 0 ? -errno : 0;
 *         piece->count = (size_t)got;
 *         return 1;
 *     }
 *
 *     pe_stream *stream;
 *     pe_status status;
 *     const void *data;
 *     uint64_t sum = 0;
 *     int got = pe_pool_stream(pool, count_words, read_piece, &fd, sizeof(struct piece), sizeof(uint64_t), NULL,
 *                              &stream);
 *
 *     if (got < 0)
 *         return got;
 *     while ((got = pe_stream_next(stream, PE_FOREVER, NULL, &status, &data, NULL)) == 1)
 *         if (data != NULL)
 *             sum += *(const uint64_t *)data;
 *     pe_stream_free(stream);
 *
 * Each item is a job of the pool: one that crashes costs that item and nothing else, and counts in queue_jobs
 * while it waits. Functions of items are those of maps (pe_map_fn in map.h) under the same rules; they run in
 * workers. The source runs in the program, in the thread that is inside pe_stream_next.
 *
 * What an item costs besides is about what a job costs. Work of less than some microseconds is better put
 * together to items of many.
 *
 * Threads: a stream is used by one thread at a time; different streams of a pool, and everything else in it, by
 * any threads at once. Forks: a stream belongs to the process that made it; in a child pe_stream_next returns
 * PE_EFORKED, and pe_stream_free gives back the child's memory and leaves the parent's stream alone. Signals:
 * not for signal handlers; pe_pool_interrupt ends the wait in pe_stream_next.
 */
#ifndef PAREXEC_STREAM_H
#define PAREXEC_STREAM_H

#include <parexec/export.h>
#include <parexec/map.h>
#include <parexec/pool.h>

PE_BEGIN_DECLS

/** A map over input that comes bit by bit. From pe_pool_stream to pe_stream_free. */
typedef struct pe_stream pe_stream;

/**
 * Makes the next item of a stream, in the program: called inside pe_stream_next, by its thread, without a lock
 * of the library, and never again once the input has ended.
 *
 * @param item      where it goes: in_bytes long, with arbitrary bytes at first, aligned for any type, and to 64 bytes
 *                  from 64 bytes on. It is memory that workers share. NULL when in_bytes is 0.
 * @param context   what was given to pe_pool_stream.
 * @return 1 for an item, 0 for the end of the input. PE_EAGAIN: none now, ask in a later call. Anything else below 0:
 *         an error, which ends the input and comes out of pe_stream_next in the end. Do not end it with one that
 *         ends a single call there: PE_ETIMEDOUT, PE_EINTR, PE_EDEADLK, PE_ENOMEM.
 *
 * It may use the pool, but not this stream (PE_EDEADLK). It must return: no longjmp, no exception. While it
 * waits for something, results that have come meanwhile are not handed out.
 */
typedef int pe_source_fn(void *item, void *context);

/**
 * Begins a stream. Nothing is asked of the source yet.
 *
 * @param pool             the pool.
 * @param fn               the items' function, see pe_map_fn. It must have been loaded when the workers were forked.
 * @param source           makes the items, see pe_source_fn.
 * @param source_context   handed to it; may be NULL.
 * @param in_bytes         size of an item, the same for all; 0: fn gets NULL, and pe_worker_item as its only input.
 * @param out_bytes        size of a result; 0: fn gets NULL.
 * @param options          NULL: all defaults. max_inflight and inflight_bytes bound what is in flight, PE_MAP_ORDERED
 *                         puts results in the order of the input; map.h says what the others mean for a stream.
 *                         statuses must be NULL. The summary must live until pe_stream_free.
 * @param ret_stream       gets the stream.
 * @return 0.
 * @errors PE_EDEADLK: called in a callback of the pool. PE_ECLOSED: closed, joined or killed. PE_EBROKEN.
 *         PE_ENOTLOADED: the library that fn is in was loaded after the fork. PE_EFAULT: as for PE_MAP_INHERITED.
 *         PE_ENOMEM: also when what may be in flight does not fit into the pool's shared_bytes. PE_EINVAL: pool, fn,
 *         source or ret_stream NULL, a size near SIZE_MAX, wrong options. PE_EFORKED.
 * @ownership the stream is the caller's, to be freed by pe_stream_free, before or after the pool.
 * @threads any. @child no. @since 1.0
 */
PE_EXPORT int pe_pool_stream(pe_pool *pool, pe_map_fn *fn, pe_source_fn *source, void *source_context, size_t in_bytes,
                             size_t out_bytes, const pe_map_options *options, pe_stream **ret_stream);

/**
 * Hands out the next result: as soon as there is one, or, with PE_MAP_ORDERED, that of the next item in order.
 * Every item that the source has made is handed out once, however it ended, unless the stream is freed before.
 *
 * The call asks the source for items while there is room, but hands out what has come without filling all of it
 * first. It waits when there is nothing to hand out and nothing to ask for.
 *
 * @param stream        the stream.
 * @param deadline_ns   point in time, as of pe_after; 0 does not wait but asks the source a little, PE_FOREVER waits
 *                      without end. The source is not interrupted.
 * @param ret_index     gets the item's place in the input, from 0 on; may be NULL.
 * @param ret_status    filled in, its item being the index; may be NULL.
 * @param ret_data      gets the result, aligned as items are; NULL if out_bytes is 0 or the item did not return 0. May
 *                      be NULL. Bytes that the item did not write are arbitrary.
 * @param ret_bytes     gets out_bytes, or 0 where there is no result; may be NULL.
 * @return 1: one was handed out. 0: the input has ended and everything was handed out; and 0 again.
 * @errors what ended the stream before the input did, again in each call from then on, once everything in flight was
 *         handed out: the error of the source; PE_EITEMS: as many items have failed as on_error allows; PE_ECLOSED: the
 *         pool was closed, joined or killed, PE_EBROKEN: it broke. And what ends this call alone: PE_ETIMEDOUT: nothing
 *         by the deadline (or the options' deadline_ns). PE_EAGAIN: the source has nothing now, and nothing is in
 *         flight. PE_EINTR: pe_pool_interrupt was called. PE_EDEADLK: called in a callback of the pool, or inside
 *         another call on this stream. PE_ENOMEM: an item waits for memory. PE_EINVAL: stream NULL, or a deadline that
 *         is negative or a duration by mistake. PE_EFORKED.
 *
 * An item that was pulled and not begun when the stream ended is PE_CANCELLED (in a broken pool PE_LOST).
 *
 * @ownership the data is the stream's, until the next call of pe_stream_next or pe_stream_free for it. Up to 256 KiB
 *         are a copy in the program's own memory; larger results stay in memory shared with the workers, which a worker
 *         that writes where it should not could still change: copy before you check them if that matters.
 * @threads any, one at a time. @child no. @since 1.0
 */
PE_EXPORT int pe_stream_next(pe_stream *stream, int64_t deadline_ns, uint64_t *ret_index, pe_status *ret_status,
                             const void **ret_data, size_t *ret_bytes);

/**
 * A text that the item handed out last has left.
 *
 * @param stream      the stream.
 * @param which       PE_TEXT_MESSAGE and so on, as for pe_job_item_text.
 * @param ret_text    gets the text, ended by a NUL.
 * @param ret_bytes   gets its length without the NUL; may be NULL.
 * @return 0.
 * @errors PE_ENODATA: no text, or nothing handed out by the last call. PE_EINVAL: stream or ret_text NULL, an unknown
 *         which. PE_ENOMEM: none for a backtrace. PE_EFORKED.
 * @ownership the text is the stream's, until the next call of pe_stream_next or pe_stream_free for it.
 * @threads any, one at a time. @child no. @since 1.0
 */
PE_EXPORT int pe_stream_text(const pe_stream *stream, uint32_t which, const char **ret_text, size_t *ret_bytes);

/**
 * Gives a stream back, wherever it is. What is in flight is cancelled as by pe_job_cancel and waited for, no
 * longer than about twice the pool's grace_ns; on return nothing of the stream runs any more. It counts in the
 * summary, which is filled in now if it was not yet. The source is not asked again.
 *
 * @param stream   NULL is fine.
 * @ownership the stream is gone; no other thread may be using it, nor its source be calling this.
 * @threads any. @child yes, for a child's copy of a stream; the parent's stays as it is. @since 1.0
 */
PE_EXPORT void pe_stream_free(pe_stream *stream);

PE_END_DECLS

#endif
