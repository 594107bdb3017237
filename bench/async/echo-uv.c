/* The echo server of plain libuv: one buffer for all reads, since an answer is written before the next read, and
 * uv_try_write, which needs no request; what does not go at once is copied and left to uv_write. */

#include "async/echo.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char buffer[ECHO_BYTES_MAX];

struct rest {
    uv_write_t write; /* first: the callback gets its address */
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle;
    (void)suggested;
    *ret_buffer = uv_buf_init(buffer, sizeof(buffer));
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void write_later(uv_stream_t *stream, const char *bytes, size_t count)
{
    struct rest *rest = malloc(sizeof(*rest) + count);
    memcpy(rest->bytes, bytes, count);
    uv_buf_t out = uv_buf_init(rest->bytes, (unsigned)count);
    uv_write(&rest->write, stream, &out, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *in)
{
    if (got < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t out = uv_buf_init(in->base, (unsigned)got);
    int sent = uv_try_write(stream, &out, 1);
    if (sent < 0)
        sent = 0;
    if (sent < got)
        write_later(stream, in->base + sent, (size_t)(got - sent));
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));
    (void)status;
    uv_tcp_init(listener->loop, tcp);
    uv_accept(listener, (uv_stream_t *)tcp);
    uv_tcp_nodelay(tcp, 1);
    uv_read_start((uv_stream_t *)tcp, lend, on_read);
}

void echo_uv(int report)
{
    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in address;
    int bytes = sizeof(address);
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&listener, ECHO_BACKLOG, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &bytes) < 0)
        return;
    echo_report(report, ntohs(address.sin_port));
    uv_run(&loop, UV_RUN_DEFAULT);
}
