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

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The word, once there is a token. Hidden, so that reading it is one load. */
extern _Atomic uint64_t *_Atomic pe__base_forked_word __attribute__((visibility("hidden")));

/* This process's token, never 0; the same until the process forks. 0, or PE_ENOMEM. */
int pe__base_forked_token(uint64_t *ret_token);

/* True when the token is from an ancestor. */
static inline bool pe__base_forked(uint64_t token)
{
    const _Atomic uint64_t *word = atomic_load_explicit(&pe__base_forked_word, memory_order_acquire);
    return word == NULL || atomic_load_explicit(word, memory_order_relaxed) != token;
}

#endif
