/*
 * size.c - how many workers there are to be: what the host says of it, and what it is told.
 *
 * A number below `workers` is to have a process, unless its last one has left for want of work (`vacant`) and the host
 * has not asked for another. A number from `workers` on is to have none: its process sees that in the configuration,
 * ends what it has in hand and leaves. One that dies on that way still gets a successor if it held a record, which runs
 * that and leaves; a ticket whose worker has left in order is ended here, and the host queues another for its lane.
 */
#include "keeper/size.h"

static void call(struct pe__kept *kept)
{
    kept->called = kept->pid != 0;
    kept->vacant = false;
}

void pe__keeper_start_worker(struct pe__keeper *keeper, int32_t number)
{
    for (uint32_t i = 0; number == PE__MESSAGE_ALL && i < keeper->workers; i++)
        call(&keeper->kept[i]);
    if (number >= 0 && (uint32_t)number < keeper->workers)
        call(&keeper->kept[number]);
}

void pe__keeper_resize(struct pe__keeper *keeper, uint32_t workers, int32_t order)
{
    if (workers == 0 || workers > keeper->shared->geometry.workers_most)
        return;
    for (; keeper->numbers < workers; keeper->numbers++)
        keeper->kept[keeper->numbers].inherited = PE__SLOT_NO_RECORD;
    for (uint32_t i = keeper->workers; i < workers; i++)
        keeper->kept[i].vacant = false;
    for (uint32_t i = workers; i < keeper->numbers; i++)
        keeper->kept[i].sent_home = keeper->kept[i].pid != 0;
    keeper->workers = workers;
    keeper->size_order = order;
}

static bool any_surplus(const struct pe__keeper *keeper)
{
    for (uint32_t i = keeper->workers; i < keeper->numbers; i++)
        if (keeper->kept[i].pid != 0)
            return true;
    return false;
}

void pe__keeper_tell_size(struct pe__keeper *keeper)
{
    if (keeper->size_told == keeper->size_order || any_surplus(keeper))
        return;
    if (pe__keeper_try_tell(keeper, PE__MESSAGE_RESIZED, keeper->size_order))
        keeper->size_told = keeper->size_order;
}
