/* Any call of libuv can be waited for: here uv_random, which the library has no function for. */
#include <parexec.h>
#include <stdio.h>
#include <uv.h>

static void on_random(uv_random_t *request, int status, void *bytes, size_t count)
{
    (void)bytes, (void)count;
    pe_wait_end(request->data, status);
}

static void cancel_random(pe_task *t, void *request)
{
    (void)t;
    uv_cancel(request); /* on_random will be called with UV_ECANCELED, which is PE_ECANCELED */
}

struct draw {
    uv_random_t request;
    unsigned char bytes[16];
};

static int draw(pe_task *t, void *frame)
{
    struct draw *f = frame;

    PE_BEGIN(t);
    f->request.data = t;
    PE_TRY(t, pe_wait_external(t, uv_random(pe_loop_uv(pe_task_loop(t)), &f->request, f->bytes, sizeof f->bytes, 0,
                                            on_random), cancel_random, &f->request));
    int bits = 0;
    for (size_t i = 0; i < sizeof f->bytes; i++)
        bits += __builtin_popcount(f->bytes[i]);
    puts(bits > 0 && bits < 128 ? "16 random bytes" : "not random");
    PE_END(t);
}

int main(void)
{
    struct draw f = { .bytes = { 0 } };
    return pe_run(draw, &f, NULL) < 0;
}
