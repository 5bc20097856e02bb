#!/usr/bin/env bash
# Makes sure of `wasm-bindgen` and `wasm-bindgen-test-runner` in exactly one version, and prints the folder they are in.
# They must be of the version of the `wasm-bindgen` crate that the code was compiled with, to the digit.
#
# usage: tests/wasm-bindgen.sh CACHE_DIR VERSION
set -euo pipefail

readonly cache=${1:?usage: wasm-bindgen.sh CACHE_DIR VERSION}
readonly version=${2:?usage: wasm-bindgen.sh CACHE_DIR VERSION}
readonly home=$cache/wasm-bindgen-$version

if ! "$home/bin/wasm-bindgen-test-runner" --version >/dev/null 2>&1; then
    echo "wasm-bindgen: building the command line tools $version, once" >&2
    mkdir -p "$cache"
    tmp=$(mktemp -d "$cache/tmp.bindgen.XXXXXX")
    trap 'rm -rf "$tmp"' EXIT
    # Without TLS: the runner talks to node, not to the network.
    install=(cargo install --quiet wasm-bindgen-cli --version "$version" --no-default-features --root "$tmp/root"
        --no-track --bin wasm-bindgen --bin wasm-bindgen-test-runner)
    export CARGO_TARGET_DIR=$tmp/target
    if ! "${install[@]}" --locked >&2; then
        # A registry mirror may not have every version that its authors locked.
        echo "wasm-bindgen: not with its own lock file; taking the newest dependencies that fit" >&2
        "${install[@]}" >&2
    fi
    rm -rf "$home"
    mv -T "$tmp/root" "$home"
fi
echo "$home/bin"
