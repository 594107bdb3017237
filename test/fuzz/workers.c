/* workers.c - writing over words of shared memory, as the input says. */
#include "workers.h"

#include <string.h>

#include "pool/map.h"
#include "stand-in.h"

uint32_t workers_take_record(struct input *input, const pe_pool *pool)
{
    const struct pe__level *level = &pool->levels[input_take(input, 1) % PE__QUEUE_LEVELS];

    return pe__pool_record_at(pool, level, level->tail - 1 - input_take(input, 1) % 4);
}

static void store_word(const pe_pool *pool, uint32_t record, uint64_t sequence_more, uint32_t owner, uint32_t phase)
{
    uint64_t sequence = (pool->entries[record].sequence + sequence_more) & PE__RECORD_SEQUENCE_MASK;

    atomic_store(&stand_in.shared.records[record].word,
                 pe__record_word(sequence, owner, (enum pe__record_phase)phase));
}

void workers_forge_word(struct input *input, const pe_pool *pool)
{
    uint32_t record = workers_take_record(input, pool), phase = (uint32_t)input_take(input, 1);
    uint32_t owner = (uint32_t)input_take(input, 2);

    store_word(pool, record, (uint64_t)(int8_t)input_take(input, 1), owner, phase);
}

/* Half of them may be true. */
static uint16_t take_text_bytes(struct input *input)
{
    uint16_t how = (uint16_t)input_take(input, 2);

    return how % 2 == 0 ? how : (uint16_t)(how / 2 % PE_TEXT_BYTES_MAX | (how & PE__RECORD_HAS_OUTPUT));
}

static uint16_t take_reply_bytes(struct input *input)
{
    uint16_t how = (uint16_t)input_take(input, 2);

    if (how == 0)
        return PE__RECORD_NO_REPLY;
    return how % 8 == 7 ? PE__RECORD_FAR : how % 2 == 1 ? how / 2 % PE__RECORD_INLINE_BYTES : how;
}

void workers_end_record(struct input *input, const pe_pool *pool)
{
    uint32_t index = workers_take_record(input, pool), phase = PE__RECORD_RUNNING + (uint32_t)input_take(input, 1) % 8;
    struct pe__record *record = &stand_in.shared.records[index];
    struct pe__record_more *more = &stand_in.shared.records_more[index];

    record->code = (int32_t)input_take(input, 1) - 128;
    record->text_bytes = take_text_bytes(input);
    record->reply_short = take_reply_bytes(input);
    if (record->reply_short == PE__RECORD_FAR) {
        more->reply_block = (uint32_t)input_take(input, 2) % (stand_in.shared.blocks.block_count + 3);
        more->reply_bytes = input_take(input, 3);
    }
    if ((record->text_bytes & PE__RECORD_HAS_OUTPUT) != 0)
        pe__mapping_output(&stand_in.shared, index)->bytes = (uint32_t)input_take(input, 2);
    record->start_ticks += input_take(input, 1);
    store_word(pool, index, 0, (uint32_t)input_take(input, 1) % WORKERS, phase);
}

static void write_word(struct input *input, void *start, size_t bytes)
{
    uint64_t place = input_take(input, 2), value = input_take(input, 8);

    memcpy((char *)start + place % (bytes / 8) * 8, &value, 8);
}

void workers_write_anywhere(struct input *input, bool read_only_too)
{
    const struct pe__shared *view = &stand_in.shared;
    const struct {
        void *start;
        size_t bytes;
    } parts[] = {
        { view->records, 2 * view->geometry.records * sizeof *view->records },
        { view->records_more, 2 * view->geometry.records * sizeof *view->records_more },
        { view->slots, WORKERS * sizeof *view->slots },
        { view->groups, sizeof *view->groups },
        { view->counts, sizeof *view->counts },
        { view->watch, sizeof *view->watch },
        { view->heads, PE__QUEUE_LEVELS * sizeof *view->heads },
        { view->host_waits, 8 },
        { view->lives, 2 * sizeof *view->lives },
        { view->lanes, 2 * view->geometry.workers_most * sizeof *view->lanes },
        { view->block_words, 256 },
        { view->config, sizeof *view->config / 8 * 8 },
        { view->tails, PE__QUEUE_LEVELS * sizeof *view->tails },
        { view->maps, 2 * sizeof *view->maps },
        { view->crashes, WORKERS * sizeof *view->crashes },
        { view->heap, 4096 },
        { view->base + view->blocks.classes[0].offset, view->blocks.classes[0].bytes },
    };
    uint64_t part = input_take(input, 1) % (sizeof parts / sizeof *parts);
    bool is_read_only = (unsigned char *)parts[part].start < view->base + view->readonly_bytes;

    if (read_only_too || !is_read_only)
        write_word(input, parts[part].start, parts[part].bytes);
}

void workers_write_into_record(struct input *input, const pe_pool *pool)
{
    uint32_t index = workers_take_record(input, pool);
    const struct pe__shared *view = &stand_in.shared;

    switch (input_take(input, 1) % 4) {
    case 0: write_word(input, (char *)&view->records[index] + 8, sizeof *view->records - 8); break;
    case 1: write_word(input, &view->records_more[index], sizeof *view->records_more); break;
    case 2: write_word(input, pe__mapping_text(view, index), PE_TEXT_BYTES_MAX); break;
    default: write_word(input, pe__mapping_output(view, index), sizeof(struct pe__output));
    }
}

void workers_close_item(struct input *input, const pe_pool *pool)
{
    if (pe__base_list_empty(&pool->maps))
        return;
    const struct pe__map_job *map = pe__job_map(pe__job_of_map(pool->maps.next));
    uint64_t item = input_take(input, 1) % ITEMS;
    if (!map->running || item >= map->count || map->state == NULL)
        return;
    uint8_t state = (uint8_t)input_take(input, 1);
    if (map->detail != NULL && state != PE__ITEM_RETURNED)
        write_word(input, &map->detail[item], sizeof *map->detail);
    atomic_store(&map->state[item], state);
}

