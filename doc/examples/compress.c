/*
 * compress.c: gzip on all cores. Workers compress the pieces of the input while the program reads and writes.
 *
 *     compress [-1 ... -9] [-w WORKERS] [-v] <FILE >FILE.gz
 *
 * It shows a stream (stream.h): results in the order of the input, memory that does not grow with it, and retries: a
 * worker that is killed costs a moment, and not a byte. -v tells how many were.
 *
 * The output is one gzip member, as pigz makes it: each piece is deflated with the 32 KiB before it as a dictionary
 * and ends at a byte, so the pieces make one stream, and the checksum of the whole comes from those of the pieces.
 */
#include <errno.h>
#include <inttypes.h>
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE_BYTES (128 << 10)
#define WINDOW_BYTES (32 << 10)
#define PACKED_BYTES (PIECE_BYTES + PIECE_BYTES / 1024 + 64) /* what cannot be compressed grows a little */
#define RETRIES 10

struct piece {
    uint32_t before_bytes, bytes;
    unsigned char before[WINDOW_BYTES], data[PIECE_BYTES];
};

struct packed {
    uint32_t crc, taken_bytes, bytes;
    unsigned char data[PACKED_BYTES];
};

/* ---- in a worker ---- */

static int pack(const void *in, void *out, const void *context)
{
    const struct piece *piece = in;
    struct packed *packed = out;
    z_stream stream = { .next_in = (unsigned char *)piece->data, .avail_in = piece->bytes,
                        .next_out = packed->data, .avail_out = sizeof packed->data };

    if (deflateInit2(&stream, *(const int *)context, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return pe_worker_fail(1, "no memory");
    int is_packed = deflateSetDictionary(&stream, piece->before, piece->before_bytes) == Z_OK &&
        deflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_in == 0 && stream.avail_out > 0;
    deflateEnd(&stream);
    packed->crc = (uint32_t)crc32(0, piece->data, piece->bytes);
    packed->taken_bytes = piece->bytes;
    packed->bytes = (uint32_t)(sizeof packed->data - stream.avail_out);
    return is_packed ? 0 : pe_worker_fail(2, "zlib gave up");
}

/* ---- in the program ---- */

/* What has been read and written so far. */
struct state {
    uint32_t before_bytes;
    unsigned char before[WINDOW_BYTES]; /* the end of the last piece */
    uint32_t crc;
    uint64_t in_bytes, out_bytes;
};

static int stdio_error(void)
{
    return errno != 0 ? -errno : -EIO;
}

/* The stream's source. */
static int read_piece(void *item, void *context)
{
    struct piece *piece = item;
    struct state *state = context;

    piece->bytes = (uint32_t)fread(piece->data, 1, sizeof piece->data, stdin);
    if (ferror(stdin))
        return stdio_error();
    piece->before_bytes = state->before_bytes;
    memcpy(piece->before, state->before, state->before_bytes);
    if (piece->bytes == sizeof piece->data) { /* else it is the last one */
        state->before_bytes = WINDOW_BYTES;
        memcpy(state->before, piece->data + sizeof piece->data - WINDOW_BYTES, WINDOW_BYTES);
    }
    return piece->bytes > 0;
}

static int put(struct state *state, const void *data, size_t bytes)
{
    state->out_bytes += bytes;
    return fwrite(data, 1, bytes, stdout) == bytes ? 0 : stdio_error();
}

static int put_packed(struct state *state, const struct packed *packed)
{
    if (packed->bytes > sizeof packed->data || packed->taken_bytes > PIECE_BYTES)
        return PE_EBROKEN; /* it comes from another process */
    state->crc = (uint32_t)crc32_combine(state->crc, packed->crc, packed->taken_bytes);
    state->in_bytes += packed->taken_bytes;
    return put(state, packed->data, packed->bytes);
}

/* An empty block that is the last, the checksum, the size; the lowest byte first. */
static int put_end(struct state *state)
{
    unsigned char end[10] = { 3, 0 };

    for (int i = 0; i < 4; i++) {
        end[2 + i] = (unsigned char)(state->crc >> 8 * i);
        end[6 + i] = (unsigned char)(state->in_bytes >> 8 * i);
    }
    int error = put(state, end, sizeof end);
    return error < 0 || fflush(stdout) == 0 ? error : stdio_error();
}

static int compress_all(pe_pool *pool, struct state *state, int level)
{
    static const unsigned char start[10] = { 0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 0, 3 };
    pe_map_options options = PE_MAP_OPTIONS_INIT;
    pe_stream *stream;
    const void *data;
    int more = 0;

    options.flags = PE_MAP_ORDERED;
    options.retries = RETRIES;
    options.on_error = PE_ON_ERROR_STOP;
    options.context = &level;
    options.context_bytes = sizeof level;
    int error = pe_pool_stream(pool, pack, read_piece, state, sizeof(struct piece), sizeof(struct packed), &options,
                               &stream);
    if (error < 0)
        return error;
    error = put(state, start, sizeof start);
    while (error == 0 && (more = pe_stream_next(stream, PE_FOREVER, NULL, NULL, &data, NULL)) == 1)
        error = data != NULL ? put_packed(state, data) : PE_EITEMS;
    pe_stream_free(stream);
    if (error == 0)
        error = more < 0 ? more : put_end(state);
    return error;
}

static void print_figures(const pe_pool *pool, const struct state *state)
{
    pe_stats stats = PE_STATS_INIT;

    pe_pool_stats(pool, &stats);
    fprintf(stderr, "%" PRIu64 " bytes became %" PRIu64 "; workers replaced: %" PRIu64 "\n", state->in_bytes,
            state->out_bytes, stats.restarts);
}

int main(int argc, char **argv)
{
    static struct state state;
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    int level = Z_DEFAULT_COMPRESSION, is_verbose = 0;
    pe_pool *pool = NULL;

    for (int option; (option = getopt(argc, argv, "123456789w:v")) != -1;) {
        if (option >= '1' && option <= '9')
            level = option - '0';
        else if (option == 'w')
            options.workers = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'v')
            is_verbose = 1;
        else
            return 2;
    }
    int error = pe_pool_new(&options, &pool);
    if (error == 0)
        error = compress_all(pool, &state, level);
    if (error < 0)
        fprintf(stderr, "compress: %s\n", pe_strerror(error));
    else if (is_verbose)
        print_figures(pool, &state);
    pe_pool_free(pool);
    return error < 0;
}
