#!/usr/bin/env bash
# The one test command. Installs what is missing, runs every part in order, stops at the first failure.
#
# usage: tests/run.sh            all parts
#        tests/run.sh quick      format, lints and tests on this machine only
#        tests/run.sh PART...    some parts, by name (see `all` below)
#
# Wants rustup's stable Rust, Node 20 or later and npm. What it builds for itself is kept outside the tree, in
# ${TOWER_EGRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/tower-egress}, and can be deleted at any time.
set -euo pipefail

# The facade's features that work on wasm32, comma-separated. The layers are tested there with their defaults.
readonly wasm_features="metrics,tracing"

readonly all=(tools wasm-tools format lint lint-wasm test features test-wasm test-worker test-dashboard docs examples msrv house)
readonly quick=(tools format lint test features)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
readonly root
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
readonly cache=${TOWER_EGRESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tower-egress}
readonly target=wasm32-unknown-unknown
ci=$([[ ${CI:-} == true || ${CI:-} == 1 ]] && echo yes || echo no)
terminal=$([[ -t 1 ]] && echo yes || echo no)
readonly ci terminal

# No variable of the caller's may decide what is compiled, or with what.
unset RUSTC RUSTDOC RUSTFLAGS RUSTDOCFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
unset "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER"

# ---- how a part runs -------------------------------------------------------------------------------------------------

current=start
began=$SECONDS
declare -a names=() times=()

die() {
    echo "tests/run.sh: $*" >&2
    exit 1
}

# Whether every one of these commands is here. (`command -v` with several is content with one.)
have() {
    local name
    for name in "$@"; do command -v "$name" >/dev/null || return 1; done
}

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

part() {
    current=$1
    began=$SECONDS
    echo "==> $1"
    "part_${1//-/_}"
    names+=("$1") times+=($((SECONDS - began)))
    current=end
}

summary() {
    local code=$? i
    ((code)) && names+=("$current") && times+=($((SECONDS - began)))
    echo
    for i in "${!names[@]}"; do printf '%-12s %6s\n' "${names[i]}" "$(clock "${times[i]}")"; done
    printf '%-12s %6s\n' total "$(clock $SECONDS)"
    if ((code)); then
        echo "FAILED in the part '$current' (exit code $code); again: bash tests/run.sh $current"
    else
        echo "passed"
    fi
}

# Nothing reads a terminal, and nothing runs for ever. At a terminal the command stays in the foreground, for Ctrl-C.
bounded() {
    local seconds=$1 code=0
    local -a foreground=()
    shift
    [[ $terminal == yes ]] && foreground=(--foreground)
    timeout -k 10 "${foreground[@]}" "$seconds" "$@" </dev/null || code=$?
    ((code != 124)) || echo "tests/run.sh: stopped after $seconds s: $*" >&2
    return "$code"
}

run() { bounded 2400 "$@"; }

# ---- what is asked of cargo ------------------------------------------------------------------------------------------

package_in() { sed -n 's/^name = "\(.*\)"$/\1/p' "$1/Cargo.toml" | head -n 1; }

locked_version() { awk -v want="\"$1\"" '$1 == "name" { name = $3 } $1 == "version" && name == want { gsub(/"/, "", $3); print $3; exit }' Cargo.lock; }

metadata() { cargo metadata --format-version 1 --locked "$@" </dev/null; }

