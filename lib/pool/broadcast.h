/*
 * broadcast.h - jobs that are for one worker alone. Everything is called, and returns, with the mutex held.
 */
#ifndef PE__POOL_BROADCAST_H
#define PE__POOL_BROADCAST_H

#include <stdint.h>

#include <parexec/pool.h>

/* A record that was taken just now becomes one that only the worker addressee - 1 may claim. */
void pe__pool_address(pe_pool *pool, uint32_t record, uint32_t addressee);

/* Tells that worker, once the record's word is set. */
void pe__pool_order(pe_pool *pool, uint32_t record);

/* Once more all that still wait, in case a scribbler has overwritten an order. */
void pe__pool_repeat_orders(pe_pool *pool);

/* Those whose workers are not wanted any more, and that have not begun, end as cancelled. */
void pe__pool_take_orders_back(pe_pool *pool, uint32_t workers);

#endif
