/*
 * mode.h - whether and how regions are measured: one word.
 *
 * pe_region_on (region.h) is this word in each process. The host's is copied to the sources' (source.h), where workers
 * look before each record.
 */
#ifndef PE__REGION_MODE_H
#define PE__REGION_MODE_H

#include <stdint.h>

#define PE__MODE_ON 1u
#define PE__MODE_QUICK 2u    /* the counter is read without waiting for what came before */
#define PE__MODE_SAMPLED 4u
#define PE__MODE_TIMELINE 8u
#define PE__MODE_CPU_TIME 16u
#define PE__MODE_NS 32u /* ticks are nanoseconds of CLOCK_MONOTONIC: there is no counter, or CPUs disagree */
/* Bits from here on: sample_every - 1. */
#define PE__MODE_SAMPLE_SHIFT 16

/* How this process measures: the mode when it was last on. */
uint32_t pe__region_mode(void);

/* Worker: this process's word becomes that one. */
void pe__region_mode_set(uint32_t mode);

/* Defined where reports are made (report/environment.c), and named in this room so that whoever takes pe_region_on from
 * the static library gets what reads PAREXEC_PROFILE with it. Runs by itself as a constructor. */
void pe__environment_begin(void);

#endif
