#ifndef PAREXEC_INIT_H
#define PAREXEC_INIT_H
#include <parexec/export.h>
PE_BEGIN_DECLS
typedef struct pe_init_options {
    size_t size;
    uint64_t reserve_bytes;
    uint32_t flags;
    uint32_t reserved;
} pe_init_options;
#define PE_INIT_OPTIONS_INIT { sizeof(pe_init_options), 0, 0, 0 }
PE_EXPORT int pe_init(const pe_init_options *options);
PE_END_DECLS
#endif
