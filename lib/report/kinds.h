/* kinds.h - what kinds of labels are called in files. */
#ifndef PE__REPORT_KINDS_H
#define PE__REPORT_KINDS_H

#include <stdbool.h>
#include <stdint.h>

/* "region", "line", ... */
const char *pe__kind_name(uint32_t kind);
/* False: no kind is called that. */
bool pe__kind_named(const char *name, uint32_t *ret_kind);

#endif
