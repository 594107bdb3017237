/**
 * @file file.h
 * Files and directories.
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
 * -ENOSPC, -EIO. Writing raises no signal: a pipe or socket without a reader gives PE_EPIPE, a file that would become
 * larger than the process may make it (RLIMIT_FSIZE) -EFBIG; pe_file_copy alone leaves the latter to SIGXFSZ.
 *
 * Returns, errors of all of them besides: PE_EINVAL: NULL for a path, for memory or for a result, bytes or an offset
 * that cannot be, unknown flags; t is not the task that runs. PE_ENOMEM. PE_ECANCELED, PE_ETIMEDOUT. PE_EFORKED.
 * pe_file_close says which of these it gives.
 * Threads: the loop's. Child: no.
 */
#ifndef PAREXEC_FILE_H
#define PAREXEC_FILE_H

#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/task.h>

/** As an offset: where the descriptor is, which moves on. */
#define PE_FILE_CURRENT INT64_C(-1)

/** @name Flags
 * @{ */
#define PE_FILE_NO_FOLLOW 1u /**< pe_file_stat: the link itself, not what it leads to */
#define PE_FILE_NEW 2u       /**< pe_file_copy: fails if it is there already */
/** @} */

/** @name What an entry of a directory is
 * @{ */
#define PE_FILE_KIND_UNKNOWN 0u   /**< the file system does not tell */
#define PE_FILE_KIND_REGULAR 1u   /**< a file */
#define PE_FILE_KIND_DIRECTORY 2u /**< a directory */
#define PE_FILE_KIND_LINK 3u      /**< a symbolic link */
#define PE_FILE_KIND_FIFO 4u      /**< a named pipe */
#define PE_FILE_KIND_SOCKET 5u    /**< a socket of the UNIX kind */
#define PE_FILE_KIND_CHARACTER 6u /**< a device of characters */
#define PE_FILE_KIND_BLOCK 7u     /**< a device of blocks */
/** @} */

/** What the system knows of a file. Times are nanoseconds since 1970. */
typedef struct pe_file_info {
    size_t size;              /**< sizeof(pe_file_info), set by the caller */
    uint64_t bytes;           /**< length of the contents */
    uint64_t allocated_bytes; /**< what it takes on the disk */
    uint64_t device;          /**< number of the device that it is on */
    uint64_t inode;           /**< its number there */
    uint64_t links;           /**< names that it has */
    uint32_t mode;            /**< kind and permissions, as st_mode */
    uint32_t uid;             /**< owner */
    uint32_t gid;             /**< group */
    uint32_t block_bytes;     /**< good size of one read or write */
    int64_t accessed_ns;      /**< when it was read last, as far as the system keeps that */
    int64_t modified_ns;      /**< when its contents were changed last */
    int64_t changed_ns;       /**< when it, or what is known of it, was changed last */
    int64_t created_ns;       /**< when it was made; 0: not known. Before Linux 4.11 as changed_ns */
} pe_file_info;

/** To be filled in. */
#define PE_FILE_INFO_INIT { sizeof(pe_file_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** An entry of a directory. */
typedef struct pe_file_entry {
    const char *name;     /**< its name, without the directory's */
    uint32_t kind;        /**< PE_FILE_KIND_*; UNKNOWN where the file system does not tell */
    uint32_t reserved[5]; /**< 0 */
} pe_file_entry;

PE_BEGIN_DECLS

/** @name Descriptors
 * @{ */

/**
 * Opens a file.
 *
 * @param t             the task that waits.
 * @param path          of the file.
 * @param flags, mode   as of open; O_CLOEXEC is added.
 * @return in PE_AWAIT: the descriptor, which is the task's to close.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_open(pe_task *t, const char *path, int flags, int mode);

/**
 * Creates and opens a file with a name that nothing has.
 *
 * @param t      the task that waits.
 * @param path   ends in XXXXXX, which is replaced; untouched on errors.
 * @return in PE_AWAIT: the descriptor, which is the task's to close.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_open_temporary(pe_task *t, char *path);

/**
 * Creates a directory with a name that nothing has.
 *
 * @param t      the task that waits.
 * @param path   ends in XXXXXX, which is replaced; untouched on errors.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_mkdir_temporary(pe_task *t, char *path);

/**
 * Closes a descriptor. It is never refused or stopped: a task that is to end closes what it has opened.
 *
 * @param t    the task that waits.
 * @param fd   the descriptor.
 * @return in PE_AWAIT: 0.
 * @errors PE_EBADF, or what was left of an earlier write; it is closed all the same. None for want of memory, or
 *         because the task is to stop. PE_EINVAL: t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_close(pe_task *t, int fd);

/**
 * Reads from a file.
 *
 * @param t        the task that waits.
 * @param fd       the descriptor.
 * @param memory   gets the bytes; must live until the wait has ended.
 * @param bytes    how many at most; of more than 2,147,479,552 so many.
 * @param offset   in the file, 0 and above, the descriptor's own place stays; or PE_FILE_CURRENT.
 * @return in PE_AWAIT: how many bytes, maybe fewer than wanted; 0 at the end.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_read(pe_task *t, int fd, void *memory, size_t bytes, int64_t offset);

/**
 * Writes to a file. For pipes and sockets pe_socket_write (socket.h) is better, which occupies no thread while there is
 * no room.
 *
 * @param t        the task that waits.
 * @param fd       the descriptor.
 * @param memory   what to write; must live until the wait has ended.
 * @param bytes    how many at most; of more than 2,147,479,552 so many.
 * @param offset   in the file, 0 and above, the descriptor's own place stays; or PE_FILE_CURRENT.
 * @return in PE_AWAIT: how many bytes, maybe fewer than wanted.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_write(pe_task *t, int fd, const void *memory, size_t bytes, int64_t offset);

/**
 * Waits until what was written is on the disk, with all that is known of the file.
 *
 * @param t    the task that waits.
 * @param fd   the descriptor.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_sync(pe_task *t, int fd);

/**
 * Waits until what was written is on the disk, with what is needed to read it.
 *
 * @param t    the task that waits.
 * @param fd   the descriptor.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_sync_data(pe_task *t, int fd);

/**
 * Cuts a file to a size, or lengthens it with zeroes.
 *
 * @param t       the task that waits.
 * @param fd      the descriptor.
 * @param bytes   the size, 0 and above.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_truncate(pe_task *t, int fd, int64_t bytes);

/**
 * What the system knows of a file.
 *
 * @param t          the task that waits.
 * @param path       of the file.
 * @param flags      0, or PE_FILE_NO_FOLLOW.
 * @param ret_info   with its size set; gets it.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_stat(pe_task *t, const char *path, uint32_t flags, pe_file_info *ret_info);

/**
 * What the system knows of the file behind a descriptor.
 *
 * @param t          the task that waits.
 * @param fd         the descriptor.
 * @param ret_info   with its size set; gets it.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_stat_fd(pe_task *t, int fd, pe_file_info *ret_info);

/** @} */

