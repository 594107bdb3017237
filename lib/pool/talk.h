/* talk.h - what host and keeper say to each other while the pool lives. With the mutex held. */
#ifndef PE__POOL_TALK_H
#define PE__POOL_TALK_H

#include <stdbool.h>

#include <parexec/pool.h>

struct pe__message;

/* What the keeper has to say, and whether it is still there: the pool breaks if it is not. */
void pe__pool_hear_keeper(pe_pool *pool);

/* The same, once a millisecond at most: for calls that never sleep, of which a program may make millions. */
void pe__pool_glance_at_keeper(pe_pool *pool);

/* Waits, for a while, until there is room; a keeper that is gone is not told. */
void pe__pool_tell_keeper(pe_pool *pool, const struct pe__message *message);

/* The same without waiting. False: there is no room now, or nobody to tell. */
bool pe__pool_try_tell_keeper(pe_pool *pool, const struct pe__message *message);

#endif
