/* Three jobs of a pool, waited for at once: one returns, one crashes, one would take for ever. */
#include <parexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* In a process of the pool. */
static int square(const void *arg, size_t arg_bytes, pe_reply *reply)
{
    int number = *(const int *)arg;

    (void)arg_bytes;
    if (number == 2)
        abort();
    while (number == 3)
        pause();
    number *= number;
    return pe_reply_write(reply, &number, sizeof number);
}

struct ask {
    pe_pool *pool;
    int number, answer;
    pe_job *job;
    pe_status status;
    pe_limit limit;
};

static int ask(pe_task *t, void *frame)
{
    struct ask *f = frame;
    const void *reply;
    size_t bytes;

    PE_BEGIN(t);
    int error = pe_pool_try_submit(f->pool, square, &f->number, sizeof f->number, NULL, &f->job);
    if (error < 0)
        PE_RETURN(t, error);
    PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(200)), pe_await_job(t, f->job, &f->status));
    if (t->result == 0 && pe_job_result(f->job, &reply, &bytes) == 0 && bytes == sizeof f->answer)
        f->answer = *(const int *)reply;
    pe_job_free(f->job);
    PE_RETURN(t, t->result);
    PE_END(t);
}

struct ask_all {
    pe_pool *pool;
    pe_task *asks[3];
};

static int ask_all(pe_task *t, void *frame)
{
    struct ask_all *f = frame;

    PE_BEGIN(t);
    for (int i = 0; i < 3; i++) {
        struct ask one = { .pool = f->pool, .number = i + 1 };
        int error = pe_spawn(pe_task_loop(t), ask, &one, sizeof one, &f->asks[i]);
        if (error < 0)
            PE_RETURN(t, error);
    }
    PE_AWAIT(t, pe_gather(t, f->asks, 3, PE_GATHER_ALL));
    for (int i = 0; i < 3; i++) {
        const struct ask *one = pe_task_frame(f->asks[i]);
        if (pe_task_result(f->asks[i]) < 0)
            printf("%d: %s\n", one->number, pe_strerror(pe_task_result(f->asks[i])));
        else if (one->status.kind == PE_CRASHED)
            printf("%d: killed by signal %d\n", one->number, (int)one->status.code);
        else
            printf("%d: %d\n", one->number, one->answer);
        pe_task_free(f->asks[i]);
    }
    PE_END(t);
}

int main(void)
{
    struct ask_all f = { NULL, { NULL } };

    int error = pe_pool_new(NULL, &f.pool);
    if (error == 0)
        error = pe_run(ask_all, &f, NULL);
    if (error < 0)
        fprintf(stderr, "%s\n", pe_strerror(error));
    pe_pool_free(f.pool);
    return error < 0;
}
