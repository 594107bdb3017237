/* cost.h - times without the cost of measuring. */
#ifndef PE__REPORT_COST_H
#define PE__REPORT_COST_H

#include "report/profile.h"

/*
 * Takes the measured cost of a pair off, for each call inside a region: off its total for all that are inside, off its
 * own time for those that are just below. Smallest, largest and percentiles stay. 0, or PE_ENOMEM with nothing changed.
 */
int pe__profile_subtract_cost(struct pe__profile *profile);

#endif
