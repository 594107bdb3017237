#ifndef PAREXEC_UDP_H
#define PAREXEC_UDP_H
#include <sys/socket.h>
#include <parexec/export.h>
#include <parexec/task.h>
typedef struct pe_udp pe_udp;
PE_BEGIN_DECLS
PE_EXPORT int pe_udp_open(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, pe_udp **ret_udp);
PE_EXPORT int pe_udp_connect(pe_udp *udp, const struct sockaddr *address, size_t address_bytes);
PE_EXPORT void pe_udp_free(pe_udp *udp);
PE_EXPORT int pe_udp_receive(pe_task *t, pe_udp *udp, void *buffer, size_t bytes, struct sockaddr_storage *ret_from,
                             size_t *ret_bytes);
PE_EXPORT int pe_udp_send(pe_task *t, pe_udp *udp, const void *data, size_t bytes, const struct sockaddr *to,
                          size_t to_bytes);
PE_EXPORT int pe_udp_fd(const pe_udp *udp);
PE_EXPORT int pe_udp_local(const pe_udp *udp, struct sockaddr_storage *ret_address, size_t *ret_bytes);
PE_END_DECLS
#endif
