/*
 * file_path.c - requests that work on paths.
 */
#include <string.h>

#include "async/file.h"

/* ---- names ---- */

int pe_file_unlink(pe_task *t, const char *path)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_unlink(PE__FILE_TO(request), path, pe__file_done));
}

int pe_file_mkdir(pe_task *t, const char *path, int mode)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_mkdir(PE__FILE_TO(request), path, mode, pe__file_done));
}

int pe_file_rmdir(pe_task *t, const char *path)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_rmdir(PE__FILE_TO(request), path, pe__file_done));
}

int pe_file_chmod(pe_task *t, const char *path, int mode)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_chmod(PE__FILE_TO(request), path, mode, pe__file_done));
}

int pe_file_access(pe_task *t, const char *path, int mode)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_access(PE__FILE_TO(request), path, mode, pe__file_done));
}

/* ---- two names ---- */

/* libuv's calls with two names and nothing else. */
typedef int two_names_fn(uv_loop_t *loop, uv_fs_t *fs, const char *path, const char *new_path, uv_fs_cb done);

static int start_two(pe_task *t, two_names_fn *start, const char *path, const char *new_path)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL && new_path != NULL, &result);

    return request == NULL ? result
                           : pe__file_begun(request, start(PE__FILE_TO(request), path, new_path, pe__file_done));
}

int pe_file_rename(pe_task *t, const char *path, const char *new_path)
{
    return start_two(t, uv_fs_rename, path, new_path);
}

int pe_file_link(pe_task *t, const char *path, const char *new_path)
{
    return start_two(t, uv_fs_link, path, new_path);
}

static int symlink_plainly(uv_loop_t *loop, uv_fs_t *fs, const char *path, const char *new_path, uv_fs_cb done)
{
    return uv_fs_symlink(loop, fs, path, new_path, 0, done);
}

int pe_file_symlink(pe_task *t, const char *text, const char *new_path)
{
    return start_two(t, symlink_plainly, text, new_path);
}

static int copy_over(uv_loop_t *loop, uv_fs_t *fs, const char *path, const char *new_path, uv_fs_cb done)
{
    return uv_fs_copyfile(loop, fs, path, new_path, UV_FS_COPYFILE_FICLONE, done);
}

static int copy_new(uv_loop_t *loop, uv_fs_t *fs, const char *path, const char *new_path, uv_fs_cb done)
{
    return uv_fs_copyfile(loop, fs, path, new_path, UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_EXCL, done);
}

int pe_file_copy(pe_task *t, const char *path, const char *new_path, uint32_t flags)
{
    return start_two(t, flags & PE_FILE_NEW ? copy_new : copy_over, path,
                     (flags & ~PE_FILE_NEW) == 0 ? new_path : NULL);
}

/* ---- texts ---- */

static int finish_text(struct pe__file_request *request)
{
    size_t bytes = strlen(request->uv.fs.ptr);

    if (bytes >= request->bytes)
        return -ENAMETOOLONG;
    memcpy(request->out, request->uv.fs.ptr, bytes + 1);
    return (int)bytes;
}

static struct pe__file_request *begin_text(pe_task *t, const char *path, char *text, size_t bytes, int *ret_result)
{
    struct pe__file_request *request = pe__file_begin(t, path != NULL && text != NULL && bytes > 0, ret_result);

    if (request != NULL) {
        request->finish = finish_text;
        request->out = text;
        request->bytes = bytes;
    }
    return request;
}

int pe_file_read_link(pe_task *t, const char *path, char *ret_text, size_t bytes)
{
    int result;
    struct pe__file_request *request = begin_text(t, path, ret_text, bytes, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_readlink(PE__FILE_TO(request), path, pe__file_done));
}

int pe_file_real_path(pe_task *t, const char *path, char *ret_text, size_t bytes)
{
    int result;
    struct pe__file_request *request = begin_text(t, path, ret_text, bytes, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_realpath(PE__FILE_TO(request), path, pe__file_done));
}

/* ---- names that nothing has ---- */

/* What was put for XXXXXX; the length is the same. */
static int finish_template(struct pe__file_request *request)
{
    memcpy(request->out, request->uv.fs.path, strlen(request->uv.fs.path));
    return (int)request->uv.fs.result;
}

static struct pe__file_request *begin_template(pe_task *t, char *path, int *ret_result)
{
    struct pe__file_request *request = pe__file_begin(t, path != NULL, ret_result);

    if (request != NULL) {
        request->finish = finish_template;
        request->out = path;
    }
    return request;
}

int pe_file_open_temporary(pe_task *t, char *path)
{
    int result;
    struct pe__file_request *request = begin_template(t, path, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_mkstemp(PE__FILE_TO(request), path, pe__file_done));
}

int pe_file_mkdir_temporary(pe_task *t, char *path)
{
    int result;
    struct pe__file_request *request = begin_template(t, path, &result);

    return request == NULL ? result
                           : pe__file_begun(request, uv_fs_mkdtemp(PE__FILE_TO(request), path, pe__file_done));
}
