/* memory.c - shared memory for the user. */
#include "pool/pool.h"

int pe_pool_alloc(pe_pool *pool, size_t bytes, void **ret_memory)
{
    if (ret_memory == NULL)
        return PE_EINVAL;
    int result = pe__pool_enter(pool);
    if (result < 0)
        return result;
    if (pool->state == PE__POOL_BROKEN)
        result = PE_EBROKEN;
    else
        result = pe__shared_heap_alloc(&pool->heap, bytes, true, ret_memory);
    pe__pool_leave(pool);
    return result;
}

void pe_pool_dealloc(pe_pool *pool, void *memory)
{
    if (memory == NULL || pe__pool_enter(pool) < 0)
        return;
    pe__shared_heap_free(&pool->heap, memory);
    pe__pool_leave(pool);
}
