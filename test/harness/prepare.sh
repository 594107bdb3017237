# Read by test/run, bench/run and .ci/run: sees to it that what they need is there.
#
#   need PACKAGE PROBE...      notes the Debian package unless the command PROBE succeeds
#   prepare ALLOW_SUDO         installs what was noted: as root at once, with ALLOW_SUDO=yes through sudo;
#                              otherwise prints the one line that would do it, and exits with 1

missing=
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_libc_headers() { echo '#include <stdlib.h>' | "${CC:-cc}" -E - ; }

need_build_tools() {
    need meson command -v meson
    need ninja-build command -v ninja
    need pkg-config command -v pkg-config
    need gcc command -v "${CC:-cc}"
    need libc6-dev has_libc_headers
    need libuv1-dev pkg-config --exists libuv
}

apt_install() {
    run_as=$1
    shift
    $run_as apt-get update -qq &&
        $run_as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

prepare() {
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "$0: missing (names of Debian's packages):$missing" >&2
        exit 1
    fi
    # shellcheck disable=SC2086 # a list of packages
    if [ "$(id -u)" = 0 ]; then
        echo "installing:$missing"
        apt_install "" $missing >/dev/null || exit 1
    elif [ "$1" = yes ]; then
        apt_install sudo $missing || exit 1
    else
        echo "$0: something is missing. This installs it (or call again with --install):" >&2
        echo "sudo apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    missing=
}

# configure DIRECTORY OPTION...: once; afterwards ninja itself sees what has changed.
configure() {
    directory=$1
    shift
    [ -f "$directory/build.ninja" ] && return 0
    mkdir -p "$directory"
    if ! meson setup "$directory" "$@" >"$directory/setup.txt" 2>&1; then
        cat "$directory/setup.txt" >&2
        return 1
    fi
}

# compile DIRECTORY [TARGET...]: prints the compiler's output only when there is something to read.
compile() {
    directory=$1
    shift
    if ! ninja -C "$directory" "$@" >"$directory/compile.txt" 2>&1; then
        cat "$directory/compile.txt" >&2
        return 1
    fi
    grep -A 8 'warning:' "$directory/compile.txt" >&2 || true
}
