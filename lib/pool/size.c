/*
 * size.c - how many workers a pool has at a time.
 *
 * Workers that have left for want of work (idle_ns) have announced it by their bits in `vacant` (shared/bell.h).
 * Whoever takes such a bit away has to tell the keeper, as who takes a sleeper's bit has to ring it; where the socket
 * has no room the bit is put back, and whoever comes next sees to it.
 */
#include "pool/size.h"

#include "keeper/message.h"
#include "pool/pool.h"
#include "pool/talk.h"

/* The lowest number in the group; its bit is taken. */
static bool take_vacant(struct pe__bell_group *group, uint32_t *ret_place)
{
    uint64_t vacant = atomic_load_explicit(&group->vacant, memory_order_seq_cst);
    while (vacant != 0) {
        uint64_t bit = vacant & -vacant;
        *ret_place = (uint32_t)__builtin_ctzll(vacant);
        if ((atomic_fetch_and_explicit(&group->vacant, ~bit, memory_order_seq_cst) & bit) != 0)
            return true;
        vacant &= ~bit;
    }
    return false;
}

static bool start_in_group(pe_pool *pool, uint32_t first)
{
    struct pe__bell_group *group = &pool->shared.groups[first / PE__BELL_GROUP_WORKERS];
    uint32_t place;
    if (!take_vacant(group, &place))
        return false;
    struct pe__message message = { .type = PE__MESSAGE_START, .value = (int32_t)(first + place) };
    if (pe__pool_try_tell_keeper(pool, &message))
        return true;
    atomic_fetch_or_explicit(&group->vacant, pe__bell_bit(place), memory_order_seq_cst);
    return false;
}

bool pe__pool_start_one(pe_pool *pool)
{
    if (pool->options.idle_ns == 0)
        return false;
    for (uint32_t first = 0; first < pool->numbers; first += PE__BELL_GROUP_WORKERS)
        if (start_in_group(pool, first))
            return true;
    return false;
}

void pe__pool_start_all(pe_pool *pool)
{
    struct pe__message message = { .type = PE__MESSAGE_START, .value = PE__MESSAGE_ALL };
    if (pool->options.idle_ns != 0)
        pe__pool_try_tell_keeper(pool, &message);
}
