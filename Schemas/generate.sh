#!/bin/bash
# Makes the Swift of all schemas: messages, stubs, service protocols and embedded descriptors.
#
#   Schemas/generate.sh           writes into Sources/ and Tests/
#   Schemas/generate.sh --check   changes nothing; fails with a diff where the committed code differs
#
# SCRATCH_PATH, where set, is the folder that the plugin is built in.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

check=false
case "${1:-}" in
    "") ;;
    --check) check=true ;;
    *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

scratch=${SCRATCH_PATH:-$root/.build}
build=(swift build --package-path "$root" --scratch-path "$scratch" --product protoc-gen-tollgate-swift)
"${build[@]}" >&2
plugin=$("${build[@]}" --show-bin-path)/protoc-gen-tollgate-swift

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# generate FOLDER OPTIONS SCHEMA...: makes the Swift of some schemas, for a folder below the root.
generate() {
    local folder=$temporary/$1 options=$2
    shift 2
    mkdir -p "$folder"
    protoc --plugin=protoc-gen-tollgate-swift="$plugin" --tollgate-swift_out="$folder" --tollgate-swift_opt="$options" \
        -I "$root/Schemas" "$@"
}

cd "$root/Schemas"
generate Sources/TollgateSchema/Generated Visibility=public,Import=RPC,Descriptors=TollgateDescriptors tollgate/v1/*.proto
generate Sources/RPC/Generated Visibility=public,Descriptors=StatusDescriptors google/rpc/*.proto
generate Sources/RPC/Generated Visibility=package,Descriptors=HealthDescriptors grpc/health/v1/*.proto
generate Sources/RPC/Generated Visibility=package,Descriptors=ReflectionDescriptors grpc/reflection/v1/*.proto
generate Sources/RPC/Generated \
    Visibility=package,Namespace=ReflectionV1Alpha,Descriptors=ReflectionV1AlphaDescriptors grpc/reflection/v1alpha/*.proto
generate Tests/ProtobufTests/Generated Visibility=package test/all_types.proto

# A call without a permission must not pass: protoc has to fail on this schema, and for that reason.
if refusal=$(generate refused Visibility=public test/no_permission.proto 2>&1); then
    echo "a schema with a call that declares no permission was accepted" >&2
    exit 1
elif [[ $refusal != *"tollgate.v1.permission"* ]]; then
    echo "a schema was refused for another reason than its missing permission: $refusal" >&2
    exit 1
fi

status=0
for folder in Sources/TollgateSchema/Generated Sources/RPC/Generated Tests/ProtobufTests/Generated; do
    if $check; then
        diff -ruN "$root/$folder" "$temporary/$folder" || status=1
    else
        rm -rf "${root:?}/$folder"
        cp -r "$temporary/$folder" "$root/$folder"
    fi
done
if [ $status -ne 0 ]; then
    echo "the committed code is not what Schemas/ says; run 'make generate'" >&2
fi
exit $status
