#ifndef PAREXEC_WORKER_H
#define PAREXEC_WORKER_H
#include <parexec/export.h>
PE_BEGIN_DECLS
typedef int pe_worker_fn(void *context);
PE_EXPORT int pe_worker_index(void);
PE_EXPORT int pe_worker_cancelled(void);
PE_EXPORT uint64_t pe_worker_item(void);
PE_EXPORT int pe_worker_fail(int code, const char *format, ...) PE_FORMAT(2, 3);
PE_END_DECLS
#endif
