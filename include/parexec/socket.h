/**
 * @file socket.h
 * Connections as something that tasks wait for: TCP, UNIX sockets, and pipes that a program has already.
 *
 * A pe_socket is a stream of bytes each way, a pe_listener is where such streams come from. They belong to a loop; a
 * task waits for them as for anything else:
 *
 *     static int echo(pe_task *t, void *frame)
 *     {
 *         struct echo *e = frame;
 *         PE_BEGIN(t);
 *         for (;;) {
 *             PE_AWAIT(t, pe_socket_read(t, e->socket, e->bytes, sizeof e->bytes));
 *             if (t->result <= 0)
 *                 break;
 *             PE_AWAIT(t, pe_socket_write(t, e->socket, e->bytes, (size_t)t->result));
 *             if (t->result < 0)
 *                 break;
 *         }
 *         pe_socket_free(e->socket);
 *         PE_END(t);
 *     }
 *
 *     static int serve(pe_task *t, void *frame)
 *     {
 *         struct serve *s = frame;
 *         PE_BEGIN(t);
 *         for (;;) {
 *             PE_AWAIT(t, pe_accept(t, s->listener, &s->echo.socket));
 *             if (t->result == PE_ECANCELED)
 *                 break;
 *             if (t->result == 0 && pe_spawn(pe_task_loop(t), echo, &s->echo, sizeof s->echo, NULL) < 0)
 *                 pe_socket_free(s->echo.socket);
 *         }
 *         pe_listener_free(s->listener);
 *         PE_END(t);
 *     }
 *
 * One task may wait for input of a socket while another one waits to write to it; a second reader or a second writer is
 * refused with PE_EBUSY (a lock makes them take turns). Any number may wait for connections of a listener; they are
 * served in the order in which they came.
 *
 * The library keeps no output, so what a write has handed to the system is all there is, and takes no more input than
 * was asked for: a peer that sends without end fills the system's buffer and then waits. What is there already is taken
 * without a wait; one call in sixteen lets other tasks have their turn even then.
 *
 * Stopping. A read that is stopped, by pe_task_cancel or a time limit, ends at once; what it had got stays for the next
 * read. A write that is stopped ends at once too: if nothing of it had been sent, the socket is as before; else the
 * peer has the beginning of it, and since nobody could put a message behind that, each further write gives PE_EBROKEN.
 * pe_socket_sent tells how much it was. Memory of the program's is never touched after the wait has ended.
 *
 * A socket is closed by pe_socket_free, and with its loop; calls give PE_ECLOSED after the latter. Open sockets do not
 * keep a loop running, tasks that wait for them do. No call raises SIGPIPE.
 *
 * Threads: a socket is used by its loop's thread. Forks: in a child every call gives PE_EFORKED, and the free functions
 * do nothing; descriptors are closed by an exec.
 */
#ifndef PAREXEC_SOCKET_H
#define PAREXEC_SOCKET_H

#include <sys/socket.h>
#include <sys/uio.h>

#include <parexec/export.h>
#include <parexec/task.h>

/** A stream of bytes each way. */
typedef struct pe_socket pe_socket;

/** Where connections are waited for. */
typedef struct pe_listener pe_listener;

/** Room that is enough for the text of any address. */
#define PE_ADDRESS_TEXT_BYTES 128

PE_BEGIN_DECLS

/** @name Addresses
 * @{ */

/**
 * Makes an address of a text. Names are not looked up.
 *
 * @param text          "127.0.0.1", "::1", "fe80::1%eth0"; "*" is every address of IPv4, "::" every one of both.
 * @param port          of the host's byte order; 0: the system chooses one, where it is to be listened.
 * @param ret_address   gets the address.
 * @param ret_bytes     gets how much of it counts, for calls that take an address.
 * @return 0.
 * @errors PE_EINVAL: NULL, or no address.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address,
                               size_t *ret_bytes);

/**
 * The text of an address: "127.0.0.1:80", "[::1]:80", the path of a UNIX socket ("" for one without, a "@" in front of
 * an abstract name).
 *
 * @param address         of IPv4, IPv6 or UNIX sockets.
 * @param address_bytes   how much of it counts.
 * @param ret_text        gets the text, cut if there is no room for it.
 * @param bytes           the room, at least 1; PE_ADDRESS_TEXT_BYTES is enough.
 * @return 0.
 * @errors PE_EINVAL: NULL, no room, or an address of another kind or size.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_address_text(const struct sockaddr *address, size_t address_bytes, char *ret_text, size_t bytes);

/** @} */

