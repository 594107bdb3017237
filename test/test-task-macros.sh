#!/bin/sh
# test-task-macros.sh LIBRARY: the macros of task.h in each dialect of C and C++, as jumps and as a switch, without a
# warning; a program that does the same in all of them, however it is optimised; and what the compiler says where a wait
# cannot stand.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

library=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict='-pedantic -Wall -Wextra -Wshadow -Werror -Iinclude'
CC=${CC:-cc}
CXX=${CXX:-c++}

# C and C++ alike: no variable in the body has an initial value where a wait comes in its scope.
cat >"$work/use.c" <<'END_OF_C'
#include <stdio.h>
#include <stdlib.h>

#include <parexec.h>

struct part {
    int count;
    int i;
};

struct whole {
    struct part part;
    pe_call_link call;
    pe_limit limit;
    pe_task *child;
    int i, j;
};

static void say(const char *what, int number)
{
    printf("%s %d\n", what, number);
}

static int sum_up(pe_task *t, void *frame)
{
    struct part *f = (struct part *)frame;

    PE_BEGIN(t);
    for (f->i = 0; f->i < f->count; f->i++) {
        PE_YIELD(t);
        if (f->i == 3)
            PE_RETURN(t, 100 + f->i);
    }
    PE_RETURN(t, f->i);
    PE_END(t);
}

static int fail_early(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_TRY(t, pe_sleep(t, 1));
    PE_TRY(t, pe_sleep(t, -1));
    say("never", 0);
    PE_END(t);
}

static int sleep_on(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_AWAIT(t, pe_sleep(t, PE_FOREVER));
    PE_RETURN(t, t->result);
    PE_END(t);
}

static int first_waits(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    PE_YIELD(t);
    PE_END(t);
}

static int no_waits(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    say("no waits", 1);
    PE_END(t);
}

#if defined(__GNUC__) && !defined(__cplusplus) && !defined(PE_TASK_SWITCH)
#define IN_SWITCH(t, value, first, second) \
    switch (value) { \
    case 0: \
        PE_AWAIT(t, first); \
        break; \
    default: \
        PE_AWAIT(t, second); \
    }
#else
#define IN_SWITCH(t, value, first, second) \
    if ((value) == 0) \
        PE_AWAIT(t, first); \
    else \
        PE_AWAIT(t, second);
#endif

static int do_all(pe_task *t, void *frame)
{
    struct whole *f = (struct whole *)frame;
    int value;

    PE_BEGIN(t);
    for (f->i = 0; f->i < 3; f->i++) {
        f->j = 0;
        while (f->j < 2) {
            if (f->j == 0)
                PE_AWAIT(t, pe_sleep(t, 1));
            else
                PE_YIELD(t);
            say("slept", t->result);
            f->j++;
        }
        f->part.count = f->i * 2;
        PE_AWAIT(t, pe_call(t, &f->call, sum_up, &f->part));
        say("sum", t->result);
        IN_SWITCH(t, f->i, pe_sleep(t, 2), pe_call(t, &f->call, first_waits, NULL))
        say("switch", t->result);
    }
    do {
        PE_AWAIT(t, pe_call(t, &f->call, fail_early, NULL));
    } while (t->result >= 0);
    say("failed", t->result == PE_EINVAL);
    PE_AWAIT(t, pe_call(t, &f->call, no_waits, NULL));
    value = pe_spawn(pe_task_loop(t), sleep_on, NULL, 0, &f->child);
    say("spawn", value);
    PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(1)), pe_await(t, f->child));
    say("limit", t->result == PE_ETIMEDOUT);
    pe_task_free(f->child);
    { int before; before = 1; say("inner", before); PE_YIELD(t); before = 2; say("inner", before); }
    if (t->result == 0)
        goto out;
    PE_YIELD(t);
    say("never", 1);
out:
    f->part.count = 9;
    f->part.i = 0;
    PE_AWAIT(t, pe_call(t, &f->call, sum_up, &f->part));
    PE_RETURN(t, t->result);
    PE_END(t);
}

