/* index.c - numbers by hash; at most half full, so that a look ends soon. */
#include "report/index.h"

#include <stdlib.h>

#include <parexec/error.h>

#define ROOM_FIRST 64

uint64_t pe__index_hash(uint64_t a, uint64_t b)
{
    uint64_t hash = a * UINT64_C(0x9e3779b97f4a7c15) + b;

    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

uint64_t pe__index_hash_text(uint64_t seed, const char *text)
{
    uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return pe__index_hash(hash, 0);
}

uint32_t pe__index_next(const struct pe__index *index, uint64_t hash, uint32_t *at)
{
    if (index->room == 0)
        return PE__INDEX_NONE;
    for (;;) {
        const struct pe__index_slot *slot = &index->slots[(hash + (*at)++) & (index->room - 1)];

        if (slot->number == 0)
            return PE__INDEX_NONE;
        if (slot->hash == hash)
            return slot->number - 1;
    }
}

static void put(struct pe__index *index, uint64_t hash, uint32_t number)
{
    uint64_t place = hash;

    while (index->slots[place & (index->room - 1)].number != 0)
        place++;
    index->slots[place & (index->room - 1)] = (struct pe__index_slot){ hash, number + 1 };
    index->used++;
}

static int grow(struct pe__index *index)
{
    struct pe__index larger = { .room = index->room ? 2 * index->room : ROOM_FIRST };

    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots)
        return PE_ENOMEM;
    for (uint32_t i = 0; i < index->room; i++)
        if (index->slots[i].number != 0)
            put(&larger, index->slots[i].hash, index->slots[i].number - 1);
    free(index->slots);
    *index = larger;
    return 0;
}

int pe__index_add(struct pe__index *index, uint64_t hash, uint32_t number)
{
    if (2 * (uint64_t)index->used >= index->room && grow(index) != 0)
        return PE_ENOMEM;
    put(index, hash, number);
    return 0;
}

void pe__index_fini(struct pe__index *index)
{
    free(index->slots);
    *index = (struct pe__index){ .slots = NULL };
}
