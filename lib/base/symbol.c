/*
 * symbol.c - names from the files that were loaded, each of which is read at the first question about it.
 *
 * The dynamic loader itself knows only what libraries offer to others, not static functions, nor those of a program. It
 * is asked what lies at the address; where glibc has _dl_find_object, that takes no lock.
 *
 * Modules are kept in a list that only grows: one is filled in private pages, then pushed by one swap, so that a reader
 * sees all of it, and a child that is forked in between has a list without it. Two threads may read one file at once;
 * both are pushed then, and the first one is found. A module counts as that of the question if it lies at the same
 * addresses, came from a file of the same name and begins with the same bytes, among which are the program headers and
 * the build ID: a library that was unloaded, built again and loaded to the same place is another one. The same bytes
 * are compared with the file, which may have been replaced since it was loaded; such a module has no names.
 */
#include "base/symbol.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/elf.h"
#include "base/pages.h"

#define MODULES_MOST 1024
#define HEAD_BYTES 1024
#define REFERENCES_MOST 24

struct module {
    struct module *next;
    uint32_t number;
    uintptr_t start, bias;
    struct pe__elf elf;
    size_t head_bytes; /* 0: the file could not be read */
    unsigned char head[HEAD_BYTES];
    char asked[PATH_MAX]; /* as the loader has it; "": the program */
    char path[PATH_MAX];
};

/* What the loader says of an address. */
struct place {
    uintptr_t start, bias;
    const char *name;
};

static struct module *_Atomic modules;

#ifdef DLFO_STRUCT_HAS_EH_DBASE
static bool ask_loader(uintptr_t address, struct place *ret)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)address, &object) != 0)
        return false;
    *ret = (struct place){ (uintptr_t)object.dlfo_map_start, object.dlfo_link_map->l_addr,
                           object.dlfo_link_map->l_name };
    return true;
}
#else
struct question {
    uintptr_t address;
    struct place place;
    bool is_library; /* the program itself is the first that is asked about */
};

static int look_into(struct dl_phdr_info *module, size_t bytes, void *context)
{
    struct question *question = context;
    bool is_library = question->is_library, has_start = false;
    (void)bytes;
    question->is_library = true;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];
        uintptr_t start = module->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD)
            continue;
        if (!has_start)
            question->place = (struct place){ start, module->dlpi_addr, is_library ? module->dlpi_name : "" };
        has_start = true;
        if (question->address - start < part->p_memsz)
            return 1;
    }
    return 0;
}

static bool ask_loader(uintptr_t address, struct place *ret)
{
    struct question question = { .address = address };
    if (dl_iterate_phdr(look_into, &question) == 0)
        return false;
    *ret = question.place;
    return true;
}
#endif

static bool begins_with(const struct place *place, const unsigned char *head, size_t head_bytes)
{
    return memcmp((const void *)place->start, head, head_bytes) == 0;
}

static bool is_of(const struct module *module, const struct place *place)
{
    return module->start == place->start && module->bias == place->bias && strcmp(module->asked, place->name) == 0 &&
           begins_with(place, module->head, module->head_bytes);
}

static void read_file(struct module *module, const struct place *place)
{
    int fd = open(*place->name != '\0' ? place->name : "/proc/self/exe", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t bytes = pread(fd, module->head, sizeof module->head, 0);
    if (bytes == (ssize_t)sizeof module->head && begins_with(place, module->head, sizeof module->head)) {
        module->head_bytes = sizeof module->head;
        pe__elf_read(&module->elf, fd);
    }
    close(fd);
}

static void name_module(struct module *module, const struct place *place)
{
    strcpy(module->asked, place->name);
    strcpy(module->path, place->name);
    if (*place->name == '\0' && readlink("/proc/self/exe", module->path, sizeof module->path - 1) < 0)
        *module->path = '\0';
}

static const struct module *add_module(const struct place *place)
{
    struct module *first = atomic_load_explicit(&modules, memory_order_acquire);
    struct module *module = NULL;
    if (strlen(place->name) < PATH_MAX && (first == NULL || first->number + 1 < MODULES_MOST))
        module = pe__base_pages_new(sizeof *module);
    if (module == NULL)
        return NULL;
    module->start = place->start;
    module->bias = place->bias;
    name_module(module, place);
    read_file(module, place);
    do {
        module->next = first;
        module->number = first != NULL ? first->number + 1 : 0;
    } while (!atomic_compare_exchange_weak_explicit(&modules, &first, module, memory_order_release,
                                                    memory_order_acquire));
    return module;
}

static const struct module *module_of(const struct place *place)
{
    const struct module *module = atomic_load_explicit(&modules, memory_order_acquire);
    while (module != NULL && !is_of(module, place))
        module = module->next;
    return module != NULL ? module : add_module(place);
}

bool pe__symbol_of(uintptr_t address, struct pe__symbol *ret)
{
    struct place place;
    int error = errno;
    *ret = (struct pe__symbol){ .module = "", .place = address };
    if (!ask_loader(address, &place))
        return false;
    ret->place = address - place.bias;
    const struct module *module = module_of(&place);
    errno = error;
    if (module == NULL)
        return true;
    ret->module = module->path;
    const struct pe__elf_function *function = pe__elf_function_at(&module->elf, ret->place);
    if (function != NULL) {
        ret->name = module->elf.names + function->name;
        ret->offset = (uintptr_t)(ret->place - function->first);
    }
    return true;
}

/* Parts of a name may refer to earlier parts. Made-up names could grow by a factor with each of a few such references,
 * without an end; this many lead to some megabytes at the most. */
static bool is_of_bounded_length(const char *name)
{
    unsigned references = 0;
    for (; *name != '\0'; name++) {
        size_t number = strspn(name + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        references += (*name == 'S' || *name == 'T') && name[1 + number] == '_';
    }
    return references <= REFERENCES_MOST;
}

char *pe__symbol_demangle(const char *name)
{
    typedef char *demangle_fn(const char *, char *, size_t *, int *);
    demangle_fn *demangle;
    int status = -1;
    if (strncmp(name, "_Z", 2) != 0 || !is_of_bounded_length(name))
        return NULL;
    *(void **)&demangle = dlsym(RTLD_DEFAULT, "__cxa_demangle");
    char *readable = demangle != NULL ? demangle(name, NULL, NULL, &status) : NULL;
    if (status != 0) {
        free(readable);
        return NULL;
    }
    return readable;
}
