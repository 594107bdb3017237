/*
 * Names and texts of the error codes, from the one list in the public header. A code outside the list is
 * looked up in the C library, as far as that gives static texts: nothing is formatted, translated or
 * allocated, so every answer lives for ever and any thread may ask.
 */
#include <parexec/error.h>

#include <stddef.h>
#include <string.h>

#define ERRNO_MAX 4095

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
#define HAS_STATIC_TEXTS 1
#endif
#endif

#ifdef HAS_STATIC_TEXTS

static const char *system_text(int number)
{
    return strerrordesc_np(number);
}

static const char *system_name(int number)
{
    return strerrorname_np(number);
}

#else

static const char *system_text(int number)
{
    (void)number;
    return "system error";
}

static const char *system_name(int number)
{
    (void)number;
    return NULL;
}

#endif

const char *pe_strerror(int error)
{
    const char *text = NULL;

    switch (error) {
#define CASE(name, value, text) case value: return text;
    PE_ERROR_LIST(CASE)
#undef CASE
    case 0:
        return "success";
    default:
        if (error < 0 && error >= -ERRNO_MAX)
            text = system_text(-error);
        return text ? text : "unknown error";
    }
}

const char *pe_err_name(int error)
{
    const char *text = NULL;

    switch (error) {
#define CASE(name, value, text) case value: return #name;
    PE_ERROR_LIST(CASE)
#undef CASE
    case 0:
        return "0";
    default:
        if (error < 0 && error >= -ERRNO_MAX)
            text = system_name(-error);
        return text ? text : "PE_EUNKNOWN";
    }
}