/** @name Making sockets
 * @{ */

/**
 * Connects by TCP. The connection sends small writes at once (pe_socket_set_nodelay).
 *
 * @param t               the task that waits.
 * @param address         of IPv4 or IPv6; copied.
 * @param address_bytes   how much of it counts.
 * @param ret_socket      gets the socket when the wait ends with 0; must live that long. It is the caller's, to be
 *                        given back by pe_socket_free.
 * @return in PE_AWAIT: 0.
 * @errors PE_ECONNREFUSED: nobody listens there. PE_ECANCELED, PE_ETIMEDOUT by a time limit or by the system: the
 *         attempt has been given up. PE_EINVAL: NULL, or an address of another kind; t is not the task that runs.
 *         PE_ENOMEM, PE_EMFILE and others of the system. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_tcp_connect(pe_task *t, const struct sockaddr *address, size_t address_bytes, pe_socket **ret_socket);

/**
 * Connects to a UNIX socket. Where the listener's queue is full it is tried again until there is room.
 *
 * @param t            the task that waits.
 * @param path         of the socket's file, at most 107 bytes.
 * @param ret_socket   as for pe_tcp_connect.
 * @return in PE_AWAIT: 0.
 * @errors as pe_tcp_connect; also PE_EINVAL: the path is too long or empty, and those of the file system.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_unix_connect(pe_task *t, const char *path, pe_socket **ret_socket);

/**
 * Makes a socket of a descriptor: a connected stream socket, an end of a pipe, a terminal.
 *
 * @param loop         the loop.
 * @param fd           is the socket's when this has worked: it is set to not blocking, and closed by pe_socket_free,
 *                     which leaves 0, 1 and 2 open and blocking as they were. Otherwise it stays the caller's.
 * @param ret_socket   gets the socket.
 * @return 0.
 * @errors PE_EINVAL: NULL, a socket that is no stream or that listens. PE_EPERM: a file that cannot be waited for, of a
 *         disk say. PE_EBADF: no descriptor. PE_EEXIST: the loop watches it already. PE_ECLOSED: the loop has been
 *         closed. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_open(pe_loop *loop, int fd, pe_socket **ret_socket);

/**
 * Closes a socket and gives it back. Who waits for it gets PE_ECLOSED. The system sends what has been written and then
 * tells the peer the end; it may drop that if there is input which nobody has read: a peer that must get all is told
 * the end by pe_socket_shutdown and read until it ends too.
 *
 * @param socket   NULL is fine.
 * @threads the loop's, or any one after pe_loop_close. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_socket_free(pe_socket *socket);

/** @} */

/** @name Reading
 * @{ */

/**
 * Waits for input.
 *
 * @param t        the task that waits.
 * @param socket   the socket.
 * @param buffer   gets what there is; must live until the wait has ended.
 * @param bytes    the most to get, above 0; of more than 2^31 - 1 so many.
 * @return in PE_AWAIT: how many bytes came, 1 to `bytes`; 0: the peer has ended its side.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: nothing has been taken. PE_ECONNRESET and others of the system; they stay.
 *         PE_EBUSY: another task waits for input. PE_ECLOSED: the socket was freed, or its loop closed. PE_ENOMEM: what
 *         an earlier read had to leave could not be kept; the input has a hole from then on, so this stays. PE_EINVAL:
 *         NULL, 0 bytes, a socket of another loop; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_read(pe_task *t, pe_socket *socket, void *buffer, size_t bytes);

/**
 * Waits for this much input.
 *
 * @param t        the task that waits.
 * @param socket   the socket.
 * @param buffer   as for pe_socket_read.
 * @param bytes    1 to 2^31 - 1.
 * @return in PE_AWAIT: `bytes`; 0: the peer had ended its side before.
 * @errors PE_ENODATA: it ended in between. Those of pe_socket_read. After an error what has come stays for the next
 *         read.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_read_exactly(pe_task *t, pe_socket *socket, void *buffer, size_t bytes);

/**
 * Waits for input up to a mark, such as the end of a line. What follows it stays for the next read.
 *
 * @param t           the task that waits.
 * @param socket      the socket.
 * @param buffer      gets the input with the mark; nothing is put behind it.
 * @param capacity    the size of the buffer, 1 to 2^31 - 1. As much may be kept by the socket between reads.
 * @param delimiter   the mark, a string which must live until the wait has ended: "\n", "\r\n"; "" is a byte of 0.
 * @return in PE_AWAIT: the bytes with the mark, 1 to `capacity`; 0: the peer had ended its side before.
 * @errors PE_ETOOBIG: there is no mark in the first `capacity` bytes. PE_ENODATA: the input ended without it. Those of
 *         pe_socket_read. After an error what has come stays for the next read.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_read_until(pe_task *t, pe_socket *socket, void *buffer, size_t capacity,
                                   const char *delimiter);

/** @} */

