#ifndef PAREXEC_WORKER_H
#define PAREXEC_WORKER_H
#include <parexec/export.h>
PE_BEGIN_DECLS
typedef int pe_worker_fn(void *context);
PE_EXPORT int pe_worker_index(void);       /* 0..n-1; PE_EPERM outside a worker */
PE_EXPORT int pe_worker_cancelled(void);   /* 1 when the running job was asked to stop */
PE_EXPORT uint64_t pe_worker_item(void);   /* index of the item in hand; UINT64_MAX outside a map */
PE_EXPORT int pe_worker_fail(int code, const char *format, ...) PE_FORMAT(2, 3);
PE_END_DECLS
#endif
