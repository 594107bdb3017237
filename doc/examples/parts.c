/* A task function in several functions: each has a frame of its own, a member of its caller's. */
#include <parexec.h>
#include <stdio.h>

/* Counts down, the last three aloud. */
struct countdown {
    int left;
};

static int count_down(pe_task *t, void *frame)
{
    struct countdown *f = frame;

    PE_BEGIN(t);
    for (; f->left > 0; f->left--) {
        if (f->left <= 3)
            printf("%d\n", f->left);
        PE_TRY(t, pe_sleep(t, PE_MS(10)));
    }
    PE_END(t);
}

/* Two countdowns, the second of which may take 25 ms. */
struct launch {
    pe_call_link call;
    pe_limit limit;
    struct countdown countdown;
};

static int launch(pe_task *t, void *frame)
{
    struct launch *f = frame;

    PE_BEGIN(t);
    f->countdown.left = 3;
    PE_TRY(t, pe_call(t, &f->call, count_down, &f->countdown));
    puts("lift-off");

    f->countdown.left = 1000;
    PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(25)), pe_call(t, &f->call, count_down, &f->countdown));
    puts(t->result == PE_ETIMEDOUT && f->countdown.left < 1000 ? "we have no time for that" : "what?");
    PE_END(t);
}

int main(void)
{
    struct launch f = { .countdown = { 0 } };
    return pe_run(launch, &f, NULL) < 0;
}
