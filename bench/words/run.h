#ifndef PE__BENCH_WORDS_RUN_H
#define PE__BENCH_WORDS_RUN_H

/* The contenders: each counts everything below the directories once. */

#include <parexec/pool.h>

#include "words/count.h"

struct words_job {
    pe_pool *pool;
    uint32_t workers;
    char *const *roots; /* ends with a NULL */
    int shows_progress; /* on stderr */
};

struct words_result {
    struct words_counts counts;
    uint64_t files, pieces, failed; /* of ours; failed: pieces that could not be read */
    double seconds;
    double held_mib; /* shared memory in use at the end of the input */
};

/* 0, or -1 when there is no result. */
typedef int words_run_fn(const struct words_job *job, struct words_result *ret_result);

words_run_fn words_run_serial;
words_run_fn words_run_stream;       /* workers get a path and an offset, and read */
words_run_fn words_run_stream_bytes; /* the source reads, workers get bytes */
words_run_fn words_run_gnu;          /* find, xargs, wc; no checksum */
words_run_fn words_run_gnu_parallel;

#endif
