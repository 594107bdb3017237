/* loaded.c - notes executable segments with dl_iterate_phdr, which makes no system call. */
#include "pool/loaded.h"

#include <link.h>
#include <stdlib.h>

#include <parexec/error.h>

static struct pe__loaded at_init;

struct search {
    uintptr_t address;
    bool found;
};

static int append(struct pe__loaded *loaded, uintptr_t first, uintptr_t last)
{
    /* Room grows by powers of two: the count itself tells when it is used up. */
    if ((loaded->count & (loaded->count - 1)) == 0) {
        size_t room = loaded->count != 0 ? loaded->count * 2 : 1;
        struct pe__loaded_range *ranges = realloc(loaded->ranges, room * sizeof *ranges);
        if (ranges == NULL)
            return PE_ENOMEM;
        loaded->ranges = ranges;
    }
    loaded->ranges[loaded->count++] = (struct pe__loaded_range){ first, last };
    return 0;
}

static bool is_code(const ElfW(Phdr) *segment)
{
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0;
}

static int note_object(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t first = object->dlpi_addr + segment->p_vaddr;
        if (is_code(segment) && append(context, first, first + segment->p_memsz) < 0)
            return PE_ENOMEM;
    }
    return 0;
}

static int search_object(struct dl_phdr_info *object, size_t size, void *context)
{
    struct search *search = context;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t first = object->dlpi_addr + segment->p_vaddr;
        if (is_code(segment) && search->address >= first && search->address < first + segment->p_memsz)
            search->found = true;
    }
    return search->found;
}

int pe__loaded_note(struct pe__loaded *ret)
{
    *ret = (struct pe__loaded){ 0 };
    int result = dl_iterate_phdr(note_object, ret);
    if (result < 0)
        pe__loaded_fini(ret);
    return result;
}

int pe__loaded_copy(struct pe__loaded *ret, const struct pe__loaded *from)
{
    *ret = (struct pe__loaded){ 0 };
    for (size_t i = 0; i < from->count; i++) {
        if (append(ret, from->ranges[i].first, from->ranges[i].last) < 0) {
            pe__loaded_fini(ret);
            return PE_ENOMEM;
        }
    }
    return 0;
}

void pe__loaded_fini(struct pe__loaded *loaded)
{
    free(loaded->ranges);
    *loaded = (struct pe__loaded){ 0 };
}

bool pe__loaded_has(const struct pe__loaded *loaded, uintptr_t address)
{
    for (size_t i = 0; i < loaded->count; i++)
        if (address >= loaded->ranges[i].first && address < loaded->ranges[i].last)
            return true;
    /* Code in no object at all was made at run time; nobody knows when. */
    struct search search = { .address = address };
    dl_iterate_phdr(search_object, &search);
    return !search.found;
}

const struct pe__loaded *pe__loaded_at_init(void)
{
    return at_init.count > 0 ? &at_init : NULL;
}

void pe__loaded_keep_at_init(const struct pe__loaded *loaded)
{
    pe__loaded_fini(&at_init);
    at_init = *loaded;
}
