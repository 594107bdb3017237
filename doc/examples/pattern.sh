#!/bin/sh
# pattern.sh PROGRAM FILE: the program ends with 0, and each line of the file, an extended regular expression, matches a
# line of what it prints, in that order.
set -u
printed=$("$1" 2>&1) || { echo "exit status $?: $printed"; exit 1; }
printf '%s\n' "$printed" | awk -v file="$2" '
    BEGIN { while ((getline line < file) > 0) wanted[++count] = line; next_one = 1 }
    next_one <= count && $0 ~ wanted[next_one] { next_one++ }
    END { if (next_one <= count) { print "no line, or not in its place: " wanted[next_one]; exit 1 } }' ||
    { printf '%s\n' "$printed"; exit 1; }
