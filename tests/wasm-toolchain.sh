#!/usr/bin/env bash
# Finds or makes a Rust that compiles for wasm32-unknown-unknown, and prints what to call: one line, `rustup` when the
# toolchain in use has that target, else the bin directory of a second toolchain (rustc, clippy-driver, cargo-clippy).
#
# usage: tests/wasm-toolchain.sh CACHE_DIR
#
# The second toolchain is for machines that reach Debian's mirrors but not rustup's servers. Debian 12 ships a current
# compiler (`rustc-web`) without a standard library for wasm, so that library is built here, once, from Debian's source
# package. Nothing is installed into the system and root is not needed.
#
# WASM_TOOLCHAIN=rustup|debian allows one of the two ways only.
set -euo pipefail

readonly target=wasm32-unknown-unknown
readonly cache=${1:?usage: wasm-toolchain.sh CACHE_DIR}
readonly way=${WASM_TOOLCHAIN:-any}

say() { echo "wasm toolchain: $*" >&2; }
die() { say "$*"; exit 1; }

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

has_std() { compgen -G "$1/lib/rustlib/$target/lib/libstd[-.]*rlib" >/dev/null; }

# The linker of the host's toolchain serves both. It is linked and not copied, because it finds its LLVM by its own
# path; and on every run, because `rustup` may have moved the toolchain since.
link_lld() {
    local lld=$sysroot/lib/rustlib/$host/bin/rust-lld
    [[ -x $lld ]] || die "no rust-lld in $sysroot"
    mkdir -p "$1/lib/rustlib/$host/bin"
    ln -sfn "$lld" "$1/lib/rustlib/$host/bin/rust-lld"
}

with_rustup() {
    has_std "$sysroot" && return
    command -v rustup >/dev/null || return 1
    say "asking rustup for $target"
    # The servers may hang rather than refuse.
    timeout -k 5 120 rustup target add "$target" </dev/null >&2 && has_std "$sysroot"
}

cached_debian() {
    local found
    found=$(compgen -G "$cache/debian-rust-*" | sort -V | tail -n 1) || return 1
    has_std "$found/usr" || return 1
    link_lld "$found/usr"
    echo "$found/usr/bin"
}

build_debian() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        die "rustup could not add $target, and there are no Debian tools for the other way"
    fi
    mkdir -p "$cache"
    local tmp
    tmp=$(mktemp -d "$cache/tmp.wasm.XXXXXX")
    # shellcheck disable=SC2064  # now, because the variable is local
    trap "rm -rf '$tmp'" EXIT
    mkdir -p "$tmp"/{lists,archives}/partial "$tmp"/{debs,root}

    # Package lists of our own: the machine's may be stale or missing, and only root may renew them.
    local apt=(-qq -o "Dir::State::Lists=$tmp/lists" -o "Dir::Cache=$tmp" -o APT::Sandbox::User="$(id -un)"
        -o Acquire::Retries=3 -o Acquire::http::Timeout=60)
    say "reading Debian's package lists"
    apt-get "${apt[@]}" update >&2

    local version short llvm
    version=$(apt-cache "${apt[@]}" policy rustc-web | sed -n 's/^ *Candidate: //p')
    [[ $version =~ ^([0-9]+\.[0-9]+)\. ]] || die "Debian has no rustc-web (its security archive must be among the sources)"
    short=${BASH_REMATCH[1]}
    llvm=$(apt-cache "${apt[@]}" depends "libstd-rust-web-$short" | sed -n 's/^ *Depends: \(libllvm[0-9.]*\)$/\1/p')
    [[ -n $llvm ]] || die "cannot tell which LLVM Debian's Rust $short wants"

    say "downloading Debian's Rust $version"
    (
        cd "$tmp/debs"
        apt-get "${apt[@]}" download rustc-web rust-web-clippy rust-web-src libstd-rust-web-dev "libstd-rust-web-$short" "$llvm" >&2
    )
    for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp/root"; done

    local usr=$tmp/root/usr tool
    for tool in rustc rustdoc clippy-driver cargo-clippy; do
        mv "$usr/bin/$tool" "$usr/bin/$tool.bin"
        cat >"$usr/bin/$tool" <<'WRAPPER'
#!/bin/sh
bin=$(dirname "$(readlink -f "$0")")
for dir in "$bin"/../lib/*-linux-gnu; do
    LD_LIBRARY_PATH=$dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$bin/${0##*/}.bin" "$@"
WRAPPER
        chmod +x "$usr/bin/$tool"
    done
    link_lld "$usr"

    say "building the standard library for $target"
    # The flags are those of Rust's own build: they keep the private crates of the library private.
    (
        cd "$usr"/src/rustc-*/library
        env -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER -u CARGO_ENCODED_RUSTFLAGS \
            RUSTC="$usr/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$tmp/target" \
            RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" \
            "$sysroot/bin/cargo" build --quiet --locked --release --target "$target" \
            --manifest-path sysroot/Cargo.toml --features "panic-unwind compiler-builtins-mem" >&2
    )
    mkdir -p "$usr/lib/rustlib/$target/lib"
    cp "$tmp/target/$target/release/deps/"*.rlib "$usr/lib/rustlib/$target/lib/"
    rm -rf "$usr/src" "$usr/share"
    has_std "$usr" || die "the build left no standard library"

    # Only a finished toolchain gets its name. Whoever was first in a race has made the same.
    mv -T "$tmp/root" "$cache/debian-rust-$version" 2>/dev/null ||
        has_std "$cache/debian-rust-$version/usr"
    echo "$cache/debian-rust-$version/usr/bin"
}

if [[ $way != debian ]] && has_std "$sysroot"; then
    echo rustup
elif [[ $way != rustup ]] && cached_debian; then
    :
elif [[ $way != debian ]] && with_rustup; then
    echo rustup
elif [[ $way != rustup ]]; then
    build_debian
else
    die "rustup could not add $target"
fi
