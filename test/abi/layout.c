/*
 * The layout of the public structs, frozen. Numbers are for 64-bit systems and belong to the release named
 * beside each struct. Fields are added at the end, with a new line here; a line that stands here does not
 * change once its release is out. A program built against an older header passes a smaller size, and that has
 * to go on meaning what it meant.
 */

#include "harness/harness.h"

#include <parexec.h>

#define MEMBER(type, member, offset, bytes) \
    { \
#type "." #member, offsetof(type, member), sizeof(((type *)NULL)->member), offset, bytes \
    }
#define WHOLE(type, bytes) \
    { \
#type, 0, sizeof(type), 0, bytes \
    }

struct line {
    const char *name;
    size_t offset, bytes;
    size_t frozen_offset, frozen_bytes;
};

static void compare(const struct line *lines, size_t count)
{
    if (sizeof(void *) != 8)
        return; /* the numbers are those of 64-bit systems */
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(lines[i].offset == lines[i].frozen_offset && lines[i].bytes == lines[i].frozen_bytes,
                      "%s is %zu bytes at %zu, was %zu bytes at %zu", lines[i].name, lines[i].bytes,
                      lines[i].offset, lines[i].frozen_bytes, lines[i].frozen_offset);
    }
}

/* Sized structs keep their size in front, or no older program could be told apart. */
static void compare_sized(const struct line *lines, size_t count)
{
    ck_assert_msg(strstr(lines[1].name, ".size") && lines[1].offset == 0, "%s is not the size",
                  lines[1].name);
    compare(lines, count);
}

#define COUNT(lines) (sizeof(lines) / sizeof((lines)[0]))

