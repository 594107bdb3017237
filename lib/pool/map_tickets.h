/* map_tickets.h - the tickets of maps. Everything is called, and returns, with the mutex held. */
#ifndef PE__POOL_MAP_TICKETS_H
#define PE__POOL_MAP_TICKETS_H

#include "pool/map.h"

void pe__map_queue_ticket(pe_pool *pool, pe_job *job, uint32_t lane, bool may_ring);

/* Those that were held back, unless the map is to end. */
void pe__map_queue_rest(pe_pool *pool, pe_job *job);

/* Between collections, as often as one likes. */
void pe__map_adopt_orphans(pe_pool *pool);

/* `goes_on`: its lane is to have another one, unless the map was cancelled. */
void pe__map_ticket_ended(pe_pool *pool, pe_job *job, uint32_t lane, bool goes_on);

/* Takes over those that have ended; outside of collections. */
void pe__map_look(pe_pool *pool, const pe_job *job);

/* With the last one it ends the map. */
void pe__map_end_ticket(pe_pool *pool, pe_job *job, uint32_t lane);

/* What a wait for the map is worth waking up for. */
uint32_t pe__map_target(pe_pool *pool, void *context);

#endif
