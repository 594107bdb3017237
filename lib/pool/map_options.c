/* map_options.c - what a map, a reduce or a stream may ask for. */
#include "pool/map_options.h"

#include <parexec/error.h>

#include "base/clock.h"
#include "base/sized.h"
#include "shared/queue.h"

/* Of each part, so that the sum of a map's parts cannot overflow either. */
#define PART_MOST (SIZE_MAX / 16)

int pe__map_check_common(const pe_map_options *given, pe_map_options *ret)
{
    int result = PE__BASE_CHECK_SIZED(pe_map_options, given, ret);
    if (result < 0)
        return result;
    if ((ret->context == NULL && ret->context_bytes > 0) || ret->context_bytes > PART_MOST || ret->timeout_ns < 0 ||
        ret->priority >= PE__QUEUE_LEVELS)
        return PE_EINVAL;
    if ((ret->flags & ~(PE_MAP_ORDERED | PE_MAP_INHERITED)) != 0)
        return PE_EINVAL;
    if (ret->summary != NULL && !PE__BASE_IS_SIZED(pe_map_summary, ret->summary))
        return PE_EINVAL;
    if (ret->context_bytes == 0)
        ret->context = NULL;
    if (ret->deadline_ns == 0)
        ret->deadline_ns = PE_FOREVER;
    return pe__base_deadline_check(ret->deadline_ns);
}

int pe__map_check_options(const pe_map_options *given, pe_map_options *ret)
{
    int result = pe__map_check_common(given, ret);
    if (result < 0)
        return result;
    bool of_stream = ret->max_inflight != 0 || ret->inflight_bytes != 0 || (ret->flags & PE_MAP_ORDERED) != 0;
    return of_stream ? PE_EINVAL : 0;
}

static bool overflows(size_t count, size_t bytes)
{
    size_t product;
    return __builtin_mul_overflow(count, bytes, &product) || product > PART_MOST;
}

int pe__map_check(struct pe__map_job *wanted, const pe_map_options *options)
{
    size_t count = wanted->count;
    if (wanted->fn == NULL || overflows(count, wanted->in_bytes) ||
        overflows(count, wanted->out_bytes) || overflows(count, sizeof(pe_status)))
        return PE_EINVAL;
    bool lacks_in = wanted->in == NULL && wanted->in_bytes > 0;
    bool lacks_out = wanted->out == NULL && wanted->out_bytes > 0;
    if (count > 0 && (lacks_in || lacks_out))
        return PE_EINVAL;
    return pe__map_check_options(options, &wanted->options);
}
