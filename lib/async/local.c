/*
 * local.c - values that tasks carry: a list from the newest to the oldest, which never changes but at its front. A task
 * that is started shares its parent's list as it is then; what either puts before it the other does not see. A value
 * goes when the last list that it is in has gone.
 */
#include "async/local.h"

#include <stdlib.h>

#include "base/forked.h"

struct pe__local {
    struct pe__local *older;
    const pe_local_key *key;
    void *value;
    size_t refs; /* tasks whose newest value it is, and the next newer ones */
};

bool pe__local_inherit(struct pe__task *task, const struct pe__task *parent)
{
    struct pe__local *local = parent->more->locals;

    if (local == NULL)
        return true;
    if (pe__task_more(task) == NULL)
        return false;
    task->more->locals = local;
    local->refs++;
    return true;
}

void pe__local_drop(struct pe__task *task)
{
    struct pe__local *local = task->more->locals;

    task->more->locals = NULL;
    while (local != NULL && --local->refs == 0) {
        struct pe__local *older = local->older;

        if (local->key->destroy != NULL)
            local->key->destroy(local->value);
        free(local);
        local = older;
    }
}

int pe_task_set_local(pe_task *t, const pe_local_key *key, void *value)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL || key == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    struct pe__local *local = malloc(sizeof *local);
    if (local == NULL || pe__task_more(task) == NULL) {
        free(local);
        return PE_ENOMEM;
    }
    *local = (struct pe__local){ .older = task->more->locals, .key = key, .value = value, .refs = 1 };
    task->more->locals = local;
    return 0;
}

void *pe_task_local(const pe_task *t, const pe_local_key *key)
{
    const struct pe__task *task = pe__task_of(t);

    if (t == NULL || key == NULL || pe__base_forked(task->loop->token) || task->more == NULL)
        return NULL;
    for (const struct pe__local *local = task->more->locals; local != NULL; local = local->older) {
        if (local->key == key)
            return local->value;
    }
    return NULL;
}
