/*
 * Are we in a child that the program forked behind our back? Answered without a system call and without a
 * lock.
 *
 * An object takes a token when it is made and asks with it at the start of every call. A child made by
 * vfork, or by clone with CLONE_VM, shares our memory and is not told apart. Any thread;
 * async-signal-safe but for the first token.
 */
#ifndef PE__BASE_FORKED_H
#define PE__BASE_FORKED_H

#include <stdbool.h>
#include <stdint.h>

/* This process's token, never 0; the same until the process forks. 0, or PE_ENOMEM. */
int pe__base_forked_token(uint64_t *ret_token);

/* True when the token is from an ancestor. */
bool pe__base_forked(uint64_t token);

#endif
