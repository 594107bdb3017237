#!/bin/sh
# test-region-macros.sh LIBRARY: the macros of region.h and task_region.h in each dialect of C and C++, without a warning; with exceptions,
# lambdas and templates in C++; with PE_REGION_DISABLE they leave nothing in the object file.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

library=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strict='-pedantic -Wall -Wextra -Wshadow -Werror -Iinclude'

cat >"$work/use.c" <<'END'
#include <parexec/region.h>

int use(int n);
int use(int n)
{
    int sum = 0;

    PE_REGION_SCOPE("scope");
    PE_LINE();
    for (int i = 0; i < n; i++) {
        PE_REGION("outer") {
            PE_REGION_SCOPE("inner scope");
            PE_REGION("inner") PE_REGION("same line")
                sum += i;
            if (i == 7)
                return sum;
            PE_COUNT("sum", sum);
        }
        PE_MARK("mark");
        PE_LINE();
    }
    return sum;
}
END
cp "$work/use.c" "$work/use.cc"

cat >"$work/task.c" <<'END'
#include <parexec/async.h>

struct frame {
    pe_task_region outer, inner, last;
    int at;
};

int work(pe_task *t, void *memory);
int work(pe_task *t, void *memory)
{
    struct frame *f = (struct frame *)memory;

    PE_BEGIN(t);
    PE_TASK_REGION(t, &f->outer, "outer") {
        for (f->at = 0; f->at < 9; f->at++) {
            PE_TASK_REGION(t, &f->inner, "inner") PE_TASK_REGION(t, &f->last, "same line")
                PE_TRY(t, pe_sleep(t, 1));
            if (f->at == 7)
                PE_TASK_REGION(t, &f->inner, "if")
                    PE_YIELD(t);
            else
                PE_TASK_REGION(t, &f->inner, "else")
                    continue;
        }
        PE_REGION("region without a wait")
            f->at++;
    }
    PE_END(t);
}
END
cp "$work/task.c" "$work/task.cc"

cat >"$work/run.cc" <<'END'
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include <parexec.h>

template <typename T> static T twice(T value)
{
    PE_REGION_SCOPE("template");
    return value + value;
}

static void fail(int depth)
{
    PE_REGION("thrown through") {
        PE_REGION_SCOPE("scope thrown through");
        if (depth == 0)
            throw std::runtime_error("thrown");
        fail(depth - 1);
    }
}

int main()
{
    if (pe_region_enable(1))
        return 2;
    PE_REGION("caught") {
        try {
            fail(3);
        } catch (const std::runtime_error &) {
            PE_MARK("handled");
        }
    }
    auto lambda = [](int n) {
        PE_REGION_SCOPE("lambda");
        return twice(n) + static_cast<int>(twice(std::string("x")).size());
    };
    if (lambda(1) != 4)
        return 3;
    return pe_report_write("/dev/stdout", PE_REPORT_JSON) != 0;
}
END

cat >"$work/inside.c" <<'END'
#include <parexec/region.h>

#define MUST_NOT_BE_INSIDE() _Static_assert(!PE__IS_INSIDE_REGION(), "inside a region")

int resume(int at);
int resume(int at)
{
    MUST_NOT_BE_INSIDE();
    PE_REGION("outer") {
        PE_REGION("inner")
            at++;
        IN_REGION
    }
    {
        PE_REGION_SCOPE("scope");
        IN_SCOPE
    }
    MUST_NOT_BE_INSIDE();
    return at;
}
END

compiles() { # COMPILER STANDARD SUFFIX
    # shellcheck disable=SC2086 # lists of words
    $1 "-std=$2" $strict -O2 -c -o "$work/$3.o" "$work/use.$3" &&
        $1 "-std=$2" $strict -DPE_REGION_DISABLE -c -o "$work/$3-none.o" "$work/use.$3" &&
        $1 "-std=$2" $strict -O2 -c -o "$work/task-$3.o" "$work/task.$3" &&
        $1 "-std=$2" $strict -DPE_TASK_SWITCH -O2 -c -o "$work/task-$3.o" "$work/task.$3" &&
        $1 "-std=$2" $strict -DPE_REGION_DISABLE -c -o "$work/task-$3-none.o" "$work/task.$3"
}

