/* enter.c - entering and leaving. */
#define PE__REGION_ON_IS_DEFINED_HERE
#define PE__REGION_SCOPE_END_IS_DEFINED_HERE
#include <parexec/region.h>

#include <parexec/error.h>

#include "region/record.h"

PE_EXPORT volatile uint32_t pe_region_on;

int pe_region_enable(int on)
{
    return on != 0 ? PE_ENOSYS : 0;
}

int pe_region_setup(const pe_region_options *options)
{
    (void)options;
    return PE_ENOSYS;
}

void pe_region_enter_site(pe_region_site *site)
{
    (void)site;
}

void pe_region_leave_site(pe_region_site *site)
{
    (void)site;
}

void pe_region_enter(const char *name)
{
    (void)name;
}

void pe_region_leave(const char *name)
{
    (void)name;
}

void pe_region_line(pe_region_site *site)
{
    (void)site;
}

void pe_region_count(pe_region_site *site, int64_t amount)
{
    (void)site, (void)amount;
}

void pe_region_mark(pe_region_site *site)
{
    (void)site;
}

void pe_region_span_begin(pe_region_span *span, pe_region_site *site)
{
    (void)span, (void)site;
}

void pe_region_span_wait(pe_region_span *span)
{
    (void)span;
}

void pe_region_span_resume(pe_region_span *span)
{
    (void)span;
}

void pe_region_span_end(pe_region_span *span)
{
    (void)span;
}

void pe_region_scope_end(pe_region_site **scope)
{
    if (*scope)
        pe_region_leave_site(*scope);
}
