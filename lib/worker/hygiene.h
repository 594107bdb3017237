/* hygiene.h - what a freshly forked process does before it runs anything of the user's. */
#ifndef PE__WORKER_HYGIENE_H
#define PE__WORKER_HYGIENE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <sys/types.h>

/* Ask the kernel to kill this process with its parent `parent`. False: the parent is gone already. */
bool pe__worker_die_with(pid_t parent);

/* Keeps the calling process on one CPU; where that is refused, it runs as before. */
void pe__worker_pin(int cpu);

/* Every disposition to its default, but for those in `ignored`; nothing pending is kept, the mask is left
 * alone. */
void pe__worker_reset_signals(const sigset_t *ignored);

/* Text the host left in stdio's buffers is the host's: drop it. */
void pe__worker_drop_stdio(void);

/* How much text a stream's buffer holds, 0: none. Asked after every item, so a look into the buffer is worth
 * more than a call. */
static inline size_t pe__worker_pending(FILE *stream)
{
#ifdef __GLIBC__
    return (uintptr_t)stream->_IO_write_ptr - (uintptr_t)stream->_IO_write_base;
#else
    return __fpending(stream);
#endif
}

/* Writes out what the running function left in stdout and stderr. */
void pe__worker_flush_stdio(void);

/* From now on exit() in this process means flush and _exit(): no handler or destructor of the host runs. */
void pe__worker_guard_exit(void);

#endif
