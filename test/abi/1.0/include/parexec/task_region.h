#ifndef PAREXEC_TASK_REGION_H
#define PAREXEC_TASK_REGION_H
#include <parexec/export.h>
#include <parexec/region.h>
#include <parexec/task.h>
typedef struct pe_task_region {
    uint64_t opaque[12];
    uint32_t turn;
    uint32_t is_measured;
} pe_task_region;
#if defined(__GNUC__)
#define PE_TASK_REGION(t, region, name) \
    for (PE__TASK_REGION_ENTER(t, region, name); (region)->turn != 0; PE__TASK_REGION_LEAVE(t, region)) \
        for (; (region)->turn == 1; (region)->turn = 2)
#if defined(PE_REGION_DISABLE)
#define PE__TASK_REGION_ENTER(t, region, name) (void)((region)->turn = 1)
#define PE__TASK_REGION_LEAVE(t, region) (void)((region)->turn = 0)
#else
#define PE__TASK_REGION_ENTER(t, region, site_name) \
    __extension__({ \
        static pe_region_site pe__site = PE__SITE(PE_SITE_REGION, site_name); \
        (region)->turn = 1; \
        (region)->is_measured = pe_region_on && pe_task_region_enter((t), (region), &pe__site) == 0; \
    })
#define PE__TASK_REGION_LEAVE(t, region) \
    ((region)->turn = 0, (void)((region)->is_measured && pe_task_region_leave((t), (region))))
#endif
#endif
PE_BEGIN_DECLS
PE_EXPORT int pe_task_region_enter(pe_task *t, pe_task_region *region, pe_region_site *site);
PE_EXPORT int pe_task_region_leave(pe_task *t, pe_task_region *region);
PE_END_DECLS
#endif
