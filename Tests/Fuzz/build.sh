#!/bin/bash
# Builds the fuzzer: the targets with libFuzzer's counters and AddressSanitizer, in a build tree of their own, for release,
# as the server is. Prints the path of the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/clang/lib/linux
coverage=edge,indirect-calls,trace-cmp,inline-8bit-counters,pc-table
options=(-c release --scratch-path .build/fuzz --product fuzz --sanitize=address
    -Xswiftc -sanitize-coverage="$coverage"
    -Xlinker "$runtime/libclang_rt.fuzzer_no_main-$(uname -m).a" -Xlinker -lstdc++)
# gold says of each of AddressSanitizer's functions that it is not exported.
TOLLGATE_FUZZ=1 swift build "${options[@]}" 2>&1 | grep --line-buffered -v 'Cannot export local symbol' >&2
echo "$(TOLLGATE_FUZZ=1 swift build "${options[@]}" --show-bin-path)/fuzz"
