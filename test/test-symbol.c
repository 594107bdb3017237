/*
 * Names of functions from the files that they were loaded from: what is found, and what a damaged, a stripped or a
 * replaced file leads to.
 */
#include "harness/harness.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/elf.h"
#include "base/symbol.h"

/* ---- what is loaded ---- */

__attribute__((noinline)) static int is_static(int number)
{
    __asm__ volatile("" : "+r"(number));
    return number + 1;
}

static void assert_named(uintptr_t address, const char *name, uintptr_t offset)
{
    struct pe__symbol symbol;

    ck_assert(pe__symbol_of(address, &symbol));
    ck_assert_ptr_nonnull(symbol.name);
    ck_assert_str_eq(symbol.name, name);
    ck_assert_uint_eq(symbol.offset, offset);
}

PE_TEST(functions_have_names)
{
    struct pe__symbol symbol;
    Dl_info info;

    assert_named((uintptr_t)is_static, "is_static", 0);
    assert_named((uintptr_t)is_static + 1, "is_static", 1);
    ck_assert(pe__symbol_of((uintptr_t)is_static, &symbol));
    ck_assert_ptr_nonnull(strstr(symbol.module, "/test-symbol"));
    /* Of libraries too, here of a stripped one, and the loader agrees. */
    ck_assert(pe__symbol_of((uintptr_t)dlsym(RTLD_DEFAULT, "setvbuf"), &symbol));
    ck_assert_ptr_nonnull(strstr(symbol.name, "setvbuf"));
    ck_assert_int_ne(dladdr(dlsym(RTLD_DEFAULT, "setvbuf"), &info), 0);
    ck_assert_str_eq(symbol.module, info.dli_fname);
    ck_assert_uint_eq(symbol.place, (uintptr_t)info.dli_saddr - (uintptr_t)info.dli_fbase);
}

PE_TEST(nothing_is_loaded_there)
{
    struct pe__symbol symbol;
    char *heap = malloc(16);
    uintptr_t nowhere[] = { 0, 1, UINTPTR_MAX, (uintptr_t)heap, (uintptr_t)&heap };

    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        ck_assert(!pe__symbol_of(nowhere[i], &symbol));
        ck_assert_ptr_null(symbol.name);
        ck_assert_str_eq(symbol.module, "");
        ck_assert_uint_eq(symbol.place, nowhere[i]);
    }
    free(heap);
}

/* In an object, in no function: its data. */
PE_TEST(data_is_no_function)
{
    static int number;
    struct pe__symbol symbol;

    ck_assert(pe__symbol_of((uintptr_t)&number, &symbol));
    ck_assert_ptr_null(symbol.name);
    ck_assert_ptr_nonnull(strstr(symbol.module, "/test-symbol"));
}

static void *ask_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        assert_named((uintptr_t)is_static, "is_static", 0);
    return NULL;
}

PE_TEST(threads_ask_for_the_first_time)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static const char no_cpp[] = "no C++ library for this C library";

static bool cpp_is_there(void)
{
    bool is_there = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL) != NULL;

#if defined(__GLIBC__) && defined(__x86_64__)
    ck_assert(is_there);
#endif
    return is_there;
}

PE_TEST(names_are_readable_where_there_is_cpp)
{
    ck_assert_ptr_null(pe__symbol_demangle("main"));
    ck_assert_ptr_null(pe__symbol_demangle("_Z"));
    ck_assert_ptr_null(pe__symbol_demangle(""));
    if (!cpp_is_there())
        HARNESS_SKIP("%s", no_cpp);
    char *name = pe__symbol_demangle("_ZN3oak4leafIiE4fallEd");
    ck_assert_ptr_nonnull(name);
    ck_assert_str_eq(name, "oak::leaf<int>::fall(double)");
    free(name);
    ck_assert_ptr_null(pe__symbol_demangle("_Znot a name"));
}

/* Each of these steps would double what is written so far. */
PE_TEST(made_up_names_do_not_grow)
{
    char name[300], *at;

    if (!cpp_is_there())
        HARNESS_SKIP("%s", no_cpp);
    at = stpcpy(name, "_Z1fI");
    for (int i = 0; i < 40; i++)
        at = stpcpy(at, i == 0 ? "1a" : i % 2 ? "S_" : "S0_");
    stpcpy(at, "Evv");
    ck_assert_ptr_null(pe__symbol_demangle(name));
    stpcpy(name, "_Z1fI1aS0_S0_Evv");
    char *readable = pe__symbol_demangle(name);
    ck_assert_str_eq(readable, "void f<a, a, a>()");
    free(readable);
}

/* ---- a library that comes and goes ---- */

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t bytes;

    ck_assert(in != NULL && out != NULL);
    while ((bytes = fread(buffer, 1, sizeof buffer, in)) > 0)
        ck_assert_uint_eq(fwrite(buffer, 1, bytes, out), bytes);
    ck_assert_int_eq(fclose(in) | fclose(out), 0);
}

