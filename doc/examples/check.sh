#!/bin/sh
# check.sh PROGRAM FILE [measured | lasts SECONDS]: the program ends with 0 and prints exactly what the file holds. With
# `measured` times, shares, dates, the clock, widths of columns and so the order of rows may differ. With `lasts` it takes
# at least that long.
set -u
begin=$(date +%s%N)
printed=$("$1") || { echo "exit status $?"; exit 1; }
took=$(($(date +%s%N) - begin))
[ "${3:-}" != lasts ] || [ "$took" -ge "${4}000000000" ] || { echo "it took only $took ns"; exit 1; }
[ "${3:-}" = measured ] || { printf '%s\n' "$printed" | diff "$2" -; exit; }

plain() {
    sed -E 's/[0-9]+(\.[0-9]+)?(ns|us|ms|s)\>/TIME/g; s/ [0-9]+\.[0-9]\>/ SHARE/g
        s/[0-9]+-[0-9]+-[0-9]+ [0-9:]+/DATE/; s/^clock .*/clock/; s/\(\.\.\//(/; s/^ +//; s/ +/ /g' | sort
}

wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
plain <"$2" >"$wanted"
printf '%s\n' "$printed" | plain | diff "$wanted" -
