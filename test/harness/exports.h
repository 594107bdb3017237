#ifndef PE__TEST_EXPORTS_H
#define PE__TEST_EXPORTS_H

/* Tables with a row for each function that the library exports. */

#include <stdbool.h>
#include <stddef.h>

/* Each function of the map at that path, of tasks or of all else, has a row, and there is no other row. A row begins
 * with the function's name, a const char *. */
void exports_assert_rows(const char *path, bool of_tasks, const void *rows, size_t row_bytes, size_t row_count);

#endif
