/*
 * Usable CPUs.
 *
 * The quota is found as the kernel enforces it: any group between the process's own and the root may
 * carry one, so every level is read. /proc/self/cgroup names the group, /proc/self/mountinfo says where
 * such groups can be seen and which group (the mount's root) lies at the mount point. In a container the
 * mount point may be the process's own group already, or the group's name may be one that only the world
 * outside knows; when no mount shows the named group, the mount points themselves are what there is to
 * read.
 *
 * All of it is somebody else's text and none of it is worth failing for: what does not parse limits nothing.
 */
#include "base/cpu.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <parexec/cpu.h>

#include "base/file.h"

#define AFFINITY_CPUS_FIRST 1024
#define AFFINITY_CPUS_MAX (1 << 20)

/* A control group as the process sees it. The two versions differ in where it is listed and how a quota
 * is written. */
struct group {
    bool unified;      /* v2 */
    const char *path;  /* of the process, from /proc/self/cgroup; NULL: not in such a hierarchy */
};

/* The parts of a line of mountinfo that matter here; they point into that line. */
struct mount {
    char *root;
    char *point;
    const char *type;
    const char *options;  /* of the file system, not of the mount */
};

/* The calling thread's mask, to be freed; NULL when it cannot be had. */
static cpu_set_t *read_mask(size_t *ret_bytes)
{
    for (int cpus = AFFINITY_CPUS_FIRST; cpus <= AFFINITY_CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int error;

        if (!set)
            return NULL;
        if (sched_getaffinity(0, bytes, set) == 0) {
            *ret_bytes = bytes;
            return set;
        }
        error = errno;
        CPU_FREE(set);
        if (error != EINVAL)  /* EINVAL: the kernel's mask is longer than ours */
            return NULL;
    }
    return NULL;
}

int pe__base_cpu_affinity(void)
{
    size_t bytes;
    cpu_set_t *set = read_mask(&bytes);
    int count = set ? CPU_COUNT_S(bytes, set) : 0;

    CPU_FREE(set);
    return count > 0 ? count : 1;
}

size_t pe__base_cpu_list(int32_t **ret_cpus)
{
    size_t bytes, count = 0;
    cpu_set_t *set = read_mask(&bytes);
    int32_t *cpus = set ? malloc((size_t)CPU_COUNT_S(bytes, set) * sizeof *cpus) : NULL;

    for (size_t cpu = 0; cpus && cpu < bytes * 8; cpu++)
        if (CPU_ISSET_S(cpu, bytes, set))
            cpus[count++] = (int32_t)cpu;
    CPU_FREE(set);
    if (count == 0) {
        free(cpus);
        return 0;
    }
    *ret_cpus = cpus;
    return count;
}

/* Cuts the first line off and returns it, or NULL at the end. */
static char *next_line(char **rest)
{
    char *line = *rest;

    if (!line || *line == '\0')
        return NULL;
    *rest = strchr(line, '\n');
    if (*rest)
        *(*rest)++ = '\0';
    return line;
}

