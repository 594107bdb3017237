/*
 * file.c - requests for files, and those that work on descriptors.
 *
 * A request lies in a block of the loop's memory while libuv has it. To stop one is to ask libuv for it: one that no
 * thread has taken comes back at once; else its end is waited for, since it uses the task's memory and its result, a
 * descriptor say, must not be lost.
 */
#include "async/file.h"

#include "base/fd.h"
#include "base/sized.h"

/* ---- requests ---- */

static void cancel(struct pe__task *task)
{
    struct pe__file_request *request = task->object;

    uv_cancel((uv_req_t *)&request->uv);
}

static const struct pe__wait_kind kind = { .name = "a file", .cancel = cancel };

static struct pe__file_request *new_request(struct pe__task *task)
{
    struct pe__file_request *request = pe__slab_new(&task->loop->slab, sizeof *request);

    if (request != NULL) {
        request->uv.fs.data = request;
        request->task = task;
        request->finish = NULL;
    }
    return request;
}

static void free_request(struct pe__file_request *request)
{
    pe__slab_free(&request->task->loop->slab, request, sizeof *request);
}

struct pe__file_request *pe__file_begin(pe_task *t, bool is_valid, int *ret_result)
{
    int result = pe__wait_check(t);

    if (result == 0 && !is_valid)
        result = PE_EINVAL;
    struct pe__file_request *request = result == 0 ? new_request(pe__task_of(t)) : NULL;
    if (request != NULL) {
        result = pe__wait_begin(t, &kind, request);
        if (result == PE_WAIT)
            return request;
        free_request(request);
    } else if (result == 0) {
        result = PE_ENOMEM;
    }
    *ret_result = result;
    return NULL;
}

int pe__file_begun(struct pe__file_request *request, int started)
{
    struct pe__task *task = request->task;

    if (started >= 0)
        return PE_WAIT;
    free_request(request);
    return pe__wait_undo(task, started);
}

void pe__file_end(struct pe__file_request *request, int result)
{
    struct pe__task *task = request->task;

    free_request(request);
    pe__wait_end(task, result);
}

void pe__file_done(uv_fs_t *fs)
{
    struct pe__file_request *request = fs->data;
    int result = (int)fs->result;

    if (result >= 0 && request->finish != NULL)
        result = request->finish(request);
    uv_fs_req_cleanup(fs);
    pe__file_end(request, result);
}

/* ---- opening and closing ---- */

int pe_file_open(pe_task *t, const char *path, int flags, int mode)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL
               ? result
               : pe__file_begun(request, uv_fs_open(PE__FILE_TO(request), path, flags, mode, pe__file_done));
}

static const struct pe__wait_kind close_kind = { .name = "a file" };

int pe_file_close(pe_task *t, int fd)
{
    int result = pe__wait_check_running(t);

    if (result == 0 && fd < 0)
        result = PE_EBADF;
    if (result < 0)
        return result;
    struct pe__file_request *request = new_request(pe__task_of(t));
    if (request == NULL)
        return pe__base_fd_close(fd);
    uv_fs_close(PE__FILE_TO(request), fd, pe__file_done);
    return pe__wait_begin_anyway(t, &close_kind, request);
}

/* ---- bytes ---- */

bool pe__file_is_span(const void *memory, size_t bytes, int64_t offset)
{
    return (memory != NULL || bytes == 0) && offset >= PE_FILE_CURRENT;
}

int pe_file_read(pe_task *t, int fd, void *memory, size_t bytes, int64_t offset)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, pe__file_is_span(memory, bytes, offset), &result);
    uv_buf_t span = uv_buf_init(memory, bytes < PE__FILE_BYTES_MOST ? (unsigned)bytes : PE__FILE_BYTES_MOST);

    return request == NULL
               ? result
               : pe__file_begun(request, uv_fs_read(PE__FILE_TO(request), fd, &span, 1, offset, pe__file_done));
}

int pe_file_sync(pe_task *t, int fd)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, true, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_fsync(PE__FILE_TO(request), fd, pe__file_done));
}

int pe_file_sync_data(pe_task *t, int fd)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, true, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_fdatasync(PE__FILE_TO(request), fd, pe__file_done));
}

/* ---- what is known ---- */

static int64_t nanoseconds(uv_timespec_t time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int finish_stat(struct pe__file_request *request)
{
    const uv_stat_t *found = &request->uv.fs.statbuf;
    pe_file_info info = {
        .bytes = found->st_size,
        .allocated_bytes = found->st_blocks * 512,
        .device = found->st_dev,
        .inode = found->st_ino,
        .links = found->st_nlink,
        .mode = (uint32_t)found->st_mode,
        .uid = (uint32_t)found->st_uid,
        .gid = (uint32_t)found->st_gid,
        .block_bytes = (uint32_t)found->st_blksize,
        .accessed_ns = nanoseconds(found->st_atim),
        .modified_ns = nanoseconds(found->st_mtim),
        .changed_ns = nanoseconds(found->st_ctim),
        .created_ns = nanoseconds(found->st_birthtim),
    };

    return PE__BASE_FILL_SIZED(pe_file_info, request->out, &info);
}

static struct pe__file_request *begin_stat(pe_task *t, bool is_valid, pe_file_info *info, int *ret_result)
{
    struct pe__file_request *request = pe__file_begin(
        t, is_valid && info != NULL && PE__BASE_IS_SIZED(pe_file_info, info), ret_result);

    if (request != NULL) {
        request->finish = finish_stat;
        request->out = info;
    }
    return request;
}

int pe_file_stat(pe_task *t, const char *path, uint32_t flags, pe_file_info *ret_info)
{
    int result;
    bool is_valid = path != NULL && (flags & ~PE_FILE_NO_FOLLOW) == 0;
    struct pe__file_request *request = begin_stat(t, is_valid, ret_info, &result);

    if (request == NULL)
        return result;
    return pe__file_begun(request, flags & PE_FILE_NO_FOLLOW
                                       ? uv_fs_lstat(PE__FILE_TO(request), path, pe__file_done)
                                       : uv_fs_stat(PE__FILE_TO(request), path, pe__file_done));
}

int pe_file_stat_fd(pe_task *t, int fd, pe_file_info *ret_info)
{
    int result;
    struct pe__file_request *request = begin_stat(t, true, ret_info, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_fstat(PE__FILE_TO(request), fd, pe__file_done));
}
