/*
 * file_list.c - the entries of a directory: an array with the names behind it, one block of malloc's.
 */
#include <stdlib.h>
#include <string.h>

#include "async/file.h"

_Static_assert(PE_FILE_KIND_UNKNOWN == UV_DIRENT_UNKNOWN && PE_FILE_KIND_REGULAR == UV_DIRENT_FILE &&
                   PE_FILE_KIND_DIRECTORY == UV_DIRENT_DIR && PE_FILE_KIND_LINK == UV_DIRENT_LINK &&
                   PE_FILE_KIND_FIFO == UV_DIRENT_FIFO && PE_FILE_KIND_SOCKET == UV_DIRENT_SOCKET &&
                   PE_FILE_KIND_CHARACTER == UV_DIRENT_CHAR && PE_FILE_KIND_BLOCK == UV_DIRENT_BLOCK,
               "libuv's numbers are ours");

/* libuv hands each entry out once: the names are packed as they come, behind room for all entries, which grows. */
struct list {
    pe_file_entry *entries;
    size_t bytes, room;
};

static char *add_bytes(struct list *list, size_t bytes)
{
    if (list->room - list->bytes < bytes) {
        size_t room = (list->room + bytes) * 2;
        void *entries = realloc(list->entries, room);

        if (entries == NULL)
            return NULL;
        list->entries = entries;
        list->room = room;
    }
    list->bytes += bytes;
    return (char *)list->entries + list->bytes - bytes;
}

/* Names are noted as their distances from the beginning until the block does not move any more. */
static int fill(struct list *list, uv_fs_t *fs, size_t count)
{
    uv_dirent_t found;

    if (add_bytes(list, (count + 1) * sizeof *list->entries) == NULL)
        return PE_ENOMEM;
    size_t filled = 0;
    for (; filled < count && uv_fs_scandir_next(fs, &found) == 0; filled++) {
        size_t bytes = strlen(found.name) + 1;
        char *name = add_bytes(list, bytes);

        if (name == NULL)
            return PE_ENOMEM;
        memcpy(name, found.name, bytes);
        list->entries[filled] = (pe_file_entry){
            .name = (const char *)(name - (char *)list->entries), .kind = (uint32_t)found.type,
        };
    }
    for (size_t i = 0; i < filled; i++)
        list->entries[i].name = (char *)list->entries + (uintptr_t)list->entries[i].name;
    return (int)filled;
}

static int finish_list(struct pe__file_request *request)
{
    uv_fs_t *fs = &request->uv.fs;
    struct list list = { 0 };
    int result = fill(&list, fs, (size_t)fs->result);
    uv_dirent_t left;

    while (uv_fs_scandir_next(fs, &left) == 0)
        ; /* libuv gives its last entry back only when it has been asked for one more */
    if (result < 0)
        free(list.entries);
    else
        *(pe_file_entry **)request->out = list.entries;
    return result;
}

int pe_file_list(pe_task *t, const char *path, pe_file_entry **ret_entries)
{
    int result;
    struct pe__file_request *request = pe__file_begin(t, path != NULL && ret_entries != NULL, &result);

    if (request == NULL)
        return result;
    request->finish = finish_list;
    request->out = ret_entries;
    return pe__file_begun(request, uv_fs_scandir(PE__FILE_TO(request), path, 0, pe__file_done));
}

void pe_file_list_free(pe_file_entry *entries)
{
    free(entries);
}
