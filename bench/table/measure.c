/* One row, one process. The process is forked from a host without threads, so a row's thread pools,
 * pinning and memory are gone before the next row, and a contender that crashes or hangs costs its row
 * and nothing else; the figures come back through shared memory.
 *
 * Inside, every round runs each contender once, beginning with another one each time: whatever the
 * machine does meanwhile hits all alike. Before each turn there is a pause in which the threads of the
 * one before (OpenMP's and TBB's spin on for a while) fall asleep. One whole round comes first and is
 * not counted. Ours are opened first: their workers are forked before the rivals' threads exist. */

#include "table/measure.h"
#include "machine.h"

#include <math.h>
#include <parexec.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_NS       INT64_C(20000000)
#define QUICK_PAUSE_NS INT64_C(3000000)
#define ROW_SECONDS    600

struct turn {
    const struct contender *contender;
    struct answer *answer;
    void *state; /* NULL: never opened, or given up */
    int is_open;
};

static struct plan plan_for(const struct row *row, const struct contender *contender, int quick, char *note)
{
    uint64_t n = quick ? row->quick_n : row->n;
    if (contender->divisor > 1)
        n = n / contender->divisor + 1;
    if (contender->most > 0 && n > contender->most)
        n = contender->most;
    return (struct plan){
        .activity = row->activity,
        .workers = contender->workers ? contender->workers : row->workers,
        .n = n,
        .job_ns = quick && row->quick_job_ns ? row->quick_job_ns : row->job_ns,
        .bytes = quick ? row->quick_bytes : row->bytes,
        .variant = contender->variant,
        .ops = contender->ops,
        .note = note,
    };
}

static void give_up(struct turn *turn)
{
    struct answer *answer = turn->answer;
    if (!answer->note[0])
        snprintf(answer->note, NOTE_BYTES, "failed");
    answer->rounds = 0;
    answer->failed = turn->contender->role == OURS;
}

static void open_role(const struct row *row, struct turn *turns, enum role role, int quick)
{
    for (int i = 0; i < CONTENDERS_MAX && row->contenders[i].label; i++) {
        struct turn *turn = &turns[i];
        int gave_up = turn->answer->rounds == 0 && turn->answer->note[0];
        if (row->contenders[i].role != role || gave_up)
            continue;
        struct plan plan = plan_for(row, turn->contender, quick, turn->answer->note);
        turn->is_open = turn->contender->driver->open(&plan, &turn->state) >= 0;
        if (!turn->is_open)
            give_up(turn);
    }
}

static void take_turn(struct turn *turn, int64_t pause_ns, int counts)
{
    double values[METRICS_MAX] = { NAN, NAN, NAN };
    struct answer *answer = turn->answer;
    machine_sleep_ns(pause_ns);
    if (turn->contender->driver->run(turn->state, values) < 0) {
        give_up(turn);
        turn->contender->driver->close(turn->state);
        turn->is_open = 0;
        return;
    }
    if (!counts)
        return;
    for (int metric = 0; metric < METRICS_MAX; metric++)
        answer->values[metric][answer->rounds] = values[metric];
    answer->rounds++;
}

static void run_rounds(struct turn *turns, int count, const struct measure_options *options)
{
    int64_t pause_ns = options->quick ? QUICK_PAUSE_NS : PAUSE_NS;
    for (uint32_t round = 0; round <= options->rounds; round++)
        for (int i = 0; i < count; i++) {
            struct turn *turn = &turns[((uint32_t)i + round + options->first) % (uint32_t)count];
            if (turn->is_open)
                take_turn(turn, pause_ns, round > 0);
        }
}

static void run_row(const struct row *row, const struct measure_options *options, struct outcome *outcome)
{
    struct turn turns[CONTENDERS_MAX] = { 0 };
    int cpu, count = 0;
    if (row->one_cpu && machine_cpus(&cpu, 1) == 1)
        machine_pin(cpu);
    for (; count < CONTENDERS_MAX && row->contenders[count].label; count++)
        turns[count] =
            (struct turn){ .contender = &row->contenders[count], .answer = &outcome->answers[count] };
    open_role(row, turns, OURS, options->quick);
    open_role(row, turns, LIMIT, options->quick);
    open_role(row, turns, RIVAL, options->quick);
    run_rounds(turns, count, options);
    for (int i = 0; i < count; i++)
        if (turns[i].is_open)
            turns[i].contender->driver->close(turns[i].state);
}

/* The child's own regions, and those of the workers of its pools. */
static void run_row_measured(const struct row *row, const struct measure_options *options, struct outcome *outcome)
{
    pe_report_options report = PE_REPORT_OPTIONS_INIT;
    int error = pe_region_enable(1);
    run_row(row, options, outcome);
    report.flags = PE_REPORT_PER_PROCESS;
    if (error == 0)
        error = pe_report(stdout, &report);
    if (error < 0)
        fprintf(stderr, "the regions cannot be shown: %s\n", pe_strerror(error));
    fflush(stdout);
}

/* What became of the row's process, in the note of whoever has no figure. Ours lose theirs: they may be to
 * blame. */
static void note_death(const struct row *row, struct outcome *outcome, int status)
{
    for (int i = 0; i < CONTENDERS_MAX && row->contenders[i].label; i++) {
        struct answer *answer = &outcome->answers[i];
        if (row->contenders[i].role == OURS) {
            answer->failed = 1;
            answer->rounds = 0;
        }
        if (answer->note[0])
            continue;
        answer->rounds = 0;
        if (WTERMSIG(status) == SIGALRM)
            snprintf(answer->note, NOTE_BYTES, "the row took longer than %d s", ROW_SECONDS);
        else
            snprintf(answer->note, NOTE_BYTES, "the row ended by signal %d", WTERMSIG(status));
    }
}

void measure_row(const struct row *row, const struct measure_options *options, struct outcome *outcome)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        alarm(ROW_SECONDS);
        if (options->profile)
            run_row_measured(row, options, outcome);
        else
            run_row(row, options, outcome);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        continue;
    if (WIFSIGNALED(status))
        note_death(row, outcome, status);
}

int measure_stat(const struct answer *answer, int metric, bench_stat *ret_stat)
{
    double values[MEASURE_ROUNDS_MAX];
    memcpy(values, answer->values[metric], answer->rounds * sizeof(*values));
    if (answer->rounds == 0 || isnan(values[0]))
        return -1;
    *ret_stat = bench_stat_of(values, answer->rounds);
    return 0;
}
