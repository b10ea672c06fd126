# What the scripts of this directory share: where things are, which version this is, and when it was made.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
export LC_ALL=C TZ=UTC
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
# The time that files in packages have: that of the commit, so that two builds of one commit are the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
export SOURCE_DATE_EPOCH
# What is built for, and the oldest glibc that it starts on. A musl target has none, and is static.
target=${TARGET:-x86_64-unknown-linux-gnu}
glibc=2.28
out=${OUT:-$root/target/packages}
binary=$out/$target/keyward
mkdir -p "$out"

die() {
    echo "$0: $*" >&2
    exit 1
}

need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || die "$program is needed; packaging/README.md says where it comes from"
    done
}

# The word for a processor in each kind of package.
case $target in
    x86_64-*) arch_deb=amd64 arch_npm=x64 arch_wheel=x86_64 ;;
    aarch64-*) arch_deb=arm64 arch_npm=arm64 arch_wheel=aarch64 ;;
    *) die "no package is made for $target" ;;
esac
export arch_deb arch_npm arch_wheel glibc

told() {
    echo "$1  $(stat -c %s "$1") bytes"
}

# A directory that is removed when the script ends.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
