/*
 * Files: what the calls do, how they are stopped, and what is left of that.
 */
#include "harness/harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <parexec.h>

#include "harness/async.h"

/* ---- a directory for each test ---- */

struct place {
    char directory[64];
    char path[96], other[96];
};

static void place_make(struct place *place)
{
    strcpy(place->directory, "/tmp/parexec-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place->directory));
    snprintf(place->path, sizeof place->path, "%s/first", place->directory);
    snprintf(place->other, sizeof place->other, "%s/second", place->directory);
}

static void place_remove(struct place *place)
{
    unlink(place->path);
    unlink(place->other);
    MUST(rmdir(place->directory), 0);
}

/* In a task: the wait gives this. */
#define AWAIT(t, start, wanted) \
    do { \
        PE_AWAIT(t, start); \
        MUST((t)->result, wanted); \
    } while (0)

/* ---- what the calls do ---- */

struct scene {
    struct place place;
    int fd;
    int ends[2]; /* of a pipe */
    char memory[64];
    char made[96];
    pe_file_info info;
    pe_file_entry *entries;
    void *whole;
    size_t bytes;
};

static int use_descriptors(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_file_open(t, s->place.path, O_RDWR | O_CREAT | O_EXCL, 0640));
    s->fd = t->result;
    MUST(fcntl(s->fd, F_GETFD), FD_CLOEXEC);
    AWAIT(t, pe_file_write(t, s->fd, "hello world", 11, PE_FILE_CURRENT), 11);
    AWAIT(t, pe_file_write(t, s->fd, "W", 1, 6), 1);
    AWAIT(t, pe_file_read(t, s->fd, s->memory, 64, PE_FILE_CURRENT), 0);
    AWAIT(t, pe_file_read(t, s->fd, s->memory, 64, 6), 5);
    ck_assert_mem_eq(s->memory, "World", 5);
    AWAIT(t, pe_file_read(t, s->fd, s->memory, 0, 0), 0);
    AWAIT(t, pe_file_sync(t, s->fd), 0);
    AWAIT(t, pe_file_sync_data(t, s->fd), 0);
    AWAIT(t, pe_file_truncate(t, s->fd, 5), 0);
    s->info = (pe_file_info)PE_FILE_INFO_INIT;
    AWAIT(t, pe_file_stat_fd(t, s->fd, &s->info), 0);
    MUST((int)s->info.bytes, 5);
    MUST((int)(s->info.mode & 0777), 0640);
    MUST((int)s->info.size, (int)sizeof s->info);
    AWAIT(t, pe_file_close(t, s->fd), 0);
    MUST(fcntl(s->fd, F_GETFD), -1);
    AWAIT(t, pe_file_close(t, s->fd), PE_EBADF);
    AWAIT(t, pe_file_close(t, -1), PE_EBADF);
    AWAIT(t, pe_file_read(t, 999, s->memory, 64, 0), PE_EBADF);
    AWAIT(t, pe_file_open(t, s->place.other, O_RDONLY, 0), PE_ENOENT);
    PE_END(t);
}

static void in_place(pe_task_fn *fn)
{
    struct scene scene = { .fd = -1 };

    place_make(&scene.place);
    MUST(pe_run(fn, &scene, NULL), 0);
    place_remove(&scene.place);
}

PE_TEST(descriptors_are_read_and_written)
{
    in_place(use_descriptors);
}

