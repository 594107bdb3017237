/*
 * Output of jobs and items caught and attached to their endings (P18): from whichever way of writing and of ending, to
 * the right one, no more of it than was asked for, and none of it anywhere else.
 */
#include "harness/harness.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/pool.h>

#include "harness/gate.h"
#include "harness/pool.h"
#include "harness/process.h"

#define MIB ((size_t)1048576)

static pe_pool *output_pool(uint32_t workers, uint64_t bytes, uint32_t flags)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = workers;
    options.output_bytes = bytes;
    options.flags = flags;
    options.grace_ns = PE_MS(5);
    return pool_with(options);
}

/* NULL: there is none. */
static const char *output_of(const pe_job *job, uint64_t item, size_t *ret_bytes)
{
    const char *text = NULL;
    int result = pe_job_item_text(job, item, PE_TEXT_OUTPUT, &text, ret_bytes);

    ck_assert(result == 0 || result == PE_ENODATA);
    if (result == 0)
        ck_assert_int_eq(text[*ret_bytes], '\0');
    return text;
}

static void assert_output(const pe_job *job, uint64_t item, const char *wanted)
{
    size_t bytes = 0;
    const char *text = output_of(job, item, &bytes);

    if (wanted == NULL) {
        ck_assert_msg(text == NULL, "%s", text);
        return;
    }
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(text, wanted);
    ck_assert_uint_eq(bytes, strlen(wanted));
}

static void print(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
}

/* ---- ways to write, and to end ---- */

enum way {
    WRITES,
    WRITES_TO_BOTH,
    PRINTS,
    HAS_A_CHILD,
    FAILS,
    EXITS,
    EXITS_AT_ONCE,
    CRASHES,
    CRASHES_WITH_BUFFER,
    IS_KILLED,
    SAYS_NOTHING,
    WAYS
};

static const char *const outputs[WAYS] = {
    [WRITES] = "written\n",
    [WRITES_TO_BOTH] = "one two",
    [PRINTS] = "printed and flushed",
    [HAS_A_CHILD] = "mother child\n",
    [FAILS] = "failing",
    [EXITS] = "buffered at exit",
    [EXITS_AT_ONCE] = "before _exit",
    [CRASHES] = "before the crash",
    [CRASHES_WITH_BUFFER] = "flushed;",
    [IS_KILLED] = "before the kill",
};

static void write_in(enum way way)
{
    switch (way) {
    case WRITES: print(1, outputs[way]); break;
    case WRITES_TO_BOTH: print(1, "one "); print(2, "two"); break;
    case PRINTS:
        printf("%s", "printed and ");
        fflush(stdout);
        fputs("flushed", stdout);
        break;
    case HAS_A_CHILD:
        print(1, "mother ");
        if (system("echo child") != 0)
            abort();
        break;
    case EXITS: fputs(outputs[way], stdout); exit(3);
    case EXITS_AT_ONCE: print(2, outputs[way]); _exit(4);
    case CRASHES: print(1, outputs[way]); raise(SIGSEGV); break;
    case CRASHES_WITH_BUFFER:
        printf("flushed;");
        fflush(stdout);
        printf("lost");
        raise(SIGSEGV);
        break;
    case IS_KILLED: print(1, outputs[way]); raise(SIGKILL); break;
    case FAILS: fputs(outputs[way], stdout); break;
    default: break;
    }
}

static int job_writes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    enum way way;

    (void)arg_bytes, (void)reply;
    memcpy(&way, arg, sizeof way);
    write_in(way);
    return way == FAILS ? pe_worker_fail(7, "seven") : 0;
}

/* What workers write while these are in force would be seen in the file. */
struct own_output {
    int file, saved[2];
};

static struct own_output own_output_begin(void)
{
    char name[] = "/tmp/test-output-XXXXXX";
    struct own_output own = { .file = mkstemp(name), .saved = { dup(1), dup(2) } };

