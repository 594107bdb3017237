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
#define PE_ON_ERROR_STOP 1   /* any k > 0: stop once k items have failed */
#define PE_REDUCE_BLOCKS_MAX 1024

typedef struct pe_map_summary {
    size_t size;
    uint64_t returned;      /* items that returned 0 */
    uint64_t failed;        /* items that ended otherwise, cancelled and lost ones apart */
    uint64_t cancelled;     /* items never started, or stopped */
    uint64_t lost;
    uint64_t first_failed;  /* lowest failed item; UINT64_MAX: none */
    pe_status first;        /* its status */
    int64_t wall_ns;
} pe_map_summary;
#define PE_MAP_SUMMARY_INIT { sizeof(pe_map_summary), 0, 0, 0, 0, 0, { 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0, 0 } }, 0 }

typedef struct pe_map_options {
    size_t size;
    uint64_t chunk;              /* most items taken at once; PE_CHUNK_AUTO */
    const void *context;         /* copied */
    size_t context_bytes;
    pe_status *statuses;         /* count entries, or NULL */
    pe_map_summary *summary;     /* size set by the caller, or NULL */
    uint32_t on_error;
    uint32_t retries;
    int64_t timeout_ns;          /* 0 only, so far */
    int64_t deadline_ns;         /* absolute; 0 none: of the whole map */
    uint64_t max_inflight;       /* 0 only, so far: streams */
    uint64_t inflight_bytes;     /* 0 only, so far: streams */
    pe_progress_fn *progress;
    void *progress_context;
} pe_map_options;
#define PE_MAP_OPTIONS_INIT { sizeof(pe_map_options), 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL }

PE_END_DECLS
#endif
