#ifndef PAREXEC_VERSION_H
#define PAREXEC_VERSION_H
#include <parexec/export.h>
#define PE_VERSION_MAJOR 1
#define PE_VERSION_MINOR 0
#define PE_VERSION_PATCH 0
#define PE_VERSION_STRING "1.0.0-rc1"
#define PE_VERSION_NUMBER (PE_VERSION_MAJOR * 10000 + PE_VERSION_MINOR * 100 + PE_VERSION_PATCH)
PE_BEGIN_DECLS
PE_EXPORT int pe_version(void);
PE_EXPORT const char *pe_version_string(void);
PE_END_DECLS
#endif
