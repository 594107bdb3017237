/*
 * function_names.h - which site stands for a function of the program, by its address.
 */
#ifndef PE__REGION_FUNCTION_NAMES_H
#define PE__REGION_FUNCTION_NAMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>

#include "region/table.h"

#define PE__FUNCTIONS_MOST 65536u
#define PE__FUNCTION_SLOTS (2 * PE__FUNCTIONS_MOST)

/* One cache line. */
struct pe__function {
    _Alignas(64) pe_region_site site; /* PE__KIND_FUNCTION */
    uintptr_t address;
    bool wanted;
};

struct pe__functions {
    struct pe__function *_Atomic slots[PE__FUNCTION_SLOTS];
    struct pe__function all[PE__FUNCTIONS_MOST];
    char texts[PE__FUNCTIONS_MOST][PE__REGION_NAME_BYTES]; /* of those that have no name */
    _Atomic uint32_t count; /* taken; may run past what there is */
};

/* NULL: nobody has asked yet. */
extern struct pe__functions *_Atomic pe__functions __attribute__((visibility("hidden")));

/* Functions lie close together: neighbours have neighbouring slots, so few lines of the cache are in use. */
static inline uint32_t pe__function_slot(uintptr_t address)
{
    return (uint32_t)(address >> 4 ^ address >> 21) & (PE__FUNCTION_SLOTS - 1);
}

/* Looks up its name, and whether it is wanted; never NULL. Any thread, and handlers. */
struct pe__function *pe__function_add(uintptr_t address);

static inline struct pe__function *pe__function_at(uintptr_t address)
{
    struct pe__functions *functions = atomic_load_explicit(&pe__functions, memory_order_acquire);
    if (__builtin_expect(functions != NULL, 1)) {
        struct pe__function *function =
            atomic_load_explicit(&functions->slots[pe__function_slot(address)], memory_order_acquire);
        if (__builtin_expect(function != NULL && function->address == address, 1))
            return function;
    }
    return pe__function_add(address);
}

#endif
