/*
 * udp.h: datagrams as something that tasks wait for.
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

/* Where datagrams come and go. */
typedef struct pe_udp pe_udp;

PE_BEGIN_DECLS

/*
 * Makes one.
 *
 * address         what it receives at, of IPv4 or IPv6: see pe_address_parse. With port 0 the system chooses one.
 * address_bytes   how much of it counts.
 * ret_udp         gets it, to be given back by pe_udp_free.
 * Returns: 0. Errors: PE_EADDRINUSE: somebody receives there. -EACCES: not permitted. PE_EINVAL: NULL, or an address of
 * another kind. PE_ECLOSED: the loop has been closed. PE_ENOMEM, PE_EMFILE and others of the system. PE_EFORKED.
 * Threads: the loop's. Child: no. Since: 1.0
 */
PE_EXPORT int pe_udp_open(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, pe_udp **ret_udp);

/*
 * From now on it is for one peer alone: it receives from nobody else, and sends there without an address. Does not
 * wait, and asks nobody. Then a peer's system that says that nobody receives there is heard: see PE_ECONNREFUSED below.
 *
 * Returns: 0. Errors: PE_EINVAL: NULL, or an address of another kind. Others of the system. PE_ECLOSED: its loop has
 * been closed. PE_EFORKED.
 * Threads: the loop's. Child: no. Since: 1.0
 */
PE_EXPORT int pe_udp_connect(pe_udp *udp, const struct sockaddr *address, size_t address_bytes);

/*
 * Closes it and gives it back. Who waits for it gets PE_ECLOSED.
 *
 * udp   NULL is fine.
 * Threads: the loop's, or any one after pe_loop_close. Child: yes, it does nothing there. Since: 1.0
 */
PE_EXPORT void pe_udp_free(pe_udp *udp);

/*
 * Waits for a datagram.
 *
 * buffer       gets what is in it; must live until the wait has ended.
 * bytes        the size of the buffer; what is beyond it is cut off. 65,507 bytes are enough for any, 0 is fine.
 * ret_from     gets the sender's address when the wait ends with a datagram; NULL: it is not wanted.
 * ret_bytes    gets how much of that counts; NULL: it is not wanted.
 * Returns, in PE_AWAIT: the size of the datagram, 0 and above; above `bytes`: the rest of it has been cut off. Errors:
 * PE_ECANCELED, PE_ETIMEDOUT: none has been taken. PE_ECONNREFUSED: nobody received an earlier one (pe_udp_connect).
 * PE_ECLOSED: it was freed, or its loop closed. PE_EINVAL: NULL, one of another loop; t is not the task that runs.
 * PE_ENOMEM. PE_EFORKED.
 * Threads: the loop's. Child: no. Since: 1.0
 */
PE_EXPORT int pe_udp_receive(pe_task *t, pe_udp *udp, void *buffer, size_t bytes, struct sockaddr_storage *ret_from,
                             size_t *ret_bytes);

/*
 * Sends a datagram; waits only when the system has no room for it.
 *
 * data       must live until the wait has ended.
 * bytes      0 is fine.
 * to         where to; must live as long. NULL: to the peer of pe_udp_connect.
 * to_bytes   how much of it counts.
 * Returns, in PE_AWAIT: 0: the system has taken it. Errors: -EMSGSIZE: too large. -EDESTADDRREQ: to nobody.
 * PE_ECANCELED, PE_ETIMEDOUT: it has not been sent. PE_ECONNREFUSED: nobody received an earlier one; others of the
 * system. PE_ECLOSED: it was freed, or its loop closed. PE_EINVAL: NULL, an address of another kind, one of another
 * loop; t is not the task that runs. PE_ENOMEM. PE_EFORKED.
 * Threads: the loop's. Child: no. Since: 1.0
 */
PE_EXPORT int pe_udp_send(pe_task *t, pe_udp *udp, const void *data, size_t bytes, const struct sockaddr *to,
                          size_t to_bytes);

/*
 * The descriptor, for setsockopt and the like, and the address that it receives at.
 *
 * Returns, errors: as pe_socket_fd and pe_socket_local.
 * Threads: the loop's. Child: no. Since: 1.0
 */
PE_EXPORT int pe_udp_fd(const pe_udp *udp);
PE_EXPORT int pe_udp_local(const pe_udp *udp, struct sockaddr_storage *ret_address, size_t *ret_bytes);

PE_END_DECLS

#endif
