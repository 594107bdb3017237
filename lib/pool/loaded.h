/*
 * loaded.h - which code was mapped when the workers' memory was copied.
 *
 * A function of a library that was loaded later does not exist in the workers, and where a library has been unloaded
 * and another one loaded at its address, they still have the first. So the executable segments of all loaded objects
 * are noted before the fork, with what tells an object from others: its program headers and its notes, among which is
 * the build ID. Code in no object (closures, generated code) counts as there if the keeper, whose memory is as it was
 * at the fork, has executable memory at its address.
 */
#ifndef PE__POOL_LOADED_H
#define PE__POOL_LOADED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pe__loaded_range {
    uintptr_t first, last; /* last is exclusive */
    uintptr_t bias;        /* what is added to the addresses in the object's file */
    uint64_t object;       /* a sum that tells it from others; 0: it is there for ever */
    bool here;             /* still, or again */
};

struct pe__loaded {
    struct pe__loaded_range *ranges;
    size_t count;
    unsigned long long changes; /* loads and unloads of the program up to the last look */
};

int pe__loaded_note(struct pe__loaded *ret);
void pe__loaded_fini(struct pe__loaded *loaded);

/* False: the code at this address is not what the workers have there. ret_for_ever: and so it will always be; what is
 * in an object that may be unloaded is to be asked for again. keeper: 0 if there is none, then generated code counts
 * as there. */
bool pe__loaded_has(struct pe__loaded *loaded, uintptr_t address, pid_t keeper, bool *ret_for_ever);

/* Another note: of what was there then and is so still. */
int pe__loaded_copy_here(struct pe__loaded *ret, struct pe__loaded *from);

/* The range that the address lies in; NULL: none. */
const struct pe__loaded_range *pe__loaded_range_of(const struct pe__loaded *loaded, uintptr_t address);

/* What pe_init noted for pools from the seed; PE_EINVAL: nothing. Keeping a note takes over its ranges. */
int pe__loaded_copy_at_init(struct pe__loaded *ret);
void pe__loaded_keep_at_init(const struct pe__loaded *loaded);

#endif
