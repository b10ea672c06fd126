#!/usr/bin/env bash
# Mixed load with very many keys, while the command line changes keys beside it: memory is told every ten seconds. Half way
# the server is killed and started again; at the end it is stopped, and what it counted is compared with what was answered.
# Usage: benches/soak.sh [SECONDS] [KEYS] [BINARY] [LOAD]
set -euo pipefail
seconds=${1:-600}
keys=${2:-1000000}
binary=$(realpath "${3:-target/release/keyward}")
load=$(realpath "${4:-benches/load/target/release/keyward-load}")
home=$(mktemp -d)
running=()
stop() { for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done; }
trap 'stop; rm -rf "$home"' EXIT
cd "$home"
keyward() { env -i HOME="$home" PATH="$PATH" "$binary" "$@" 2>>"$home/said" </dev/null; }
metric() { curl -s "http://$at/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
serve() {
    : >serve.log
    env -i HOME="$home" PATH="$PATH" "$binary" serve --listen "${at:-127.0.0.1:0}" --address-limit none 2>serve.log </dev/null &
    server=$!
    running+=("$server")
    until grep -q 'listening on' serve.log; do sleep 0.1; done
    at=$(sed -n 's#.*listening on http://##p' serve.log | head -1)
}
changes() { # until the file is gone
    while [ -e changing ]; do
        keyward rotate "k$((RANDOM % 100 + 1))" --now --yes --supersede >/dev/null || true
        keyward update "k$((RANDOM % 100 + 1))" --description "$RANDOM" >/dev/null || true
        sleep 1
    done
}
half() { # SECONDS
    "$load" run "$at" mixed keys.txt "$1" 32 "$server" >answers &
    local client=$!
    running+=("$client")
    while kill -0 "$client" 2>/dev/null; do
        echo "$(date +%T) memory $(metric process_resident_memory_bytes | awk '{ printf "%.0f MB", $1 / 1e6 }') waiting $(metric keyward_usage_waiting) dropped $(metric keyward_usage_dropped_total)"
        sleep 10
    done
    wait "$client"
    cat answers
}
at=
keyward -q init >/dev/null
KEYWARD_BEARER=$(keyward operators create gateway --role verifier)
export KEYWARD_BEARER
{ echo "name,environment,scopes,rate_limit,no_expiry"; seq "$keys" | sed 's/.*/k&,production,a:read,none,true/'; } >keys.csv
keyward create --from keys.csv --out keys.jsonl
python3 -c 'import json,sys
for line in sys.stdin: print(json.loads(line)["secret"])' <keys.jsonl >all.txt
# The first hundred keys are changed beside it; a thousand others are asked for, as services do, and each all the time.
sed -n '101,1100p' all.txt >keys.txt
rm keys.csv keys.jsonl all.txt
serve
touch changing
changes &
changer=$!
running+=("$changer")
half "$((seconds / 2))"
before=$(keyward usage --by code -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["uses"])')
kill -KILL "$server"
wait "$server" 2>/dev/null || true
echo "killed: $before uses written of those answered so far"
serve
half "$((seconds / 2))"
rm changing
wait "$changer"
kill "$server"
wait "$server"
answered=$(python3 -c 'import json; print(json.load(open("answers"))["valid"])')
after=$(keyward usage --by code -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["uses"])')
echo "after the stop: $after uses written; the second half was answered $answered times"
keyward audit verify >/dev/null && echo "the trail verifies"
