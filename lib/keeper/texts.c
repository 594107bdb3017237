/*
 * texts.c - notes of a crash are copied to where a message would lie, which is lost by the crash; output goes where it
 * would have gone had the worker lived.
 *
 * Notes count only if they fit what the kernel says of the death. They are copied as they are: the host makes sense of
 * them, or finds that there is none.
 */
#include "keeper/texts.h"

#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include <parexec/pool.h>

#include "keeper/output.h"

_Static_assert(sizeof(struct pe__crash) < PE_TEXT_BYTES_MAX, "notes of a crash fit where a message fits");

static uint16_t bytes_of_notes(const struct pe__keeper *keeper, uint32_t index)
{
    const struct pe__kept *kept = &keeper->kept[index];
    const struct pe__crash *crash = &keeper->shared->crashes[index];
    if ((keeper->shared->config->flags & PE_POOL_BACKTRACE) == 0 || !WIFSIGNALED(kept->last_status) ||
        atomic_load_explicit(&crash->signal, memory_order_acquire) != WTERMSIG(kept->last_status))
        return 0;
    uint32_t frames = atomic_load_explicit(&crash->frame_count, memory_order_relaxed);
    if (frames == 0 || frames > PE__CRASH_FRAMES_MAX)
        return 0;
    return (uint16_t)(offsetof(struct pe__crash, frames) + frames * sizeof *crash->frames);
}

uint16_t pe__keeper_keep_record_text(const struct pe__keeper *keeper, uint32_t index, uint32_t record)
{
    uint16_t bytes = bytes_of_notes(keeper, index);
    if (bytes > 0)
        memcpy(pe__mapping_text(keeper->shared, record), &keeper->shared->crashes[index], bytes);
    return bytes;
}

uint16_t pe__keeper_keep_record_output(const struct pe__keeper *keeper, uint32_t index, uint32_t record)
{
    uint64_t end;
    uint32_t bytes = pe__keeper_output_look(keeper, index, &end);
    if (bytes == 0)
        return 0;
    struct pe__output *output = pe__mapping_output(keeper->shared, record);
    pe__keeper_output_take(keeper, index, end, output->data, bytes);
    output->bytes = bytes;
    return PE__RECORD_HAS_OUTPUT;
}

static void keep_item_output(const struct pe__keeper *keeper, uint32_t index, const struct pe__map *map,
                             struct pe__map_live *live, struct pe__item_detail *detail)
{
    uint64_t end;
    uint32_t at, bytes = pe__keeper_output_look(keeper, index, &end);
    if (bytes == 0 || !pe__map_take_output(map, live, bytes, &at))
        return;
    pe__keeper_output_take(keeper, index, end, map->outputs + at, bytes);
    detail->output_at = at;
    detail->output_bytes = bytes;
}

void pe__keeper_keep_item_text(const struct pe__keeper *keeper, uint32_t index, const struct pe__map *map,
                               struct pe__map_live *live, struct pe__item_detail *detail)
{
    uint16_t bytes = bytes_of_notes(keeper, index);
    uint32_t at;
    keep_item_output(keeper, index, map, live, detail);
    if (bytes == 0 || !pe__map_take_text(map, live, bytes, &at))
        return;
    memcpy(map->texts + at, &keeper->shared->crashes[index], bytes);
    detail->text_at = at;
    detail->text_bytes = bytes;
}
