#ifndef PAREXEC_SOCKET_H
#define PAREXEC_SOCKET_H
#include <sys/socket.h>
#include <sys/uio.h>
#include <parexec/export.h>
#include <parexec/task.h>
typedef struct pe_socket pe_socket;
typedef struct pe_listener pe_listener;
#define PE_ADDRESS_TEXT_BYTES 128
PE_BEGIN_DECLS
PE_EXPORT int pe_address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address,
                               size_t *ret_bytes);
PE_EXPORT int pe_address_text(const struct sockaddr *address, size_t address_bytes, char *ret_text, size_t bytes);
PE_EXPORT int pe_tcp_connect(pe_task *t, const struct sockaddr *address, size_t address_bytes, pe_socket **ret_socket);
PE_EXPORT int pe_unix_connect(pe_task *t, const char *path, pe_socket **ret_socket);
PE_EXPORT int pe_socket_open(pe_loop *loop, int fd, pe_socket **ret_socket);
PE_EXPORT void pe_socket_free(pe_socket *socket);
PE_EXPORT int pe_socket_read(pe_task *t, pe_socket *socket, void *buffer, size_t bytes);
PE_EXPORT int pe_socket_read_exactly(pe_task *t, pe_socket *socket, void *buffer, size_t bytes);
PE_EXPORT int pe_socket_read_until(pe_task *t, pe_socket *socket, void *buffer, size_t capacity,
                                   const char *delimiter);
PE_EXPORT int pe_socket_write(pe_task *t, pe_socket *socket, const void *data, size_t bytes);
PE_EXPORT int pe_socket_writev(pe_task *t, pe_socket *socket, const struct iovec *pieces, size_t count);
PE_EXPORT int64_t pe_socket_sent(const pe_socket *socket);
PE_EXPORT int pe_socket_shutdown(pe_socket *socket);
PE_EXPORT int pe_socket_fd(const pe_socket *socket);
PE_EXPORT int pe_socket_local(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes);
PE_EXPORT int pe_socket_peer(const pe_socket *socket, struct sockaddr_storage *ret_address, size_t *ret_bytes);
PE_EXPORT int pe_socket_set_nodelay(pe_socket *socket, int on);
PE_EXPORT int pe_socket_set_keepalive(pe_socket *socket, int64_t idle_ns);
PE_EXPORT int pe_tcp_listen(pe_loop *loop, const struct sockaddr *address, size_t address_bytes, int backlog,
                            pe_listener **ret_listener);
PE_EXPORT int pe_unix_listen(pe_loop *loop, const char *path, int backlog, pe_listener **ret_listener);
PE_EXPORT int pe_listener_open(pe_loop *loop, int fd, pe_listener **ret_listener);
PE_EXPORT int pe_accept(pe_task *t, pe_listener *listener, pe_socket **ret_socket);
PE_EXPORT void pe_listener_free(pe_listener *listener);
PE_EXPORT int pe_listener_fd(const pe_listener *listener);
PE_EXPORT int pe_listener_local(const pe_listener *listener, struct sockaddr_storage *ret_address, size_t *ret_bytes);
PE_END_DECLS
#endif
