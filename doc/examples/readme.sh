#!/bin/sh
# readme.sh: the programs and the output that README.md shows are the files beside this one, and what the
# design names is there.
set -u
cd "$(dirname "$0")/../.." || exit 1
. test/harness/tap.sh

# block LANGUAGE N: the text of the README's n-th fenced block of that language
block() {
    awk -v fence="\`\`\`$1" -v wanted="$2" '
        $0 == fence { n++; inside = n == wanted; next }
        $0 == "```" { inside = 0 }
        inside { print }' README.md
}

same() { block "$1" "$2" | diff "doc/examples/$3" -; }

# The guide to tasks shows whole programs, each followed by what it prints.
tasks_guide_shows() {
    names=$(grep -oxE '/\* [a-z-]+\.c \*/' doc/guide/async.md | sed 's|/\* \(.*\)\.c \*/|\1|')
    [ -n "$names" ] || return 1
    for name in $names; do
        awk -v name="/* $name.c */" '$0 == name { inside = 1; next } $0 == "```" { inside = 0 } inside' \
            doc/guide/async.md | diff "doc/examples/$name.c" - || return 1
        awk -v name="/* $name.c */" '
            $0 == name { is_near = 1 }
            $0 == "```" { inside = 0 }
            inside
            $0 == "```text" { inside = is_near; is_near = 0 }' doc/guide/async.md |
            diff "doc/examples/$name.out" - || return 1
    done
}

# Each block of the guide that begins with the name of a program is that file, or for "of NAME" a part of it.
guide_shows() {
    for name in course.py course.c; do
        awk -v name="$name" '
            $0 == "# " name || $0 == "/* " name " */" { inside = 1; next }
            $0 == "```" { inside = 0 }
            inside' doc/guide/profiling.md | diff "doc/examples/$name" - || return 1
    done
    for name in course-regions.c course-lines.c; do
        awk -v name="$name" '$0 == "/* of " name " */" { inside = 1; next } $0 == "```" { inside = 0 } inside && NF' \
            doc/guide/profiling.md | while IFS= read -r line; do
                grep -qxF -- "$line" "doc/examples/$name" || echo "$name has no line: $line"
            done | { ! grep .; } || return 1
    done
}

# The whole program in the narrative of parexec.h.
same_in_header() {
    sed -n '/^ \* A whole program:$/,/^ \* It is built/p' include/parexec.h | sed '1,2d;$d' | sed '$d' |
        sed 's/^ \*     //;s/^ \*$//' | diff "doc/examples/$1" -
}

shows_figures() {
    [ "$(grep -cx '<!-- figures -->' README.md)" -ge 1 ] && [ "$(grep -cx '<!-- end of figures -->' README.md)" -ge 1 ]
}

dead_links() {
    grep -oE '\]\([^)#]+' README.md bench/README.md doc/*/*.md |
        sed 's/^\([^:]*\):](\(.*\)/\1 \2/' |
        while read -r file link; do
            case $link in
            http*) ;;
            *) [ -e "$(dirname "$file")/$link" ] || echo "$file: no $link" ;;
            esac
        done | { ! grep .; }
}

# The design names functions as `name()` and files below lib/.
unknown_names() {
    grep -oE '`[a-z_]+\(\)`' doc/design/README.md | tr -d '`()' | sort -u | while read -r name; do
        grep -rqE "(^|[^a-z_])$name\(" lib include || echo "no function $name"
    done
    grep -oE '`lib/[a-z0-9_/.-]+`' doc/design/README.md | tr -d '`' | sort -u | while read -r file; do
        [ -e "$file" ] || echo "no file $file"
    done
}
# Functions, macros and types that the guide to tasks and the README name.
unknown_to_headers() {
    grep -ohE '`(pe|PE)_[A-Za-z_]+`' doc/guide/async.md README.md | tr -d '\`' | sort -u | while read -r name; do
        grep -rqw "$name" include || echo "no $name"
    done
}
in_headers() { found=$(unknown_to_headers); [ -z "$found" ] || { echo "$found"; return 1; }; }

# The list of examples leaves none out.
unlisted_examples() {
    (cd doc/examples && ls -d ./*.c ./*/ server/*.c) | sed 's|^\./||; s|/$||' | while read -r name; do
        grep -qE "\]\((${name##*/}|$name)[/)]" doc/examples/README.md doc/examples/server/README.md ||
            echo "$name is in no list"
    done
}
all_listed() { found=$(unlisted_examples); [ -z "$found" ] || { echo "$found"; return 1; }; }

all_known() { found=$(unknown_names); [ -z "$found" ] || { echo "$found"; return 1; }; }

check "the first program is first.c" same c 1 first.c
check "its output is first.out" same text 1 first.out
check "the second program is crash.c" same c 2 crash.c
check "its output is crash.out" same text 2 crash.out
check "the third program is hello.c" same c 3 hello.c
check "the fourth program is region.c" same c 4 region.c
check "its output is region.out" same text 3 region.out
check "the program in parexec.h is divide.c" same_in_header divide.c
check "the guide shows the programs of doc/examples" guide_shows
check "the guide to tasks shows programs and what they print" tasks_guide_shows
check_fails "a program that differs is seen" same c 1 crash.c
check_fails "and in the header" same_in_header first.c
check "the table of figures has its marks" shows_figures
check "links lead to files of this tree" dead_links
check "the list of examples leaves none out" all_listed
check "functions and files that the design names exist" all_known
check "what the guide to tasks and the README name is in the headers" in_headers
finish
