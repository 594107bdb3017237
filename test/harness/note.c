#include "harness/note.h"

#include <stdatomic.h>
#include <unistd.h>

#include "harness/gate.h"
#include "harness/harness.h"
#include "harness/pool.h"
#include "harness/process.h"

struct note *note_in(pe_pool *pool)
{
    return pool_shared(pool, sizeof(struct note));
}

struct note *note_begin(const void *arg)
{
    struct note *note;

    memcpy(&note, arg, sizeof note);
    atomic_store(&note->pid, (int32_t)getpid());
    word_add(&note->begun);
    return note;
}

int note_for_ever(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    (void)arg_bytes;
    (void)reply;
    note_begin(arg);
    for (;;)
        pause();
}

int note_until_asked(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);

    (void)arg_bytes;
    while (!pe_worker_cancelled())
        process_sleep_ms(1);
    atomic_store(&note->asked, 1);
    return pe_reply_write(reply, "done", 4) < 0 ? -1 : 5;
}

int note_until_told(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    struct note *note = note_begin(arg);

    (void)arg_bytes;
    (void)reply;
    word_await(&note->go, 1);
    return pe_worker_cancelled() ? 9 : 8;
}
