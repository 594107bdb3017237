#!/bin/sh
# test-release.sh: the version stands in three places and is the same in all of them, the news name what there is, and a
# release has taken in all fragments of news.
set -u
cd "$(dirname "$0")/.." || exit 1
. test/harness/tap.sh

header=include/parexec/version.h
version=$(sed -n "s/^  version: '\(.*\)',\$/\1/p" meson.build | head -n 1)

text_of_header() { sed -n 's/^#define PE_VERSION_STRING "\(.*\)"$/\1/p' $header; }
numbers_of_header() {
    for part in MAJOR MINOR PATCH; do
        sed -n "s/^#define PE_VERSION_$part \([0-9]*\) .*/\1/p" $header
    done | paste -sd .
}
top_of_news() { sed -n 's/^## //p' doc/NEWS.md | head -n 1; }

# What lies in doc/changes of the directory TREE and is not the page that explains it.
fragments() { (cd "$1/doc/changes" && find . -type f ! -name README.md) | sed 's|^\./||' | sort; }

same() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# Only what leads to a new minor number has a suffix: while it is there, the newest node of the export map may change.
is_version() { echo "$1" | grep -xE '[0-9]+\.[0-9]+\.([0-9]+|0-rc[1-9][0-9]*|0-dev)'; }

# On the way to a release its news are the fragments; a candidate may have some from those who have tried it.
news_begin_with() {
    case $1 in
    *-dev) [ -n "$(top_of_news)" ] ;;
    *) same "$1" "$(top_of_news)" ;;
    esac
}
none_left() {
    case $2 in
    *-*) return 0 ;;
    esac
    left=$(fragments "$1")
    [ -z "$left" ] || { echo "$left"; return 1; }
}

begin_as_the_readme_says() {
    fragments . | while read -r name; do
        head -n 1 "doc/changes/$name" | grep -qE '^(Added|Changed|Fixed|Removed): ' || echo "$name"
    done | { ! grep .; }
}

# NAME and NAME() of functions, constants and macros; of members of structs too, which have no prefix.
unknown_names() {
    grep -oE '`[A-Za-z_]+(\(\))?`' "$1" | tr -d '`()' | sort -u | while read -r name; do
        grep -rqwF "$name" include || echo "no $name"
    done | { ! grep .; }
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/doc/changes"
touch "$work/doc/changes/README.md" "$work/doc/changes/add-it.md"
echo 'New are `pe_pool_new` and `pe_pool_old()`.' >"$work/news"

check "meson.build has a version of a form that is told" is_version "$version"
check_fails "patches have no candidates" is_version 1.2.3-rc4
check "version.h has its text" same "$version" "$(text_of_header)"
check "version.h has its numbers" same "${version%%-*}" "$(numbers_of_header)"
check "the news begin with it" news_begin_with "$version"
check "functions and constants that the news name are there" unknown_names doc/NEWS.md
check_fails "one that is not is seen" unknown_names "$work/news"
check "fragments begin with what kind of news they are" begin_as_the_readme_says
check "a release has no fragment left" none_left . "$version"
check_fails "one that is left is seen" none_left "$work" 1.2.3
check "a candidate may have some" none_left "$work" 1.2.0-rc4
finish
