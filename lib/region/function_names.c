/*
 * function_names.c - functions get their names when they are called for the first time.
 *
 * Then, and not when a report is made, because then the function is there for certain: its library may be unloaded
 * before the report, and what a worker has loaded by itself is nowhere in the host. It costs the reading of the symbols
 * once for each file (base/symbol.h), in the host; workers that are forked later have it already. Making the names of
 * C++ readable is left to the report, for that calls malloc, and this may be a signal handler that has interrupted it.
 *
 * The map only grows, takes no lock, and stays as it is at a fork, for the functions stay where they are. An entry is
 * whole before its slot gets its address by a compare-and-swap with release; whoever comes second with the same
 * function wastes a place. When all places are taken, further functions share one name.
 *
 * A library that is unloaded, and another one loaded at its place: functions that begin at the same address have the
 * first one's name then.
 */
#include "region/function_names.h"

#include <stdio.h>
#include <string.h>

#include "base/pages.h"
#include "base/symbol.h"
#include "region/function_filter.h"
#include "region/label.h"

struct pe__functions *_Atomic pe__functions;

static struct pe__function others = { { 0, "(other functions)", NULL, 0, PE__KIND_FUNCTION, { 0, 0 } }, 0, true };

static struct pe__functions *map_here(void)
{
    struct pe__functions *there = atomic_load_explicit(&pe__functions, memory_order_acquire), *made;
    if (there != NULL)
        return there;
    made = pe__base_pages_new(sizeof *made);
    if (made == NULL)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&pe__functions, &there, made, memory_order_acq_rel,
                                                memory_order_acquire))
        return made;
    pe__base_pages_free(made, sizeof *made);
    return there;
}

/* module+0xplace, or the address alone. */
static const char *describe(char text[PE__REGION_NAME_BYTES], const struct pe__symbol *symbol)
{
    const char *slash = strrchr(symbol->module, '/');
    const char *module = slash != NULL ? slash + 1 : symbol->module;
    snprintf(text, PE__REGION_NAME_BYTES, "%.100s%s0x%lx", module, *module != '\0' ? "+" : "",
             (unsigned long)symbol->place);
    return text;
}

/* What does not fit into a label's name goes on in its file, of which functions have none. */
static pe_region_site site_of(const char *name)
{
    pe_region_site site = { 0, name, NULL, 0, PE__KIND_FUNCTION, { 0, 0 } };
    if (strlen(name) >= PE__REGION_NAME_BYTES)
        site.file = name + PE__REGION_NAME_BYTES - 1;
    return site;
}

static void fill(struct pe__function *function, char text[PE__REGION_NAME_BYTES], uintptr_t address)
{
    struct pe__symbol symbol;
    pe__symbol_of(address, &symbol);
    const char *name = symbol.name != NULL && symbol.offset == 0 ? symbol.name : describe(text, &symbol);
    function->site = site_of(name);
    pe__region_label_key(&function->site);
    function->address = address;
    function->wanted = pe__function_is_wanted(name);
}

static struct pe__function *make(struct pe__functions *functions, uintptr_t address)
{
    uint32_t number = PE__FUNCTIONS_MOST;
    if (atomic_load_explicit(&functions->count, memory_order_relaxed) < PE__FUNCTIONS_MOST)
        number = atomic_fetch_add_explicit(&functions->count, 1, memory_order_relaxed);
    if (number >= PE__FUNCTIONS_MOST)
        return NULL;
    fill(&functions->all[number], functions->texts[number], address);
    return &functions->all[number];
}

struct pe__function *pe__function_add(uintptr_t address)
{
    struct pe__functions *functions = map_here();
    struct pe__function *made = NULL;
    if (functions == NULL)
        return &others;
    for (uint32_t slot = pe__function_slot(address);; slot = (slot + 1) & (PE__FUNCTION_SLOTS - 1)) {
        struct pe__function *there = atomic_load_explicit(&functions->slots[slot], memory_order_acquire);
        if (there == NULL && made == NULL && (made = make(functions, address)) == NULL)
            return &others;
        if (there == NULL && atomic_compare_exchange_strong_explicit(&functions->slots[slot], &there, made,
                                                                     memory_order_release, memory_order_acquire))
            return made;
        if (there->address == address)
            return there;
    }
}
