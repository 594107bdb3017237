/*
 * write_signals.h - the signals that a write can raise in its thread: SIGPIPE, for a pipe or socket that nobody reads,
 * and SIGXFSZ, past the limit on file sizes. Between hold and release such a write gives an error, EPIPE or EFBIG, and
 * no signal; one that was pending before still is afterwards.
 */
#ifndef PE__BASE_WRITE_SIGNALS_H
#define PE__BASE_WRITE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#define PE__BASE_WRITE_SIGNALS 2

struct pe__base_write_signals {
    sigset_t mask; /* the thread's, before */
    bool was_pending[PE__BASE_WRITE_SIGNALS];
};

/* One system call, mostly. */
void pe__base_write_signals_hold(struct pe__base_write_signals *ret);

/* In the same thread. `may_have_come`: false where every write has worked. Leaves errno as it is. */
void pe__base_write_signals_release(const struct pe__base_write_signals *held, bool may_have_come);

#endif
