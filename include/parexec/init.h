#ifndef PAREXEC_INIT_H
#define PAREXEC_INIT_H
#include <parexec/export.h>
PE_BEGIN_DECLS
typedef struct pe_init_options {
    size_t size;
    uint64_t reserve_bytes;   /* address range kept for the mappings of pools made with PE_POOL_FROM_SEED; 0: chosen */
    uint32_t flags;           /* none yet: 0 */
    uint32_t reserved;
} pe_init_options;
#define PE_INIT_OPTIONS_INIT { sizeof(pe_init_options), 0, 0, 0 }
PE_EXPORT int pe_init(const pe_init_options *options);
PE_END_DECLS
#endif
