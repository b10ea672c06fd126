#!/usr/bin/env bash
# Makes everything, in the order it is made of each other; says how long each took.
. "$(dirname "$0")/common.sh"
for what in binary archive wheel npm deb rpm container sbom sums; do
    begun=$SECONDS
    "packaging/$what.sh"
    echo "$what: $((SECONDS - begun)) s"
done
