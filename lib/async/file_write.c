/*
 * file_write.c - requests that change what is in a file, or what goes into a pipe. Where the system would raise a
 * signal for it, they give an error: so the calls are made here, in libuv's threads with those signals held back,
 * instead of by libuv.
 */
#include <errno.h>
#include <unistd.h>

#include "async/file.h"
#include "base/write_signals.h"

static int write_span(const struct pe__file_request *request)
{
    ssize_t written;

    do
        written = request->offset < 0 ? write(request->fd, request->out, request->bytes)
                                      : pwrite(request->fd, request->out, request->bytes, (off_t)request->offset);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : (int)written;
}

static int cut(const struct pe__file_request *request)
{
    int result;

    do
        result = ftruncate(request->fd, (off_t)request->offset);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/* ---- in the thread ---- */

static void run(uv_work_t *work)
{
    struct pe__file_request *request = work->data;
    struct pe__base_write_signals held;

    pe__base_write_signals_hold(&held);
    request->result = request->call(request);
    pe__base_write_signals_release(&held, request->result < 0);
}

static void on_run(uv_work_t *work, int status)
{
    struct pe__file_request *request = work->data;

    pe__file_end(request, status < 0 ? status : request->result);
}

/* ---- tasks ---- */

static int start(struct pe__file_request *request, int (*call)(const struct pe__file_request *request), int fd,
                 int64_t offset)
{
    request->call = call;
    request->fd = fd;
    request->offset = offset;
    return pe__file_begun(request, uv_queue_work(request->task->loop->uv, &request->uv.work, run, on_run));
}

int pe_file_write(pe_task *t, int fd, const void *memory, size_t bytes, int64_t offset)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, pe__file_is_span(memory, bytes, offset), &result);

    if (request == NULL)
        return result;
    request->out = (void *)(uintptr_t)memory;
    request->bytes = bytes < PE__FILE_BYTES_MOST ? bytes : PE__FILE_BYTES_MOST;
    return start(request, write_span, fd, offset);
}

int pe_file_truncate(pe_task *t, int fd, int64_t bytes)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, bytes >= 0, &result);

    return request == NULL ? result : start(request, cut, fd, bytes);
}
