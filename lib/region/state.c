/*
 * state.c - one mapping for each process: a page that forks leave alone, and behind it all that they wipe.
 *
 * Who writes what: the memory's description is written before its address is published by one compare-and-swap; a
 * thread that comes second unmaps its own. The state is written with its lock held. The lock holds the address of a
 * thread's own variable, so a signal handler that interrupts its owner finds that out and gives up, and the next
 * process of a fork in the middle of it finds it free, because it is wiped, with everything that it guarded.
 *
 * The lock is held for microseconds, by a thread that makes a place for the first time. Whoever waits spins, then
 * offers the CPU, then sleeps for a moment, so that an owner of lower priority gets on.
 *
 * Handlers of pthread_atfork take the child's thread out of where its parent was, and tell it how many regions it was
 * in, so that leaving those is no wrong use (leave.c). Without that, in a child made by a bare clone, it is found out
 * at the thread's next region, as long as the child has not begun to record in other threads. Where the kernel does not
 * wipe (before Linux 4.14), the handlers throw the pages away; they are zero then as well.
 */
#include "region/state.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <parexec/error.h>

#include "base/cpu_relax.h"
#include "base/pages.h"
#include "region/clock.h"
#include "region/label.h"

#define PAGE_BYTES_MAX 65536 /* of any machine */
#define SPINS 100
#define YIELDS 100
#define NAP_NS 50000

struct pe__region_memory *_Atomic pe__region_memory;
static _Atomic uint64_t uses;

static void end_of_thread(void *here)
{
    (void)here;
    pe__region_track_end();
}

static uint32_t slots_for(uint32_t count)
{
    uint32_t slots = 16;

    while (slots < 2 * count)
        slots *= 2;
    return slots;
}

static size_t take(size_t *at, size_t bytes)
{
    size_t here = *at;

    *at += (bytes + 63) / 64 * 64;
    return here;
}

static struct pe__region_memory *map(const struct pe__region_geometry *geometry)
{
    uint32_t path_slots = slots_for(geometry->nodes), label_slots = slots_for(geometry->labels);
    size_t bytes = PAGE_BYTES_MAX;
    size_t state = take(&bytes, sizeof(struct pe__region_state));
    size_t threads = take(&bytes, sizeof(struct pe__region_thread) * PE__REGION_TRACKS);
    size_t paths = take(&bytes, sizeof(struct pe__region_path) * geometry->nodes);
    size_t path_index = take(&bytes, sizeof(uint32_t) * path_slots);
    size_t label_index = take(&bytes, sizeof(uint32_t) * label_slots);
    size_t table = take(&bytes, pe__region_table_bytes(geometry));
    unsigned char *pages = pe__base_pages_new(bytes);
    struct pe__region_memory *memory = (void *)pages;

    if (!pages)
        return NULL;
    *memory = (struct pe__region_memory){
        .bytes = bytes,
        .geometry = *geometry,
        .state = (void *)(pages + state),
        .threads = (void *)(pages + threads),
        .paths = (void *)(pages + paths),
        .path_index = (void *)(pages + path_index),
        .label_index = (void *)(pages + label_index),
        .path_slots = path_slots,
        .label_slots = label_slots,
        .table = pages + table,
    };
    return memory;
}

static void *wiped_part(const struct pe__region_memory *memory, size_t *ret_bytes)
{
    *ret_bytes = memory->bytes - PAGE_BYTES_MAX;
    return memory->state;
}

/* Before the fork, since the child finds the paths wiped. */
static void note_open(void)
{
    const struct pe__region_here *here = &pe__region_here;
    const struct pe__region_path *at = here->at;
    uint32_t open = here->inherited;

    if (here->thread && here->at == &here->thread->skip) {
        open += here->thread->skipped;
        at = here->thread->below;
    }
    for (; at->parent; at = at->parent)
        open += pe__region_path_needs_an_end(at);
    pe__region_here.open_at_fork = open;
}

static void begin_child(void)
{
    struct pe__region_memory *memory = atomic_load_explicit(&pe__region_memory, memory_order_acquire);
    size_t bytes;

    pe__region_here = (struct pe__region_here){ .at = &pe__region_nowhere, .inherited = pe__region_here.open_at_fork };
    if (memory && !memory->is_wiped) {
        void *part = wiped_part(memory, &bytes);
        madvise(part, bytes, MADV_DONTNEED);
    }
}

