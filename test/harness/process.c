/*
 * Questions to /proc and pidfds. Nothing here keeps state, and what runs in workers uses no stdio.
 */

#include "harness/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <parexec/init.h>
#include <parexec/worker.h>

#include "base/resident.h"
#include "harness/harness.h"
#include "harness/pool.h"
#include "harness/state.h"
#include "pool/pool.h"

#define GUARD_MS 10000

/* valgrind may not know pidfds: there it is the directory in /proc, which a process leaves when it is waited for. */
int process_open(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0u);
    char path[32];

    if (pidfd < 0 && errno == ENOSYS) {
        snprintf(path, sizeof path, "/proc/%d", (int)pid);
        pidfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (pidfd < 0)
        ck_abort_msg("no pidfd of process %d: %s", (int)pid, strerror(errno));
    return pidfd;
}

/* Of the directory of a process. */
static int is_dead(int directory)
{
    char text[512], *name_end;
    int fd = openat(directory, "stat", O_RDONLY | O_CLOEXEC);
    ssize_t bytes;

    if (fd < 0)
        return 1;
    bytes = read(fd, text, sizeof text - 1);
    close(fd);
    text[bytes < 0 ? 0 : bytes] = '\0';
    name_end = strrchr(text, ')'); /* the name itself may hold brackets */
    return !name_end || name_end[2] == 'Z' || name_end[2] == 'X';
}

static int poll_directory(int directory, int timeout_ms)
{
    int64_t deadline_ns = pe_now() + timeout_ms * INT64_C(1000000);

    while (!is_dead(directory)) {
        if (pe_now() >= deadline_ns)
            return 0;
        poll(NULL, 0, 1);
    }
    return 1;
}

static int wait_for_end(int pidfd, int timeout_ms)
{
    struct pollfd watched = { .fd = pidfd, .events = POLLIN };
    struct stat status;
    int count;

    if (fstat(pidfd, &status) == 0 && S_ISDIR(status.st_mode))
        return poll_directory(pidfd, timeout_ms);
    do
        count = poll(&watched, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

void process_await_end(int pidfd)
{
    int ended = wait_for_end(pidfd, (int)(harness_slowness() * GUARD_MS));

    close(pidfd);
    if (!ended)
        ck_abort_msg("a process lives on");
}

int process_has_ended(int pidfd)
{
    return wait_for_end(pidfd, 0);
}

static bool try_to_read(pid_t pid, const char *name, char *text, size_t text_bytes)
{
    char path[64];
    ssize_t bytes;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bytes = read(fd, text, text_bytes - 1);
    close(fd);
    text[bytes < 0 ? 0 : bytes] = '\0';
    return bytes >= 0;
}

static void read_file(pid_t pid, const char *name, char *text, size_t text_bytes)
{
    if (!try_to_read(pid, name, text, text_bytes))
        ck_abort_msg("cannot read %s of process %d: %s", name, (int)pid, strerror(errno));
}

static long long number_after(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found ? atoll(found + strlen(name)) : -1;
}

pid_t process_parent(pid_t pid)
{
    char text[4096];

    read_file(pid, "status", text, sizeof text);
    return (pid_t)number_after(text, "\nPPid:");
}

char process_state(pid_t pid)
{
    char text[512];
    const char *end;

    if (!try_to_read(pid, "stat", text, sizeof text))
        return '-';
    end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '-';
}

void process_await_stopped(pid_t pid, int stopped)
{
    int64_t guard = pe_after((int64_t)(harness_slowness() * (double)PE_MS(GUARD_MS)));

    while ((process_state(pid) == 'T') != stopped) {
        if (pe_now() >= guard)
            ck_abort_msg("process %d is %s", (int)pid, stopped ? "not stopped" : "stopped for ever");
        process_sleep_ms(1);
    }
}

int64_t process_thread_cpu_ns(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return PE_SECONDS(spent.tv_sec) + spent.tv_nsec;
}

void process_sleep_ms(int64_t ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&left, &left) < 0)
        ;
}

struct process_effort process_effort(pid_t pid)
{
    struct process_effort effort;
    char text[4096];

    read_file(pid, "status", text, sizeof text);
    effort.voluntary_switches = number_after(text, "\nvoluntary_ctxt_switches:");
    effort.switches = number_after(text, "\nnonvoluntary_ctxt_switches:") + effort.voluntary_switches;
    read_file(pid, "schedstat", text, sizeof text);
    effort.cpu_ns = atoll(text);
    return effort;
}

int process_is_idle(pid_t pid, int64_t for_ns)
{
    const struct timespec time = { .tv_sec = for_ns / 1000000000, .tv_nsec = for_ns % 1000000000 };
    struct process_effort before = process_effort(pid), after;

    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    after = process_effort(pid);
    return before.switches == after.switches && before.cpu_ns == after.cpu_ns;
}