int main(void)
{
    struct whole *f = (struct whole *)calloc(1, sizeof *f);
    int value = 0;
    int result = f != NULL ? pe_run(do_all, f, &value) : PE_ENOMEM;

    free(f);
    say("result", result);
    say("value", value);
    return 0;
}
END_OF_C
cp "$work/use.c" "$work/use.cc"

printf '%s\n' 'slept 0' 'slept 0' 'sum 0' 'switch 0' 'slept 0' 'slept 0' 'sum 2' 'switch 0' 'slept 0' 'slept 0' \
    'sum 103' 'switch 0' 'failed 1' 'no waits 1' 'spawn 0' 'limit 1' 'inner 1' 'inner 2' 'result 0' 'value 103' \
    >"$work/wanted"

# A wait at places that are named; the rest of the function is right.
cat >"$work/place.c" <<'END_OF_C'
#include <parexec.h>

int place(pe_task *t, void *frame);
int place(pe_task *t, void *frame)
{
    int *number = (int *)frame;

    BEFORE
    PE_BEGIN(t);
    (void)number;
    INSIDE
    PE_YIELD(t);
    PE_END(t);
    AFTER
}
END_OF_C
cp "$work/place.c" "$work/place.cc"

has() { command -v "${1%% *}" >/dev/null 2>&1; }
is_cpp() { case $1 in *++*) return 0 ;; *) return 1 ;; esac; }
suffix() { if is_cpp "$1"; then echo cc; else echo c; fi; }

compiles() { # COMPILER FLAGS
    # shellcheck disable=SC2086 # lists of words
    $1 $2 $strict -O2 -c -o "$work/use.o" "$work/use.$(suffix "$1")"
}

runs() { # COMPILER FLAGS
    # shellcheck disable=SC2086 # lists of words
    $1 $2 $strict -o "$work/use" "$work/use.$(suffix "$1")" "$library" "-Wl,-rpath,$(dirname "$library")" &&
        "$work/use" >"$work/said" && diff "$work/wanted" "$work/said"
}

# COMPILER FLAGS WHERE CODE PATTERN: that it is refused, with a message like this.
is_refused() {
    # shellcheck disable=SC2086 # lists of words
    set -- "$1" "$2" "$3" "$4" "$5" $1 $2 -Iinclude -fsyntax-only
    where=$3 code=$4 pattern=$5 file=$work/place.$(suffix "$1")
    shift 5
    for place in BEFORE INSIDE AFTER; do
        if [ "$place" = "$where" ]; then set -- "$@" "-D$place=$code"; else set -- "$@" "-D$place="; fi
    done
    if "$@" "$file" >"$work/message" 2>&1; then
        echo "accepted"
        return 1
    fi
    cat "$work/message"
    grep -E "error: .*($pattern)" "$work/message" >/dev/null || grep -E "note: .*($pattern)" "$work/message" >/dev/null
}

# COMPILER FLAGS: everything that has to be refused by it.
refuses_wrong_places() {
    outside='PE_AWAIT_stands_between_PE_BEGIN_and_PE_END'
    if is_cpp "$1"; then
        region='crosses initialization|bypasses (variable )?initialization'
        is_refused "$1" "$2" INSIDE '{ int i = *number; PE_YIELD(t); *number = i; }' "$region" || return 1
    else
        region='PE_AWAIT_cannot_stand_inside_PE_REGION_but_inside_PE_TASK_REGION'
    fi
    is_refused "$1" "$2" INSIDE 'PE_REGION("r") { PE_YIELD(t); }' "$region" &&
        is_refused "$1" "$2" INSIDE 'PE_REGION("r") PE_REGION("s") if (*number) PE_YIELD(t);' "$region" &&
        is_refused "$1" "$2" INSIDE '{ PE_REGION_SCOPE("r"); { PE_YIELD(t); } }' "$region" &&
        is_refused "$1" "$2" INSIDE 'PE_REGION("r") PE_AWAIT_UNTIL(t, (pe_limit *)0, 0, pe_yield(t));' "$region" &&
        is_refused "$1" "$2" INSIDE 'PE_REGION("r") PE_TRY(t, pe_yield(t));' "$region" &&
        is_refused "$1" "$2" BEFORE 'PE_YIELD(t);' "$outside" &&
        is_refused "$1" "$2" AFTER 'PE_YIELD(t);' "$outside" &&
        is_refused "$1" "$2" AFTER '} int other(pe_task *t) { PE_YIELD(t); return 0;' "$outside" &&
        is_refused "$1" "$2" AFTER '} int other(pe_task *t) { PE_BEGIN(t); PE_YIELD(t);' 'expected|at end of input'
}

