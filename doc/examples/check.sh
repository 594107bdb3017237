#!/bin/sh
# check.sh PROGRAM FILE: the program ends with 0 and prints exactly what the file holds.
set -u
printed=$("$1") || { echo "exit status $?"; exit 1; }
printf '%s\n' "$printed" | diff "$2" -
