#ifndef PE__BENCH_TABLE_QUOTED_H
#define PE__BENCH_TABLE_QUOTED_H

/* A figure from elsewhere: ops is its text, which the table shows instead of a figure. It judges nothing. */

#include "table/row.h"

extern const struct driver quoted_driver;

#define QUOTED(name, text) { .label = name, .role = RIVAL, .driver = &quoted_driver, .ops = text }

#endif
