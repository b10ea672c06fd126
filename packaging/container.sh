#!/usr/bin/env bash
# Makes the container image of the binary that packaging/binary.sh made, as an archive that `podman load` and `docker load` take.
# The C library comes from the package of a Debian that is named here; nothing runs while it is built.
. "$(dirname "$0")/common.sh"
need buildah dpkg-deb apt-get
[ -x "$binary" ] || die "packaging/binary.sh comes first"
base=$scratch/context
rootfs=$base/rootfs
mkdir -p "$rootfs"/{usr/bin,etc/ssl/certs,var/lib/keyward,tmp} "$scratch/libc"
(cd "$scratch" && apt-get download -qq "libc6:$arch_deb" 2>/dev/null)
dpkg-deb -x "$scratch"/libc6_*.deb "$scratch/libc"
interpreter=$(readelf -lW "$binary" | sed -n 's/.*program interpreter: \(.*\)]/\1/p')
# What the program names, and what the library loads by itself to look up names.
for library in $(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
    found=$(find "$scratch/libc" -name "$library" | head -1)
    [ -n "$found" ] || die "no $library in the package of the C library"
    install -D -m 755 "$found" "$rootfs/lib/$(basename "$(dirname "$found")")/$library"
done
install -D -m 755 "$(find "$scratch/libc" -name "$(basename "$interpreter")" -type f | head -1)" "$rootfs$interpreter"
install -m 755 "$binary" "$rootfs/usr/bin/keyward"
cp /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/ca-certificates.crt"
echo 'keyward:x:65532:65532:keyward:/var/lib/keyward:/nonexistent' >"$rootfs/etc/passwd"
echo 'keyward:x:65532:' >"$rootfs/etc/group"
echo 'hosts: files dns' >"$rootfs/etc/nsswitch.conf"
chmod 1777 "$rootfs/tmp"
chown -R 65532:65532 "$rootfs/var/lib/keyward"
chmod 700 "$rootfs/var/lib/keyward"
# One time for every file, so that two builds are the same layers.
find "$base" -depth -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cp packaging/container/Containerfile "$base/Containerfile"
store=(--root "$scratch/store" --runroot "$scratch/run" --storage-driver vfs)
buildah "${store[@]}" build --quiet --pull=never --isolation chroot --format docker --timestamp "$SOURCE_DATE_EPOCH" \
    --label org.opencontainers.image.version="$version" --label org.opencontainers.image.licenses="Apache-2.0 OR MIT" \
    -t "keyward:$version" "$base" >/dev/null
rm -f "$out/keyward-$version-container.tar"
buildah "${store[@]}" push --quiet "keyward:$version" "docker-archive:$out/keyward-$version-container.tar:keyward:$version"
told "$out/keyward-$version-container.tar"
