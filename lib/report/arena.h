/* arena.h - texts and numbers that are given back together. */
#ifndef PE__REPORT_ARENA_H
#define PE__REPORT_ARENA_H

#include <stddef.h>

struct pe__profile_arena;

/* NULL: no memory. */
struct pe__profile_arena *pe__arena_new(void);
void pe__arena_free(struct pe__profile_arena *arena);

/* Zeroed, aligned for any type; NULL: no memory. */
void *pe__arena_alloc(struct pe__profile_arena *arena, size_t bytes);
/* A copy, "" for NULL. */
const char *pe__arena_text(struct pe__profile_arena *arena, const char *text);

#endif
