/*
 * source.c - the list of tables, and the lock around it.
 *
 * A child that was forked does not go on with either, but makes both anew (pe__base_forked_settle). What an ancestor
 * had kept stays behind unused in the child's copy of the memory: another thread may have been changing it, so it is
 * not even freed.
 *
 * The lock is held while a profile is taken. Recording threads never take it.
 */
#include "region/source.h"

#include <pthread.h>

#include "base/forked.h"
#include "region/mode.h"
#include "region/record.h"
#include "region/state.h"

static _Atomic uint64_t owner;
static pthread_mutex_t mutex;
static struct pe__region_sources sources;
static struct pe__region_source own;

/* Without a token (no memory for it, on a kernel that cannot wipe) all processes count as one. */
static uint64_t get_token(void)
{
    uint64_t token;

    return pe__base_forked_token(&token) == 0 ? token : 1;
}

/* When this process's own table began, which in a child is long before anybody asks. */
static void begin(void)
{
    struct pe__region_state *state = pe__region_state_lock();

    if (!state)
        return;
    sources.begin_ticks = state->begin_ticks;
    sources.begin_ns = state->begin_ns;
    sources.begin_unix_ns = state->begin_unix_ns;
    pe__region_state_unlock(state);
}

/* A child goes on in the same memory, wiped (state.h). */
static void add_own(void)
{
    const struct pe__region_memory *memory = atomic_load_explicit(&pe__region_memory, memory_order_acquire);

    if (!memory || own.tables)
        return;
    own.tables = memory->table;
    own.count = 1;
    own.geometry = memory->geometry;
    pe__base_list_push_front(&sources.list, &own.link);
    begin();
}

static void make_anew(void)
{
    sources = (struct pe__region_sources){ .mode = pe_region_on };
    own.tables = NULL;
    pe__base_list_init(&sources.list);
    pthread_mutex_init(&mutex, NULL);
    add_own();
}

struct pe__region_sources *pe__region_sources_lock(void)
{
    pe__base_forked_settle(&owner, make_anew);
    pthread_mutex_lock(&mutex);
    return &sources;
}

void pe__region_sources_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static void tell_mode(const struct pe__region_source *source)
{
    if (source->mode)
        atomic_store_explicit(source->mode, sources.mode, memory_order_relaxed);
}

void pe__region_source_add(struct pe__region_source *source)
{
    pe__region_sources_lock();
    source->token = get_token();
    source->pool = ++sources.pools;
    pe__base_list_push_back(&sources.list, &source->link);
    tell_mode(source);
    pe__region_sources_unlock();
}

void pe__region_source_remove(struct pe__region_source *source, pe__region_take_over_fn *take_over)
{
    if (source->token != get_token())
        return;
    pe__region_sources_lock();
    pe__base_list_remove(&source->link);
    take_over(&sources, source);
    pe__region_sources_unlock();
}

void pe__region_sources_follow(uint32_t mode)
{
    pe__region_sources_lock();
    add_own();
    sources.mode = mode;
    PE__BASE_LIST_EACH(link, &sources.list)
        tell_mode(PE__BASE_LIST_ENTRY(link, struct pe__region_source, link));
    pe__region_sources_unlock();
}

struct pe__region_sources *pe__region_sources_here(void)
{
    return atomic_load_explicit(&owner, memory_order_acquire) == get_token() << 1 ? &sources : NULL;
}
