/*
 * seed.h - a process forked early, at pe_init, from which keepers of later pools are forked.
 *
 * Its memory is that of the host at pe_init, before threads came. The host reserved a range of addresses just
 * before, so the mapping of a later pool can lie at the same address in the host, the seed's keepers and
 * their workers. All functions here are called in the host, from any thread.
 */
#ifndef PE__KEEPER_SEED_H
#define PE__KEEPER_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper/keeper.h"

#define PE__SEED_KEEP_FDS_MAX 200

/* Forks the seed. PE_EALREADY when this process has one. */
int pe__seed_start(uint64_t reserve_bytes);

/* When the library is unloaded, and when the program exits: ends the seed unless a pool uses its memory. */
void pe__seed_end(void);

/* True when this very process (not its parent) has a seed. */
bool pe__seed_exists(void);

/* Takes the largest free part of the reserved range, at most `bytes`, rounded up; given back by pe__seed_release. */
int pe__seed_reserve(size_t bytes, void **ret_at, size_t *ret_bytes);
void pe__seed_release(void *at);

/* The part of a reservation from `bytes` on is not needed after all. */
void pe__seed_shrink(void *at, size_t bytes);

/* Has the seed fork a keeper. The start's descriptors stay the caller's. */
int pe__seed_fork_keeper(const struct pe__keeper_start *start);

#endif
