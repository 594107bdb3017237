/*
 * symbol.h - the name of a function from its address.
 *
 * Of the program and of every loaded library, static functions included. Without locks and malloc, so it may be asked
 * anywhere: in signal handlers, in the child of a program with threads.
 */
#ifndef PE__BASE_SYMBOL_H
#define PE__BASE_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pe__symbol {
    const char *name;   /* NULL: not known */
    uintptr_t offset;   /* of the address in the function */
    const char *module; /* the file's path; "": not known */
    uintptr_t place;    /* of the address in the file */
};

/*
 * False: nothing is loaded there. What the address lies in must stay loaded meanwhile, as it does while it runs; others
 * ask within a callback of dl_iterate_phdr, during which nothing is unloaded. Texts stay for ever.
 */
bool pe__symbol_of(uintptr_t address, struct pe__symbol *ret);

/*
 * A name as one reads it in C++, malloc'ed; NULL: it is no such name, or too complicated, or the program has no C++ in
 * it. The name may be anything. Takes locks of the loader: not in handlers.
 */
char *pe__symbol_demangle(const char *name);

#endif
