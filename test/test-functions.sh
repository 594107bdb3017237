#!/bin/sh
# test-functions.sh BUILD: programs of all kinds whose functions are regions, as the report of each shows them. What is
# to be profiled is instrumented; main.c, which switches on and reports, is not.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

source=$(pwd)
cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CFLAGS CXXFLAGS LDFLAGS PAREXEC_PROFILE PAREXEC_PROFILE_EXCLUDE PAREXEC_PROFILE_ONLY
libraries="$build/lib/libparexec-functions.a $build/lib/libparexec.so"
LD_LIBRARY_PATH=$build/lib
export LD_LIBRARY_PATH
instrument='-O2 -finstrument-functions'
case $($cc --version) in
*clang*) ;;
*) instrument="$instrument -finstrument-functions-exclude-file-list=/usr/include/,/usr/lib/gcc/" ;;
esac

cat >"$work/main.c" <<'TEXT'
#include <parexec.h>

#ifdef __cplusplus
extern "C"
#endif
void run(void);

int main(void)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    options.format = PE_REPORT_CSV;
    if (pe_region_enable(1) < 0)
        return 2;
    run();
    return pe_report(stdout, &options) < 0 ? 3 : 0;
}
TEXT

cat >"$work/plain.c" <<'TEXT'
#define KEPT __attribute__((noinline))
static volatile int sink;
static KEPT void helper(int number) { sink = number; }
static KEPT __attribute__((constructor)) void before_main(void) { helper(0); }
static KEPT __attribute__((destructor)) void after_main(void) { helper(1); }
void run(void)
{
    for (int i = 0; i < 3; i++)
        helper(i);
}
TEXT

cat >"$work/tree.cc" <<'TEXT'
#include <stdexcept>
#include <vector>
#define KEPT __attribute__((noinline))
namespace oak {
static volatile int sink;
KEPT static void root() { sink = 1; }
template <typename T> struct leaf {
    KEPT void fall(T wind) { if (wind > 1) throw std::runtime_error("storm"); root(); }
};
template <typename A, typename B> struct a_class_whose_name_is_so_long_that_a_label_cannot_hold_it {
    KEPT void bend(A, B) { root(); }
};
}
extern "C" void run()
{
    std::vector<double> winds = { 0.5, 2.0, 0.75 };
    for (double wind : winds) {
        try {
            oak::leaf<double>().fall(wind);
        } catch (const std::exception &) {
            oak::root();
        }
    }
    oak::a_class_whose_name_is_so_long_that_a_label_cannot_hold_it<oak::leaf<int>, oak::leaf<unsigned long>>().bend({}, {});
}
TEXT

cat >"$work/late.c" <<'TEXT'
static volatile int sink;
static __attribute__((noinline)) void in_library(void) { sink = 2; }
void enter_library(void) { in_library(); }
TEXT

cat >"$work/loads.c" <<'TEXT'
#include <dlfcn.h>
#include <stddef.h>
void run(void)
{
    for (int i = 0; i < 2; i++) {
        void *library = dlopen(LIBRARY, RTLD_NOW);
        void (*enter)(void) = library ? (void (*)(void))dlsym(library, "enter_library") : NULL;
        if (enter)
            enter();
        if (library)
            dlclose(library);
    }
}
TEXT

# compile OBJECT COMPILER FLAGS SOURCE
compile() {
    # shellcheck disable=SC2086
    $2 $3 -I"$source/include" -c "$work/$4" -o "$work/$1"
}

# built PROGRAM COMPILER OBJECT FLAGS
built() {
    # shellcheck disable=SC2086
    $2 $4 "$work/main.o" "$work/$3" -o "$work/$1" $libraries -ldl
}

# has PROGRAM PATH CALLS: a row of its report, paths with semicolons; the report stays in $work/csv
has() {
    "$work/$1" >"$work/csv" || { echo "exit status $?"; return 1; }
    grep -F "\"$2\"" "$work/csv" | grep -qE "(^|,)$3(,|\$)" || { cat "$work/csv"; return 1; }
}
has_not() {
    "$work/$1" >"$work/csv" && ! grep -F "$2" "$work/csv"
}

check "programs are built" compile main.o "$cc" "-fPIC" main.c
check "a program" compile plain.o "$cc" "$instrument -fPIE" plain.c
check "linked" built plain "$cc" plain.o -pie
check "static functions have their names" has plain "run;helper" 3
check "and again without position independence" built fixed "$cc" plain.o -no-pie
check "static functions have their names there" has fixed "run;helper" 3
stripped() {
    strip -o "$work/stripped" "$work/plain" && "$work/stripped" >"$work/csv" && ! grep helper "$work/csv" &&
        grep -qE '"stripped\+0x[0-9a-f]+;stripped\+0x[0-9a-f]+"' "$work/csv" || { cat "$work/csv"; return 1; }
}
check "functions of a stripped program are places in its file" stripped
excluded() { PAREXEC_PROFILE_EXCLUDE=help* has_not plain helper && grep -q '"run"' "$work/csv"; }
check "excluded functions are not there" excluded
chosen() { PAREXEC_PROFILE_ONLY=helper has plain helper 3; }
check "the only one that is asked for has its caller's place" chosen
loaded() {
    compile late.o "$cc" "$instrument -fPIC" late.c &&
        $cc -shared "$work/late.o" -o "$work/late.so" $libraries &&
        compile loads.o "$cc" "$instrument -fPIE -DLIBRARY=\"$work/late.so\"" loads.c &&
        built loads "$cc" loads.o -pie && has loads "run;enter_library;in_library" 2
}
# musl loads nothing late that has static memory of threads, and its compilers are for C alone.
if ! echo '#include <features.h>' | $cc -E -dM - | grep -q __GLIBC__; then
    skip "functions of a library that comes and goes" "this C library does not load one with static memory of threads"
    skip "C++ programs" "no C++ library for this C library"
    finish
fi
check "functions of a library that comes and goes" loaded
if command -v "${cxx%% *}" >/dev/null 2>&1; then
    check "a C++ program" compile tree.o "$cxx" "$instrument -std=c++11 -fPIE" tree.cc
    check "linked, C++" built tree "$cxx" tree.o -pie
    check "names of C++ are readable" has tree "run;oak::leaf<double>::fall(double);oak::root()" 2
    check "an exception leaves functions" has tree "run;oak::root()" 1
    check "long names of C++ too" has tree "run;oak::a_class_whose_name_is_so_long_that_a_label_cannot_hold_it<oak::leaf<int>, oak::leaf<unsigned long> >::bend(oak::leaf<int>, oak::leaf<unsigned long>)" 1
    readable() { PAREXEC_PROFILE_EXCLUDE='oak::leaf<*' has tree "run;oak::root()" 3; }
    check "patterns may be of readable names" readable
    case $instrument in
    *exclude-file-list*) check "what the headers of the system inline is not there" has_not tree std:: ;;
    *) skip "what the headers of the system inline is not there" "this compiler leaves no files out" ;;
    esac
else
    skip "C++ programs" "no $cxx here"
fi
finish
