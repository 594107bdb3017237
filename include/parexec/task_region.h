/**
 * @file task_region.h
 * Regions of tasks, which span waits.
 *
 * A region (region.h) is left before its thread does anything else, and a task that waits lets others run. So a task
 * has regions of its own, each in its frame:
 *
 *     PE_TASK_REGION(t, &f->region, "fetch") {
 *         PE_AWAIT(t, ...);
 *         ...
 *     }
 *
 * While the task waits, and while it is ready and waits for its turn, its regions wait with it: the report shows the
 * time in which the task ran as active and the rest as waiting. What other tasks do meanwhile is not counted for it.
 * Such regions are spans: they have no parent and no children. Regions of task functions that pe_call has called are
 * the task's as well. A region that is open when the function returns which entered it ends there, and with the task
 * all of them end.
 *
 * They measure while regions are switched on (pe_region_enable, PAREXEC_PROFILE). A task that is in none pays nothing
 * for them.
 *
 * Threads, forks, signals: as task.h says.
 */
#ifndef PAREXEC_TASK_REGION_H
#define PAREXEC_TASK_REGION_H

#include <parexec/export.h>
#include <parexec/region.h>
#include <parexec/task.h>

/** A region of a task, in its frame from enter to leave. Its contents are the library's. */
typedef struct pe_task_region {
    uint64_t opaque[12];  /**< the library's */
    uint32_t turn;        /**< of PE_TASK_REGION: 1 in its block, 2 at the end of it, 0 behind it */
    uint32_t is_measured; /**< of PE_TASK_REGION: 1 where regions are switched on */
} pe_task_region;

/** @def PE_TASK_REGION
 * The block is a region of the task, with waits in it. break and continue in it end the block, as they end a loop; a
 * return from the task function is fine too, a goto out of it is not. gcc and clang only.
 *
 * @param t        the task, a plain variable.
 * @param region   a pe_task_region of its frame; evaluated several times, at the end of the block too, with the same
 *                 value.
 * @param name     a string literal or another constant expression.
 */
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

/**
 * Begins a region of the task. What PE_TASK_REGION does, for bindings and for stretches that are no block. It measures
 * nothing while measuring is off.
 *
 * @param t        the task that runs.
 * @param region   memory that lasts until it is left, or the function that entered it has returned; one that is not
 *                 entered.
 * @param site     of kind PE_SITE_REGION.
 * @return 0.
 * @errors PE_EINVAL: region or site NULL; entered already; t is not the task that runs. PE_ENOMEM: it is not entered.
 *         PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_task_region_enter(pe_task *t, pe_task_region *region, pe_region_site *site);

/**
 * Ends a region of the task, together with those that were entered later and have not been left, whether measuring is
 * on or off.
 *
 * @param t        the task that runs.
 * @param region   one that is entered.
 * @return 0.
 * @errors PE_EINVAL: region NULL; not entered; t is not the task that runs. PE_EFORKED.
 * @threads the loop's. @child no. @since 1.0
 */
PE_EXPORT int pe_task_region_leave(pe_task *t, pe_task_region *region);

PE_END_DECLS

#endif