static int use_names(pe_task *t, void *frame)
{
    struct scene *s = frame;
    struct place *p = &s->place;

    PE_BEGIN(t);
    AWAIT(t, pe_file_write_all(t, p->path, "abc", 3, 0600), 0);
    AWAIT(t, pe_file_rename(t, p->path, p->other), 0);
    AWAIT(t, pe_file_access(t, p->path, F_OK), PE_ENOENT);
    AWAIT(t, pe_file_access(t, p->other, R_OK | W_OK), 0);
    AWAIT(t, pe_file_chmod(t, p->other, 0644), 0);
    AWAIT(t, pe_file_copy(t, p->other, p->path, PE_FILE_NEW), 0);
    AWAIT(t, pe_file_copy(t, p->other, p->path, PE_FILE_NEW), PE_EEXIST);
    AWAIT(t, pe_file_copy(t, p->other, p->path, 0), 0);
    s->info = (pe_file_info)PE_FILE_INFO_INIT;
    AWAIT(t, pe_file_stat(t, p->path, 0, &s->info), 0);
    MUST((int)(s->info.mode & 0777), 0644);
    ck_assert(S_ISREG(s->info.mode));
    ck_assert_int_gt(s->info.modified_ns, PE_SECONDS(1500000000));
    AWAIT(t, pe_file_unlink(t, p->path), 0);
    AWAIT(t, pe_file_link(t, p->other, p->path), 0);
    AWAIT(t, pe_file_stat(t, p->path, 0, &s->info), 0);
    MUST((int)s->info.links, 2);
    AWAIT(t, pe_file_unlink(t, p->path), 0);
    AWAIT(t, pe_file_symlink(t, p->other, p->path), 0);
    AWAIT(t, pe_file_stat(t, p->path, PE_FILE_NO_FOLLOW, &s->info), 0);
    ck_assert(S_ISLNK(s->info.mode));
    AWAIT(t, pe_file_stat(t, p->path, 0, &s->info), 0);
    ck_assert(S_ISREG(s->info.mode));
    AWAIT(t, pe_file_read_link(t, p->path, s->made, sizeof s->made), (int)strlen(p->other));
    ck_assert_str_eq(s->made, p->other);
    AWAIT(t, pe_file_real_path(t, p->path, s->made, sizeof s->made), (int)strlen(p->other));
    ck_assert_str_eq(s->made, p->other);
    AWAIT(t, pe_file_read_link(t, p->path, s->made, strlen(p->other)), -ENAMETOOLONG);
    AWAIT(t, pe_file_unlink(t, p->path), 0);
    AWAIT(t, pe_file_mkdir(t, p->path, 0700), 0);
    AWAIT(t, pe_file_mkdir(t, p->path, 0700), PE_EEXIST);
    AWAIT(t, pe_file_rmdir(t, p->path), 0);
    AWAIT(t, pe_file_rmdir(t, p->path), PE_ENOENT);
    PE_END(t);
}

PE_TEST(names_are_changed)
{
    in_place(use_names);
}

static int use_temporaries(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    snprintf(s->made, sizeof s->made, "%s/XXXXXX", s->place.directory);
    PE_TRY(t, pe_file_open_temporary(t, s->made));
    s->fd = t->result;
    ck_assert_ptr_null(strstr(s->made, "XXXXXX"));
    AWAIT(t, pe_file_close(t, s->fd), 0);
    AWAIT(t, pe_file_unlink(t, s->made), 0);
    snprintf(s->made, sizeof s->made, "%s/XXXXXX", s->place.directory);
    AWAIT(t, pe_file_mkdir_temporary(t, s->made), 0);
    ck_assert_ptr_null(strstr(s->made, "XXXXXX"));
    AWAIT(t, pe_file_rmdir(t, s->made), 0);
    strcpy(s->made, "/nowhere/XXXXXX");
    AWAIT(t, pe_file_open_temporary(t, s->made), PE_ENOENT);
    ck_assert_str_eq(s->made, "/nowhere/XXXXXX");
    PE_END(t);
}

PE_TEST(names_that_nothing_has)
{
    in_place(use_temporaries);
}

static int use_list(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    AWAIT(t, pe_file_list(t, s->place.directory, &s->entries), 0);
    ck_assert_ptr_nonnull(s->entries);
    pe_file_list_free(s->entries);
    AWAIT(t, pe_file_mkdir(t, s->place.other, 0700), 0);
    AWAIT(t, pe_file_write_all(t, s->place.path, NULL, 0, 0600), 0);
    AWAIT(t, pe_file_list(t, s->place.directory, &s->entries), 2);
    ck_assert_str_eq(s->entries[0].name, "first");
    ck_assert_str_eq(s->entries[1].name, "second");
    MUST((int)s->entries[0].kind, (int)PE_FILE_KIND_REGULAR);
    MUST((int)s->entries[1].kind, (int)PE_FILE_KIND_DIRECTORY);
    for (int i = 0; i < 10; i++)
        MUST((int)s->entries[i / 5].reserved[i % 5], 0);
    pe_file_list_free(s->entries);
    AWAIT(t, pe_file_rmdir(t, s->place.other), 0);
    s->entries = NULL;
    AWAIT(t, pe_file_list(t, "/nowhere", &s->entries), PE_ENOENT);
    ck_assert_ptr_null(s->entries);
    pe_file_list_free(NULL);
    PE_END(t);
}