    unlink(name);
    dup2(own.file, 1);
    dup2(own.file, 2);
    return own;
}

static off_t own_output_end(struct own_output *own)
{
    off_t printed = lseek(own->file, 0, SEEK_END);

    for (int fd = 1; fd <= 2; fd++) {
        dup2(own->saved[fd - 1], fd);
        close(own->saved[fd - 1]);
    }
    close(own->file);
    return printed;
}

/* Each twice, and a silent one in between: nobody gets what is another's. */
PE_TEST_LOOP(p18_output_of_a_job, 0, WAYS)
{
    struct own_output own = own_output_begin();
    pe_pool *pool = output_pool(1, 4096, 0);
    enum way ways[3] = { (enum way)_i, SAYS_NOTHING, (enum way)_i };
    pe_job *jobs[3];

    for (int i = 0; i < 3; i++)
        jobs[i] = pool_submit(pool, job_writes, &ways[i], sizeof ways[i]);
    for (int i = 0; i < 3; i++)
        job_ended(jobs[i]);
    ck_assert_int_eq((int)own_output_end(&own), 0);
    for (int i = 0; i < 3; i++) {
        assert_output(jobs[i], 0, outputs[ways[i]]);
        pe_job_free(jobs[i]);
    }
    pool_end(pool);
}

static int item_writes(const void *in, void *out, const void *context)
{
    uint64_t item = pe_worker_item();

    (void)in, (void)out, (void)context;
    if (item % 3 == 1)
        printf("item %d;", (int)item);
    if (item % 6 == 4)
        fflush(stdout);
    write_in(item % 11 == 5 ? CRASHES : SAYS_NOTHING);
    return item % 7 == 6 ? 6 : 0;
}

static void assert_items(const pe_job *job, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char wanted[40] = "";
        if (i % 3 == 1 && (i % 11 != 5 || i % 6 == 4))
            snprintf(wanted, sizeof wanted, "item %d;", (int)i);
        if (i % 11 == 5)
            strcat(wanted, outputs[CRASHES]);
        assert_output(job, i, wanted[0] != '\0' ? wanted : NULL);
    }
}

/* Plain, with statuses, retried, in large chunks. */
PE_TEST_LOOP(p18_output_of_items, 0, 4)
{
    enum { COUNT = 200 };
    struct own_output own = own_output_begin();
    pe_pool *pool = output_pool(3, 1, 0);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[COUNT], status;
    pe_job *job = NULL;

    options.statuses = _i == 1 ? statuses : NULL;
    options.retries = _i == 2 ? 1 : 0;
    options.chunk = _i == 3 ? 50 : 0;
    ck_assert_int_eq(pe_pool_start_map(pool, item_writes, NULL, 0, NULL, 0, COUNT, &options, &job), 0);
    job_assert_ended(job, PE_RETURNED, PE_EITEMS);
    ck_assert_int_eq((int)own_output_end(&own), 0);
    assert_items(job, COUNT);
    ck_assert_int_eq(pe_job_item_status(job, 1, &status), 0);
    ck_assert_uint_eq(status.kind, PE_RETURNED);
    ck_assert_int_eq(status.code, 0);
    pe_job_free(job);
    pool_end(pool);
}

/* Nobody can ask for the output of these; the next job does not get it. */
PE_TEST(output_of_a_map_without_a_handle_is_dropped)
{
    struct own_output own = own_output_begin();
    pe_pool *pool = output_pool(1, 4096, 0);
    enum way way = WRITES;

    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(pe_pool_map(pool, item_writes, NULL, 0, NULL, 0, 20, NULL), PE_EITEMS);
        pe_job *job = pool_submit(pool, job_writes, &way, sizeof way);
        job_assert_ended(job, PE_RETURNED, 0);
        assert_output(job, 0, outputs[way]);
        pe_job_free(job);
    }
    ck_assert_int_eq((int)own_output_end(&own), 0);
    pool_end(pool);
}

