#!/usr/bin/env bash
# Breaks the product on purpose, one patch of Tests/Mutants at a time, in a copy that is thrown away, and fails where the command
# that must find it out does not. A patch says on its first line which command that is; ours builds nothing but what it needs.
#   Tests/mutants.sh [patch …]
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --create | tar -C "$copy" --extract
cd "$copy"
git init -q . && git add -A && git -c user.name=mutants -c user.email=mutants@localhost commit -qm copy
swift build -c release --product Simulate >build.log 2>&1 || { tail -20 build.log; exit 1; }

patches=("$@")
[ ${#patches[@]} -gt 0 ] || patches=("$source"/Tests/Mutants/*.patch)
survivors=()
broken=()
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    command=$(sed -n '1s/^# must fail: //p' "$patch")
    [ -n "$command" ] || { echo "$name: its first line does not say which command must fail"; exit 1; }
    if ! git apply "$patch"; then
        echo "$name: does not apply any more"
        broken+=("$name")
        continue
    fi
    if ! swift build -c release --product Simulate >build.log 2>&1; then
        echo "$name: does not build"
        grep 'error:' build.log | head -5
        broken+=("$name")
    else
        ended=0
        timeout 1800 bash -c "$command" >run.log 2>&1 || ended=$?
        said=$(awk 'match($0, /FAILED.*|Fatal error.*|recorded an issue.*/) && !said++ { print substr($0, RSTART, 200) }' run.log)
        if [ "$ended" -eq 0 ]; then
            echo "$name: SURVIVED: $command"
            survivors+=("$name")
        elif [ -n "$said" ]; then
            echo "$name: found: $said"
        elif [ "$ended" -ge 128 ]; then
            # A check of the product's own that traps says nothing in a release build.
            echo "$name: found: a check in the product ended the process, status $ended"
        else
            # It did not run, or took too long: whatever it is, it is no proof.
            echo "$name: status $ended of: $command"
            tail -5 run.log
            broken+=("$name")
        fi
    fi
    git checkout -q .
done
echo "covered: mutants: ${#patches[@]} ways to break a promise, ${#survivors[@]} not found, ${#broken[@]} not tried"
[ ${#survivors[@]} -eq 0 ] && [ ${#broken[@]} -eq 0 ]