PE_TEST(directories_are_listed)
{
    in_place(use_list);
}

static int use_many_names(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    for (s->bytes = 0; s->bytes < 300; s->bytes++) {
        snprintf(s->made, sizeof s->made, "%s/%0*zu", s->place.directory, (int)(3 + s->bytes % 20), s->bytes);
        AWAIT(t, pe_file_write_all(t, s->made, NULL, 0, 0600), 0);
    }
    AWAIT(t, pe_file_list(t, s->place.directory, &s->entries), 300);
    for (s->bytes = 0; s->bytes < 300; s->bytes++) {
        snprintf(s->made, sizeof s->made, "%s/%s", s->place.directory, s->entries[s->bytes].name);
        AWAIT(t, pe_file_unlink(t, s->made), 0);
    }
    pe_file_list_free(s->entries);
    PE_END(t);
}

PE_TEST(large_directories_are_listed)
{
    in_place(use_many_names);
}

static int use_whole(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    AWAIT(t, pe_file_write_all(t, s->place.path, "longer than the next", 20, 0600), 0);
    AWAIT(t, pe_file_write_all(t, s->place.path, "abc", 3, 0600), 0);
    AWAIT(t, pe_file_read_all(t, s->place.path, &s->whole, &s->bytes), 0);
    MUST((int)s->bytes, 3);
    ck_assert_str_eq(s->whole, "abc");
    free(s->whole);
    AWAIT(t, pe_file_read_all(t, "/proc/self/stat", &s->whole, &s->bytes), 0); /* of no size, says the system */
    ck_assert_uint_eq(strlen(s->whole), s->bytes);
    ck_assert_int_eq(atoi(s->whole), (int)getpid());
    free(s->whole);
    AWAIT(t, pe_file_read_all(t, "/proc/kallsyms", &s->whole, &s->bytes), 0); /* and a long one */
    ck_assert_uint_gt(s->bytes, 10000);
    free(s->whole);
    s->whole = NULL;
    AWAIT(t, pe_file_read_all(t, s->place.other, &s->whole, &s->bytes), PE_ENOENT);
    AWAIT(t, pe_file_read_all(t, s->place.directory, &s->whole, &s->bytes), -EISDIR);
    AWAIT(t, pe_file_write_all(t, s->place.directory, "abc", 3, 0600), -EISDIR);
    AWAIT(t, pe_file_write_all(t, "/dev/full", "abc", 3, 0600), -ENOSPC);
    ck_assert_ptr_null(s->whole);
    PE_END(t);
}

PE_TEST(whole_files_are_read_and_written)
{
    in_place(use_whole);
}

static int use_wrongly(pe_task *t, void *frame)
{
    struct scene *s = frame;

    s->info.size = 8;
    MUST(pe_file_open(t, NULL, 0, 0), PE_EINVAL);
    MUST(pe_file_read(t, 0, NULL, 1, 0), PE_EINVAL);
    MUST(pe_file_read(t, 0, s->memory, 1, -2), PE_EINVAL);
    MUST(pe_file_write(t, 0, NULL, 1, 0), PE_EINVAL);
    MUST(pe_file_truncate(t, 0, -1), PE_EINVAL);
    MUST(pe_file_stat(t, NULL, 0, &s->info), PE_EINVAL);
    MUST(pe_file_stat(t, "/", 0, NULL), PE_EINVAL);
    MUST(pe_file_stat(t, "/", 0, &s->info), PE_EINVAL);
    s->info.size = sizeof s->info;
    MUST(pe_file_stat(t, "/", 2, &s->info), PE_EINVAL);
    MUST(pe_file_copy(t, "/a", "/b", 4), PE_EINVAL);
    MUST(pe_file_rename(t, "/a", NULL), PE_EINVAL);
    MUST(pe_file_rename(t, NULL, "/a"), PE_EINVAL);
    MUST(pe_file_read_link(t, "/a", s->memory, 0), PE_EINVAL);
    MUST(pe_file_list(t, "/a", NULL), PE_EINVAL);
    MUST(pe_file_read_all(t, "/a", NULL, &s->bytes), PE_EINVAL);
    MUST(pe_file_write_all(t, "/a", NULL, 1, 0), PE_EINVAL);
    return 0;
}

