#ifndef PAREXEC_STREAM_H
#define PAREXEC_STREAM_H
#include <parexec/export.h>
#include <parexec/map.h>
#include <parexec/pool.h>
PE_BEGIN_DECLS
typedef struct pe_stream pe_stream;
typedef int pe_source_fn(void *item, void *context);
PE_EXPORT int pe_pool_stream(pe_pool *pool, pe_map_fn *fn, pe_source_fn *source, void *source_context, size_t in_bytes,
                             size_t out_bytes, const pe_map_options *options, pe_stream **ret_stream);
PE_EXPORT int pe_stream_next(pe_stream *stream, int64_t deadline_ns, uint64_t *ret_index, pe_status *ret_status,
                             const void **ret_data, size_t *ret_bytes);
PE_EXPORT int pe_stream_text(const pe_stream *stream, uint32_t which, const char **ret_text, size_t *ret_bytes);
PE_EXPORT void pe_stream_free(pe_stream *stream);
PE_END_DECLS
#endif
