#!/usr/bin/env bash
# Makes target/packages/TARGET/keyward: starts on glibc 2.28 and later, at most 15 MB, the same bytes wherever it is built.
# TARGET=aarch64-unknown-linux-gnu and TARGET=x86_64-unknown-linux-musl work where rustup has that target.
# Needs the programs of packaging/tools.txt: cargo-zigbuild and zig, which links against any version of glibc.
. "$(dirname "$0")/common.sh"
need cargo cargo-zigbuild readelf

# Paths of this machine would end in the messages of panics, and make every machine's binary another one.
sysroot=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="--remap-path-prefix=$root=/keyward --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust"
# C that is never unwound needs no tables for it.
export CFLAGS="-ffile-prefix-map=$root=/keyward -ffile-prefix-map=$cargo_home=/cargo -fno-asynchronous-unwind-tables"
# Of SQLite, what a keystore does not use stays out: searches in texts and maps, and code that a file could have it load.
export LIBSQLITE3_FLAGS="-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE \
-USQLITE_ENABLE_LOAD_EXTENSION -DSQLITE_OMIT_LOAD_EXTENSION"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/dist}
export CARGO_INCREMENTAL=0
case $target in
    *-gnu) built_for=$target.$glibc ;;
    *) built_for=$target ;;
esac
cargo zigbuild --locked --profile dist --target "$built_for" --bin keyward

mkdir -p "$(dirname "$binary")"
install -m 755 "$CARGO_TARGET_DIR/$target/dist/keyward" "$binary"
packaging/check-binary.sh "$binary"
sha256sum "$binary"
