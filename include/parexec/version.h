/**
 * @file version.h
 * Which libparexec this is, at compile time and at run time.
 *
 * The macros tell what the program was compiled against, the functions what it runs with; the two differ
 * after the shared library was replaced. Sized structs and the rules of the ABI make an older program run
 * with a newer library of the same soname; a program that needs something newer can find out first:
 *
 *     if (pe_version() < 10100) {
 *         fprintf(stderr, "needs libparexec 1.1.0, found %s\n", pe_version_string());
 *         return 1;
 *     }
 *
 * Threads, forks, signals: both functions return constants and may be called anywhere, from any process
 * and from a signal handler.
 */
#ifndef PAREXEC_VERSION_H
#define PAREXEC_VERSION_H

#include <parexec/export.h>

/** @name The release compiled against
 * @{ */
#define PE_VERSION_MAJOR 1 /**< grows when old programs have to be built again */
#define PE_VERSION_MINOR 0 /**< grows when something is added */
#define PE_VERSION_PATCH 0 /**< grows when something is mended */
/** As text. */
#define PE_VERSION_STRING "1.0.0-rc1"
/**
 * As a number, which grows with every release: 1.0.0 is 10000, 1.2.3 is 10203. What is on the way to a release, such as
 * 1.0.0-rc1 (a candidate) and 1.1.0-dev (something between releases), has that release's number; only its text tells.
 */
#define PE_VERSION_NUMBER (PE_VERSION_MAJOR * 10000 + PE_VERSION_MINOR * 100 + PE_VERSION_PATCH)
/** @} */

PE_BEGIN_DECLS

/**
 * The release that the program runs with, as a number to compare.
 *
 * @return PE_VERSION_NUMBER of the library, above 0.
 * @errors none.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT int pe_version(void);

/**
 * The release that the program runs with, as text to print.
 *
 * @return PE_VERSION_STRING of the library, such as "1.0.0", or "1.0.0-rc1" of a candidate.
 * @errors none.
 * @ownership static text, valid for ever (until the library is unloaded), not to be freed.
 * @threads any. @child yes. @since 1.0
 */
PE_EXPORT const char *pe_version_string(void);

PE_END_DECLS

#endif
