/*
 * Regions of threads, signal handlers, forked children and workers: each has a table of its own, no count is lost, and
 * what a dead process has left does not harm the next one.
 */

#include "harness/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <parexec/options.h>
#include <parexec/region.h>

#include "report/profile.h"
#include "region/record.h"

#define THREADS 8

static struct pe__profile profile;

static void take_profile(void)
{
    pe__profile_free(&profile);
    ck_assert_int_eq(pe__profile_take(&profile), 0);
}

/* Sum over all tracks. */
static uint64_t count_calls(const char *name)
{
    uint64_t calls = 0;

    for (uint32_t i = 0; i < profile.node_count; i++)
        if (!strcmp(profile.labels[profile.nodes[i].label].name, name))
            calls += profile.nodes[i].calls;
    return calls;
}

static void start_threads(pthread_t *threads, int count, void *(*run)(void *), void *context)
{
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, context), 0);
}

static void join_threads(const pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static void in_threads(int count, void *(*run)(void *), void *context)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);

    ck_assert_ptr_nonnull(threads);
    start_threads(threads, count, run, context);
    join_threads(threads, count);
    free(threads);
}

static void *run_million(void *context)
{
    (void)context;
    for (int i = 0; i < 1000000; i++)
        PE_REGION("pair") {
        }
    return NULL;
}

PE_TEST(eight_threads_with_a_million_pairs_each)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    in_threads(THREADS, run_million, NULL);
    take_profile();
    ck_assert_uint_eq(count_calls("pair"), UINT64_C(8000000));
    ck_assert_uint_eq(profile.track_count, THREADS);
}
END_TEST

static void *end_inside(void *context)
{
    (void)context;
    pe_region_enter("left open");
    pe_region_enter("within");
    return NULL;
}

static void *end_in_line(void *context)
{
    (void)context;
    PE_LINE();
    PE_LINE();
    return NULL;
}

PE_TEST(a_line_needs_no_end)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    in_threads(1, end_in_line, NULL);
    take_profile();
    ck_assert_uint_eq(profile.track_count, 1);
    ck_assert(profile.tracks[0].ended);
    ck_assert_uint_eq(profile.tracks[0].unfinished, 0);
}
END_TEST

PE_TEST(a_thread_that_ends_inside)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    in_threads(1, end_inside, NULL);
    in_threads(1, run_million, NULL);
    take_profile();
    ck_assert_uint_eq(profile.track_count, 2);
    ck_assert_uint_eq(profile.tracks[0].unfinished, 2);
    ck_assert(profile.tracks[0].ended);
    ck_assert_uint_eq(count_calls("pair"), 1000000);
}
END_TEST

static void *run_once(void *context)
{
    (void)context;
    PE_REGION("once") {
    }
    return NULL;
}

/* A fresh track each as long as there are any, those of ended threads afterwards. */
PE_TEST(more_threads_than_tracks_one_after_the_other)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    for (int i = 0; i < PE__REGION_TRACKS + 50; i++)
        in_threads(1, run_once, NULL);
    take_profile();
    ck_assert_uint_eq(profile.track_count, PE__REGION_TRACKS);
    ck_assert_uint_eq(count_calls("once"), PE__REGION_TRACKS + 50);
    ck_assert_uint_eq(profile.processes[0].dropped_threads, 0);
}
END_TEST

static pthread_barrier_t all_here;

static void *run_together(void *context)
{
    (void)context;
    PE_REGION("together")
        pthread_barrier_wait(&all_here);
    PE_REGION("together") {
    }
    return NULL;
}

PE_TEST(more_threads_than_tracks_at_once)
{
    int count = PE__REGION_TRACKS + 4;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pthread_barrier_init(&all_here, NULL, (unsigned)count);
    in_threads(count, run_together, NULL);
    take_profile();
    ck_assert_uint_eq(profile.processes[0].dropped_threads, 4);
    ck_assert_uint_eq(count_calls("together"), 2 * PE__REGION_TRACKS);
}
END_TEST

/* ---- handlers ---- */

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    char name[24] = "handler 0000";

    (void)number;
    name[8] = (char)('0' + handled / 1000 % 10);
    name[9] = (char)('0' + handled / 100 % 10);
    name[10] = (char)('0' + handled / 10 % 10);
    name[11] = (char)('0' + handled % 10);
    pe_region_enter(name);
    PE_REGION("in handler")
        handled++;
    pe_region_leave(name);
}

static void *send_signals(void *target)
{
    while (handled < 300)
        pthread_kill(*(pthread_t *)target, SIGUSR1);
    return NULL;
}

PE_TEST(handlers_interrupt_first_uses)
{
    struct sigaction action = { .sa_handler = on_signal };
    pthread_t self = pthread_self(), sender;
    uint64_t mine = 0;
    char name[32];

    ck_assert_int_eq(pe_region_enable(1), 0);
    sigaction(SIGUSR1, &action, NULL);
    ck_assert_int_eq(pthread_create(&sender, NULL, send_signals, &self), 0);
    for (; handled < 300 || mine < 600; mine++) {
        snprintf(name, sizeof name, "mine %d", (int)(mine % 600));
        pe_region_enter(name);
        pe_region_leave(name);
    }
    pthread_join(sender, NULL);
    take_profile();
    ck_assert_uint_eq(profile.tracks[0].unmatched, 0);
    ck_assert_uint_eq(profile.tracks[0].crossed, 0);
    ck_assert_uint_le(count_calls("in handler"), (uint64_t)handled);
    ck_assert_uint_ge(count_calls("in handler") + profile.tracks[0].dropped_calls, (uint64_t)handled);
}
END_TEST

