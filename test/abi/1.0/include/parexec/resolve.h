#ifndef PAREXEC_RESOLVE_H
#define PAREXEC_RESOLVE_H
#include <parexec/export.h>
#include <parexec/task.h>
struct addrinfo;
struct sockaddr;
PE_BEGIN_DECLS
PE_EXPORT int pe_resolve(pe_task *t, const char *node, const char *service, const struct addrinfo *hints,
                         struct addrinfo **ret_addresses);
PE_EXPORT void pe_resolve_free(struct addrinfo *addresses);
PE_EXPORT int pe_resolve_name(pe_task *t, const struct sockaddr *address, int flags, char *ret_node, size_t node_bytes,
                              char *ret_service, size_t service_bytes);
PE_END_DECLS
#endif