/* ---- how much ---- */

static int job_writes_lines(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    uint32_t count;

    (void)arg_bytes, (void)reply;
    memcpy(&count, arg, sizeof count);
    for (uint32_t i = 0; i < count; i++)
        printf("%07u\n", (unsigned)i);
    return 0;
}

/* Below, at and above what is kept, which is whole pages. */
PE_TEST_LOOP(the_last_bytes_are_kept, 0, 5)
{
    static const uint32_t counts[] = { 511, 512, 513, 5000, 100000 };
    static const uint64_t asked[] = { 1, 4096, 4097, 65536,
                                      sizeof(void *) > 4 ? PE_OUTPUT_BYTES_MAX : 16384 };

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        pe_pool *pool = output_pool(1, asked[i], 0);
        pe_job *job = pool_submit(pool, job_writes_lines, &counts[_i], sizeof counts[_i]);
        size_t kept = (asked[i] + 4095) / 4096 * 4096, all = (size_t)counts[_i] * 8, bytes = 0;
        char last[20];

        job_assert_ended(job, PE_RETURNED, 0);
        const char *text = output_of(job, 0, &bytes);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(bytes, kept < all ? kept : all);
        snprintf(last, sizeof last, "%07u\n", (unsigned)(counts[_i] - 1));
        ck_assert_str_eq(text + bytes - 8, last);
        for (size_t at = 0; at + 8 < bytes; at += 8)
            ck_assert_int_eq(atoi(text + at), (int)((all - bytes + at) / 8));
        pe_job_free(job);
        pool_end(pool);
    }
}

static int job_writes_nul(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    return write(1, "a\0b", 3) == 3 ? 0 : 1;
}

PE_TEST(a_nul_is_a_byte)
{
    pe_pool *pool = output_pool(1, 4096, 0);
    pe_job *job = pool_submit(pool, job_writes_nul, NULL, 0);
    size_t bytes = 0;

    job_assert_ended(job, PE_RETURNED, 0);
    const char *text = output_of(job, 0, &bytes);
    ck_assert_uint_eq(bytes, 3);
    ck_assert_int_eq(memcmp(text, "a\0b", 4), 0);
    pe_job_free(job);
    pool_end(pool);
}

#define FLOOD_MIB 200
#define HELD_MIB 8

/* 1 once the output holds little again; 0 after the hang guard. */
static int is_given_back(void)
{
    int64_t guard = pe_after(PE_SECONDS(20));
    struct stat file;

    while (fstat(1, &file) == 0 && pe_now() < guard) {
        if ((uint64_t)file.st_blocks * 512 < HELD_MIB * MIB / 2)
            return 1;
        poll(NULL, 0, 1);
    }
    return 0;
}

/* Writes on only when what it has written is given back, however long that takes; replies with how often it waited. */
static int job_floods(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    static char block[256 * 1024];
    struct stat file;
    uint64_t waits = 0;

    (void)arg, (void)arg_bytes;
    memset(block, 'x', sizeof block);
    for (uint32_t i = 0; i < FLOOD_MIB * 4; i++) {
        if (write(1, block, sizeof block) != (ssize_t)sizeof block || fstat(1, &file) < 0)
            return 1;
        if ((uint64_t)file.st_blocks * 512 < HELD_MIB * MIB)
            continue;
        if (!is_given_back())
            return 2;
        waits++;
    }
    print(1, "end");
    return pe_reply_write(reply, &waits, sizeof waits);
}

/* The second time the keeper has been asleep. */
PE_TEST(who_prints_for_ever_does_not_fill_memory)
{
    pe_pool *pool = output_pool(1, 4096, 0);

    for (int round = 0; round < 2; round++) {
        pe_job *job = pool_submit(pool, job_floods, NULL, 0);
        size_t bytes = 0;
        job_assert_ended(job, PE_RETURNED, 0);
        printf("# %d: waited %d times\n", round, (int)job_number(job));
        const char *text = output_of(job, 0, &bytes);
        ck_assert_uint_eq(bytes, 4096);
        ck_assert_str_eq(text + bytes - 4, "xend");
        pe_job_free(job);
        ck_assert_int_eq(pe_pool_wait(pool, PE_FOREVER), 0);
        process_is_idle(process_parent(pool_worker_pid(pool)), PE_MS(100));
    }
    pool_end(pool);
}

