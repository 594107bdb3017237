/* room.h - tasks that wait for room in a pool: for a job in its queue, or for a map among those that run. */
#ifndef PE__BRIDGE_ROOM_H
#define PE__BRIDGE_ROOM_H

#include "bridge/bridge.h"
#include "pool/map_ask.h"

/* What is to be handed over. `bytes` are the argument of a job, or the context of a map. */
struct pe__room_ask {
    const struct pe__job_purpose *purpose; /* the task then waits for its end too; NULL: the handle is all it wants */
    struct pe__isolated *isolated;         /* for that purpose */
    pe_job_fn *job_fn; /* NULL: a map */
    pe_job_options job_options;
    pe_job **ret_job;
    struct pe__map_ask map;
    const void *data;
    size_t bytes;
};

/* The task waits for room, until a deadline unless that is 0; what was asked for, and its bytes, are copied. PE_WAIT,
 * or an error. */
int pe__room_wait(struct pe__bridge *bridge, struct pe__task *task, uint32_t which, const struct pe__room_ask *ask,
                  int64_t deadline_ns);

/* Is there anybody who came first? */
static inline bool pe__room_has_waiters(const struct pe__bridge *bridge, uint32_t which)
{
    return bridge != NULL && !pe__base_list_empty(&bridge->rooms[which]);
}

/* There may be some by now. */
void pe__rooms_try(struct pe__bridge *bridge);

#endif