/** @name Writing
 * @{ */

/**
 * Writes all of it; waits only when the system has no room for it.
 *
 * @param t        the task that waits.
 * @param socket   the socket.
 * @param data     must live until the wait has ended.
 * @param bytes    0 is fine.
 * @return in PE_AWAIT: 0: the system has taken all.
 * @errors PE_EPIPE, PE_ECONNRESET: the peer is gone; others of the system. PE_ECANCELED, PE_ETIMEDOUT, and all others:
 *         see pe_socket_sent. PE_EBROKEN: an earlier write ended within its data. PE_EBUSY: another task waits to
 *         write. PE_ECLOSED: the socket was freed, or its loop closed. PE_EINVAL: NULL, a socket of another loop; t is
 *         not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_write(pe_task *t, pe_socket *socket, const void *data, size_t bytes);

/**
 * Writes several pieces as one, as pe_socket_write does.
 *
 * @param t        the task that waits.
 * @param socket   the socket.
 * @param pieces   must live, with what they point to, until the wait has ended. NULL with count 0.
 * @param count    their number, 0 and above.
 * @return in PE_AWAIT: 0: the system has taken all.
 * @errors those of pe_socket_write.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_writev(pe_task *t, pe_socket *socket, const struct iovec *pieces, size_t count);

/**
 * How much of the latest write the system has taken, whether it goes on or has ended, in whatever way: nothing of one
 * that was refused because its task was to stop. Writes that were refused with PE_EBUSY, PE_EBROKEN or PE_EINVAL do not
 * count, nor does any that was refused while another one went on.
 *
 * @param socket   the socket.
 * @return the bytes.
 * @errors PE_EINVAL: NULL. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int64_t pe_socket_sent(const pe_socket *socket);

/**
 * Ends the output: the peer reads to the end, and may go on writing. Does not wait.
 *
 * @param socket   the socket.
 * @return 0.
 * @errors PE_EBUSY: a task waits to write. PE_ENOTSOCK: not a socket; an end of a pipe is ended by pe_socket_free.
 *         PE_ENOTCONN: the peer is gone. PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_shutdown(pe_socket *socket);

/** @} */

/** @name About sockets
 * @{ */

/**
 * The descriptor, for getsockopt and the like; not to be read, written or closed.
 *
 * @param socket   the socket.
 * @return the descriptor.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_fd(const pe_socket *socket);

/**
 * The address of the socket's own end.
 *
 * @param socket        the socket.
 * @param ret_address   gets the address; see pe_address_text.
 * @param ret_bytes     gets how much of it counts; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ENOTSOCK: not a socket. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_local(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes);

/**
 * The address of the peer's end.
 *
 * @param socket        the socket.
 * @param ret_address   gets the address; see pe_address_text.
 * @param ret_bytes     gets how much of it counts; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ENOTCONN: the peer is gone. PE_ENOTSOCK: not a socket. PE_ECLOSED: its loop has been
 *         closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_peer(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes);

/**
 * Whether small writes are sent at once; 0: the system waits a little and sends several as one. TCP sockets made by
 * pe_tcp_connect and pe_accept do.
 *
 * @param socket   the socket.
 * @param on       0: off; else on.
 * @return 0.
 * @errors -EOPNOTSUPP, PE_ENOTSOCK: not by TCP. PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_set_nodelay(pe_socket *socket, int on);

/**
 * Has the system find out whether a silent peer is still there: if not, the next read ends with PE_ETIMEDOUT.
 *
 * @param socket    the socket.
 * @param idle_ns   the silence after which it is asked, 1 s to 32,767 s, rounded up to seconds; 0: never, as at the
 *                  beginning. It is asked up to 9 times, every idle_ns / 3 (at least a second).
 * @return 0.
 * @errors -EOPNOTSUPP, PE_ENOTSOCK: not by TCP; a UNIX socket takes 0. PE_EINVAL: NULL, or a time out of range.
 *         PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_socket_set_keepalive(pe_socket *socket, int64_t idle_ns);

/** @} */

