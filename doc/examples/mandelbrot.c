/*
 * mandelbrot.c: draws a part of the Mandelbrot set as a PNG file.
 *
 *     mandelbrot [-s WIDTHxHEIGHT] [-c X,Y] [-z ZOOM] [-i ITERATIONS] [-w WORKERS] >FILE.png
 *
 * It shows a map (pe_pool_map in map.h) without input: the number of an item, a row of the picture, is all that it
 * needs. The picture is in memory that all processes share (pe_pool_alloc), so rows are drawn where they belong and
 * copied nowhere. Rows that cross the set take much longer than others; workers that are through take some from those
 * that are not. On a terminal it tells how far it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <parexec.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct view {
    uint32_t width, height, iterations;
    double x, y, zoom; /* the middle, and 1 for a height of 2.5 */
};

/* ---- in a worker ---- */

/* After how many steps the point leaves the circle of radius 2; 0: not in so many. */
static uint32_t escape(double x, double y, uint32_t iterations)
{
    double a = 0, b = 0;

    for (uint32_t i = 1; i <= iterations; i++) {
        double next = a * a - b * b + x;
        b = 2 * a * b + y;
        a = next;
        if (a * a + b * b > 4)
            return i;
    }
    return 0;
}

/* From dark blue over white and orange to black, again and again. */
static void colour(uint32_t steps, unsigned char *pixel)
{
    static const unsigned char stops[][3] = { { 0, 7, 100 }, { 32, 107, 203 }, { 237, 255, 255 }, { 255, 170, 0 },
                                              { 0, 2, 0 } };
    uint32_t cycle = (steps - 1) % 80, part = cycle % 16, from = cycle / 16, to = (from + 1) % 5;

    for (int i = 0; i < 3; i++)
        pixel[i] = steps == 0 ? 0 : (unsigned char)((stops[from][i] * (16 - part) + stops[to][i] * part) / 16);
}

static int draw_row(const void *in, void *out, const void *context)
{
    const struct view *view = context;
    double step = 2.5 / view->zoom / view->height;
    double y = view->y - ((double)pe_worker_item() - (view->height - 1) / 2.0) * step;

    (void)in;
    for (uint32_t column = 0; column < view->width; column++) {
        double x = view->x + (column - (view->width - 1) / 2.0) * step;
        colour(escape(x, y, view->iterations), (unsigned char *)out + (size_t)3 * column);
    }
    return 0;
}

/* ---- in the program ---- */

static void show_progress(uint64_t done, uint64_t failed, uint64_t total, void *context)
{
    (void)failed;
    (void)context;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " rows%s", done, total, done == total ? "\n" : "");
}

static int draw(pe_pool *pool, const struct view *view, void *picture)
{
    pe_map_options options = PE_MAP_OPTIONS_INIT;

    options.context = view;
    options.context_bytes = sizeof *view;
    options.chunk = 1; /* a row takes long enough */
    options.progress = isatty(STDERR_FILENO) ? show_progress : NULL;
    return pe_pool_map(pool, draw_row, NULL, 0, picture, 3 * (size_t)view->width, view->height, &options);
}

static int draw_to_output(pe_pool *pool, const struct view *view)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .width = view->width, .height = view->height,
                        .format = PNG_FORMAT_RGB };
    void *picture;

    int error = pe_pool_alloc(pool, 3 * (size_t)view->width * view->height, &picture);
    if (error == 0)
        error = draw(pool, view, picture);
    if (error < 0)
        fprintf(stderr, "mandelbrot: %s\n", pe_strerror(error));
    else if (!png_image_write_to_stdio(&image, stdout, 0, picture, 0, NULL) || fflush(stdout) != 0) {
        fprintf(stderr, "mandelbrot: no picture written: %s\n", image.message);
        error = -EIO;
    }
    return error;
}

static int parse(int argc, char **argv, struct view *view, pe_pool_options *options)
{
    int is_good = 1;

    for (int option; (option = getopt(argc, argv, "s:c:z:i:w:")) != -1;) {
        switch (option) {
        case 's': is_good &= sscanf(optarg, "%" SCNu32 "x%" SCNu32, &view->width, &view->height) == 2; break;
        case 'c': is_good &= sscanf(optarg, "%lf,%lf", &view->x, &view->y) == 2; break;
        case 'z': is_good &= (view->zoom = strtod(optarg, NULL)) > 0; break;
        case 'i': view->iterations = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'w': options->workers = (uint32_t)strtoul(optarg, NULL, 10); break;
        default: is_good = 0;
        }
    }
    return is_good && optind == argc && view->width - 1 < 65536 && view->height - 1 < 65536;
}

int main(int argc, char **argv)
{
    struct view view = { .width = 1200, .height = 800, .iterations = 1000, .x = -0.7, .zoom = 1 };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;

    if (!parse(argc, argv, &view, &options)) {
        fprintf(stderr, "usage: mandelbrot [-s WIDTHxHEIGHT] [-c X,Y] [-z ZOOM] [-i ITERATIONS] [-w WORKERS] >PNG\n");
        return 2;
    }
    int error = pe_pool_new(&options, &pool);
    if (error < 0) {
        fprintf(stderr, "mandelbrot: %s\n", pe_strerror(error));
        return 1;
    }
    error = draw_to_output(pool, &view);
    pe_pool_free(pool);
    return error < 0;
}
