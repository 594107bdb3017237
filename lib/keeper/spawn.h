/* spawn.h - a process that is not the host's child. */
#ifndef PE__KEEPER_SPAWN_H
#define PE__KEEPER_SPAWN_H

typedef void pe__spawn_fn(void *context); /* must not return */

/*
 * Forks a process that runs `fn(context)` on a copy of the caller's memory, with every signal blocked, and
 * that is not a child of the caller: no wait call of the host ever finds it, no SIGCHLD comes. 0 or a
 * negative errno.
 */
int pe__keeper_spawn(pe__spawn_fn *fn, void *context);

#endif
