/*
 * Workers that share a CPU by chance: which of them goes to another one, and when none does. The workers are made up;
 * the CPUs are those of the test.
 */
#include "harness/harness.h"

#include <sched.h>
#include <stdbool.h>

#include "base/clock.h"
#include "worker/place.h"

#define WORKERS 2

struct scene {
    struct pe__config config;
    struct pe__bell_group group;
    struct pe__slot slots[WORKERS];
    struct pe__shared shared;
    struct pe__worker workers[WORKERS];
    cpu_set_t allowed;
    uint64_t now;
};

/* Two workers, both present and awake, who have begun to work. */
static void open_scene(struct scene *scene)
{
    *scene = (struct scene){ .config = { .workers = WORKERS, .cpus = WORKERS }, .now = pe__base_ticks() };
    scene->shared = (struct pe__shared){ .config = &scene->config, .groups = &scene->group, .slots = scene->slots };
    scene->group.present = pe__bell_bit(0) | pe__bell_bit(1);
    for (uint32_t i = 0; i < WORKERS; i++)
        scene->workers[i] = (struct pe__worker){
            .shared = &scene->shared, .index = i, .slot = &scene->slots[i], .group = &scene->group,
            .bit = pe__bell_bit(i)
        };
    ck_assert_int_eq(sched_getaffinity(0, sizeof scene->allowed, &scene->allowed), 0);
}

static bool has_cpus(const struct scene *scene)
{
    return CPU_COUNT(&scene->allowed) >= WORKERS;
}

/* This process is worker 0 and has worked for a while. True: it has gone to another CPU; in any case its affinity is as
 * before. The time to the next look tells, for the kernel may move the process too. */
static bool goes(struct scene *scene)
{
    struct pe__worker *worker = &scene->workers[0];
    cpu_set_t allowed;

    pe__worker_place_watch(worker, scene->now);
    scene->now += PE__PLACE_TICKS;
    pe__worker_place_watch(worker, scene->now);
    ck_assert_int_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    ck_assert(CPU_EQUAL(&allowed, &scene->allowed));
    return worker->place_due != UINT64_MAX && worker->place_due > scene->now + 2 * PE__PLACE_TICKS;
}

#define OPEN_SCENE_WITH_CPUS(scene) \
    open_scene(scene); \
    if (!has_cpus(scene)) \
        HARNESS_SKIP("one CPU")

PE_TEST(one_that_was_rung_where_it_slept_gets_the_cpu)
{
    struct scene scene;

    OPEN_SCENE_WITH_CPUS(&scene);
    pe__worker_place_rest(&scene.workers[1]);
    ck_assert(goes(&scene));
}

PE_TEST(so_does_one_that_works_on_the_same)
{
    struct scene scene;

    OPEN_SCENE_WITH_CPUS(&scene);
    pe__worker_place_watch(&scene.workers[1], scene.now);
    ck_assert(goes(&scene));
}

/* Tried until the kernel does not move the process in between. */
PE_TEST(the_one_that_goes_says_where_it_is)
{
    struct scene scene;
    uint64_t before, after;

    OPEN_SCENE_WITH_CPUS(&scene);
    do {
        scene.workers[0].place_due = 0;
        pe__worker_place_rest(&scene.workers[1]);
        before = scene.slots[1].place & 0xff;
        (void)goes(&scene);
        after = scene.slots[0].place & 0xff;
    } while (before == after);
    ck_assert_uint_gt(after, 0);
}

PE_TEST(one_that_sleeps_spins_or_is_not_there_needs_none)
{
    struct scene scene;

    OPEN_SCENE_WITH_CPUS(&scene);
    pe__worker_place_rest(&scene.workers[1]);
    scene.group.sleepers = pe__bell_bit(1);
    ck_assert(!goes(&scene));
    scene.group.sleepers = 0;
    scene.group.spinning = pe__bell_bit(1);
    ck_assert(!goes(&scene));
    scene.group.spinning = 0;
    scene.group.present = pe__bell_bit(0);
    ck_assert(!goes(&scene));
    scene.group.present |= pe__bell_bit(1);
    ck_assert(goes(&scene));
}

PE_TEST(an_old_note_of_one_that_works_does_not_count)
{
    struct scene scene;

    OPEN_SCENE_WITH_CPUS(&scene);
    pe__worker_place_watch(&scene.workers[1], scene.now);
    scene.now += UINT64_C(1) << 24;
    ck_assert(!goes(&scene));
}

PE_TEST(nobody_goes_where_there_is_no_place)
{
    struct scene scene;

    OPEN_SCENE_WITH_CPUS(&scene);
    pe__worker_place_rest(&scene.workers[1]);
    scene.config.affinity = 1;
    ck_assert(!goes(&scene));
    scene.workers[0].place_due = 0;
    scene.config.affinity = 0;
    scene.config.cpus = 1;
    ck_assert(!goes(&scene));
    scene.workers[0].place_due = 0;
    scene.config.cpus = WORKERS;
    ck_assert(goes(&scene));
}

/* Whatever stands there. */
PE_TEST(any_note_is_taken)
{
    struct scene scene;

    open_scene(&scene);
    for (int bit = 0; bit < 64; bit++) {
        scene.slots[1].place = ~(UINT64_C(1) << bit);
        (void)goes(&scene);
        scene.slots[1].place = UINT64_C(1) << bit;
        (void)goes(&scene);
        scene.workers[0].place_due = 0;
    }
}

HARNESS_MAIN("place")
