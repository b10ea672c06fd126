#!/usr/bin/env bash
# Installs each package into a clean root, uses it, upgrades it from a version before it, removes it, and writes what came of it into
# packaging/README.md. As root on Debian, some five minutes; what is named alone is tried alone: packaging/try.sh deb-11 wheel
. "$(dirname "$0")/common.sh"
need debootstrap chroot python3 npm rpm curl
[ "$(id -u)" = 0 ] || die "only root can lay out roots"
before=0.0.9
former=$scratch/former
results=$out/results.md

# The packages of the version before: the same binary under an older number.
mkdir -p "$former/$target"
cp "$binary" "$former/$target/keyward"
for what in wheel npm deb rpm; do
    VERSION=$before OUT=$former "packaging/$what.sh" >/dev/null
done

# A Debian of a release, once laid out, and a copy of it.
tree() {
    local base=$root/target/roots/$1
    if [ ! -e "$base/complete" ]; then
        rm -rf "$base"
        mkdir -p "$(dirname "$base")"
        debootstrap --variant=minbase --include=systemd "$1" "$base" >"$scratch/debootstrap.log" 2>&1 || {
            tail -5 "$scratch/debootstrap.log" >&2
            return 1
        }
        touch "$base/complete"
    fi
    cp -a "$base" "$scratch/$2"
}

port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fail() {
    echo "FAILED: $*" >&2
    return 1
}

# Makes a key, asks about it, and serves it. `kw` is what runs keyward.
secret=
use() {
    kw --version
    secret=$(kw -q create smoke --env staging)
    ask
    local address server
    address=127.0.0.1:$(port)
    kw serve --env staging --listen "$address" 2>"$scratch/serve.log" &
    server=$!
    for _ in $(seq 100); do
        kw serve --probe --listen "$address" 2>/dev/null && break
        sleep 0.1
    done
    curl -fsS -H "X-API-Key: $secret" "http://$address/v1/validate" | grep '"valid":true' >/dev/null || fail "the server does not know the key"
    # The one that was started, or what runs it in a root of its own.
    pkill -TERM -P "$server" 2>/dev/null || kill -TERM "$server"
    wait "$server" || fail "the server did not end in order: $(tail -3 "$scratch/serve.log")"
}

ask() {
    printf %s "$secret" | kw verify - --env staging | grep VALID >/dev/null || fail "the key that was made is not good"
}

in_root() {
    local where=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        unshare --mount sh -c 'mount -t proc proc "$1/proc"; exec chroot "$@"' sh "$where" "$@"
}

