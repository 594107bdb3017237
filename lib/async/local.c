/*
 * local.c - values that tasks carry. A task that is started shares its parent's set of values as it is then; whoever
 * sets one takes a set of its own first, unless nobody shares it. A value goes with the last set that it is in.
 */
#include "async/local.h"

#include <stdlib.h>
#include <string.h>

#include "async/wait.h"
#include "base/forked.h"

struct value {
    const pe_local_key *key;
    void *value;
    size_t refs; /* sets that it is in */
};

struct pe__locals {
    size_t refs; /* tasks that carry it */
    size_t count;
    struct value *values[];
};

static void unref_value(struct value *value)
{
    if (--value->refs > 0)
        return;
    if (value->key->destroy != NULL)
        value->key->destroy(value->value);
    free(value);
}

static void unref_set(struct pe__locals *set)
{
    if (set == NULL || --set->refs > 0)
        return;
    for (size_t i = 0; i < set->count; i++)
        unref_value(set->values[i]);
    free(set);
}

bool pe__local_inherit(struct pe__task *task, const struct pe__task *parent)
{
    struct pe__locals *set = parent->more->locals;

    if (set == NULL)
        return true;
    if (pe__task_more(task) == NULL)
        return false;
    task->more->locals = set;
    set->refs++;
    return true;
}

void pe__local_drop(struct pe__task *task)
{
    struct pe__locals *set = task->more->locals;

    task->more->locals = NULL;
    unref_set(set);
}

/* Where the key's value is; where it would be if there is none. */
static size_t find(const struct pe__locals *set, const pe_local_key *key)
{
    size_t i = 0;

    while (set != NULL && i < set->count && set->values[i]->key != key)
        i++;
    return i;
}

/* The set with the value in place `at`. */
static struct pe__locals *set_with(const struct pe__locals *set, size_t at, struct value *value)
{
    size_t before = set != NULL ? set->count : 0;
    size_t count = at < before ? before : before + 1;
    struct pe__locals *copy = malloc(sizeof *copy + count * sizeof copy->values[0]);

    if (copy == NULL)
        return NULL;
    *copy = (struct pe__locals){ .refs = 1, .count = count };
    if (before > 0)
        memcpy(copy->values, set->values, before * sizeof copy->values[0]);
    copy->values[at] = value;
    for (size_t i = 0; i < count; i++)
        copy->values[i]->refs++; /* NOLINT(clang-analyzer-core.NullDereference): `at` is before or at the end */
    return copy;
}

/* The program's destroy, if any, is called when all is done. */
static int set_value(struct pe__task *task, struct value *value)
{
    struct pe__locals *set = task->more->locals;
    size_t at = find(set, value->key);
    struct pe__locals *copy = set_with(set, at, value);

    if (copy == NULL)
        return PE_ENOMEM;
    task->more->locals = copy;
    unref_set(set);
    return 0;
}

int pe_task_set_local(pe_task *t, const pe_local_key *key, void *value)
{
    struct pe__task *task = pe__task_of(t);

    if (t == NULL || key == NULL)
        return PE_EINVAL;
    if (pe__base_forked(task->loop->token))
        return PE_EFORKED;
    if (task->wait == &pe__wait_ended)
        return PE_EALREADY;
    struct value *made = malloc(sizeof *made);
    if (made == NULL)
        return PE_ENOMEM;
    *made = (struct value){ .key = key, .value = value };
    int result = pe__task_more(task) != NULL ? set_value(task, made) : PE_ENOMEM;
    if (result < 0)
        free(made);
    return result;
}

void *pe_task_local(const pe_task *t, const pe_local_key *key)
{
    const struct pe__task *task = pe__task_of(t);

    if (t == NULL || key == NULL || pe__base_forked(task->loop->token) || task->more == NULL)
        return NULL;
    const struct pe__locals *set = task->more->locals;
    size_t at = find(set, key);
    return set != NULL && at < set->count ? set->values[at]->value : NULL;
}
