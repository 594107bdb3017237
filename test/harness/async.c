#include "harness/async.h"

#include <uv.h>

__attribute__((constructor)) static void open_what_libuv_keeps(void)
{
    uv_loop_t loop;

    if (uv_loop_init(&loop) == 0)
        uv_loop_close(&loop);
}
