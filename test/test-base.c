/* The base room: sized structs, errors, version, list, fork detection. */
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <parexec/error.h>
#include <parexec/options.h>
#include <parexec/version.h>

#include "base/check.h"
#include "base/forked.h"
#include "base/list.h"
#include "harness/harness.h"
#include "harness/process.h"

#define SKIPPED 77

/* ---- sized structs ---- */

struct small {
    size_t size;
    uint64_t a;
};

struct known {
    size_t size;
    uint64_t a, b;
};

struct large {
    size_t size;
    uint64_t a, b, c;
};

PE_TEST(sized_null_gives_defaults)
{
    struct known copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(NULL, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.a, 0);
    ck_assert_uint_eq(copy.b, 0);
}
END_TEST

PE_TEST(sized_shorter_and_equal_structs_are_taken)
{
    struct small shorter = { sizeof shorter, 5 };
    struct known equal = { sizeof equal, 6, 7 }, copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(&shorter, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.a, 5);
    ck_assert_uint_eq(copy.b, 0);
    ck_assert_int_eq(pe__base_check_sized(&equal, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.a, 6);
    ck_assert_uint_eq(copy.b, 7);
}
END_TEST

PE_TEST(sized_longer_structs_must_end_in_zeroes)
{
    struct large longer = { sizeof longer, 5, 6, 0 };
    struct known copy = { 1, 2, 3 };

    ck_assert_int_eq(pe__base_check_sized(&longer, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.size, sizeof copy);
    ck_assert_uint_eq(copy.b, 6);
    copy.b = 9;
    for (size_t i = 0; i < sizeof longer.c; i++) {
        longer.c = 0;
        ((unsigned char *)&longer.c)[i] = 1;
        ck_assert_int_eq(pe__base_check_sized(&longer, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
        ck_assert_uint_eq(copy.b, 9);
    }
}
END_TEST

PE_TEST(sized_wrong_sizes_are_refused)
{
    static const size_t wrong[] = { 0, 1, sizeof(struct small) - 1, PE__BASE_SIZED_MAX_BYTES + 1, SIZE_MAX };
    struct known given = { 0, 1, 1 }, copy = { 1, 2, 3 };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        given.size = wrong[i];
        ck_assert_int_eq(pe__base_check_sized(&given, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
        ck_assert_int_eq(pe__base_fill_sized(&given, &copy, sizeof copy, sizeof(struct small)), PE_EINVAL);
        ck_assert_uint_eq(given.size, wrong[i]);
        ck_assert(given.a == 1 && given.b == 1);
        ck_assert(copy.size == 1 && copy.a == 2 && copy.b == 3);
    }
    given.size = sizeof given.size - 1;
    ck_assert_int_eq(pe__base_check_sized(&given, sizeof copy, 0, &copy), PE_EINVAL);
}
END_TEST

PE_TEST(sized_largest_struct_is_taken)
{
    static union {
        struct known head;
        unsigned char bytes[PE__BASE_SIZED_MAX_BYTES];
    } huge = { { PE__BASE_SIZED_MAX_BYTES, 8, 9 } };
    struct known copy;

    ck_assert_int_eq(pe__base_check_sized(&huge, sizeof copy, sizeof(struct small), &copy), 0);
    ck_assert_uint_eq(copy.b, 9);
    huge.bytes[sizeof huge - 1] = 1;
    ck_assert_int_eq(pe__base_check_sized(&huge, sizeof copy, sizeof(struct small), &copy), PE_EINVAL);
}
END_TEST

PE_TEST(sized_results_stay_within_the_callers_size)
{
    struct known full = { sizeof full, 5, 6 };
    struct known shorter = { sizeof(struct small), 1, 1 }, equal = { sizeof equal, 1, 1 };
    struct {
        struct large given;
        uint64_t beyond;
    } longer = { { sizeof(struct large), 1, 1, 1 }, 1 };

    ck_assert_int_eq(pe__base_fill_sized(&shorter, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(shorter.size == sizeof(struct small) && shorter.a == 5 && shorter.b == 1);
    ck_assert_int_eq(pe__base_fill_sized(&equal, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(equal.size == sizeof equal && equal.a == 5 && equal.b == 6);
    ck_assert_int_eq(pe__base_fill_sized(&longer, &full, sizeof full, sizeof(struct small)), 0);
    ck_assert(longer.given.size == sizeof(struct large) && longer.given.a == 5 && longer.given.b == 6);
    ck_assert(longer.given.c == 0 && longer.beyond == 1);
    ck_assert_int_eq(pe__base_fill_sized(NULL, &full, sizeof full, sizeof(struct small)), PE_EINVAL);
}
END_TEST

/* ---- errors and version ---- */

PE_TEST(error_list_has_names_and_texts)
{
#define LISTED(name, value, text) \
    ck_assert_int_eq(name, value); \
    ck_assert_str_eq(pe_err_name(value), #name); \
    ck_assert_str_eq(pe_strerror(value), text);
    PE_ERROR_LIST(LISTED)
#undef LISTED
}
END_TEST

PE_TEST(error_codes_outside_the_list_have_static_texts)
{
    const char *text;

    ck_assert_str_eq(pe_strerror(0), "success");
    ck_assert_str_eq(pe_err_name(0), "0");
    ck_assert_str_eq(pe_strerror(1), "unknown error");
    ck_assert_str_eq(pe_strerror(INT32_MAX), "unknown error");
    ck_assert_str_eq(pe_strerror(INT32_MIN), "unknown error");
    ck_assert_str_eq(pe_strerror(-5998), "unknown error");
    ck_assert_str_eq(pe_strerror(PE_ERROR_LAST_), "unknown error");
    ck_assert_str_eq(pe_err_name(1), "PE_EUNKNOWN");
    ck_assert_str_eq(pe_err_name(INT32_MIN), "PE_EUNKNOWN");
    ck_assert_str_eq(pe_err_name(-5998), "PE_EUNKNOWN");
    text = pe_strerror(-EXDEV);
    ck_assert_str_ne(text, "unknown error");
    ck_assert_ptr_eq(text, pe_strerror(-EXDEV));
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
    ck_assert_str_eq(text, "Invalid cross-device link");
    ck_assert_str_eq(pe_err_name(-EXDEV), "EXDEV");
    ck_assert_str_eq(pe_strerror(-4000), "unknown error");
#endif
#endif
}
END_TEST

PE_TEST(version_is_the_one_compiled_against)
{
    char text[32];

    ck_assert_int_eq(pe_version(), PE_VERSION_NUMBER);
    ck_assert_str_eq(pe_version_string(), PE_VERSION_STRING);
    snprintf(text, sizeof text, "%d.%d.%d", PE_VERSION_MAJOR, PE_VERSION_MINOR, PE_VERSION_PATCH);
    ck_assert_int_eq(strncmp(pe_version_string(), text, strlen(text)), 0);
    ck_assert_msg(strchr("-", pe_version_string()[strlen(text)]), "not of %s", text);
}
END_TEST

/* ---- list ---- */

struct entry {
    int number;
    struct pe__base_list node;
};

static int pop(struct pe__base_list *head)
{
    struct pe__base_list *node = pe__base_list_pop_front(head);

    return node ? PE__BASE_LIST_ENTRY(node, struct entry, node)->number : 0;
}

PE_TEST(list_keeps_order)
{
    struct pe__base_list head = PE__BASE_LIST_INIT(head);
    struct entry entries[4];
    int sum = 0;

    ck_assert(pe__base_list_empty(&head));
    ck_assert_ptr_null(pe__base_list_pop_front(&head));
    for (int i = 0; i < 4; i++)
        entries[i].number = i + 1;
    pe__base_list_push_back(&head, &entries[1].node);
    pe__base_list_push_back(&head, &entries[2].node);
    pe__base_list_push_front(&head, &entries[0].node);
    pe__base_list_push_back(&head, &entries[3].node);
    ck_assert(!pe__base_list_empty(&head));
    PE__BASE_LIST_EACH(node, &head)
        sum = sum * 10 + PE__BASE_LIST_ENTRY(node, struct entry, node)->number;
    ck_assert_int_eq(sum, 1234);
    pe__base_list_remove(&entries[2].node);
    pe__base_list_remove(&entries[2].node);
    ck_assert_int_eq(pop(&head), 1);
    ck_assert_int_eq(pop(&head), 2);
    ck_assert_int_eq(pop(&head), 4);
    ck_assert_int_eq(pop(&head), 0);
    ck_assert(pe__base_list_empty(&head));
}
END_TEST

PE_TEST(list_entries_may_go_while_walking)
{
    struct pe__base_list head;
    struct entry entries[4];

    pe__base_list_init(&head);
    for (int i = 0; i < 4; i++) {
        entries[i].number = i + 1;
        pe__base_list_push_back(&head, &entries[i].node);
    }
    PE__BASE_LIST_EACH_SAFE(node, after, &head)
        if (PE__BASE_LIST_ENTRY(node, struct entry, node)->number % 2)
            pe__base_list_remove(node);
    ck_assert_int_eq(pop(&head), 2);
    ck_assert_int_eq(pop(&head), 4);
    ck_assert(pe__base_list_empty(&head));
}
END_TEST

/* ---- fork detection ---- */

static uint64_t parent_token, child_token;

static int grandchild_differs(void)
{
    uint64_t token = 0;

    if (!pe__base_forked(parent_token) || !pe__base_forked(child_token))
        return 11;
    if (pe__base_forked_token(&token) != 0 || token == 0 || token == parent_token || token == child_token)
        return 12;
    return pe__base_forked(token) || !pe__base_forked(child_token) ? 13 : 0;
}

static int child_differs(void)
{
    uint64_t again = 0;

    if (!pe__base_forked(parent_token))
        return 1;
    if (pe__base_forked_token(&child_token) != 0 || child_token == 0 || child_token == parent_token)
        return 2;
    if (pe__base_forked(child_token) || !pe__base_forked(parent_token))
        return 3;
    if (pe__base_forked_token(&again) != 0 || again != child_token)
        return 4;
    return process_in_child(grandchild_differs);
}

static int child_without_token_of_its_own(void)
{
    return pe__base_forked(parent_token) ? process_in_child(child_differs) : 21;
}

static int whole_family(void)
{
    uint64_t again = 0;

    if (pe__base_forked_token(&parent_token) != 0 || parent_token == 0)
        return 31;
    if (pe__base_forked(parent_token) || pe__base_forked_token(&again) != 0 || again != parent_token)
        return 32;
    for (int i = 0; i < 2; i++) {
        int result = process_in_child(i ? child_differs : child_without_token_of_its_own);

        if (result != 0)
            return result;
    }
    return pe__base_forked(parent_token) ? 33 : 0;
}

PE_TEST(forked_tells_every_generation_apart)
{
    ck_assert_int_eq(whole_family(), 0);
}
END_TEST

static int without_wiping(void)
{
    return process_deny(SYS_madvise, EINVAL) ? whole_family() : SKIPPED;
}

PE_TEST(forked_works_on_kernels_that_do_not_wipe)
{
    int result = process_in_child(without_wiping);

    if (result == SKIPPED)
        HARNESS_SKIP("no seccomp here");
    ck_assert_int_eq(result, 0);
}
END_TEST

static int without_memory(void)
{
    uint64_t token = 0;

    harness_fail_from(HARNESS_MMAP, 1, ENOMEM);
    harness_fail_from(HARNESS_MALLOC, 1, ENOMEM);
    if (!pe__base_forked(1))
        return 1;
    return pe__base_forked_token(&token) != 0 || pe__base_forked(token) ? 2 : 0;
}

PE_TEST(forked_needs_no_memory)
{
    if (!harness_forks())
        HARNESS_SKIP("needs a process that has no token yet");
    ck_assert_int_eq(process_in_child(without_memory), 0);
}
END_TEST

static pthread_barrier_t together;

static void *take_token(void *ret_token)
{
    pthread_barrier_wait(&together);
    ck_assert_int_eq(pe__base_forked_token(ret_token), 0);
    return NULL;
}

PE_TEST_LOOP(forked_threads_get_one_token, 0, 20)
{
    pthread_t threads[4];
    uint64_t tokens[4];

    pthread_barrier_init(&together, NULL, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_token, &tokens[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(tokens[i], tokens[0]);
        ck_assert(!pe__base_forked(tokens[i]));
    }
    ck_assert(_i >= 0);
}
END_TEST

HARNESS_MAIN("base")
