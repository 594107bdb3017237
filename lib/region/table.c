/* table.c - where the parts of a table lie: head, tracks, labels, nodes, segments, each from a new cache line on. */
#include "region/table.h"

#define LINE 64

static size_t place(size_t *offset, size_t count, size_t bytes)
{
    size_t here = *offset;

    *offset = (here + count * bytes + LINE - 1) / LINE * LINE;
    return here;
}

struct layout {
    size_t head, tracks, labels, nodes, segments, bytes;
};

static struct layout lay_out(const struct pe__region_geometry *geometry)
{
    struct layout layout;

    layout.bytes = 0;
    layout.head = place(&layout.bytes, 1, sizeof(struct pe__region_head));
    layout.tracks = place(&layout.bytes, PE__REGION_TRACKS, sizeof(struct pe__region_track));
    layout.labels = place(&layout.bytes, geometry->labels, sizeof(struct pe__region_label));
    layout.nodes = place(&layout.bytes, geometry->nodes, sizeof(struct pe__region_node));
    layout.segments = place(&layout.bytes, geometry->segments, sizeof(struct pe__region_segment));
    return layout;
}

size_t pe__region_table_bytes(const struct pe__region_geometry *geometry)
{
    return lay_out(geometry).bytes;
}

void pe__region_table_at(struct pe__region_table *ret, void *memory, const struct pe__region_geometry *geometry)
{
    struct layout layout = lay_out(geometry);
    unsigned char *first = memory;

    ret->geometry = *geometry;
    ret->head = (struct pe__region_head *)(void *)(first + layout.head);
    ret->tracks = (struct pe__region_track *)(void *)(first + layout.tracks);
    ret->labels = (struct pe__region_label *)(void *)(first + layout.labels);
    ret->nodes = (struct pe__region_node *)(void *)(first + layout.nodes);
    ret->segments = (struct pe__region_segment *)(void *)(first + layout.segments);
}
