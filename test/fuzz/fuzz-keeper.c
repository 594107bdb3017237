/*
 * fuzz-keeper.c - all that a keeper reads from the host's socket and from memory that workers write to.
 *
 * The keeper runs in this process, with processes and a clock that are made up. Whenever it would sleep the input says
 * what host and workers do meanwhile: they claim and end records rightly and wrongly, write over any word that they can
 * write to, are killed or die, and time passes. Whatever they do, the keeper signals its own workers alone, reaps whom
 * it has forked and nobody else, and leaves none behind; the host's work ends once, and no descriptor is left.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "expect.h"
#include "input.h"
#include "keeper/keeper.h"
#include "keeper/message.h"
#include "stand-in.h"
#include "work.h"
#include "workers.h"

#define JOBS        6
#define PROCESSES   64
#define FIRST_PID   1000000
#define ALLOCATIONS 4

struct process {
    enum { RUNS, ENDED, REAPED } state;
    int status;
};

static struct input input;
static pe_pool *pool;
static pe_job *jobs[JOBS];
static uint64_t in[ITEMS], out[ITEMS];

static jmp_buf leave_keeper;
static bool in_keeper; /* and not in what others do meanwhile */
static bool refuses_forks;
static struct process processes[PROCESSES];
static int process_count;
static int64_t passed_ns;
static int signals, signals_end; /* what the keeper reads signals from, and where they are written */
static int output_fd;            /* what a worker last had for its output, -1: none */
static void *allocations[ALLOCATIONS];

pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_waitid(idtype_t type, id_t id, siginfo_t *ret, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *ret, int options);
pid_t __real_waitpid(pid_t pid, int *ret_status, int options);
pid_t __wrap_waitpid(pid_t pid, int *ret_status, int options);
int __wrap_kill(pid_t pid, int number);
noreturn void __real__exit(int status);
noreturn void __wrap__exit(int status);
int __wrap_signalfd(int fd, const sigset_t *mask, int flags);
int64_t __real_pe__base_now_ns(void);
int64_t __wrap_pe__base_now_ns(void);
int __real_pe__base_memfd(const char *name, size_t bytes);
int __wrap_pe__base_memfd(const char *name, size_t bytes);
void *__real_pe__base_pages_new(size_t bytes);
void *__wrap_pe__base_pages_new(size_t bytes);
void __real_pe__base_pages_free(void *pages, size_t bytes);
void __wrap_pe__base_pages_free(void *pages, size_t bytes);
int __wrap_pe__mapping_protect(struct pe__shared *shared);
void __wrap_pe__base_fd_close_all_but(const int *keep, size_t count);
void __wrap_pe__worker_reset_signals(const sigset_t *ignored);

static uint64_t take(int bytes)
{
    return input_take(&input, bytes);
}

/* ---- processes ---- */

static struct process *process_of(pid_t pid)
{
    demand(pid >= FIRST_PID && pid < FIRST_PID + process_count);
    return &processes[pid - FIRST_PID];
}

pid_t __wrap_fork(void)
{
    if (!in_keeper)
        return __real_fork();
    if (refuses_forks || process_count == PROCESSES) {
        errno = EAGAIN;
        return -1;
    }
    processes[process_count] = (struct process){ .state = RUNS };
    return FIRST_PID + process_count++;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *ret, int options)
{
    if (!in_keeper)
        return __real_waitid(type, id, ret, options);
    demand(type == P_ALL && options == (WEXITED | WNOHANG | WNOWAIT));
    ret->si_pid = 0;
    for (int i = 0; i < process_count && ret->si_pid == 0; i++)
        if (processes[i].state == ENDED)
            ret->si_pid = FIRST_PID + i;
    return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *ret_status, int options)
{
    if (!in_keeper)
        return __real_waitpid(pid, ret_status, options);
    struct process *process = process_of(pid);
    demand(process->state == ENDED && options == 0);
    process->state = REAPED;
    *ret_status = process->status;
    return pid;
}

static void end_process(struct process *process, int status)
{
    if (process->state == RUNS)
        *process = (struct process){ .state = ENDED, .status = status };
}

/* No signal goes to whom the keeper has reaped: the number may be another's. */
int __wrap_kill(pid_t pid, int number)
{
    struct process *process = process_of(pid < 0 ? -pid : pid);

    demand(process->state != REAPED);
    demand(number == SIGKILL || number == SIGTERM || number == SIGCONT);
    if (number == SIGKILL)
        end_process(process, SIGKILL);
    return 0;
}

/* ---- the keeper's surroundings ---- */

void __wrap__exit(int status)
{
    if (!in_keeper)
        __real__exit(status);
    longjmp(leave_keeper, 1);
}

