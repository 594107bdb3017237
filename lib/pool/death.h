/* death.h - how the last worker died that was not to end. */
#ifndef PE__POOL_DEATH_H
#define PE__POOL_DEATH_H

#include <parexec/pool.h>

#define PE__DEATH_TEXT_BYTES 96

/* kind PE_PENDING: none did. PE_RETURNED: its initialiser failed. */
void pe__pool_last_death(const pe_pool *pool, pe_status *ret);

/* The same for the log, "" for none. */
void pe__pool_describe_death(const pe_pool *pool, char text[PE__DEATH_TEXT_BYTES]);

#endif
