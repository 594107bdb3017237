/* reply.c - appending to a reply. */
#include "worker/reply.h"

#include <string.h>

#include <parexec/error.h>

/* At least doubles, so that many small writes copy each byte a bounded number of times. */
static int make_room(pe_reply *reply, size_t bytes)
{
    if (pe__reply_is_of_parent(reply))
        return PE_EFORKED;
    if (bytes > reply->limit - reply->bytes)
        return PE_ETOOBIG;
    size_t needed = reply->bytes + bytes;
    if (needed <= reply->capacity)
        return 0;
    size_t wanted = reply->capacity < reply->limit / 2 ? reply->capacity * 2 : reply->limit;
    if (wanted < needed)
        wanted = needed;
    int result = reply->grow(reply, wanted);
    return result == PE_ENOMEM && wanted > needed ? reply->grow(reply, needed) : result;
}

void *pe_reply_reserve(pe_reply *reply, size_t bytes)
{
    if (reply == NULL || reply->error != 0)
        return NULL;
    reply->error = make_room(reply, bytes);
    if (reply->error != 0)
        return NULL;
    void *start = reply->data + reply->bytes;
    reply->bytes += bytes;
    reply->written = true;
    return start;
}

int pe_reply_write(pe_reply *reply, const void *data, size_t bytes)
{
    if (reply == NULL || (data == NULL && bytes > 0))
        return PE_EINVAL;
    void *start = pe_reply_reserve(reply, bytes);
    if (start == NULL)
        return reply->error;
    if (bytes > 0)
        memcpy(start, data, bytes);
    return 0;
}
