#include <parexec.h>
#include <stdio.h>

struct greeting {
    const char *name;
};

static int greet(pe_task *t, void *frame)
{
    struct greeting *f = frame;

    PE_BEGIN(t);
    printf("Hello %s ...\n", f->name);
    PE_AWAIT(t, pe_sleep(t, PE_SECONDS(1)));
    printf("... goodbye %s!\n", f->name);
    PE_END(t);
}

struct all {
    pe_task *greetings[3];
    int64_t begin_ns;
};

static int all_at_once(pe_task *t, void *frame)
{
    static const char *const names[3] = { "Ada", "Brian", "Chantal" };
    struct all *f = frame;

    PE_BEGIN(t);
    f->begin_ns = pe_now();
    for (int i = 0; i < 3; i++) {
        struct greeting greeting = { names[i] };
        int error = pe_spawn(pe_task_loop(t), greet, &greeting, sizeof greeting, &f->greetings[i]);
        if (error < 0)
            PE_RETURN(t, error);
    }
    PE_TRY(t, pe_gather(t, f->greetings, 3, 0));
    for (int i = 0; i < 3; i++)
        pe_task_free(f->greetings[i]);
    printf("three seconds of sleep in %d\n", (int)((pe_now() - f->begin_ns) / PE_SECONDS(1)));
    PE_END(t);
}

int main(void)
{
    struct all f = { { NULL }, 0 };
    return pe_run(all_at_once, &f, NULL) < 0;
}
