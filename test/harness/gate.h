#ifndef PE__TEST_GATE_H
#define PE__TEST_GATE_H

/*
 * Words in shared memory that jobs and the test wait at, so that a test decides which event comes first.
 * Waiting costs no CPU time; whoever changes a word wakes all that wait at it.
 */

#include <stddef.h>
#include <stdint.h>

#include <parexec/pool.h>

void word_await(_Atomic uint32_t *word, uint32_t least);
void word_set(_Atomic uint32_t *word, uint32_t value);
/* Gives the new value. */
uint32_t word_add(_Atomic uint32_t *word);

/* Jobs count themselves in; the nth goes on once `open` is n or more. */
struct gate {
    _Atomic uint32_t arrived;
    _Atomic uint32_t open;
};

/* The argument of the job is the gate's address. */
pe_job *gate_submit(pe_pool *pool, pe_job_fn *fn, struct gate *gate);
struct gate *gate_of(const void *arg);
/* Waits until it may go on; replies with its place, a uint64_t. */
int gate_pass(const void *arg, size_t arg_bytes, pe_reply *reply);
/* Counts itself in and goes on. */
int gate_count(const void *arg, size_t arg_bytes, pe_reply *reply);

#endif
