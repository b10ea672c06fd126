#!/usr/bin/env bash
# Writes SHA256SUMS over all that was made, and signs it: packaging/sums.sh [SECRET-KEY]. A release's key stays with whoever
# releases (`minisign -G -s keyward.key -p packaging/keyward.pub`); without one nothing is signed, and that is said.
. "$(dirname "$0")/common.sh"
cd "$out"
find . -maxdepth 1 -type f -name 'keyward*' -printf '%f\n' | sort | xargs -d '\n' sha256sum >SHA256SUMS
cat SHA256SUMS
if [ -n "${1:-}" ]; then
    need minisign
    minisign -S -s "$1" -m SHA256SUMS -t "keyward $version"
else
    echo "NOT SIGNED: name a secret key of minisign to sign SHA256SUMS"
fi