static bool in_comma_list(const char *list, const char *word)
{
    size_t bytes = strlen(word);

    while (list) {
        if (strncmp(list, word, bytes) == 0 && (list[bytes] == ',' || list[bytes] == '\0'))
            return true;
        list = strchr(list, ',');
        if (list)
            list++;
    }
    return false;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* mountinfo writes space, tab, newline and backslash as \ooo. In place. */
static void undo_escapes(char *text)
{
    char *to = text;

    while (*text != '\0') {
        if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
            *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* "id:controllers:path"; v2 has no controllers and the number 0. */
static void read_group_line(char *line, struct group *v1, struct group *v2)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path || path[1] != '/')
        return;
    *controllers++ = '\0';
    *path++ = '\0';
    if (*controllers == '\0' && strcmp(line, "0") == 0)
        v2->path = path;
    else if (in_comma_list(controllers, "cpu"))
        v1->path = path;
}

/* "id parent dev ROOT POINT options [tag...] - TYPE source OPTIONS" */
static bool read_mount_line(char *line, struct mount *ret_mount)
{
    char *fields[5], *tail, *save = NULL;
    struct mount mount;

    tail = strstr(line, " - ");
    if (!tail)
        return false;
    *tail = '\0';
    fields[0] = strtok_r(line, " ", &save);
    for (int i = 1; i < 5; i++)
        fields[i] = fields[i - 1] ? strtok_r(NULL, " ", &save) : NULL;
    mount.type = strtok_r(tail + 3, " ", &save);
    mount.options = mount.type && strtok_r(NULL, " ", &save) ? strtok_r(NULL, " ", &save) : NULL;
    if (!fields[4] || !mount.options)
        return false;
    mount.root = fields[3];
    mount.point = fields[4];
    undo_escapes(mount.root);
    undo_escapes(mount.point);
    if (mount.root[0] != '/' || mount.point[0] != '/')
        return false;
    *ret_mount = mount;
    return true;
}

static bool mount_carries(const struct mount *mount, const struct group *group)
{
    if (group->unified)
        return strcmp(mount->type, "cgroup2") == 0;
    return strcmp(mount->type, "cgroup") == 0 && in_comma_list(mount->options, "cpu");
}

/* A path out of its own namespace ("/../x") names nothing that can be reached from here. */
static bool has_parent_step(const char *path)
{
    size_t bytes = strlen(path);

    return strstr(path, "/../") || (bytes >= 3 && strcmp(path + bytes - 3, "/..") == 0);
}

/* The group's path as seen from the mount point: "" or "/a/b"; NULL when the mount does not show it. */
static const char *path_below_mount(const struct mount *mount, const struct group *group)
{
    const char *path = group->path;
    size_t bytes = strlen(mount->root);

    if (has_parent_step(path) || has_parent_step(mount->root))
        return NULL;
    if (strcmp(mount->root, "/") == 0)
        return strcmp(path, "/") == 0 ? "" : path;
    if (strncmp(path, mount->root, bytes) != 0 || (path[bytes] != '/' && path[bytes] != '\0'))
        return NULL;
    return path + bytes;
}

/* A number and what follows it; false for none, for a negative one and for one that does not fit. */
static bool read_number(const char **text, int64_t *ret_number)
{
    long long number;
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    number = strtoll(*text, &end, 10);
    if (errno != 0)
        return false;
    *text = end;
    *ret_number = number;
    return true;
}

static bool at_end(const char *text)
{
    return *text == '\0' || strcmp(text, "\n") == 0;
}

static int whole_cpus(int64_t quota, int64_t period)
{
    int64_t cpus;

    if (quota <= 0 || period <= 0)
        return 0;
    cpus = quota / period + (quota % period != 0);
    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* "QUOTA PERIOD", or "max PERIOD". */
static int quota_v2(const char *text)
{
    int64_t quota, period;

    if (!read_number(&text, &quota) || *text++ != ' ' || !read_number(&text, &period) || !at_end(text))
        return 0;
    return whole_cpus(quota, period);
}

/* A number each; the quota is -1 for none. */
static int quota_v1(const char *quota_text, const char *period_text)
{
    int64_t quota, period;

    if (!read_number(&quota_text, &quota) || !at_end(quota_text))
        return 0;
    if (!read_number(&period_text, &period) || !at_end(period_text))
        return 0;
    return whole_cpus(quota, period);
}

static int quota_in_v1(const char *directory)
{
    char *quota = pe__base_file_read(directory, "/cpu.cfs_quota_us");
    char *period = pe__base_file_read(directory, "/cpu.cfs_period_us");
    int cpus = quota && period ? quota_v1(quota, period) : 0;

    free(quota);
    free(period);
    return cpus;
}

static int quota_in_v2(const char *directory)
{
    char *text = pe__base_file_read(directory, "/cpu.max");
    int cpus = text ? quota_v2(text) : 0;

    free(text);
    return cpus;
}

/* 0 stands for no limit. */
static int tighter(int a, int b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* Every level from the mount point plus `below` up to the mount point. */
static int quota_up_from(const char *root, const struct mount *mount, const char *below, bool unified)
{
    char *directory, *top;
    int cpus = 0;

    if (asprintf(&directory, "%s%s%s", root, mount->point, below) < 0)
        return 0;
    top = directory + strlen(root) + strlen(mount->point);
    for (;;) {
        char *slash;

        cpus = tighter(cpus, unified ? quota_in_v2(directory) : quota_in_v1(directory));
        slash = strrchr(top, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    free(directory);
    return cpus;
}

/* One pass over the mounts: those that show the group, or, `anyway`, the tops of those that do not. */
static int quota_in_mounts(const char *root, const char *mounts, const struct group *group, bool anyway,
                           bool *ret_seen)
{
    char *text = strdup(mounts);
    char *rest = text, *line;
    int cpus = 0;

    while ((line = next_line(&rest))) {
        struct mount mount;
        const char *below;

        if (!read_mount_line(line, &mount) || !mount_carries(&mount, group))
            continue;
        below = anyway ? "" : path_below_mount(&mount, group);
        if (!below)
            continue;
        *ret_seen = true;
        cpus = tighter(cpus, quota_up_from(root, &mount, below, group->unified));
    }
    free(text);
    return cpus;
}

static int quota_of_group(const char *root, const char *mounts, const struct group *group)
{
    bool seen = false;
    int cpus;

    if (!group->path)
        return 0;
    cpus = quota_in_mounts(root, mounts, group, false, &seen);
    return seen ? cpus : quota_in_mounts(root, mounts, group, true, &seen);
}

int pe__base_cpu_quota(const char *root)
{
    struct group v1 = { .unified = false, .path = NULL };
    struct group v2 = { .unified = true, .path = NULL };
    char *groups = pe__base_file_read(root, "/proc/self/cgroup");
    char *mounts = pe__base_file_read(root, "/proc/self/mountinfo");
    char *rest = groups, *line;
    int cpus = 0;

    while ((line = next_line(&rest)))
        read_group_line(line, &v1, &v2);
    if (mounts)
        cpus = tighter(quota_of_group(root, mounts, &v1), quota_of_group(root, mounts, &v2));
    free(groups);
    free(mounts);
    return cpus;
}

int pe__base_cpu_count(const char *root)
{
    return tighter(pe__base_cpu_affinity(), pe__base_cpu_quota(root));
}

int pe_cpu_count(void)
{
    return pe__base_cpu_count("");
}
