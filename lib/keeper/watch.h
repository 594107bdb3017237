/* watch.h - limits: what runs for too long, and what waits for too long. */
#ifndef PE__KEEPER_WATCH_H
#define PE__KEEPER_WATCH_H

#include "keeper/keeper.h"

/* Asks all that is over its limit to stop, and ends what has waited beyond its deadline. */
void pe__keeper_watch(struct pe__keeper *keeper, int64_t now_ns);

/* When the next limit will be over (or INT64_MAX). */
int64_t pe__keeper_next_limit(const struct pe__keeper *keeper);

/* This process was stopped for so long, which is not held against anybody. */
void pe__keeper_excuse(struct pe__keeper *keeper, int64_t lost_ns, int64_t now_ns);

#endif
