/* slab.c - takes handles from slabs and gives them back; slab.h says why there are slabs. */
#include "pool/slab.h"

#include <stdlib.h>

#include "pool/job.h"

#define SLAB_ALIGN ((size_t)16 * 1024)
/* Leaves malloc room for its own words in front of the next slab, which otherwise would begin another 16 KiB behind. */
#define SLAB_BYTES (SLAB_ALIGN - 64)
/* Unused slabs that are kept for the next handles: touching fresh memory costs more than all the rest of a small
 * job. 64 MiB at most, the handles of a million jobs. */
#define UNUSED_MOST 4096

struct slab {
    struct pe__base_list link; /* of the slabs with room */
    pe_job *free;              /* handles that came back */
    uint32_t used;
    uint32_t fresh; /* handles from this number on were never taken */
    _Alignas(64) pe_job handles[];
};

#define HANDLES ((uint32_t)((SLAB_BYTES - sizeof(struct slab)) / sizeof(pe_job)))

static struct slab *slab_of(pe_job *job)
{
    return (struct slab *)((uintptr_t)job & ~(uintptr_t)(SLAB_ALIGN - 1));
}

static bool is_full(const struct slab *slab)
{
    return slab->used == HANDLES;
}

void pe__slabs_init(struct pe__slabs *slabs)
{
    pe__base_list_init(&slabs->with_room);
    slabs->unused_count = 0;
}

void pe__slabs_fini(struct pe__slabs *slabs)
{
    struct pe__base_list *link;
    while ((link = pe__base_list_pop_front(&slabs->with_room)) != NULL)
        free(PE__BASE_LIST_ENTRY(link, struct slab, link));
}

static struct slab *add_slab(struct pe__slabs *slabs)
{
    void *memory;
    if (posix_memalign(&memory, SLAB_ALIGN, SLAB_BYTES) != 0)
        return NULL;
    struct slab *slab = memory;
    slab->free = NULL;
    slab->used = slab->fresh = 0;
    pe__base_list_push_front(&slabs->with_room, &slab->link);
    slabs->unused_count++;
    return slab;
}

pe_job *pe__slabs_take(struct pe__slabs *slabs)
{
    struct slab *slab = pe__base_list_empty(&slabs->with_room)
                            ? add_slab(slabs)
                            : PE__BASE_LIST_ENTRY(slabs->with_room.next, struct slab, link);
    if (slab == NULL)
        return NULL;
    pe_job *job = slab->free;
    if (job != NULL)
        slab->free = job->next_free;
    else
        job = &slab->handles[slab->fresh++];
    if (slab->used++ == 0)
        slabs->unused_count--;
    if (is_full(slab))
        pe__base_list_remove(&slab->link);
    return job;
}

void pe__slabs_give(struct pe__slabs *slabs, pe_job *job)
{
    struct slab *slab = slab_of(job);
    if (is_full(slab))
        pe__base_list_push_front(&slabs->with_room, &slab->link);
    job->next_free = slab->free;
    slab->free = job;
    if (--slab->used > 0)
        return;
    if (slabs->unused_count == UNUSED_MOST) {
        pe__base_list_remove(&slab->link);
        free(slab);
        return;
    }
    slabs->unused_count++;
}
