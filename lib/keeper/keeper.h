/* keeper.h - the process that forks, reaps, stops and replaces the workers of one pool. */
#ifndef PE__KEEPER_KEEPER_H
#define PE__KEEPER_KEEPER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "keeper/message.h"
#include "shared/mapping.h"

/* What the keeper takes along from its parent. Descriptors are all at or above 3. */
struct pe__keeper_start {
    struct pe__shared shared;
    int control;    /* the keeper's end of the socket */
    int host_bell;  /* eventfd that wakes the host */
    int alive;      /* write end of a pipe that only keeper and workers hold: its end of file: all are gone */
    int host_pidfd; /* -1 where the kernel has none: then only the socket's end of file tells the host's death */
    bool may_keep_fds; /* PE_POOL_KEEP_FDS: close nothing but `close_fds` */
    int close_fds[2];  /* the host's ends, -1 where there is none */
};

enum pe__stop_stage {
    PE__STOP_NONE = 0,
    PE__STOP_ASKED = 1,      /* the flag is set; STOPPING and SIGTERM follow when `due_ns` has come */
    PE__STOP_TERMINATED = 2, /* SIGTERM was sent; SIGKILL follows */
    PE__STOP_KILLED = 3,
};

/* The keeper's private book on one worker number. */
struct pe__kept {
    pid_t pid; /* 0: no process */
    int64_t fork_due_ns; /* when to fork, while pid is 0 */
    bool vacant;         /* left for want of work: not forked until the host asks */
    bool called;         /* the host has asked already, while that process still was */
    bool sent_home;      /* that process was told to leave by pe__keeper_resize */
    uint32_t inherited;  /* record left RUNNING under this number, or PE__SLOT_NO_RECORD */
    int last_status;     /* wait status of the last life */
    bool last_starved;   /* and it had used up its memory limit */
    pid_t last_pid;
    enum pe__stop_stage stop_stage;
    uint32_t stop_record;
    uint64_t stop_sequence;
    uint32_t stop_phase;
    int64_t stop_item;   /* of a ticket: the due time of the one item that is to stop, 0: all of it */
    int32_t stop_signal; /* the last one sent */
    int64_t stop_due_ns;
    int64_t stop_grace_ns;
    int64_t excused;     /* a due time that is put off, because this process was stopped meanwhile, and until when */
    int64_t excused_until_ns;
    int output_fd; /* the number's memory file, 0: none */
    uint64_t output_punched; /* what lies before is given back */
};

/* What is to be stopped, and why. */
struct pe__stop_order {
    uint32_t record;
    uint64_t sequence;
    uint32_t phase; /* that it is to end in: CANCELLED or TIMED_OUT */
    int64_t item;   /* see stop_item */
    int64_t grace_ns;
};

struct pe__keeper {
    struct pe__keeper_start start;
    struct pe__shared *shared;
    struct pe__kept *kept; /* one for each worker number that there is room for */
    uint32_t workers;      /* wanted; their numbers are 0 to workers - 1 */
    uint32_t numbers;      /* worker numbers that have ever been in use */
    int32_t size_order, size_told; /* the last RESIZE, and the last one of which the host was told that it is done */
    int signal_fd;
    int bell; /* eventfd that wakes the keeper, rung by workers */
    int64_t looked_ns; /* when this process last looked whether it had been stopped */
    int64_t output_due_ns; /* when to look at the output of workers */
    uint32_t alive;
    bool served;        /* some worker has finished its initialiser */
    bool leaving;       /* no worker is replaced any more */
    bool killing;
    bool broken;
    int64_t kill_due_ns; /* when SIGKILL follows, 0: it was sent */
    int64_t give_up_ns;  /* when killed workers are not waited for any longer */
    uint32_t deaths;     /* in a row, without a success */
    uint64_t ended_before;
    bool succeeded;      /* since the last death, although no count of ended items tells */
    uint32_t fork_failures; /* in a row */
    bool keep_signals;
    struct sigaction host_actions[NSIG];
};

