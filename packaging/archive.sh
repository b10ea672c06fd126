#!/usr/bin/env bash
# Makes the archive of a release: the binary with its manual, completions and licences, as `cargo binstall` takes it.
. "$(dirname "$0")/common.sh"
[ -x "$binary" ] || die "packaging/binary.sh comes first"
name=keyward-$version-$target
mkdir -p "$scratch/$name"
install -m 755 "$binary" "$scratch/$name/keyward"
cp -r man completions README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$scratch/$name"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go-w -C "$scratch" -c "$name" |
    gzip -9n >"$out/$name.tar.gz"
told "$out/$name.tar.gz"