/* since 1.0 */
PE_TEST(layout_pe_file_info)
{
    static const struct line lines[] = {
        WHOLE(pe_file_info, 96),
        MEMBER(pe_file_info, size, 0, 8),
        MEMBER(pe_file_info, bytes, 8, 8),
        MEMBER(pe_file_info, allocated_bytes, 16, 8),
        MEMBER(pe_file_info, device, 24, 8),
        MEMBER(pe_file_info, inode, 32, 8),
        MEMBER(pe_file_info, links, 40, 8),
        MEMBER(pe_file_info, mode, 48, 4),
        MEMBER(pe_file_info, uid, 52, 4),
        MEMBER(pe_file_info, gid, 56, 4),
        MEMBER(pe_file_info, block_bytes, 60, 4),
        MEMBER(pe_file_info, accessed_ns, 64, 8),
        MEMBER(pe_file_info, modified_ns, 72, 8),
        MEMBER(pe_file_info, changed_ns, 80, 8),
        MEMBER(pe_file_info, created_ns, 88, 8),
    };
    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_process_options)
{
    static const struct line lines[] = {
        WHOLE(pe_process_options, 56),
        MEMBER(pe_process_options, size, 0, 8),
        MEMBER(pe_process_options, file, 8, 8),
        MEMBER(pe_process_options, argv, 16, 8),
        MEMBER(pe_process_options, env, 24, 8),
        MEMBER(pe_process_options, cwd, 32, 8),
        MEMBER(pe_process_options, stdin_fd, 40, 4),
        MEMBER(pe_process_options, stdout_fd, 44, 4),
        MEMBER(pe_process_options, stderr_fd, 48, 4),
        MEMBER(pe_process_options, flags, 52, 4),
    };
    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_status)
{
    static const struct line lines[] = {
        WHOLE(pe_status, 64),
        MEMBER(pe_status, kind, 0, 4),
        MEMBER(pe_status, code, 4, 4),
        MEMBER(pe_status, pid, 8, 4),
        MEMBER(pe_status, worker, 12, 4),
        MEMBER(pe_status, attempts, 16, 4),
        MEMBER(pe_status, stop_signal, 20, 4),
        MEMBER(pe_status, item, 24, 8),
        MEMBER(pe_status, queued_ns, 32, 8),
        MEMBER(pe_status, run_ns, 40, 8),
        MEMBER(pe_status, reserved, 48, 16),
    };

    compare(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_offload_options)
{
    static const struct line lines[] = {
        WHOLE(pe_offload_options, 48),
        MEMBER(pe_offload_options, size, 0, 8),
        MEMBER(pe_offload_options, flags, 8, 4),
        MEMBER(pe_offload_options, reserved, 12, 4),
        MEMBER(pe_offload_options, pool, 16, 8),
        MEMBER(pe_offload_options, arg_bytes, 24, 8),
        MEMBER(pe_offload_options, timeout_ns, 32, 8),
        MEMBER(pe_offload_options, status, 40, 8),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_init_options)
{
    static const struct line lines[] = {
        WHOLE(pe_init_options, 24),
        MEMBER(pe_init_options, size, 0, 8),
        MEMBER(pe_init_options, reserve_bytes, 8, 8),
        MEMBER(pe_init_options, flags, 16, 4),
        MEMBER(pe_init_options, reserved, 20, 4),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_pool_options)
{
    static const struct line lines[] = {
        WHOLE(pe_pool_options, 152),
        MEMBER(pe_pool_options, size, 0, 8),
        MEMBER(pe_pool_options, workers, 8, 4),
        MEMBER(pe_pool_options, flags, 12, 4),
        MEMBER(pe_pool_options, worker_init, 16, 8),
        MEMBER(pe_pool_options, worker_exit, 24, 8),
        MEMBER(pe_pool_options, worker_context, 32, 8),
        MEMBER(pe_pool_options, queue_jobs, 40, 8),
        MEMBER(pe_pool_options, shared_bytes, 48, 8),
        MEMBER(pe_pool_options, jobs_per_worker, 56, 8),
        MEMBER(pe_pool_options, max_reply_bytes, 64, 8),
        MEMBER(pe_pool_options, memory_limit_bytes, 72, 8),
        MEMBER(pe_pool_options, rss_limit_bytes, 80, 8),
        MEMBER(pe_pool_options, max_deaths, 88, 4),
        MEMBER(pe_pool_options, inner_threads, 92, 4),
        MEMBER(pe_pool_options, idle_ns, 96, 8),
        MEMBER(pe_pool_options, grace_ns, 104, 8),
        MEMBER(pe_pool_options, keep_fds, 112, 8),
        MEMBER(pe_pool_options, keep_fd_count, 120, 8),
        MEMBER(pe_pool_options, queue_bytes, 128, 8),
        MEMBER(pe_pool_options, output_bytes, 136, 8),
        MEMBER(pe_pool_options, affinity, 144, 4),
        MEMBER(pe_pool_options, reserved, 148, 4),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_job_options)
{
    static const struct line lines[] = {
        WHOLE(pe_job_options, 40),
        MEMBER(pe_job_options, size, 0, 8),
        MEMBER(pe_job_options, retries, 8, 4),
        MEMBER(pe_job_options, priority, 12, 4),
        MEMBER(pe_job_options, timeout_ns, 16, 8),
        MEMBER(pe_job_options, deadline_ns, 24, 8),
        MEMBER(pe_job_options, submit_deadline_ns, 32, 8),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_map_options)
{
    static const struct line lines[] = {
        WHOLE(pe_map_options, 112),
        MEMBER(pe_map_options, size, 0, 8),
        MEMBER(pe_map_options, chunk, 8, 8),
        MEMBER(pe_map_options, context, 16, 8),
        MEMBER(pe_map_options, context_bytes, 24, 8),
        MEMBER(pe_map_options, statuses, 32, 8),
        MEMBER(pe_map_options, summary, 40, 8),
        MEMBER(pe_map_options, on_error, 48, 4),
        MEMBER(pe_map_options, retries, 52, 4),
        MEMBER(pe_map_options, timeout_ns, 56, 8),
        MEMBER(pe_map_options, deadline_ns, 64, 8),
        MEMBER(pe_map_options, max_inflight, 72, 8),
        MEMBER(pe_map_options, inflight_bytes, 80, 8),
        MEMBER(pe_map_options, progress, 88, 8),
        MEMBER(pe_map_options, progress_context, 96, 8),
        MEMBER(pe_map_options, flags, 104, 4),
        MEMBER(pe_map_options, priority, 108, 4),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_map_summary)
{
    static const struct line lines[] = {
        WHOLE(pe_map_summary, 120),
        MEMBER(pe_map_summary, size, 0, 8),
        MEMBER(pe_map_summary, returned, 8, 8),
        MEMBER(pe_map_summary, failed, 16, 8),
        MEMBER(pe_map_summary, cancelled, 24, 8),
        MEMBER(pe_map_summary, lost, 32, 8),
        MEMBER(pe_map_summary, first_failed, 40, 8),
        MEMBER(pe_map_summary, first, 48, 64),
        MEMBER(pe_map_summary, wall_ns, 112, 8),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0; it lies in the callers' memory, so it can never grow */
PE_TEST(layout_pe_rng)
{
    static const struct line lines[] = {
        WHOLE(pe_rng, 64),
        MEMBER(pe_rng, seed, 0, 8),
        MEMBER(pe_rng, stream, 8, 8),
        MEMBER(pe_rng, position, 16, 8),
        MEMBER(pe_rng, words, 24, 32),
        MEMBER(pe_rng, reserved, 56, 8),
    };

    compare(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_stats)
{
    static const struct line lines[] = {
        WHOLE(pe_stats, 224),
        MEMBER(pe_stats, size, 0, 8),
        MEMBER(pe_stats, workers, 8, 4),
        MEMBER(pe_stats, workers_alive, 12, 4),
        MEMBER(pe_stats, submitted, 16, 8),
        MEMBER(pe_stats, queued, 24, 8),
        MEMBER(pe_stats, running, 32, 8),
        MEMBER(pe_stats, returned, 40, 8),
        MEMBER(pe_stats, crashed, 48, 8),
        MEMBER(pe_stats, cancelled, 56, 8),
        MEMBER(pe_stats, restarts, 64, 8),
        MEMBER(pe_stats, recycled, 72, 8),
        MEMBER(pe_stats, bytes_in, 80, 8),
        MEMBER(pe_stats, bytes_out, 88, 8),
        MEMBER(pe_stats, shared_bytes_used, 96, 8),
        MEMBER(pe_stats, timed_out, 104, 8),
        MEMBER(pe_stats, out_of_memory, 112, 8),
        MEMBER(pe_stats, lost, 120, 8),
        MEMBER(pe_stats, queue_ns, 128, 8),
        MEMBER(pe_stats, run_ns, 136, 8),
        MEMBER(pe_stats, idle_ns, 144, 8),
        MEMBER(pe_stats, retired, 152, 8),
        MEMBER(pe_stats, last_death, 160, 64),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_loop_figures)
{
    static const struct line lines[] = {
        WHOLE(pe_loop_figures, 88),
        MEMBER(pe_loop_figures, size, 0, 8),
        MEMBER(pe_loop_figures, live, 8, 8),
        MEMBER(pe_loop_figures, spawned, 16, 8),
        MEMBER(pe_loop_figures, ended, 24, 8),
        MEMBER(pe_loop_figures, steps, 32, 8),
        MEMBER(pe_loop_figures, turns, 40, 8),
        MEMBER(pe_loop_figures, turn_longest_ns, 48, 8),
        MEMBER(pe_loop_figures, turn_mean_ns, 56, 8),
        MEMBER(pe_loop_figures, timers, 64, 8),
        MEMBER(pe_loop_figures, lag_longest_ns, 72, 8),
        MEMBER(pe_loop_figures, lag_mean_ns, 80, 8),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_worker_stats)
{
    static const struct line lines[] = {
        WHOLE(pe_worker_stats, 72),
        MEMBER(pe_worker_stats, size, 0, 8),
        MEMBER(pe_worker_stats, state, 8, 4),
        MEMBER(pe_worker_stats, pid, 12, 4),
        MEMBER(pe_worker_stats, lives, 16, 8),
        MEMBER(pe_worker_stats, ended, 24, 8),
        MEMBER(pe_worker_stats, run_ns, 32, 8),
        MEMBER(pe_worker_stats, idle_ns, 40, 8),
        MEMBER(pe_worker_stats, state_ns, 48, 8),
        MEMBER(pe_worker_stats, item, 56, 8),
        MEMBER(pe_worker_stats, resident_bytes, 64, 8),
    };

    compare_sized(lines, COUNT(lines));
}

/* since 1.0; compiled into programs by the macros */
PE_TEST(layout_pe_region_site)
{
    static const struct line lines[] = {
        WHOLE(pe_region_site, 48),          MEMBER(pe_region_site, key, 0, 8),
        MEMBER(pe_region_site, name, 8, 8), MEMBER(pe_region_site, file, 16, 8),
        MEMBER(pe_region_site, line, 24, 4), MEMBER(pe_region_site, kind, 28, 4),
        MEMBER(pe_region_site, reserved, 32, 16),
    };
    compare(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_task_region)
{
    static const struct line lines[] = {
        WHOLE(pe_task_region, 104),
        MEMBER(pe_task_region, opaque, 0, 96),
        MEMBER(pe_task_region, turn, 96, 4),
        MEMBER(pe_task_region, is_measured, 100, 4),
    };
    compare(lines, COUNT(lines));
}

/* since 1.0; what programs see of a task */
PE_TEST(layout_pe_task)
{
    static const struct line lines[] = {
        WHOLE(pe_task, 8),
        MEMBER(pe_task, resume, 0, 4),
        MEMBER(pe_task, result, 4, 4),
    };
    compare(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_region_options)
{
    static const struct line lines[] = {
        WHOLE(pe_region_options, 40),
        MEMBER(pe_region_options, size, 0, 8),
        MEMBER(pe_region_options, clock, 8, 4),
        MEMBER(pe_region_options, sample_every, 12, 4),
        MEMBER(pe_region_options, flags, 16, 8),
        MEMBER(pe_region_options, paths, 24, 4),
        MEMBER(pe_region_options, names, 28, 4),
        MEMBER(pe_region_options, events, 32, 8),
    };
    compare_sized(lines, COUNT(lines));
}

/* since 1.0 */
PE_TEST(layout_pe_report_options)
{
    static const struct line lines[] = {
        WHOLE(pe_report_options, 40),
        MEMBER(pe_report_options, size, 0, 8),
        MEMBER(pe_report_options, format, 8, 4),
        MEMBER(pe_report_options, sort, 12, 4),
        MEMBER(pe_report_options, flags, 16, 8),
        MEMBER(pe_report_options, rows, 24, 8),
        MEMBER(pe_report_options, match, 32, 8),
    };
    compare_sized(lines, COUNT(lines));
}

/* since 1.0; in arrays and in the callers' memory, where nothing can grow */
PE_TEST(layout_without_size)
{
    static const struct line lines[] = {
        WHOLE(pe_region_span, 64),
        WHOLE(pe_limit, 96),
        WHOLE(pe_call_link, 48),
        WHOLE(pe_local_key, 8),
        WHOLE(pe_file_entry, 32),
        MEMBER(pe_file_entry, name, 0, 8),
        MEMBER(pe_file_entry, kind, 8, 4),
        MEMBER(pe_file_entry, reserved, 12, 20),
    };
    compare(lines, COUNT(lines));
}

HARNESS_MAIN("layout")
