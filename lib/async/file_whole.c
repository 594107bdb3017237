/*
 * file_whole.c - whole files, read and written by one of libuv's threads in one go, so that the loop and the thread
 * meet once and not for each of open, read and close.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "async/file.h"
#include "base/fd.h"
#include "base/write_signals.h"

#define BYTES_FIRST 4096 /* where the size is not known, as in /proc */

/* One of both, malloc'ed; the thread alone uses it until it comes back. */
struct whole {
    void *memory;       /* what was read, or is to be written */
    size_t bytes;
    void **ret_memory;
    size_t *ret_bytes;
    int result;
    int mode;
    char path[];
};

static struct whole *whole_of(const struct pe__file_request *request)
{
    return request->out;
}

static void on_worked(uv_work_t *work, int status)
{
    struct pe__file_request *request = work->data;
    struct whole *whole = whole_of(request);
    int result = status < 0 ? status : whole->result;

    if (whole->ret_memory != NULL && result == 0) {
        *whole->ret_memory = whole->memory;
        *whole->ret_bytes = whole->bytes;
    }
    free(whole);
    pe__file_end(request, result);
}

static int start(pe_task *t, const char *path, bool is_valid, const struct whole *what, uv_work_cb work)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL && is_valid, &result);

    if (request == NULL)
        return result;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): pe__file_begin has refused what is not valid */
    size_t path_bytes = strlen(path) + 1;
    struct whole *whole = malloc(sizeof *whole + path_bytes);
    if (whole == NULL)
        return pe__file_begun(request, PE_ENOMEM);
    *whole = *what;
    memcpy(whole->path, path, path_bytes);
    request->out = whole;
    return pe__file_begun(request, uv_queue_work(request->task->loop->uv, &request->uv.work, work, on_worked));
}

/* ---- in the thread ---- */

static int make_room(struct whole *whole, size_t bytes)
{
    void *memory = realloc(whole->memory, bytes);

    if (memory == NULL)
        return PE_ENOMEM;
    whole->memory = memory;
    return 0;
}

/* To the end, whatever the size was said to be. */
static int read_to_end(struct whole *whole, int fd, size_t room)
{
    for (;;) {
        int result = make_room(whole, room);
        ssize_t got = result < 0 ? -1 : read(fd, (char *)whole->memory + whole->bytes, room - whole->bytes - 1);

        if (result < 0)
            return result;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        whole->bytes += (size_t)got;
        if (whole->bytes + 1 == room)
            room *= 2;
    }
    ((char *)whole->memory)[whole->bytes] = '\0';
    return make_room(whole, whole->bytes + 1);
}

static void read_whole(uv_work_t *work)
{
    struct whole *whole = whole_of(work->data);
    int fd = pe__base_fd_raise(open(whole->path, O_RDONLY | O_CLOEXEC));
    struct stat found;

    whole->result = fd;
    if (fd < 0)
        return;
    /* Room for a byte more than the size, and the zero: so the end is found by the read that follows. */
    size_t room = fstat(fd, &found) == 0 && found.st_size > 0 ? (size_t)found.st_size + 2 : BYTES_FIRST;
    whole->result = read_to_end(whole, fd, room);
    if (whole->result < 0)
        free(whole->memory);
    pe__base_fd_close(fd);
}

static int write_to_end(const struct whole *whole, int fd)
{
    for (size_t done = 0; done < whole->bytes;) {
        ssize_t put = write(fd, (const char *)whole->memory + done, whole->bytes - done);

        if (put < 0 && errno != EINTR)
            return -errno;
        done += put < 0 ? 0 : (size_t)put;
    }
    return 0;
}

static void write_whole(uv_work_t *work)
{
    struct whole *whole = whole_of(work->data);
    int fd = pe__base_fd_raise(open(whole->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, whole->mode));
    struct pe__base_write_signals held;

    whole->result = fd;
    if (fd < 0)
        return;
    pe__base_write_signals_hold(&held);
    whole->result = write_to_end(whole, fd);
    pe__base_write_signals_release(&held, whole->result < 0);
    int closed = pe__base_fd_close(fd);
    if (whole->result == 0)
        whole->result = closed;
}

/* ---- tasks ---- */

int pe_file_read_all(pe_task *t, const char *path, void **ret_memory, size_t *ret_bytes)
{
    const struct whole what = { .ret_memory = ret_memory, .ret_bytes = ret_bytes };

    return start(t, path, ret_memory != NULL && ret_bytes != NULL, &what, read_whole);
}

int pe_file_write_all(pe_task *t, const char *path, const void *memory, size_t bytes, int mode)
{
    const struct whole what = { .memory = (void *)(uintptr_t)memory, .bytes = bytes, .mode = mode };

    return start(t, path, memory != NULL || bytes == 0, &what, write_whole);
}
