#ifndef PE__TEST_CALLS_POOL_H
#define PE__TEST_CALLS_POOL_H

/* One call of each exported function that is not of tasks, and what it gives in each situation. */

#include <parexec.h>

enum situation { NO_HANDLE, CLOSED, JOINED, KILLED, BROKEN, CHILD, WORKER, CALLBACK, SITUATIONS };

/* What calls are made with. */
struct scene {
    enum situation situation;
    pe_pool *pool;
    pe_job *live;  /* ends when told to; has ended where the pool has */
    pe_job *ended; /* with a reply of eight bytes */
    pe_stream *stream; /* of nothing */
    void *memory;
    _Atomic int *flag;
    pid_t keeper; /* of a pool that is to break */
};

/* Returns what the function returned, 0 where that is above; what it gives back otherwise is looked at. */
typedef int call_fn(const struct scene *scene);

struct call_row {
    const char *name;
    call_fn *call;
    int wanted[SITUATIONS]; /* no handle, closed, joined, killed, broken, child, worker, callback */
};

extern const struct call_row call_rows[];
extern const size_t call_row_count;

/* A pe_source_fn without an item. */
int calls_source_of_nothing(void *item, void *context);

#endif
