/* inherited.h - memory that workers have had from the start, because it was there when they were forked. */
#ifndef PE__POOL_INHERITED_H
#define PE__POOL_INHERITED_H

#include <stddef.h>

#include <parexec/pool.h>

/* What a map reads in place with PE_MAP_INHERITED: 0, or PE_EFAULT when it surely was not there. */
int pe__pool_check_inherited(const pe_pool *pool, const void *in, size_t in_bytes, const pe_map_options *options);

#endif
