/*
 * Intrusive doubly linked list: a ring through a head that is no entry itself.
 *
 * The nodes live inside the caller's structs; the list owns nothing and locks nothing. A node that is in
 * no list points at itself, so removing it again does no harm; that holds for nodes that went through
 * init or remove.
 */
#ifndef PE__BASE_LIST_H
#define PE__BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct pe__base_list {
    struct pe__base_list *next;
    struct pe__base_list *previous;
};

#define PE__BASE_LIST_INIT(head) { &(head), &(head) }

/* The struct of this type that holds `node` as its `member`. */
#define PE__BASE_LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

/* Every node of the list; the current one must not be removed. */
#define PE__BASE_LIST_EACH(node, head) \
    for (struct pe__base_list *node = (head)->next; node != (head); node = node->next)

/* The same; the current one may be removed. */
#define PE__BASE_LIST_EACH_SAFE(node, after, head) \
    for (struct pe__base_list *node = (head)->next, *after = node->next; node != (head); \
         node = after, after = node->next)

static inline void pe__base_list_init(struct pe__base_list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool pe__base_list_empty(const struct pe__base_list *head)
{
    return head->next == head;
}

/* Between two neighbours. */
static inline void pe__base_list_insert(struct pe__base_list *node, struct pe__base_list *previous,
                                        struct pe__base_list *next)
{
    node->next = next;
    node->previous = previous;
    previous->next = node;
    next->previous = node;
}

static inline void pe__base_list_push_back(struct pe__base_list *head, struct pe__base_list *node)
{
    pe__base_list_insert(node, head->previous, head);
}

static inline void pe__base_list_push_front(struct pe__base_list *head, struct pe__base_list *node)
{
    pe__base_list_insert(node, head, head->next);
}

static inline void pe__base_list_remove(struct pe__base_list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    pe__base_list_init(node);
}

/* NULL when empty. */
static inline struct pe__base_list *pe__base_list_pop_front(struct pe__base_list *head)
{
    struct pe__base_list *node = head->next;

    if (node == head)
        return NULL;
    pe__base_list_remove(node); /* NOLINT(clang-analyzer-unix.Malloc): the last one was freed, this is the next */
    return node;
}

#endif