PE_TEST(wrong_use_is_refused)
{
    in_place(use_wrongly);
}

/* ---- signals ---- */

#define SIZE_MOST (1 << 20) /* more than Check's own file needs */

static const char too_large[SIZE_MOST + 1];

/* The default actions end the program. */
static int write_where_signals_are_raised(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    AWAIT(t, pe_file_write(t, s->ends[1], "abc", 3, PE_FILE_CURRENT), PE_EPIPE);
    PE_TRY(t, pe_file_open(t, s->place.path, O_WRONLY | O_CREAT, 0600));
    s->fd = t->result;
    AWAIT(t, pe_file_write(t, s->fd, "abcdef", 6, SIZE_MOST - 4), 4); /* as far as the limit lets it */
    AWAIT(t, pe_file_write(t, s->fd, "ef", 2, SIZE_MOST), -EFBIG);
    AWAIT(t, pe_file_truncate(t, s->fd, SIZE_MOST + 1), -EFBIG);
    AWAIT(t, pe_file_truncate(t, s->fd, SIZE_MOST), 0);
    AWAIT(t, pe_file_close(t, s->fd), 0);
    AWAIT(t, pe_file_write_all(t, s->place.path, too_large, sizeof too_large, 0600), -EFBIG);
    PE_END(t);
}

PE_TEST(no_write_raises_a_signal)
{
    struct scene scene = { .fd = -1 };
    struct rlimit before, limit;

    place_make(&scene.place);
    MUST(pipe(scene.ends), 0);
    close(scene.ends[0]);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    MUST(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){ .rlim_cur = SIZE_MOST, .rlim_max = before.rlim_max };
    MUST(setrlimit(RLIMIT_FSIZE, &limit), 0);
    MUST(pe_run(write_where_signals_are_raised, &scene, NULL), 0);
    MUST(setrlimit(RLIMIT_FSIZE, &before), 0);
    close(scene.ends[1]);
    place_remove(&scene.place);
}

/* ---- stopping ---- */

#define THREADS 4 /* of libuv's */

/* A request that runs until the test lets it end: more than a pipe holds, which nobody reads. */
static const char more[1 << 18];

struct writer {
    int fds[2];
    int result, next;
};

static int write_more(pe_task *t, void *frame)
{
    struct writer *w = frame;

    PE_BEGIN(t);
    w->result = PE_WAIT;
    PE_AWAIT(t, pe_file_write(t, w->fds[1], more, sizeof more, PE_FILE_CURRENT));
    w->result = t->result;
    PE_AWAIT(t, pe_yield(t)); /* sees what has not been answered */
    w->next = t->result;
    PE_AWAIT(t, pe_file_close(t, w->fds[1]));
    PE_RETURN(t, w->result < 0 ? w->result : 0);
    PE_END(t);
}

static void start_writers(pe_loop *loop, struct writer *writers, pe_task **tasks, int count)
{
    for (int i = 0; i < count; i++) {
        writers[i] = (struct writer){ .next = -7 };
        MUST(pipe2(writers[i].fds, O_CLOEXEC), 0);
        async_start(loop, write_more, &writers[i], &tasks[i]);
    }
    for (int i = 0; i < 3; i++)
        uv_run(pe_loop_uv(loop), UV_RUN_NOWAIT);
}

/* A thread is at each of the first. */
static void await_threads(struct writer writers[THREADS])
{
    char first;

    for (int i = 0; i < THREADS; i++)
        MUST((int)read(writers[i].fds[0], &first, 1), 1);
}

/* Lets all of them end. */
static void *read_all(void *context)
{
    struct writer *writers = context;
    static char memory[sizeof more];

    for (int i = 0; i < THREADS; i++) {
        while (read(writers[i].fds[0], memory, sizeof memory) > 0)
            ;
        close(writers[i].fds[0]);
    }
    return NULL;
}

