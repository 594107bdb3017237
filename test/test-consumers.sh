#!/bin/sh
# test-consumers.sh BUILD_DIRECTORY: installs what is built there into a temporary place, and builds and runs the
# programs of doc/examples that use the library from outside: C++ by pkg-config, a CMake project, Python by ctypes.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

build=$1
examples=$(pwd)/doc/examples
cc=${CC:-cc}
cxx=${CXX:-c++}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Flags of the build under test do not belong here.
unset CFLAGS CXXFLAGS LDFLAGS MESON_TESTTHREADS MALLOC_PERTURB_ LD_LIBRARY_PATH

# Sets `prefix`, where the installed files are, and `library`, the directory of the library below it.
install_there() {
    DESTDIR=$work meson install -C "$build" --no-rebuild >"$work/install.txt" || { cat "$work/install.txt"; return 1; }
    package=$(find "$work" -name parexec.pc)
    [ -f "$package" ] || { echo "no parexec.pc"; return 1; }
    sed -i "s|^prefix=|&$work|" "$(dirname "$package")"/*.pc
}

run() { LD_LIBRARY_PATH=$library "$@"; }

# prints_the_same FILE COMMAND...
prints_the_same() {
    wanted=$1
    shift
    run "$@" >"$work/printed" || { echo "exit status $?"; return 1; }
    diff "$wanted" "$work/printed"
}

# counts_like_wc PROGRAM
counts_like_wc() {
    (cd lib/pool && LC_ALL=C wc ./*.c | sed 's/^ *//; s/  */ /g' >"$work/wanted" && prints_the_same "$work/wanted" "$1" ./*.c)
}

# An exception in a worker is the message here, and the other files are counted.
tells_what_was_thrown() {
    run "$1" "$work/nothing" /dev/null >"$work/printed" 2>"$work/errors"
    status=$?
    [ $status = 1 ] && [ "$(cat "$work/errors")" = "$work/nothing: No such file or directory" ] &&
        grep -qx '0 0 0 /dev/null' "$work/printed" || { cat "$work/printed" "$work/errors"; return 1; }
}

build_cplusplus() {
    # shellcheck disable=SC2046,SC2086 # lists of words
    $cxx -std=c++17 -O1 -Wall -Wextra -Wpedantic -Werror "$examples/cplusplus/count.cc" -o "$work/count" \
        $(pkg-config --cflags --libs parexec)
}

build_cmake() {
    cmake -S "$examples/cmake" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$work/cmake" -j 2
}

# finds VERSION: find_package takes what is installed for that version
finds() {
    mkdir -p "$work/finds"
    printf 'cmake_minimum_required(VERSION 3.16)\nproject(finds NONE)\nfind_package(parexec %s REQUIRED)\n' "$1" \
        >"$work/finds/CMakeLists.txt"
    cmake -S "$work/finds" -B "$work/finds/$1" -Dparexec_DIR="$library/cmake/parexec"
}

measures_functions() {
    PAREXEC_PROFILE=csv:$work/once.csv run "$1" >"$work/printed" && diff doc/examples/once.out "$work/printed" &&
        grep -q 'measure;depth' "$work/once.csv"
}

python_example() {
    $cc -O2 -Wall -Wextra -Werror -shared -fPIC "$examples/python/kernels.c" -o "$work/kernels.so" -lm &&
        run "$python" "$examples/python/pool.py" "$work/kernels.so" >"$work/printed" || return 1
    cat >"$work/wanted" <<'TEXT'
[6.0, 12.0, 'failed with 1']
[42, 'killed by signal 11']
['MCMLXXVIII', 'MMXXIV', 'failed with 1']
areas: 1 call, N ns; in workers: N ns
TEXT
    sed 's/[1-9][0-9]* ns/N ns/g' "$work/printed" | diff "$work/wanted" -
}

check "what is built can be installed" install_there
package=$(find "$work" -name parexec.pc)
library=${package%/pkgconfig/parexec.pc}
prefix=$(sed -n 's/^prefix=//p' "$package")
PKG_CONFIG_PATH=$library/pkgconfig
export PKG_CONFIG_PATH

if command -v "${cxx%% *}" >/dev/null 2>&1; then
    check "C++: built by pkg-config" build_cplusplus
    check "C++: counts as wc does" counts_like_wc "$work/count"
    check "C++: an exception in a worker" tells_what_was_thrown "$work/count"
else
    skip "C++" "no $cxx here"
fi
if command -v cmake >/dev/null 2>&1 && command -v "${cxx%% *}" >/dev/null 2>&1; then
    check "CMake: configured and built" build_cmake
    check "CMake: a C program" prints_the_same doc/examples/first.out "$work/cmake/first"
    check "CMake: a C++ program" counts_like_wc "$work/cmake/count"
    check "CMake: every function is a region" measures_functions "$work/cmake/measured"
    check "CMake: a program by pkg-config" prints_the_same doc/examples/crash.out "$work/cmake/crash"
    check "CMake: the version is found" finds 1.0
    check_fails "CMake: a newer one is not" finds 1.9
    check_fails "CMake: nor another major version" finds 2.0
else
    skip "CMake" "no cmake or no C++ compiler here"
fi
check "Python: C and Python functions by ctypes" python_example
finish
