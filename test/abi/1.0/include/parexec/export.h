#ifndef PAREXEC_EXPORT_H
#define PAREXEC_EXPORT_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
#define PE_BEGIN_DECLS extern "C" {
#define PE_END_DECLS }
#else
#define PE_BEGIN_DECLS
#define PE_END_DECLS
#endif
#if defined(__GNUC__)
#define PE_EXPORT __attribute__((visibility("default")))
#define PE_FORMAT(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))
#else
#define PE_EXPORT
#define PE_FORMAT(format_index, first_argument)
#endif
#endif
