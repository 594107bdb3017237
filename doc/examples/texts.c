#include <parexec.h>
#include <stdio.h>
#include <string.h>

struct record {
    const char *owner;
};

static struct record records[3] = { { "ada" }, { NULL }, { "bob" } };

static int greet(const void *in, void *out, const void *context)
{
    int number = *(const int *)in;
    (void)out;
    (void)context;
    printf("looking at record %d\n", number);
    fflush(stdout); /* what is in a buffer is lost in a crash */
    printf("its owner has %zu letters\n", strlen(records[number].owner));
    return 0;
}

/* The first line of an item's text, or that there is none. */
static void show(const pe_job *job, uint64_t item, uint32_t which, const char *name)
{
    const char *text;
    if (pe_job_item_text(job, item, which, &text, NULL) == 0)
        printf("  %s: %.*s\n", name, (int)strcspn(text, "\n"), text);
    else
        printf("  no %s\n", name);
}

int main(void)
{
    int in[3] = { 0, 1, 2 };
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool;
    pe_job *job;
    options.flags = PE_POOL_BACKTRACE;
    options.output_bytes = 4096;
    if (pe_pool_new(&options, &pool) || pe_pool_start_map(pool, greet, in, sizeof *in, NULL, 0, 3, NULL, &job))
        return 1;
    pe_job_wait(job, PE_FOREVER);
    for (uint64_t i = 0; i < 3; i++) {
        pe_status status;
        pe_job_item_status(job, i, &status);
        printf("record %d: kind %u, code %d\n", (int)i, (unsigned)status.kind, (int)status.code);
        show(job, i, PE_TEXT_OUTPUT, "output");
        show(job, i, PE_TEXT_BACKTRACE, "backtrace");
    }
    pe_job_free(job);
    pe_pool_free(pool);
    return 0;
}
