#!/usr/bin/env bash
# Makes the packages of Red Hat's family (rpm) and of Alpine (apk) from the binary that packaging/binary.sh made.
# Alpine's C library is another one: the apk needs gcompat, until a static binary of musl is built on a machine that has its target.
. "$(dirname "$0")/common.sh"
need nfpm
[ -x "$binary" ] || die "packaging/binary.sh comes first"
mkdir "$scratch/man"
cp man/*.1 "$scratch/man"
gzip -9n "$scratch"/man/*.1
mtime=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
sed -e "s#\${ARCH}#$arch_deb#; s#\${VERSION}#$version#; s#\${MTIME}#$mtime#; s#\${BINARY}#$binary#; s#\${STAGE}#$scratch#" \
    packaging/rpm/nfpm.yaml >"$scratch/nfpm.yaml"
for kind in rpm apk; do
    made=$(nfpm package -f "$scratch/nfpm.yaml" -p "$kind" -t "$out/" | sed -n 's/^created package: //p')
    told "$made"
done
