#ifndef PAREXEC_CPU_H
#define PAREXEC_CPU_H
#include <parexec/export.h>
PE_BEGIN_DECLS
PE_EXPORT int pe_cpu_count(void);
PE_END_DECLS
#endif
