#ifndef PAREXEC_ERROR_H
#define PAREXEC_ERROR_H
#include <errno.h>
#include <parexec/export.h>
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
PE_EXPORT const char *pe_strerror(int error);
PE_EXPORT const char *pe_err_name(int error);
PE_END_DECLS
#endif
