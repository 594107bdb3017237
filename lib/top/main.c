/*
 * main.c - parexec-top: what the workers of another program's pools are doing.
 *
 * It needs nothing from that program and does nothing to it. Exit status: 0 shown; 1 there is nothing to show; 2 wrong
 * arguments; 3 not permitted.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top/attach.h"
#include "top/look.h"

#define INTERVAL_MS 1000
#define NOTHING 1
#define WRONG 2
#define NOT_PERMITTED 3

struct wish {
    pid_t pid;
    int once;
    long interval_ms;
};

/* Of each pool two looks, which take turns. */
struct watched {
    const struct pe__top_pool *pool;
    struct pe__top_look looks[2];
};

static int usage(FILE *out, int status)
{
    fputs("usage: parexec-top [--once] [--interval MS] PID\n"
          "Shows what the workers of the pools of process PID are doing, again and again until it has none.\n"
          "  --once         one table\n"
          "  --interval MS  time between two looks, from which rates are made: 1 to 3600000, 1000 if not given\n",
          out);
    return status;
}

/* 0: it is no number in that range. */
static long number(const char *text, long most)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && *text != '\0' && *end == '\0' && value > 0 && value <= most ? value : 0;
}

static bool read_arguments(int count, char **arguments, struct wish *ret)
{
    *ret = (struct wish){ .interval_ms = INTERVAL_MS };
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--once") == 0)
            ret->once = 1;
        else if (strcmp(arguments[i], "--interval") == 0 && i + 1 < count)
            ret->interval_ms = number(arguments[++i], 3600000);
        else if (ret->pid == 0 && (ret->pid = (pid_t)number(arguments[i], INT_MAX)) != 0)
            continue;
        else
            return false;
    }
    return ret->pid != 0 && ret->interval_ms != 0;
}

static int refuse(pid_t pid)
{
    fprintf(stderr,
            "parexec-top: the memory of process %d may not be read. That takes what a debugger needs: the same user,\n"
            "and kernel.yama.ptrace_scope 0 or CAP_SYS_PTRACE.\n",
            (int)pid);
    return NOT_PERMITTED;
}

/* Why there is nothing to watch; 0: there is. */
static int complain(pid_t pid, int result, const struct pe__top_found *found)
{
    if (result == -EACCES || result == -EPERM || (found->count == 0 && found->may_not))
        return refuse(pid);
    if (result < 0) {
        fprintf(stderr, "parexec-top: process %d: %s\n", (int)pid,
                result == -ENOENT || result == -ESRCH ? "there is none" : strerror(-result));
        return NOTHING;
    }
    if (found->count > 0)
        return 0;
    fprintf(stderr, "parexec-top: process %d has no pool%s\n", (int)pid,
            found->foreign > 0 ? " of this version of the library, but of another one" : "");
    return NOTHING;
}

static void wait_ms(long ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* All pools once; the number of those that are still there. */
static size_t look_at_all(struct watched *watched, size_t count, unsigned which)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        if (watched[i].pool == NULL)
            continue;
        if (pe__top_look(watched[i].pool, &watched[i].looks[which]))
            there++;
        else
            watched[i].pool = NULL;
    }
    return there;
}

static void show_all(const struct watched *watched, size_t count, unsigned which)
{
    for (size_t i = 0; i < count; i++)
        if (watched[i].pool != NULL)
            pe__top_show(stdout, watched[i].pool, &watched[i].looks[!which], &watched[i].looks[which]);
    fflush(stdout);
}

static int watch(const struct wish *wish, struct watched *watched, size_t count)
{
    unsigned which = 0;
    size_t there = look_at_all(watched, count, which);
    int shown = 0;
    while (there > 0) {
        wait_ms(wish->interval_ms);
        which = !which;
        there = look_at_all(watched, count, which);
        if (there == 0)
            break;
        if (!wish->once)
            fputs("\033[H\033[J", stdout);
        show_all(watched, count, which);
        shown = 1;
        if (wish->once)
            break;
    }
    return shown ? 0 : NOTHING;
}

int main(int count, char **arguments)
{
    static struct pe__top_found found;
    struct wish wish;
    if (count == 2 && strcmp(arguments[1], "--help") == 0)
        return usage(stdout, 0);
    if (!read_arguments(count, arguments, &wish))
        return usage(stderr, WRONG);
    int status = complain(wish.pid, pe__top_find(wish.pid, &found), &found);
    if (status != 0)
        return status;
    struct watched *watched = calloc(found.count, sizeof *watched);
    if (watched == NULL) {
        fputs("parexec-top: no memory\n", stderr);
        return NOTHING;
    }
    for (size_t i = 0; i < found.count; i++)
        watched[i].pool = &found.pools[i];
    status = watch(&wish, watched, found.count);
    free(watched);
    return status;
}
