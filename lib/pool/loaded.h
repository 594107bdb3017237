/*
 * loaded.h - which code was mapped when the workers' memory was copied.
 *
 * A function of a library that was loaded later does not exist in the workers. The executable segments of all
 * loaded objects are noted before the fork; a function in none of them, but in one now, came later.
 */
#ifndef PE__POOL_LOADED_H
#define PE__POOL_LOADED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pe__loaded_range {
    uintptr_t first, last; /* last is exclusive */
};

struct pe__loaded {
    struct pe__loaded_range *ranges; /* by address */
    size_t count;
};

int pe__loaded_note(struct pe__loaded *ret);
int pe__loaded_copy(struct pe__loaded *ret, const struct pe__loaded *from);
void pe__loaded_fini(struct pe__loaded *loaded);

/* False: the address belongs to an object that was loaded after the note was made. */
bool pe__loaded_has(const struct pe__loaded *loaded, uintptr_t address);

/* What pe_init noted for pools from the seed; NULL before. Keeping a note takes over its ranges. */
const struct pe__loaded *pe__loaded_at_init(void);
void pe__loaded_keep_at_init(const struct pe__loaded *loaded);

#endif
