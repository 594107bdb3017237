#!/bin/sh
# test-install.sh: somebody else's view. Installs into a temporary prefix, then builds and runs a C and a
# C++ program with what pkg-config says and nothing else, with the shared and with the static library; then a
# small project that has the library as a subproject.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

source=$(pwd)
cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Flags of the build under test do not belong here.
unset CFLAGS CXXFLAGS LDFLAGS DESTDIR MESON_TESTTHREADS MALLOC_PERTURB_ LD_LIBRARY_PATH

cat >"$work/program.c" <<'TEXT'
#include <parexec.h>
#include <stdio.h>

static int square(const void *in, void *out, const void *context)
{
    const int *number = (const int *)in;
    (void)context;
    *(int *)out = *number * *number;
    return 0;
}

int main(void)
{
    pe_pool_options options = PE_POOL_OPTIONS_INIT;
    pe_pool *pool = NULL;
    int in[3] = { 1, 2, 3 }, out[3] = { 0, 0, 0 };
    int error;

    options.workers = 2;
    error = pe_pool_new(&options, &pool);
    if (!error)
        error = pe_pool_map(pool, square, in, sizeof in[0], out, sizeof out[0], 3, NULL);
    pe_pool_free(pool);
    printf("%s %d %d %d %s\n", pe_version_string(), out[0], out[1], out[2], pe_strerror(error));
    return error || pe_version() != PE_VERSION_NUMBER;
}
TEXT
cp "$work/program.c" "$work/program.cc"

install_into() {
    meson setup "$work/build-$1" "$source" --prefix="$work/$1" --libdir=lib "-Ddefault_library=$2" \
        -Dtests=disabled -Dbench=disabled -Ddoc=disabled &&
        meson compile -C "$work/build-$1" &&
        meson install -C "$work/build-$1" --no-rebuild
}

flags() {
    PKG_CONFIG_PATH=$work/$1/lib/pkgconfig
    export PKG_CONFIG_PATH
    shift
    pkg-config "$@" --cflags --libs parexec
}

# run_with PREFIX PROGRAM: its output is the squares and the version that pkg-config names
run_with() {
    output=$(LD_LIBRARY_PATH=$work/$1/lib "$2") || { echo "exit status $?: $output"; return 1; }
    wanted="$(PKG_CONFIG_PATH=$work/$1/lib/pkgconfig pkg-config --modversion parexec) 1 4 9"
    case $output in
    "$wanted "*) ;;
    *) echo "printed '$output', not '$wanted ...'"; return 1 ;;
    esac
}

# build_and_run PREFIX COMPILER SOURCE STATIC_OPTION
build_and_run() {
    # shellcheck disable=SC2046,SC2086 # lists of words
    $2 -Wall -Wextra -Werror "$work/$3" -o "$work/program" $(flags "$1" $4) && run_with "$1" "$work/program"
}

# from_build_tree: what pkg-config says of a build that is not installed; the program finds the library there
from_build_tree() {
    PKG_CONFIG_PATH=$work/build-shared/meson-uninstalled
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046,SC2086 # lists of words
    $cc -Wall -Wextra -Werror "$work/program.c" -o "$work/program" $(pkg-config --cflags --libs parexec) &&
        [ "$(LD_LIBRARY_PATH=$work/build-shared/lib "$work/program" | cut -d ' ' -f 2-4)" = '1 4 9' ]
}

cat >"$work/functions.c" <<'TEXT'
#include <parexec.h>

static int sink;

static __attribute__((noinline)) void helper(int number)
{
    sink = number;
}

static __attribute__((noinline)) void work(void)
{
    for (int i = 0; i < 3; i++)
        helper(i);
}

int main(void)
{
    pe_report_options options = PE_REPORT_OPTIONS_INIT;
    options.format = PE_REPORT_CSV;
    pe_region_enable(1);
    work();
    return pe_report(stdout, &options);
}
TEXT
cp "$work/functions.c" "$work/functions.cc"

# shows_functions PREFIX COMPILER SOURCE STATIC_OPTION: the program's functions are in its report by their names
shows_functions() {
    PKG_CONFIG_PATH=$work/$1/lib/pkgconfig
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046,SC2086
    $2 -O2 -Wall -Wextra -Werror "$work/$3" -o "$work/functions" $(pkg-config $4 --cflags --libs parexec-functions) &&
        LD_LIBRARY_PATH=$work/$1/lib "$work/functions" >"$work/functions.csv" || return 1
    grep -q "work[()]*;helper" "$work/functions.csv" || { cat "$work/functions.csv"; return 1; }
}

needs_library() {
    ldd "$1" | grep -q "$2"
}

