/**
 * @file resolve.h
 * From names to addresses, and back.
 *
 *     PE_TRY(t, pe_resolve(t, "localhost", "http", NULL, &f->addresses));
 *     for (struct addrinfo *a = f->addresses; a != NULL; a = a->ai_next)
 *         ...
 *     pe_resolve_free(f->addresses);
 *
 * The C library's getaddrinfo and getnameinfo are called, with all that the system is set up to look at, by the few
 * threads that libuv keeps for that. A name server may take long; a wait that is to be stopped ends at once, and what
 * the thread finds later is dropped. Only a loop that is closed waits for its threads.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_RESOLVE_H
#define PAREXEC_RESOLVE_H

#include <parexec/export.h>
#include <parexec/task.h>

struct addrinfo;
struct sockaddr;

PE_BEGIN_DECLS

/**
 * Finds the addresses of a name.
 *
 * @param t               the task that waits.
 * @param node            a name, or an address as text; NULL: this machine, or with AI_PASSIVE all of its addresses.
 * @param service         a name or number of a port; NULL: none. One of both is needed. Copied, as node.
 * @param hints           as of getaddrinfo, copied; NULL: any.
 * @param ret_addresses   gets a list of at least one, to be given back by pe_resolve_free.
 * @return in PE_AWAIT: 0.
 * @errors PE_ENOENT: there is no such name, service, or address of that family. PE_EAGAIN: the name server does not
 *         answer now. -EIO: it cannot answer. PE_EINVAL: ret_addresses NULL, node and service NULL, wrong hints, no
 *         name at all; t is not the task that runs. PE_ENOMEM, and others of the system. PE_ECANCELED, PE_ETIMEDOUT.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_resolve(pe_task *t, const char *node, const char *service, const struct addrinfo *hints,
                         struct addrinfo **ret_addresses);

/**
 * Gives a list back.
 *
 * @param addresses   NULL is fine.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_resolve_free(struct addrinfo *addresses);

/**
 * Finds the name of an address, and of its port.
 *
 * @param t               the task that waits.
 * @param address         of IPv4 or IPv6; copied.
 * @param flags           as of getnameinfo: NI_NUMERICHOST, NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM, NI_NOFQDN.
 * @param ret_node        gets the name, with a zero behind it. May be NULL.
 * @param node_bytes      the room there; 1,025 are enough for all.
 * @param ret_service     gets that of the port. May be NULL.
 * @param service_bytes   the room there; 32 are enough for all.
 *
 * Both last until the wait has ended, and stay untouched on errors.
 *
 * @return in PE_AWAIT: 0.
 * @errors -ENOSPC: there is no room for it. PE_EINVAL: address NULL or of another family; t is not the task that runs.
 *         The others of pe_resolve.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_resolve_name(pe_task *t, const struct sockaddr *address, int flags, char *ret_node, size_t node_bytes,
                              char *ret_service, size_t service_bytes);

PE_END_DECLS

#endif