/** @name Names
 * @{ */

/**
 * Renames a file or directory, as rename does: what has the new name already is replaced.
 *
 * @param t          the task that waits.
 * @param path       its name.
 * @param new_path   its new name, in the same file system.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_rename(pe_task *t, const char *path, const char *new_path);

/**
 * Removes a name of a file, as unlink does.
 *
 * @param t      the task that waits.
 * @param path   the name.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_unlink(pe_task *t, const char *path);

/**
 * Makes a directory, as mkdir does.
 *
 * @param t      the task that waits.
 * @param path   its name, which nothing has.
 * @param mode   permissions, less those of the umask.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_mkdir(pe_task *t, const char *path, int mode);

/**
 * Removes a directory that is empty, as rmdir does.
 *
 * @param t      the task that waits.
 * @param path   of the directory.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_rmdir(pe_task *t, const char *path);

/**
 * Gives a file a further name, as link does.
 *
 * @param t          the task that waits.
 * @param path       of the file.
 * @param new_path   the further name, which nothing has.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_link(pe_task *t, const char *path, const char *new_path);

/**
 * Makes a symbolic link, as symlink does.
 *
 * @param t          the task that waits.
 * @param text       where it leads to.
 * @param new_path   its name, which nothing has.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_symlink(pe_task *t, const char *text, const char *new_path);

/**
 * Sets the permissions of a file, as chmod does.
 *
 * @param t      the task that waits.
 * @param path   of the file.
 * @param mode   the permissions.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_chmod(pe_task *t, const char *path, int mode);

/**
 * Asks whether the program may use a file, as access does.
 *
 * @param t      the task that waits.
 * @param path   of the file.
 * @param mode   R_OK, W_OK, X_OK, several of them, or F_OK: whether it is there.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_access(pe_task *t, const char *path, int mode);

/**
 * Copies a file with its permissions, as quickly as the file system can. Where that fails after it has begun, what was
 * at the new path is gone.
 *
 * @param t          the task that waits.
 * @param path       of the file to copy.
 * @param new_path   where the copy goes.
 * @param flags      0: what is there is replaced; PE_FILE_NEW.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_copy(pe_task *t, const char *path, const char *new_path, uint32_t flags);

/**
 * What a symbolic link holds.
 *
 * @param t          the task that waits.
 * @param path       of the link.
 * @param ret_text   gets it, with a zero behind it.
 * @param bytes      the room there, 1 and above.
 * @return in PE_AWAIT: its length.
 * @errors -ENAMETOOLONG: there is no room for it. The system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_read_link(pe_task *t, const char *path, char *ret_text, size_t bytes);

/**
 * The absolute path, without links, of what is there.
 *
 * @param t          the task that waits.
 * @param path       of the file.
 * @param ret_text   gets it, with a zero behind it.
 * @param bytes      the room there, 1 and above.
 * @return in PE_AWAIT: its length.
 * @errors -ENAMETOOLONG: there is no room for it. The system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_real_path(pe_task *t, const char *path, char *ret_text, size_t bytes);

/**
 * The entries of a directory, without "." and "..".
 *
 * @param t             the task that waits.
 * @param path          of the directory.
 * @param ret_entries   gets an array in the order of the names, to be given back by pe_file_list_free.
 * @return in PE_AWAIT: their number.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_list(pe_task *t, const char *path, pe_file_entry **ret_entries);

/**
 * Gives an array of pe_file_list back.
 *
 * @param entries   NULL is fine.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT void pe_file_list_free(pe_file_entry *entries);

/** @} */

/** @name Whole files
 * @{ */

/**
 * Reads all of a file: open, read, close, in one request.
 *
 * @param t            the task that waits.
 * @param path         of the file.
 * @param ret_memory   gets memory of malloc's with the contents, and a zero behind them; the program frees it.
 * @param ret_bytes    gets how many they are.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_read_all(pe_task *t, const char *path, void **ret_memory, size_t *ret_bytes);

/**
 * Writes all of a file, which is created or replaced in place: open, write, close, in one request. After an error a
 * part of it may be there.
 *
 * @param t        the task that waits.
 * @param path     of the file.
 * @param memory   the contents.
 * @param bytes    how many they are.
 * @param mode     permissions of a new one, as of open.
 * @return in PE_AWAIT: 0.
 * @errors the system's, and those of all calls here (file.h).
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_file_write_all(pe_task *t, const char *path, const void *memory, size_t bytes, int mode);

/** @} */

PE_END_DECLS

#endif