/** @name Listening
 * @{ */

/**
 * Listens by TCP. The address can be listened on again at once after it was.
 *
 * @param loop            the loop.
 * @param address         of IPv4 or IPv6; with port 0 the system chooses one, see pe_listener_local.
 * @param address_bytes   how much of it counts.
 * @param backlog         how many connections the system keeps until they are accepted; 0: as many as it is willing to.
 * @param ret_listener    gets the listener, to be given back by pe_listener_free.
 * @return 0.
 * @errors PE_EADDRINUSE: somebody listens there. -EACCES: not permitted. PE_EINVAL: NULL, a negative backlog, or an
 *         address of another kind. PE_ECLOSED: the loop has been closed. PE_ENOMEM, PE_EMFILE and others of the system.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_tcp_listen(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, int backlog,
                            pe_listener **ret_listener);

/**
 * Listens on a UNIX socket. Its file is made here, with the rights that the umask leaves, and removed by
 * pe_listener_free, or when the loop is closed, if it is still the same.
 *
 * @param loop           the loop.
 * @param path           of the file, at most 107 bytes; nothing may be there, a socket that nobody listens on neither.
 * @param backlog        as for pe_tcp_listen.
 * @param ret_listener   as for pe_tcp_listen.
 * @return 0.
 * @errors as pe_tcp_listen; also PE_EINVAL: the path is too long or empty, and those of the file system.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_unix_listen(pe_loop *loop, const char *path, int backlog, pe_listener **ret_listener);

/**
 * Makes a listener of a descriptor that listens already, one that was inherited for example.
 *
 * @param loop           the loop.
 * @param fd             is the listener's when this has worked: it is set to not blocking, and closed by
 *                       pe_listener_free, which leaves 0, 1 and 2 open and blocking as they were. Otherwise it stays
 *                       the caller's.
 * @param ret_listener   gets the listener.
 * @return 0.
 * @errors PE_EINVAL: NULL, or not a stream socket that listens. PE_EBADF, PE_ENOTSOCK, PE_EEXIST: the loop watches it
 *         already. PE_ECLOSED: the loop has been closed. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_listener_open(pe_loop *loop, int fd, pe_listener **ret_listener);

/**
 * Waits for a connection.
 *
 * @param t            the task that waits.
 * @param listener     the listener.
 * @param ret_socket   gets the socket when the wait ends with 0; must live that long. It is the caller's, to be given
 *                     back by pe_socket_free.
 * @return in PE_AWAIT: 0.
 * @errors PE_EMFILE, PE_ENFILE, PE_ENOMEM and others of the kind: there were no means for a socket, nor 100 ms later.
 *         Connections stay in the system's queue, but for those that the library itself has no memory for, which are
 *         closed. The task may wait again at once; it cannot spin. PE_ECANCELED, PE_ETIMEDOUT: no connection has been
 *         taken. PE_ECLOSED: the listener was freed, or its loop closed. PE_EINVAL: NULL, a listener of another loop; t
 *         is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_accept(pe_task *t, pe_listener *listener, pe_socket **ret_socket);

/**
 * Stops listening and gives a listener back. Who waits for it gets PE_ECLOSED.
 *
 * @param listener   NULL is fine.
 * @threads the loop's, or any one after pe_loop_close. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_listener_free(pe_listener *listener);

/**
 * The descriptor, for getsockopt and the like; not to be accepted from or closed.
 *
 * @param listener   the listener.
 * @return the descriptor.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_listener_fd(const pe_listener *listener);

/**
 * The address that is listened on.
 *
 * @param listener      the listener.
 * @param ret_address   gets the address; see pe_address_text.
 * @param ret_bytes     gets how much of it counts; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_listener_local(const pe_listener *listener, struct sockaddr_storage *ret_address, size_t *ret_bytes);

/** @} */

PE_END_DECLS

#endif
