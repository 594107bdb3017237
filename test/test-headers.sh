#!/bin/sh
# test-headers.sh: every public header compiles alone, twice in a row, as C99 and C++11 without a warning;
# the initialisers of sized structs name all their members; comments name nothing that is not declared. CC and CXX say
# which compilers; clang is tried beside them.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
headers=$(cd include && find . -name '*.h' | sed 's|^\./||' | sort)
strict='-pedantic -Wall -Wextra -Wundef -Wmissing-field-initializers -Werror -fsyntax-only -Iinclude'

# A program that includes one header alone.
alone() { printf '#include <%s>\n#include <%s>\n' "$1" "$1" >"$work/alone.$2"; }

# A program that sets up each sized struct with its initialiser, in C also by a compound literal.
initialisers() {
    echo '#include <parexec.h>'
    echo 'void use(const void *memory);'
    echo 'void test(void);'
    echo 'void test(void) {'
    grep -rhoE '#define PE_[A-Z_]+_INIT\b' include | sed 's/#define //' | sort -u | while read -r macro; do
        type=$(echo "${macro%_INIT}" | tr '[:upper:]' '[:lower:]')
        echo "$type $type$1 = $macro; use(&$type$1);"
        [ "$2" = c++ ] || echo "use(&($type){ PE_SIZED($type) });"
    done
    echo '}'
}
initialisers _value c >"$work/init.c"
initialisers _value c++ >"$work/init.cc"
printf '#include <parexec.h>\nvoid test(pe_no_such *x);\n' >"$work/wrong.c"

try_all() {
    compiler=$1
    standard=$2
    suffix=$3
    bad=0
    for header in $headers; do
        alone "$header" "$suffix"
        # shellcheck disable=SC2086 # lists of words
        $compiler "-std=$standard" $strict "$work/alone.$suffix" || {
            echo "$header does not compile alone"
            bad=1
        }
    done
    return $bad
}

without_comments() {
    awk '{
        line = ""
        while ($0 != "") {
            at = index($0, inside ? "*/" : "/*")
            if (!inside)
                line = line (at ? substr($0, 1, at - 1) : $0)
            if (at)
                inside = !inside
            $0 = at ? substr($0, at + 2) : ""
        }
        print line
    }'
}

# Names of the library in a text; those that go on as _* stand for several.
names() { grep -oE '\b(pe|PE)_[A-Za-z0-9_]+' | grep -v '__\|_$' | sort -u; }

# What comments speak of is in the headers too; what stands in quotes is a text.
speak_of_what_is_there() {
    # shellcheck disable=SC2046 # a list of words
    cat $(find include -name '*.h') >"$work/all.h"
    without_comments <"$work/all.h" | names >"$work/declared"
    sed 's/"[^"]*"//g' "$work/all.h" | names | comm -23 - "$work/declared" >"$work/unknown"
    cat "$work/unknown"
    [ -s "$work/declared" ] && [ ! -s "$work/unknown" ]
}

# compiler standard suffix
run() {
    if ! command -v "${1%% *}" >/dev/null 2>&1; then
        skip "$1 as $2" "no $1 here"
        return
    fi
    check "each header alone, $1 as $2" try_all "$1" "$2" "$3"
    # shellcheck disable=SC2086 # lists of words
    check "initialisers, $1 as $2" $1 "-std=$2" $strict "$work/init.$3"
}

for pair in "${CC:-cc} ${CXX:-c++}" "clang clang++"; do
    c=${pair% *}
    cxx=${pair##* }
    run "$c" c99 c
    run "$c" c11 c
    run "$cxx" c++11 cc
    run "$cxx" c++17 cc
done
# shellcheck disable=SC2086 # lists of words
check_fails "a header that does not compile is seen" ${CC:-cc} -std=c99 $strict "$work/wrong.c"
check "no uv.h, mpi.h or static inline in public headers" \
    sh -c '! grep -rnE "include *[<\"](uv|mpi)|static +inline|inline +static" include'
check "comments speak of nothing that is not there" speak_of_what_is_there
# In C++ the type of a callback says which language it is of.
check "callbacks are declared as C" \
    sh -c '! awk "FNR == 1 { inside = 0 } /^PE_BEGIN_DECLS/ { inside = 1 }
        /^typedef .*_fn\\(/ && !inside { print FILENAME \": \" \$0 }" include/parexec/*.h | grep .'
check "no enum, bool, long or off_t member in sized structs" \
    sh -c '! sed -n "/^typedef struct pe_[a-z_]* {/,/^}/p" include/parexec/*.h |
        grep -nE "^ *(enum|bool|_Bool|long|off_t|int|unsigned|char|short) [^*]"'
finish
