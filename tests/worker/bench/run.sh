#!/usr/bin/env bash
# What a fetch costs a Worker: the CPU that workerd uses for 1,000 fetches of a small JSON document, six at a time,
# through the whole stack, through its transport alone, through the `worker` crate, and in JavaScript with the usual
# packages. A benchmark, not a test: nothing fails if it is slow.
#
# usage: bash tests/worker/bench/run.sh
#        bash tests/worker/bench/run.sh sql    what 10,000 rows cost on D1, one by one and at once
#
#   ROUNDS=10        how many rounds are measured, after three to warm up
#   ONLY=0,8,9       only these rows of the table; the first is what the others are compared with
#
# Each way has a workerd of its own, and they take turns, so that whatever else the machine does is spread over all.
# The origin is a process of its own, whose CPU is not counted. The Rust ones are measured as a Worker is mostly built,
# for its size (`opt-level = "z"`), and for speed (`opt-level = 3`).
#
# Needs what `bash tests/run.sh test-worker` needs. Linux only: CPU comes from /proc.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cd "$root"
readonly what=${1:-bench}
readonly root here=$root/tests/worker/bench target=wasm32-unknown-unknown
readonly cache=${TOWER_EGRESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tower-egress}
readonly built=${CARGO_TARGET_DIR:-$root/target}
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

wasm_rust=$(bash tests/wasm-toolchain.sh "$cache")
wasm_bindgen=$(bash tests/wasm-bindgen.sh "$cache" "$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)")
readonly wasm_rust wasm_bindgen

# Compiles the Worker with the opt-level $1, and prints where its modules are.
modules() {
    # What is stripped does not tell wasm-bindgen which features of wasm it may use.
    local -a env=("CARGO_TARGET_DIR=$built/wasm" "CARGO_PROFILE_WORKER_OPT_LEVEL=$1" CARGO_PROFILE_WORKER_STRIP=none)
    [[ $wasm_rust == rustup ]] || env+=("RUSTC=$wasm_rust/rustc")
    env "${env[@]}" cargo build --quiet --locked --target "$target" --profile worker -p worker-bench >&2
    local out=$built/workers/worker_bench-$1
    rm -rf "$out"
    "$wasm_bindgen/wasm-bindgen" --target module --out-name index --no-typescript --remove-name-section --out-dir "$out" \
        "$built/wasm/$target/worker/worker_bench.wasm"
    echo "$out"
}

# The npm packages, as the lock file has them, outside the tree.
packages() {
    local home
    home=$cache/npm-$(cat "$here"/package{,-lock}.json <(node --version) | sha256sum | cut -c 1-12)
    if [[ ! -e $home/done ]]; then
        mkdir -p "$home"
        cp "$here"/package{,-lock}.json "$home"
        (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
        touch "$home/done"
    fi
    echo "$home/node_modules"
}

node_modules=$(packages)
SMALL=$(modules z)
[[ $what == sql ]] || FAST=$(modules 3)
export SMALL FAST
ln -sfn "$node_modules" "$here/node_modules"
cd "$here"
node "$what.mjs"
