#ifndef PE__BENCH_POOL_WORK_H
#define PE__BENCH_POOL_WORK_H

/* The work that all contenders do, compiled in a file of its own: whoever calls it, calls through a pointer
 * and nobody can inline it. */

#include <stddef.h>
#include <stdint.h>

/* A job of 8 bytes in and 8 bytes out. */
typedef uint64_t work_job_fn(uint64_t arg);

/* The low 32 bits of arg count steps of a dependent multiply and add (about a nanosecond each), the high bits
 * are data. With no steps it is as short as a job can be. */
uint64_t work_job(uint64_t arg);

/* The job of the row, which contenders run: work_job, or the sum of the block of so many bytes whose address is the
 * argument. Chosen before they are opened. */
extern work_job_fn *work_chosen;
void work_choose_blocks(size_t bytes);
uint64_t work_sum_bytes(const void *block, size_t bytes);

/* Steps that make work_job last `job_ns` on this machine, now. */
uint32_t work_steps(uint64_t job_ns);

/* Items, with the signature of pe_map_fn. The context of the last three is a uint64_t: steps, or bytes of an item. */
typedef int work_item_fn(const void *in, void *out, const void *context);

int work_double(const void *in, void *out, const void *context); /* about 20 ns: a chain on one double */
int work_noop(const void *in, void *out, const void *context);
int work_chain(const void *in, void *out, const void *context); /* a chain of as many steps as the context says */
int work_sum(const void *in, void *out, const void *context);  /* out: uint64_t, sum of in's words */
int work_fill(const void *in, void *out, const void *context); /* in: uint64_t that fills out */

/* A plain loop over the items: the serial limit, and the reference for results. */
int work_serial(work_item_fn *fn, const void *in, size_t in_bytes, void *out, size_t out_bytes, size_t count,
                const void *context);

#endif
