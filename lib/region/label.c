/*
 * label.c - labels are found by a hash of what they say, and told apart by what they say.
 *
 * The hash is the key by which paths are found too: a site keeps it, a name is hashed at each call. So equal sites of
 * several files, of several processes, of a library that was unloaded and loaded again, are one label, and two labels
 * would be taken for one only if 64 bits of a good mixture were the same.
 *
 * A label's place is filled before `ready` is stored; a thread that dies in between leaves a place that is not ready.
 */
#include "region/label.h"

#include <string.h>

#include "base/step.h"
#include "base/wide.h"
#include "region/state.h"

/* What an earlier process has left may all have one hash; what is not found is made anew. */
#define PROBES_MOST 64

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t high, low;

    pe__base_multiply(a ^ UINT64_C(0x9e3779b97f4a7c15), b ^ UINT64_C(0xe7037ed1a0b428db), &high, &low);
    return low ^ high;
}

static uint64_t hash_text(uint64_t hash, const char *text, size_t bytes)
{
    uint64_t part;

    hash = mix(hash, bytes);
    for (; bytes >= sizeof part; text += sizeof part, bytes -= sizeof part) {
        memcpy(&part, text, sizeof part);
        hash = mix(hash, part);
    }
    part = 0;
    for (size_t i = 0; i < bytes; i++)
        part |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return mix(hash, part);
}

static size_t length(const char *text, size_t room)
{
    return text ? strnlen(text, room - 1) : 0;
}

static uint32_t kind_of(const pe_region_site *site)
{
    switch (site->kind) {
    case PE_SITE_LINE:
    case PE_SITE_COUNTER:
    case PE_SITE_MARK:
    case PE__KIND_SPAN:
    case PE__KIND_FUNCTION:
    case PE__KIND_ROOT:
        return site->kind;
    default:
        return PE_SITE_REGION;
    }
}

static uint64_t hash_site(const pe_region_site *site)
{
    uint64_t hash = mix(kind_of(site), site->line);

    hash = hash_text(hash, site->name, length(site->name, PE__REGION_NAME_BYTES));
    hash = hash_text(hash, site->file, length(site->file, PE__REGION_FILE_BYTES));
    return hash == 0 || hash == PE__REGION_KEY_ROOT ? 1 : hash;
}

uint64_t pe__region_label_key(pe_region_site *site)
{
    uint64_t key = __atomic_load_n(&site->key, __ATOMIC_RELAXED);

    if (key == 0) {
        key = hash_site(site);
        __atomic_store_n(&site->key, key, __ATOMIC_RELAXED);
    }
    return key;
}

pe_region_site pe__region_label_named(const char *name)
{
    pe_region_site site = { 0, name, NULL, 0, PE_SITE_REGION, { 0, 0 } };

    site.key = hash_site(&site);
    return site;
}

bool pe__region_label_is_region(const pe_region_site *site)
{
    uint32_t kind = kind_of(site);

    return kind == PE_SITE_REGION || kind == PE__KIND_FUNCTION;
}

pe_region_site pe__region_label_as(const pe_region_site *site, uint32_t kind)
{
    pe_region_site other = { 0, site->name, site->file, site->line, kind, { 0, 0 } };

    other.key = hash_site(&other);
    return other;
}

static bool says(const char *text, size_t room, const char *wanted)
{
    size_t bytes = length(wanted, room);

    return memcmp(text, wanted ? wanted : "", bytes) == 0 && text[bytes] == '\0';
}

static bool is_label_of(const struct pe__region_label *label, const pe_region_site *site)
{
    return atomic_load_explicit(&label->ready, memory_order_acquire) == kind_of(site) + 1 &&
           label->line == site->line && says(label->name, PE__REGION_NAME_BYTES, site->name) &&
           says(label->file, PE__REGION_FILE_BYTES, site->file);
}

static void copy(char *to, size_t room, const char *text)
{
    size_t bytes = length(text, room);

    memset(to, 0, room);
    memcpy(to, text ? text : "", bytes);
}

static uint32_t *slot_of(uint64_t key, uint32_t probe)
{
    const struct pe__region_memory *memory = pe__region_memory;

    return &memory->label_index[(key + probe) & (memory->label_slots - 1)];
}

static uint32_t make(struct pe__region_state *state, const pe_region_site *site, uint64_t key)
{
    struct pe__region_label *label;
    uint32_t number = state->labels;

    if (number >= state->table.geometry.labels) {
        atomic_fetch_add_explicit(&state->table.head->dropped_labels, 1, memory_order_relaxed);
        return PE__REGION_NOTHING;
    }
    label = &state->table.labels[number];
    state->labels = number + 1;
    atomic_store_explicit(&state->table.head->labels, number + 1, memory_order_relaxed);
    PE__STEP(LABEL_TAKEN);
    label->line = site->line;
    label->hash = key;
    copy(label->name, sizeof label->name, site->name);
    copy(label->file, sizeof label->file, site->file);
    PE__STEP(LABEL_FILLED);
    atomic_store_explicit(&label->ready, kind_of(site) + 1, memory_order_release);
    PE__STEP(LABEL_READY);
    return number;
}

uint32_t pe__region_label_take(struct pe__region_state *state, const pe_region_site *site, uint64_t key)
{
    uint32_t probe = 0, number;

    for (; (number = *slot_of(key, probe)) != 0; probe++)
        if (is_label_of(&state->table.labels[number - 1], site))
            return number - 1;
    number = make(state, site, key);
    if (number != PE__REGION_NOTHING)
        *slot_of(key, probe) = number + 1;
    return number;
}

void pe__region_label_inherit(struct pe__region_state *state)
{
    uint32_t count = atomic_load_explicit(&state->table.head->labels, memory_order_relaxed);

    state->labels = count < state->table.geometry.labels ? count : state->table.geometry.labels;
    for (uint32_t i = 0; i < state->labels; i++) {
        const struct pe__region_label *label = &state->table.labels[i];
        uint64_t key = *(const volatile uint64_t *)&label->hash;
        uint32_t probe = 0;

        if (!atomic_load_explicit(&label->ready, memory_order_acquire))
            continue;
        while (probe < PROBES_MOST && *slot_of(key, probe) != 0)
            probe++;
        if (probe < PROBES_MOST)
            *slot_of(key, probe) = i + 1;
    }
}
