#!/usr/bin/env bash
# Makes the npm package of the binary that packaging/binary.sh made: the program itself is its `bin`, so that nothing runs at
# installation and nothing is downloaded.
. "$(dirname "$0")/common.sh"
need npm
[ -x "$binary" ] || die "packaging/binary.sh comes first"
mkdir -p "$scratch/bin"
install -m 755 "$binary" "$scratch/bin/keyward"
cp README.md LICENSE-APACHE LICENSE-MIT "$scratch"
cat >"$scratch/package.json" <<JSON
{
  "name": "keyward",
  "version": "$version",
  "description": "Issue, scope, rotate, revoke, verify and audit API keys from the shell",
  "license": "(Apache-2.0 OR MIT)",
  "bin": { "keyward": "bin/keyward" },
  "files": ["bin/keyward", "LICENSE-APACHE", "LICENSE-MIT"],
  "os": ["linux"],
  "cpu": ["$arch_npm"],
  "libc": ["glibc"]
}
JSON
(cd "$scratch" && npm pack --silent --offline --pack-destination "$out" >/dev/null)
told "$out/keyward-$version.tgz"
