/*
 * Descriptors: which ones workers hold, what is left of the library's after exec, and hosts with unusual
 * ones.
 */

#include "harness/harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/init.h>

#include "harness/pool.h"
#include "harness/process.h"

static int fd_answer(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    return fcntl(*(const int *)arg, F_GETFD) >= 0;
}

static int has_in_worker(pe_pool *pool, int fd)
{
    pe_status status = pool_run(pool, fd_answer, &fd, sizeof fd);

    ck_assert_uint_eq(status.kind, PE_RETURNED);
    return status.code;
}

PE_TEST(f10_workers_hold_equal_descriptors_and_none_of_a_sibling)
{
    static struct process_listing listings[16];
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *other, *pool;

    if (harness_valgrind())
        HARNESS_SKIP("valgrind has descriptors of its own in each process");
    options.workers = 16;
    ck_assert_int_eq(pe_pool_new(NULL, &other), 0);
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    process_look(pool, 16, process_list_descriptors, listings, sizeof *listings);
    pe_pool_free(pool);
    pe_pool_free(other);
    for (int i = 1; i < 16; i++) {
        ck_assert_int_eq(listings[i].count, listings[0].count);
        /* Nothing of its own, so nothing of a sibling's either. */
        ck_assert_str_eq(listings[i].text, listings[0].text);
    }
}
END_TEST

PE_TEST(p52_workers_hold_only_the_pools_own)
{
    static struct process_listing alone, crowded;
    int secret;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool, *others[3];

    if (harness_valgrind())
        HARNESS_SKIP("valgrind has descriptors of its own in each process");
    secret = open("/dev/zero", O_RDONLY);
    options.workers = 1;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    process_look(pool, 1, process_list_descriptors, &alone, sizeof alone);
    ck_assert_int_eq(has_in_worker(pool, secret), 0);
    pe_pool_free(pool);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pe_pool_new(&options, &others[i]), 0);
    process_look(others[2], 1, process_list_descriptors, &crowded, sizeof crowded);
    for (int i = 0; i < 3; i++)
        pe_pool_free(others[i]);
    close(secret);
    ck_assert_int_eq(alone.count, crowded.count);
    ck_assert_int_le(alone.count, 3 + 4);
}
END_TEST

static int exec_list(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    dup2(*(const int *)arg, 1);
    execl("/bin/sh", "sh", "-c",
          "fd=0; while [ $fd -lt 64 ]; do [ ! -e /proc/$$/fd/$fd ] || echo $fd: || :; fd=$((fd + 1)); done",
          (char *)NULL);
    return 1;
}

PE_TEST(f10_exec_in_a_job_leaves_no_descriptor_of_the_library)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int out = memfd_create("list", 0);
    char text[2000];
    ssize_t bytes;
    pe_pool *pool;
    pe_status status;
    char *at, *end;

    options.workers = 1;
    options.keep_fds = &out;
    options.keep_fd_count = 1;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    status = pool_run(pool, exec_list, &out, sizeof out);
    pe_pool_free(pool);
    ck_assert_uint_eq(status.kind, PE_EXITED);
    ck_assert_int_eq(status.code, 0);
    bytes = pread(out, text, sizeof text - 1, 0);
    ck_assert_int_gt(bytes, 0);
    text[bytes] = '\0';
    for (at = text; *at; at = *end ? end + 2 : end) {
        long fd = strtol(at, &end, 10);

        ck_assert_msg(*end == ':' && (fd <= 2 || fd == out), "left open: %s", text);
        if (!*end)
            break;
    }
    close(out);
}
END_TEST

PE_TEST(f12_two_thousand_open_descriptors)
{
    enum { COUNT = 2000 };
    static int fds[COUNT];
    struct rlimit before, limit;
    pe_pool *pool;
    int sum = 0;

    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < COUNT + 200)
        HARNESS_SKIP("no more than %ld descriptors allowed", (long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fds[i], 0);
    }
    ck_assert_int_eq(pe_pool_new(NULL, &pool), 0);
    ck_assert_int_gt(pe_pool_fd(pool), 1024);
    ck_assert_int_eq(has_in_worker(pool, fds[COUNT - 1]), 0);
    for (int i = 0; i < 50; i++)
        sum += has_in_worker(pool, 0);
    ck_assert_int_eq(sum, 50);
    ck_assert_int_ge(pe_pool_poll(pool), 0);
    pe_pool_free(pool);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

static int all_closed(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int open_count = 0;

    (void)arg;
    (void)arg_bytes;
    (void)reply;
    for (int fd = 0; fd < 3; fd++)
        open_count += fcntl(fd, F_GETFD) >= 0;
    return open_count;
}

static int leave(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg;
    (void)arg_bytes;
    (void)reply;
    _exit(3);
}

