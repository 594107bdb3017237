/* death.c - reads the keeper's note on the last death of a worker, for statistics and log. What cannot be is none. */
#include "pool/death.h"

#include <stdio.h>

#include "pool/pool.h"

void pe__pool_last_death(const pe_pool *pool, pe_status *ret)
{
    const struct pe__keeper_counts *counts = pool->shared.counts;
    *ret = (pe_status){ .worker = -1 };
    uint32_t kind = atomic_load_explicit(&counts->death_kind, memory_order_acquire);
    int32_t worker = atomic_load_explicit(&counts->death_worker, memory_order_relaxed);
    if (kind == PE_PENDING || kind > PE_OUT_OF_MEMORY || worker < 0 || (uint32_t)worker >= pool->numbers)
        return;
    ret->kind = kind;
    ret->code = atomic_load_explicit(&counts->death_code, memory_order_relaxed);
    ret->pid = atomic_load_explicit(&counts->death_pid, memory_order_relaxed);
    ret->worker = worker;
}

static const char *way_of(uint32_t kind)
{
    switch (kind) {
    case PE_RETURNED: return "its initialiser returned";
    case PE_EXITED: return "it exited with";
    case PE_OUT_OF_MEMORY: return "it ran out of memory, signal";
    default: return "it was killed by signal";
    }
}

void pe__pool_describe_death(const pe_pool *pool, char text[PE__DEATH_TEXT_BYTES])
{
    pe_status death;
    pe__pool_last_death(pool, &death);
    text[0] = '\0';
    if (death.kind != PE_PENDING)
        snprintf(text, PE__DEATH_TEXT_BYTES, "; the last worker to die was %d, pid %d: %s %d", (int)death.worker,
                 (int)death.pid, way_of(death.kind), (int)death.code);
}
