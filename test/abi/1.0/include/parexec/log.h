#ifndef PAREXEC_LOG_H
#define PAREXEC_LOG_H
#include <parexec/export.h>
#define PE_LOG_ERROR 1
#define PE_LOG_WARNING 2
#define PE_LOG_INFO 3
PE_BEGIN_DECLS
typedef void pe_log_fn(int level, const char *message, void *context);
PE_EXPORT int pe_set_log(pe_log_fn *fn, void *context);
PE_END_DECLS
#endif
