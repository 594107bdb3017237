# Read by the tests that are scripts: one line of TAP for each case, the output of a failed one behind it.
#
#   check NAME COMMAND...        ok when the command succeeds
#   check_fails NAME COMMAND...  ok when it does not
#   skip NAME REASON
#   finish                       prints the plan; exit status 1 when a case failed

cases=0
failures=0

check() {
    name=$1
    shift
    cases=$((cases + 1))
    if output=$("$@" 2>&1); then
        echo "ok $cases - $name"
    else
        failures=$((failures + 1))
        echo "not ok $cases - $name"
        printf '%s\n' "$output" | sed 's/^/#   /'
    fi
}

fails() { ! "$@"; }
check_fails() {
    name=$1
    shift
    check "$name" fails "$@"
}

skip() {
    cases=$((cases + 1))
    echo "ok $cases - $1 # SKIP $2"
}

finish() {
    echo "1..$cases"
    [ "$failures" -eq 0 ]
    exit
}
