/*
 * Data whose sizes and places do not fit into 31 or 32 bits. Pages that nobody touches cost nothing, so most of it is
 * sparse: what is written and read is at the edges, where arithmetic goes wrong. The long mode sends 2 GiB through and
 * back in full.
 */

#include "harness/harness.h"

#include <parexec.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/pool.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define ITEMS 3

/* What the system could give without hurting anybody. */
static int is_free(size_t bytes)
{
    FILE *info = fopen("/proc/meminfo", "r");
    unsigned long long kib = 0;
    char line[200];

    while (info != NULL && fgets(line, sizeof line, info) != NULL && sscanf(line, "MemAvailable: %llu", &kib) != 1)
        ;
    if (info != NULL)
        fclose(info);
    return kib >= bytes / 1024;
}

/* Memory of the program, or NULL: pages that are only read are all the one of zeros. */
static unsigned char *sparse(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static const size_t edges[] = { 0, 1, 2 * GIB - 1, 2 * GIB, 4 * GIB - 1, 4 * GIB };

#define EDGES (sizeof edges / sizeof *edges)

/* Bytes at both ends of an element, and around 2^31 and 2^32. */
static void mark(unsigned char *element, size_t bytes, unsigned char with)
{
    for (size_t i = 0; i < EDGES; i++)
        if (edges[i] < bytes)
            element[edges[i]] = (unsigned char)(with + i);
    element[bytes - 1] = (unsigned char)(with + 99);
}

/* Those bytes are there, and none beside them. */
static int is_marked(const unsigned char *element, size_t bytes, unsigned char with)
{
    for (size_t i = 0; i < EDGES; i++) {
        if (edges[i] < bytes - 1 && element[edges[i]] != (unsigned char)(with + i))
            return 0;
        if (edges[i] + 2 < bytes - 1 && i % 2 == 1 && element[edges[i] + 1] + element[edges[i] + 2] != 0)
            return 0;
    }
    return element[bytes - 1] == (unsigned char)(with + 99) && element[bytes - 4096] == 0;
}

PE_TEST_SLOW(p16_argument_and_reply_of_2_gib_and_a_byte, 120)
{
    size_t bytes = (harness_long() && sizeof(size_t) > 4 ? 2 * GIB : HARNESS_MIB(64)) + 1;
    unsigned char *arg = sparse(bytes);
    const void *data;
    size_t got;

    if (arg == NULL || !is_free(2 * bytes + GIB))
        HARNESS_SKIP("less than %zu MiB of memory free", (2 * bytes + GIB) / MIB);
    mark(arg, bytes, 5);
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, job_echo, arg, bytes);
    job_assert_ended(job, PE_RETURNED, 0);
    ck_assert_int_eq(pe_job_result(job, &data, &got), 0);
    ck_assert_uint_eq(got, bytes);
    ck_assert(memcmp(data, arg, bytes) == 0);
    ck_assert_uint_eq(pool_stats(pool).bytes_in, bytes);
    ck_assert_uint_eq(pool_stats(pool).bytes_out, bytes);
    pe_job_free(job);
    pool_end(pool);
    munmap(arg, bytes);
}

static int reply_sparsely(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    size_t bytes;

    (void)arg_bytes;
    memcpy(&bytes, arg, sizeof bytes);
    unsigned char *place = pe_reply_reserve(reply, bytes);
    if (place == NULL)
        return 1;
    mark(place, bytes, 7);
    return 0;
}

PE_TEST_LOOP(p16_long_replies_of_few_pages, 0, 4)
{
    static const size_t sizes[] = { 2 * GIB - 1, 2 * GIB + 1, 4 * GIB, 4 * GIB + 1 };

    if (sizeof(size_t) == 4)
        HARNESS_SKIP("addresses have 32 bits");
    pe_pool *pool = pool_of(1);
    pe_job *job = pool_submit(pool, reply_sparsely, &sizes[_i], sizeof sizes[_i]);
    const unsigned char *data;
    const void *result;
    size_t got;

    if (job_ended(job).code == 1) {
        job_finish(job);
        pool_end(pool);
        HARNESS_SKIP("a machine too small for replies of %zu MiB", sizes[_i] / MIB);
    }
    ck_assert_int_eq(pe_job_result(job, &result, &got), 0);
    data = result;
    ck_assert_uint_eq(got, sizes[_i]);
    ck_assert_uint_eq(data[0], 7);
    ck_assert_uint_eq(data[2 * GIB - 2], sizes[_i] == 2 * GIB - 1 ? 7 + 99 : 0);
    ck_assert_uint_eq(data[got - 1], 7 + 99);
    pe_job_free(job);
    pool_end(pool);
}

struct size {
    size_t bytes;
};

