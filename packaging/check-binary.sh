#!/usr/bin/env bash
# Says what a binary needs, and fails where that is more than was promised.
. "$(dirname "$0")/common.sh"
need readelf
binary=${1:-$binary}
limit=$((15 * 1000 * 1000))
size=$(stat -c %s "$binary")
needed=$(readelf -V "$binary" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
libraries=$(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
echo "$binary: $size bytes; needs ${needed:-no glibc}; libraries: ${libraries:-none}"
if [ -n "$needed" ]; then
    newest=$(printf '%s\n' "${needed#GLIBC_}" "$glibc" | sort -V | tail -1)
    [ "$newest" = "$glibc" ] || die "it needs $needed, and $glibc was promised"
fi
[ "$size" -le "$limit" ] || die "it has $size bytes, and $limit are the most"
# A position-independent program whose table of functions is read-only, and whose stack cannot be run.
readelf -h "$binary" | grep -q 'Type: *DYN' || die "it is not position-independent"
readelf -d "$binary" | grep -q BIND_NOW || readelf -d "$binary" | grep -q 'FLAGS.*NOW' || die "it is bound late"
readelf -lW "$binary" | grep -q GNU_RELRO || die "its tables can be written"
readelf -lW "$binary" | grep GNU_STACK | grep -qv E || die "its stack can be run"
if strings "$binary" 2>/dev/null | grep -F -e "$root/" -e "${CARGO_HOME:-$HOME/.cargo}/" | head -3 | grep .; then
    die "paths of this machine are in it"
fi
