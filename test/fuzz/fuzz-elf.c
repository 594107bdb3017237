/* fuzz-elf.c - the reader of symbol tables (base/elf.h), on any file. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);
    struct pe__elf elf;

    if (fd >= 0 && write(fd, bytes, count) == (ssize_t)count && pe__elf_read(&elf, fd) == 0) {
        for (size_t i = 0; i < elf.count; i++) {
            const struct pe__elf_function *found = pe__elf_function_at(&elf, elf.functions[i].first);
            if (found == NULL || found->first != elf.functions[i].first || strlen(elf.names + found->name) > count)
                abort();
        }
        pe__elf_function_at(&elf, UINT64_MAX);
        pe__elf_free(&elf);
    }
    close(fd);
    return 0;
}
