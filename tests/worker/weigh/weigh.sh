#!/usr/bin/env bash
# What each part of the stack weighs in a Worker: kilobytes of wasm, gzipped, of Workers with one part more in each, built by the
# profile `worker`; and the same behind `wasm-opt -Oz`, if WASM_OPT names it. The table in worker-shell's README is made of it.
#
# usage: bash tests/worker/weigh/weigh.sh
#
# Needs what `bash tests/run.sh test-worker` needs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
cd "$root"
readonly root target=wasm32-unknown-unknown
readonly cache=${TOWER_EGRESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tower-egress}
readonly built=${CARGO_TARGET_DIR:-$root/target}/wasm
readonly modern=(--enable-bulk-memory --enable-reference-types --enable-mutable-globals --enable-sign-ext
    --enable-nontrapping-float-to-int --enable-multivalue)
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

wasm_rust=$(bash tests/wasm-toolchain.sh "$cache")
wasm_bindgen=$(bash tests/wasm-bindgen.sh "$cache" "$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
env=("CARGO_TARGET_DIR=$built")
[[ $wasm_rust == rustup ]] || env+=("RUSTC=$wasm_rust/rustc")

printf '%-20s %10s %12s\n' "with" "kB" "by wasm-opt"
for feature in "" fetch timeout concurrency-limit body-cleanup token-bucket backoff deadline timing egress text json status flags d1; do
    env "${env[@]}" cargo build --quiet --locked --target "$target" --profile worker -p worker-weigh --features "$feature"
    "$wasm_bindgen/wasm-bindgen" --target module --out-name index --no-typescript --remove-name-section --remove-producers-section \
        --out-dir "$out" "$built/$target/worker/worker_weigh.wasm"
    optimised=-
    if [[ -n ${WASM_OPT-} ]]; then
        "$WASM_OPT" -Oz "${modern[@]}" "$out/index_bg.wasm" -o "$out/small.wasm"
        optimised=$(gzip -9c "$out/small.wasm" | wc -c | awk '{ printf "%.1f", $1 / 1000 }')
    fi
    printf '%-20s %10s %12s\n' "${feature:-nothing}" "$(gzip -9c "$out/index_bg.wasm" | wc -c | awk '{ printf "%.1f", $1 / 1000 }')" "$optimised"
done
