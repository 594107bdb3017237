/**
 * @file log.h
 * What the library has to say besides its return values.
 *
 * The library prints nothing. What may help to find out why something is slow or broken (a pool made in a
 * program that has threads already, a worker that keeps dying) goes to a function of the program's, if it
 * has set one. No message is needed to use the library right, and no error is told only here.
 *
 *     static void to_stderr(int level, const char *message, void *context)
 *     {
 *         (void)context;
 *         if (level <= PE_LOG_WARNING)
 *             fprintf(stderr, "parexec: %s\n", message);
 *     }
 *
 *     pe_set_log(to_stderr, NULL);
 *
 * Threads: the hook is called on whichever thread is inside the library, on several at once perhaps, with
 * no lock of the library held. Forks: a child that the program forks inherits the hook; workers begin
 * without one, and the library's other processes never call it. Signals: pe_set_log is not for signal handlers.
 */
#ifndef PAREXEC_LOG_H
#define PAREXEC_LOG_H

#include <parexec/export.h>

/** @name Levels
 * More may come, and a higher number is always less urgent.
 * @{ */
#define PE_LOG_ERROR 1   /**< something broke; a call returns or will return an error for it */
#define PE_LOG_WARNING 2 /**< works, but probably not as meant */
#define PE_LOG_INFO 3    /**< good to know, nothing is wrong */
/** @} */

PE_BEGIN_DECLS

/**
 * Takes a message.
 *
 * @param level     one of PE_LOG_*.
 * @param message   one line without a newline, at most 511 bytes; longer ones were cut. Valid during the call only.
 * @param context   what was given to pe_set_log.
 *
 * It must return (no longjmp, no exception) and must not call functions of the library on the objects in
 * use, except pe_strerror, pe_err_name, pe_now and pe_set_log. It may change errno.
 */
typedef void pe_log_fn(int level, const char *message, void *context);

/**
 * Sets the function that gets the messages of all pools and loops in this process, in place of an earlier
 * one.
 *
 * @param fn        the hook; NULL: none, which is also how a program starts.
 * @param context   handed to every call of fn; may be NULL, and means nothing when fn is NULL.
 * @return 0.
 * @errors PE_ENOMEM: no memory to remember the hook; the earlier one stays. Never when fn is NULL.
 * @ownership the context stays the caller's. A call that another thread began earlier may still use the former hook and
 *         context after this returns, so keep them until no other thread is in the library. Each different pair of fn
 *         and context costs a few bytes until the program ends.
 * @threads any. @child yes; it changes that process's hook only. @since 1.0
 */
PE_EXPORT int pe_set_log(pe_log_fn *fn, void *context);

PE_END_DECLS

#endif
