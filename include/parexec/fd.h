/**
 * @file fd.h
 * Waiting for a descriptor of the program's own to be ready.
 *
 *     PE_AWAIT(t, pe_fd_wait(t, f->fd, PE_FD_READABLE));
 *     if (t->result > 0)
 *         f->bytes = read(f->fd, f->memory, sizeof f->memory);
 *
 * The descriptor stays the program's: its flags are left as they are, and between waits nothing refers to it, so it may
 * be closed then. It must not be closed while a task waits for it.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_FD_H
#define PAREXEC_FD_H

#include <parexec/export.h>
#include <parexec/task.h>

/** @name What can be waited for, and what is there
 * @{ */
#define PE_FD_READABLE 1 /**< a read would not wait: bytes, a connection, the end */
#define PE_FD_WRITABLE 2 /**< a write would not wait */
#define PE_FD_HANGUP 4   /**< the other end of a socket writes no more */
#define PE_FD_PRIORITY 8 /**< urgent bytes, or a change of a file of the kernel's */
/** @} */

PE_BEGIN_DECLS

/**
 * Waits until a descriptor is ready for one of some things. Any number of tasks may wait for the same one, for the same
 * things or for others; all that wait for what has come are told.
 *
 * @param t        the task that waits.
 * @param fd       a pipe, socket, terminal, pidfd, eventfd or the like. Regular files and directories are always ready
 *                 for reading and writing, whatever the disk does; file.h reads them in other threads.
 * @param events   PE_FD_*, one or more.
 * @return in PE_AWAIT: PE_FD_*, those of `events` that are there, at once if any is. An error of what is behind the
 *         descriptor, and an end of it with nothing else there, count as all of them: reading or writing will tell.
 * @errors PE_EBADF: no open descriptor. PE_EPERM: there is nothing to wait for, as with PE_FD_PRIORITY of a regular
 *         file. PE_EEXIST: it is not ready, and the libuv loop watches it already, for a handle of the program's or
 *         another loop that is attached to the same one. PE_EINVAL: no events, or unknown ones; t is not the task that
 *         runs. PE_ENOMEM, and others of the system. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_fd_wait(pe_task *t, int fd, int events);

PE_END_DECLS

#endif
