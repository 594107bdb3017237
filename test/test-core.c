/*
 * Core dumps of workers: what is in them, that they are small, and that they tell of the same death whether or not the
 * worker has a handler for it.
 */
#include "harness/harness.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/pool.h"
#include "harness/process.h"
#include "pool/pool.h"

#define MIB ((size_t)1048576)
/* A core that is much too large is cut here. */
#define LIMIT_BYTES (256 * MIB)
#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif

/* ---- which parts of memory are to be in a core ---- */

/* 1 or 0; -1 where the system does not tell. */
static int is_dumped(uintptr_t at)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    uintptr_t start, end;
    int is_in = 0, dumped = -1;
    char line[600];

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            is_in = at >= start && at < end;
        else if (is_in && strncmp(line, "VmFlags:", 8) == 0)
            dumped = strstr(line, " dd") == NULL;
    }
    if (maps != NULL)
        fclose(maps);
    return dumped;
}

enum { PLACES = 9, PLACES_DUMPED = 4 };

struct places {
    uintptr_t at[PLACES];
};

static struct places places_of(pe_pool *pool)
{
    const struct pe__shared *s = &pool->shared;
    struct places places = { { (uintptr_t)s->config, (uintptr_t)s->slots, (uintptr_t)s->records,
                               (uintptr_t)s->records_more,
                               /* From here on they are not. The parts in front reach up to 64 KiB into the first. */
                               (uintptr_t)s->texts + 65536, (uintptr_t)s->outputs, (uintptr_t)s->block_words,
                               (uintptr_t)pool_shared(pool, 1), (uintptr_t)s->base + s->bytes - 1 } };

    return places;
}

static int job_counts_wrong(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct places places;
    int wrong = 0;

    (void)arg_bytes, (void)reply;
    memcpy(&places, arg, sizeof places);
    for (int i = 0; i < PLACES; i++)
        wrong += is_dumped(places.at[i]) != (i < PLACES_DUMPED);
    return wrong;
}

static pe_pool *core_pool(uint32_t flags, uint64_t output_bytes, uint64_t queue_jobs)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = 1;
    options.flags = flags;
    options.output_bytes = output_bytes;
    options.queue_jobs = queue_jobs;
    if (flags == PE_POOL_FROM_SEED)
        process_start_seed();
    return pool_with(options);
}

/* In the host, and in workers of its own and of the seed. */
PE_TEST_LOOP(what_is_reserved_is_in_no_core, 0, 2)
{
    if (is_dumped((uintptr_t)&_i) < 0)
        HARNESS_SKIP("/proc/self/smaps has no VmFlags");
    pe_pool *pool = core_pool(_i == 0 ? 0 : PE_POOL_FROM_SEED, 4096, 0);
    struct places places = places_of(pool);

    for (int i = 0; i < PLACES; i++)
        ck_assert_msg(is_dumped(places.at[i]) == (i < PLACES_DUMPED), "%d", i);
    pe_job *job = pool_submit(pool, job_counts_wrong, &places, sizeof places);
    job_assert_ended(job, PE_RETURNED, 0);
    pe_job_free(job);
    pool_end(pool);
}

/* ---- a core, read ---- */

struct core {
    int fd;
    struct stat file;
    ElfW(Ehdr) head;
    ElfW(Phdr) parts[256];
    siginfo_t info;
    prstatus_t status;
};

static void read_notes(struct core *core, const ElfW(Phdr) *part)
{
    static char notes[MIB];
    size_t bytes = part->p_filesz < sizeof notes ? part->p_filesz : sizeof notes, at = 0;

    ck_assert_int_eq(pread(core->fd, notes, bytes, (off_t)part->p_offset), (ssize_t)bytes);
    while (at + sizeof(ElfW(Nhdr)) <= bytes) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof note);
        const char *data = notes + at + sizeof note + (note.n_namesz + 3) / 4 * 4;
        if (note.n_type == NT_SIGINFO)
            memcpy(&core->info, data, sizeof core->info);
        if (note.n_type == NT_PRSTATUS && core->status.pr_pid == 0) /* the thread that died comes first */
            memcpy(&core->status, data, sizeof core->status);
        at += sizeof note + (note.n_namesz + 3) / 4 * 4 + (note.n_descsz + 3) / 4 * 4;
    }
}

/* The only file of the directory; both are gone afterwards. */
static void core_open(struct core *core, const char *directory)
{
    char path[400] = "";
    DIR *files = opendir(directory);

    ck_assert_ptr_nonnull(files);
    for (struct dirent *file; (file = readdir(files)) != NULL;)
        if (file->d_name[0] != '.')
            snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
    closedir(files);
    memset(core, 0, sizeof *core);
    core->fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(core->fd >= 0, "no core");
    unlink(path);
    rmdir(directory);
    ck_assert_int_eq(fstat(core->fd, &core->file), 0);
    ck_assert_int_eq(pread(core->fd, &core->head, sizeof core->head, 0), (ssize_t)sizeof core->head);
    ck_assert_int_le(core->head.e_phnum, 256);
    size_t bytes = core->head.e_phnum * sizeof *core->parts;
    ck_assert_int_eq(pread(core->fd, core->parts, bytes, (off_t)core->head.e_phoff), (ssize_t)bytes);
    for (int i = 0; i < core->head.e_phnum; i++)
        if (core->parts[i].p_type == PT_NOTE)
            read_notes(core, &core->parts[i]);
}

/* What memory held; false: it is not in the core. */
static int core_read(const struct core *core, const volatile void *at, void *ret, size_t bytes)
{
    for (int i = 0; i < core->head.e_phnum; i++) {
        const ElfW(Phdr) *part = &core->parts[i];
        uintptr_t from = (uintptr_t)at - part->p_vaddr;
        if (part->p_type == PT_LOAD && (uintptr_t)at >= part->p_vaddr && from + bytes <= part->p_filesz)
            return pread(core->fd, ret, bytes, (off_t)(part->p_offset + from)) == (ssize_t)bytes;
    }
    return 0;
}

