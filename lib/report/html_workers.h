/* html_workers.h - how a worker spent its time. */
#ifndef PE__REPORT_HTML_WORKERS_H
#define PE__REPORT_HTML_WORKERS_H

#include "report/profile.h"

struct pe__html_use {
    uint64_t jobs, unfinished;
    int64_t run_ns;
    double busy, idle; /* of its time, 0 to 1 */
};

void pe__html_use_of(const struct pe__profile *profile, uint32_t process, struct pe__html_use *ret);

#endif
