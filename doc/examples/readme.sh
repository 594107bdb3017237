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

# The whole program in the narrative of parexec.h.
same_in_header() {
    sed -n '/^ \* A whole program:$/,/^ \* It is built/p' include/parexec.h | sed '1,2d;$d' | sed '$d' |
        sed 's/^ \*     //;s/^ \*$//' | diff "doc/examples/$1" -
}

shows_figures() {
    [ "$(grep -cx '<!-- figures -->' README.md)" -ge 1 ] && [ "$(grep -cx '<!-- end of figures -->' README.md)" -ge 1 ]
}

dead_links() {
    grep -oE '\]\([^)#]+' README.md bench/README.md doc/*.md doc/*/*.md |
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
# Functions, macros and types that the guide and the README name.
unknown_to_headers() {
    grep -ohE '`(pe|PE)_[A-Za-z_]+`' doc/guide/*.md README.md | tr -d '\`' | sort -u | while read -r name; do
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

# Chapters that the guide's contents do not lead to, or whose code no test looks at.
left_out_chapters() {
    for chapter in doc/guide/*.md; do
        name=${chapter##*/}
        grep -qF "'guide/$name'" doc/meson.build || echo "no test of $name"
        [ "$name" = README.md ] || grep -qF "]($name)" doc/guide/README.md || echo "$name is not in the contents"
    done | { ! grep .; }
}

all_known() { found=$(unknown_names); [ -z "$found" ] || { echo "$found"; return 1; }; }

check "the first program is first.c" same c 1 first.c
check "its output is first.out" same text 1 first.out
check "the second program is crash.c" same c 2 crash.c
check "its output is crash.out" same text 2 crash.out
check "the third program is hello.c" same c 3 hello.c
check "the fourth program is region.c" same c 4 region.c
check "its output is region.out" same text 3 region.out
check "the program in parexec.h is divide.c" same_in_header divide.c
check "all chapters of the guide are in its contents and tested" left_out_chapters
check_fails "a program that differs is seen" same c 1 crash.c
check_fails "and in the header" same_in_header first.c
check "the table of figures has its marks" shows_figures
check "links lead to files of this tree" dead_links
check "the list of examples leaves none out" all_listed
check "functions and files that the design names exist" all_known
check "what the guide and the README name is in the headers" in_headers
finish