/* The whole life of a keeper, as a pe__spawn_fn over a struct pe__keeper_start. */
noreturn void pe__keeper_run(struct pe__keeper_start *start);

/* workers.c: what workers ignore, unless they keep the host's dispositions; the keeper sets it for all of
 * them. */
void pe__keeper_worker_signals(sigset_t *ret_ignored);

/* workers.c: forks one worker: sets pid or, when fork fails, settles what the number holds and sets a
 * later due time. */
void pe__keeper_fork_worker(struct pe__keeper *keeper, uint32_t index);

/* size.c: the host needs a process for this number, or for all (PE__MESSAGE_ALL). */
void pe__keeper_start_worker(struct pe__keeper *keeper, int32_t number);

/* size.c: so many are wanted from now on; tells the host once nobody is left of the others. */
void pe__keeper_resize(struct pe__keeper *keeper, uint32_t workers, int32_t order);
void pe__keeper_tell_size(struct pe__keeper *keeper);

/* Never waits. False: there is no room now. */
bool pe__keeper_try_tell(const struct pe__keeper *keeper, enum pe__message_type type, int32_t value);

/* True: there is no process of that number, and there is to be one. */
static inline bool pe__keeper_lacks(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__kept *kept = &keeper->kept[index];
    bool wanted = (index < keeper->workers && !kept->vacant) || kept->inherited != PE__SLOT_NO_RECORD;
    return !keeper->leaving && kept->pid == 0 && wanted;
}

/* reap.c: takes the ends of all dead children and settles what they held. */
void pe__keeper_reap(struct pe__keeper *keeper);

/* reap.c: ends the record that a number holds although no process will run it. */
void pe__keeper_settle_orphan(struct pe__keeper *keeper, uint32_t index);

/* reap.c: the record that a number holds, or PE__SLOT_NO_RECORD. */
uint32_t pe__keeper_held_record(const struct pe__keeper *keeper, uint32_t index);

/* stop.c: asks what a worker runs to stop, and signals when its grace is over. */
void pe__keeper_ask(struct pe__keeper *keeper, uint32_t index, const struct pe__stop_order *order);

/* stop.c: whether what was asked to stop still runs. */
bool pe__keeper_still_runs(const struct pe__keeper *keeper, uint32_t index);

/* stop.c: a job is to be stopped; the next step of all stops that are due; when the next one will be (or
 * INT64_MAX). */
void pe__keeper_stop_job(struct pe__keeper *keeper, const struct pe__message *message);
void pe__keeper_stop_due(struct pe__keeper *keeper, int64_t now_ns);
int64_t pe__keeper_next_stop(const struct pe__keeper *keeper);
void pe__keeper_kill_all(struct pe__keeper *keeper, int64_t grace_ns);
void pe__keeper_signal_all(struct pe__keeper *keeper, int number);

/* stop.c: signals one worker, or its whole group with PE_POOL_GROUPS. */
void pe__keeper_signal(const struct pe__keeper *keeper, const struct pe__kept *kept, int number);

/* watch.c: asks all that is over its limit to stop, and ends what has waited beyond its deadline. */
void pe__keeper_watch(struct pe__keeper *keeper, int64_t now_ns);

/* watch.c: when the next limit will be over (or INT64_MAX). */
int64_t pe__keeper_next_limit(const struct pe__keeper *keeper);

/* watch.c: this process was stopped for so long, which is not held against anybody. */
void pe__keeper_excuse(struct pe__keeper *keeper, int64_t lost_ns, int64_t now_ns);

/* Rings everybody: done after every death that was settled (bell.h). */
void pe__keeper_ring_all(struct pe__keeper *keeper);

/* Tells the host that the pool cannot go on, and why; then ends all. */
void pe__keeper_give_up(struct pe__keeper *keeper, enum pe__message_type type, int32_t value);

#endif