deb() {
    local place=$scratch/$1
    tree "$1" "$1"
    cp "$former"/*.deb "$out"/keyward_"$version"-1_"$arch_deb".deb "$place/root/"
    kw() { in_root "$place" keyward "$@"; }
    in_root "$place" apt-get install -y -qq "/root/keyward_$before-1_$arch_deb.deb" >/dev/null
    in_root "$place" getent passwd keyward >/dev/null || fail "there is no user keyward"
    use
    echo '# mine' >>"$place/etc/keyward/serve.env"
    in_root "$place" apt-get install -y -qq -o Dpkg::Options::=--force-confold "/root/keyward_$version-1_$arch_deb.deb" >/dev/null
    ask
    grep -q mine "$place/etc/keyward/serve.env" || fail "the upgrade took the settings away"
    in_root "$place" sh -c 'test -e /usr/share/man/man1/keyward.1.gz && test -e /usr/share/bash-completion/completions/keyward'
    install -d -o 0 "$place/var/lib/keyward"
    touch "$place/var/lib/keyward/vault" "$place/etc/keyward/keyward.key"
    in_root "$place" apt-get purge -y -qq keyward >/dev/null
    in_root "$place" test ! -e /usr/bin/keyward || fail "it is still there"
    [ -e "$place/var/lib/keyward/vault" ] && [ -e "$place/etc/keyward/keyward.key" ] || fail "the purge took the vault"
}

deb-11() { deb bullseye; }
deb-12() { deb bookworm; }

# The units under a systemd that runs: in a container that boots, where this machine can have one.
systemd-12() {
    local place=$scratch/boot nspawn
    command -v systemd-nspawn >/dev/null || fail "systemd-nspawn is needed (systemd-container)"
    tree bookworm boot
    nspawn=(systemd-nspawn --keep-unit --register=no -q -D "$place")
    cp "$out/keyward_$version-1_$arch_deb.deb" packaging/try-systemd.sh "$place/root/"
    "${nspawn[@]}" apt-get install -y -qq "/root/keyward_$version-1_$arch_deb.deb" >/dev/null
    printf '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /root/try-systemd.sh\n' \
        >"$place/etc/systemd/system/try.service"
    mkdir -p "$place/etc/systemd/system/multi-user.target.wants"
    ln -s ../try.service "$place/etc/systemd/system/multi-user.target.wants/try.service"
    timeout 180 "${nspawn[@]}" -b >/dev/null 2>&1 || true
    cat "$place/root/log"
    tail -5 "$place/root/log" | grep "ALL WELL" >/dev/null || fail "the units do not do as they promise"
}

lintian-12() {
    lintian --fail-on error,warning --allow-root "$out/keyward_$version-1_$arch_deb.deb"
}

rpm-in-a-root() {
    local place=$scratch/rpm
    tree bookworm rpm
    kw() { in_root "$place" keyward "$@"; }
    # The root is Debian's, whose packages rpm does not know: what the package needs is looked at by hand.
    rpm --root "$place" --nodeps -U "$former"/keyward-"$before"-1.*.rpm
    use
    rpm --root "$place" --nodeps -U "$out"/keyward-"$version"-1.*.rpm
    ask
    [ "$(rpm -qp --requires "$out"/keyward-"$version"-1.*.rpm 2>/dev/null | grep -v rpmlib)" = "glibc >= 2.28" ] || fail "it needs something else"
    rpm --root "$place" --nodeps -e keyward
    [ ! -e "$place/usr/bin/keyward" ] || fail "it is still there"
}

apk() {
    # No program of Alpine's is here: what is in it is looked at, and not installed.
    tar --ignore-zeros -tzf "$out"/keyward_"$version"-r1_*.apk 2>/dev/null | grep -x usr/bin/keyward >/dev/null || fail "there is no program in it"
}

wheel() {
    python3 -m venv "$scratch/venv"
    kw() { HOME=$scratch/wheel-home "$scratch/venv/bin/keyward" "$@"; }
    mkdir "$scratch/wheel-home"
    local pip=("$scratch/venv/bin/pip" --disable-pip-version-check -q)
    "${pip[@]}" install --no-index "$former"/keyward-"$before"-*.whl
    use
    "${pip[@]}" install --no-index --upgrade "$out"/keyward-"$version"-*.whl
    ask
    "${pip[@]}" uninstall -y keyward
    [ ! -e "$scratch/venv/bin/keyward" ] || fail "it is still there"
}

npm-package() {
    local prefix=$scratch/npm
    kw() { HOME=$scratch/npm-home "$prefix/bin/keyward" "$@"; }
    mkdir "$scratch/npm-home" "$prefix"
    npm install --silent --offline --ignore-scripts -g --prefix "$prefix" "$former/keyward-$before.tgz"
    use
    npm install --silent --offline --ignore-scripts -g --prefix "$prefix" "$out/keyward-$version.tgz"
    ask
    npm uninstall --silent -g --prefix "$prefix" keyward
    [ ! -e "$prefix/bin/keyward" ] || fail "it is still there"
}

archive() {
    tar -C "$scratch" -xzf "$out/keyward-$version-$target.tar.gz"
    mkdir "$scratch/archive-home"
    kw() { HOME=$scratch/archive-home "$scratch/keyward-$version-$target/keyward" "$@"; }
    use
}

# The image without a container: its one layer as the root, read-only but for the volume, as its own user.
container() {
    local place=$scratch/image settings
    mkdir -p "$place" "$scratch/layers"
    tar -C "$scratch/layers" -xf "$out/keyward-$version-container.tar"
    tar -C "$place" -xf "$(find "$scratch/layers" -maxdepth 1 -name '*.tar' -type f)"
    mapfile -t settings < <(python3 -c 'import glob, json, sys
image = json.load(open([p for p in glob.glob(sys.argv[1] + "/*.json") if "manifest" not in p][0]))["config"]
assert image["User"] == "65532:65532" and image["Entrypoint"] == ["/usr/bin/keyward"] and image["Healthcheck"]
print("\n".join(image["Env"]))' "$scratch/layers")
    kw() {
        unshare --mount env -i "${settings[@]}" /bin/sh -c 'place=$1; shift
            /bin/mount --bind "$place" "$place" && /bin/mount -o remount,ro,bind "$place"
            /bin/mount --bind "$place.vault" "$place/var/lib/keyward"
            exec /usr/sbin/chroot --userspec=65532:65532 "$place" /usr/bin/keyward "$@"' sh "$place" "$@"
    }
    install -d -m 700 -o 65532 -g 65532 "$place.vault"
    use
    [ -z "$(find "$place" -newer "$out/keyward-$version-container.tar" -type f)" ] || fail "something was written into the image"
}

sums() {
    (cd "$out" && sha256sum --quiet -c SHA256SUMS)
    if [ -e "$out/SHA256SUMS.minisig" ]; then
        minisign -Vqm "$out/SHA256SUMS" -p "${PUBLIC_KEY:-packaging/keyward.pub}"
    fi
}

all=(deb-11 deb-12 systemd-12 lintian-12 rpm-in-a-root apk wheel npm-package archive container sums)
wanted=("$@")
[ $# -gt 0 ] || wanted=("${all[@]}")
failed=0
: >"$results"
for what in "${wanted[@]}"; do
    begun=$SECONDS
    # Not as the condition itself: there, the first command that fails would end nothing.
    (trap - EXIT && "$what") >"$scratch/$what.log" 2>&1 &
    if wait $!; then
        said=well
    else
        said=FAILED
        failed=1
        cat "$scratch/$what.log" >&2
    fi
    echo "$what: $said, $((SECONDS - begun)) s"
    echo "| \`$what\` | $said | $((SECONDS - begun)) s |" >>"$results"
done

# Of a whole run, what came of it is kept with the sources.
if [ $# = 0 ]; then
    page=packaging/README.md
    {
        sed '/^<!-- Written by/q' $page
        echo
        echo "Of $(git rev-parse --short=12 HEAD), $(date -u +%Y-%m-%d), $(nproc) cores, glibc $glibc or later."
        echo
        echo "| made | bytes |"
        echo "| --- | ---: |"
        (cd "$out" && find . -type f -name 'keyward*' ! -path './stage/*' -printf '%P %s\n') | sort |
            sed 's/^\(.*\) \(.*\)$/| `\1` | \2 |/'
        echo
        echo "| script | took |"
        echo "| --- | ---: |"
        sed 's/^\(.*\) \(.*\)$/| `\1.sh` | \2 s |/' "$out/made.txt"
        echo
        echo "| tried | result | took |"
        echo "| --- | --- | ---: |"
        cat "$results"
    } >"$scratch/page"
    cat "$scratch/page" >$page
fi
exit "$failed"
