#!/usr/bin/env bash
# Makes everything, in the order it is made of each other, and notes how long each took: packaging/all.sh [WHAT…]
. "$(dirname "$0")/common.sh"
all=(binary archive wheel npm deb rpm container sbom sums)
wanted=("$@")
[ $# -gt 0 ] || wanted=("${all[@]}")
touch "$out/made.txt"
for what in "${wanted[@]}"; do
    begun=$SECONDS
    "packaging/$what.sh"
    sed -i "/^$what /d" "$out/made.txt"
    echo "$what $((SECONDS - begun))" >>"$out/made.txt"
done
