#!/bin/bash
# Builds Tollgate with a sanitizer, in a build tree of its own, and runs the whole Swift test suite and the outside clients
# (against a server that is built so too). Any report of the sanitizer fails it, whatever the tests say.
#
#   sanitize.sh address|thread [swift|clients]
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=$1
part=${2:-swift clients}
tree=.build/$sanitizer
options=(--sanitize="$sanitizer" --scratch-path "$tree")
reports=$PWD/$tree/reports
rm -rf "$reports"
mkdir -p "$reports"
case $sanitizer in
address)
    # Without its search for leaks: Swift keeps the case of an enum in bits of the pointers that it holds, and the address of a side table
    # shifted, so that it takes for lost what is in use. That memory stays bounded is what test_memory.py and the simulation show.
    export ASAN_OPTIONS=detect_leaks=0:log_path=$reports/report
    ;;
thread) export TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1:log_path=$reports/report ;;
*) echo "sanitize.sh: address or thread?" >&2; exit 2 ;;
esac
# What the clients' tests prove about speed, memory and many rounds says nothing here; the same code runs in the others.
slow=(bench soak kill large_tenant three_years many_tenants overload backup_load)
status=0

quietly() { sed -u '/Cannot export local symbol/d'; }

if [[ $part == *swift* ]]; then
    swift build "${options[@]}" --build-tests 2>&1 | quietly
    # XCTest, which has no tests here, leaks 368 bytes of its own runner when it is run.
    swift test "${options[@]}" --skip-build --no-parallel --disable-xctest >"$tree/swift-test.log" 2>&1 || status=1
    grep -aE '^✘|^✔ Test run|^✘ Test run' "$tree/swift-test.log" || tail -20 "$tree/swift-test.log"
fi
if [[ $part == *clients* ]]; then
    swift build "${options[@]}" --product tollgate 2>&1 | quietly
    chosen=$(printf ' and not %s' "${slow[@]}")
    TOLLGATE=$PWD/$tree/debug/tollgate .venv/bin/python -m pytest -q Tests/Clients -k "${chosen# and }" || status=1
fi

count=$(find "$reports" -type f -size +0 | wc -l)
if [ "$count" -gt 0 ]; then
    status=1
    head -c 20000 "$reports"/*
fi
echo "covered: sanitize: $sanitizer, $part, $count reports"
exit $status
