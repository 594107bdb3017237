/*
 * file.h - requests to libuv's threads for files, of which each is one wait of a task.
 *
 *     int result;
 *     struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);
 *
 *     return request == NULL
 *                ? result
 *                : pe__file_begun(request, uv_fs_unlink(PE__FILE_TO(request), path, pe__file_done));
 */
#ifndef PE__ASYNC_FILE_H
#define PE__ASYNC_FILE_H

#include <uv.h>

#include <parexec/file.h>

#include "async/wait.h"

struct pe__file_request {
    union {
        uv_fs_t fs;
        uv_work_t work;
    } uv; /* data: the request */
    struct pe__task *task;
    /* On the loop's thread, when it has ended well: hands over what there is, and returns what the wait gives. NULL:
     * what libuv gave. */
    int (*finish)(struct pe__file_request *request);
    void *out;    /* finish's, as the next */
    size_t bytes;
    int (*call)(const struct pe__file_request *request); /* file_write.c's, as what follows; in the thread */
    int fd;
    int result;
    int64_t offset;
};

#define PE__FILE_BYTES_MOST 0x7ffff000 /* of one call, in the kernel */

/* Whether there is such memory, and such a place in a file. */
bool pe__file_is_span(const void *memory, size_t bytes, int64_t offset);

/* Begins the wait. NULL: there is none, and this is what the call returns. */
struct pe__file_request *pe__file_begin(pe_task *t, bool is_valid, int *ret_result);

/* With what libuv returned; what the call returns. */
int pe__file_begun(struct pe__file_request *request, int started);

/* Ends the wait and gives the request back. */
void pe__file_end(struct pe__file_request *request, int result);

/* libuv's callback. */
void pe__file_done(uv_fs_t *fs);

/* The first two arguments of libuv's calls. */
#define PE__FILE_TO(request) (request)->task->loop->uv, &(request)->uv.fs

#endif
