/* The loops of regions/ours.c where regions are compiled out. */

#define PE_REGION_DISABLE
#include "regions/body.h"
#include "regions/loop.h"
#include "harness.h"

#include <parexec.h>

void loop_none(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        PE_REGION("none")
            __asm__ volatile("" : : : "memory");
}

void loop_body_none(uint64_t n)
{
    uint64_t value = 3;
    for (uint64_t i = 0; i < n; i++)
        PE_REGION("none")
            value = body(value);
    bench_keep(value);
}
