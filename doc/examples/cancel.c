/* Stopping tasks: one that cleans up, with a wait of its own, and one with a stretch that is not to be interrupted. */
#include <parexec.h>
#include <stdio.h>

static int helper(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    puts("helper: begins");
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    if (t->result == PE_ECANCELED) {
        puts("helper: is to stop, puts things away");
        PE_AWAIT(t, pe_sleep(t, PE_MS(100)));
    }
    PE_RETURN(t, t->result < 0 ? t->result : PE_ECANCELED);
    PE_END(t);
}

static int careful(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    pe_shield_enter(t);
    PE_AWAIT(t, pe_sleep(t, PE_MS(100)));
    printf("careful: %s\n", t->result == 0 ? "nobody stopped that" : "stopped");
    pe_shield_leave(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    printf("careful: %s\n", t->result == PE_ECANCELED ? "stopped now" : "not stopped");
    PE_RETURN(t, t->result);
    PE_END(t);
}

struct boss {
    pe_task *helper, *careful;
    pe_limit limit;
    int64_t begin_ns;
};

static int boss(pe_task *t, void *frame)
{
    struct boss *f = frame;

    PE_BEGIN(t);
    pe_spawn(pe_task_loop(t), helper, NULL, 0, &f->helper);
    f->begin_ns = pe_now();
    PE_AWAIT(t, pe_timeout(t, &f->limit, pe_after(PE_MS(50)), f->helper));
    printf("boss: %s, %s\n", pe_strerror(t->result),
           pe_now() - f->begin_ns >= PE_MS(150) ? "and it is all put away" : "but it still cleans up");
    pe_task_free(f->helper);

    pe_spawn(pe_task_loop(t), careful, NULL, 0, &f->careful);
    PE_YIELD(t);
    pe_task_cancel(f->careful);
    PE_AWAIT(t, pe_await(t, f->careful));
    printf("boss: %s\n", pe_strerror(t->result));
    pe_task_free(f->careful);
    PE_END(t);
}

int main(void)
{
    struct boss f = { .begin_ns = 0 };
    return pe_run(boss, &f, NULL) < 0;
}
