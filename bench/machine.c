/* Questions to the machine: see the header. */

#include "machine.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t before_pin;

int machine_cpus(int *ret_cpus, int max)
{
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++)
        if (CPU_ISSET(cpu, &set))
            ret_cpus[count++] = cpu;
    return count;
}

int machine_pin(int cpu)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof(before_pin), &before_pin);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

void machine_unpin(void)
{
    sched_setaffinity(0, sizeof(before_pin), &before_pin);
}

/* The text after the colon of the first line of `path` that starts with `key`; NULL when there is none. */
static char *proc_field(const char *path, const char *key, char *line, int line_bytes)
{
    FILE *file = fopen(path, "re");
    char *value = NULL;
    if (!file)
        return NULL;
    while (!value && fgets(line, line_bytes, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = strchr(line, ':');
    fclose(file);
    if (!value)
        return NULL;
    value += 1 + strspn(value + 1, " \t");
    value[strcspn(value, "\n")] = '\0';
    return value;
}

static int64_t proc_number(pid_t pid, const char *name, const char *key)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    const char *value = proc_field(path, key, line, sizeof(line));
    return value ? strtoll(value, NULL, 10) : -1;
}

const char *machine_cpu_name(void)
{
    static char line[256];
    const char *name = proc_field("/proc/cpuinfo", "model name", line, sizeof(line));
    return name ? name : "unknown";
}

const char *machine_kernel(void)
{
    static struct utsname names;
    return uname(&names) < 0 ? "unknown" : names.release;
}

uint64_t machine_memory_bytes(void)
{
    char line[256];
    const char *kib = proc_field("/proc/meminfo", "MemAvailable", line, sizeof(line));
    return kib ? strtoull(kib, NULL, 10) * 1024 : 0;
}

int64_t machine_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return -1;
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int64_t machine_switches(pid_t pid)
{
    int64_t own = proc_number(pid, "status", "voluntary_ctxt_switches");
    int64_t forced = proc_number(pid, "status", "nonvoluntary_ctxt_switches");
    return own < 0 || forced < 0 ? -1 : own + forced;
}

int64_t machine_private_kib(pid_t pid)
{
    int64_t clean = proc_number(pid, "smaps_rollup", "Private_Clean");
    int64_t dirty = proc_number(pid, "smaps_rollup", "Private_Dirty");
    return clean < 0 || dirty < 0 ? -1 : clean + dirty;
}

int64_t machine_peak_kib(pid_t pid)
{
    return proc_number(pid, "status", "VmHWM");
}

void *machine_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

void machine_unshare(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

pid_t machine_fork(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

void machine_sleep_ns(int64_t ns)
{
    struct timespec time = { ns / 1000000000, ns % 1000000000 };
    nanosleep(&time, NULL);
}
