#!/usr/bin/env bash
# Installs what packages are made with: into target/packaging-tools and, as root on Debian, by apt. Then:
# PATH=$PWD/target/packaging-tools/bin:$PATH
. "$(dirname "$0")/common.sh"
tools=$root/target/packaging-tools
[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
"$tools/bin/pip" install -q --disable-pip-version-check -r packaging/tools.txt
for crate in cargo-deb@3.8.0 cargo-cyclonedx@0.5.9 cargo-deny@0.20.2; do
    [ -x "$tools/bin/${crate%@*}" ] || cargo install --locked --root "$tools" "$crate"
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends lintian minisign buildah debootstrap shellcheck rpm ruby npm
fi
