#include "table/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option common[] = {
    { "quick", no_argument, NULL, 'q' },
    { "list", no_argument, NULL, 'l' },
    { "rounds", required_argument, NULL, 'r' },
    { "only", required_argument, NULL, 'o' },
    { "help", no_argument, NULL, 'h' },
};

#define COMMON_COUNT (sizeof(common) / sizeof(*common))
#define OWN_MAX      (sizeof(((struct arguments_rules *)0)->own) / sizeof(struct own_option))
#define OWN_FIRST    256 /* the number of the first of its own options */

static void print_usage(const struct arguments_rules *rules, FILE *file)
{
    fprintf(file, "usage: bench/run %s %s", rules->bench, rules->usage);
}

static int add_only(struct arguments *arguments, const struct arguments_rules *rules, const char *key)
{
    if (!rules->has(key)) {
        fprintf(stderr, "%s: no %s \"%s\"; --list shows them\n", rules->bench, rules->noun, key);
        return -1;
    }
    if (arguments->only_count < ARGUMENTS_ONLY_MAX)
        arguments->only[arguments->only_count++] = key;
    return 0;
}

static int set_rounds(struct arguments *arguments, const struct arguments_rules *rules, const char *text)
{
    uint64_t rounds;
    if (bench_parse_count(text, &rounds) < 0 || rounds < rules->rounds_least || rounds > rules->rounds_most) {
        fprintf(stderr, "%s: --rounds takes %u to %u\n", rules->bench, (unsigned)rules->rounds_least,
                (unsigned)rules->rounds_most);
        return -1;
    }
    arguments->measure.rounds = (uint32_t)rounds;
    return 0;
}

static int apply_option(struct arguments *arguments, const struct arguments_rules *rules, int option)
{
    if (option >= OWN_FIRST) {
        const struct own_option *own = &rules->own[option - OWN_FIRST];
        if (own->flag)
            *own->flag = 1;
        else
            *own->value = optarg;
        return 0;
    }
    switch (option) {
    case 'q':
        arguments->measure.quick = 1;
        return 0;
    case 'l':
        arguments->list = 1;
        return 0;
    case 'r':
        return set_rounds(arguments, rules, optarg);
    case 'o':
        return add_only(arguments, rules, optarg);
    case 'h':
        print_usage(rules, stdout);
        exit(0);
    default:
        print_usage(rules, stderr);
        return -1;
    }
}

int arguments_parse(struct arguments *arguments, const struct arguments_rules *rules, int argc, char **argv)
{
    struct option options[COMMON_COUNT + OWN_MAX + 1] = { { NULL, 0, NULL, 0 } };
    int option;
    memcpy(options, common, sizeof(common));
    for (size_t i = 0; i < OWN_MAX && rules->own[i].name; i++)
        options[COMMON_COUNT + i] = (struct option){ rules->own[i].name,
                                                     rules->own[i].flag ? no_argument : required_argument, NULL,
                                                     OWN_FIRST + (int)i };
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (apply_option(arguments, rules, option) < 0)
            return -1;
    if (optind < argc) {
        print_usage(rules, stderr);
        return -1;
    }
    return 0;
}

int arguments_want(const struct arguments *arguments, const char *key)
{
    for (int i = 0; i < arguments->only_count; i++)
        if (strcmp(arguments->only[i], key) == 0)
            return 1;
    return arguments->only_count == 0;
}
