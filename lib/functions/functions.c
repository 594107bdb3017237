/*
 * functions.c - what gcc and clang call at the begin and end of each function with -finstrument-functions.
 *
 * This is linked into the program, beside the shared library: the test whether anything is measured is made here, so
 * that a program that could be measured but is not pays a call, a load and a branch. Leaving looks at a word of the
 * thread instead of at pe_region_on, so that what is open when measuring is switched off is left all the same, and the
 * ends of functions that began before it was switched on do not count as wrong use. Stack pointer and place of the call
 * tell which functions longjmp has left; only here are they those of the function that begins.
 *
 * Nothing here may be instrumented itself.
 */
#include <parexec/region.h>

#define NOT_INSTRUMENTED __attribute__((no_instrument_function))

NOT_INSTRUMENTED void __cyg_profile_func_enter(void *function, void *caller);
NOT_INSTRUMENTED void __cyg_profile_func_exit(void *function, void *caller);

/* Not 0 while this thread may have regions open. */
static __thread int may_be_open __attribute__((tls_model("initial-exec")));

void __cyg_profile_func_enter(void *function, void *caller)
{
    if (__builtin_expect(pe_region_on != 0, 0)) {
        may_be_open = 1;
        pe_region_enter_function(function, caller, __builtin_dwarf_cfa(), __builtin_return_address(0));
    }
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)caller;
    if (__builtin_expect(may_be_open != 0, 0))
        may_be_open = pe_region_leave_function(function);
}
