/*
 * label.h - names of places. Equal places have the same key in every process: a hash of kind, name, file and line.
 */
#ifndef PE__REGION_LABEL_H
#define PE__REGION_LABEL_H

#include <stdbool.h>
#include <stdint.h>

#include <parexec/region.h>

struct pe__region_state;

/* Not a key of any site. */
#define PE__REGION_KEY_ROOT UINT64_MAX

/* Reads the texts at the first use of the site, and keeps the key there. Never 0 and never that of roots. */
uint64_t pe__region_label_key(pe_region_site *site);

/* A region by name alone: a site for the moment. */
pe_region_site pe__region_label_named(const char *name);

/* Whether the site is one to be entered. */
bool pe__region_label_is_region(const pe_region_site *site);

/* The same place as one of another kind. */
pe_region_site pe__region_label_as(const pe_region_site *site, uint32_t kind);

/* With the lock: the label's number, or PE__REGION_NOTHING, counted: there is no place. */
uint32_t pe__region_label_take(struct pe__region_state *state, const pe_region_site *site, uint64_t key);

/* With the lock: the labels that a dead process has left in this table. */
void pe__region_label_inherit(struct pe__region_state *state);

#endif
