#!/usr/bin/env bash
# Makes the package of Debian and Ubuntu from the binary that packaging/binary.sh made; [package.metadata.deb] of Cargo.toml says
# what is in it.
. "$(dirname "$0")/common.sh"
need cargo-deb dpkg-deb
[ -x "$binary" ] || die "packaging/binary.sh comes first"
stage=$root/target/packages/stage
mkdir -p "$stage"
install -m 755 "$binary" "$stage/keyward"
cat >"$stage/changelog" <<LOG
keyward ($version-1) unstable; urgency=medium

  * What changed is in CHANGELOG.md of the sources.

 -- The keyward authors <keyward@example.com>  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
LOG
cargo-deb --no-build --no-strip --no-separate-debug-symbols -q --target "$target" --deb-version "$version-1" -o "$out/keyward_$version-1_$arch_deb.deb"
told "$out/keyward_$version-1_$arch_deb.deb"
