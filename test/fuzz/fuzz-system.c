/*
 * fuzz-system.c - text of /proc and /sys that the pool's side reads: quotas, topology, memory, mappings.
 *
 * The first byte says who reads; the rest is the text of the files, as files.h has it. Whatever they say, answers are
 * in their range and no descriptor is left.
 */
#include "fuzz.h"

#include "base/cpu.h"
#include "base/resident.h"
#include "base/topology.h"
#include "expect.h"
#include "files.h"
#include "pool/loaded.h"

#define CPUS    6
#define WORKERS 9

/* All CPUs have one worker before any has two. */
static void deal(bool spread)
{
    static const int32_t cpus[CPUS] = { 0, 1, 2, 5, 6, 40 };
    int32_t dealt[WORKERS];

    demand(pe__base_topology_deal("", cpus, CPUS, spread, WORKERS, dealt) == 0);
    for (int i = 0; i < CPUS; i++) {
        int times = 0;
        for (int k = 0; k < CPUS; k++)
            times += dealt[k] == cpus[i];
        demand(times == 1);
    }
    for (int i = CPUS; i < WORKERS; i++)
        demand(dealt[i] == dealt[i - CPUS]);
}

static void measure(void)
{
    uint64_t bytes;

    (void)pe__base_resident(1, &bytes);
    (void)pe__base_data(&bytes);
}

/* A function that lies in no object: the keeper's mappings are read. */
static void look_for_code(void)
{
    struct pe__loaded loaded;
    bool for_ever;

    demand(pe__loaded_note(&loaded) == 0);
    size_t before = loaded.count;
    bool there = pe__loaded_has(&loaded, 0x10000, 1, &for_ever);
    if (there && loaded.count > before)
        demand(loaded.ranges[before].first <= 0x10000 && loaded.ranges[before].last > 0x10000);
    pe__loaded_fini(&loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    if (count == 0)
        return 0;
    files_begin(bytes + 1, count - 1);
    switch (bytes[0] % 5) {
    case 0: demand(pe__base_cpu_quota("") >= 0); break;
    case 1: deal(false); break;
    case 2: deal(true); break;
    case 3: measure(); break;
    default: look_for_code();
    }
    files_end();
    demand(open_fds() == fds);
    return 0;
}