/* ---- workers that leave one ---- */

#define NO_SANITIZER __attribute__((no_sanitize("address", "undefined"), noinline))

static volatile uintptr_t nowhere = 16;

NO_SANITIZER static void writes_nowhere(void)
{
    *(volatile int *)nowhere = 1;
}

struct last_words {
    char directory[40];
    void *dumped; /* a page of the pool that is to be in the core, or NULL */
};

static char own_words[] = "said by nobody yet";

static int job_leaves_a_core(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct rlimit enough = { LIMIT_BYTES, LIMIT_BYTES };
    struct last_words words;

    (void)arg_bytes, (void)reply;
    memcpy(&words, arg, sizeof words);
    strcpy(own_words, "said by the worker");
    if (words.dumped != NULL && madvise(words.dumped, 4096, MADV_DODUMP) < 0)
        return 2;
    if (setrlimit(RLIMIT_CORE, &enough) < 0 || chdir(words.directory) < 0)
        return 1;
    writes_nowhere();
    return 0;
}

/* The reason why a core would not be found; NULL: none. */
static const char *no_cores(void)
{
    static char pattern[200];
    struct rlimit limit;
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
    int known = file != NULL && fgets(pattern, sizeof pattern, file) != NULL;

    if (file != NULL)
        fclose(file);
    if (harness_valgrind())
        return "valgrind writes cores of its own";
    if (!known)
        return "core_pattern cannot be read";
    if (pattern[0] == '|' || pattern[0] == '@' || pattern[0] == '\n' || strchr(pattern, '/') != NULL)
        return "cores do not go to the directory of their process here";
    if (getrlimit(RLIMIT_CORE, &limit) < 0 || (limit.rlim_max < LIMIT_BYTES && geteuid() != 0))
        return "there is a limit on the size of cores";
    return NULL;
}

static void leave_a_core(pe_pool *pool, struct last_words *words, struct core *ret)
{
    strcpy(words->directory, "/tmp/test-core-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(words->directory));
    pe_job *job = pool_submit(pool, job_leaves_a_core, words, sizeof *words);
    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    pe_job_free(job);
    core_open(ret, words->directory);
}

/* The machine's own registers tell where it was. */
static void assert_place(const struct core *core)
{
#if defined(__x86_64__)
    struct user_regs_struct registers;
    memcpy(&registers, core->status.pr_reg, sizeof registers);
    ck_assert_uint_ge(registers.rip, (uintptr_t)writes_nowhere);
    ck_assert_uint_lt(registers.rip, (uintptr_t)writes_nowhere + 200);
#endif
    ck_assert_int_eq(core->info.si_signo, SIGSEGV);
    ck_assert_int_eq(core->info.si_code, SEGV_MAPERR);
    ck_assert_uint_eq((uintptr_t)core->info.si_addr, nowhere);
    ck_assert_int_eq(core->status.pr_cursig, SIGSEGV);
}

/* As any process leaves it, whether or not a handler has noted the death before; and again by the one after. */
PE_TEST_LOOP(p37_cores_are_small_and_tell_of_the_death, 0, 4)
{
    static const uint32_t flags[] = { 0, PE_POOL_BACKTRACE, PE_POOL_FROM_SEED, 0 };
    const bool is_wide = sizeof(void *) > 4;
    const uint64_t most_output = is_wide ? PE_OUTPUT_BYTES_MAX : 4096, most_jobs = is_wide ? 100000 : 10000;
    const char *reason = no_cores();
    struct last_words words = { .dumped = NULL };
    struct pe__config config;
    struct core core;
    char said[sizeof own_words];

    if (reason != NULL)
        HARNESS_SKIP("%s", reason);
    pe_pool *pool = core_pool(flags[_i], _i == 3 ? most_output : 0, _i == 3 ? most_jobs : 0);
    for (int round = 0; round < 2; round++) {
        leave_a_core(pool, &words, &core);
        assert_place(&core);
        ck_assert(core_read(&core, own_words, said, sizeof said));
        ck_assert_str_eq(said, "said by the worker");
        ck_assert(core_read(&core, pool->shared.config, &config, sizeof config));
        ck_assert_uint_eq(config.magic, PE__MAPPING_MAGIC);
#if !defined(__SANITIZE_ADDRESS__)
        ck_assert_uint_lt((size_t)core.file.st_blocks * 512, 64 * MIB);
        ck_assert_uint_lt(core.file.st_size, 64 * MIB);
#endif
        printf("# %d: %.1f MiB\n", _i, (double)core.file.st_blocks * 512 / MIB);
        close(core.fd);
    }
    pool_end(pool);
}

/* Memory of pe_pool_alloc is left out, unless a worker says that it wants it. */
PE_TEST(memory_of_the_pool_on_demand)
{
    const char *reason = no_cores();
    struct last_words words = { .dumped = NULL };
    struct core core;

    if (reason != NULL)
        HARNESS_SKIP("%s", reason);
    pe_pool *pool = core_pool(0, 0, 0);
    char *memory = pool_shared(pool, 8192), *page = memory + (4096 - (uintptr_t)memory % 4096) % 4096, is[6] = "";
    strcpy(page, "array");
    for (int round = 0; round < 2; round++) {
        words.dumped = round == 0 ? NULL : page;
        leave_a_core(pool, &words, &core);
        ck_assert_int_eq(core_read(&core, page, is, sizeof is), round);
        close(core.fd);
    }
    ck_assert_str_eq(is, "array");
    pool_end(pool);
}

HARNESS_MAIN("core")
