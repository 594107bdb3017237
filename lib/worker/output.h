/* output.h - the worker's side of catching what items write (shared/output.h). */
#ifndef PE__WORKER_OUTPUT_H
#define PE__WORKER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/mapping.h"

struct pe__worker_output {
    int fd;          /* the memory file, -1: nothing is caught */
    int keeper_bell; /* eventfd: somebody is awake again */
    uint64_t from;   /* where the item in hand begins */
    uint64_t end;    /* of the item that was looked at last */
    uint64_t most;   /* with a larger file this process leaves between two items; UINT64_MAX: none is too large */
    bool full;       /* it is larger */
};

/* Descriptors 1 and 2 become the file's. */
void pe__worker_output_open(struct pe__worker_output *output, int fd, int keeper_bell);

/* How much the item has written that began at `start_ticks` and has been flushed; 0: nothing. */
uint32_t pe__worker_output_look(struct pe__worker_output *output, uint64_t start_ticks, uint64_t most);

/* Copies what the last look has found. */
void pe__worker_output_take(const struct pe__worker_output *output, void *place, uint32_t bytes);

/* The item is closed: what it has written is not the next one's. */
void pe__worker_output_pass(struct pe__worker_output *output, struct pe__slot *slot);

/* Whatever has been written so far is nobody's. */
void pe__worker_output_drop(struct pe__worker_output *output, struct pe__slot *slot);

/* After a sleep: the keeper may have gone to sleep too. */
void pe__worker_output_awake(const struct pe__worker_output *output, struct pe__keeper_counts *counts);

#endif