# A switch of the program's around a wait of the other form.
warns_of_switch() { # COMPILER FLAGS
    # shellcheck disable=SC2086 # lists of words
    is_refused "$1" "$2 -Werror" INSIDE 'switch (*number) { case 1: PE_YIELD(t); break; default: break; }' \
        'overflow|narrow'
}

# No copy of a task function is made for some of its calls: the places in it would be others.
is_never_copied() { # COMPILER
    printf '%s\n' '#include <parexec.h>' 'static int frame;' 'extern pe_task_fn *volatile elsewhere;' \
        'static int body(pe_task *t, void *f) { PE_BEGIN(t); while (++*(int *)f < 5) PE_YIELD(t); PE_END(t); }' \
        'int start(pe_task *t); int start(pe_task *t) { elsewhere = body; return body(t, &frame); }' >"$work/copy.c"
    eager=
    if $1 --version | grep -q 'Free Software'; then
        eager='--param ipa-cp-eval-threshold=0 --param ipa-cp-unit-growth=10000'
    fi
    # shellcheck disable=SC2086 # lists of words
    $1 -std=c11 -Iinclude -O3 $eager -c -o "$work/copy.o" "$work/copy.c" || return 1
    nm "$work/copy.o"
    [ "$(nm "$work/copy.o" | grep -c ' t body')" = 1 ]
}

each() { # NAME FUNCTION COMPILER FLAGS...
    what=$1 function=$2 compiler=$3
    shift 3
    for flags in "$@"; do
        if has "$compiler"; then
            check "$what, $compiler $flags" "$function" "$compiler" "$flags"
        else
            skip "$what, $compiler $flags" "no $compiler here"
        fi
    done
}

sanitized=no
! nm -D "$library" | grep -q ' U __[a-z]*san_' || sanitized=yes
for compiler in "$CC" clang; do
    each 'no warning' compiles "$compiler" -std=c99 -std=c11 '-std=c99 -DPE_TASK_SWITCH' '-std=c11 -DPE_TASK_SWITCH' \
        '-std=gnu17'
    each 'wrong places' refuses_wrong_places "$compiler" -std=c99 -std=c11 '-std=c99 -DPE_TASK_SWITCH' \
        '-std=c11 -DPE_TASK_SWITCH'
    each 'a switch around a wait' warns_of_switch "$compiler" '-std=c11 -DPE_TASK_SWITCH'
    each 'never copied' is_never_copied "$compiler" -std=c11
done
for compiler in "$CXX" clang++; do
    each 'no warning' compiles "$compiler" -std=c++11 -std=c++17
    each 'wrong places' refuses_wrong_places "$compiler" -std=c++11 -std=c++17
    each 'a switch around a wait' warns_of_switch "$compiler" -std=c++11
done
if [ $sanitized = yes ]; then
    skip 'a program that does the same in all forms' "the library's sanitizer has to be the program's too"
else
    for compiler in "$CC" clang; do
        each 'does the same' runs "$compiler" '-std=c11 -O0' '-std=c11 -O2' '-std=c11 -O3' '-std=c11 -Os' \
            '-std=c11 -O0 -DPE_TASK_SWITCH' '-std=c11 -O3 -DPE_TASK_SWITCH' '-std=c11 -O2 -fPIE -pie'
    done
    each 'does the same' runs "$CC" '-std=c11 -O3 -flto' '-std=c11 -O3 -flto -DPE_TASK_SWITCH'
    for compiler in "$CXX" clang++; do
        each 'does the same' runs "$compiler" '-std=c++11 -O0' '-std=c++17 -O3'
    done
fi
finish
