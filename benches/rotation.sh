#!/usr/bin/env bash
# Figures of due runs into file sinks: 1,000 keys, of which 50 are due. Usage: benches/rotation.sh [BINARY]
set -euo pipefail
binary=$(realpath "${1:-target/release/keyward}")
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
keyward() { env -i HOME="$home" PATH="$PATH" "$binary" "$@" 2>/dev/null </dev/null; }
milliseconds() { # RUNS COMMAND...
    local runs=$1 start
    shift
    for _ in $(seq "$runs"); do
        start=$(date +%s%N)
        "$@" >/dev/null || true
        echo $((($(date +%s%N) - start) / 1000))
    done | sort -n | awk '{ all[NR] = $1 } END { printf "%.1f", all[int((NR + 1) / 2)] / 1000 }'
}
due() { keyward rotate --due --yes --max 1000 --deliver 'file:keys/{name}' -o jsonl; }
true_() { env -i /bin/true; }
mkdir keys
keyward init
{ echo name,rotate_every; seq 950 | sed 's/.*/idle-&,90d/'; seq 50 | sed 's/.*/due-&,1s/'; } >all.csv
keyward create --from all.csv --out secrets.jsonl
while [ "$(keyward list --due --count)" -lt 50 ]; do :; done
all=$(milliseconds 1 due)
# Their overlaps run now: the other 950 are not due, and a run over them alone is a run with nothing to do.
seq 50 | sed 's/.*/due-&/' | while read -r name; do keyward update "$name" --rotate-every none; done
echo "/bin/true                            $(milliseconds 50 true_) ms"
echo "50 of 1,000 keys due, file sinks     $all ms, $(awk -v ms="$all" 'BEGIN { printf "%.0f", 50000 / ms }') keys/s"
echo "nothing due among 1,000 keys         $(milliseconds 50 due) ms"
