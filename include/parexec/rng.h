/**
 * @file rng.h
 * Random numbers that do not depend on who draws them.
 *
 * A worker that is forked has the program's rand() in the program's state, so all workers draw the same numbers;
 * and when each is seeded by its own number, the results depend on which worker ran what. Here a stream belongs
 * to a seed and to the number of a job or item, and to nothing else. So a program that makes a stream for each
 * item gets the same bits from any number of workers, in any order, with any chunk, and from an item that is run
 * again after a crash.
 *
 *     static int walk(const void *in, void *out, const void *context)
 *     {
 *         const uint64_t *seed = context;
 *         double place = 0;
 *         pe_rng rng;
 *
 *         pe_rng_init(&rng, *seed, pe_worker_item());
 *         for (int step = 0; step < 1000; step++)
 *             place += pe_rng_double(&rng) - 0.5;
 *         *(double *)out = place;
 *         return 0;
 *     }
 *
 * For a job the number is whatever the program counts its jobs by, as part of the argument; for the points of a
 * range (pe_pool_reduce) the number of the point, if each draws few, with pe_rng_skip to the first of them.
 *
 * The generator is Philox4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC11), which passes all tests of BigCrush, for itself and with streams interleaved; C++26 has it as
 * std::philox4x64, which gives for a seed the same words as stream 0. It scrambles a counter: the seed is the key;
 * stream and position are the counter. For one seed it is a permutation of the counters, so no two streams have
 * a block of four words in common, anywhere: they cannot overlap. Each has 2^64 words. It is not for secrets.
 *
 * The words are the same on every machine, and so are the doubles and the normal numbers: these are made of
 * operations that IEEE 754 rounds exactly, not of the system's log, whose last bit differs from one libm to the
 * next. (Processors that compute in more than double precision, as the x87, are not so exact.)
 *
 * Threads, forks, signals: a pe_rng is a plain value in the caller's memory, without pointers. It may be copied,
 * sent as bytes, and goes on from where it is in each copy. The functions touch nothing else; any thread and any
 * process, worker or not, may call them, a signal handler too, but not two at once for one pe_rng.
 */
#ifndef PAREXEC_RNG_H
#define PAREXEC_RNG_H

#include <parexec/export.h>

PE_BEGIN_DECLS

/** A place in a stream. To be set by pe_rng_init, then left to the functions here. */
typedef struct pe_rng {
    uint64_t seed;     /**< which set of streams */
    uint64_t stream;   /**< which stream of it */
    uint64_t position; /**< words drawn so far */
    uint64_t words[4]; /**< the block that the next one is in, if it is not the first of it */
    uint64_t reserved; /**< 0 */
} pe_rng;

/**
 * Goes to the start of a stream.
 *
 * @param rng      NULL: nothing happens, as in all functions here.
 * @param seed     any; different seeds give different sets of streams.
 * @param stream   any: the number of the item, of the job, ...
 * @errors none.
 * @threads any. @child yes, that is what it is for. @since 1.0
 */
PE_EXPORT void pe_rng_init(pe_rng *rng, uint64_t seed, uint64_t stream);

/**
 * Draws one word: 64 random bits.
 *
 * @param rng   the place in the stream; NULL: nothing happens.
 * @return the word; 0 if rng is NULL.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT uint64_t pe_rng_next(pe_rng *rng);

/**
 * Draws one word and makes a number of its upper 53 bits.
 *
 * @param rng   the place in the stream; NULL: nothing happens.
 * @return a multiple of 2^-53, at least 0 and below 1; 0 if rng is NULL.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT double pe_rng_double(pe_rng *rng);

/**
 * Draws a whole number below n; all are equally likely. That takes one word, seldom another: with a
 * probability below n / 2^64.
 *
 * @param rng   the place in the stream; NULL: nothing happens.
 * @param n     1 and above.
 * @return 0 to n - 1; 0 if n is 0 or rng is NULL, and then nothing is drawn.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT uint64_t pe_rng_below(pe_rng *rng, uint64_t n);

/**
 * Draws one word and makes a normal number of it, with the mean 0 and the variance 1: the place below which so
 * much of the distribution lies.
 *
 * @param rng   the place in the stream; NULL: nothing happens.
 * @return the number, from -8.3 to 8.3, right to about 1e-15 of itself; 0 if rng is NULL.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT double pe_rng_normal(pe_rng *rng);

/**
 * Fills memory with random bytes: the words that pe_rng_next would draw, each with its lowest byte first, on every
 * machine. Of the last word what is too much is dropped.
 *
 * @param rng      the place in the stream; NULL: nothing happens.
 * @param memory   bytes bytes, of any alignment; NULL only if there are none.
 * @param bytes    how many, 0 and above.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_rng_fill(pe_rng *rng, void *memory, size_t bytes);

/**
 * Fills an array with what pe_rng_double would draw, in less time.
 *
 * @param rng      the place in the stream; NULL: nothing happens.
 * @param values   count of them; NULL only if there are none.
 * @param count    how many, 0 and above.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_rng_fill_doubles(pe_rng *rng, double *values, size_t count);

/**
 * Goes on as if so many words had been drawn. Costs the same for any number. From the end of the stream it goes
 * on at the start.
 *
 * @param rng     the place in the stream; NULL: nothing happens.
 * @param words   any number; 2^64 - k goes back by k.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_rng_skip(pe_rng *rng, uint64_t words);

PE_END_DECLS

#endif
