#ifndef PAREXEC_OPTIONS_H
#define PAREXEC_OPTIONS_H

#include <parexec/export.h>

/* First member of a sized struct in a C compound literal. */
#define PE_SIZED(type) .size = sizeof(type)

/* Durations in nanoseconds. */
#define PE_US(n) ((int64_t)(n) * INT64_C(1000))
#define PE_MS(n) ((int64_t)(n) * INT64_C(1000000))
#define PE_SECONDS(n) ((int64_t)(n) * INT64_C(1000000000))

/* Deadlines. */
#define PE_FOREVER INT64_MAX
/* As a duration in options: no grace at all. */
#define PE_NOW INT64_C(-1)

PE_BEGIN_DECLS
PE_EXPORT int64_t pe_now(void);
PE_EXPORT int64_t pe_after(int64_t duration_ns);
PE_END_DECLS
#endif