try_dialect() {
    if ! command -v "${1%% *}" >/dev/null 2>&1; then
        skip "$1 as $2" "no $1 here"
        return
    fi
    check "the macros, $1 as $2" compiles "$1" "$2" "$3"
}

tells_inside() { # COMPILER
    # shellcheck disable=SC2086 # lists of words
    set -- $1 -std=c11 $strict -fsyntax-only "$work/inside.c"
    "$@" -DIN_REGION= -DIN_SCOPE= && ! "$@" '-DIN_REGION=MUST_NOT_BE_INSIDE();' -DIN_SCOPE= 2>/dev/null &&
        ! "$@" -DIN_REGION= '-DIN_SCOPE=MUST_NOT_BE_INSIDE();' 2>/dev/null
}

leaves_nothing() {
    ! nm "$work/c-none.o" | grep -i pe_ && ! nm "$work/task-c-none.o" | grep region &&
        ! strings "$work/c-none.o" "$work/task-c-none.o" | grep 'same line'
}
leaves_something() {
    nm "$work/c.o" | grep -q 'U pe_region_enter_site' && nm "$work/task-c.o" | grep -q 'U pe_task_region_enter' &&
        strings "$work/c.o" | grep -q 'same line' && strings "$work/task-c.o" | grep -q 'same line'
}

without_extensions() {
    printf '%s\n' '#include <parexec/region.h>' 'void use(void);' \
        'void use(void) { PE_REGION("plain") { PE_LINE(); PE_COUNT("n", 1); PE_MARK("m"); } }' >"$work/plain.c"
    $CC -std=c99 -U__GNUC__ -Iinclude -c -o "$work/plain.o" "$work/plain.c" || return 1
    for name in leave line count mark; do
        nm "$work/plain.o" | grep -q "U pe_region_$name\$" || return 1
    done
}

runs() {
    # shellcheck disable=SC2086 # lists of words
    ${CXX:-c++} -std=c++11 $strict -o "$work/run" "$work/run.cc" "$library" "-Wl,-rpath,$(dirname "$library")" &&
        "$work/run" >"$work/report" && grep -q '"unmatched":0,"crossed":0' "$work/report" &&
        grep -q '"thrown through"' "$work/report" && grep -q '"name":"lambda"' "$work/report"
}

CC=${CC:-cc}
for compiler in "$CC" clang; do
    for standard in c99 c11 c17; do
        try_dialect "$compiler" "$standard" c
    done
done
for compiler in "${CXX:-c++}" clang++; do
    for standard in c++11 c++17 c++20; do
        try_dialect "$compiler" "$standard" cc
    done
done
compiles "$CC" c11 c >/dev/null 2>&1
check 'switched on, the object file has calls and names' leaves_something
check 'with PE_REGION_DISABLE it has none' leaves_nothing
check 'all but scopes without extensions of gcc' without_extensions
for compiler in "$CC" clang; do
    if command -v "${compiler%% *}" >/dev/null 2>&1; then
        check "inside a region or not, $compiler" tells_inside "$compiler"
    else
        skip "inside a region or not, $compiler" "no $compiler here"
    fi
done
if ! command -v "${CXX:-c++}" >/dev/null 2>&1; then
    skip 'exceptions, lambdas and templates' 'no C++ compiler here'
elif ! echo '#include <features.h>' | $CC -E -dM - | grep -q __GLIBC__; then
    skip 'exceptions, lambdas and templates' 'no C++ library for this C library'
elif nm -D "$library" | grep -q ' U __[a-z]*san_'; then
    skip 'exceptions, lambdas and templates' "the library's sanitizer has to be the program's too"
else
    check 'exceptions, lambdas and templates' runs
fi
finish
