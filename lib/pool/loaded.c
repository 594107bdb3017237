/*
 * loaded.c - notes executable segments with dl_iterate_phdr, which makes no system call.
 *
 * Objects that the program was started with can never be unloaded. They come first in the list of objects, up to the
 * dynamic linker itself; what was loaded by dlopen comes behind. For functions of the former one look is enough, which
 * the caller remembers. For the latter the list is asked whether anything was loaded or unloaded since the last look,
 * and if so all noted ranges are looked up again.
 */
#include "pool/loaded.h"

#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <parexec/error.h>

#include "base/fd.h"
#include "base/forked.h"

/* What pe_init noted for pools from the seed. */
static pthread_mutex_t at_init_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t at_init_owner; /* see pe__base_forked_settle */
static struct pe__loaded at_init;

struct note {
    struct pe__loaded *loaded;
    uintptr_t linker;    /* where the dynamic linker lies; 0: unknown */
    size_t started_with; /* ranges of objects that are there for ever */
};

struct look {
    uintptr_t address;
    bool in_object;
};

static int append(struct pe__loaded *loaded, struct pe__loaded_range range)
{
    /* Room grows by powers of two: the count itself tells when it is used up. */
    if ((loaded->count & (loaded->count - 1)) == 0) {
        size_t room = loaded->count != 0 ? loaded->count * 2 : 1;
        struct pe__loaded_range *ranges = realloc(loaded->ranges, room * sizeof *ranges);
        if (ranges == NULL)
            return PE_ENOMEM;
        loaded->ranges = ranges;
    }
    loaded->ranges[loaded->count++] = range;
    return 0;
}

static bool is_code(const ElfW(Phdr) *segment)
{
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0;
}

static bool is_within(const struct pe__loaded_range *range, uintptr_t address)
{
    return address >= range->first && address < range->last;
}

static struct pe__loaded_range range_of(const struct dl_phdr_info *object, const ElfW(Phdr) *segment, uint64_t sum)
{
    uintptr_t first = object->dlpi_addr + segment->p_vaddr;
    return (struct pe__loaded_range){ .first = first,
                                      .last = first + segment->p_memsz,
                                      .bias = object->dlpi_addr,
                                      .object = sum,
                                      .here = true };
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (; count >= sizeof sum; count -= sizeof sum, at += sizeof sum) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 29;
    }
    for (; count > 0; count--)
        sum = (sum ^ *at++) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t sum_of(const struct dl_phdr_info *object)
{
    uint64_t sum = mix(1, object->dlpi_phdr, object->dlpi_phnum * sizeof *object->dlpi_phdr);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE)
            sum = mix(sum, (const void *)(object->dlpi_addr + segment->p_vaddr), segment->p_memsz);
    }
    return sum != 0 ? sum : 1;
}

static unsigned long long changes_of(const struct dl_phdr_info *object)
{
    return object->dlpi_adds + object->dlpi_subs;
}

static int note_object(struct dl_phdr_info *object, size_t size, void *context)
{
    struct note *note = context;
    struct pe__loaded *loaded = note->loaded;
    bool is_program = loaded->count == 0;
    uint64_t sum = sum_of(object);
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (is_code(segment) && append(loaded, range_of(object, segment, sum)) < 0)
            return PE_ENOMEM;
    }
    if (is_program || (note->linker != 0 && object->dlpi_addr == note->linker))
        note->started_with = loaded->count;
    loaded->changes = changes_of(object);
    return 0;
}

int pe__loaded_note(struct pe__loaded *ret)
{
    struct note note = { .loaded = ret, .linker = getauxval(AT_BASE) };
    *ret = (struct pe__loaded){ 0 };
    int result = dl_iterate_phdr(note_object, &note);
    if (result < 0)
        pe__loaded_fini(ret);
    for (size_t i = 0; result == 0 && i < note.started_with; i++)
        ret->ranges[i].object = 0;
    return result;
}

