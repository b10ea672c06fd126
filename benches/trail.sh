#!/usr/bin/env bash
# Several processes and a server write to one trail at once, for minutes, while checkpoints are taken; afterwards the trail
# must be unbroken, continue every checkpoint, and have an event for each change that was told to have succeeded.
# Usage: benches/trail.sh [SECONDS] [PROCESSES] [BINARY]
set -euo pipefail
seconds=${1:-180}
processes=${2:-6}
binary=$(realpath "${3:-target/release/keyward}")
home=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$home"' EXIT
cd "$home"
keyward() { env -i HOME="$home" PATH="$PATH" "$binary" "$@" 2>>said </dev/null; }

keyward -q init >/dev/null
token=$(keyward operators create root --role platform-admin)
for n in $(seq "$processes"); do keyward create "local$n" --no-expiry >/dev/null; keyward create "remote$n" --no-expiry >/dev/null; done
env -i HOME="$home" PATH="$PATH" "$binary" serve --listen 127.0.0.1:0 --address-limit none --stream "file:$home/streamed.jsonl" 2>serve.log </dev/null &
server=$!
until grep -q 'listening on' serve.log; do sleep 0.1; done
url=$(sed -n 's#.*listening on \(http://[^ ]*\).*#\1#p' serve.log | head -1)
printf '%s' "$token" >token && chmod 600 token

until_over() { # FILE OF COUNTS, KEY, ARGUMENTS OF EVERY CALL
    local done=0 busy=0 to=$1 key=$2
    shift 2
    while [ -e go ]; do
        if keyward "$@" update "$key" --description "$done.$busy"; then done=$((done + 1)); else busy=$((busy + 1)); fi
    done
    echo "$done $busy" >"$to"
}
touch go
writers=()
for n in $(seq "$processes"); do
    until_over "count.local$n" "local$n" & writers+=($!)
    until_over "count.remote$n" "remote$n" --server "$url" --token-file token & writers+=($!)
done
end=$((SECONDS + seconds))
kept=() made=0
while [ "$SECONDS" -lt "$end" ]; do
    sleep 5
    made=$((made + 1))
    keyward audit checkpoint >"checkpoint.$made" && kept+=(--checkpoint "checkpoint.$made")
done
rm go
wait "${writers[@]}"
kill -TERM "$server" && wait "$server" || true
server=
keyward audit verify --full "${kept[@]}" && tail -1 said
told=$(cat count.* | awk '{ done += $1; refused += $2 } END { print done, refused }')
recorded=$(keyward audit list --action key.update --outcome ok --limit 1 -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["page"]["total"])')
echo "checkpoints $made, changes that succeeded and did not: $told, events of changes: $recorded, streamed: $(wc -l <streamed.jsonl)"
[ "${told% *}" = "$recorded" ]
