/* address.h - addresses of sockets. */
#ifndef PE__ASYNC_ADDRESS_H
#define PE__ASYNC_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/* 0: of IPv4 or IPv6, and whole. PE_EINVAL. */
int pe__address_check(const struct sockaddr *address, size_t bytes);

/* The path of a UNIX socket as an address. 0, or PE_EINVAL. */
int pe__address_of_path(const char *path, struct sockaddr_storage *ret_address, size_t *ret_bytes);

#endif
