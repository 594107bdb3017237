#ifndef PE__TEST_POOL_H
#define PE__TEST_POOL_H

/*
 * Pools, jobs and memory in one line each. Whatever goes wrong in these calls fails the test; what is under
 * test is called directly. Pools and handles belong to the test: pool_end and job_finish take them back.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <parexec/pool.h>

/* The size member is filled in. Workers of tests may die at will: none leaves a core file. */
pe_pool *pool_with(pe_pool_options options);
pe_pool *pool_of(uint32_t workers);
/* Joins and frees. */
void pool_end(pe_pool *pool);
/* Zeroed memory that the pool's workers see. */
void *pool_shared(pe_pool *pool, size_t bytes);
pe_stats pool_stats(const pe_pool *pool);

pe_job *pool_submit(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes);
/* The size member of the options is filled in. */
pe_job *pool_submit_with(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes, pe_job_options options);
pe_job *pool_submit_retried(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes,
                            uint32_t retries);
/* Runs one job to its end. */
pe_status pool_run(pe_pool *pool, pe_job_fn *fn, const void *arg, size_t arg_bytes);
/* Ten jobs must bring the right replies. */
void pool_assert_usable(pe_pool *pool);
/* A job that kills its worker by SIGSEGV; and the pool tells that it did. */
int job_segv(const void *arg, size_t arg_bytes, pe_reply *reply);
void pool_assert_crash_is_told(pe_pool *pool);
/* The pid of the worker that takes the next job. */
int32_t pool_worker_pid(pe_pool *pool);
/* Waits for that many replacements: the keeper counts one after it has settled the death, so a job's end may
 * be seen first. */
void pool_await_restarts(const pe_pool *pool, uint64_t restarts);

pe_status job_status(const pe_job *job);
/* Waits; the handle stays. */
pe_status job_ended(pe_job *job);
/* Waits and frees. */
pe_status job_finish(pe_job *job);
/* Waits and compares; the handle stays. */
void job_assert_ended(pe_job *job, uint32_t kind, int code);
/* Waits, compares the reply with these bytes, and frees. */
void job_assert_reply(pe_job *job, const void *wanted, size_t wanted_bytes);
/* Bytes that follow from the seed, for arguments and replies; to be freed. */
unsigned char *pattern(size_t bytes, uint64_t seed);
/* The reply of an ended job: one uint64_t. */
uint64_t job_number(const pe_job *job);

/* ---- what runs in workers ---- */

int job_nothing(const void *arg, size_t arg_bytes, pe_reply *reply);
int job_echo(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Replies with its pid, an int32_t. */
int job_pid(const void *arg, size_t arg_bytes, pe_reply *reply);
/* arg: a uint64_t. Replies with twice that. */
int job_double(const void *arg, size_t arg_bytes, pe_reply *reply);
/* arg: the address of an _Atomic int in shared memory. Returns 7 once that is not 0. */
int job_until_set(const void *arg, size_t arg_bytes, pe_reply *reply);
/* arg: the address of an _Atomic int32_t in shared memory. Stores its pid there, and stays. */
int job_for_ever(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Waits until a job has stored its pid. */
int32_t job_await_pid(_Atomic int32_t *pid);

#endif
