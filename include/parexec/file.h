/*
 * file.h: files and directories.
 *
 * Disks make a call wait however ready a descriptor is, so these calls are made by the few threads that libuv keeps for
 * that, and the task waits meanwhile. Descriptors are those of the system: what was opened elsewhere may be read here.
 *
 *     PE_TRY(t, pe_file_open(t, "numbers", O_RDONLY, 0));
 *     f->fd = t->result;
 *     PE_AWAIT(t, pe_file_read(t, f->fd, f->memory, sizeof f->memory, PE_FILE_CURRENT));
 *     f->bytes = t->result;
 *     PE_AWAIT(t, pe_file_close(t, f->fd));
 *
 * All that is pointed to must last until the wait has ended; paths are copied. A request that has not been begun is
 * stopped at once; one that a thread is at comes to its end first, and the task gets its result. What a call returns
 * below 0 is the errno of the system's call, so each may return what its man page lists: PE_ENOENT, -EACCES, -EISDIR,
 * -ENOSPC, -EIO.
 *
 * Returns, errors of all of them besides: PE_EINVAL: NULL for a path, for memory or for a result, bytes or an offset
 * that cannot be, unknown flags; t is not the task that runs. PE_ENOMEM. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * Threads: the loop's. Child: no.
 */
#ifndef PAREXEC_FILE_H
#define PAREXEC_FILE_H

#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/task.h>

/* As an offset: where the descriptor is, which moves on. */
#define PE_FILE_CURRENT INT64_C(-1)

/* The link itself, not what it leads to. */
#define PE_FILE_NO_FOLLOW 1u
/* Fails if it is there already. */
#define PE_FILE_NEW 2u

/* What an entry of a directory is. */
#define PE_FILE_KIND_UNKNOWN 0u
#define PE_FILE_KIND_REGULAR 1u
#define PE_FILE_KIND_DIRECTORY 2u
#define PE_FILE_KIND_LINK 3u
#define PE_FILE_KIND_FIFO 4u
#define PE_FILE_KIND_SOCKET 5u
#define PE_FILE_KIND_CHARACTER 6u
#define PE_FILE_KIND_BLOCK 7u

/* What the system knows of a file. Times are nanoseconds since 1970. */
typedef struct pe_file_info {
    size_t size;
    uint64_t bytes;
    uint64_t allocated_bytes;
    uint64_t device, inode, links;
    uint32_t mode; /* kind and permissions, as st_mode */
    uint32_t uid, gid;
    uint32_t block_bytes;
    int64_t accessed_ns, modified_ns, changed_ns;
    int64_t created_ns; /* 0: not known */
} pe_file_info;

#define PE_FILE_INFO_INIT { sizeof(pe_file_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct pe_file_entry {
    const char *name;
    uint32_t kind; /* PE_FILE_KIND_*; UNKNOWN where the file system does not tell */
} pe_file_entry;

PE_BEGIN_DECLS

/* ---- descriptors ---- */

/*
 * Opens a file.
 *
 * flags, mode   as of open; O_CLOEXEC is added.
 * Returns, in PE_AWAIT: the descriptor, which is the task's to close.
 * Since: 1.0
 */
PE_EXPORT int pe_file_open(pe_task *t, const char *path, int flags, int mode);

/*
 * Creates and opens a file, or creates a directory, with a name that nothing has.
 *
 * path   ends in XXXXXX, which is replaced; untouched on errors.
 * Returns, in PE_AWAIT: the descriptor; for a directory 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_open_temporary(pe_task *t, char *path);
PE_EXPORT int pe_file_mkdir_temporary(pe_task *t, char *path);

/*
 * Closes a descriptor. It is never refused or stopped: a task that is to end closes what it has opened.
 *
 * Returns, in PE_AWAIT: 0. Errors: PE_EBADF, or what was left of an earlier write; it is closed all the same. None for
 * want of memory, or because the task is to stop.
 * Since: 1.0
 */
PE_EXPORT int pe_file_close(pe_task *t, int fd);

