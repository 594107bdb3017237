/* copy.h - one table into a profile, checked. */
#ifndef PE__REPORT_COPY_H
#define PE__REPORT_COPY_H

#include "report/builder.h"
#include "region/source.h"

struct pe__copy_times {
    uint64_t begin_ticks; /* what times are measured from */
    bool over; /* nobody writes any more: what is open is unfinished */
};

/* Whether anybody has recorded into one of the tables. */
bool pe__copy_is_used(const struct pe__region_source *source);

/* Adds what the tables of a source hold, as processes of `pool`. What there is no room or memory for is missing; the
 * builder says so. */
void pe__copy_source(struct pe__builder *builder, const struct pe__region_source *source, uint32_t pool,
                     struct pe__copy_times times);

#endif