static void assert_whole(struct writer writers[THREADS], pe_task **tasks, int next)
{
    for (int i = 0; i < THREADS; i++) {
        MUST(writers[i].result, (int)sizeof more);
        MUST(writers[i].next, next);
        MUST(pe_task_result(tasks[i]), 0);
        pe_task_free(tasks[i]);
    }
}

/* Ends the loop, in a thread that has nothing else to do. */
static void finish(pe_loop *loop, struct writer writers[THREADS])
{
    pthread_t thread;

    MUST(pthread_create(&thread, NULL, read_all, writers), 0);
    MUST(pe_loop_run(loop), 0);
    MUST(pthread_join(thread, NULL), 0);
}

/* One that no thread is at is stopped at once, though the threads are busy. */
PE_TEST(a_request_that_waits_for_a_thread_is_stopped)
{
    struct writer writers[THREADS + 1];
    pe_loop *loop = async_loop();
    pe_task *tasks[THREADS + 1];

    start_writers(loop, writers, tasks, THREADS + 1);
    await_threads(writers);
    MUST(pe_task_cancel(tasks[THREADS]), 0);
    while (writers[THREADS].result == PE_WAIT)
        pe_loop_poll(loop);
    MUST(writers[THREADS].result, PE_ECANCELED);
    MUST(writers[0].result, PE_WAIT);
    finish(loop, writers);
    assert_whole(writers, tasks, 0);
    pe_task_free(tasks[THREADS]);
    close(writers[THREADS].fds[0]);
    pe_loop_free(loop);
}

/* One that runs comes to its end: its result is the task's, the request is seen by the next wait, and closing is not
 * refused. */
PE_TEST(a_request_that_runs_ends_by_itself)
{
    struct writer writers[THREADS];
    pe_loop *loop = async_loop();
    pe_task *tasks[THREADS];

    start_writers(loop, writers, tasks, THREADS);
    await_threads(writers);
    for (int i = 0; i < THREADS; i++)
        MUST(pe_task_cancel(tasks[i]), 0);
    async_settle(loop);
    MUST(pe_task_has_ended(tasks[0]), 0);
    finish(loop, writers);
    assert_whole(writers, tasks, PE_ECANCELED);
    pe_loop_free(loop);
}

struct limited {
    pe_limit limit;
    int fd, result;
};

static int close_when_stopped(pe_task *t, void *frame)
{
    struct limited *l = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_file_open(t, "/dev/null", O_RDONLY, 0));
    l->fd = t->result;
    PE_AWAIT_UNTIL(t, &l->limit, 0, pe_file_open(t, "/dev/null", O_RDONLY, 0));
    l->result = t->result;
    PE_TRY(t, pe_limit_enter(t, &l->limit, 0));
    MUST(pe_task_cancel(t), 0);
    PE_AWAIT(t, pe_file_close(t, l->fd));
    MUST(t->result, 0);
    PE_AWAIT(t, pe_yield(t));
    PE_RETURN(t, t->result);
    PE_END(t);
}

PE_TEST(closing_is_not_stopped)
{
    struct limited limited = { .fd = -1 };

    MUST(pe_run(close_when_stopped, &limited, NULL), PE_ECANCELED);
    MUST(limited.result, PE_ETIMEDOUT);
    MUST(fcntl(limited.fd, F_GETFD), -1);
}

/* Nothing is lost: the loop waits for its requests, and descriptors are closed. */
PE_TEST_LOOP(a_loop_is_closed_with_requests_running, 0, 2)
{
    struct writer writers[THREADS + 1];
    pe_task *tasks[THREADS + 1];
    pthread_t thread;
    uv_loop_t host;
    pe_loop *loop;

    MUST(uv_loop_init(&host), 0);
    MUST(pe_loop_new(_i == 1 ? &host : NULL, &loop), 0);
    MUST(pe_loop_set_grace(loop, PE_NOW), 0);
    start_writers(loop, writers, tasks, THREADS + 1);
    await_threads(writers);
    MUST(pthread_create(&thread, NULL, read_all, writers), 0);
    pe_loop_free(loop);
    uv_run(&host, UV_RUN_DEFAULT);
    MUST(uv_loop_close(&host), 0);
    MUST(pthread_join(thread, NULL), 0);
    assert_whole(writers, tasks, PE_ECANCELED);
    MUST(writers[THREADS].result, PE_ECANCELED);
    pe_task_free(tasks[THREADS]);
    close(writers[THREADS].fds[0]);
}

