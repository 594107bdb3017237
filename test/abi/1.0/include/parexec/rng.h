#ifndef PAREXEC_RNG_H
#define PAREXEC_RNG_H
#include <parexec/export.h>
PE_BEGIN_DECLS
typedef struct pe_rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t position;
    uint64_t words[4];
    uint64_t reserved;
} pe_rng;
PE_EXPORT void pe_rng_init(pe_rng *rng, uint64_t seed, uint64_t stream);
PE_EXPORT uint64_t pe_rng_next(pe_rng *rng);
PE_EXPORT double pe_rng_double(pe_rng *rng);
PE_EXPORT uint64_t pe_rng_below(pe_rng *rng, uint64_t n);
PE_EXPORT double pe_rng_normal(pe_rng *rng);
PE_EXPORT void pe_rng_fill(pe_rng *rng, void *memory, size_t bytes);
PE_EXPORT void pe_rng_fill_doubles(pe_rng *rng, double *values, size_t count);
PE_EXPORT void pe_rng_skip(pe_rng *rng, uint64_t words);
PE_END_DECLS
#endif
