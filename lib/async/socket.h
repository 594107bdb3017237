/* socket.h - a stream of bytes each way, and what its reader and its writer wait for. */
#ifndef PE__ASYNC_SOCKET_H
#define PE__ASYNC_SOCKET_H

#include <parexec/socket.h>

#include "async/descriptor.h"

/* Input that was taken from the system and that no read has got. */
struct pe__kept {
    char *bytes; /* malloc'ed */
    size_t begin;
    size_t count;
    size_t capacity;
};

/* A read that goes on; the last one where there is no reader. */
struct pe__input {
    struct pe__task *reader;    /* NULL: none waits */
    char *buffer;
    size_t capacity;
    size_t have;                /* bytes in the buffer */
    size_t least;               /* how many end it; not where there is a delimiter */
    const char *delimiter;      /* NULL: none */
    size_t delimiter_bytes;
    int error;                  /* what every read from now on gets; 0: none */
    bool may_be_there;          /* a read might get something without waiting */
    struct pe__kept kept;       /* empty while somebody waits */
};

/* A write that goes on, or the last one. */
struct pe__output {
    struct pe__task *writer;    /* NULL: none waits */
    const struct iovec *pieces; /* those that are left */
    size_t count;
    size_t done;                /* of the first of them */
    struct iovec piece;         /* where there is only one */
    int64_t sent;
    bool is_broken;             /* the peer has got a part of something */
};

/* An attempt to connect. */
struct pe__attempt {
    struct pe__task *task;
    pe_socket **ret_socket;
    struct pe__timer again;
    int64_t pause_ns;           /* before the next one */
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

struct pe_socket {
    struct pe__descriptor descriptor;
    bool is_socket;             /* not an end of a pipe or a terminal */
    bool is_connected;
    union {
        struct {
            struct pe__input input;
            struct pe__output output;
        };
        struct pe__attempt attempt; /* while it is not connected */
    };
};

/* NULL for NULL. */
static inline struct pe__descriptor *pe__socket_descriptor(const pe_socket *socket)
{
    return (struct pe__descriptor *)(uintptr_t)socket;
}

extern const struct pe__descriptor_kind pe__socket_kind __attribute__((visibility("hidden")));

/* A connection of this descriptor of our own, or one that is to be connected. 0, or an error; then fd is closed. */
int pe__socket_of(pe_loop *loop, int fd, bool is_connected, pe_socket **ret_socket);

/* Small writes are sent at once. 0, or an error. */
int pe__socket_nodelay(int fd, int on);

/* Input is there, or output can go on. Whether somebody waited for that. */
bool pe__socket_read_ready(pe_socket *socket);
bool pe__socket_write_ready(pe_socket *socket);

/* The socket is closed. */
void pe__socket_read_closed(pe_socket *socket);
void pe__socket_write_closed(pe_socket *socket);

/* The attempt to connect has come to its end. */
void pe__socket_connect_ready(pe_socket *socket);

#endif