/* The library's own never lie where the C library expects input and output. */
PE_TEST(f12_descriptors_0_to_2_closed)
{
    int saved[3], open_in_host = 0;
    pe_status first, after_crash;
    int worked;
    pe_pool *pool;

    fflush(stdout);
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
    }
    worked = pe_pool_new(NULL, &pool);
    if (worked == 0) {
        first = pool_run(pool, all_closed, NULL, 0);
        after_crash = pool_run(pool, leave, NULL, 0);
        pe_pool_poll(pool);
        for (int fd = 0; fd < 3; fd++)
            open_in_host += fcntl(fd, F_GETFD) >= 0;
        pe_pool_free(pool);
    }
    for (int fd = 0; fd < 3; fd++) {
        if (saved[fd] >= 0) {
            dup2(saved[fd], fd);
            close(saved[fd]);
        }
    }
    ck_assert_int_eq(worked, 0);
    ck_assert_int_eq(open_in_host, 0);
    ck_assert_uint_eq(first.kind, PE_RETURNED);
    ck_assert_int_eq(first.code, 0);
    ck_assert_uint_eq(after_crash.kind, PE_EXITED);
}
END_TEST

PE_TEST(p52_keep_fds_are_kept_and_others_closed)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int fds[4];
    int32_t kept[3];
    pe_pool *pool;

    for (int i = 0; i < 4; i++)
        fds[i] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    kept[0] = fds[3]; /* in no order, and twice */
    kept[1] = fds[1];
    kept[2] = fds[3];
    options.workers = 1;
    options.keep_fds = kept;
    options.keep_fd_count = 3;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(has_in_worker(pool, fds[i]), i % 2);
    pool_run(pool, leave, NULL, 0); /* a new worker has them as well */
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(has_in_worker(pool, fds[i]), i % 2);
    pe_pool_free(pool);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}
END_TEST

PE_TEST(p52_keep_fds_flag_keeps_all)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int fds[3];
    pe_pool *pool;

    for (int i = 0; i < 3; i++)
        fds[i] = open("/dev/zero", O_RDONLY | (i == 1 ? O_CLOEXEC : 0));
    options.workers = 1;
    options.flags = PE_POOL_KEEP_FDS;
    ck_assert_int_eq(pe_pool_new(&options, &pool), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(has_in_worker(pool, fds[i]), 1);
    pe_pool_free(pool);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

static int listen_at(struct sockaddr_in *address)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t bytes = sizeof *address;

    ck_assert_int_ge(listener, 0);
    if (bind(listener, (struct sockaddr *)address, sizeof *address) < 0 || listen(listener, 5) < 0)
        ck_abort_msg("cannot listen: %s", strerror(errno));
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)address, &bytes), 0);
    return listener;
}

/* A copy that another process holds would keep the port. 0: a pool, 1: the seed, 2: a pool from the seed. */
PE_TEST_LOOP(p52_closed_listener_can_be_bound_again, 0, 3)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    pe_pool *pool = NULL;
    int listener;

    if (_i > 0 && !harness_forks())
        HARNESS_SKIP("pe_init is for the whole life of a process");
    listener = listen_at(&address);
    if (_i > 0)
        ck_assert_int_eq(pe_init(NULL), 0);
    if (_i != 1)
        pool = pool_with((pe_pool_options){ .workers = 2, .flags = _i > 0 ? PE_POOL_FROM_SEED : 0 });
    close(listener);
    listener = listen_at(&address);
    if (pool)
        ck_assert_uint_eq(pool_run(pool, leave, NULL, 0).kind, PE_EXITED);
    close(listener);
    close(listen_at(&address));
    pe_pool_free(pool);
    if (_i > 0)
        harness_leaks_mark();
}
END_TEST

static void assert_nameless(const char *what, const char *name)
{
    static const char *const fine[] = { "anon_inode:", "socket:", "pipe:", "/memfd:", "/dev/zero (deleted)" };

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        if (strncmp(name, fine[i], strlen(fine[i])) == 0)
            return;
    }
    ck_abort_msg("%s has a name: %s", what, name);
}

PE_TEST(p59_nothing_has_a_name)
{
    static struct process_listing before, now;
    char range[64], access[8], name[200];
    char *line = NULL, *save = NULL;
    size_t line_bytes = 0;
    pe_pool *pool;
    FILE *maps;

    process_list_descriptors(&before);
    ck_assert_int_eq(pe_pool_new(NULL, &pool), 0);
    process_list_descriptors(&now);
    for (char *entry = strtok_r(now.text, "\n", &save); entry; entry = strtok_r(NULL, "\n", &save)) {
        if (!strstr(before.text, entry))
            assert_nameless("a descriptor", strstr(entry, " -> ") + 4);
    }
    maps = fopen("/proc/self/maps", "re");
    while (getline(&line, &line_bytes, maps) > 0) {
        name[0] = '\0';
        if (sscanf(line, "%63s %7s %*s %*s %*s %199[^\n]", range, access, name) == 3 && access[3] == 's')
            assert_nameless("a shared mapping", name);
    }
    fclose(maps);
    free(line);
    pe_pool_free(pool);
}
END_TEST

HARNESS_MAIN("descriptors")