int __wrap_signalfd(int fd, const sigset_t *mask, int flags)
{
    int ends[2];

    (void)fd;
    (void)mask;
    (void)flags;
    demand(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    signals = ends[0];
    signals_end = ends[1];
    return signals;
}

int64_t __wrap_pe__base_now_ns(void)
{
    return __real_pe__base_now_ns() + passed_ns;
}

int __wrap_pe__base_memfd(const char *name, size_t bytes)
{
    int fd = __real_pe__base_memfd(name, bytes);

    if (in_keeper)
        output_fd = fd;
    return fd;
}

static void **allocation_of(const void *pages)
{
    for (int i = 0; i < ALLOCATIONS; i++)
        if (allocations[i] == pages)
            return &allocations[i];
    return NULL;
}

/* Exactly as long as asked for, so that whatever is beyond its end is found. */
void *__wrap_pe__base_pages_new(size_t bytes)
{
    void **allocation = in_keeper ? allocation_of(NULL) : NULL;

    if (!in_keeper)
        return __real_pe__base_pages_new(bytes);
    demand(allocation != NULL);
    return *allocation = calloc(1, bytes);
}

void __wrap_pe__base_pages_free(void *pages, size_t bytes)
{
    void **allocation = pages != NULL ? allocation_of(pages) : NULL;

    if (allocation == NULL) {
        __real_pe__base_pages_free(pages, bytes);
        return;
    }
    free(pages);
    *allocation = NULL;
}

int __wrap_pe__mapping_protect(struct pe__shared *shared)
{
    (void)shared;
    return 0;
}

void __wrap_pe__base_fd_close_all_but(const int *keep, size_t count)
{
    (void)keep;
    (void)count;
}

void __wrap_pe__worker_reset_signals(const sigset_t *ignored)
{
    (void)ignored;
}

/* ---- what workers do ---- */

static struct pe__slot *take_slot(void)
{
    return &stand_in.shared.slots[take(1) % WORKERS];
}

static void claim_record(void)
{
    uint32_t index = workers_take_record(&input, pool), worker = (uint32_t)take(1) % WORKERS;
    uint64_t word = pe__record_word(pool->entries[index].sequence, worker, PE__RECORD_RUNNING);

    atomic_store(&stand_in.shared.slots[worker].life, PE__SLOT_SERVING);
    atomic_store(&stand_in.shared.slots[worker].hint, index);
    atomic_store(&stand_in.shared.records[index].word, word);
}

/* Of the map that a ticket belongs to. */
static void begin_item(void)
{
    uint32_t index = workers_take_record(&input, pool);
    const struct pe__record *record = &stand_in.shared.records[index];

    if (record->map < PE__MAPS_MAX && record->lane < WORKERS)
        atomic_store(&pe__mapping_lanes(&stand_in.shared, record->map)[record->lane].running, take(1) % (ITEMS + 3));
}

static void set_due(void)
{
    atomic_store(&take_slot()->due, __wrap_pe__base_now_ns() + (int64_t)(int32_t)take(4));
}

/* Mostly one that fits the deaths here. */
static void note_crash(void)
{
    struct pe__crash *crash = &stand_in.shared.crashes[take(1) % WORKERS];
    uint64_t how = take(1);

    crash->frame_count = (uint32_t)take(1);
    crash->out_of_memory = how & 1;
    crash->signal = (how & 2) != 0 ? SIGSEGV : (int32_t)take(1);
}

static void print(void)
{
    char text[256];
    size_t bytes = take(1);

    memset(text, 'x', sizeof text);
    if (output_fd >= 0)
        (void)!write(output_fd, text, bytes);
    atomic_store(&take_slot()->output_from, take(1));
}

static void die(void)
{
    uint64_t how = take(1);
    int status = (how & 1) != 0 ? SIGSEGV : how == 2 ? SIGKILL : (int)(how >> 2 & 3) << 8;

    if (process_count > 0)
        end_process(&processes[(int)take(1) % process_count], status);
}

static void work(void)
{
    switch (take(1) % 14) {
    case 0: claim_record(); break;
    case 1: begin_item(); break;
    case 2: set_due(); break;
    case 3: note_crash(); break;
    case 4: print(); break;
    case 5:
    case 6:
    case 7: die(); break;
    case 8: workers_forge_word(&input, pool); break;
    case 9: workers_write_anywhere(&input, false); break;
    case 10: workers_write_into_record(&input, pool); break;
    case 11: workers_close_item(&input, pool); break;
    case 12: atomic_store(&take_slot()->life, take(1) % 6); break;
    default: workers_end_record(&input, pool);
    }
}

/* ---- what the host does ---- */

static pe_job **free_place(void)
{
    for (int i = 0; i < JOBS; i++)
        if (jobs[i] == NULL)
            return &jobs[i];
    return NULL;
}

static void submit(void)
{
    pe_job_options options = PE_JOB_OPTIONS_INIT;
    uint64_t how = take(1);
    pe_job **place = free_place();

    options.retries = how & 3;
    options.priority = (uint32_t)(how >> 2) % PE__QUEUE_LEVELS;
    options.timeout_ns = (how & 16) != 0 ? PE_MS(5) : 0;
    options.deadline_ns = (how & 32) != 0 ? pe_after(PE_SECONDS(1)) : 0;
    if (place != NULL)
        (void)pe_pool_try_submit(pool, work_job, NULL, 0, &options, place);
}

static void start_map(void)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t how = take(1);
    pe_job **place = free_place();

    options.retries = how & 3;
    options.timeout_ns = (how & 4) != 0 ? PE_MS(5) : 0;
    options.deadline_ns = (how & 8) != 0 ? pe_after(PE_SECONDS(1)) : 0;
    options.on_error = how >> 4 & 1;
    options.chunk = how >> 5;
    if (place != NULL)
        (void)pe_pool_start_map(pool, work_item, in, 8, out, 8, ITEMS, &options, place);
}

