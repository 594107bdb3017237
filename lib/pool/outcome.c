/*
 * outcome.c - what became of a map's items.
 *
 * States and details are read once from shared memory; what cannot be is taken as lost. Results are copied in
 * runs of items that returned 0, so an element whose item failed keeps what the caller had there.
 */
#include "pool/outcome.h"

#include <stdlib.h>
#include <string.h>

#include <parexec/error.h>

#include "base/clock.h"
#include "base/sized.h"
#include "pool/job.h"
#include "pool/map.h"
#include "pool/pool.h"
#include "pool/regions.h"
#include "pool/texts.h"
#include "shared/lane.h"
#include "shared/map.h"

/* One item's outcome, read once from shared memory and made plausible. `rest`: the kind of an item still open. */
static pe_status read_item(const pe_pool *pool, const struct pe__map_job *map, uint64_t item, uint32_t rest)
{
    pe_status status = { .kind = rest, .worker = -1, .item = item };
    uint8_t state = atomic_load_explicit(&map->state[item], memory_order_acquire);
    if (state == PE__ITEM_RETRIED)
        status.attempts = ((const volatile struct pe__item_detail *)map->detail)[item].deaths;
    if (state == PE__ITEM_OPEN || state == PE__ITEM_RETRIED)
        return status;
    status.kind = PE_RETURNED;
    status.attempts = 1;
    if (state == PE__ITEM_RETURNED)
        return status;
    const volatile struct pe__item_detail *detail = &map->detail[item];
    uint32_t kind = detail->kind, worker = detail->worker;
    int64_t run_ns = detail->run_ns;
    if (state != PE__ITEM_DETAILED || kind < PE_RETURNED || kind > PE_OUT_OF_MEMORY || worker >= pool->numbers) {
        status.kind = PE_LOST;
        return status;
    }
    status.kind = kind;
    status.code = detail->code;
    status.pid = detail->pid;
    status.attempts = detail->deaths + (kind == PE_RETURNED);
    status.stop_signal = detail->stop_signal;
    status.worker = (int32_t)worker;
    status.run_ns = run_ns > 0 ? run_ns : 0;
    return status;
}

/* Items that workers had in hand when they were killed with the pool: they had begun once more. */
static void note_deaths(const pe_pool *pool, const struct pe__map_job *map)
{
    const struct pe__lane *lanes = pe__mapping_lanes(&pool->shared, map->index);
    for (uint32_t lane = 0; lane < map->lanes; lane++) {
        uint64_t running = atomic_load_explicit(&lanes[lane].running, memory_order_relaxed);
        if (running == 0 || running > map->count)
            continue;
        uint8_t state = atomic_load_explicit(&map->state[running - 1], memory_order_relaxed);
        if (state != PE__ITEM_OPEN && state != PE__ITEM_RETRIED)
            continue;
        map->detail[running - 1].deaths = state == PE__ITEM_RETRIED ? map->detail[running - 1].deaths + 1 : 1;
        atomic_store_explicit(&map->state[running - 1], PE__ITEM_RETRIED, memory_order_relaxed);
    }
}

static bool is_good(const pe_status *status)
{
    return status->kind == PE_RETURNED && status->code == 0;
}

/* Only what returned leaves a message; of others it is the notes of their crash. */
static void keep_texts(const struct pe__map_job *map, struct pe__map_failure *failure)
{
    const pe_status *status = &failure->status;
    const volatile struct pe__item_detail *detail = &map->detail[status->item];
    uint32_t at = detail->text_at;
    uint16_t bytes = detail->text_bytes;
    if (atomic_load_explicit(&map->state[status->item], memory_order_relaxed) != PE__ITEM_DETAILED || bytes == 0 ||
        bytes >= PE_TEXT_BYTES_MAX || at > map->text_bytes || bytes > map->text_bytes - at)
        return;
    pe__texts_add(&failure->texts, status->kind == PE_RETURNED ? PE_TEXT_MESSAGE : PE_TEXT_BACKTRACE,
                  map->texts + at, bytes);
}

/* Bytes of its output, 0: none. */
static uint32_t output_of(const pe_pool *pool, const struct pe__map_job *map, uint64_t item, uint32_t *ret_at)
{
    const volatile struct pe__item_detail *detail = &map->detail[item];
    if (map->outputs_bytes == 0 ||
        atomic_load_explicit(&map->state[item], memory_order_relaxed) != PE__ITEM_DETAILED)
        return 0;
    uint32_t at = detail->output_at, bytes = detail->output_bytes;
    if (at > map->outputs_bytes || bytes > map->outputs_bytes - at || bytes > pool->shared.geometry.output_bytes)
        return 0;
    *ret_at = at;
    return bytes;
}

/* NULL: it is not kept. Room doubles: the count itself tells when it is used up. */
static struct pe__map_failure *keep_failure(struct pe__map_job *map, const pe_status *status)
{
    size_t count = map->failure_count;
    if (!map->keeps_handle || map->failures_lost)
        return NULL;
    if ((count & (count - 1)) == 0) {
        struct pe__map_failure *grown = realloc(map->failures, (count != 0 ? count * 2 : 1) * sizeof *grown);
        map->failures_lost = grown == NULL;
        if (grown == NULL)
            return NULL;
        map->failures = grown;
    }
    map->failures[count] = (struct pe__map_failure){ .status = *status };
    map->failure_count++;
    return &map->failures[count];
}

static void count_outcome(pe_map_summary *summary, const pe_status *status)
{
    if (is_good(status)) {
        summary->returned++;
    } else if (status->kind == PE_CANCELLED) {
        summary->cancelled++;
    } else if (status->kind == PE_LOST) {
        summary->lost++;
    } else {
        if (summary->failed++ == 0) {
            summary->first_failed = status->item;
            summary->first = *status;
        }
    }
}