/* ---- forks ---- */

static int end_of(pid_t child)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void *run_for_ever(void *stop)
{
    char name[32];

    for (int i = 0; !atomic_load((atomic_int *)stop); i++) {
        snprintf(name, sizeof name, "name %d", i);
        pe_region_enter(name);
        pe_region_leave(name);
    }
    return NULL;
}

/* 0: the child has just what it did itself. */
static int look_in_child(void)
{
    pthread_t thread;

    PE_REGION("child") {
    }
    if (pthread_create(&thread, NULL, run_once, NULL) || pthread_join(thread, NULL))
        return 2;
    pe_region_leave("parent");
    pe_region_leave("parent");
    pe__profile_free(&profile);
    if (pe__profile_take(&profile))
        return 3;
    if (count_calls("parent") != 0 || count_calls("pair") != 0)
        return 4;
    if (count_calls("child") != 1 || count_calls("once") != 1 || profile.track_count != 2)
        return 5;
    return profile.tracks[0].unmatched == 1 ? 0 : 6;
}

PE_TEST(a_child_begins_empty)
{
    pid_t child;

    ck_assert_int_eq(pe_region_enable(1), 0);
    in_threads(2, run_million, NULL);
    PE_REGION("parent") {
        child = fork();
        if (child == 0)
            _exit(look_in_child());
        ck_assert_int_eq(end_of(child), 0);
    }
    take_profile();
    ck_assert_uint_eq(count_calls("child"), 0);
    ck_assert_uint_eq(count_calls("parent"), 1);
}
END_TEST

/* 0: it got out of `inherited` regions that it had not entered without a complaint, and that was all. */
static int leave_in_child(int inherited)
{
    if (inherited % 2)
        PE_REGION("child") {
        }
    for (int i = 0; i < inherited; i++)
        pe_region_leave(i % 2 ? NULL : "outer");
    pe__profile_free(&profile);
    if (pe__profile_take(&profile))
        return 1;
    for (uint32_t i = 0; i < profile.track_count; i++)
        if (profile.tracks[i].unmatched || profile.tracks[i].crossed || profile.tracks[i].unfinished)
            return 2;
    pe_region_leave("outer");
    pe__profile_free(&profile);
    if (pe__profile_take(&profile))
        return 3;
    return profile.tracks[0].unmatched == 1 ? 0 : 4;
}

static void fork_and_leave(int inherited)
{
    pid_t child = fork();

    if (child == 0)
        _exit(leave_in_child(inherited));
    ck_assert_int_eq(end_of(child), 0);
}

/* Lines are not left, and regions without a place (they are nested too deep) are. */
PE_TEST(a_child_leaves_what_its_parent_was_in)
{
    ck_assert_int_eq(pe_region_enable(1), 0);
    fork_and_leave(0);
    pe_region_enter("outer");
    fork_and_leave(1);
    pe_region_enter("inner");
    PE_LINE();
    fork_and_leave(2);
    for (int i = 2; i < PE__REGION_DEPTH_MOST + 7; i++)
        pe_region_enter("deep");
    fork_and_leave(PE__REGION_DEPTH_MOST + 7);
    for (int i = 0; i < PE__REGION_DEPTH_MOST + 7; i++)
        pe_region_leave(NULL);
    fork_and_leave(0);
    take_profile();
    ck_assert_uint_eq(profile.tracks[0].unmatched, 0);
}
END_TEST

/* What the first child has left its own child does not inherit. */
PE_TEST(a_child_of_a_child_leaves_what_both_were_in)
{
    pid_t child;

    ck_assert_int_eq(pe_region_enable(1), 0);
    pe_region_enter("outer");
    pe_region_enter("inner");
    child = fork();
    if (child == 0) {
        pe_region_leave("inner");
        pe_region_enter("child");
        fork_and_leave(2);
        _exit(0);
    }
    ck_assert_int_eq(end_of(child), 0);
    pe_region_leave("inner");
    pe_region_leave("outer");
}
END_TEST

/* The fork comes while other threads make places. */
PE_TEST(forks_in_the_middle_of_first_uses)
{
    pe_region_options options = { PE_SIZED(pe_region_options), .paths = 65536, .names = 65536 };
    atomic_int stop = 0;
    pthread_t threads[2];

    ck_assert_int_eq(pe_region_setup(&options), 0);
    ck_assert_int_eq(pe_region_enable(1), 0);
    start_threads(threads, 2, run_for_ever, &stop);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();

        if (child == 0) {
            PE_REGION("child") {
            }
            _exit(0);
        }
        ck_assert_int_eq(end_of(child), 0);
    }
    atomic_store(&stop, 1);
    join_threads(threads, 2);
}
END_TEST

