/* stream_items.h - items of streams on their way into the pool. */
#ifndef PE__POOL_STREAM_ITEMS_H
#define PE__POOL_STREAM_ITEMS_H

#include "pool/stream.h"

/* Where the item lies, in shared memory. */
unsigned char *pe__stream_place_of(const pe_stream *stream, const struct pe__stream_item *item);

/* Takes back what is in the caller's hands. */
void pe__stream_give_handed(pe_stream *stream);

/* Nothing more is pulled; what is in flight goes on. */
void pe__stream_stop(pe_stream *stream, int result);

/* Hands `unsent` to the pool. 0, also when that takes nothing any more; else it is still unsent. */
int pe__stream_send(pe_stream *stream, bool may_wait, int64_t deadline_ns);

/* Pulls and sends while there is room, for a slice of time. True: it could go on at once. */
bool pe__stream_fill(pe_stream *stream);

#endif