/*
 * Reads and writes.
 *
 * bytes    how many at most; of more than 2,147,479,552 so many.
 * offset   in the file, 0 and above, the descriptor's own place stays; or PE_FILE_CURRENT.
 * Returns, in PE_AWAIT: how many bytes, maybe fewer than wanted; a read 0 at the end.
 * Since: 1.0
 */
PE_EXPORT int pe_file_read(pe_task *t, int fd, void *memory, size_t bytes, int64_t offset);
PE_EXPORT int pe_file_write(pe_task *t, int fd, const void *memory, size_t bytes, int64_t offset);

/*
 * Waits until what was written is on the disk: with all that is known of the file, or what is needed to read it.
 *
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_sync(pe_task *t, int fd);
PE_EXPORT int pe_file_sync_data(pe_task *t, int fd);

/*
 * Cuts a file to a size, or lengthens it with zeroes.
 *
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_truncate(pe_task *t, int fd, int64_t bytes);

/*
 * What the system knows of a file.
 *
 * flags      0, or PE_FILE_NO_FOLLOW.
 * ret_info   with its size set; gets it.
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_stat(pe_task *t, const char *path, uint32_t flags, pe_file_info *ret_info);
PE_EXPORT int pe_file_stat_fd(pe_task *t, int fd, pe_file_info *ret_info);

/* ---- names ---- */

/*
 * What the system's calls of these names do; access asks for R_OK and the like.
 *
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_rename(pe_task *t, const char *path, const char *new_path);
PE_EXPORT int pe_file_unlink(pe_task *t, const char *path);
PE_EXPORT int pe_file_mkdir(pe_task *t, const char *path, int mode);
PE_EXPORT int pe_file_rmdir(pe_task *t, const char *path);
PE_EXPORT int pe_file_link(pe_task *t, const char *path, const char *new_path);
PE_EXPORT int pe_file_symlink(pe_task *t, const char *text, const char *new_path);
PE_EXPORT int pe_file_chmod(pe_task *t, const char *path, int mode);
PE_EXPORT int pe_file_access(pe_task *t, const char *path, int mode);

/*
 * Copies a file with its permissions, as quickly as the file system can.
 *
 * flags   0: what is there is replaced; PE_FILE_NEW.
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_copy(pe_task *t, const char *path, const char *new_path, uint32_t flags);

/*
 * What a symbolic link holds, and the absolute path without links of what is there.
 *
 * ret_text   gets it, with a zero behind it.
 * bytes      the room there, 1 and above.
 * Returns, in PE_AWAIT: its length. Errors: -ENAMETOOLONG: there is no room for it.
 * Since: 1.0
 */
PE_EXPORT int pe_file_read_link(pe_task *t, const char *path, char *ret_text, size_t bytes);
PE_EXPORT int pe_file_real_path(pe_task *t, const char *path, char *ret_text, size_t bytes);

/*
 * The entries of a directory, without "." and "..".
 *
 * ret_entries   gets an array in the order of the names, to be given back by pe_file_list_free, which takes NULL too.
 * Returns, in PE_AWAIT: their number.
 * Threads: pe_file_list_free any. Child: it yes. Since: 1.0
 */
PE_EXPORT int pe_file_list(pe_task *t, const char *path, pe_file_entry **ret_entries);
PE_EXPORT void pe_file_list_free(pe_file_entry *entries);

/* ---- whole files ---- */

/*
 * Reads all of a file: open, read, close, in one request.
 *
 * ret_memory   gets memory of malloc's with the contents, and a zero behind them; the program frees it.
 * ret_bytes    gets how many they are.
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_read_all(pe_task *t, const char *path, void **ret_memory, size_t *ret_bytes);

/*
 * Writes all of a file, which is created or replaced in place: open, write, close, in one request. After an error a
 * part of it may be there.
 *
 * mode   permissions of a new one, as of open.
 * Returns, in PE_AWAIT: 0.
 * Since: 1.0
 */
PE_EXPORT int pe_file_write_all(pe_task *t, const char *path, const void *memory, size_t bytes, int mode);

PE_END_DECLS

#endif