int process_in_child(int (*fn)(void))
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the test fail */
        _exit(fn());
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* At an exit valgrind would search, and so touch, all of a pool's shared memory, and the address sanitizer would take
 * the parent's memory for leaked. */
int process_answer_of_child(int (*fn)(const void *context), const void *context)
{
    _Atomic int *answer = process_shared(sizeof *answer);
    pid_t child = fork();
    int ended;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        atomic_store(answer, fn(context));
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    int result = atomic_load(answer);
    munmap((void *)answer, sizeof *answer);
    return result;
}

bool process_deny(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int process_descriptors(char *text, size_t text_bytes)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t used = 0;
    int count = 0;

    text[0] = '\0';
    while (directory && (entry = readdir(directory)) != NULL) {
        char target[200];
        ssize_t bytes;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
            continue;
        bytes = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        target[bytes < 0 ? 0 : bytes] = '\0';
        count++;
        if (used < text_bytes)
            used += (size_t)snprintf(text + used, text_bytes - used, "%s -> %s\n", entry->d_name, target);
    }
    if (directory)
        closedir(directory);
    return count;
}

void process_list_descriptors(void *out)
{
    struct process_listing *listing = out;

    listing->count = process_descriptors(listing->text, sizeof listing->text);
}

struct meeting {
    process_look_fn *look;
    _Atomic uint32_t *here; /* how many there are; then whether one has given up */
    uint32_t workers;
    int64_t guard_ns;
    struct pe__shared shared;
};

static int look_together(const void *in, void *out, const void *context)
{
    const struct meeting *meeting = context;

    (void)in;
    meeting->look(out);
    atomic_fetch_add(&meeting->here[0], 1);
    while (atomic_load(&meeting->here[0]) < meeting->workers) {
        if (pe_worker_cancelled())
            return 1;
        if (pe_now() >= meeting->guard_ns) {
            if (atomic_exchange(&meeting->here[1], 1) == 0)
                state_tell(&meeting->shared);
            return 1;
        }
        sched_yield();
    }
    return 0;
}

int process_try_look(pe_pool *pool, uint32_t workers, process_look_fn *look, void *out, size_t out_bytes,
                     int64_t guard_ns)
{
    struct meeting meeting = { .look = look, .workers = workers, .guard_ns = guard_ns, .shared = pool->shared };
    pe_map_options options = { PE_SIZED(pe_map_options), .chunk = 1, .on_error = 1 };
    int result;

    meeting.here = pool_shared(pool, 2 * sizeof *meeting.here);
    options.context = &meeting;
    options.context_bytes = sizeof meeting;
    result = pe_pool_map(pool, look_together, NULL, 0, out, out_bytes, workers, &options);
    pe_pool_dealloc(pool, (void *)meeting.here);
    return result;
}

void process_look(pe_pool *pool, uint32_t workers, process_look_fn *look, void *out, size_t out_bytes)
{
    int64_t guard_ns = pe_after((int64_t)(harness_slowness() * GUARD_MS) * 1000000);

    ck_assert_int_eq(process_try_look(pool, workers, look, out, out_bytes, guard_ns), 0);
}

static void tell_pids(void *out)
{
    struct process_worker *worker = out;

    worker->pid = getpid();
    worker->keeper = getppid();
}

void process_workers(pe_pool *pool, uint32_t workers, struct process_worker *out)
{
    process_look(pool, workers, tell_pids, out, sizeof *out);
}

pid_t process_keeper(pe_pool *pool)
{
    struct process_worker worker;

    process_workers(pool, 1, &worker);
    return worker.keeper;
}

void process_pool_free(pe_pool *pool)
{
    struct process_worker worker;
    int keeper;

    process_workers(pool, 1, &worker);
    keeper = process_open(worker.keeper);
    pe_pool_free(pool);
    process_await_end(keeper);
}

void process_start_seed(void)
{
    ck_assert_int_eq(pe_init(NULL), 0);
    process_pool_free(pool_with((pe_pool_options){ .workers = 1, .flags = PE_POOL_FROM_SEED }));
    harness_leaks_mark();
}

void *process_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        ck_abort_msg("no shared memory: %s", strerror(errno));
    return memory;
}

void process_touch(void *memory, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 4096)
        ((volatile char *)memory)[at] = 1;
}

int64_t process_resident_bytes(void)
{
    char text[200];
    long pages = 0;

    read_file(getpid(), "statm", text, sizeof text);
    ck_assert_int_eq(sscanf(text, "%*d %ld", &pages), 1);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

#ifdef __GLIBC__
uint64_t process_allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}
#else
uint64_t process_allocated_bytes(void)
{
    uint64_t bytes = 0;

    ck_assert(pe__base_data(&bytes));
    return bytes;
}
#endif
