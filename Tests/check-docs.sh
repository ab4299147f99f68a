#!/usr/bin/env bash
# The documents' check: what they name must be there, and the public documentation must convert without a warning.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

# 1. Every path of the repository that a document names exists.
for document in README.md ARCHITECTURE.md CONTRIBUTING.md Deploy/catalogs/README.md; do
    while read -r path; do
        case "$path" in *…*|*'<'*|*'*'*) continue ;; esac
        if [ ! -e "$path" ]; then
            echo "$document names $path, which is not there" >&2
            status=1
        fi
    done < <(grep -oE '`?(Sources|Tests|Schemas|Deploy)/[A-Za-z0-9_./+<>*…-]*' "$document" | tr -d '`' | sed -E 's/[.,:;]+$//' | sort -u)
done

# 2. Every command that the README shows is one that the program knows.
tollgate=.build/release/tollgate
known=$("$tollgate" --help)
while read -r command; do
    if ! grep -qE "(^|[[:space:]])$command([[:space:]]|$)" <<<"$known"; then
        echo "README.md shows \`tollgate $command\`, which is not in tollgate --help" >&2
        status=1
    fi
done < <(grep -oE 'tollgate (init|serve|tenant|key|grant|balance|replay|verify|demo|[a-z]+)' README.md | awk '{print $2}' | sort -u | grep -vE '^(is|and|in|on|to|the|a|meters|answers|does|as|serves|with|from|ships|of|for|v1|that)$')

# 3. The documentation of what users of the library see converts without a warning.
graphs=$(mktemp -d)
trap 'rm -rf "$graphs"' EXIT
target=$(swiftc -print-target-info | sed -n 's/.*"triple": "\(.*\)",/\1/p' | head -1)
for module in Protobuf RPC TollgateSchema TollgateClient; do
    mkdir -p "$graphs/$module"
    swift symbolgraph-extract -module-name "$module" -I .build/release/Modules -output-dir "$graphs/$module" \
        -target "$target" -minimum-access-level public \
        -Xcc -fmodule-map-file=.build/release/CLinux.build/module.modulemap \
        -Xcc -fmodule-map-file=Sources/CNghttp2/module.modulemap
    docc convert --additional-symbol-graph-dir "$graphs/$module" --fallback-display-name "$module" \
        --fallback-bundle-identifier "tollgate.$module" --warnings-as-errors \
        --output-path "$graphs/$module.doccarchive" >"$graphs/log" 2>&1 || {
        cat "$graphs/log" >&2
        echo "the documentation of $module does not convert" >&2
        status=1
    }
done
exit $status
