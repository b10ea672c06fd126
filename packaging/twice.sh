#!/usr/bin/env bash
# Builds the binary of the last commit in two clones at different paths, and fails when the bytes differ. Twice a build from nothing.
. "$(dirname "$0")/common.sh"
commit=$(git rev-parse HEAD)
for place in "$scratch/one" "$scratch/another/path/than/that"; do
    git clone -q "$root" "$place"
    git -C "$place" -c advice.detachedHead=false checkout -q "$commit"
    begun=$SECONDS
    (cd "$place" && env -u CARGO_TARGET_DIR OUT="$place/made" packaging/binary.sh >/dev/null)
    told "$place/made/$target/keyward"
    took=$((SECONDS - begun))
    echo "$took s"
    rm -rf "$place/target"
done
cmp "$scratch/one/made/$target/keyward" "$scratch/another/path/than/that/made/$target/keyward"
mkdir -p "$(dirname "$binary")"
install -m 755 "$scratch/one/made/$target/keyward" "$binary"
touch "$out/made.txt"
sed -i '/^binary /d; /^twice /d' "$out/made.txt"
printf 'binary %s\ntwice %s\n' "$took" "$SECONDS" >>"$out/made.txt"
sha256sum "$binary"
