/**
 * @file udp.h
 * Datagrams as something that tasks wait for.
 *
 *     pe_udp *udp;
 *
 *     pe_address_parse("*", 5353, &address, &bytes);
 *     pe_udp_open(loop, (struct sockaddr *)&address, bytes, &udp);
 *     ...
 *     PE_AWAIT(t, pe_udp_receive(t, f->udp, f->bytes, sizeof f->bytes, &f->from, &f->from_bytes));
 *     if (t->result >= 0 && (size_t)t->result <= sizeof f->bytes)
 *         PE_AWAIT(t, pe_udp_send(t, f->udp, f->bytes, (size_t)t->result, (struct sockaddr *)&f->from, f->from_bytes));
 *
 * Any number of tasks may receive from and send by the same one; they are served in the order in which they came. A
 * datagram is taken from the system for one that waits, and is whole: stopping a wait loses none and sends none in
 * part. What comes while nobody waits stays with the system, which drops datagrams when it has no more room; so may any
 * network on the way.
 *
 * Closing, threads, forks, signals: as socket.h says.
 */
#ifndef PAREXEC_UDP_H
#define PAREXEC_UDP_H

#include <sys/socket.h>

#include <parexec/export.h>
#include <parexec/task.h>

/** Where datagrams come and go. */
typedef struct pe_udp pe_udp;

PE_BEGIN_DECLS

/**
 * Makes one.
 *
 * @param loop            the loop.
 * @param address         what it receives at, of IPv4 or IPv6: see pe_address_parse. With port 0 the system chooses
 *                        one.
 * @param address_bytes   how much of it counts.
 * @param ret_udp         gets it, to be given back by pe_udp_free.
 * @return 0.
 * @errors PE_EADDRINUSE: somebody receives there. -EACCES: not permitted. PE_EINVAL: NULL, or an address of another
 *         kind. PE_ECLOSED: the loop has been closed. PE_ENOMEM, PE_EMFILE and others of the system. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_open(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, pe_udp **ret_udp);

/**
 * From now on it is for one peer alone: it receives from nobody else, and sends there without an address. Does not
 * wait, and asks nobody. Then a peer's system that says that nobody receives there is heard: see PE_ECONNREFUSED below.
 *
 * @param udp             the socket.
 * @param address         of the peer, of IPv4 or IPv6.
 * @param address_bytes   how much of it counts.
 * @return 0.
 * @errors PE_EINVAL: NULL, or an address of another kind. Others of the system. PE_ECLOSED: its loop has been closed.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_connect(pe_udp *udp, const struct sockaddr *address, size_t address_bytes);

/**
 * Closes it and gives it back. Who waits for it gets PE_ECLOSED.
 *
 * @param udp   NULL is fine.
 * @threads the loop's, or any one after pe_loop_close. @child yes, it does nothing there. @since 1.0
 */
PE_EXPORT void pe_udp_free(pe_udp *udp);

/**
 * Waits for a datagram.
 *
 * @param t           the task that waits.
 * @param udp         the socket.
 * @param buffer      gets what is in it; must live until the wait has ended.
 * @param bytes       the size of the buffer; what is beyond it is cut off. 65,527 bytes are enough for any, 0 is fine.
 * @param ret_from    gets the sender's address when the wait ends with a datagram; NULL: it is not wanted.
 * @param ret_bytes   gets how much of that counts; NULL: it is not wanted.
 * @return in PE_AWAIT: the size of the datagram, 0 and above; above `bytes`: the rest of it has been cut off.
 * @errors PE_ECANCELED, PE_ETIMEDOUT: none has been taken. PE_ECONNREFUSED: nobody received an earlier one
 *         (pe_udp_connect). PE_ECLOSED: it was freed, or its loop closed. PE_EINVAL: NULL, one of another loop; t is
 *         not the task that runs. PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_receive(pe_task *t, pe_udp *udp, void *buffer, size_t bytes, struct sockaddr_storage *ret_from,
                             size_t *ret_bytes);

/**
 * Sends a datagram; waits only when the system has no room for it.
 *
 * @param t          the task that waits.
 * @param udp        the socket.
 * @param data       must live until the wait has ended.
 * @param bytes      0 is fine.
 * @param to         where to; must live as long. NULL: to the peer of pe_udp_connect.
 * @param to_bytes   how much of it counts.
 * @return in PE_AWAIT: 0: the system has taken it.
 * @errors -EMSGSIZE: too large. -EDESTADDRREQ: to nobody. PE_ECANCELED, PE_ETIMEDOUT: it has not been sent.
 *         PE_ECONNREFUSED: nobody received an earlier one; others of the system. PE_ECLOSED: it was freed, or its loop
 *         closed. PE_EINVAL: NULL, an address of another kind, one of another loop; t is not the task that runs.
 *         PE_ENOMEM. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_send(pe_task *t, pe_udp *udp, const void *data, size_t bytes, const struct sockaddr *to,
                          size_t to_bytes);

/**
 * The descriptor, for setsockopt and the like; not to be read, written or closed.
 *
 * @param udp   the socket.
 * @return the descriptor.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_fd(const pe_udp *udp);

/**
 * The address that it receives at.
 *
 * @param udp           the socket.
 * @param ret_address   gets the address; see pe_address_text.
 * @param ret_bytes     gets how much of it counts; may be NULL.
 * @return 0.
 * @errors PE_EINVAL: NULL. PE_ECLOSED: its loop has been closed. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_udp_local(const pe_udp *udp, struct sockaddr_storage *ret_address, size_t *ret_bytes);

PE_END_DECLS

#endif
