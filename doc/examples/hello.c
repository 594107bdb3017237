#include <parexec.h>
#include <stdio.h>

static int hello(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    puts("Hello ...");
    PE_AWAIT(t, pe_sleep(t, PE_SECONDS(1)));
    puts("... World!");
    PE_END(t);
}

int main(void)
{
    return pe_run(hello, NULL, NULL) < 0;
}