static void cancel(void)
{
    const pe_job *job = jobs[take(1) % JOBS];

    if (job != NULL)
        (void)pe_job_cancel((pe_job *)(uintptr_t)job);
}

/* About a record that there is, or any. */
static void say_message(void)
{
    struct pe__message message = { .type = (uint32_t)take(1) % 12 };
    uint32_t record = workers_take_record(&input, pool);
    uint64_t how = take(1);

    message.record = (how & 1) != 0 ? record : (uint32_t)take(4);
    message.sequence = (how & 2) != 0 ? pool->entries[record].sequence : take(8);
    message.grace_ns = (how & 4) != 0 ? PE_MS(1) : (int64_t)take(8);
    message.phase = (how & 8) != 0 ? PE__RECORD_CANCELLED : (uint32_t)take(4);
    message.value = (int32_t)(int8_t)take(1);
    (void)!send(pool->control, &message, (how & 112) == 0 ? take(1) % sizeof message : sizeof message,
                MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void order(void)
{
    switch (take(1) % 5) {
    case 0: start_map(); break;
    case 1: cancel(); break;
    case 2: (void)pe_pool_poll(pool); break;
    case 3: say_message(); break;
    default: submit();
    }
}

/* ---- one input ---- */

/* The host goes. */
static void hang_up(void)
{
    shutdown(stand_in.socket, SHUT_RDWR);
}

static void pass_time(void)
{
    passed_ns += (int64_t)take(1) * PE_MS(1) * (take(1) % 2 == 0 ? 1 : 100);
}

static void go_on(void)
{
    struct signalfd_siginfo info = { .ssi_signo = SIGCONT };

    (void)!write(signals_end, &info, sizeof info);
}

/* While the keeper sleeps. A host that would sleep finds that there is no keeper any more. */
static void turn(void)
{
    uint64_t what = take(1) % 16;

    in_keeper = false;
    stand_in.turn = hang_up;
    if (input_is_over(&input))
        hang_up();
    else if (what < 8)
        work();
    else if (what < 12)
        order();
    else if (what == 12)
        go_on();
    else if (what == 13)
        refuses_forks = !refuses_forks;
    else
        pass_time();
    in_keeper = true;
    stand_in.turn = turn;
}

static void begin(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    uint64_t how = take(1);

    options.workers = WORKERS;
    options.queue_jobs = 16;
    options.shared_bytes = UINT64_C(4) << 20;
    options.flags = PE_POOL_BACKTRACE | ((how & 1) != 0 ? PE_POOL_GROUPS : 0) |
                    ((how & 2) != 0 ? PE_POOL_KEEP_SIGNALS : 0);
    options.output_bytes = (how & 4) != 0 ? 4096 : 0;
    options.idle_ns = (how & 8) != 0 ? PE_MS(1) : 0;
    options.jobs_per_worker = how >> 4 & 1;
    options.memory_limit_bytes = (how & 32) != 0 ? UINT64_C(1) << 40 : 0;
    options.max_deaths = (how & 64) != 0 ? 3 : 0;
    options.grace_ns = (how & 128) != 0 ? PE_MS(1) : PE_NOW;
    demand(pe_pool_new(&options, &pool) == 0);
}

/* The stand-in has only pretended to be it so far. */
static void run_keeper(void)
{
    struct pe__keeper_start start = { .shared = stand_in.shared,
                                      .control = stand_in.socket,
                                      .host_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                      .alive = -1,
                                      .host_pidfd = -1,
                                      .close_fds = { -1, -1 } };
    int fd = start.host_bell;

    stand_in.turn = turn;
    in_keeper = true;
    if (setjmp(leave_keeper) == 0)
        pe__keeper_run(&start);
    in_keeper = false;
    stand_in.turn = NULL;
    close_fds_from(fd);
    for (int i = 0; i < ALLOCATIONS; i++) {
        free(allocations[i]);
        allocations[i] = NULL;
    }
    for (int i = 0; i < process_count; i++)
        demand(processes[i].state != RUNS);
}

static void end(void)
{
    pe_status status;

    demand(pe_pool_kill(pool, PE_NOW) == 0);
    for (int i = 0; i < JOBS; i++) {
        demand(jobs[i] == NULL || (pe_job_status(jobs[i], &status) == 0 && status.kind != PE_PENDING));
        pe_job_free(jobs[i]);
        jobs[i] = NULL;
    }
    pe_pool_free(pool);
    stand_in_leave();
}

__attribute__((constructor)) static void close_inherited(void)
{
    close_fds_from(3);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    input = (struct input){ bytes, bytes + count };
    process_count = 0;
    passed_ns = 0;
    refuses_forks = false;
    output_fd = -1;
    begin();
    run_keeper();
    end();
    demand(open_fds() == fds);
    return 0;
}
