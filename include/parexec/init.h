/**
 * @file init.h
 * A process set aside early, from which later pools get their workers.
 *
 * Workers are forked copies of the program. A fork taken while other threads run also copies the locks which
 * those hold, and nobody will ever release them in the copy: a worker that calls malloc or printf may hang.
 * So a program with threads calls pe_init at the top of main, before the first thread (and before OpenMP or
 * another library starts some). It forks a seed process that does nothing but wait; a pool made later with
 * PE_POOL_FROM_SEED gets its workers from there.
 *
 * Workers of such a pool see memory as it was at pe_init: what the program computed, opened or loaded since
 * then is unknown to them. What they need goes with the job, or is made in the pool's worker_init. pe_init
 * alone changes nothing about pools made without the flag; their workers see memory as it is at pe_pool_new.
 *
 *     int main(void)
 *     {
 *         pe_pool_options options = PE_POOL_OPTIONS_INIT;
 *         pe_pool *pool;
 *
 *         if (pe_init(NULL) < 0)
 *             return 1;
 *         start_threads();
 *         options.flags = PE_POOL_FROM_SEED;
 *         if (pe_pool_new(&options, &pool) < 0)
 *             return 1;
 *         ...
 *
 * Threads, forks, signals: one call per process, from any thread, but there should be only one yet. The seed
 * is no child of the program (no wait finds it, no SIGCHLD comes; but see pool.h on programs that adopt orphans) and
 * ends with it. A child that the program forks does not have the seed and may call pe_init itself. Not for signal
 * handlers.
 */
#ifndef PAREXEC_INIT_H
#define PAREXEC_INIT_H

#include <parexec/export.h>

PE_BEGIN_DECLS

/** How the seed is to be made. */
typedef struct pe_init_options {
    size_t size;              /**< sizeof(pe_init_options) */
    uint64_t reserve_bytes;   /**< addresses kept free for the shared memory of all pools made from the seed; they cost
                                   no memory. Where they are refused, half of them is tried, and so on down to 64 MiB.
                                   0: 16 TiB, where addresses have 32 bits 1 GiB, or what can be had of it. Where too
                                   little is left for a pool, pe_pool_new gives PE_ENOMEM */
    uint32_t flags;           /**< none yet: 0 */
    uint32_t reserved;        /**< 0 */
} pe_init_options;

/** All defaults. */
#define PE_INIT_OPTIONS_INIT { sizeof(pe_init_options), 0, 0, 0 }

/**
 * Forks the seed process.
 *
 * @param options   NULL: all defaults.
 * @return 0.
 * @errors PE_EALREADY: this process has a seed; it stays and can be used. One that somebody has killed is not
 *         replaced, and pools from it give PE_EBROKEN. After any other error there is no seed, and the call can be
 *         repeated: PE_EINVAL: a wrong size, flags or reserved not 0. PE_ENOMEM: no address range or no memory.
 *         PE_EMFILE, PE_ENFILE: no descriptor. PE_EAGAIN: no process can be had now. PE_EBROKEN: it ended at once.
 * @ownership nothing to free. The seed costs one descriptor and lasts until the program ends or the library is
 *         unloaded.
 * @threads any. @child yes; a process forked by the program, a worker too, can make a seed of its own. @since 1.0
 */
PE_EXPORT int pe_init(const pe_init_options *options);

PE_END_DECLS

#endif
