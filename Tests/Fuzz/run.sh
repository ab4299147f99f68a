#!/bin/bash
# Runs the fuzzer: each target for so many seconds, from its committed corpus and its seeds, with what it finds new kept in
# .build/fuzz-corpus. An input that fails is written to .build/fuzz-findings and ends the run with an error.
#
#   run.sh SECONDS [TARGET …]     fuzz
#   run.sh merge [TARGET …]       make the committed corpus anew: the fewest inputs that reach what all of them reach
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=$1
shift
fuzz=$(Tests/Fuzz/build.sh)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <("$fuzz" list)
# The signal is libFuzzer's; preconditions end with one. A leak is looked for at the end, of what all inputs left.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=0:quarantine_size_mb=16
# An input takes no longer than ten seconds, on the slowest machine, and one allocation no more than 16 MiB, whatever it says of itself.
bounds=(-timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=16 -max_len=4096 -print_final_stats=1 -use_value_profile=1)
mkdir -p .build/fuzz-findings
status=0 files=0 inputs=0
for target in "${targets[@]}"; do
    committed=Tests/Fuzz/Corpus/$target
    found=.build/fuzz-corpus/$target
    mkdir -p "$committed" "$found"
    "$fuzz" seeds "$target" "$found"
    if [ "$mode" = merge ]; then
        merged=$(mktemp -d)
        # Inputs that once failed stay, whatever they reach.
        find "$committed" -name 'failed-*' -exec cp -t "$merged" {} +
        "$fuzz" "$target" "${bounds[@]}" -use_value_profile=0 -use_counters=0 -set_cover_merge=1 "$merged" "$committed" "$found" >/dev/null 2>&1
        rm -rf "$committed"
        mv "$merged" "$committed"
        chmod 755 "$committed"
        echo "$target: $(find "$committed" -type f | wc -l) files, $(du -sb "$committed" | cut -f1) bytes"
        continue
    fi
    log=.build/fuzz-findings/$target.log
    if ! nice -n 19 "$fuzz" "$target" "${bounds[@]}" -max_total_time="$mode" -artifact_prefix=".build/fuzz-findings/$target-" \
        "$found" "$committed" >"$log" 2>&1; then
        status=1
        echo "$target: FAILED, see $log"
        awk '/a promise is broken|ERROR|Fatal error|SUMMARY|Test unit written/ && ++shown <= 20' "$log"
    fi
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ "${count:-0}" -eq 0 ]; then
        status=1
        echo "$target: FAILED, no input was tried, see $log"
    fi
    echo "$target: ${count:-0} inputs in $mode s$(sed -n 's/^#[0-9]*.*DONE *\(cov: [0-9]*\).*/, \1/p' "$log" | tail -1)"
    files=$((files + $(find "$committed" -type f | wc -l)))
    inputs=$((inputs + ${count:-0}))
done
[ "$mode" = merge ] || echo "covered: fuzz: ${#targets[@]} targets, $files corpus files, $inputs inputs"
exit $status
