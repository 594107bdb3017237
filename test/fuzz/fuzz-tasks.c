/*
 * fuzz-tasks.c - the sized structs of loops, files, processes, offloading and awaiting, through the calls that take
 * them.
 *
 * The input is the members, but for pointers: those are set to something that is there, or to NULL. A call gives 0 or
 * an error that has a name; on an error nothing is handed out, and no descriptor is left. Programs that are started do
 * nothing; pools have no processes (stand-in.h), and break when the task that waits for one has had its turn.
 */
#include "fuzz.h"

#include <parexec/async.h>
#include <parexec/pool.h>

#include "expect.h"
#include "sized.h"
#include "stand-in.h"
#include "work.h"

#define ITEMS 3

static struct input input;
static pe_loop *loop;
static pe_pool *pool;

static void *choose(void *const *choices, size_t count)
{
    return choices[input_take(&input, 1) % count];
}

#define CHOOSE(...) choose((void *[]){ __VA_ARGS__ }, sizeof((void *[]){ __VA_ARGS__ }) / sizeof(void *))

/* ---- files ---- */

static int look_at_file(pe_task *t, void *frame)
{
    pe_file_info **info = frame;

    PE_BEGIN(t);
    if (input_take(&input, 1) % 2 == 0)
        PE_AWAIT(t, pe_file_stat(t, CHOOSE("/", "/nonexistent", "", NULL), (uint32_t)input_take(&input, 4), *info));
    else
        PE_AWAIT(t, pe_file_stat_fd(t, (int)input_take(&input, 4), *info));
    if (demand_named(t->result) >= 0)
        demand(t->result == 0 && (*info)->links > 0);
    PE_RETURN(t, 0);
    PE_END(t);
}

/* ---- processes ---- */

static pe_process_options *take_process_options(void)
{
    static char *const arguments[] = { "true", NULL }, *const none[] = { NULL };
    pe_process_options *options = take_struct(&input, sizeof *options);

    if (!is_whole(options, sizeof *options))
        return options;
    options->file = CHOOSE(NULL, "true", "/bin/true", "/nonexistent", "");
    options->argv = CHOOSE((void *)arguments, (void *)none, NULL);
    options->env = CHOOSE(NULL, (void *)none);
    options->cwd = CHOOSE(NULL, "/", "/nonexistent", "");
    return options;
}

static int run_process(pe_task *t, void *frame)
{
    static pe_process *process;
    static int exit_code, number;

    (void)frame;
    PE_BEGIN(t);
    process = NULL;
    pe_process_options *options = take_process_options();
    int result = demand_named(pe_process_spawn(loop, options, &process));
    free(options);
    demand((result == 0) == (process != NULL));
    if (result < 0)
        PE_RETURN(t, 0);
    exit_code = number = -1;
    PE_AWAIT(t, pe_process_wait(t, process, &exit_code, &number));
    demand(t->result == 0 && exit_code == 0 && number == 0);
    pe_process_free(process);
    PE_RETURN(t, 0);
    PE_END(t);
}

/* ---- elsewhere ---- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int offload(pe_task *t, void *frame)
{
    static unsigned char arg[64];
    static pe_status status;
    pe_offload_options **given = frame, *options = *given;

    PE_BEGIN(t);
    if (is_whole(options, sizeof *options)) {
        options->pool = options->pool != NULL ? pool : NULL;
        options->status = options->status != NULL ? &status : NULL;
        options->arg_bytes = options->arg_bytes >> 63 == 0 ? options->arg_bytes % (sizeof arg + 1) : 0;
    }
    status.kind = PE_RETURNED;
    PE_AWAIT(t, pe_offload(t, CHOOSE((void *)do_nothing, NULL), CHOOSE(arg, NULL), options));
    demand_named(t->result);
    demand(status.kind <= PE_OUT_OF_MEMORY);
    PE_RETURN(t, 0);
    PE_END(t);
}

static int submit(pe_task *t, void *frame)
{
    static pe_job *job;
    pe_job_options **options = frame;

    PE_BEGIN(t);
    job = NULL;
    PE_AWAIT(t, pe_await_submit(t, pool, work_job, NULL, 0, *options, &job));
    demand((demand_named(t->result) == 0) == (job != NULL));
    pe_job_free(job);
    PE_RETURN(t, 0);
    PE_END(t);
}

static int map(pe_task *t, void *frame)
{
    static uint64_t in[ITEMS], out[ITEMS];
    static pe_status statuses[ITEMS];
    pe_map_options **given = frame, *options = *given;

    PE_BEGIN(t);
    if (is_whole(options, sizeof *options)) {
        options->context = NULL;
        options->statuses = options->statuses != NULL ? statuses : NULL;
        options->summary = NULL;
        options->progress = options->progress != NULL ? work_progress : NULL;
    }
    PE_AWAIT(t, pe_await_map(t, pool, work_item, in, 8, out, 8, ITEMS, options));
    demand_named(t->result);
    PE_RETURN(t, 0);
    PE_END(t);
}

/* ---- one input ---- */

/* The pool of a task that waits for it breaks. */
static int leave(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_YIELD(t);
    stand_in_leave();
    PE_RETURN(t, 0);
    PE_END(t);
}

static void open_pool(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;

    options.workers = 2;
    options.queue_jobs = 4;
    options.shared_bytes = UINT64_C(1) << 22;
    options.flags = input_take(&input, 1) % 2 ? PE_POOL_INLINE : 0;
    demand(pe_pool_new(&options, &pool) == 0);
}

static void run(pe_task_fn *fn, void *given)
{
    demand(pe_spawn(loop, fn, &given, sizeof given, NULL) == 0 && pe_spawn(loop, leave, NULL, 0, NULL) == 0);
    demand(pe_loop_run(loop) == 0);
    free(given);
}

static void use_pool(uint64_t how)
{
    open_pool();
    switch (how) {
    case 0: run(offload, take_struct(&input, sizeof(pe_offload_options))); break;
    case 1: run(submit, take_struct(&input, sizeof(pe_job_options))); break;
    default: run(map, take_struct(&input, sizeof(pe_map_options)));
    }
}

static void look_at_figures(void)
{
    pe_loop_figures *figures = take_struct(&input, sizeof *figures);

    if (demand_named(pe_loop_stats(loop, figures)) == 0)
        demand(figures->live == 0);
    free(figures);
}

/* The first loop opens what libuv keeps. */
__attribute__((constructor)) static void open_what_stays(void)
{
    pe_loop *first;

    demand(pe_loop_new(NULL, &first) == 0);
    pe_loop_free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    int fds = open_fds();

    input = (struct input){ bytes, bytes + count };
    pool = NULL;
    demand(pe_loop_new(NULL, &loop) == 0);
    switch (input_take(&input, 1) % 8) {
    case 0: look_at_figures(); break;
    case 1: run(look_at_file, take_struct(&input, sizeof(pe_file_info))); break;
    case 2: run(run_process, NULL); break;
    case 3:
    case 4: use_pool(0); break;
    case 5: use_pool(1); break;
    default: use_pool(2);
    }
    pe_loop_free(loop);
    if (pool != NULL) {
        demand_named(pe_pool_kill(pool, PE_NOW));
        pe_pool_free(pool);
    }
    stand_in_leave();
    demand(open_fds() == fds);
    return 0;
}
