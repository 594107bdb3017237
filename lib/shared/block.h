/*
 * block.h - memory for replies that do not fit into a record.
 *
 * A reply is made by a worker while the host may be busy elsewhere, so workers take blocks by themselves:
 * every block has one 64-bit word, 0 when it is free, else the use {sequence:40, record:24} of the job
 * that holds it (sequences start at 1), moved by compare-and-swap. Taking a block and naming its job are the
 * same instruction, so a worker killed between any two instructions leaves a word that says whose the block
 * was; the keeper gives back all blocks that name the record it settles. The host frees a block when it has
 * taken the reply over; it keeps its own private list of blocks it holds, and two results that claim the same
 * block break the pool.
 *
 * Sizes go up by factors of four from 4 KiB; a class has as many blocks as fit into the reply range (at most
 * 2,048). The ranges of the classes are only reserved: a page costs memory once it has been touched.
 *
 * Orders. Taking is an acquire swap that pairs with the release store by which the host or the keeper frees:
 * whatever the previous holder did to the bytes is over. The bytes reach the host by the claim word's swap to
 * DONE.
 */
#ifndef PE__SHARED_BLOCK_H
#define PE__SHARED_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PE__BLOCK_CLASSES_MAX 20
#define PE__BLOCK_SMALLEST ((uint64_t)4096)
#define PE__BLOCK_PER_CLASS_MAX 2048u

struct pe__block_class {
    uint64_t bytes;  /* of one block */
    uint64_t offset; /* of the class's first block in the mapping */
    uint32_t first;  /* its number */
    uint32_t count;
};

/* Fixed when the pool is made; each process keeps a private copy. */
struct pe__block_table {
    struct pe__block_class classes[PE__BLOCK_CLASSES_MAX];
    uint32_t class_count;
    uint32_t block_count;
};

/* Lays out classes from `offset` on so that each covers about `budget_bytes`; returns the end. */
uint64_t pe__block_plan(struct pe__block_table *table, uint64_t offset, uint64_t budget_bytes);

/* The class a block number belongs to; NULL when there is no such block. */
const struct pe__block_class *pe__block_class_of(const struct pe__block_table *table, uint32_t block);

/* Offset of a block in the mapping. */
uint64_t pe__block_offset(const struct pe__block_class *block_class, uint32_t block);

/* Takes a free block of at least `bytes` for a job. False: none is free. */
bool pe__block_take(const struct pe__block_table *table, _Atomic uint64_t *words, uint64_t bytes, uint64_t holder,
                    uint32_t *ret_block);

void pe__block_give(_Atomic uint64_t *words, uint32_t block);

/* Frees every block that names `holder`. */
void pe__block_give_all(const struct pe__block_table *table, _Atomic uint64_t *words, uint64_t holder);

#endif
