/*
 * elf.c - reads section headers one by one, then the table of symbols and its texts as a whole.
 *
 * Nothing in the file is believed: a section counts only if it lies within the file's size and has entries of the right
 * size, a symbol only if its name begins within the texts, which get a zero of our own behind them.
 */
#include "base/elf.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/pages.h"

#define BYTES_MOST ((uint64_t)1 << 30)
#define CLASS_HERE (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define DATA_HERE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

struct file {
    int fd;
    uint64_t bytes;
    uint64_t sections_at, section_count;
};

static bool has(const struct file *file, uint64_t offset, uint64_t bytes)
{
    return offset <= file->bytes && bytes <= file->bytes - offset && bytes <= BYTES_MOST;
}

static bool read_at(const struct file *file, uint64_t offset, void *ret, uint64_t bytes)
{
    if (!has(file, offset, bytes))
        return false;
    for (uint64_t done = 0; done < bytes;) {
        ssize_t now = pread(file->fd, (char *)ret + done, bytes - done, (off_t)(offset + done));
        if (now == 0 || (now < 0 && errno != EINTR))
            return false;
        done += now > 0 ? (uint64_t)now : 0;
    }
    return true;
}

static bool read_section(const struct file *file, uint64_t number, ElfW(Shdr) *ret)
{
    return number < file->section_count &&
           read_at(file, file->sections_at + number * sizeof *ret, ret, sizeof *ret);
}

static bool open_file(struct file *ret, int fd)
{
    struct stat status;
    ElfW(Ehdr) head;
    ElfW(Shdr) first;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return false;
    *ret = (struct file){ .fd = fd, .bytes = (uint64_t)status.st_size };
    if (!read_at(ret, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != CLASS_HERE || head.e_ident[EI_DATA] != DATA_HERE)
        return false;
    ret->sections_at = head.e_shoff;
    if (head.e_shoff == 0)
        return true; /* and no sections */
    /* Where their count does not fit into its field it stands in the first of them. */
    if (head.e_shentsize != sizeof first || !read_at(ret, head.e_shoff, &first, sizeof first))
        return false;
    ret->section_count = head.e_shnum != 0 ? head.e_shnum : first.sh_size;
    return ret->section_count <= BYTES_MOST / sizeof first &&
           has(ret, ret->sections_at, ret->section_count * sizeof first);
}

/* False: there is none of that type that could be read. */
static bool find_symbols(const struct file *file, uint32_t type, ElfW(Shdr) *ret_symbols, ElfW(Shdr) *ret_names)
{
    for (uint64_t i = 0; i < file->section_count; i++) {
        if (!read_section(file, i, ret_symbols))
            return false;
        if (ret_symbols->sh_type == type && ret_symbols->sh_entsize == sizeof(ElfW(Sym)) &&
            has(file, ret_symbols->sh_offset, ret_symbols->sh_size) &&
            read_section(file, ret_symbols->sh_link, ret_names) && ret_names->sh_type == SHT_STRTAB &&
            has(file, ret_names->sh_offset, ret_names->sh_size) && ret_names->sh_size < UINT32_MAX)
            return true;
    }
    return false;
}

static bool is_function(const ElfW(Sym) *symbol, uint64_t names_bytes)
{
    unsigned type = symbol->st_info & 0xf;
    return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF && symbol->st_name != 0 &&
           symbol->st_name < names_bytes;
}

static uint32_t rank_of(const ElfW(Sym) *symbol)
{
    switch (symbol->st_info >> 4) {
    case STB_GLOBAL: return 0;
    case STB_WEAK: return 1;
    default: return 2;
    }
}

static bool is_before(const struct pe__elf_function *a, const struct pe__elf_function *b)
{
    if (a->first != b->first)
        return a->first < b->first;
    return a->rank != b->rank ? a->rank < b->rank : a->name < b->name;
}

static void sift(struct pe__elf_function *functions, size_t at, size_t count)
{
    struct pe__elf_function moved = functions[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_before(&functions[child], &functions[child + 1]))
            child++;
        if (!is_before(&moved, &functions[child]))
            break;
        functions[at] = functions[child];
    }
    functions[at] = moved;
}

