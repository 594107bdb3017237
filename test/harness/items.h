#ifndef PE__TEST_ITEMS_H
#define PE__TEST_ITEMS_H

/* What tests of maps put in and get out: numbers and their squares, and what a map tells of its progress. */

#include <stddef.h>
#include <stdint.h>

#include <parexec/map.h>

/* What an output holds that no item has written. */
#define UNTOUCHED UINT64_C(0xeeeeeeeeeeeeeeee)

/* 0 to count - 1, and UNTOUCHED throughout with one more behind the end; to be freed. */
uint64_t *numbers(size_t count);
uint64_t *untouched(size_t count);

int item_square(const void *in, void *out, const void *context);
/* Fails on what the context lists: {code, count, items...}. */
int item_square_or_fail(const void *in, void *out, const void *context);
/* Stays until its worker is killed. */
int item_for_ever(const void *in, void *out, const void *context);
/* For calls that are refused, or where the call alone matters. */
int item_nothing(const void *in, void *out, const void *context);
int range_nothing(uint64_t first, uint64_t last, void *acc, const void *context);
/* Of two uint64_t. */
int combine_sum(void *acc, const void *part, const void *context);
int combine_nothing(void *acc, const void *part, const void *context);

struct progress {
    uint64_t calls, done, failed, total;
    int backwards; /* 1: told less than before, or what cannot be */
};

/* A pe_progress_fn; the context is a struct progress. */
void progress_follow(uint64_t done, uint64_t failed, uint64_t total, void *context);
/* A pe_done_fn; the context is an int. */
void count_call(pe_job *job, void *context);

#endif