PE_TEST(an_idle_pool_costs_nothing)
{
    pe_pool *pool = output_pool(2, 4096, 0);
    enum way way = WRITES;
    pid_t keeper = process_parent(pool_worker_pid(pool));
    int idle = 0;

    pe_job *job = pool_submit(pool, job_writes, &way, sizeof way);
    job_assert_ended(job, PE_RETURNED, 0);
    pe_job_free(job);
    for (int64_t guard = pe_after(PE_SECONDS(20)); !idle && pe_now() < guard;)
        idle = process_is_idle(keeper, PE_MS(100));
    ck_assert(idle);
    pool_end(pool);
}

/* ---- other ends ---- */

static int job_writes_and_stays(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int *told;

    (void)arg_bytes, (void)reply;
    memcpy(&told, arg, sizeof told);
    print(1, "still here");
    atomic_store(told, 1);
    for (;;)
        pause();
    return 0;
}

PE_TEST(output_of_what_was_stopped)
{
    pe_pool *pool = output_pool(1, 4096, 0);
    _Atomic int *told = pool_shared(pool, sizeof *told);
    pe_job *job = pool_submit(pool, job_writes_and_stays, &told, sizeof told);

    while (atomic_load(told) == 0)
        sched_yield();
    ck_assert_int_eq(pe_job_cancel(job), 0);
    ck_assert_uint_eq(job_ended(job).kind, PE_CANCELLED);
    assert_output(job, 0, "still here");
    pe_job_free(job);
    pool_end(pool);
}

static int init_writes(void *context)
{
    (void)context;
    print(1, "from the initialiser");
    printf("buffered there");
    return 0;
}

PE_TEST(output_of_initialisers_is_nobodys)
{
    struct own_output own = own_output_begin();
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    enum way ways[3] = { WRITES, SAYS_NOTHING, CRASHES };

    options.workers = 1;
    options.worker_init = init_writes;
    options.worker_exit = init_writes;
    options.output_bytes = 4096;
    pe_pool *pool = pool_with(options);
    for (int i = 0; i < 9; i++) {
        pe_job *job = pool_submit(pool, job_writes, &ways[i % 3], sizeof *ways);
        job_ended(job);
        assert_output(job, 0, outputs[ways[i % 3]]);
        pe_job_free(job);
    }
    pool_end(pool);
    ck_assert_int_eq((int)own_output_end(&own), 0);
}

static int job_writes_attempt(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    _Atomic int *attempts;
    char text[20];

    (void)arg_bytes, (void)reply;
    memcpy(&attempts, arg, sizeof attempts);
    int attempt = atomic_fetch_add(attempts, 1) + 1;
    snprintf(text, sizeof text, "attempt %d", attempt);
    print(1, text);
    if (attempt < 3)
        raise(SIGKILL);
    return 0;
}

PE_TEST(output_is_that_of_the_last_attempt)
{
    pe_pool *pool = output_pool(1, 4096, 0);
    _Atomic int *attempts = pool_shared(pool, sizeof *attempts);
    pe_job *job = pool_submit_retried(pool, job_writes_attempt, &attempts, sizeof attempts, 2);

    job_assert_ended(job, PE_RETURNED, 0);
    assert_output(job, 0, "attempt 3");
    pe_job_free(job);
    pool_end(pool);
}

/* ---- other pools ---- */

