#!/usr/bin/env bash
# Many keys changed by one command, here and through a server, while another process writes: how long it takes, how much
# memory it takes, and how long the other one waits. Then killed at random until it is done: an event a key.
# Usage: benches/many.sh target/release/keyward [KEYS] [KILLS]
set -euo pipefail
keyward=$(realpath "$1") keys=${2:-20000} kills=${3:-20}
home=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$home"' EXIT
kw() { env -i HOME="$home" PATH=/usr/bin:/bin "$keyward" "$@"; }

{ echo name,labels; for ((n = 0; n < keys; n++)); do echo "k-$n,team=web"; done; } >"$home/keys.csv"
kw init 2>/dev/null
kw create --from "$home/keys.csv" --out "$home/secrets.jsonl" >/dev/null 2>&1
kw create other >/dev/null 2>&1

# The other writer: the longest of its waits, until the file `done` is there.
other() {
    local longest=0 began took
    rm -f "$home/done"
    until [ -e "$home/done" ]; do
        began=$(date +%s%N)
        kw -q update other --label "n=$RANDOM" >/dev/null 2>&1
        took=$((($(date +%s%N) - began) / 1000000))
        ((took > longest)) && longest=$took
    done
    echo "$longest" >"$home/longest"
}

measured() {
    local what=$1
    shift
    other &
    local writer=$!
    env -i HOME="$home" PATH=/usr/bin:/bin /usr/bin/time -f '%e s, %U s user, %M KB' -o "$home/time" "$keyward" "$@" 2>/dev/null
    touch "$home/done"
    wait "$writer"
    echo "$what: $(cat "$home/time"); another writer waited at most $(cat "$home/longest") ms"
}

bound=(--with-label team=web --yes --max "$keys")
measured "update, here" update "${bound[@]}" --owner ops@example.com
kw operators create root --role platform-admin >"$home/token" 2>/dev/null
chmod 600 "$home/token"
env -i HOME="$home" PATH=/usr/bin:/bin "$keyward" serve --listen 127.0.0.1:0 --address-limit none 2>"$home/log" &
until url=$(grep -oE 'http://[0-9.:]+' "$home/log"); do sleep 0.05; done
measured "update, through a server" --server "$url" --token-file "$home/token" update "${bound[@]}" --owner crew@example.com
measured "deactivate, through a server" --server "$url" --token-file "$home/token" deactivate --label team=web --yes --max "$keys"

# Killed anywhere, and run again until nothing is left.
killed=0
while ((killed < kills)); do
    env -i HOME="$home" PATH=/usr/bin:/bin "$keyward" activate --status inactive --label team=web --yes --max "$keys" >/dev/null 2>&1 &
    victim=$!
    sleep "0.$((RANDOM % 40 + 5))"
    kill -9 "$victim" 2>/dev/null && killed=$((killed + 1))
    wait "$victim" 2>/dev/null || true
    [ "$(kw list --count --status inactive)" != 0 ] || break
done
kw activate --status inactive --label team=web --yes --max "$keys" >/dev/null 2>&1 || true
events=$(kw audit list --action key.activate -o jsonl | wc -l)
echo "activate, killed $killed times: $events events of $keys keys, $(kw list --count --status inactive) left"
[ "$events" = "$keys" ]
kw audit verify 2>&1
