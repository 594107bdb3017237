/* keeper.h - the process that forks, reaps, stops and replaces the workers of one pool. */
#ifndef PE__KEEPER_KEEPER_H
#define PE__KEEPER_KEEPER_H

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
    uint32_t last_death; /* the kind of its end (PE_*), 0: it has left by its own will */
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

struct pe__keeper {
    struct pe__keeper_start start;
    struct pe__shared *shared;
    /* One for each worker number that there is room for. They lie behind this struct, in few pages, because each fork
     * has the keeper copy those that it writes to. */
    struct pe__kept *kept;
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
    int64_t forked_ns;   /* when it was last tried */
    uint32_t fork_next;  /* the number whose turn is next */
    uint32_t deaths;     /* in a row, without a success */
    uint64_t ended_before;
    bool succeeded;      /* since the last death, although no count of ended items tells */
    uint32_t fork_failures; /* in a row */
    struct sigaction *host_actions; /* of each signal; NULL: not kept */
};

/* The whole life of a keeper, as a pe__spawn_fn over a struct pe__keeper_start. */
noreturn void pe__keeper_run(struct pe__keeper_start *start);

/* Never waits. False: there is no room now. */
bool pe__keeper_try_tell(const struct pe__keeper *keeper, enum pe__message_type type, int32_t value);

/* Rings everybody: done after every death that was settled (bell.h). */
void pe__keeper_ring_all(struct pe__keeper *keeper);

/* Tells the host that the pool cannot go on, and why; then ends all. */
void pe__keeper_give_up(struct pe__keeper *keeper, enum pe__message_type type, int32_t value);

#endif
