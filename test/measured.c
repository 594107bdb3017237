/*
 * measured.c - a program with regions, which knows nothing of reports: test-environment runs it with PAREXEC_PROFILE.
 *
 *     measured WAY [ARGUMENT]      how it is to end
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec.h>

static void work(const char *name)
{
    pe_region_enter(name);
    PE_LINE();
    PE_COUNT("steps", 1);
    pe_region_leave(name);
}

static void work_at_exit(void)
{
    work("at exit");
}

/* The process that waits may be a child. */
static void tell_ready(void)
{
    if (dprintf(1, "%d\n", (int)getpid()) < 0)
        _exit(99);
}

static __attribute__((noreturn)) void wait_for_ever(void)
{
    tell_ready();
    for (;;)
        pause();
}

static int end_of(pid_t child)
{
    int status;

    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* A child that leaves by exit, so its destructors run. */
static int fork_child(const char *region)
{
    pid_t child = fork();

    if (child == 0) {
        if (region)
            work(region);
        exit(0);
    }
    return end_of(child);
}

/* A child with the handlers of its parent, and without its thread. */
static int fork_that_waits(void)
{
    pid_t child = fork();

    if (child == 0)
        wait_for_ever();
    end_of(child);
    work("after the child");
    return 0;
}

static void *allocate(void *unused)
{
    void *held[64] = { NULL };
    unsigned seed = (unsigned)(size_t)pthread_self();

    for (;;) {
        unsigned at = (unsigned)rand_r(&seed) % 64;
        PE_REGION("storm")
        {
            free(held[at]);
            held[at] = malloc((unsigned)rand_r(&seed) % 100000);
        }
    }
    return unused;
}

/* No moment at which some thread is not in the middle of malloc, stdio or a first use of a name. */
static __attribute__((noreturn)) void storm(void)
{
    pthread_t thread;
    char name[32];

    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, allocate, NULL);
    tell_ready();
    for (unsigned i = 0;; i++) {
        FILE *file = fopen("/dev/null", "we");
        fprintf(file, "%f\n", i * 0.1);
        fclose(file);
        snprintf(name, sizeof name, "name %u", i % 500);
        work(name);
    }
}

static void handle(int number)
{
    (void)number;
    _exit(3);
}

/* A file of the program's own gets the number of standard error. */
static int close_stderr(const char *path)
{
    close(2);
    return open(path, O_WRONLY | O_CREAT, 0600) == 2 ? 0 : 97;
}

static int append_stderr(const char *path)
{
    close(2);
    return open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) == 2 ? 0 : 97;
}

static int job_exits(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg, (void)arg_bytes, (void)reply;
    work("job");
    if (fork() == 0)
        exit(0);
    exit(5);
}

static int pool(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *made;
    pe_job *job;

    options.workers = 1;
    if (pe_pool_new(&options, &made) || pe_pool_submit(made, job_exits, NULL, 0, NULL, &job))
        return 96;
    pe_job_wait(job, PE_FOREVER);
    pe_job_free(job);
    pe_pool_free(made);
    return 0;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "return", *argument = argc > 2 ? argv[2] : "";

    if (strcmp(way, "nothing") == 0)
        return 0;
    atexit(work_at_exit);
    work("work");
    if (strcmp(way, "exit") == 0)
        exit(7);
    if (strcmp(way, "_exit") == 0)
        _exit(7);
    if (strcmp(way, "quick_exit") == 0)
        quick_exit(7);
    if (strcmp(way, "fork") == 0)
        return fork_child(argument);
    if (strcmp(way, "fork idle") == 0)
        return fork_child(NULL);
    if (strcmp(way, "fork that waits") == 0)
        return fork_that_waits();
    if (strcmp(way, "exec") == 0)
        execl("/proc/self/exe", argv[0], "return", (char *)NULL);
    if (strcmp(way, "wait") == 0)
        wait_for_ever();
    if (strcmp(way, "storm") == 0)
        storm();
    if (strcmp(way, "own handler") == 0) {
        signal(SIGTERM, handle);
        wait_for_ever();
    }
    if (strcmp(way, "close") == 0)
        return close_stderr(argument);
    if (strcmp(way, "append") == 0)
        return append_stderr(argument);
    if (strcmp(way, "chdir") == 0)
        return chdir(argument);
    if (strcmp(way, "off") == 0)
        return pe_region_enable(0);
    if (strcmp(way, "pool") == 0)
        return pool();
    return 0;
}
