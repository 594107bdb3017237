/*
 * name.c - names of tasks: what the program said, else the symbol of the function.
 */
#include "async/name.h"

#include <stdlib.h>
#include <string.h>

#include "async/task.h"
#include "base/forked.h"
#include "base/symbol.h"

int pe_task_set_name(pe_task *t, const char *name)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL || name == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    size_t bytes = strnlen(name, PE__NAME_BYTES - 1);
    char *copy = malloc(bytes + 1);
    if (copy == NULL || pe__task_more(task) == NULL) {
        free(copy);
        return PE_ENOMEM;
    }
    memcpy(copy, name, bytes);
    copy[bytes] = '\0';
    free(task->more->name);
    task->more->name = copy;
    return 0;
}

const char *pe__name_of_function(uintptr_t function, const char *unknown)
{
    struct pe__symbol symbol;

    return pe__symbol_of(function, &symbol) && symbol.name != NULL ? symbol.name : unknown;
}

const char *pe_task_name(const pe_task *t)
{
    const struct pe__task *task = pe__task_of(t);
    pe_task_fn *fn;
    void *frame;

    if (t == NULL || pe__base_forked(task->loop->token))
        return "";
    if (task->more != NULL && task->more->name != NULL)
        return task->more->name;
    pe__task_origin(task, &fn, &frame);
    return pe__name_of_function((uintptr_t)fn, "task");
}
