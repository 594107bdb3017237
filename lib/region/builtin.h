/*
 * builtin.h - regions by which the library measures itself; parexec/report.h names them.
 *
 * They have no place in the source, so all of one name are one in reports, wherever they are measured.
 */
#ifndef PE__REGION_BUILTIN_H
#define PE__REGION_BUILTIN_H

#include <stddef.h>

#include <parexec/region.h>

#define PE__BUILTIN(kind, name) { 0, name, NULL, 0, kind, { 0, 0 } }

/* From here to the end of the block. */
#define PE__BUILTIN_SCOPE(site) \
    pe_region_site *pe__builtin_scope __attribute__((cleanup(pe_region_scope_end), unused)) = \
        pe_region_on ? (pe_region_enter_site(site), (site)) : (pe_region_site *)0

#endif