/* ---- workers' tables ---- */

static const struct pe__region_geometry geometry = { 64, 128, 4 };

static void *new_table(void)
{
    void *table = mmap(NULL, pe__region_table_bytes(&geometry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                       0);

    ck_assert_ptr_ne(table, MAP_FAILED);
    return table;
}

static int work(void *table, bool crash)
{
    pid_t child = fork();

    if (child == 0) {
        pe__region_begin(table, &geometry, "worker 0", PE__MODE_ON | PE__MODE_TIMELINE);
        for (int i = 0; i < 1000; i++)
            PE_REGION("job") {
                PE_COUNT("n", i);
            }
        pe_region_enter("open");
        if (crash)
            raise(SIGKILL);
        pe__region_end();
        _exit(0);
    }
    return end_of(child);
}

static struct pe__region_table view;

static const struct pe__region_node *node_named(const char *name)
{
    for (uint32_t i = 0; i < atomic_load(&view.head->nodes); i++) {
        const struct pe__region_node *node = &view.nodes[i];
        if (node->ready && !strcmp(view.labels[node->ready - 1].name, name))
            return node;
    }
    ck_abort_msg("no node %s", name);
}

/* Three processes, one after the other, in one table: the first is killed inside a region. */
PE_TEST(a_worker_goes_on_where_another_died)
{
    void *table = new_table();

    pe__region_table_at(&view, table, &geometry);
    ck_assert_int_eq(work(table, true), 128 + SIGKILL);
    ck_assert_uint_ne(node_named("open")->start, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(work(table, false), 0);
    ck_assert_uint_eq(node_named("job")->calls, 3000);
    ck_assert_uint_eq(node_named("n")->calls, 3000);
    ck_assert_uint_eq(node_named("open")->start, 0);
    ck_assert_uint_eq(node_named("open")->unfinished, 3);
    ck_assert_uint_eq(view.head->nodes, 4);
    ck_assert_uint_eq(view.head->tracks, 1);
    ck_assert_uint_eq(view.head->lives, 3);
    ck_assert_uint_eq(view.tracks[0].unfinished, 2);
    ck_assert_str_eq(view.tracks[0].name, "worker 0");
    munmap(table, pe__region_table_bytes(&geometry));
}
END_TEST

static uint64_t random_state = 88172645463325252u;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* Random words, small numbers that look like indices, and one byte all over. */
static void fill(uint64_t *words, size_t count, int manner)
{
    for (size_t i = 0; i < count; i++)
        words[i] = manner == 0   ? draw()
                   : manner == 1 ? (draw() % 20) << 32 | draw() % 20
                                 : (uint64_t)manner * 0x0101010101010101;
}

/* Nothing in a table is believed: a worker neither crashes nor hangs, and its own regions end. */
PE_TEST_LOOP(garbage_in_a_worker_s_table, 0, 6)
{
    static const int manners[] = { 0, 1, 1, 1, 255, 17 };
    size_t bytes = pe__region_table_bytes(&geometry);
    void *table = new_table();

    for (int i = 0; i < 20; i++) {
        fill(table, bytes / 8, manners[_i]);
        ck_assert_int_eq(work(table, false), 0);
        ck_assert_int_eq(work(table, true), 128 + SIGKILL);
        ck_assert_int_eq(work(table, false), 0);
    }
    munmap(table, bytes);
}
END_TEST

/* Sound but for the parents, which are far outside, the node itself, or one behind it: these nodes are nobody's. */
PE_TEST_LOOP(wild_parents_in_a_worker_s_table, 0, 3)
{
    static const uint32_t parents[] = { 0x7fffff00, 2, 3 };
    void *table = new_table();

    pe__region_table_at(&view, table, &geometry);
    ck_assert_int_eq(work(table, true), 128 + SIGKILL);
    ck_assert_uint_eq(view.head->nodes, 4);
    view.nodes[2].parent = parents[_i];
    ck_assert_int_eq(work(table, false), 0);
    ck_assert_uint_eq(view.head->nodes, 5);
    munmap(table, pe__region_table_bytes(&geometry));
}
END_TEST

/* A worker's own child does not write to the pool's table. */
PE_TEST(a_child_of_a_worker_has_its_own_table)
{
    void *table = new_table();
    pid_t worker;

    pe__region_table_at(&view, table, &geometry);
    worker = fork();
    if (worker == 0) {
        pe__region_begin(table, &geometry, "worker 0", PE__MODE_ON);
        pe_region_enter("outer");
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 5; i++)
                PE_REGION("child's") {
                }
            pe_region_leave("outer");
            _exit(0);
        }
        int error = end_of(child);
        pe_region_leave("outer");
        _exit(error);
    }
    ck_assert_int_eq(end_of(worker), 0);
    ck_assert_uint_eq(node_named("outer")->calls, 1);
    for (uint32_t i = 0; i < view.head->labels; i++)
        ck_assert_str_ne(view.labels[i].name, "child's");
    munmap(table, pe__region_table_bytes(&geometry));
}
END_TEST

HARNESS_MAIN("region-threads")
