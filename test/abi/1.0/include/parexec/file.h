#ifndef PAREXEC_FILE_H
#define PAREXEC_FILE_H
#include <parexec/export.h>
#include <parexec/options.h>
#include <parexec/task.h>
#define PE_FILE_CURRENT INT64_C(-1)
#define PE_FILE_NO_FOLLOW 1u
#define PE_FILE_NEW 2u
#define PE_FILE_KIND_UNKNOWN 0u
#define PE_FILE_KIND_REGULAR 1u
#define PE_FILE_KIND_DIRECTORY 2u
#define PE_FILE_KIND_LINK 3u
#define PE_FILE_KIND_FIFO 4u
#define PE_FILE_KIND_SOCKET 5u
#define PE_FILE_KIND_CHARACTER 6u
#define PE_FILE_KIND_BLOCK 7u
typedef struct pe_file_info {
    size_t size;
    uint64_t bytes;
    uint64_t allocated_bytes;
    uint64_t device;
    uint64_t inode;
    uint64_t links;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t block_bytes;
    int64_t accessed_ns;
    int64_t modified_ns;
    int64_t changed_ns;
    int64_t created_ns;
} pe_file_info;
#define PE_FILE_INFO_INIT { sizeof(pe_file_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
typedef struct pe_file_entry {
    const char *name;
    uint32_t kind;
    uint32_t reserved[5];
} pe_file_entry;
PE_BEGIN_DECLS
PE_EXPORT int pe_file_open(pe_task *t, const char *path, int flags, int mode);
PE_EXPORT int pe_file_open_temporary(pe_task *t, char *path);
PE_EXPORT int pe_file_mkdir_temporary(pe_task *t, char *path);
PE_EXPORT int pe_file_close(pe_task *t, int fd);
PE_EXPORT int pe_file_read(pe_task *t, int fd, void *memory, size_t bytes, int64_t offset);
PE_EXPORT int pe_file_write(pe_task *t, int fd, const void *memory, size_t bytes, int64_t offset);
PE_EXPORT int pe_file_sync(pe_task *t, int fd);
PE_EXPORT int pe_file_sync_data(pe_task *t, int fd);
PE_EXPORT int pe_file_truncate(pe_task *t, int fd, int64_t bytes);
PE_EXPORT int pe_file_stat(pe_task *t, const char *path, uint32_t flags, pe_file_info *ret_info);
PE_EXPORT int pe_file_stat_fd(pe_task *t, int fd, pe_file_info *ret_info);
PE_EXPORT int pe_file_rename(pe_task *t, const char *path, const char *new_path);
PE_EXPORT int pe_file_unlink(pe_task *t, const char *path);
PE_EXPORT int pe_file_mkdir(pe_task *t, const char *path, int mode);
PE_EXPORT int pe_file_rmdir(pe_task *t, const char *path);
PE_EXPORT int pe_file_link(pe_task *t, const char *path, const char *new_path);
PE_EXPORT int pe_file_symlink(pe_task *t, const char *text, const char *new_path);
PE_EXPORT int pe_file_chmod(pe_task *t, const char *path, int mode);
PE_EXPORT int pe_file_access(pe_task *t, const char *path, int mode);
PE_EXPORT int pe_file_copy(pe_task *t, const char *path, const char *new_path, uint32_t flags);
PE_EXPORT int pe_file_read_link(pe_task *t, const char *path, char *ret_text, size_t bytes);
PE_EXPORT int pe_file_real_path(pe_task *t, const char *path, char *ret_text, size_t bytes);
PE_EXPORT int pe_file_list(pe_task *t, const char *path, pe_file_entry **ret_entries);
PE_EXPORT void pe_file_list_free(pe_file_entry *entries);
PE_EXPORT int pe_file_read_all(pe_task *t, const char *path, void **ret_memory, size_t *ret_bytes);
PE_EXPORT int pe_file_write_all(pe_task *t, const char *path, const void *memory, size_t bytes, int mode);
PE_END_DECLS
#endif
