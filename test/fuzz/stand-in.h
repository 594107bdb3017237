/*
 * stand-in.h - pools without processes: this stands where the keeper would be forked, and plays keeper and workers.
 *
 * Linked with -Wl,--wrap=pe__keeper_spawn,--wrap=ppoll,--wrap=__ppoll_chk,--wrap=sysconf. Whenever the host would
 * sleep it is `turn`'s turn instead, in the same thread: nothing depends on time or on another process. Without one
 * the keeper is gone then, so that no wait lasts for ever. There is one pool at a time.
 */
#ifndef PE__TEST_STAND_IN_H
#define PE__TEST_STAND_IN_H

#include <stddef.h>

#include "shared/mapping.h"

struct stand_in {
    int socket; /* the keeper's end, -1: it is gone */
    struct pe__shared shared;
    void (*turn)(void);
};

extern struct stand_in stand_in;

void stand_in_say(const void *message, size_t bytes);
void stand_in_leave(void);

#endif