PE_TEST(a_library_is_loaded_late)
{
    void *library = dlopen(LIBRARY_FIRST, RTLD_NOW);
    uintptr_t address = (uintptr_t)dlsym(library, "late_item");
    struct pe__symbol symbol;

    ck_assert_ptr_nonnull(library);
    assert_named(address, "late_item", 0);
    ck_assert(pe__symbol_of(address, &symbol));
    ck_assert_str_eq(symbol.module, LIBRARY_FIRST);
    dlclose(library);
#ifdef __GLIBC__ /* musl keeps what was loaded */
    ck_assert(!pe__symbol_of(address, &symbol));
#endif
}

/* A file that is not the one that was loaded says nothing. */
PE_TEST(a_file_was_replaced)
{
    char path[] = "/tmp/test-symbol-XXXXXX";
    struct pe__symbol symbol;

    close(mkstemp(path));
    copy_file(LIBRARY_FIRST, path);
    void *library = dlopen(path, RTLD_NOW);
    ck_assert_ptr_nonnull(library);
    ck_assert_int_eq(unlink(path), 0);
    copy_file(LIBRARY_OTHER, path);
    ck_assert(pe__symbol_of((uintptr_t)dlsym(library, "late_item"), &symbol));
    ck_assert_ptr_null(symbol.name);
    ck_assert_str_eq(symbol.module, path);
    ck_assert_uint_ne(symbol.place, 0);
    dlclose(library);
    unlink(path);
}

/* ---- files of all kinds ---- */

struct image {
    unsigned char *bytes;
    size_t count;
    int fd;
};

static void image_open(struct image *image)
{
    FILE *file = fopen(LIBRARY_FIRST, "r");
    struct stat status;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &status), 0);
    image->count = (size_t)status.st_size;
    image->bytes = malloc(image->count);
    ck_assert_uint_eq(fread(image->bytes, 1, image->count, file), image->count);
    fclose(file);
    image->fd = memfd_create("image", MFD_CLOEXEC);
    ck_assert_int_ge(image->fd, 0);
}

static void image_close(struct image *image)
{
    free(image->bytes);
    close(image->fd);
}

static ElfW(Ehdr) *head_of(const struct image *image)
{
    return (ElfW(Ehdr) *)image->bytes;
}

static ElfW(Shdr) *section_of(const struct image *image, uint32_t type)
{
    ElfW(Shdr) *sections = (ElfW(Shdr) *)(image->bytes + head_of(image)->e_shoff);

    for (unsigned i = 0; i < head_of(image)->e_shnum; i++)
        if (sections[i].sh_type == type)
            return &sections[i];
    ck_abort_msg("no section of type %u", type);
}

static int image_read(const struct image *image, size_t bytes, struct pe__elf *ret)
{
    ck_assert_int_eq(ftruncate(image->fd, 0), 0);
    ck_assert_int_eq(pwrite(image->fd, image->bytes, bytes, 0), (ssize_t)bytes);
    return pe__elf_read(ret, image->fd);
}

static bool image_names(const struct image *image, const char *name)
{
    struct pe__elf elf;
    bool found = false;

    if (image_read(image, image->count, &elf) < 0)
        return false;
    for (size_t i = 0; i < elf.count; i++) {
        const char *have = elf.names + elf.functions[i].name;
        /* Among those of one address the first is given. */
        if (strcmp(have, name) == 0)
            found = pe__elf_function_at(&elf, elf.functions[i].first) != NULL;
    }
    pe__elf_free(&elf);
    return found;
}

PE_TEST(a_stripped_file_names_what_it_exports)
{
    struct image image;
    struct pe__elf elf;

    image_open(&image);
    ck_assert(image_names(&image, "late_item"));
    ck_assert(image_names(&image, "frame_dummy")); /* a static one */
    section_of(&image, SHT_SYMTAB)->sh_type = SHT_NULL;
    ck_assert(image_names(&image, "late_item"));
    ck_assert(!image_names(&image, "frame_dummy"));
    section_of(&image, SHT_DYNSYM)->sh_type = SHT_NULL;
    ck_assert_int_eq(image_read(&image, image.count, &elf), PE_ENODATA);
    ck_assert_ptr_null(pe__elf_function_at(&elf, 0x1000));
    head_of(&image)->e_shoff = 0;
    ck_assert_int_eq(image_read(&image, image.count, &elf), PE_ENODATA);
    image_close(&image);
}

enum damage { MAGIC, CLASS, ORDER, ENTRY_SIZE, SECTIONS_FAR, SECTIONS_MANY, SYMBOLS_FAR, SYMBOLS_LONG, SYMBOL_SIZE,
              LINK_FAR, LINK_OTHER, NAMES_FAR, NAMES_LONG, NAME_FAR, SYMBOLS_NONE, DAMAGES };

