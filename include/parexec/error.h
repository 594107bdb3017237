/**
 * @file error.h
 * The errors that calls return.
 *
 * A call that returns int returns 0 or above when it worked, and below 0 one of the codes here. Failures
 * of the system are the negative errno under a PE_ name (PE_ENOMEM is -ENOMEM); a rarer one that has no
 * name here comes back as its negative errno all the same, so an unknown code is to be taken as a failure
 * like any other. The library's own codes lie from -5001 down, out of errno's way. Values are never
 * changed or used again.
 *
 * An error says that the call failed. How a job ended is something else: a job that crashed leaves a
 * pe_status (job.h), whose kinds are above 0 and are never returned by a call.
 *
 *     pe_pool *pool;
 *     int error = pe_pool_new(NULL, &pool);
 *
 *     if (error < 0) {
 *         fprintf(stderr, "pool: %s (%s)\n", pe_strerror(error), pe_err_name(error));
 *         return 1;
 *     }
 *
 * Threads, forks, signals: both functions only look up static texts. Any thread and any process may call
 * them, a signal handler too.
 */
#ifndef PAREXEC_ERROR_H
#define PAREXEC_ERROR_H

#include <errno.h>
#include <parexec/export.h>

/**
 * Number, name and text of every code, the one list.
 *
 * @param X   a macro, expanded as X(name, value, text) for each.
 */
#define PE_ERROR_LIST(X) \
    X(PE_EPERM, -EPERM, "not permitted here") \
    X(PE_ENOENT, -ENOENT, "no such file, directory or name") \
    X(PE_ESRCH, -ESRCH, "no such process") \
    X(PE_EINTR, -EINTR, "interrupted by pe_pool_interrupt") \
    X(PE_EBADF, -EBADF, "not an open descriptor") \
    X(PE_EAGAIN, -EAGAIN, "not now: it would have to wait") \
    X(PE_ENOMEM, -ENOMEM, "out of memory") \
    X(PE_EFAULT, -EFAULT, "memory is younger than the workers") \
    X(PE_EBUSY, -EBUSY, "somebody else waits for it") \
    X(PE_EEXIST, -EEXIST, "is there already") \
    X(PE_EINVAL, -EINVAL, "invalid argument") \
    X(PE_ENFILE, -ENFILE, "too many open files in the system") \
    X(PE_EMFILE, -EMFILE, "too many open files in the process") \
    X(PE_EPIPE, -EPIPE, "the peer takes no more") \
    X(PE_ENOSYS, -ENOSYS, "not available in this build or on this system") \
    X(PE_EDEADLK, -EDEADLK, "would wait for itself") \
    X(PE_ENOTSOCK, -ENOTSOCK, "not a socket") \
    X(PE_EADDRINUSE, -EADDRINUSE, "somebody listens there already") \
    X(PE_ECONNRESET, -ECONNRESET, "the peer has broken the connection off") \
    X(PE_ENOTCONN, -ENOTCONN, "not connected") \
    X(PE_ETIMEDOUT, -ETIMEDOUT, "deadline passed") \
    X(PE_ECONNREFUSED, -ECONNREFUSED, "nobody listens there") \
    X(PE_EALREADY, -EALREADY, "has already ended") \
    X(PE_ECANCELED, -ECANCELED, "cancelled") \
    X(PE_EINIT, -5001, "a worker's initialiser failed") \
    X(PE_EBROKEN, -5002, "it is broken") \
    X(PE_EFORKED, -5003, "handle belongs to the parent process") \
    X(PE_ECLOSED, -5004, "it has been closed") \
    X(PE_EITEMS, -5005, "some items did not return 0") \
    X(PE_ETOOBIG, -5006, "larger than the limit") \
    X(PE_ENODATA, -5007, "there is none") \
    X(PE_ENOTLOADED, -5008, "function was loaded after the workers were forked") \
    X(PE_EINLOOP, -5009, "called from inside the running loop") \
    X(PE_ECRASHED, -5010, "the process that did it has died")

enum {
#define PE_ERROR_ENUM_(name, value, text) name = value,
    PE_ERROR_LIST(PE_ERROR_ENUM_)
#undef PE_ERROR_ENUM_
    PE_ERROR_LAST_ = -5999
};

PE_BEGIN_DECLS

/**
 * What a code means, in English.
 *
 * @param error   what a call returned; every int is fine.
 * @return the text of a code of the list; "success" for 0; for another negative errno the C library's text, or "system
 *         error" where that has no static ones (it is not glibc, or older than 2.32); else "unknown error". Never NULL.
 * @errors none.
 * @ownership static text, valid for ever, not to be freed.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT const char *pe_strerror(int error);

/**
 * The name of a code, for logs and bindings.
 *
 * @param error   what a call returned; every int is fine.
 * @return "PE_EINVAL" and the like for a code of the list; "0" for 0; errno's name without PE_ ("EXDEV") for another
 *         negative errno, where the C library tells it (glibc from 2.32 on); else "PE_EUNKNOWN". Never NULL.
 * @errors none.
 * @ownership static text, valid for ever, not to be freed.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT const char *pe_err_name(int error);

PE_END_DECLS

#endif
