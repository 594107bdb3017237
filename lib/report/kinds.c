/* kinds.c - one table of all kinds. */
#include "report/kinds.h"

#include <string.h>

#include <parexec/region.h>

#include "region/table.h"

static const struct {
    uint32_t kind;
    const char *name;
} kinds[] = {
    { PE_SITE_REGION, "region" },       { PE_SITE_LINE, "line" },     { PE_SITE_COUNTER, "counter" },
    { PE_SITE_MARK, "mark" },           { PE__KIND_SPAN, "span" },    { PE__KIND_FUNCTION, "function" },
    { PE__KIND_ROOT, "root" },
};

#define COUNT (sizeof kinds / sizeof kinds[0])

const char *pe__kind_name(uint32_t kind)
{
    for (uint32_t i = 0; i < COUNT; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "region";
}

bool pe__kind_named(const char *name, uint32_t *ret_kind)
{
    for (uint32_t i = 0; i < COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *ret_kind = kinds[i].kind;
            return true;
        }
    return false;
}
