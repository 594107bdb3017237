/*
 * elf.h - which functions an ELF file names, and where they lie in it.
 *
 * The file may be anything: every offset and size in it is checked. It is read into private memory, not mapped, so that
 * a file that somebody cuts short meanwhile is a file that cannot be read, and no SIGBUS.
 */
#ifndef PE__BASE_ELF_H
#define PE__BASE_ELF_H

#include <stddef.h>
#include <stdint.h>

struct pe__elf_function {
    uint64_t first; /* address as the file has it */
    uint64_t bytes; /* 0: not known; such a name is that of its first byte alone */
    uint32_t name;  /* in names */
    uint32_t rank;  /* of several names of one address the one with the smallest is shown */
};

struct pe__elf {
    struct pe__elf_function *functions; /* by address, then by rank */
    size_t count;
    char *names;
    size_t pages_bytes; /* of all, from functions on */
};

/*
 * From .symtab, which has static functions too, or what a stripped file has left: .dynsym. Without locks and malloc.
 * PE_EINVAL: no ELF file of this machine's kind, or a damaged one; PE_ENODATA: it names no function; PE_ENOMEM.
 */
int pe__elf_read(struct pe__elf *ret, int fd);
void pe__elf_free(struct pe__elf *elf);

/* NULL: the file names no function there. */
const struct pe__elf_function *pe__elf_function_at(const struct pe__elf *elf, uint64_t address);

#endif
