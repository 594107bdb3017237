/* stream_next.h - how items of streams have ended. */
#ifndef PE__POOL_STREAM_NEXT_H
#define PE__POOL_STREAM_NEXT_H

#include "pool/stream.h"

/* Of one that is over. */
pe_status pe__stream_status_of(const pe_stream *stream, const struct pe__stream_item *item);

/* What that adds to the summary. */
void pe__stream_count(pe_map_summary *summary, const pe_status *status);

/* The caller's, at the end. */
void pe__stream_fill_summary(pe_stream *stream);

#endif
