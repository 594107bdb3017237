/*
 * What a test leaves behind: open descriptors, processes, shared mappings.
 *
 * A snapshot is a sorted list of lines, one for each thing; two snapshots are compared line by line, so a
 * thing that is gone counts as well as one that is new.
 *
 * Processes are found although the library detaches its keeper (forked twice, its parent is not the test):
 * each mark maps one page under a name of its own, and every process forked later has that mapping too,
 * whatever session, group or parent it has by then. Children, and in a test that leads its process group the
 * members of the group, are counted even when they have run another program since. A dead process whose
 * parent is not the test is no longer ours: whoever inherited it has to reap it.
 */

#include "harness/harness.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 320
#define MARK_BYTES 4096

struct snapshot {
    char (*lines)[LINE_BYTES];
    size_t count, room;
};

static struct snapshot rightful;
static void *mark_memory;
static char mark_name[64];
static long long mark_ticks; /* when the mark was made, on the clock of /proc/PID/stat, rounded down */

static void snapshot_add(struct snapshot *snapshot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void snapshot_add(struct snapshot *snapshot, const char *format, ...)
{
    va_list arguments;

    if (snapshot->count == snapshot->room) {
        snapshot->room = snapshot->room ? 2 * snapshot->room : 64;
        snapshot->lines = realloc(snapshot->lines, snapshot->room * LINE_BYTES);
        if (!snapshot->lines)
            abort();
    }
    va_start(arguments, format);
    vsnprintf(snapshot->lines[snapshot->count++], LINE_BYTES, format, arguments);
    va_end(arguments);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void add_descriptors(struct snapshot *snapshot)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;

    if (!directory)
        ck_abort_msg("cannot list descriptors: %s", strerror(errno));
    while ((entry = readdir(directory)) != NULL) {
        char target[200];
        ssize_t bytes;

        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == dirfd(directory))
            continue;
        bytes = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        target[bytes < 0 ? 0 : bytes] = '\0';
        if (strstr(target, "/check_") && strstr(target, " (deleted)"))
            continue; /* Check's own messages; with CK_FORK=no it opens them anew between fixtures */
        snapshot_add(snapshot, "descriptor %s -> %s", entry->d_name, target);
    }
    closedir(directory);
}

static void add_mappings(struct snapshot *snapshot)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t line_bytes = 0;

    if (!maps)
        ck_abort_msg("cannot list mappings: %s", strerror(errno));
    while (getline(&line, &line_bytes, maps) > 0) {
        char range[64], access[8], name[200] = "";

        if (sscanf(line, "%63s %7s %*s %*s %*s %199[^\n]", range, access, name) >= 2 && access[3] == 's'
            && !strstr(name, mark_name))
            snapshot_add(snapshot, "shared mapping %s %s %s", range, access, name);
    }
    free(line);
    fclose(maps);
}

struct process {
    int pid, parent, group;
    char state;
    long long start_ticks;
    char name[32];
};

/* 0 when the process is gone. */
static int read_process(int pid, struct process *process)
{
    char path[64], text[1024];
    char *name, *name_end;
    ssize_t bytes;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bytes = read(fd, text, sizeof text - 1);
    close(fd);
    text[bytes < 0 ? 0 : bytes] = '\0';
    name = strchr(text, '(');
    name_end = strrchr(text, ')'); /* the name itself may hold brackets and spaces */
    if (!name || !name_end)
        return 0;
    *name_end = '\0';
    snprintf(process->name, sizeof process->name, "%s", name + 1);
    process->pid = pid;
    return sscanf(name_end + 1,
                  " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
                  &process->state, &process->parent, &process->group, &process->start_ticks)
           == 4;
}

static int has_mark(int pid)
{
    char path[64];
    FILE *maps;
    char *line = NULL;
    size_t line_bytes = 0;
    int found = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        return 0;
    while (!found && getline(&line, &line_bytes, maps) > 0)
        found = strstr(line, mark_name) != NULL;
    free(line);
    fclose(maps);
    return found;
}

static int is_ours(const struct process *process)
{
    int self = (int)getpid();

    if (process->pid == self)
        return 0;
    if (process->parent == self)
        return 1;
    if (process->state == 'Z' || process->state == 'X')
        return 0;
    if (harness_forks() && getpgrp() == self && process->group == self)
        return 1;
    return process->start_ticks >= mark_ticks && has_mark(process->pid);
}

static void add_processes(struct snapshot *snapshot)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;

    if (!directory)
        ck_abort_msg("cannot list processes: %s", strerror(errno));
    while ((entry = readdir(directory)) != NULL) {
        struct process process;
        int pid = atoi(entry->d_name);

        if (pid > 0 && read_process(pid, &process) && is_ours(&process))
            snapshot_add(snapshot, "process %d (%s) started at %lld", pid, process.name, process.start_ticks);
    }
    closedir(directory);
}

static void snapshot_take(struct snapshot *snapshot)
{
    snapshot->count = 0;
    add_descriptors(snapshot);
    add_mappings(snapshot);
    add_processes(snapshot);
    qsort(snapshot->lines, snapshot->count, LINE_BYTES, compare_lines);
}

static long long ticks_now(void)
{
    struct timespec now;
    long per_second = sysconf(_SC_CLK_TCK);

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (long long)now.tv_sec * per_second + (long long)now.tv_nsec * per_second / 1000000000LL;
}

static void map_mark(void)
{
    static unsigned serial;
    int fd;

    if (mark_memory)
        munmap(mark_memory, MARK_BYTES);
    snprintf(mark_name, sizeof mark_name, "harness-mark-%d-%u", (int)getpid(), serial++);
    fd = memfd_create(mark_name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, MARK_BYTES) < 0)
        ck_abort_msg("cannot make the mark: %s", strerror(errno));
    mark_memory = mmap(NULL, MARK_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mark_memory == MAP_FAILED)
        ck_abort_msg("cannot map the mark: %s", strerror(errno));
    mark_ticks = ticks_now();
}

void harness_leaks_mark(void)
{
    map_mark();
    snapshot_take(&rightful);
}

static void describe(char *text, size_t text_bytes, size_t *used, const char *what, const char *line)
{
    int bytes;

    if (*used >= text_bytes)
        return;
    bytes = snprintf(text + *used, text_bytes - *used, "%s%s %s", *used ? "\n" : "", what, line);
    *used += bytes < 0 ? 0 : (size_t)bytes;
}

static int compare_snapshots(const struct snapshot *before, const struct snapshot *now, char *text,
                             size_t text_bytes)
{
    size_t i = 0, k = 0, used = 0;
    int differences = 0;

    if (text_bytes > 0)
        text[0] = '\0';
    while (i < before->count || k < now->count) {
        int order = i == before->count ? 1 : k == now->count ? -1 : strcmp(before->lines[i], now->lines[k]);

        if (order < 0)
            describe(text, text_bytes, &used, "gone:", before->lines[i]);
        else if (order > 0)
            describe(text, text_bytes, &used, "new:", now->lines[k]);
        differences += order != 0;
        i += order <= 0;
        k += order >= 0;
    }
    return differences;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int harness_leaks_find(int64_t wait_ns, char *text, size_t text_bytes)
{
    static struct snapshot now;
    const struct timespec pause = { 0, 2000000 };
    int64_t end_ns = now_ns() + wait_ns;

    for (;;) {
        int differences;

        snapshot_take(&now);
        differences = compare_snapshots(&rightful, &now, text, text_bytes);
        if (differences == 0 || now_ns() >= end_ns)
            return differences;
        nanosleep(&pause, NULL);
    }
}