PE_TEST_LOOP(output_in_other_pools, 0, 3)
{
    static const uint32_t flags[] = { PE_POOL_FROM_SEED, PE_POOL_KEEP_FDS, PE_POOL_BACKTRACE };
    enum way way = CRASHES;
    const char *text = NULL;

    if (_i == 0)
        process_start_seed();
    pe_pool *pool = output_pool(2, 4096, flags[_i]);
    pe_job *job = pool_submit(pool, job_writes, &way, sizeof way);
    job_assert_ended(job, PE_CRASHED, SIGSEGV);
    assert_output(job, 0, outputs[way]);
    ck_assert_int_eq(pe_job_item_text(job, 0, PE_TEXT_BACKTRACE, &text, NULL), _i == 2 ? 0 : PE_ENODATA);
    pe_job_free(job);
    process_pool_free(pool);
}

PE_TEST(inline_pools_catch_nothing)
{
    struct own_output own = own_output_begin();
    pe_pool *pool = output_pool(1, 4096, PE_POOL_INLINE);
    enum way way = WRITES;
    pe_job *job = pool_submit(pool, job_writes, &way, sizeof way);

    job_assert_ended(job, PE_RETURNED, 0);
    assert_output(job, 0, NULL);
    ck_assert_int_eq((int)own_output_end(&own), (int)strlen(outputs[way]));
    pe_job_free(job);
    pe_pool_free(pool);
}

/* None holds a sibling's. */
PE_TEST(f10_workers_have_their_own_file_alone)
{
    enum { WORKERS = 4 };
    struct process_listing listings[WORKERS];
    pe_pool *pool = output_pool(WORKERS, 4096, 0);

    process_look(pool, WORKERS, process_list_descriptors, listings, sizeof *listings);
    for (int i = 0; i < WORKERS; i++) {
        int files = 0;
        for (const char *at = listings[i].text; (at = strstr(at, "parexec-output")) != NULL; at++)
            files++;
        ck_assert_int_eq(listings[i].count, listings[0].count);
        ck_assert_msg(files == 3, "%s", listings[i].text); /* 1, 2 and the worker's own */
    }
    pool_end(pool);
}

/* ---- limits of the system ---- */

/* What is forked while it is in force keeps it. */
static struct rlimit limit_begin(int resource, rlim_t most)
{
    struct rlimit before, limit;

    ck_assert_int_eq(getrlimit(resource, &before), 0);
    limit = before;
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(resource, &limit), 0);
    return before;
}

#define FILE_LIMIT ((size_t)256 * 1024)

static void write_bytes(size_t bytes)
{
    static char block[1024];

    memset(block, '.', sizeof block);
    for (; bytes > 0; bytes -= bytes < sizeof block ? bytes : sizeof block)
        if (write(1, block, bytes < sizeof block ? bytes : sizeof block) <= 0)
            abort();
}

/* Half of the limit, and who it was. */
static int item_writes_half(const void *in, void *out, const void *context)
{
    char end[20];

    (void)in, (void)out, (void)context;
    snprintf(end, sizeof end, "%d", (int)pe_worker_item());
    write_bytes(FILE_LIMIT / 2 - strlen(end));
    print(2, end);
    return 0;
}

static int job_writes_bytes(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    size_t bytes;

    (void)arg_bytes, (void)reply;
    memcpy(&bytes, arg, sizeof bytes);
    write_bytes(bytes);
    return 0;
}

static void assert_ends_in_numbers(const pe_job *job, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char wanted[20];
        size_t bytes = 0;
        const char *text = output_of(job, i, &bytes);
        snprintf(wanted, sizeof wanted, ".%d", (int)i);
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(bytes, 4096);
        ck_assert_str_eq(text + bytes - strlen(wanted), wanted);
    }
}