only_expected_files() {
    unexpected=$(cd "$work/shared" && find . -type f -o -type l | sort |
        grep -vE -e '^\./bin/parexec-top$' -e '^\./include/parexec(/[a-z_]+)?\.h$' \
            -e '^\./lib/(libparexec\.so(\.[0-9.]+)?|libparexec-functions\.a)$' \
            -e '^\./share/doc/parexec/(COPYING|NEWS\.md|README\.md)$' \
            -e '^\./lib/(pkgconfig/parexec(-functions)?\.pc|cmake/parexec/parexecConfig(Version)?\.cmake)$')
    [ -z "$unexpected" ] || { echo "$unexpected"; return 1; }
}

licence_and_news() {
    cmp COPYING "$work/shared/share/doc/parexec/COPYING" && cmp doc/NEWS.md "$work/shared/share/doc/parexec/NEWS.md"
}

runs_top() {
    "$work/$1/bin/parexec-top" --help | grep -q '^usage: parexec-top'
}

all_headers() {
    (cd include && find . -name '*.h') | while read -r header; do
        [ -f "$work/shared/include/$header" ] || echo "$header"
    done | sed 's/$/ is not installed/' | { ! grep .; }
}

# as_subproject KIND OPTION...: what is installed is not looked at, only what the subproject declares
as_subproject() {
    user=$work/user-$1
    library=$1
    shift
    mkdir -p "$user/subprojects" && ln -sfn "$source" "$user/subprojects/parexec" && cp "$work/program.c" "$user/"
    cat >"$user/meson.build" <<'TEXT'
project('user', 'c')
subproject('parexec')
executable('program', 'program.c', dependencies: dependency('parexec', version: '>= 1.0'))
TEXT
    meson setup "$user/build" "$user" "-Dparexec:default_library=$library" --force-fallback-for=parexec "$@" &&
        meson compile -C "$user/build" && run_with shared "$user/build/program"
}

# Tests, benchmarks, examples and pages are built only where they are asked for.
nothing_else_is_built() {
    (cd "$work/user-$1/build/subprojects/parexec" && ! find . -type f | grep -E '^\./(test|bench|doc)/')
}

# by_cmake PREFIX: a project that finds the library by its package file
by_cmake() {
    mkdir -p "$work/cmake-$1" && cp "$work/program.c" "$work/cmake-$1/"
    cat >"$work/cmake-$1/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(parexec 1.0 REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE parexec::parexec)
TEXT
    PKG_CONFIG_PATH='' cmake -S "$work/cmake-$1" -B "$work/cmake-$1/build" -DCMAKE_PREFIX_PATH="$work/$1" &&
        cmake --build "$work/cmake-$1/build" && run_with "$1" "$work/cmake-$1/build/program"
}

check "install, shared" install_into shared shared
check "install, static" install_into static static
check "nothing unexpected is installed" only_expected_files
check "every public header is installed" all_headers
check "licence and news are installed" licence_and_news
check "parexec-top is installed and runs by itself" runs_top shared
check "C program, shared library" build_and_run shared "$cc" program.c ""
check "it is linked to the shared library" needs_library "$work/program" libparexec
check "C program, from the build tree" from_build_tree
check "C program, static library" build_and_run static "$cc" program.c --static
check_fails "it is not linked to the shared library" needs_library "$work/program" libparexec
check "functions of a C program, shared library" shows_functions shared "$cc" functions.c ""
check "functions of a C program, static library" shows_functions static "$cc" functions.c --static
if command -v "${cxx%% *}" >/dev/null 2>&1; then
    check "functions of a C++ program, shared library" shows_functions shared "$cxx" functions.cc ""
    check "C++ program, shared library" build_and_run shared "$cxx" program.cc ""
    check "C++ program, static library" build_and_run static "$cxx" program.cc --static
else
    skip "C++ program" "no $cxx here"
fi
if command -v cmake >/dev/null 2>&1; then
    check "CMake project, shared library" by_cmake shared
    check "CMake project, static library" by_cmake static
else
    skip "CMake project" "no cmake here"
fi
check "meson subproject, shared" as_subproject shared
check "its program is linked to the shared library" needs_library "$work/user-shared/build/program" libparexec
check "nothing but the library is built in it" nothing_else_is_built shared
check "meson subproject, static and without tasks" as_subproject static -Dparexec:async=disabled
check_fails "its program is not linked to the shared library" needs_library "$work/user-static/build/program" libparexec
check_fails "and needs no libuv" needs_library "$work/user-static/build/program" libuv
check "nothing but the library is built in that" nothing_else_is_built static
finish
