/* block.c - taking and giving back reply blocks; block.h argues it. */
#include "shared/block.h"

#include <stddef.h>

#define GROWTH 4
#define PAGE_BYTES 4096

uint64_t pe__block_plan(struct pe__block_table *table, uint64_t offset, uint64_t budget_bytes)
{
    *table = (struct pe__block_table){ 0 };
    for (uint64_t bytes = PE__BLOCK_SMALLEST; table->class_count < PE__BLOCK_CLASSES_MAX; bytes *= GROWTH) {
        /* The largest block is the budget itself, so that one reply may use all of it. */
        bool largest = bytes >= budget_bytes / GROWTH;
        if (largest)
            bytes = budget_bytes & ~(uint64_t)(PAGE_BYTES - 1);
        uint64_t count = budget_bytes / bytes;
        if (count > PE__BLOCK_PER_CLASS_MAX)
            count = PE__BLOCK_PER_CLASS_MAX;
        table->classes[table->class_count++] = (struct pe__block_class){
            .bytes = bytes, .offset = offset, .first = table->block_count, .count = (uint32_t)count
        };
        table->block_count += (uint32_t)count;
        offset += count * bytes;
        if (largest)
            break;
    }
    return offset;
}

const struct pe__block_class *pe__block_class_of(const struct pe__block_table *table, uint32_t block)
{
    for (uint32_t i = 0; i < table->class_count; i++)
        if (block >= table->classes[i].first && block - table->classes[i].first < table->classes[i].count)
            return &table->classes[i];
    return NULL;
}

uint64_t pe__block_offset(const struct pe__block_class *block_class, uint32_t block)
{
    return block_class->offset + (uint64_t)(block - block_class->first) * block_class->bytes;
}

/* Lowest number first: the block most likely to have its pages already. */
static bool take_in_class(const struct pe__block_class *block_class, _Atomic uint64_t *words, uint64_t holder,
                          uint32_t *ret_block)
{
    for (uint32_t i = 0; i < block_class->count; i++) {
        _Atomic uint64_t *word = &words[block_class->first + i];
        uint64_t free_word = 0;
        if (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong_explicit(word, &free_word, holder, memory_order_acquire,
                                                    memory_order_relaxed)) {
            *ret_block = block_class->first + i;
            return true;
        }
    }
    return false;
}

bool pe__block_take(const struct pe__block_table *table, _Atomic uint64_t *words, uint64_t bytes, uint64_t holder,
                    uint32_t *ret_block)
{
    for (uint32_t i = 0; i < table->class_count; i++)
        if (table->classes[i].bytes >= bytes && take_in_class(&table->classes[i], words, holder, ret_block))
            return true;
    return false;
}

void pe__block_give(_Atomic uint64_t *words, uint32_t block)
{
    atomic_store_explicit(&words[block], 0, memory_order_release);
}

void pe__block_give_all(const struct pe__block_table *table, _Atomic uint64_t *words, uint64_t holder)
{
    for (uint32_t block = 0; block < table->block_count; block++)
        if (atomic_load_explicit(&words[block], memory_order_relaxed) == holder)
            pe__block_give(words, block);
}
