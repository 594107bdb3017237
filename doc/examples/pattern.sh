#!/bin/sh
# pattern.sh PROGRAM FILE: the program ends with 0, and each line of the file, an extended regular expression, matches a
# line of what it prints, in that order. What comes behind an empty line is looked for from the top again.
set -u
printed=$("$1" 2>&1) || { echo "exit status $?: $printed"; exit 1; }
printf '%s\n' "$printed" | awk -v file="$2" '
    { line[NR] = $0 }
    END {
        while ((getline wanted < file) > 0) {
            if (wanted == "") {
                at = 0
                continue
            }
            do at++; while (at <= NR && line[at] !~ wanted)
            if (at > NR) {
                print "no line, or not in its place: " wanted
                exit 1
            }
        }
    }' ||
    { printf '%s\n' "$printed"; exit 1; }