static void copy_results(const struct pe__map_job *map, uint64_t first, uint64_t last)
{
    if (map->shared_out != map->out && last > first && map->out_bytes > 0)
        memcpy(map->out + first * map->out_bytes, map->shared_out + first * map->out_bytes,
               (last - first) * map->out_bytes);
}

/* First item from `first` on that did not plainly return 0. */
static uint64_t end_of_plain_run(const struct pe__map_job *map, uint64_t first)
{
    const uint64_t all_plain = UINT64_C(0x0101010101010101) * PE__ITEM_RETURNED;
    uint64_t item = first, line[8];
    for (; item + sizeof line <= map->count; item += sizeof line) {
        uint64_t different = 0;
        memcpy(line, (const char *)map->state + item, sizeof line);
        for (size_t i = 0; i < sizeof line / sizeof *line; i++)
            different |= line[i] ^ all_plain;
        if (different != 0)
            break;
    }
    while (item < map->count && atomic_load_explicit(&map->state[item], memory_order_relaxed) == PE__ITEM_RETURNED)
        item++;
    return item;
}

/* Items of which nothing is asked but that they returned 0 are counted in runs. */
static uint64_t skip_plain_run(struct pe__map_job *map, uint64_t first)
{
    if (map->options.statuses != NULL)
        return first;
    uint64_t last = end_of_plain_run(map, first);
    map->summary.returned += last - first;
    copy_results(map, first, last);
    return last;
}

void pe__map_count_item(struct pe__map_job *map, const pe_status *status, const char *text, size_t text_bytes)
{
    struct pe__map_failure *failure = is_good(status) ? NULL : keep_failure(map, status);
    count_outcome(&map->summary, status);
    if (failure != NULL && text_bytes > 0)
        pe__texts_add(&failure->texts, PE_TEXT_MESSAGE, text, text_bytes);
    if (map->options.statuses != NULL)
        map->options.statuses[status->item] = *status;
}

static void read_items(const pe_pool *pool, struct pe__map_job *map, uint32_t rest)
{
    uint64_t item = 0;
    while ((item = skip_plain_run(map, item)) < map->count) {
        pe_status status = read_item(pool, map, item, rest);
        count_outcome(&map->summary, &status);
        if (is_good(&status))
            copy_results(map, item, item + 1);
        uint32_t at, output = output_of(pool, map, item, &at);
        bool kept = !is_good(&status) || status.attempts > 1 || output > 0;
        struct pe__map_failure *failure = kept ? keep_failure(map, &status) : NULL;
        if (failure != NULL && !is_good(&status))
            keep_texts(map, failure);
        if (failure != NULL && output > 0)
            pe__texts_add(&failure->texts, PE_TEXT_OUTPUT, map->outputs + at, output);
        if (map->options.statuses != NULL)
            map->options.statuses[item] = status;
        item++;
    }
}

/* Items that never began are nobody's wish, unless so many have failed that the map was to stop. */
static int result_of(const struct pe__map_job *map)
{
    const pe_map_summary *summary = &map->summary;
    bool stopped_by_failures = map->options.on_error != 0 && summary->failed >= map->options.on_error;
    if (summary->returned == map->count)
        return 0;
    if (summary->lost > 0)
        return PE_EBROKEN;
    return summary->cancelled > 0 && !stopped_by_failures ? PE_ECANCELED : PE_EITEMS;
}

void pe__map_read_outcome(const pe_pool *pool, struct pe__map_job *map, uint32_t rest)
{
    if (map->block != NULL) {
        PE__BUILTIN_SCOPE(&pe__pool_copy_site);
        map->summary = (pe_map_summary){ .size = sizeof map->summary, .first_failed = UINT64_MAX };
        if (pool->settling)
            note_deaths(pool, map);
        read_items(pool, map, rest);
    }
    map->summary.wall_ns = pe__base_ticks_to_ns(pe__base_ticks() - map->start_ticks);
    if (map->options.summary != NULL)
        PE__BASE_FILL_SIZED(pe_map_summary, map->options.summary, &map->summary);
    map->result = result_of(map);
}

static const struct pe__map_failure *find_failure(const struct pe__map_job *map, uint64_t item)
{
    size_t first = 0, last = map->failure_count;
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        if (map->failures[middle].status.item < item)
            first = middle + 1;
        else
            last = middle;
    }
    return first < map->failure_count && map->failures[first].status.item == item ? &map->failures[first] : NULL;
}

int pe__map_item_status(const pe_job *job, uint64_t item, pe_status *ret_status)
{
    const struct pe__map_job *map = pe__job_map(job);
    if (item >= map->count)
        return PE_EINVAL;
    if (map->running) {
        *ret_status = read_item(job->pool, map, item, PE_PENDING);
        return 0;
    }
    if (map->failures_lost)
        return PE_ENOMEM;
    const struct pe__map_failure *failure = find_failure(map, item);
    if (failure != NULL)
        *ret_status = failure->status;
    else
        *ret_status = (pe_status){ .kind = PE_RETURNED, .worker = -1, .attempts = 1, .item = item };
    return 0;
}

int pe__map_item_texts(const pe_job *job, uint64_t item, struct pe__texts **ret_texts)
{
    const struct pe__map_job *map = pe__job_map(job);
    if (map->failures_lost)
        return PE_ENOMEM;
    const struct pe__map_failure *failure = find_failure(map, item);
    *ret_texts = failure != NULL ? failure->texts : NULL;
    return 0;
}
