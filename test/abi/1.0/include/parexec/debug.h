#ifndef PAREXEC_DEBUG_H
#define PAREXEC_DEBUG_H
#include <stdio.h>
#include <parexec/export.h>
#include <parexec/task.h>
#define PE_SLOW_STEP 1u
#define PE_SLOW_POST 2u
#define PE_SLOW_TURN 3u
typedef struct pe_loop_figures {
    size_t size;
    uint64_t live;
    uint64_t spawned;
    uint64_t ended;
    uint64_t steps;
    uint64_t turns;
    int64_t turn_longest_ns;
    int64_t turn_mean_ns;
    uint64_t timers;
    int64_t lag_longest_ns;
    int64_t lag_mean_ns;
} pe_loop_figures;
#define PE_LOOP_FIGURES_INIT { sizeof(pe_loop_figures), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
PE_BEGIN_DECLS
typedef void pe_slow_fn(pe_loop *loop, uint32_t what, const char *name, int64_t duration_ns, void *context);
PE_EXPORT int pe_loop_on_slow(pe_loop *loop, int64_t threshold_ns, pe_slow_fn *fn, void *context);
PE_EXPORT int pe_loop_stats(const pe_loop *loop, pe_loop_figures *figures);
PE_EXPORT int pe_loop_dump(const pe_loop *loop, FILE *file);
PE_END_DECLS
#endif
