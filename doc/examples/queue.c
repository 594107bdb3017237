/* One task makes numbers, two others add them up: a queue of two places is between them. */
#include <parexec.h>
#include <stdio.h>

struct work {
    pe_queue *queue;
    int number, sum;
};

static int produce(pe_task *t, void *frame)
{
    struct work *f = frame;

    PE_BEGIN(t);
    for (f->number = 1; f->number <= 100; f->number++)
        PE_TRY(t, pe_queue_put(t, f->queue, &f->number));
    pe_queue_close(f->queue);
    PE_END(t);
}

static int consume(pe_task *t, void *frame)
{
    struct work *f = frame;

    PE_BEGIN(t);
    for (;;) {
        PE_AWAIT(t, pe_queue_get(t, f->queue, &f->number));
        if (t->result < 0)
            break;
        f->sum += f->number;
    }
    PE_RETURN(t, t->result == PE_ECLOSED ? f->sum : t->result);
    PE_END(t);
}

struct factory {
    pe_group *group;
    struct work work;
    pe_task *consumers[2];
};

static int factory(pe_task *t, void *frame)
{
    struct factory *f = frame;

    PE_BEGIN(t);
    PE_TRY(t, pe_queue_new(pe_task_loop(t), sizeof(int), 2, &f->work.queue));
    PE_TRY(t, pe_group_new(pe_task_loop(t), 0, &f->group));
    pe_group_spawn(f->group, produce, &f->work, sizeof f->work, NULL);
    pe_group_spawn(f->group, consume, &f->work, sizeof f->work, &f->consumers[0]);
    pe_group_spawn(f->group, consume, &f->work, sizeof f->work, &f->consumers[1]);
    PE_AWAIT(t, pe_group_wait(t, f->group)); /* all three have ended, whatever happened */
    if (t->result == 0)
        printf("%d\n", pe_task_result(f->consumers[0]) + pe_task_result(f->consumers[1]));
    pe_task_free(f->consumers[0]);
    pe_task_free(f->consumers[1]);
    pe_group_free(f->group);
    pe_queue_free(f->work.queue);
    PE_RETURN(t, t->result);
    PE_END(t);
}

int main(void)
{
    struct factory f = { .group = NULL };
    return pe_run(factory, &f, NULL) < 0;
}
