/**
 * @file export.h
 * What every other header of libparexec starts with.
 *
 * Fixed-width types, C linkage for C++, and the marks for exported functions. A program seldom includes
 * it by itself: parexec.h and every parexec/NAME.h do. It declares nothing that can be called, so no
 * rules for threads, forks or signals are needed.
 *
 * All headers compile as C99 and as C++11, each alone, and define no functions: whatever is not a macro
 * is a symbol of the library that a binding can find. Names begin with pe_ or PE_; those that end in an
 * underscore, and all that begin with pe__, are not for programs.
 */
#ifndef PAREXEC_EXPORT_H
#define PAREXEC_EXPORT_H

#include <stddef.h>
#include <stdint.h>

/** @def PE_BEGIN_DECLS
 * Before declarations: C linkage when a C++ compiler reads them. */
/** @def PE_END_DECLS
 * Behind declarations. */
#ifdef __cplusplus
#define PE_BEGIN_DECLS extern "C" {
#define PE_END_DECLS }
#else
#define PE_BEGIN_DECLS
#define PE_END_DECLS
#endif

/** @def PE_EXPORT
 * Marks what the shared library exports; everything else in it is hidden. */
/** @def PE_FORMAT
 * Lets the compiler check a printf-like call.
 *
 * @param format_index     the number of the format parameter, counted from 1.
 * @param first_argument   the number of the first one that it consumes.
 */
#if defined(__GNUC__)
#define PE_EXPORT __attribute__((visibility("default")))
#define PE_FORMAT(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#else
#define PE_EXPORT
#define PE_FORMAT(format_index, first_argument)
#endif

#endif
