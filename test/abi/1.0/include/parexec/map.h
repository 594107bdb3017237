#ifndef PAREXEC_MAP_H
#define PAREXEC_MAP_H
#include <parexec/export.h>
#include <parexec/job.h>
PE_BEGIN_DECLS
typedef int pe_map_fn(const void *in, void *out, const void *context);
typedef int pe_range_fn(uint64_t first, uint64_t last, void *acc, const void *context);
typedef int pe_combine_fn(void *acc, const void *part, const void *context);
typedef void pe_progress_fn(uint64_t done, uint64_t failed, uint64_t total, void *context);
#define PE_CHUNK_AUTO 0
#define PE_ON_ERROR_CONTINUE 0
#define PE_ON_ERROR_STOP 1
#define PE_MAP_ORDERED (UINT32_C(1) << 0)
#define PE_MAP_INHERITED (UINT32_C(1) << 1)
#define PE_REDUCE_BLOCKS_MAX 1024
typedef struct pe_map_summary {
    size_t size;
    uint64_t returned;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t lost;
    uint64_t first_failed;
    pe_status first;
    int64_t wall_ns;
} pe_map_summary;
#define PE_MAP_SUMMARY_INIT \
    { sizeof(pe_map_summary), 0, 0, 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0 } }, 0 }
typedef struct pe_map_options {
    size_t size;
    uint64_t chunk;
    const void *context;
    size_t context_bytes;
    pe_status *statuses;
    pe_map_summary *summary;
    uint32_t on_error;
    uint32_t retries;
    int64_t timeout_ns;
    int64_t deadline_ns;
    uint64_t max_inflight;
    uint64_t inflight_bytes;
    pe_progress_fn *progress;
    void *progress_context;
    uint32_t flags;
    uint32_t priority;
} pe_map_options;
#define PE_MAP_OPTIONS_INIT { sizeof(pe_map_options), 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, 0 }
PE_END_DECLS
#endif
