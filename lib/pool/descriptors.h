/* descriptors.h - opens and closes what the host has open for a pool, and says what pe_pool_fd watches. */
#ifndef PE__POOL_DESCRIPTORS_H
#define PE__POOL_DESCRIPTORS_H

#include <parexec/pool.h>

/* The bells and the epoll descriptor; what is open after a failure is for the close. */
int pe__pool_open_descriptors(pe_pool *pool);
void pe__pool_close_descriptors(pe_pool *pool);

/* Adds one to what pe_pool_fd watches; nothing is added where fd is below 0. */
int pe__pool_watch(int epoll, int fd);

/* What stays readable for ever would keep somebody's loop awake. */
void pe__pool_unwatch_keeper(pe_pool *pool);

#endif
