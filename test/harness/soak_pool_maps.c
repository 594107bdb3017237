/* Acts with maps: whole ones, stopped ones, streams, reduces, and maps without a pool. */
#include "harness/items.h"
#include "harness/soak_pool.h"

#include <stdlib.h>

#define ITEMS_MOST 3000
#define RETRIES_MOST 3

/* ---- maps ---- */

static int answer_item(const void *in, void *out, const void *context)
{
    const struct soak_order *order = in;
    int result = soak_obey(order);

    (void)context;
    if (result == 0)
        *(uint64_t *)out = soak_answer(order->seed);
    return result;
}

struct map {
    size_t count;
    bool is_stopped, is_shared;
    struct soak_order *orders;
    uint64_t *answers;
    pe_status *statuses;
    pe_map_summary summary;
    pe_map_options options;
};

static void *room(struct soak_player *player, const struct map *map, size_t bytes)
{
    void *memory = NULL;

    if (map->is_shared)
        ck_assert_int_eq(pe_pool_alloc(player->pool, bytes, &memory), 0);
    else
        memory = malloc(bytes);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static void free_room(struct soak_player *player, const struct map *map, void *memory)
{
    if (map->is_shared)
        pe_pool_dealloc(player->pool, memory);
    else
        free(memory);
}

static void open_map(struct map *map, struct soak_player *player, bool is_stopped)
{
    *map = (struct map){ .count = 1 + (size_t)soak_below(player, ITEMS_MOST), .is_stopped = is_stopped,
                         .is_shared = soak_below(player, 2) == 0, .summary = PE_MAP_SUMMARY_INIT,
                         .options = PE_MAP_OPTIONS_INIT };
    map->orders = room(player, map, map->count * sizeof *map->orders);
    map->answers = room(player, map, map->count * sizeof *map->answers);
    map->statuses = calloc(map->count, sizeof *map->statuses);
    for (size_t i = 0; i < map->count; i++) {
        map->orders[i] = soak_some_order(player, is_stopped);
        map->answers[i] = 0;
    }
    map->options.statuses = map->statuses;
    map->options.summary = &map->summary;
    map->options.chunk = soak_below(player, 2) == 0 ? 0 : soak_below(player, 100);
    map->options.retries = (uint32_t)soak_below(player, RETRIES_MOST);
    map->options.priority = (uint32_t)soak_below(player, 3);
}

/* An answer is there if the item returned 0; in memory that is not shared, only then. */
static void check_map(struct map *map, struct soak_player *player)
{
    uint64_t answered = 0;

    for (size_t i = 0; i < map->count; i++) {
        bool has_answer = soak_check(player, &map->orders[i], &map->statuses[i], map->options.retries, map->is_stopped);

        answered += has_answer;
        if (has_answer || !map->is_shared)
            ck_assert_uint_eq(map->answers[i], has_answer ? soak_answer(map->orders[i].seed) : 0);
    }
    ck_assert_uint_eq(map->summary.returned, answered);
    ck_assert_uint_eq(map->summary.returned + map->summary.failed + map->summary.cancelled, map->count);
    ck_assert_uint_eq(map->summary.lost, 0);
    free_room(player, map, map->orders);
    free_room(player, map, map->answers);
    free(map->statuses);
}

static void whole_map(struct soak_player *player)
{
    struct map map;

    open_map(&map, player, false);
    int result = pe_pool_map(player->pool, answer_item, map.orders, sizeof *map.orders, map.answers,
                             sizeof *map.answers, map.count, &map.options);
    ck_assert_int_eq(result, map.summary.returned == map.count ? 0 : PE_EITEMS);
    check_map(&map, player);
}

/* By a request, by a limit of each item, or by a deadline. */
static void stopped_map(struct soak_player *player)
{
    uint64_t how = soak_below(player, 3);
    struct map map;
    pe_job *job;

    open_map(&map, player, true);
    map.options.timeout_ns = PE_MS(3); /* in any case, for those that hang */
    if (how == 1)
        map.options.deadline_ns = pe_after(PE_US((int64_t)soak_below(player, 5000)));
    ck_assert_int_eq(pe_pool_start_map(player->pool, answer_item, map.orders, sizeof *map.orders, map.answers,
                                       sizeof *map.answers, map.count, &map.options, &job), 0);
    if (how == 2) {
        (void)pe_job_wait(job, pe_after(PE_US((int64_t)soak_below(player, 3000))));
        (void)pe_job_cancel(job);
    }
    ck_assert_int_eq(pe_job_wait(job, pe_after(SOAK_GUARD_NS)), 0);
    pe_job_free(job);
    check_map(&map, player);
}

static void map_without_pool(struct soak_player *player)
{
    pe_pool_options options = { .size = sizeof options, .workers = 2, .max_deaths = UINT32_MAX };
    struct map map;

    open_map(&map, player, false);
    int result = pe_map_once(&options, answer_item, map.orders, sizeof *map.orders, map.answers, sizeof *map.answers,
                             map.count, &map.options);
    ck_assert_int_eq(result, map.summary.returned == map.count ? 0 : PE_EITEMS);
    check_map(&map, player);
}

/* ---- streams ---- */

struct source {
    struct soak_player *player;
    struct soak_order orders[ITEMS_MOST];
    bool was_seen[ITEMS_MOST];
    uint64_t made, count;
};

static int make_order(void *item, void *context)
{
    struct source *source = context;

    if (source->made == source->count)
        return 0;
    *(struct soak_order *)item = source->orders[source->made++] = soak_some_order(source->player, false);
    return 1;
}

static void take_item(struct source *source, uint64_t index, const pe_status *status, const void *data)
{
    ck_assert_uint_lt(index, source->made);
    ck_assert(!source->was_seen[index]);
    source->was_seen[index] = true;
    bool has_answer = soak_check(source->player, &source->orders[index], status, 0, false);
    ck_assert_int_eq(data != NULL, has_answer);
    if (has_answer)
        ck_assert_uint_eq(*(const uint64_t *)data, soak_answer(source->orders[index].seed));
}

/* Read to its end, or freed somewhere. */
static void stream(struct soak_player *player)
{
    struct source *source = calloc(1, sizeof *source);
    pe_map_options options = { .size = sizeof options, .flags = soak_below(player, 2) == 0 ? PE_MAP_ORDERED : 0 };
    uint64_t taken = 0, index, most = soak_below(player, 4) == 0 ? soak_below(player, ITEMS_MOST) : UINT64_MAX;
    pe_status status;
    const void *data;
    pe_stream *stream;
    int got = 0;

    source->player = player;
    source->count = soak_below(player, ITEMS_MOST);
    ck_assert_int_eq(pe_pool_stream(player->pool, answer_item, make_order, source, sizeof(struct soak_order),
                                    sizeof(uint64_t), &options, &stream), 0);
    while (taken < most &&
           (got = pe_stream_next(stream, pe_after(SOAK_GUARD_NS), &index, &status, &data, NULL)) == 1) {
        ck_assert(options.flags == 0 || index == taken);
        take_item(source, index, &status, data);
        taken++;
    }
    ck_assert_msg(taken == most || (got == 0 && taken == source->count), "%s", pe_strerror(got));
    pe_stream_free(stream);
    free(source);
}

/* ---- reduces ---- */

static int add_range(uint64_t first, uint64_t last, void *acc, const void *context)
{
    (void)context;
    for (uint64_t i = first; i < last; i++)
        *(uint64_t *)acc += soak_answer(i);
    return 0;
}

static void reduce(struct soak_player *player)
{
    uint64_t first = pe_rng_next(&player->rng) / 2, last = first + soak_below(player, 100000), sum = 0, wanted = 0;
    pe_map_options options = { .size = sizeof options, .retries = UINT32_MAX };

    (void)add_range(first, last, &wanted, NULL);
    ck_assert_int_eq(pe_pool_reduce(player->pool, add_range, combine_sum, first, last, &sum, sizeof sum, &options), 0);
    ck_assert_uint_eq(sum, wanted);
}

const struct soak_pool_act soak_pool_maps[] = {
    { "map", whole_map, 4 },
    { "stopped map", stopped_map, 2 },
    { "map once", map_without_pool, 1 },
    { "stream", stream, 3 },
    { "reduce", reduce, 2 },
    { NULL, NULL, 0 },
};