static int prepare(struct pe__region_memory *memory)
{
    size_t bytes;
    void *part = wiped_part(memory, &bytes);

    memory->is_wiped = madvise(part, bytes, MADV_WIPEONFORK) == 0;
    if (pthread_key_create(&memory->key, end_of_thread))
        return PE_ENOMEM;
    if (pthread_atfork(note_open, NULL, begin_child) == 0)
        return 0;
    pthread_key_delete(memory->key);
    return PE_ENOMEM;
}

int pe__region_memory_new(const struct pe__region_geometry *geometry)
{
    struct pe__region_memory *memory, *there = NULL;

    if (atomic_load_explicit(&pe__region_memory, memory_order_acquire))
        return 0;
    memory = map(geometry);
    if (!memory)
        return PE_ENOMEM;
    if (prepare(memory)) {
        pe__base_pages_free(memory, memory->bytes);
        return PE_ENOMEM;
    }
    if (!atomic_compare_exchange_strong_explicit(&pe__region_memory, &there, memory, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        pthread_key_delete(memory->key);
        pe__base_pages_free(memory, memory->bytes);
    }
    return 0;
}

/* After everything else of the library: reports are written in destructors too. Threads that have been in a region, and
 * still live, keep the memory; there are some when the program ends by exit. */
__attribute__((destructor(101))) static void unload(void)
{
    struct pe__region_memory *memory = atomic_load_explicit(&pe__region_memory, memory_order_acquire);
    uint32_t others = 0;

    if (!memory)
        return;
    for (uint32_t i = 0; i < PE__REGION_TRACKS; i++)
        others += memory->threads[i].live && &memory->threads[i] != pe__region_here.thread;
    pthread_key_delete(memory->key);
    if (others)
        return;
    atomic_store_explicit(&pe__region_memory, NULL, memory_order_release);
    pe__region_here.at = &pe__region_nowhere;
    pe__region_here.thread = NULL;
    pe__base_pages_free(memory, memory->bytes);
}

static void wait_a_moment(uint32_t round)
{
    struct timespec nap = { 0, NAP_NS };

    if (round < SPINS)
        pe__base_cpu_relax();
    else if (round < SPINS + YIELDS)
        sched_yield();
    else
        nanosleep(&nap, NULL);
}

static void limit(struct pe__region_geometry *geometry, const struct pe__region_geometry *most)
{
    if (geometry->labels > most->labels)
        geometry->labels = most->labels;
    if (geometry->nodes > most->nodes)
        geometry->nodes = most->nodes;
}

void pe__region_state_begin(struct pe__region_state *state, void *table, const struct pe__region_geometry *geometry)
{
    struct timespec unix_time;

    clock_gettime(CLOCK_REALTIME, &unix_time);
    state->begin_unix_ns = (int64_t)unix_time.tv_sec * 1000000000 + unix_time.tv_nsec;
    state->begin_ns = pe__base_now_ns();
    state->begin_ticks = pe__region_clock_now();
    pe__region_table_at(&state->table, table, geometry);
    limit(&state->table.geometry, &pe__region_memory->geometry);
    atomic_store_explicit(&state->table.head->pid, (uint32_t)getpid(), memory_order_relaxed);
    atomic_fetch_add_explicit(&state->table.head->lives, 1, memory_order_relaxed);
    state->use = atomic_fetch_add_explicit(&uses, 1, memory_order_relaxed) + 1;
}

struct pe__region_state *pe__region_state_lock(void)
{
    struct pe__region_memory *memory = atomic_load_explicit(&pe__region_memory, memory_order_acquire);
    uintptr_t me = (uintptr_t)&pe__region_here, free = 0;
    struct pe__region_state *state;

    if (!memory)
        return NULL;
    state = memory->state;
    for (uint32_t round = 0; !atomic_compare_exchange_weak_explicit(&state->lock, &free, me, memory_order_acquire,
                                                                     memory_order_relaxed);
         round++, free = 0) {
        if (free == me) {
            if (state->use)
                atomic_fetch_add_explicit(&state->table.head->dropped_in_handler, 1, memory_order_relaxed);
            return NULL;
        }
        wait_a_moment(round);
    }
    if (!state->use)
        pe__region_state_begin(state, memory->table, &memory->geometry);
    return state;
}

bool pe__region_state_unlock(struct pe__region_state *state)
{
    uintptr_t me = (uintptr_t)&pe__region_here;

    return atomic_compare_exchange_strong_explicit(&state->lock, &me, 0, memory_order_release, memory_order_relaxed);
}