static void damage(struct image *image, enum damage kind)
{
    ElfW(Ehdr) *head = head_of(image);
    ElfW(Shdr) *symbols = section_of(image, SHT_SYMTAB);
    ElfW(Shdr) *names = (ElfW(Shdr) *)(image->bytes + head->e_shoff) + symbols->sh_link;
    ElfW(Sym) *first = (ElfW(Sym) *)(image->bytes + symbols->sh_offset);

    section_of(image, SHT_DYNSYM)->sh_type = SHT_NULL;
    switch (kind) {
    case MAGIC: head->e_ident[1] = 'e'; break;
    case CLASS: head->e_ident[EI_CLASS] ^= 3; break;
    case ORDER: head->e_ident[EI_DATA] ^= 3; break;
    case ENTRY_SIZE: head->e_shentsize--; break;
    case SECTIONS_FAR: head->e_shoff = UINTPTR_MAX - 63; break;
    case SECTIONS_MANY: head->e_shnum = UINT16_MAX; break;
    case SYMBOLS_FAR: symbols->sh_offset = UINTPTR_MAX; break;
    case SYMBOLS_LONG: symbols->sh_size = image->count; break;
    case SYMBOL_SIZE: symbols->sh_entsize++; break;
    case LINK_FAR: symbols->sh_link = UINT32_MAX; break;
    case LINK_OTHER: symbols->sh_link = 1; break;
    case NAMES_FAR: names->sh_offset = image->count; break;
    case NAMES_LONG: names->sh_size = UINTPTR_MAX; break;
    case NAME_FAR:
        for (size_t i = 0; i < symbols->sh_size / sizeof *first; i++)
            first[i].st_name |= 0x800000;
        break;
    case SYMBOLS_NONE: symbols->sh_size = 1; break;
    case DAMAGES: break;
    }
}

PE_TEST_LOOP(a_damaged_file_names_nothing, 0, DAMAGES)
{
    struct image image;
    struct pe__elf elf;

    image_open(&image);
    damage(&image, (enum damage)_i);
    int result = image_read(&image, image.count, &elf);
    ck_assert(result == PE_EINVAL || result == PE_ENODATA);
    ck_assert_ptr_null(elf.functions);
    ck_assert_ptr_null(pe__elf_function_at(&elf, 0x1000));
    image_close(&image);
}

/* Texts without a final zero, as far as the file goes. */
PE_TEST(names_are_not_ended)
{
    struct image image;
    struct pe__elf elf;

    image_open(&image);
    ElfW(Shdr) *symbols = section_of(&image, SHT_SYMTAB);
    ElfW(Shdr) *names = (ElfW(Shdr) *)(image.bytes + head_of(&image)->e_shoff) + symbols->sh_link;
    memset(image.bytes + names->sh_offset, 'x', names->sh_size);
    ck_assert_int_eq(image_read(&image, image.count, &elf), 0);
    for (size_t i = 0; i < elf.count; i++)
        ck_assert_uint_eq(strlen(elf.names + elf.functions[i].name), names->sh_size - elf.functions[i].name);
    pe__elf_free(&elf);
    image_close(&image);
}

static void walk(const struct pe__elf *elf)
{
    size_t texts = 0;

    for (size_t i = 0; i < elf->count; i++) {
        texts += strlen(elf->names + elf->functions[i].name);
        ck_assert(i == 0 || elf->functions[i - 1].first <= elf->functions[i].first);
        pe__elf_function_at(elf, elf->functions[i].first + 1);
    }
    pe__elf_function_at(elf, 0);
    pe__elf_function_at(elf, UINT64_MAX);
    ck_assert(elf->count == 0 || elf->names != NULL || texts == 0);
}

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *state >> 33;
}

/* Random bytes in random places, mostly in what is read, and files that end anywhere. */
PE_TEST(files_are_damaged_at_random)
{
    struct image image;
    struct pe__elf elf;
    uint64_t state = 7;
    int rounds = harness_long() ? 200000 : 4000, read = 0;

    image_open(&image);
    unsigned char *whole = malloc(image.count);
    memcpy(whole, image.bytes, image.count);
    const ElfW(Shdr) *symbols = section_of(&image, SHT_SYMTAB);
    const size_t places[][2] = { { 0, sizeof(ElfW(Ehdr)) },
                                 { head_of(&image)->e_shoff, head_of(&image)->e_shnum * sizeof *symbols },
                                 { symbols->sh_offset, symbols->sh_size },
                                 { 0, image.count } };
    for (int round = 0; round < rounds; round++) {
        memcpy(image.bytes, whole, image.count);
        for (uint64_t k = 1 + draw(&state) % 6; k > 0; k--) {
            const size_t *place = places[draw(&state) % 4];
            image.bytes[place[0] + draw(&state) % place[1]] = (unsigned char)draw(&state);
        }
        size_t bytes = draw(&state) % 4 != 0 ? image.count : draw(&state) % image.count;
        if (image_read(&image, bytes, &elf) == 0) {
            walk(&elf);
            read++;
        }
        pe__elf_free(&elf);
    }
    ck_assert_int_gt(read, rounds / 10);
    ck_assert_int_lt(read, rounds);
    free(whole);
    image_close(&image);
}

PE_TEST(what_is_no_file)
{
    struct pe__elf elf;
    int ends[2];

    ck_assert_int_eq(pe__elf_read(&elf, -1), PE_EINVAL);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(pe__elf_read(&elf, ends[0]), PE_EINVAL);
    close(ends[0]);
    close(ends[1]);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(pe__elf_read(&elf, fd), PE_EINVAL);
    close(fd);
}

HARNESS_MAIN("symbol")