/* ---- bad days ---- */

PE_TEST(a_forked_child_leaves_it_alone)
{
    struct writer writers[THREADS];
    pe_loop *loop = async_loop();
    pe_task *tasks[THREADS];
    int status;

    start_writers(loop, writers, tasks, THREADS);
    await_threads(writers);
    pid_t child = fork();
    if (child == 0) {
        if (pe_file_open(tasks[0], "/dev/null", O_RDONLY, 0) == PE_EFORKED && pe_file_close(tasks[0], 0) == PE_EFORKED)
            raise(SIGKILL);
        abort();
    }
    MUST(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    finish(loop, writers);
    assert_whole(writers, tasks, 0);
    pe_loop_free(loop);
}

/* libuv's memory fails as ours does. */
static void count_libuvs_memory(void)
{
    uv_replace_allocator(harness_call_malloc, harness_call_realloc, harness_call_calloc, free);
}

typedef int request_fn(pe_task *t, struct scene *scene);

struct request {
    request_fn *make;
    struct scene scene;
    int result;
};

static int make_request(pe_task *t, void *frame)
{
    struct request *r = frame;

    PE_BEGIN(t);
    r->result = PE_WAIT;
    PE_AWAIT(t, r->make(t, &r->scene));
    r->result = t->result;
    PE_END(t);
}

static int request_open(pe_task *t, struct scene *scene)
{
    (void)scene;
    return pe_file_open(t, "/nowhere", O_RDONLY, 0);
}

static int request_list(pe_task *t, struct scene *scene)
{
    return pe_file_list(t, "/usr", &scene->entries);
}

static int request_read_all(pe_task *t, struct scene *scene)
{
    return pe_file_read_all(t, "/proc/self/maps", &scene->whole, &scene->bytes);
}

static int request_real_path(pe_task *t, struct scene *scene)
{
    return pe_file_real_path(t, "/usr", scene->made, sizeof scene->made);
}

static request_fn *const requests[] = { request_open, request_list, request_read_all, request_real_path };

/* Each allocation fails once, and the wait says so, with nothing handed out. */
PE_TEST_LOOP(without_memory_a_request_fails, 0, 4)
{
    int refused = 0;

    count_libuvs_memory();
    for (uint64_t n = 1;; n++) {
        struct request request = { .make = requests[_i] };
        pe_loop *loop = async_loop();
        pe_task *task;

        async_start(loop, make_request, &request, &task);
        async_use_memory_up(loop);
        harness_fail_nth(HARNESS_MALLOC, n, ENOMEM);
        while (!pe_task_has_ended(task))
            pe_loop_poll(loop);
        int done = harness_fail_count(HARNESS_MALLOC) < n;
        harness_fail_reset();
        if (!done) {
            MUST(request.result, PE_ENOMEM);
            ck_assert_ptr_null(request.scene.entries);
            ck_assert_ptr_null(request.scene.whole);
            refused++;
        }
        ck_assert_int_ne(request.result, PE_WAIT);
        pe_file_list_free(request.scene.entries);
        free(request.scene.whole);
        pe_task_free(task);
        pe_loop_free(loop);
        if (done)
            break;
    }
    ck_assert_int_gt(refused, 1);
}

static int close_without_memory(pe_task *t, void *frame)
{
    struct scene *s = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_file_open(t, "/dev/null", O_RDONLY, 0));
    s->fd = t->result;
    async_use_memory_up(pe_task_loop(t));
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    s->bytes = 0;
    while (fcntl(s->fd, F_GETFD) >= 0) {
        AWAIT(t, pe_file_close(t, s->fd), 0);
        s->bytes++;
    }
    harness_fail_reset();
    MUST((int)s->bytes, 1);
    PE_END(t);
}

PE_TEST(closing_needs_no_memory)
{
    in_place(close_without_memory);
}

HARNESS_MAIN("file")
