#ifndef PAREXEC_OPTIONS_H
#define PAREXEC_OPTIONS_H
#include <parexec/export.h>
#define PE_SIZED(type) .size = sizeof(type)
#define PE_US(n) ((int64_t)(n) * INT64_C(1000))
#define PE_MS(n) ((int64_t)(n) * INT64_C(1000000))
#define PE_SECONDS(n) ((int64_t)(n) * INT64_C(1000000000))
#define PE_FOREVER INT64_MAX
#define PE_NOW INT64_C(-1)
PE_BEGIN_DECLS
PE_EXPORT int64_t pe_now(void);
PE_EXPORT int64_t pe_after(int64_t duration_ns);
PE_END_DECLS
#endif
