#ifndef PE__TEST_PROCESS_H
#define PE__TEST_PROCESS_H

/*
 * What tests ask of processes: whether they have ended, what they spend, what they hold open; and one look
 * into every worker of a pool at the same time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <parexec/pool.h>

/* A pidfd; fails the test when there is none for that process. */
int process_open(pid_t pid);
/* Waits until the process behind the pidfd has ended (a dead one whose parent does not wait counts), fails
 * the test after the hang guard, closes the pidfd. */
void process_await_end(int pidfd);
int process_has_ended(int pidfd);

pid_t process_parent(pid_t pid);
/* As /proc tells it: 'S' for one that sleeps, 'T' for a stopped one; '-' when there is no such process. */
char process_state(pid_t pid);
/* Waits until it is stopped, or is not any more. */
void process_await_stopped(pid_t pid, int stopped);

/* What a process has spent so far: every switch of its CPU away, and nanoseconds on one. */
struct process_effort {
    long long voluntary_switches, switches;
    long long cpu_ns;
};

struct process_effort process_effort(pid_t pid);
/* What the calling thread has spent of it. */
int64_t process_thread_cpu_ns(void);
void process_sleep_ms(int64_t ms);
/* 1 when the process spent nothing in that time: it slept throughout. */
int process_is_idle(pid_t pid, int64_t for_ns);

/* Runs the function in a child; gives its exit status, or 1000 + the signal that ended it. */
int process_in_child(int (*fn)(void));
/* Calls it in a child, which ends without any handlers of an exit; gives what it returned. */
int process_answer_of_child(int (*fn)(const void *context), const void *context);
/* From here on the system call fails in this process with that errno; false: there is no seccomp here. */
bool process_deny(int number, int error);

/* Open descriptors of the calling process, but for the one it takes to list them. For use in a worker as
 * well. A line "3 -> target\n" each; returns their number. */
int process_descriptors(char *text, size_t text_bytes);

struct process_listing {
    int count;
    char text[2000];
};

/* A process_look_fn: the descriptors, into a struct process_listing. */
void process_list_descriptors(void *out);

struct process_worker {
    pid_t pid, keeper;
};

typedef void process_look_fn(void *out);

/* Runs look once in each of the pool's workers, all of them being in it together; out has a place for each. Where one
 * dies, or they have not met by then, that is PE_EITEMS; one that waited in vain tells the pool's state (state.h). */
int process_try_look(pe_pool *pool, uint32_t workers, process_look_fn *look, void *out, size_t out_bytes,
                     int64_t guard_ns);
/* The same with the hang guard; fails the test. */
void process_look(pe_pool *pool, uint32_t workers, process_look_fn *look, void *out, size_t out_bytes);
void process_workers(pe_pool *pool, uint32_t workers, struct process_worker *out);
/* Of a pool with one worker. */
pid_t process_keeper(pe_pool *pool);

/* Frees the pool and waits until its keeper has ended, which pe_pool_free does not do to the last instant. */
void process_pool_free(pe_pool *pool);

/* pe_init, and a pool of the seed that is gone again, so that the seed runs under its name. It lives as long
 * as the process, and is taken as rightful. */
void process_start_seed(void);

/* What malloc has given out and not taken back; where it does not tell, what the process has as its own. */
uint64_t process_allocated_bytes(void);

/* Private memory of this process and what it has touched of shared memory. */
int64_t process_resident_bytes(void);

/* Pages shared with everything forked later, zeroed; given back by munmap of the same size. */
void *process_shared(size_t bytes);
/* Writes to each of its pages, so that they are really there. */
void process_touch(void *memory, size_t bytes);

#endif