/* In place; qsort may call malloc. */
static void sort(struct pe__elf_function *functions, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(functions, i, count);
    for (size_t last = count; last-- > 1;) {
        struct pe__elf_function largest = functions[0];
        functions[0] = functions[last];
        functions[last] = largest;
        sift(functions, 0, last);
    }
}

/* Texts of versioned symbols are NAME@VERSION or NAME@@VERSION. */
static void cut_version(char *name)
{
    char *at = strchr(name, '@');
    if (at != NULL && at != name)
        *at = '\0';
}

static void keep_functions(struct pe__elf *elf, const ElfW(Sym) *symbols, size_t count, uint64_t names_bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_function(&symbols[i], names_bytes))
            continue;
        cut_version(elf->names + symbols[i].st_name);
        elf->functions[elf->count++] = (struct pe__elf_function){ .first = symbols[i].st_value,
                                                                  .bytes = symbols[i].st_size,
                                                                  .name = symbols[i].st_name,
                                                                  .rank = rank_of(&symbols[i]) };
    }
    sort(elf->functions, elf->count);
}

static size_t count_functions(const ElfW(Sym) *symbols, size_t count, uint64_t names_bytes)
{
    size_t functions = 0;
    for (size_t i = 0; i < count; i++)
        functions += is_function(&symbols[i], names_bytes);
    return functions;
}

static int read_names(struct pe__elf *ret, const struct file *file, const ElfW(Sym) *symbols, size_t count,
                      const ElfW(Shdr) *names)
{
    size_t functions_bytes = count_functions(symbols, count, names->sh_size) * sizeof *ret->functions;
    if (functions_bytes == 0)
        return PE_ENODATA;
    *ret = (struct pe__elf){ .pages_bytes = functions_bytes + names->sh_size + 1 };
    ret->functions = pe__base_pages_new(ret->pages_bytes);
    if (ret->functions == NULL)
        return PE_ENOMEM;
    ret->names = (char *)ret->functions + functions_bytes;
    if (!read_at(file, names->sh_offset, ret->names, names->sh_size)) {
        pe__elf_free(ret);
        return PE_EINVAL;
    }
    keep_functions(ret, symbols, count, names->sh_size);
    return 0;
}

int pe__elf_read(struct pe__elf *ret, int fd)
{
    struct file file;
    ElfW(Shdr) symbols, names;
    *ret = (struct pe__elf){ 0 };
    if (!open_file(&file, fd))
        return PE_EINVAL;
    if (!find_symbols(&file, SHT_SYMTAB, &symbols, &names) && !find_symbols(&file, SHT_DYNSYM, &symbols, &names))
        return PE_ENODATA;
    size_t count = symbols.sh_size / sizeof(ElfW(Sym));
    if (count == 0)
        return PE_ENODATA;
    ElfW(Sym) *table = pe__base_pages_new(count * sizeof *table);
    if (table == NULL)
        return PE_ENOMEM;
    int result = PE_EINVAL;
    if (read_at(&file, symbols.sh_offset, table, count * sizeof *table))
        result = read_names(ret, &file, table, count, &names);
    pe__base_pages_free(table, count * sizeof *table);
    return result;
}

void pe__elf_free(struct pe__elf *elf)
{
    pe__base_pages_free(elf->functions, elf->pages_bytes);
    *elf = (struct pe__elf){ 0 };
}

const struct pe__elf_function *pe__elf_function_at(const struct pe__elf *elf, uint64_t address)
{
    size_t low = 0, high = elf->count; /* the first one behind the address */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (elf->functions[middle].first <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct pe__elf_function *function = &elf->functions[low - 1];
    while (function > elf->functions && function[-1].first == function->first)
        function--;
    return address == function->first || address - function->first < function->bytes ? function : NULL;
}
