#ifndef PE__TEST_CALLS_ASYNC_H
#define PE__TEST_CALLS_ASYNC_H

/*
 * One call of each exported function of async.h, and what it gives in each situation.
 *
 * A new function needs a CALL, one line that calls it with what the scene holds, and a ROW with what that gives in
 * each situation; what is not there yet to be called with is a new member of the scene, made in begin_scene of
 * test-situations-async.c. Functions on a task, on a loop and on a task's handle have their answers in IN_TASK, ON_LOOP
 * and ON_HANDLE.
 */

#include <stdio.h>
#include <sys/socket.h>

#include <parexec.h>

enum situation { NO_HANDLE, NO_TURN, IN_A_TASK, CLOSED, CHILD, WORKER, FREED, SITUATIONS };

/* What calls are made with; all NULL where there is no handle. */
struct scene {
    enum situation situation;
    pe_loop *loop;
    pe_task *t;     /* the task that runs, or one that waits; where the loop is closed it has ended */
    pe_task *other; /* one that waits, or has ended */
    pe_loop *made;  /* in a task, where it cannot be freed */
    pe_limit limit;
    pe_call_link link;
    pe_task_region region;
    int fd;         /* never readable */
    pe_process *process; /* goes on until it is killed */
    pe_signal *signal;
    pe_completed *completed; /* of `other` */
    pe_group *group; /* has a task that sleeps */
    pe_task *next;
    pe_pool *pool; /* without processes */
    pe_job *job;   /* has ended */
    int peer;       /* of the socket */
    pe_socket *socket; /* there is nothing to read */
    pe_udp *udp;
    pe_listener *listener;
    pe_loop_figures figures;
    FILE *nowhere;
    int listening;  /* another descriptor of it */
    struct sockaddr_storage address;
    char bytes[8];
    pe_sem *sem;     /* without a unit */
    pe_lock *lock;
    pe_event *event; /* not set */
    pe_cond *cond;
    pe_queue *queue; /* of one int; empty */
    int item;
};

/* Returns what the function returned; for pointers whether it was one, for texts whether it was not empty. */
typedef int call_fn(struct scene *scene);

#define NO_CALL 12345678 /* there is nothing left that it could be called with */

struct call_row {
    const char *name;
    call_fn *call;
    int wanted[SITUATIONS]; /* no handle, no turn, in a task, closed, child, worker, freed */
};

extern const struct call_row call_rows[];
extern const size_t call_row_count;

extern char *calls_program[]; /* one that sleeps */
int calls_return_nothing(pe_task *t, void *frame);

#endif