# One line for each library package of ours: its name, its default features, its other features.
library_features() {
    local facts
    facts=$(metadata --no-deps)
    # shellcheck disable=SC2016  # JavaScript
    node -e '
        const { packages, workspace_root } = JSON.parse(require("fs").readFileSync(0));
        for (const p of packages) {
            const at = p.manifest_path.slice(workspace_root.length + 1);
            if (at !== "Cargo.toml" && !/^(layers|worker-shell)\//.test(at)) continue;
            const on = new Set(["default"]);
            for (const f of on) for (const g of p.features[f] ?? []) if (g in p.features) on.add(g);
            console.log([p.name, ...Object.keys(p.features).filter((f) => !on.has(f))].join(" "));
        }' <<<"$facts"
}

# Everything that compiles for wasm goes through here: the second toolchain, if there is one, and a target directory
# of its own, because two compilers in one directory throw away each other's work.
wasm() {
    local -a env=("CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/wasm")
    local -a command=(cargo "$@")
    env+=("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$wasm_bindgen/wasm-bindgen-test-runner" WASM_BINDGEN_TEST_ONLY_NODE=1)
    if [[ $wasm_rust != rustup ]]; then
        env+=("RUSTC=$wasm_rust/rustc" "RUSTDOC=$wasm_rust/rustdoc")
        # `cargo clippy` would take the driver beside the first toolchain's cargo.
        [[ $1 == clippy ]] && command=("$wasm_rust/cargo-clippy" "$@")
    fi
    run env "${env[@]}" "${command[@]}"
}

# ---- the parts -------------------------------------------------------------------------------------------------------

part_tools() {
    local tool
    have rustc cargo || die "no Rust: install the stable toolchain with rustup (https://rustup.rs)"
    if ! have cc; then
        if [[ $(id -u) != 0 ]] || ! have apt-get; then
            die "no C compiler (on Debian: apt-get install gcc libc6-dev)"
        fi
        run apt-get -qq update
        run apt-get -qq install -y --no-install-recommends gcc libc6-dev
    fi
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 || run rustup component add "${tool/fmt/rustfmt}"
    done
    have node npm || die "no node or no npm: Node 20 or later runs the wasm tests"
    node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || die "node $(node --version) is too old, 20 is wanted"
    echo "$(rustc --version), $(cargo clippy --version), node $(node --version)"
    # What an interrupted build left.
    if [[ -d $cache ]]; then find "$cache" -maxdepth 1 -name 'tmp.*' -mmin +180 -exec rm -rf {} +; fi
    keep_target
}

# Apart from the other tools, because it may build a compiler's library and a command; `quick` does without.
part_wasm_tools() {
    [[ -z ${wasm_rust:-} ]] || return 0
    wasm_rust=$(run bash tests/wasm-toolchain.sh "$cache")
    wasm_bindgen=$(run bash tests/wasm-bindgen.sh "$cache" "$(locked_version wasm-bindgen)")
    if [[ $wasm_rust == rustup ]]; then
        echo "wasm: rustup's toolchain"
    else
        echo "wasm: $("$wasm_rust/rustc" --version), $("$wasm_rust/clippy-driver" --version)"
    fi
    "$wasm_bindgen/wasm-bindgen" --version
}

# A clone that is new to CI compiles the dependencies from what the last one left.
keep_target() {
    [[ $ci == yes && -z ${CARGO_TARGET_DIR:-} ]] || return 0
    local key old size
    key=$(rustc -vV | sha256sum | cut -c 1-12)
    export CARGO_TARGET_DIR=$cache/target/$key
    kept_target=yes
    mkdir -p "$CARGO_TARGET_DIR"
    for old in "$cache"/target/*; do [[ $old == "$CARGO_TARGET_DIR" ]] || rm -rf "$old"; done
    size=$(du -sm "$CARGO_TARGET_DIR" | cut -f 1)
    if ((size > 12000)); then rm -rf "$CARGO_TARGET_DIR"; fi
    forget_our_crates
}

# Our own crates are always compiled again: cargo compares file times, which say nothing across clones. They are dropped
# at the end, so that nobody keeps them, and at the start, in case there was no end.
forget_our_crates() {
    local facts ours old
    facts=$(metadata --no-deps)
    ours=$(node -e 'for (const p of JSON.parse(require("fs").readFileSync(0)).packages) console.log("-p" + p.name)' <<<"$facts")
    for old in "" /wasm /msrv; do xargs cargo clean --quiet --locked --target-dir "$CARGO_TARGET_DIR$old" <<<"$ours"; done
    xargs cargo clean --quiet --locked --target-dir "$CARGO_TARGET_DIR/wasm" --target "$target" <<<"$ours"
}

part_format() { run cargo fmt --all --check; }

part_lint() { run cargo clippy --workspace --all-targets --all-features --locked -- -D warnings; }

part_lint_wasm() {
    part_wasm_tools
    local manifest
    # Clippy does not see that a #[wasm_bindgen_test] is a test, where unwraps are allowed; the host's lints see them all.
    local -a packages=() lints=(-D warnings -A clippy::unwrap_used)
    for manifest in layers/*/Cargo.toml; do packages+=("-p$(package_in "${manifest%/*}")"); done
    wasm clippy --locked --target "$target" "${packages[@]}" --lib --tests -- "${lints[@]}"
    wasm clippy --locked --target "$target" -p tower-egress --no-default-features --features "$wasm_features" --lib --tests -- "${lints[@]}"
    wasm clippy --locked --target "$target" -p tower-egress-worker --lib --tests -- "${lints[@]}"
    wasm clippy --locked --target "$target" -p worker-tests -p worker-bench -p worker-minimal -p repo-scanner-worker -- "${lints[@]}"
}

part_test() { run cargo test --workspace --locked; }

# The workspace builds each crate with whatever features its neighbours ask for. Here each crate stands alone: with no
# feature, with each one, with all; and the tests run again for features that nobody has on by default.
part_features() {
    local packages name feature
    local -a words rest with_features=()
    packages=$(library_features)
    while read -ra words; do
        name=${words[0]} rest=("${words[@]:1}")
        echo "$name: alone${rest[*]:+, with ${rest[*]}}"
        run cargo clippy --quiet --locked -p "$name" --no-default-features -- -D warnings
        run cargo clippy --quiet --locked -p "$name" -- -D warnings
        for feature in "${rest[@]}"; do
            run cargo clippy --quiet --locked -p "$name" --no-default-features --features "$feature" -- -D warnings
        done
        ((${#rest[@]} == 0)) || with_features+=("-p$name")
    done <<<"$packages"
    ((${#with_features[@]} == 0)) || run cargo test --locked --all-features "${with_features[@]}"
}

part_test_wasm() {
    part_wasm_tools
    local manifest
    for manifest in layers/*/Cargo.toml; do wasm_test "${manifest%/*}"; done
    wasm_test . --no-default-features --features "$wasm_features"
    wasm_test worker-shell
}

# Makes modules of a Worker that was compiled: wasm-bindgen is all of worker-build that it takes.
worker_modules() {
    local profile=$1 name=$2
    local built=${CARGO_TARGET_DIR:-$root/target}/wasm/$target/$profile/$name.wasm out=${CARGO_TARGET_DIR:-$root/target}/workers/$name
    rm -rf "$out"
    run "$wasm_bindgen/wasm-bindgen" --target module --out-name index --no-typescript --remove-name-section --remove-producers-section --out-dir "$out" "$built"
    worker_dir=$out
}

# The npm packages of the folder $1, as its lock file has them, in the cache.
npm_packages() {
    local folder=$1 key home tmp
    key=$(cat "$folder/package.json" "$folder/package-lock.json" <(node --version) | sha256sum | cut -c 1-12)
    home=$cache/npm-$key
    if [[ ! -e $home/done ]]; then
        mkdir -p "$cache"
        tmp=$(mktemp -d "$cache/tmp.npm.XXXXXX")
        cp "$folder/package.json" "$folder/package-lock.json" "$tmp"
        (cd "$tmp" && run npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
        touch "$tmp/done"
        rm -rf "$home"
        mv -T "$tmp" "$home"
    fi
    ln -sfn "$home/node_modules" "$folder/node_modules"
}

# Finds a Chromium, or installs Debian's.
find_chromium() {
    local name
    [[ -z ${CHROMIUM:-} ]] || return 0
    if ! have chromium && ! have google-chrome && ! have chromium-browser; then
        if [[ $(id -u) != 0 ]] || ! have apt-get; then
            die "no Chromium (on Debian: apt-get install chromium); CHROMIUM=path names one that is elsewhere"
        fi
        run apt-get -qq update
        run apt-get -qq install -y --no-install-recommends chromium
    fi
    for name in chromium google-chrome chromium-browser; do
        if have "$name"; then
            CHROMIUM=$(command -v "$name")
            return
        fi
    done
    die "Chromium was installed and is not here"
}

# Runs the dashboard's tests with these variables, and leaves what they print in $log.
browse() {
    local code=0
    (cd tests/dashboard && bounded 900 env CHROMIUM="$CHROMIUM" "$@" node --test --test-timeout=600000 --test-reporter=spec dashboard.test.mjs) | tee "$log" || code=$?
    # Said, not left to `set -e`: that does not hold where somebody asks how this ended.
    ((code == 0)) || return "$code"
    grep -qE '^ℹ pass [1-9]' "$log" || die "no test ran in the browser"
}

# Runs those of the dashboard's tests that need no server which does what it is told, at what the command starts: it
# says its address in a line, and ends at SIGINT.
browse_at() {
    local said server url="" try
    said=$(mktemp)
    "$@" >"$said" 2>&1 </dev/null &
    server=$!
    for try in $(seq 150); do
        url=$(grep -oE -m 1 'http://127\.0\.0\.1:[0-9]+(/$|; Ctrl-C)' "$said" | grep -oE 'http://[0-9.:]+' || true)
        [[ -z $url ]] || break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.2
    done
    [[ -n $url ]] || die "it does not serve: $*: $(cat "$said")"
    browse DASHBOARD_URL="$url" || { kill "$server"; die "the dashboard does not do what it should at: $*"; }
    kill -INT "$server"
    wait "$server" || die "it did not end in order: $*: $(cat "$said")"
    rm -f "$said"
}

part_test_dashboard() {
    local CHROMIUM=${CHROMIUM:-} log place worker_dir
    npm_packages tests/dashboard
    find_chromium
    "$CHROMIUM" --version
    log=$(mktemp)
    browse
    grep -qE '^ℹ skipped 0$' "$log" || die "a test was skipped in the browser"
    # And at the real program, natively and as a Worker.
    run cargo build --locked -p repo-scanner -p strict-origin
    place=$(mktemp -d)
    browse_at "${CARGO_TARGET_DIR:-$root/target}/debug/repo-scanner" serve --port 0 --db "$place/scan.db"
    part_wasm_tools
    npm_packages tests/worker
    wasm build --locked --target "$target" --profile worker -p repo-scanner-worker
    worker_modules worker repo_scanner_worker
    browse_at env WORKER_SCANNER_DIR="$worker_dir" STRICT_ORIGIN="${CARGO_TARGET_DIR:-$root/target}/debug/strict-origin" node tests/worker/serve.mjs
    rm -rf "$log" "$place"
}

# Builds the Worker of the tests with panics that unwind, which takes a nightly toolchain; says why not, if it cannot.
worker_that_unwinds() {
    local CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/unwind
    if [[ $wasm_rust != rustup ]] || ! cargo +nightly --version >/dev/null 2>&1; then
        echo "did not run: panics that unwind; that takes rustup's nightly toolchain, which is not installed here"
        return 1
    fi
    if ! run rustup component add rust-src --toolchain nightly; then
        echo "did not run: panics that unwind; the source of nightly's standard library cannot be had here"
        return 1
    fi
    run env RUSTFLAGS=-Cpanic=unwind CARGO_TARGET_DIR="$CARGO_TARGET_DIR/wasm" \
        cargo +nightly build -Zbuild-std=std,panic_unwind --target "$target" -p worker-tests || die "the Worker does not build with -Cpanic=unwind"
    worker_modules debug worker_tests
}

part_test_worker() {
    part_wasm_tools
    npm_packages tests/worker
    local worker_dir tests minimal scanner log unwinding="" file
    local -a files=()
    wasm build --locked --target "$target" -p worker-tests
    worker_modules debug worker_tests
    tests=$worker_dir
    wasm build --locked --target "$target" --profile worker -p worker-minimal -p repo-scanner-worker
    worker_modules worker worker_minimal
    minimal=$worker_dir
    worker_modules worker repo_scanner_worker
    scanner=$worker_dir
    if worker_that_unwinds; then unwinding=$worker_dir; fi
    run cargo build --locked -p strict-origin
    for file in tests/worker/*.test.mjs; do
        [[ $file == */panics.test.mjs && -z $unwinding ]] || files+=("${file##*/}")
    done
    log=$(mktemp)
    # One file after the other: they measure times.
    (cd tests/worker && bounded 900 env WORKER_DIR="$tests" WORKER_MINIMAL_DIR="$minimal" WORKER_SCANNER_DIR="$scanner" WORKER_UNWIND_DIR="$unwinding" \
        STRICT_ORIGIN="${CARGO_TARGET_DIR:-$root/target}/debug/strict-origin" \
        node --test --test-concurrency=1 --test-timeout=120000 --test-reporter=spec "${files[@]}") | tee "$log"
    grep -qE '^ℹ pass [1-9]' "$log" || die "no test ran in workerd"
    grep -qE '^ℹ skipped 0$' "$log" || die "a test was skipped in workerd"
    rm -f "$log"
    weigh worker-minimal "$minimal"
    weigh repo-scanner "$scanner" 409600
}

# Says what the Worker $1 in the folder $2 weighs, which may be bounded: its JavaScript as wrangler sends it, bundled and, as
# its wrangler.toml says, minified.
weigh() {
    local wasm js
    wasm=$(gzip -9c "$2/index_bg.wasm" | wc -c)
    js=$(tests/worker/node_modules/.bin/esbuild "$2/index.js" --bundle --minify --format=esm --target=esnext --log-level=error \
        '--external:*.wasm' '--external:cloudflare:*' | gzip -9c | wc -c)
    printf '%s: %s bytes of wasm and %s of JavaScript, gzipped\n' "$1" "$wasm" "$js"
    ((wasm + js <= ${3:-wasm + js})) || die "$1 weighs more than $3 bytes"
}

# Runs the wasm tests of the package in the folder $1. On wasm a plain `#[test]` compiles and is never called, so the
# tests are counted: every test file runs at least one, or says in its first lines that it is not for wasm.
wasm_test() {
    local folder=$1 name log counts file count ungated ran=0
    shift
    name=$(package_in "$folder")
    log=$(mktemp)
    wasm test --locked --target "$target" -p "$name" "$@" --tests 2>&1 | tee "$log"
    counts=$(awk '
        / Running / { if (file) print file, count; file = ($2 == "unittests") ? $3 : $2; count = 0 }
        /^test result: ok\. / { count += $4 }
        END { if (file) print file, count }' "$log")
    rm -f "$log"
    while read -r file count; do
        ran=$((ran + count))
        ((count == 0)) || continue
        if [[ $file == src/* ]]; then
            ungated=$(grep -rlF '#[test]' "$folder/src" | xargs -r grep -LF '#![cfg(not(target_arch = "wasm32"))]' || true)
            [[ -n $ungated ]] || continue
            file=${ungated#"$folder/"}
        elif grep -qF '#![cfg(not(target_arch = "wasm32"))]' "$folder/$file"; then
            continue
        fi
        die "$folder/$file ran no test in wasm: import wasm_bindgen_test as test there, or gate the file"
    done <<<"$counts"
    ((ran > 0)) || die "$name ran no test at all in wasm"
    echo "$name: $ran tests ran in wasm"
}

part_docs() {
    # With all features, as docs.rs shows them: a link to an optional item has no target without its feature.
    RUSTDOCFLAGS="-D warnings" run cargo doc --workspace --no-deps --locked --all-features
}

part_examples() {
    local file name
    compgen -G 'examples/*.rs' >/dev/null || die "there is no example in examples/"
    run cargo build --locked --examples
    for file in examples/*.rs; do
        name=$(basename "$file" .rs)
        echo "--- example $name"
        bounded 120 cargo run --quiet --locked --example "$name"
    done
}

part_msrv() {
    local msrv facts toolchain
    msrv=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
    [[ -n $msrv ]] || die "Cargo.toml states no rust-version"
    facts=$(metadata --all-features)
    # shellcheck disable=SC2016  # JavaScript
    MSRV=$msrv node -e '
        const { packages } = JSON.parse(require("fs").readFileSync(0));
        const number = (v) => v.split(".").reduce((n, part, i) => n + parseInt(part) * 1e6 ** (2 - i), 0);
        const newer = packages.filter((p) => p.rust_version && number(p.rust_version) > number(process.env.MSRV));
        for (const p of newer) console.error(`${p.name} ${p.version} wants Rust ${p.rust_version}, we promise ${process.env.MSRV}`);
        const silent = packages.filter((p) => !p.rust_version).length;
        console.log(`ran: ${packages.length - silent} packages state a rust-version, none may be above ${process.env.MSRV}; ${silent} state none`);
        process.exit(newer.length > 0 ? 1 : 0);' <<<"$facts"
    echo "ran: clippy::incompatible_msrv for our own code, in the part 'lint'"
    toolchain=$(rustup toolchain list 2>/dev/null | grep -oE "^${msrv//./\\.}(\.[0-9]+)?-[^ ]+" | head -n 1 || true)
    if [[ -z $toolchain ]]; then
        echo "did not run: a build with Rust $msrv itself, which is not installed here"
        return
    fi
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/msrv run cargo "+$toolchain" check --workspace --all-features --locked
    echo "ran: cargo +$toolchain check"
}

part_house() { run bash tests/house.sh; }

# ---- which parts -----------------------------------------------------------------------------------------------------

declare -a chosen=(tools)
for name in "${@:-all}"; do
    case $name in
        all) chosen+=("${all[@]}") ;;
        quick) chosen+=("${quick[@]}") ;;
        *)
            [[ " ${all[*]} " == *" $name "* ]] || die "no part is called '$name'; there are: quick ${all[*]}"
            chosen+=("$name")
            ;;
    esac
done
trap summary EXIT
for name in "${chosen[@]}"; do
    [[ " ${names[*]} " == *" $name "* ]] || part "$name"
done
[[ -z ${kept_target:-} ]] || forget_our_crates