/* Chunks of items whose output is kept, and is not. */
PE_TEST_LOOP(a_limit_on_file_sizes_is_each_items, 0, 3)
{
    enum { COUNT = 40 };
    struct rlimit before = limit_begin(RLIMIT_FSIZE, FILE_LIMIT);
    pe_pool *pool = output_pool(2, 4096, 0);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_status statuses[COUNT];
    pe_job *job = NULL;

    setrlimit(RLIMIT_FSIZE, &before);
    options.chunk = 10;
    options.statuses = _i == 1 ? statuses : NULL;
    if (_i == 2) {
        ck_assert_int_eq(pe_pool_map(pool, item_writes_half, NULL, 0, NULL, 0, COUNT, &options), 0);
    } else {
        ck_assert_int_eq(pe_pool_start_map(pool, item_writes_half, NULL, 0, NULL, 0, COUNT, &options, &job), 0);
        job_assert_ended(job, PE_RETURNED, 0);
        assert_ends_in_numbers(job, COUNT);
        pe_job_free(job);
    }
    pool_end(pool);
}

/* At least half of it is left to each. */
PE_TEST(a_limit_on_file_sizes_is_each_jobs)
{
    static const size_t sizes[] = { FILE_LIMIT / 2, FILE_LIMIT / 2, FILE_LIMIT / 2 + 1, FILE_LIMIT, 1, FILE_LIMIT + 1 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct rlimit before = limit_begin(RLIMIT_FSIZE, FILE_LIMIT);
    pe_pool *pool = output_pool(1, 4096, 0);

    setrlimit(RLIMIT_FSIZE, &before);
    for (int i = 0; i < 3 * SIZES; i++) {
        size_t bytes = 0, wanted = sizes[i % SIZES];
        int dies = wanted > FILE_LIMIT;
        pe_job *job = pool_submit(pool, job_writes_bytes, &sizes[i % SIZES], sizeof *sizes);
        job_assert_ended(job, dies ? PE_CRASHED : PE_RETURNED, dies ? SIGXFSZ : 0);
        ck_assert_ptr_nonnull(output_of(job, 0, &bytes));
        ck_assert_uint_eq(bytes, wanted < 4096 ? wanted : 4096);
        pe_job_free(job);
    }
    pool_await_restarts(pool, 3);
    ck_assert_uint_eq(pool_stats(pool).restarts, 3);
    ck_assert_uint_ge(pool_stats(pool).recycled, 3);
    pool_end(pool);
}

/* As with processes that cannot be had: those that there are do it all, the others come when they can. */
PE_TEST(fewer_files_fewer_workers)
{
    enum { WORKERS = 40, FILES = 32 };
    struct rlimit before = limit_begin(RLIMIT_NOFILE, FILES), enough = { 1024, 1024 };
    pe_pool *pool = output_pool(WORKERS, 4096, 0);
    pe_job *job = NULL;

    setrlimit(RLIMIT_NOFILE, &before);
    do
        ck_assert_int_eq(pe_pool_resize(pool, WORKERS, pe_after(PE_MS(300))), PE_ETIMEDOUT);
    while (pool_stats(pool).workers_alive <= 1);
    ck_assert_uint_lt(pool_stats(pool).workers_alive, FILES);
    ck_assert_int_eq(pe_pool_start_map(pool, item_writes_half, NULL, 0, NULL, 0, 200, NULL, &job), 0);
    job_assert_ended(job, PE_RETURNED, 0);
    assert_ends_in_numbers(job, 200);
    pe_job_free(job);
    ck_assert_int_eq(prlimit(process_parent(pool_worker_pid(pool)), RLIMIT_NOFILE, &enough, NULL), 0);
    ck_assert_int_eq(pe_pool_resize(pool, WORKERS, pe_after(PE_SECONDS(20))), 0);
    pool_end(pool);
}

PE_TEST(no_file_no_pool)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;

    options.workers = 1;
    options.output_bytes = 4096;
    harness_fail_from(HARNESS_MEMFD, 1, EMFILE);
    ck_assert_int_eq(pe_pool_new(&options, &pool), PE_EMFILE);
    ck_assert_ptr_null(pool);
    harness_fail_reset();
}

HARNESS_MAIN("output")
