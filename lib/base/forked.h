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

/*
 * A fork may come while another thread holds a lock, or has half changed what it guards. So `owner`, 0 at first, says
 * beside them of which process they are, and each call that is about to lock calls this before: whoever comes first in
 * a process makes them anew, and others wait for a few instructions of that thread. Without a token (no memory for it,
 * on a kernel that cannot wipe) all processes count as one. Returns the word of an owner that is not making anything.
 */
uint64_t pe__base_forked_settle(_Atomic uint64_t *owner, void (*make_anew)(void));

/* True when the token is from an ancestor. */
static inline bool pe__base_forked(uint64_t token)
{
    const _Atomic uint64_t *word = atomic_load_explicit(&pe__base_forked_word, memory_order_acquire);
    return word == NULL || atomic_load_explicit(word, memory_order_relaxed) != token;
}

#endif