static int copy(struct pe__loaded *ret, const struct pe__loaded *from)
{
    *ret = (struct pe__loaded){ .changes = from->changes };
    for (size_t i = 0; i < from->count; i++) {
        if (append(ret, from->ranges[i]) < 0) {
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

static int has_changed(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    return changes_of(object) != ((struct pe__loaded *)context)->changes ? 1 : 2;
}

static int find_object_again(struct dl_phdr_info *object, size_t size, void *context)
{
    struct pe__loaded *loaded = context;
    uint64_t sum = sum_of(object);
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        struct pe__loaded_range now = range_of(object, &object->dlpi_phdr[i], sum);
        for (size_t k = 0; is_code(&object->dlpi_phdr[i]) && k < loaded->count; k++)
            if (loaded->ranges[k].first == now.first && loaded->ranges[k].object == now.object)
                loaded->ranges[k].here = true;
    }
    loaded->changes = changes_of(object);
    return 0;
}

static void look_again(struct pe__loaded *loaded)
{
    if (dl_iterate_phdr(has_changed, loaded) != 1)
        return;
    for (size_t i = 0; i < loaded->count; i++)
        loaded->ranges[i].here = false;
    dl_iterate_phdr(find_object_again, loaded);
}

int pe__loaded_copy_here(struct pe__loaded *ret, struct pe__loaded *from)
{
    look_again(from);
    *ret = (struct pe__loaded){ .changes = from->changes };
    for (size_t i = 0; i < from->count; i++) {
        if ((from->ranges[i].here || from->ranges[i].object == 0) && append(ret, from->ranges[i]) < 0) {
            pe__loaded_fini(ret);
            return PE_ENOMEM;
        }
    }
    return 0;
}

const struct pe__loaded_range *pe__loaded_range_of(const struct pe__loaded *loaded, uintptr_t address)
{
    for (size_t i = 0; i < loaded->count; i++)
        if (is_within(&loaded->ranges[i], address))
            return &loaded->ranges[i];
    return NULL;
}

static int search_object(struct dl_phdr_info *object, size_t size, void *context)
{
    struct look *look = context;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum && !look->in_object; i++) {
        struct pe__loaded_range range = range_of(object, &object->dlpi_phdr[i], 0);
        look->in_object = is_code(&object->dlpi_phdr[i]) && is_within(&range, look->address);
    }
    return look->in_object;
}

static bool is_in_object(uintptr_t address)
{
    struct look look = { .address = address };
    dl_iterate_phdr(search_object, &look);
    return look.in_object;
}

/* In the keeper's memory. An empty range: there is nothing; false: it cannot be asked. */
static bool ask_keeper(pid_t keeper, uintptr_t address, struct pe__loaded_range *ret)
{
    char path[32], line[512], execute;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)keeper);
    int fd = pe__base_fd_raise(open(path, O_RDONLY | O_CLOEXEC));
    FILE *maps = fd >= 0 ? fdopen(fd, "r") : NULL;
    *ret = (struct pe__loaded_range){ .here = true };
    if (maps == NULL) {
        pe__base_fd_close(fd);
        return false;
    }
    while (ret->last == 0 && fgets(line, sizeof line, maps) != NULL) {
        struct pe__loaded_range range = { .here = true };
        /* NOLINTNEXTLINE(cert-err34-c): the kernel writes addresses, which fit */
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*2c%c", &range.first, &range.last, &execute) == 3 &&
            execute == 'x' && is_within(&range, address))
            *ret = range;
    }
    fclose(maps);
    return true;
}

static bool has_generated(struct pe__loaded *loaded, uintptr_t address, pid_t keeper)
{
    struct pe__loaded_range range;
    if (keeper == 0 || !ask_keeper(keeper, address, &range))
        return true; /* nobody knows better */
    return range.last != 0 && append(loaded, range) == 0;
}

bool pe__loaded_has(struct pe__loaded *loaded, uintptr_t address, pid_t keeper, bool *ret_for_ever)
{
    const struct pe__loaded_range *range = pe__loaded_range_of(loaded, address);
    *ret_for_ever = range == NULL || range->object == 0;
    if (range == NULL)
        return !is_in_object(address) && has_generated(loaded, address, keeper);
    if (range->object == 0)
        return true;
    look_again(loaded);
    return range->here;
}

/* A child has no seed, so what its parent has noted is nothing to it. */
static void make_at_init_anew(void)
{
    pthread_mutex_init(&at_init_mutex, NULL);
    at_init = (struct pe__loaded){ 0 };
}

static void lock_at_init(void)
{
    pe__base_forked_settle(&at_init_owner, make_at_init_anew);
    pthread_mutex_lock(&at_init_mutex);
}

int pe__loaded_copy_at_init(struct pe__loaded *ret)
{
    lock_at_init();
    int result = at_init.count > 0 ? copy(ret, &at_init) : PE_EINVAL;
    pthread_mutex_unlock(&at_init_mutex);
    return result;
}

void pe__loaded_keep_at_init(const struct pe__loaded *loaded)
{
    lock_at_init();
    pe__loaded_fini(&at_init);
    at_init = *loaded;
    pthread_mutex_unlock(&at_init_mutex);
}

/* When the library is unloaded, and when the program exits; threads may still be at work then. */
__attribute__((destructor)) static void drop_at_init(void)
{
    if (pthread_mutex_trylock(&at_init_mutex) != 0)
        return;
    pe__loaded_fini(&at_init);
    pthread_mutex_unlock(&at_init_mutex);
}
