#ifndef PAREXEC_REGION_H
#define PAREXEC_REGION_H
#include <parexec/export.h>
#define PE_SITE_REGION 0u
#define PE_SITE_LINE 1u
#define PE_SITE_COUNTER 2u
#define PE_SITE_MARK 3u
typedef struct pe_region_site {
    uint64_t key;
    const char *name;
    const char *file;
    uint32_t line;
    uint32_t kind;
    uint64_t reserved[2];
} pe_region_site;
#define PE_CLOCK_EXACT 0u
#define PE_CLOCK_QUICK 1u
#define PE_CLOCK_SAMPLED 2u
#define PE_REGION_TIMELINE UINT64_C(1)
#define PE_REGION_CPU_TIME UINT64_C(2)
typedef struct pe_region_options {
    size_t size;
    uint32_t clock;
    uint32_t sample_every;
    uint64_t flags;
    uint32_t paths;
    uint32_t names;
    uint64_t events;
} pe_region_options;
#define PE_REGION_OPTIONS_INIT { sizeof(pe_region_options), 0, 0, 0, 0, 0, 0 }
typedef struct pe_region_span {
    uint64_t opaque[8];
} pe_region_span;
PE_BEGIN_DECLS
#ifndef PE__REGION_ON_IS_DEFINED_HERE
PE_EXPORT extern const volatile uint32_t pe_region_on;
#endif
PE_EXPORT int pe_region_enable(int on);
PE_EXPORT int pe_region_setup(const pe_region_options *options);
PE_EXPORT void pe_region_enter_site(pe_region_site *site);
PE_EXPORT void pe_region_leave_site(pe_region_site *site);
PE_EXPORT void pe_region_enter(const char *name);
PE_EXPORT void pe_region_leave(const char *name);
PE_EXPORT void pe_region_line(pe_region_site *site);
PE_EXPORT void pe_region_count(pe_region_site *site, int64_t amount);
PE_EXPORT void pe_region_mark(pe_region_site *site);
PE_EXPORT void pe_region_span_begin(pe_region_span *span, pe_region_site *site);
PE_EXPORT void pe_region_span_wait(pe_region_span *span);
PE_EXPORT void pe_region_span_resume(pe_region_span *span);
PE_EXPORT void pe_region_span_end(pe_region_span *span);
PE_EXPORT void pe_region_enter_function(const void *function, const void *caller, const void *frame,
                                        const void *place);
PE_EXPORT int pe_region_leave_function(const void *function);
#if defined(__GNUC__) && !defined(PE__REGION_SCOPE_END_IS_DEFINED_HERE)
PE_EXPORT extern inline __attribute__((gnu_inline, always_inline, no_instrument_function)) void
pe_region_scope_end(pe_region_site **scope)
{
    if (*scope)
        pe_region_leave_site(*scope);
}
#else
PE_EXPORT void pe_region_scope_end(pe_region_site **scope);
#endif
PE_END_DECLS
#define PE_REGION_SITE(name) PE__SITE(PE_SITE_REGION, name)
#define PE__SITE(kind, name) { 0, name, __FILE__, __LINE__, kind, { 0, 0 } }
#define PE__JOIN_(a, b) a##b
#define PE__JOIN(a, b) PE__JOIN_(a, b)
#if defined(PE_REGION_DISABLE)
#if defined(__GNUC__)
#define PE__ONCE_NUMBER __COUNTER__
#else
#define PE__ONCE_NUMBER __LINE__
#endif
#define PE__ONCE(once) for (int once = 1; once; once = 0)
#define PE__ONCE_NUMBERED(number) PE__ONCE(PE__JOIN(pe__once_, number))
#define PE_REGION(name) PE__ONCE_NUMBERED(PE__ONCE_NUMBER)
#define PE_REGION_SCOPE(name) ((void)0)
#define PE_LINE() ((void)0)
#define PE_COUNT(name, n) ((void)0)
#define PE_MARK(name) ((void)0)
#elif defined(__GNUC__)
#define PE__REGION_ENTER(site_name) \
    (__extension__({ \
        static pe_region_site pe__site = PE__SITE(PE_SITE_REGION, site_name); \
        pe_region_on ? (pe_region_enter_site(&pe__site), &pe__site) : (pe_region_site *)0; \
    }))
#if defined(__cplusplus)
#define PE__REGION_AROUND(number)
#else
typedef char pe__region_around;
#define PE__IS_INSIDE_REGION() (sizeof(pe__region_around) != 1)
#define PE__REGION_AROUND(number) \
    , *PE__JOIN(pe__quiet_, number) __attribute__((unused)) = (__extension__({ \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"") \
        (pe_region_site *)0; \
    })), *pe__region_around __attribute__((unused)) = (__extension__({ \
        _Pragma("GCC diagnostic pop") \
        (pe_region_site *)0; \
    }))
#endif
#define PE__REGION_SCOPE(name, number) \
    pe_region_site *PE__JOIN(pe__scope_, number) __attribute__((cleanup(pe_region_scope_end), unused)) = \
        PE__REGION_ENTER(name) PE__REGION_AROUND(number)
#define PE__REGION(name, number) \
    for (PE__REGION_SCOPE(name, number), *PE__JOIN(pe__once_, number) = (pe_region_site *)1; \
         PE__JOIN(pe__once_, number); PE__JOIN(pe__once_, number) = (pe_region_site *)0)
#define PE_REGION(name) PE__REGION(name, __COUNTER__)
#define PE_REGION_SCOPE(name) PE__REGION_SCOPE(name, __COUNTER__)
#else
#define PE_REGION(name) for (int PE__JOIN(pe__once_, __LINE__) = (pe_region_enter(name), 1); \
                             PE__JOIN(pe__once_, __LINE__); \
                             PE__JOIN(pe__once_, __LINE__) = (pe_region_leave(name), 0))
#endif
#if !defined(PE_REGION_DISABLE)
#define PE__AT(site_kind, site_name, call) \
    do { \
        static pe_region_site pe__site = PE__SITE(site_kind, site_name); \
        if (pe_region_on) \
            call; \
    } while (0)
#define PE_LINE() PE__AT(PE_SITE_LINE, (const char *)0, pe_region_line(&pe__site))
#define PE_COUNT(name, n) PE__AT(PE_SITE_COUNTER, name, pe_region_count(&pe__site, (n)))
#define PE_MARK(name) PE__AT(PE_SITE_MARK, name, pe_region_mark(&pe__site))
#endif
#endif
