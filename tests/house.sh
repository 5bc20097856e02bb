#!/usr/bin/env bash
# The order of the house, as far as no compiler checks it. Prints every breach and fails if there is one.
#
# usage: tests/house.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

breaches=0
breach() {
    echo "house: $*" >&2
    breaches=$((breaches + 1))
}

# Runs a search and reports each hit. A search that cannot run is an error, not an absence.
forbid() {
    local why=$1 hits code=0
    shift
    hits=$(grep "$@") || code=$?
    ((code < 2)) || { echo "house: the search failed: grep $*" >&2; exit 2; }
    [[ -z $hits ]] || while IFS= read -r hit; do breach "$why: $hit"; done <<<"$hits"
}

readonly sources=(--recursive --include=*.rs --exclude-dir=target --exclude-dir=node_modules --exclude-dir='.?*')
mapfile -t manifests < <(find . -name Cargo.toml -not -path '*/target/*' -not -path '*/node_modules/*' -not -path './.*')
readonly manifests
((${#manifests[@]} > 0)) || { echo "house: no manifest found" >&2; exit 2; }

# The folder list is the table of contents.
for folder in */; do
    case ${folder%/} in
        src | layers | worker-shell | tests | examples) ;;
        target | node_modules) ;; # ignored by git
        *) breach "${folder} is not a folder of the house (src, layers, worker-shell, tests, examples)" ;;
    esac
done

# Arrows point one way: examples -> worker-shell -> facade -> layers -> ground. Tests may look at everything.
# shellcheck disable=SC2016  # JavaScript
arrows=$(cargo metadata --format-version 1 --no-deps </dev/null | node -e '
    const { packages, workspace_root } = JSON.parse(require("fs").readFileSync(0));
    const at = (path) => path.slice(workspace_root.length + 1) || ".";
    const ground = ["layers/time", "layers/context", "layers/body-end", "layers/hints"];
    const layers = packages.map((p) => at(p.manifest_path.replace(/\/?Cargo.toml$/, ""))).filter((f) => f.startsWith("layers/"));
    const allowed = (folder) => {
        if (folder === "layers/context") return ["layers/time"];
        if (ground.includes(folder)) return [];
        if (folder.startsWith("layers/")) return ground;
        if (folder === ".") return layers;
        if (folder === "worker-shell") return ["."];
        return null;
    };
    for (const folder of ground) if (!layers.includes(folder)) console.log(`${folder} is missing or no workspace member`);
    for (const p of packages) {
        const folder = at(p.manifest_path.replace(/\/?Cargo.toml$/, ""));
        if (!p.rust_version) console.log(`${folder}/Cargo.toml states no rust-version`);
        const may = allowed(folder);
        if (!may) continue;
        for (const d of p.dependencies) {
            if (d.kind === "dev" || !d.path || may.includes(at(d.path))) continue;
            console.log(`${folder}/Cargo.toml depends on ${at(d.path)} (${d.name}); it may depend on: ${may.join(", ") || "none of ours"}`);
        }
    }')
[[ -z $arrows ]] || while IFS= read -r line; do breach "$line"; done <<<"$arrows"

# A manifest without a lints table is checked by nobody.
for manifest in "${manifests[@]}"; do
    grep -qE '^\[lints(\.|\])' "$manifest" || breach "$manifest has no [lints] (workspace = true)"
done

# One library knows the platform.
strangers=(/dev/null)
for manifest in "${manifests[@]}"; do
    case $manifest in
        ./Cargo.toml | ./worker-shell/* | ./tests/worker/* | ./examples/worker-minimal/* | ./examples/*/worker/*) ;;
        *) strangers+=("$manifest") ;;
    esac
done
forbid "the worker crate belongs to worker-shell, and to Workers" \
    -nE '^[[:space:]]*"?worker"?[[:space:]]*[.=]|dependencies\."?worker"?\]|package[[:space:]]*=[[:space:]]*"worker"' \
    "${strangers[@]}"

# Nothing is left for later, and no test is switched off.
forbid "unfinished code" -nE '\b(todo|unimplemented)!' "${sources[@]}" .
forbid "a test that does not run" -nE '#!?\[ *(cfg_attr\(.*)?ignore\b|```(.*,)? *ignore\b' "${sources[@]}" .

# On wasm a plain #[test] compiles and is never called: a file with tests either imports the wasm attribute or says
# that it is not for wasm.
tested=(layers src)
compgen -G 'tests/*.rs' >/dev/null && tested+=(tests/*.rs)
for file in tests/*/main.rs; do [[ ! -f $file ]] || tested+=("${file%/*}"); done
mapfile -t tested < <(grep -rlE --include='*.rs' '^[[:space:]]*#\[test\]' "${tested[@]}")
for file in "${tested[@]}"; do
    ! grep -qF 'target_arch = "wasm32"' "$file" || continue
    # The parent may have said it for the whole module.
    name=$(basename "$file" .rs) folder=$(dirname "$file")
    gated=$(grep -shA2 'not(target_arch = "wasm32")' "$folder"/*.rs "$folder.rs" || true)
    ! grep -qE "^[[:space:]]*mod $name;" <<<"$gated" || continue
    breach "$file has tests and does not say what becomes of them on wasm"
done
((${#tested[@]} > 0)) || breach "no tests found in the layers"

((breaches == 0)) || { echo "house: $breaches breaches" >&2; exit 1; }
echo "house: in order"
