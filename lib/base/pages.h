/*
 * Private memory straight from the system, for what is large and mostly untouched for ever: a page costs memory, and
 * time, when it is first touched. calloc would clear, and so touch, memory that it recycles.
 */
#ifndef PE__BASE_PAGES_H
#define PE__BASE_PAGES_H

#include <stddef.h>

/* Zeroed; NULL: no memory. No lock is taken, so the child of a program with threads may call it. */
void *pe__base_pages_new(size_t bytes);

/* `bytes` as they were asked for; NULL is ignored. */
void pe__base_pages_free(void *pages, size_t bytes);

#endif
