#!/bin/sh
# test-rooms.sh: a room under lib/ includes headers of the rooms below it only, and keeps to what it may use.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

# room: the rooms whose headers it may include beside its own
rooms='base:
region: base
report: base region
shared: base
worker: base region shared
keeper: base shared worker
pool: base region report shared worker keeper
async: base region
bridge: base region pool async
top: base shared
functions:'

# Prints each quoted include of the room that points at another room than the allowed ones.
wrong_includes() {
    lib=$1
    room=$2
    allowed=$3
    find "$lib/$room" -name '*.[ch]' 2>/dev/null |
        xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
        while IFS= read -r line; do
            target=$(printf '%s\n' "$line" | sed 's/^.*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/')
            case " $room $allowed " in
            *" ${target%%/*} "*) ;;
            *) echo "$line" ;;
            esac
        done
}

none() {
    found=$("$@")
    [ -z "$found" ] || { echo "$found"; return 1; }
}

# Prints uses of $2 (an extended regular expression) in the rooms named after it, comments apart.
uses() {
    lib=$1
    pattern=$2
    shift 2
    for room in "$@"; do
        find "$lib/$room" -name '*.[ch]' 2>/dev/null | xargs -r grep -HnE "$pattern" |
            grep -vE ':[0-9]+:[[:space:]]*(/?\*|//)'
    done
}

all_listed() {
    for directory in "$1"/*/; do
        echo "$rooms" | grep -q "^$(basename "$directory"):" || echo "$directory is not in the list of rooms"
    done
}

ordered() {
    echo "$rooms" | while IFS=: read -r room allowed; do
        wrong_includes "$1" "$room" "$allowed"
    done
}

long_lines() { find "$@" -name '*.[ch]' -exec env LC_ALL=C.UTF-8 grep -HnE '^.{121}' {} +; }

check "every directory is a room" none all_listed lib
check "includes follow the order of the rooms" none ordered lib
check "libuv stays in async and bridge" none uses lib 'include[[:space:]]*[<"]uv' \
    base region report shared worker keeper pool top functions
# The one that waits for signals is started when PAREXEC_PROFILE says so.
starts_threads() {
    uses lib '\b(pthread_create|thrd_create)[[:space:]]*\(' base region report shared worker keeper pool functions |
        grep -v '^lib/report/exit_signals.c:'
}
check "no room starts threads" none starts_threads
check "the library does not print" none uses lib \
    '(^|[^a-zA-Z0-9_])(printf|vprintf|puts|putchar|perror|psignal)[[:space:]]*\(|\bstderr,|fputs[^;]*std(out|err)' \
    base region shared worker keeper pool async bridge functions
check "the library does not end the host" none uses lib \
    '(^|[^a-zA-Z0-9_])(exit|quick_exit|abort)[[:space:]]*\(' \
    base region report shared keeper pool async bridge functions
check "lines have at most 120 characters" none long_lines include lib test bench doc

# The check itself: a made-up tree with one wrong include of each kind.
made_up=$(mktemp -d)
trap 'rm -rf "$made_up"' EXIT
mkdir -p "$made_up/base" "$made_up/shared" "$made_up/async" "$made_up/attic"
echo '#include "shared/ring.h"' >"$made_up/base/list.h"
echo '#include "base/list.h"' >"$made_up/shared/ring.h"
check_fails "a wrong include is seen" none ordered "$made_up"
check_fails "a directory that is no room is seen" none all_listed "$made_up"
echo '#include <uv.h>' >"$made_up/shared/ring.h"
check_fails "libuv in a lower room is seen" none uses "$made_up" 'include[[:space:]]*[<"]uv' shared
echo ' printf("hello");' >"$made_up/shared/ring.h"
check_fails "printing is seen" none uses "$made_up" '(^|[^a-zA-Z0-9_])(printf|puts)[[:space:]]*\(' shared
echo '' >"$made_up/base/list.h"
printf '/* %118s */\n' '' >"$made_up/base/list.h"
check_fails "a long line is seen" none long_lines "$made_up"
echo '' >"$made_up/base/list.h"
check "a tree in order passes" none ordered "$made_up"
finish