/* Says whether the element has the marks of its index. */
static int item_looks(const void *in, void *out, const void *context)
{
    const struct size *size = context;
    uint64_t right = (uint64_t)is_marked(in, size->bytes, (unsigned char)pe_worker_item());

    memcpy(out, &right, sizeof right);
    return 0;
}

/* Elements of 2 GiB and a byte, in the program's memory: 0 by a pool, 1 without one. */
PE_TEST_LOOP(p17_inherited_elements_beyond_4_gib, 0, 2)
{
    static struct size size = { 2 * GIB + 1 };

    if (sizeof(size_t) == 4)
        HARNESS_SKIP("addresses have 32 bits");
    unsigned char *in = sparse(ITEMS * size.bytes);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    uint64_t out[ITEMS] = { 0 };

    if (in == NULL)
        HARNESS_SKIP("no %zu MiB of addresses", ITEMS * size.bytes / MIB);
    for (size_t i = 0; i < ITEMS; i++)
        mark(in + i * size.bytes, size.bytes, (unsigned char)i);
    options.context = &size;
    options.context_bytes = sizeof size;
    if (_i == 1) {
        ck_assert_int_eq(pe_map_once(NULL, item_looks, in, size.bytes, out, 8, ITEMS, &options), 0);
    } else {
        pe_pool *pool = pool_of(2);
        options.flags = PE_MAP_INHERITED;
        ck_assert_int_eq(pe_pool_map(pool, item_looks, in, size.bytes, out, 8, ITEMS, &options), 0);
        pool_end(pool);
    }
    for (size_t i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(out[i], 1);
    munmap(in, ITEMS * size.bytes);
}

static int item_marks(const void *in, void *out, const void *context)
{
    const struct size *size = context;

    mark(out, size->bytes, (unsigned char)(pe_worker_item() + 1));
    return is_marked(in, size->bytes, (unsigned char)pe_worker_item()) ? 0 : 1;
}

PE_TEST(p17_shared_arrays_beyond_4_gib_in_place)
{
    struct size size = { 2 * GIB + 1 };
    pe_pool *pool = pool_of(2);
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    void *in, *out;

    if (pe_pool_alloc(pool, ITEMS * size.bytes, &in) < 0 || pe_pool_alloc(pool, ITEMS * size.bytes, &out) < 0) {
        pool_end(pool);
        HARNESS_SKIP("no %zu MiB of addresses", 2 * ITEMS * size.bytes / MIB);
    }
    for (size_t i = 0; i < ITEMS; i++)
        mark((unsigned char *)in + i * size.bytes, size.bytes, (unsigned char)i);
    options.context = &size;
    options.context_bytes = sizeof size;
    ck_assert_int_eq(pe_pool_map(pool, item_marks, in, size.bytes, out, size.bytes, ITEMS, &options), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        ck_assert(is_marked((unsigned char *)in + i * size.bytes, size.bytes, (unsigned char)i));
        ck_assert(is_marked((unsigned char *)out + i * size.bytes, size.bytes, (unsigned char)(i + 1)));
    }
    ck_assert_uint_eq(pool_stats(pool).bytes_in, ITEMS * size.bytes);
    pool_end(pool);
}

#define SLICES 16

struct slice {
    unsigned char *at;
    size_t bytes;
    uint64_t seed;
    int dies;
};

static int fill_slice(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct slice slice;

    (void)arg_bytes, (void)reply;
    memcpy(&slice, arg, sizeof slice);
    unsigned char *bytes = pattern(slice.bytes, slice.seed);
    memcpy(slice.at, bytes, slice.bytes);
    free(bytes);
    if (slice.dies)
        kill(getpid(), SIGKILL);
    return 0;
}

/* Jobs write into one block at the same time; what was written stays, whatever becomes of the writer. */
PE_TEST(p17_jobs_write_a_shared_block_in_place)
{
    size_t bytes = MIB + 1;
    pe_pool *pool = pool_of(3);
    unsigned char *block = pool_shared(pool, SLICES * bytes + 1);
    pe_job *jobs[SLICES];

    for (size_t i = 0; i < SLICES; i++) {
        struct slice slice = { block + i * bytes, bytes, i, i == 5 };
        jobs[i] = pool_submit(pool, fill_slice, &slice, sizeof slice);
    }
    for (size_t i = 0; i < SLICES; i++) {
        unsigned char *wanted = pattern(bytes, i);

        ck_assert_uint_eq(job_finish(jobs[i]).kind, i == 5 ? PE_CRASHED : PE_RETURNED);
        ck_assert(memcmp(block + i * bytes, wanted, bytes) == 0);
        free(wanted);
    }
    ck_assert_uint_eq(block[SLICES * bytes], 0);
    pool_end(pool);
}

HARNESS_MAIN("big")
